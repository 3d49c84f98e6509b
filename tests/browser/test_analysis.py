"""
The analysis page in a browser: changes are answered in place, menus open on rows, the table needs no scripts. Each test
opens the page once and walks through what belongs together: opening takes the time.
"""

from __future__ import annotations

import csv
import datetime as dt
import re
import time

import pytest

from fab_minicode.sandbox import SAMPLE_APPS
from tests import databases
from tests.browser.analysis import (  # noqa: F401 - month is a fixture
    PAGE,
    SOURCES,
    asked,
    cells,
    check,
    headline,
    idle,
    month,
    opened,
)
from tests.browser.conftest import NARROW, expect

# ----------------------------------------------------------------------------------------------------------- in place


def test_changes_are_answered_in_place_and_back_brings_them_back(visit):
    page = opened(visit)
    page.evaluate("window.stillTheSamePage = true")
    before = headline(page)

    page.locator("#mca-split-1").focus()
    page.locator("#mca-split-1").select_option("utm_source")
    expect(page.locator("#mca-table thead")).to_contain_text("Ad source")
    expect(page.locator("#mca-split-1")).to_be_focused()
    # The line that stood there has no place for a ranking: bars take it.
    expect(page.locator("#mca-chart-bar")).to_be_checked()
    expect(page.locator("#mca-chart")).to_be_visible()
    page.locator("#mca-window").select_option("30")
    expect(page.locator("#mca-headline strong").first).not_to_have_text(before)
    assert (["utm_source"], ["last_30"]) == (asked(page)["by"], asked(page)["window"])
    assert list(SOURCES) == cells(page, 1)
    expect(page.locator("#mca-live")).to_contain_text(f"Users {headline(page)}")

    page.go_back()
    expect(page.locator("#mca-window")).to_have_value("7")
    page.go_back()
    expect(page.locator("#mca-table tbody tr")).to_have_count(7)
    expect(page.locator("#mca-split-1")).to_have_value("")
    page.go_forward()
    expect(page.locator("#mca-split-1")).to_have_value("utm_source")

    assert page.evaluate("window.stillTheSamePage")


def test_a_shared_address_shows_the_same_answer_to_somebody_else(visit):
    mine = opened(visit, "manager")
    mine.locator("#mca-split-1").select_option("utm_source")
    mine.locator("#mca-event-1").fill("order_paid")
    mine.locator("#mca-event-1").press("Tab")
    expect(mine.locator("#mca-table thead")).to_contain_text("order_paid (people)")
    mine.locator("#mca-as-1").select_option("conversion")
    expect(mine.locator("#mca-table thead")).to_contain_text("order_paid (conversion)")
    mine.locator(".mca-split select").last.select_option("scene")
    expect(mine.locator("#mca-table thead")).to_contain_text("Opened by")
    mine.locator(".mca-split").nth(1).locator(".mca-row-up").press("Enter")
    expect(mine.locator("#mca-table thead th").first).to_contain_text("Opened by")

    theirs = visit("viewer")
    theirs.goto(mine.url)

    assert mine.locator("#mca-table table").inner_text() == theirs.locator("#mca-table table").inner_text()
    assert (["scene", "utm_source"], ["users", "order_paid.conversion"]) == (asked(mine)["by"], asked(mine)["metric"])


