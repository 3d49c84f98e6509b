"""The code pages in a browser: the meter counts what is sent, lists and dialogs work by mouse and by keyboard."""

from __future__ import annotations

import datetime as dt
import re
import time
import unicodedata
from dataclasses import replace

import pytest
from sqlalchemy import select

from fab_minicode.acquisition import aliases
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.code_list import image_of
from fab_minicode.kinds import landing_page_faults
from fab_minicode.models import Code, Ghost
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.sandbox.faults import Switch
from fab_minicode.utm import UTM_FIELDS, Utm, byte_length, compose_path
from fab_minicode.views.messages import refusal
from tests import databases, hosts
from tests.browser.conftest import NARROW, expect
from tests.events import Told, store
from tests.pages import AUTHORIZERS, CODES
from tests.stories import NOW, WANG
from tests.test_ghosts import Scanned
from tests.worlds import settings_in

APPID = SAMPLE_APPS[0].appid
IMAGE_A = "/wxa/getwxacode"


@pytest.fixture(scope="module", autouse=True)
def connected(site):
    """Two mini programs are connected; the first is the one the tests use."""
    hosts.connect(site.app)
    hosts.connect(site.app, SAMPLE_APPS[1])


@pytest.fixture(autouse=True)
def no_faults(site):
    yield
    site.sandbox.faults.clear()


def new_code(page, name, **values):
    """Fill in the form and make a code."""
    page.goto(f"{CODES}/add?appid={APPID}")
    fill(page, name=name, **{"landing_page": "pages/index/index", "utm_source": "poster", **values})
    with page.expect_navigation():
        # The next page's script must be there before its dialog is asked for.
        page.get_by_role("button", name=re.compile("Make the code|生成小程序码")).click()


def fill(page, kind="wxacode", **values):
    for field, value in values.items():
        page.locator(f"[name={field}]").fill(value)
    page.locator(f"[name=kind][value={kind}]").check()


def stored(site, name):
    """Return the code with this name, its picture loaded."""
    with hosts.database(site.app) as session:
        code = session.execute(select(Code).where(Code.name == name, Code.deleted_at.is_(None))).scalar_one()
        picture = image_of(session, code) if code.state == "ready" else None
        session.expunge_all()
        return code, picture


# --------------------------------------------------------------------------------------------------------- create


NASTY = (
    {"landing_page": "pages/index/index", "utm_source": "poster"},
    {"landing_page": "pages/lists/lists?listID=123", "utm_source": "海报", "utm_campaign": "双十一大促 50% off"},
    {"landing_page": "页面/首页?标题=你好", "utm_source": "a&b=c?d#e+f%20g", "utm_medium": "\"quoted\" 'single'"},
    {
        "landing_page": "pages/a",
        "utm_source": "  trimmed  ",
        "utm_content": "emoji 🎉🀄",
        "utm_term": "<>[]{}|\\^`~*()!",
    },
    {
        "landing_page": "pages/a",
        "utm_source": unicodedata.normalize("NFD", "café Ångström 가각"),
        "utm_term": "x\u00a0y",
    },
    {"landing_page": " pages/a?x= ", "utm_source": "\u3000全角　空格\u3000", "utm_medium": "é"},
)


@pytest.mark.parametrize("typed", NASTY, ids=range(len(NASTY)))
def test_the_meter_counts_the_path_that_is_sent(site, visit, typed):
    page = visit("creator")
    name = f"meter {NASTY.index(typed)}"
    page.goto(f"{CODES}/add?appid={APPID}")
    fill(page, name=name, **typed)
    path = page.locator("[data-mc-path]").text_content()
    total = page.locator("[data-mc-meter-total]").text_content()
    costs = [int(text) for text in page.locator(".mc-costs .mc-number").all_text_contents()]

    page.get_by_role("button", name="Make the code").click()
    expect(page.locator("#mc-path")).to_be_visible()
    code, _ = stored(site, name)
    sent = [asked.json()["path"] for asked in site.sandbox.world.asked if asked.endpoint == IMAGE_A][-1]

    assert code.path == path
    assert code.path == sent
    assert code.path == page.locator("#mc-path").text_content()
    assert f"{code.path_bytes:,} of 1,024 bytes" == total
    assert code.path_bytes == sum(costs)
    assert byte_length(sent) == code.path_bytes


