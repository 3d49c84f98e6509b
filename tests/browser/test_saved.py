"""Saved questions, boards and exports in a browser: save, list, open, share, hand over, put on a board, take along."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from sqlalchemy import select

from fab_minicode.models import Authorizer
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.browser.conftest import NARROW, expect
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid
ASKS = f"/minicode/analysis/?appid={APPID}&by=utm_source&metric=users&metric=visits&granularity=total"
WORDS = {
    "en": {
        "save": "Save …", "name": "Name", "everybody": "Everybody", "store": "Save", "hand": "Hand over …",
        "user": "User name", "give": "Hand over", "lock": "Lock", "unlock": "Unlock", "saved": "Saved",
    },
    "zh": {
        "save": "保存…", "name": "名称", "everybody": "所有人", "store": "保存", "hand": "移交…", "user": "用户名",
        "give": "移交", "lock": "锁定", "unlock": "解锁", "saved": "已保存",
    },
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def week(site):
    """A week of visits from three sources."""
    hosts.connect(site.app)
    visits = [
        Visit(f"{source}-{day}-{n}", day, source)
        for rank, source in enumerate(("poster", "海报 & flyer", "moments"))
        for day in range(1, 8)
        for n in range(9 - 3 * rank)
    ]
    with hosts.database(site.app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    now, settings = dt.datetime.now(dt.timezone.utc), site.app.extensions[EXTENSION].settings
    bring(hosts.engine_of(site.app), visits, authorizer_id=row, settings=settings, now=now)


def more(page):
    """Open the menu of the saved question, by keyboard."""
    page.locator(".mcs-more > summary").press("Enter")


def kept(page, words, name):
    """Save the question of the page under a name, for everybody; returns its address."""
    page.get_by_role("link", name=words["save"], exact=True).click()
    page.get_by_label(words["name"]).first.fill(name)
    page.get_by_role("radio", name=re.compile(f"^{words['everybody']}")).check()
    page.get_by_role("button", name=words["store"], exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    return page.url


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scripts", [True, False])
def test_a_question_is_saved_found_opened_by_another_and_handed_over(visit, language, scripts):
    words, name = WORDS[language], f"Sources {language} {scripts}"
    mine = visit("creator", language=language, scripts=scripts)
    mine.goto(ASKS)
    address = kept(mine, words, name)
    more(mine)
    # The fold to open is the next page's: the address stays the same.
    with mine.expect_navigation():
        mine.get_by_role("button", name=words["lock"], exact=True).click()
    more(mine)
    expect(mine.get_by_role("link", name=words["hand"])).to_have_count(0)
    with mine.expect_navigation():
        mine.get_by_role("button", name=words["unlock"], exact=True).click()

    theirs = visit("viewer", language=language, scripts=scripts)
    theirs.goto(f"/minicode/analysis/saved/?q={name}")
    theirs.get_by_role("link", name=name, exact=True).click()
    assert address == theirs.url
    expect(theirs.locator("#mca-table")).to_contain_text("海报 & flyer")
    expect(theirs.get_by_role("link", name=words["hand"])).to_have_count(0)

    mine.goto(address)
    more(mine)
    mine.get_by_role("link", name=words["hand"]).click()
    mine.get_by_label(words["user"]).fill("manager")
    mine.get_by_role("button", name=words["give"], exact=True).click()
    expect(mine.locator("tr", has_text=name)).to_contain_text("Manager Test")


def test_a_change_in_place_can_be_saved_over_the_old_question(visit):
    page = visit("creator")
    page.goto(ASKS)
    address = kept(page, WORDS["en"], "Changing")

    page.wait_for_load_state()  # the script answers changes from here on
    page.locator("#mca-question [name=window]").select_option("30")
    expect(page.locator("#mca-saved")).to_contain_text("differs from what is saved")
    assert "saved=" in page.url
    page.locator("#mca-saved").get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_role("status").first).to_be_attached()
    assert address == page.url
    expect(page.locator("#mca-question [name=window]")).to_have_value("30")
    expect(page.locator("#mca-saved")).not_to_contain_text("differs")


def test_the_answer_leaves_as_a_table_and_as_a_picture(visit):
    page = visit("manager")
    page.goto(f"{ASKS}&chart=bar")
    for name, ending, begins in (("Excel", "xlsx", b"PK"), ("CSV", "csv", b"\xef\xbb\xbf")):
        with page.expect_download() as found:
            page.get_by_role("link", name=name, exact=True).click()
        assert found.value.suggested_filename.endswith(ending)
        assert found.value.path().read_bytes().startswith(begins)
    with page.expect_download() as found:
        page.get_by_role("button", name="Picture").click()
    picture = Image.open(found.value.path())
    assert picture.width > 400
    assert len(picture.convert("RGB").getcolors(2**24)) > 20


ANSWER_ONCE = """status => {
    const ask = window.fetch;
    window.stillTheSamePage = true;
    window.fetch = () => {
        window.fetch = ask;
        return status ? Promise.resolve(new Response("", { status })) : Promise.reject(new TypeError("offline"));
    };
}"""


@pytest.mark.parametrize("status", [None, 429, 503])
def test_a_picture_that_could_not_be_recorded_is_said_and_asked_for_again(visit, status):
    page = visit("manager")
    page.goto(f"{ASKS}&chart=bar")
    page.evaluate(ANSWER_ONCE, status)

    page.get_by_role("button", name="Picture").click()
    expect(page.locator("#mca-offline")).to_contain_text("could not be reached")
    with page.expect_download() as found:
        page.get_by_role("button", name="Try again").click()

    assert found.value.suggested_filename.endswith(".png")
    expect(page.locator("#mca-offline")).to_be_hidden()
    assert page.evaluate("window.stillTheSamePage")


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_picture_that_is_refused_brings_a_fresh_page_that_says_why(visit, status):
    page = visit("manager")
    page.goto(f"{ASKS}&chart=bar")
    page.evaluate(ANSWER_ONCE, status)

    with page.expect_navigation():
        page.get_by_role("button", name="Picture").click()

    assert not page.evaluate("window.stillTheSamePage")


def test_a_board_shows_questions_and_is_arranged_by_keyboard(visit):
    page = visit("creator")
    page.goto(ASKS)
    kept(page, WORDS["en"], "For the board")
    more(page)
    page.get_by_role("link", name="Put on a board …").click()
    page.get_by_label("Name").fill("Monday")
    page.get_by_role("button", name="Make the board").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Monday")
    page.get_by_role("button", name="Put on this board").press("Enter")
    cards = page.locator(".mcs-card")
    expect(cards).to_have_count(2)
    expect(cards.nth(1)).to_contain_text("Users acquired by ads")
    cards.nth(1).get_by_role("button", name="Move up: Users acquired").press("Enter")
    expect(cards.nth(0)).to_contain_text("126")
    expect(cards.nth(1).locator("table")).to_contain_text("poster")


@pytest.mark.parametrize("size", [None, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_pass_axe_and_fit(visit, size, theme):
    page = visit("manager", size=size)
    page.goto(ASKS)
    address = kept(page, WORDS["en"], "Axe")
    pk = address.rpartition("/")[2]
    places = ("saved/", pk, f"saved/{pk}/edit", f"saved/{pk}/hand_over", f"saved/{pk}/remove")
    for place in (*(f"/minicode/analysis/{one}" for one in places), "/minicode/boards/"):
        page.goto(place)
        if theme == "dark":
            page.evaluate("document.body.style.backgroundColor = '#16181c'")
            expect(page.locator(".minicode")).to_have_attribute("data-mc-theme", "dark")
            page.wait_for_timeout(300)  # buttons change their colours slowly
        if page.locator(".mcs-more").count():
            more(page)
        found = Axe().run(page, context=".minicode")
        assert 0 == found.violations_count, (place, found.generate_report())
        assert page.evaluate("document.querySelector('.minicode').scrollWidth <= innerWidth"), place