def test_every_row_has_a_menu_by_mouse_and_by_keyboard(visit):
    page = opened(visit, query="&by=utm_source&where=utm_source:set")
    table = page.url
    for place, source in enumerate(SOURCES):
        row = page.locator("#mca-table tbody tr").nth(place)
        number = row.locator("td").last.locator(".mca-cell").inner_text()

        row.locator("a[data-mca-row]").press("Enter")
        expect(page.get_by_role("menuitem").first).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#mca-value-1")).to_have_value(source)
        expect(page.locator("#mca-headline strong").first).to_have_text(number)
        page.go_back()
        expect(page.locator("#mca-table thead")).to_contain_text("Ad source")

    page.locator("#mca-table tbody td").first.click()
    page.keyboard.press("l")
    expect(page.get_by_role("menuitem", name="Landing page")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#mca-table thead")).to_contain_text("Landing page")

    assert page.url != table
    assert ["utm_source:eq:poster"] == asked(page)["where"]


def test_the_table_is_sorted_by_any_column_and_leaves_so(visit):
    page = opened(visit, "manager", query="&by=utm_source&metric=users&metric=visits&chart=bar")
    page.evaluate("window.stillTheSamePage = true")
    heads, first = page.locator("#mca-table thead th"), page.locator("#mca-table tbody tr").first
    own = cells(page, 1)
    legend = page.locator(".mca-legend-item").first
    legend.click()

    heads.nth(2).get_by_role("link").click()
    expect(heads.nth(2)).to_have_attribute("aria-sort", "descending")
    expect(heads.nth(2).get_by_role("link")).to_be_focused()
    assert SOURCES[0] == cells(page, 1)[0]
    page.keyboard.press("Enter")
    expect(heads.nth(2)).to_have_attribute("aria-sort", "ascending")
    expect(first).to_contain_text("(not set)")
    heads.nth(0).get_by_role("link").click()
    expect(heads.nth(0)).to_have_attribute("aria-sort", "ascending")
    names = cells(page, 1)
    assert ["#7", "(not set)"] == [names[0], names[-1]]

    with page.expect_download() as found:
        page.get_by_role("link", name="CSV", exact=True).click()
    rows = list(csv.reader(found.value.path().read_text(encoding="utf-8-sig").splitlines()))
    assert names == [row[0] for row in rows[1 : len(names) + 1]]
    # The numbers of the chart are the same: what its legend hides stays so.
    expect(legend).to_have_attribute("aria-pressed", "false")

    page.locator("#mca-window").select_option("30")
    expect(page.locator("#mca-words")).to_contain_text("Last 30 days")
    expect(heads.nth(0)).to_have_attribute("aria-sort", "ascending")
    assert (["utm_source"], ["last_30"]) == (asked(page)["sort"], asked(page)["window"])
    for _ in range(4):
        page.go_back()
    expect(page.locator("th[aria-sort]")).to_have_count(0)
    assert own == cells(page, 1)
    assert page.evaluate("window.stillTheSamePage")


def test_a_filter_is_made_of_suggested_values_by_keyboard(visit):
    page = opened(visit)
    everyone = headline(page)

    page.locator(".mca-filter").last.locator("[name=dimension]").select_option("utm_source")
    assert "value" == page.evaluate("document.activeElement.name")
    page.locator("[name=op]").nth(1).select_option("in")
    value = page.locator("[name=value]").nth(1)
    value.focus()
    value.type("pos")
    options = page.locator(".mca-values [role=option]")
    expect(options).to_have_count(1)
    page.keyboard.press("ArrowDown")
    expect(options.first).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#mca-headline strong").first).not_to_have_text(everyone)
    value.type(", a")
    expect(options.filter(has_text="a,b")).to_be_visible()
    options.filter(has_text="a,b").click()
    expect(value).to_have_value('poster, "a,b"')
    page.wait_for_function("location.search.includes('poster')")
    idle(page)
    assert ["utm_source:set", "utm_source:in:poster,a\\,b"] == asked(page)["where"]

    page.locator(".mca-filter .mca-row-remove").nth(1).press("Enter")
    expect(page.locator("#mca-headline strong").first).to_have_text(everyone)


def test_a_free_window_and_its_mistakes_stand_beside_the_field(visit):
    page = opened(visit)
    page.locator("#mca-window").select_option("14")
    expect(page.locator("#mca-table tbody tr")).to_have_count(14)
    page.locator("#mca-window").select_option("free")
    expect(page.locator("#mca-since")).to_be_focused()
    since = dt.date.fromisoformat(page.locator("#mca-since").input_value())
    until = page.locator("#mca-until").input_value()

    page.locator("#mca-since").fill((since + dt.timedelta(days=4)).isoformat())
    expect(page.locator("#mca-table tbody tr")).to_have_count(10)
    expect(page.locator("#mca-since")).to_be_focused()
    page.locator("#mca-until").fill("2020-01-01")
    expect(page.locator("#mca-problem-window")).to_contain_text("Choose two days")
    expect(page.locator("#mca-chart")).to_be_hidden()
    page.locator("#mca-until").fill(until)
    expect(page.locator("#mca-problem-window")).to_be_hidden()
    expect(page.locator("#mca-table tbody tr")).to_have_count(10)


WATCH = """() => {
    window.seen = [];
    const root = document.getElementById("mca-root");
    const bar = document.querySelector(".mca-progress");
    let since = null;
    const look = (at) => {
        const busy = root.classList.contains("is-busy");
        since = busy ? since ?? at : null;
        if (busy) window.seen.push([at - since, Number(getComputedStyle(bar).opacity)]);
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


def test_a_spinner_comes_only_when_the_answer_takes_its_time(visit):
    page = opened(visit)
    page.route("**/minicode/analysis/*part=page*", lambda route: (time.sleep(0.9), route.continue_()))
    page.evaluate(WATCH)

    page.locator("#mca-window").select_option("14")
    expect(page.locator("#mca-table tbody tr")).to_have_count(14)
    idle(page)
    seen = page.evaluate("window.seen")

    assert {0} == {opacity for after_ms, opacity in seen if after_ms < 250}
    assert 1 in {opacity for after_ms, opacity in seen if after_ms > 400}


def test_an_answer_that_comes_too_late_is_dropped(visit):
    page = opened(visit)
    held = []

    def answer(route):
        # The first answer is held back until the second one stands.
        if "window=30" in route.request.url:
            held.append(route)
        else:
            route.continue_()

    page.route("**/minicode/analysis/*part=page*", answer)
    page.locator("#mca-window").select_option("30")
    page.wait_for_timeout(100)
    page.locator("#mca-window").select_option("14")
    expect(page.locator("#mca-table tbody tr")).to_have_count(14)
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)

    assert held
    assert (14, ["last_14"]) == (page.locator("#mca-table tbody tr").count(), asked(page)["window"])


def test_an_answer_that_never_comes_is_said_and_asked_again(visit):
    page = opened(visit)
    page.evaluate(
        """() => {
            const ask = window.fetch;
            window.fetch = () => { window.fetch = ask; return Promise.resolve(new Response("", { status: 503 })); };
        }"""
    )

    page.locator("#mca-window").select_option("14")
    expect(page.locator("#mca-offline")).to_be_visible()
    page.locator("#mca-retry").click()

    expect(page.locator("#mca-table tbody tr")).to_have_count(14)
    expect(page.locator("#mca-offline")).to_be_hidden()


def test_an_empty_answer_says_which_filter_empties_it(visit):
    page = opened(visit, query="&where=utm_source:eq:poster&where=utm_campaign:eq:nobody")
    expect(page.locator("#mca-table")).to_contain_text("The filters leave nothing over")

    page.get_by_role("link", name="Without “Campaign is nobody”").click()

    expect(page.locator("#mca-table tbody, #mca-headline strong").first).not_to_have_text("0")
    assert ["utm_source:eq:poster"] == asked(page)["where"]


# ------------------------------------------------------------------------------------------------- for everybody


def test_without_scripts_the_form_asks_and_the_table_answers(visit):
    page = opened(visit, scripts=False)

    page.locator("#mca-split-1").select_option("utm_source")
    page.locator("#mca-granularity-total").check(force=True)
    page.locator("#mca-window").select_option("30")
    page.get_by_role("button", name="Apply").click()

    assert list(SOURCES) == cells(page, 1)
    assert (["utm_source"], ["last_30"]) == (asked(page)["by"], asked(page)["window"])
    page.get_by_role("link", name=re.compile("^moments")).click()
    expect(page.locator("#mca-value-1")).to_have_value("moments")


def test_in_chinese_page_chart_menu_and_numbers_are_chinese(visit):
    page = opened(
        visit,
        language="zh",
        query="&by=utm_source&compare=previous&metric=users&metric=new_users&metric=order_paid.users",
    )

    expect(page.get_by_role("heading", level=1)).to_have_text("事件分析")
    expect(page.locator("#mca-chart")).to_have_attribute("aria-label", re.compile("访问用户.*广告来源"))
    assert "不适用" in cells(page, 1)
    days = page.locator(".mca-dates-words").inner_text()
    assert re.fullmatch(r"20\d\d年\d+月\d+日周.\s–\s.*日周.", days)
    page.locator("#mca-table tbody a").first.press("Enter")
    expect(page.get_by_role("menuitem", name="只看这一项")).to_be_focused()
    assert not re.search(
        r"\b(Users|Filter|window|before|visitors|people|events)\b", page.locator("#mca-root").inner_text()
    )


@pytest.mark.parametrize("background", ["#ffffff", "#1f2428"])
def test_on_a_phone_the_answer_comes_first_and_axe_finds_nothing(visit, background):
    try:
        from axe_playwright_python import sync_playwright as axe
    except ImportError:
        databases.missing("axe", "install the extra [test]")
    page = opened(visit, size=NARROW, query="&by=utm_source&metric=users&metric=visits&compare=previous&beside=1")
    page.evaluate("colour => { document.body.style.background = colour; }", background)

    assert not page.locator("#mca-question").is_visible()
    assert NARROW["width"] == page.evaluate("document.documentElement.scrollWidth")
    page.locator("#mca-question-fold > summary").click()
    check(page, "attribution-last")
    page.locator("#mca-window").select_option("30")
    expect(page.locator("#mca-words")).to_contain_text("Last 30 days")
    idle(page)
    page.locator("#mca-recount > summary").click()
    expect(page.locator("#mca-recount pre").first).to_be_visible()
    page.locator("#mca-table tbody a").first.press("Enter")
    page.wait_for_timeout(300)
    found = axe.Axe().run(page, context=".minicode")

    assert NARROW["width"] == page.evaluate("document.documentElement.scrollWidth")
    assert 0 == found.violations_count, found.generate_report()


def test_print_holds_the_question_in_words_and_no_controls(visit):
    page = opened(visit, query="&by=utm_source&granularity=day&where=utm_source:in:poster,moments")

    page.emulate_media(media="print")

    expect(page.locator("#mca-question-fold")).to_be_hidden()
    expect(page.locator("#mca-copy-link")).to_be_hidden()
    expect(page.locator(".mca-print-only")).to_contain_text("Ad source is one of poster, moments")
    frame = page.locator(".mca-table-frame")
    assert frame.evaluate(
        "one => one.scrollHeight <= one.clientHeight + 1 && getComputedStyle(one).maxHeight === 'none'"
    )


def test_the_code_lists_headline_leads_to_its_question(visit):
    page = visit("viewer")
    page.goto(f"/minicode/codes/list/?appid={SAMPLE_APPS[0].appid}")
    card = page.locator(".mca-card")
    number = card.locator("strong").inner_text()

    card.click()

    expect(page.locator("#mca-headline strong").first).to_have_text(number)
    expect(page.locator("#mca-window")).to_have_value("7")
    expect(page.locator(".mca-filter").first.locator("[name=op]")).to_have_value("set")