def test_the_meter_agrees_with_the_server_for_every_single_character(visit):
    """One value for each character below U+3100 that may be typed, in a few goes."""
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")
    page.locator("[name=landing_page]").fill("pages/a")
    allowed = [chr(n) for n in range(0x21, 0x3100) if unicodedata.category(chr(n))[0] not in "CZ"]

    for start in range(0, len(allowed), 3000):
        # A letter between them keeps marks from joining what stands before.
        value = "x".join(allowed[start : start + 3000])
        page.locator("[name=utm_source]").evaluate("(field, text) => { field.value = text; }", value)
        page.locator("[name=utm_source]").dispatch_event("input")
        expected = compose_path("pages/a", Utm(unicodedata.normalize("NFC", value)))

        assert expected == page.locator("[data-mc-path]").text_content()


def test_the_meter_says_by_how_much_and_the_kind_that_fits_is_one_click_away(site, visit):
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")
    fill(page, "wxaqrcode", name="too long", landing_page="pages/index/index", utm_source="渠道" * 20)
    over = byte_length(compose_path("pages/index/index", Utm("渠道" * 20))) - 128
    card = page.locator("[data-mc-kind=wxaqrcode]")

    expect(card).to_contain_text(f"{over} bytes too long")
    expect(page.locator("[data-mc-kind=wxacode]")).to_contain_text("Suggested")
    page.get_by_role("button", name="Use “Mini-program code”").click()
    expect(page.locator("[name=kind][value=wxacode]")).to_be_checked()
    expect(page.locator("[data-mc-too-long]")).to_be_empty()
    page.locator("[name=kind][value=wxacode_unlimited]").check()
    expect(page.locator("[data-mc-unlimited]")).to_be_visible()
    page.locator("[name=landing_page]").fill("pages/index/index?a=1")
    expect(page.locator("[data-mc-kind=wxacode_unlimited]")).to_contain_text("Page without parameters only")


def over_the_limit(page):
    """Whether the bar says so: marked where the limit lies, and the rest of it in the colour of faults."""
    return (
        page.locator(".mc-over [data-mc-mark]").is_visible() and page.locator(".mc-over [data-mc-limit]").is_visible()
    )


def test_the_bar_marks_the_limit_that_is_passed(visit):
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")
    fill(page, "wxaqrcode", landing_page="pages/index/index", utm_source="s")

    assert not over_the_limit(page)
    page.locator("[name=utm_source]").fill("s" * 128)
    assert over_the_limit(page)
    used = byte_length(compose_path("pages/index/index", Utm("s" * 128)))
    place = float(page.locator("[data-mc-limit]").get_attribute("x"))
    assert 128_000 / used == pytest.approx(place, abs=0.01)
    page.locator("[name=kind][value=wxacode]").check()
    assert not over_the_limit(page)


def live_faults(page, texts):
    """``{text: what the page says below the landing page}`` while each one is typed."""
    return page.evaluate(
        """(texts) => Object.fromEntries(texts.map((text) => {
            const field = document.querySelector("[name=landing_page]");
            field.value = text;
            field.dispatchEvent(new Event("input", { bubbles: true }));
            return [text, document.querySelector("#landing_page-error")?.textContent.trim() || ""];
        }))""",
        list(texts),
    )


def told_by_the_server(texts):
    """What the server says of each landing page, in English."""
    faults = {text: landing_page_faults(text.strip()) if text.strip() else () for text in texts}
    return {text: " ".join(refusal(fault) for fault in found) for text, found in faults.items()}


PAGES_TO_TYPE = (
    *("", "  ", "?a=1", "/pages/index", "/pages/a b?b=1?c#d", "pages/a\tb", "pages/a?scancode_time=1"),
    *(
        "pages/SCANCODE_time",
        "pages/a?scancode%5Ftime=1",
        "pages/a?utm_source=x&b",
        "pages/a?x&UTM_Term=x&utm%5Fmedium",
    ),
    *(
        "pages/a?utm%5Fmedi%um=x",
        "pages/a?%ff=1",
        "页面/首页?城市=上海",
        "pages/🎉",
        "pages/a?&=",
        "pages/a?b=utm_source",
    ),
)


def test_while_one_types_a_page_it_says_what_the_server_would_say(site, visit):
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")
    # A browser takes line ends out of a field of one line.
    characters = [chr(n) for n in (*range(0x3100), 0xFEFF, 0xFFFD) if chr(n) not in "\r\n" and not 0xD800 <= n < 0xE000]
    texts = [*PAGES_TO_TYPE, *(f"pages/{character}/x" for character in characters)]

    with site.app.test_request_context():
        expected = told_by_the_server(texts)

    assert expected == live_faults(page, texts)
    assert "must not contain spaces" in expected["/pages/a b?b=1?c#d"]
    assert "must not begin with" in expected["/pages/a b?b=1?c#d"]


def test_no_kind_says_that_it_fits_before_a_page_is_typed_or_while_it_is_wrong(visit):
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")
    verdicts = page.locator(".mc-kind [data-mc-verdict]")

    expect(verdicts).to_have_text(["—", "—", "—"])
    page.locator("[name=landing_page]").fill("/pages/a")
    expect(verdicts).to_have_text(["Check the landing page"] * 3)
    expect(page.locator("[name=landing_page]")).to_have_attribute("aria-invalid", "true")
    page.locator("[name=landing_page]").fill("pages/a")
    expect(verdicts).to_have_text(["Fits", "Fits", "Fits"])
    expect(page.locator("#landing_page-error")).to_have_count(0)


def test_a_corrected_field_is_no_longer_shown_as_wrong(visit):
    page = visit("creator")
    new_code(page, "", landing_page="/pages/a", utm_source="s" * 128, kind="wxaqrcode")

    page.locator("[name=name]").fill("n")
    expect(page.locator("[name=name]")).not_to_have_attribute("aria-invalid", "true")
    expect(page.locator("[name=name]")).to_have_attribute("aria-describedby", "name-hint")
    expect(page.locator("#name-error")).to_have_count(0)
    expect(page.locator("#mc-faults li")).to_have_count(1)
    page.locator("[name=landing_page]").fill("pages/a")
    expect(page.locator("#mc-faults")).to_be_hidden()
    expect(page.locator("#landing_page-error")).to_have_count(0)


def test_a_path_that_was_too_long_is_corrected_by_another_kind(visit):
    page = visit("creator")
    new_code(page, "shorter", utm_source="s" * 128, kind="wxaqrcode")

    expect(page.locator("#landing_page-error")).to_contain_text("128")
    page.locator("[name=kind][value=wxacode]").check()
    expect(page.locator("#landing_page-error")).to_have_count(0)
    expect(page.locator("#mc-faults")).to_be_hidden()


def test_on_a_narrow_window_the_length_stays_in_view_and_covers_nothing_that_has_focus(visit):
    page = visit("creator", size=NARROW)
    page.goto(f"{CODES}/add?appid={APPID}")
    fill(page, landing_page="pages/index/index", utm_source="poster")
    strip = page.locator("[data-mc-strip]")

    expect(strip).to_be_in_viewport(ratio=1)
    expect(strip).to_contain_text("35 of 1,024 bytes")
    expect(strip).to_contain_text("Fits")
    page.locator("#mc-code-form [name=name]").focus()
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("!document.activeElement.closest('#mc-code-form fieldset')"):
            break
        place = page.evaluate(
            """() => {
                const strip = document.querySelector("[data-mc-strip]").getBoundingClientRect();
                return strip.top - document.activeElement.getBoundingClientRect().bottom;
            }"""
        )
        assert place >= 0, page.evaluate("document.activeElement.outerHTML")
    strip.get_by_role("link").click()
    expect(page.locator("#mc-length")).to_be_in_viewport()


def test_beside_the_kinds_stands_what_is_left_of_the_quota_and_whether_this_code_takes_some(visit):
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")
    group = page.locator("#kind")

    expect(group).to_contain_text("of 100,000")
    expect(group.get_by_text("This code takes one of them")).to_be_visible()
    page.locator("[name=kind][value=wxacode_unlimited]").check()
    expect(group.get_by_text("This code takes one of them")).to_be_hidden()
    expect(group.get_by_text("This kind takes none of them.")).to_be_visible()


def test_another_spelling_and_an_ampersand_are_noticed_while_one_types(visit):
    page = visit("creator")
    new_code(page, "advice", utm_source="Moments")
    page.goto(f"{CODES}/add?appid={APPID}")
    notice = page.locator("[data-mc-advice=utm_source]")

    expect(notice).to_be_hidden()
    page.locator("[name=utm_source]").fill("mo ments")
    expect(notice).to_contain_text("Earlier codes use “Moments”.")
    notice.get_by_role("button", name="Use “Moments”").click()
    expect(page.locator("[name=utm_source]")).to_have_value("Moments")
    expect(notice).to_be_hidden()
    page.locator("[name=utm_source]").fill("tea & cake")
    expect(notice).to_contain_text("GrowingIO")
    page.locator("[name=kind][value=wxacode_unlimited]").check()
    expect(notice).to_be_hidden()


def test_square_codes_have_no_colours_to_choose(visit):
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")

    expect(page.get_by_text("Transparent background")).to_be_visible()
    page.locator("[name=kind][value=wxaqrcode]").check()
    expect(page.get_by_text("Transparent background")).to_be_hidden()
    expect(page.locator(".mc-sample-square")).to_be_visible()


def test_picking_a_colour_chooses_it(visit):
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")

    page.locator("[name=line_color]").fill("#1463c9")

    expect(page.locator("[name=colour][value=own]")).to_be_checked()


def test_while_wechat_draws_the_page_says_so_and_a_second_click_makes_nothing(site, visit):
    site.sandbox.faults.on(Switch("latency", IMAGE_A, value=0.5))
    page = visit("creator")
    page.goto(f"{CODES}/add?appid={APPID}")
    fill(page, name="once", landing_page="pages/index/index", utm_source="poster")
    # What stood there when the page was left: Playwright looks at a page only after the next one has come.
    page.evaluate(
        """() => addEventListener("pagehide", () => {
            const shown = document.querySelector(".minicode").innerText;
            sessionStorage.setItem("left", shown);
        })"""
    )

    page.locator("#mc-code-form [type=submit]").dblclick()
    expect(page.locator("h1")).to_have_text("once")
    left = page.evaluate("sessionStorage.getItem('left')")

    assert "Asking WeChat …" in left
    assert "Asking WeChat for the picture …" in left
    assert "Make the code" not in left
    assert "ready" == stored(site, "once")[0].state


@pytest.mark.parametrize("language", ["en", "zh"])
def test_without_scripts_a_code_is_made_all_the_same(site, visit, language):
    page = visit("creator", scripts=False, language=language)
    name = f"no scripts {language} 码"
    new_code(page, name, landing_page="/pages/index/index", utm_campaign="双十一")
    expect(page.locator("#landing_page")).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#landing_page-error")).to_contain_text("/pages/index/index")
    expect(page.locator("[name=utm_campaign]")).to_have_value("双十一")
    page.locator("[name=landing_page]").fill("pages/index/index")
    page.get_by_role("button", name=re.compile("Make the code|生成小程序码")).click()

    expect(page.locator("h1")).to_have_text(name)
    assert "ready" == stored(site, name)[0].state


def test_without_scripts_the_meter_is_counted_by_the_server(visit):
    page = visit("creator", scripts=False)
    new_code(page, "", utm_source="海报")

    path = compose_path("pages/index/index", Utm("海报"))
    expect(page.locator("[data-mc-meter-total]")).to_have_text(f"{byte_length(path)} of 1,024 bytes")
    expect(page.locator("[data-mc-path]")).to_have_text(path)


def test_a_refused_form_takes_the_reader_to_what_is_wrong(visit):
    page = visit("creator")
    new_code(page, "", landing_page="pages/a b")

    expect(page.locator("#mc-faults")).to_be_focused()
    page.locator("#mc-faults").get_by_role("link", name="Landing page").click()
    assert "#landing_page" in page.url
    expect(page.locator("#landing_page")).to_have_value("pages/a b")


def test_the_next_one_of_a_series(site, visit):
    page = visit("creator")
    new_code(page, "series 1", utm_campaign="series", utm_content="A")

    page.get_by_role("link", name="Make the next one").click()
    expect(page.locator("[name=name]")).to_have_value("")
    expect(page.locator("[name=utm_content]")).to_have_value("A")
    fill(page, name="series 2", utm_content="B")
    page.get_by_role("button", name="Make the code").click()

    expect(page.locator("h1")).to_have_text("series 2")
    assert ("series", "B") == (stored(site, "series 2")[0].utm_campaign, stored(site, "series 2")[0].utm_content)


def test_what_wechat_refuses_can_be_tried_again(site, visit):
    site.sandbox.faults.on(Switch("errcode", IMAGE_A, value=41030))
    page = visit("creator")
    new_code(page, "second try")

    expect(page.get_by_role("alert")).to_contain_text("errcode 41030")
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("img", name="Picture of “second try”")).to_be_visible()


# ------------------------------------------------------------------------------------------------- list, one code


def test_search_filter_and_order_narrow_the_list(visit):
    page = visit("manager")
    for name, kind, source in (
        ("zebra", "wxacode", "zoo"),
        ("antelope", "wxaqrcode", "zoo"),
        ("ape", "wxacode", "jungle"),
    ):
        new_code(page, name, kind=kind, utm_source=source)
    page.goto(f"{CODES}/list/?appid={APPID}")
    rows = page.locator(".mc-cell-name a")

    page.get_by_placeholder("Search by name or creator").fill("ebr")
    page.keyboard.press("Enter")
    expect(rows).to_have_text(["zebra"])

    page.get_by_placeholder("Search by name or creator").fill("")
    page.locator(".mc-filters summary").click()
    page.get_by_label("Ad source").fill("zoo")
    page.get_by_role("button", name="Apply").click()
    expect(rows).to_have_text(["antelope", "zebra"])

    page.get_by_role("link", name="Name", exact=True).click()
    expect(page.locator("th[aria-sort=ascending]")).to_contain_text("Name")
    page.get_by_role("link", name="Name", exact=True).click()
    expect(rows).to_have_text(["zebra", "antelope"])

    page.get_by_label("Kind").select_option("wxacode_unlimited")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("link", name="Clear all filters").click()
    expect(rows.filter(has_text="ape")).to_have_count(1)


def test_the_number_of_rows_changes_at_once(visit):
    page = visit("manager")
    new_code(page, "at least one")
    page.goto(f"{CODES}/list/?appid={APPID}")

    expect(page.get_by_role("button", name="Show", exact=True)).to_be_hidden()
    page.get_by_label("Rows per page").select_option("50")
    page.wait_for_url("**page_size=50**")


def test_the_other_mini_program_is_two_keys_away(visit):
    page = visit("manager")
    page.goto(f"{CODES}/list/?appid={APPID}")
    summary = page.locator(".mc-switcher summary")

    summary.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".mc-menu")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".mc-menu")).to_be_hidden()
    expect(summary).to_be_focused()
    summary.click()
    page.locator(".mc-menu").get_by_text(SAMPLE_APPS[1].nick_name).click()
    expect(summary).to_contain_text(SAMPLE_APPS[1].nick_name)


def test_a_download_is_the_stored_file_under_the_codes_name(site, visit):
    page = visit("creator")
    new_code(page, "下载 me")

    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()

    assert "下载 me.jpg" == download.value.suggested_filename
    assert stored(site, "下载 me")[1].content == download.value.path().read_bytes()


def test_the_path_can_be_copied(site, visit):
    page = visit("creator", permissions=["clipboard-read", "clipboard-write"])
    new_code(page, "copy me", utm_campaign="复制")

    page.get_by_role("button", name="Copy").click()

    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert stored(site, "copy me")[0].path == page.evaluate("navigator.clipboard.readText()")


def test_renaming_by_mouse(site, visit):
    page = visit("manager")
    new_code(page, "old name")

    page.get_by_role("link", name="Rename").click()
    page.get_by_label("Name").fill("new name")
    page.keyboard.press("Enter")

    expect(page.get_by_role("status").first).to_contain_text("The code is now called “new name”.")
    expect(page.locator("h1")).to_have_text("new name")
    assert stored(site, "new name")


def test_deleting_asks_in_a_dialog_that_can_be_left(site, visit):
    page = visit("manager")
    new_code(page, "to be deleted")
    page.goto(f"{CODES}/list/?appid={APPID}&q=to+be+deleted")
    dialog = page.get_by_role("dialog", name="Delete “to be deleted”?")

    page.get_by_role("link", name="Delete “to be deleted”").click()
    expect(dialog).to_contain_text("The printed code keeps working")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert stored(site, "to be deleted")
    page.get_by_role("link", name="Delete “to be deleted”").click()
    dialog.get_by_role("button", name="Delete").click()

    expect(page.get_by_role("status").first).to_contain_text("was deleted")
    page.goto(f"{CODES}/list/?appid={APPID}&q=to+be+deleted")
    expect(page.get_by_text("Nothing found")).to_be_visible()


def test_without_scripts_deleting_asks_on_a_page(visit):
    page = visit("manager", scripts=False)
    new_code(page, "deleted by hand")

    page.get_by_role("link", name="Delete").click()
    expect(page.locator("h1")).to_have_text("Delete “deleted by hand”?")
    page.get_by_role("button", name="Delete").click()

    expect(page.get_by_text("“deleted by hand” was deleted.")).to_be_visible()


def test_a_viewer_looks_and_changes_nothing(visit):
    new_code(visit("creator"), "looked at")
    page = visit("viewer")
    page.goto(f"{CODES}/list/?appid={APPID}&q=looked+at")

    expect(page.locator(".mc-cell-actions a")).to_have_count(0)
    expect(page.get_by_role("link", name="New code")).to_have_count(0)
    page.get_by_role("link", name="looked at", exact=True).click()
    expect(page.get_by_role("img", name="Picture of “looked at”")).to_be_visible()
    for name in ("Download", "Rename", "Delete", "Make the next one"):
        expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_in_chinese_from_the_form_to_the_confirmation(visit):
    page = visit("manager", language="zh")
    new_code(page, "门店海报", utm_source="海报")

    expect(page.get_by_role("status").first).to_have_text("创建成功：“门店海报”已生成。")
    page.get_by_role("link", name="删除").click()
    expect(page.get_by_role("dialog", name="删除“门店海报”？")).to_contain_text("已印出的码仍可使用")
    page.keyboard.press("Escape")
    page.goto(f"{CODES}/list/?appid={APPID}")
    expect(page.get_by_text("过去7天广告获客量")).to_be_visible()
    expect(page.get_by_text("已授权").first).to_be_visible()


# ------------------------------------------------------------------------------------------------- every page


def waiting_words(site, owner):
    """A scene that waits for a code, values that look alike and a merge; returns the scene's number."""
    with hosts.database(site.app) as session:
        if session.execute(select(Ghost.id)).first() is None:
            then = int(time.time() * 1000) - 60_000
            words = ("Weixin", "Weixin", "weixin", "averyveryverylongsourcenamewithoutanybreakinit" * 2)
            told = [Told(f"v{n}", then + n, utm=(word, "", "", "", ""), number=n) for n, word in enumerate(words)]
            told.append(Scanned("g", then, other_scene="table=12&floor=2"))
            store(session.connection(), [replace(one, authorizer_id=owner) for one in told])
            aliases.merge(session, owner, "utm_source", "wx", "Weixin", actor=WANG, now=NOW)
            session.commit()
            engine = hosts.engine_of(site.app)
            roll_up(engine, settings=settings_in("UTC"), now=dt.datetime.now(dt.timezone.utc))
        return session.execute(select(Ghost.id)).scalars().first()


def addresses(site):
    with hosts.database(site.app) as session:
        code_id, owner = session.execute(
            select(Code.id, Code.authorizer_id).where(Code.deleted_at.is_(None)).order_by(Code.id)
        ).first()
    ghost_id = waiting_words(site, owner)
    pages = [
        f"{CODES}/{route}" for route in ("list/", "add", f"show/{code_id}", f"edit/{code_id}", f"ask_delete/{code_id}")
    ]
    pages += [f"{CODES}/ghosts/", f"{CODES}/adopt/{ghost_id}", "/minicode/analysis/vocabulary"]
    return [*pages, *(f"{AUTHORIZERS}/{route}" for route in ("list/", "show/1", "connect", "revoke/1"))]


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_page_is_wider_than_a_phone(site, visit, language):
    page = visit("manager", size=NARROW, language=language)
    new_code(page, f"narrow {language}", utm_campaign="averyveryverylongcampaignnamewithoutanybreakinitatallreally")

    for address in addresses(site):
        page.goto(address)

        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), address


@pytest.mark.parametrize("background", ["", "#222222"], ids=["light", "dark"])
def test_every_page_is_accessible(site, visit, background):
    """Axe finds nothing inside our section; what it finds in the host's own frame is the host's."""
    try:
        from axe_playwright_python import sync_playwright as axe
    except ImportError:
        databases.missing("axe", "install the extra [test]")
    page = visit("manager", reduced_motion="reduce")
    new_code(page, f"axe {background}", utm_campaign="a")

    for address in addresses(site):
        page.goto(address)
        if background:
            page.evaluate("colour => { document.body.style.backgroundColor = colour; }", background)
            expect(page.locator(".minicode")).to_have_attribute("data-mc-theme", "dark")
        found = axe.Axe().run(page, context=".minicode")

        assert [] == [
            f"{address} {rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found.response["violations"]
        ]


def test_every_field_has_a_name(site, visit):
    page = visit("manager")
    page.goto(f"{CODES}/add?appid={APPID}")

    for field in ("name", "landing_page", *UTM_FIELDS, "width", "remark"):
        assert page.locator(f"label[for={field}]").count() == 1, field
