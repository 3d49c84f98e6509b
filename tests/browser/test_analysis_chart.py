"""
The chart of the analysis page in a browser: every kind is drawn, described, walked through, pointed at and saved. Each
test opens the page once and walks through what belongs together: opening takes the time.
"""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from fab_minicode.sandbox import SAMPLE_APPS
from tests.browser.analysis import PAGE, asked, check, idle, month, opened  # noqa: F401 - month is a fixture
from tests.browser.conftest import NARROW, WIDE, expect


def colours(page):
    """How many colours the chart shows, edges and shades left out."""
    picture = Image.open(io.BytesIO(page.locator("#mca-chart").screenshot())).convert("RGB")
    return sum(1 for count, _colour in picture.getcolors(2**24) if count > 60)


def test_the_chart_is_drawn_described_and_walked_through_by_keyboard(visit):
    page = opened(visit, query="&by=utm_source&granularity=day&where=utm_source:set")
    chart = page.locator("#mca-chart")
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart).to_have_attribute("aria-label", re.compile("Users · by day · split by Ad source.*Arrow keys"))
    page.wait_for_timeout(400)
    assert colours(page) >= 4

    chart.focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    expect(page.locator("#mca-live")).to_contain_text(re.compile(r": 海报 & flyer \d+$"))
    page.keyboard.press("Enter")
    menu = page.get_by_role("menu")
    expect(menu).to_contain_text("海报 & flyer")
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    expect(chart).to_be_focused()

    legend = page.locator(".mca-legend-item").first
    hidden = legend.inner_text().strip()
    legend.press("Enter")
    expect(legend).to_have_attribute("aria-pressed", "false")

    chart.focus()
    page.keyboard.press("ArrowRight")
    heard = set()
    for key in ("ArrowDown",) * 4 + ("ArrowUp",) * 4:
        page.keyboard.press(key)
        heard.add(re.search(r": (.+) \d+$", page.locator("#mca-live").inner_text()).group(1))
    assert heard
    assert hidden not in heard


KINDS = {
    "line": "&granularity=day&metric=users&metric=visits_per_user",
    "column": "&granularity=day&by=utm_source&metric=visits&stack=share",
    "bar": "&by=utm_source&metric=users&metric=visits",
    "number": "&metric=users&metric=order_paid.conversion&compare=previous",
    "bubble": "&by=utm_source&metric=users&metric=visits&metric=order_paid.users",
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_kind_of_chart_is_drawn(visit, theme):
    page = opened(visit, query="&window=last_7")
    if theme == "dark":
        page.evaluate("document.body.style.backgroundColor = '#16181c'")
        expect(page.locator(".minicode")).to_have_attribute("data-mc-theme", "dark")
    for kind, query in KINDS.items():
        # The page's own links change it in place: a new one for each kind.
        address = f"{PAGE}?appid={SAMPLE_APPS[0].appid}{query}&window=last_7&chart={kind}"
        page.evaluate(
            """address => {
                const link = document.createElement("a");
                link.href = address;
                link.dataset.ask = "";
                document.getElementById("mca-answer").append(link);
                link.click();
                link.remove();
            }""",
            address,
        )
        expect(page.locator(f"#mca-chart-{kind}")).to_be_checked()
        idle(page)

        if kind == "number":
            expect(page.locator(".mca-spark polyline")).to_have_count(2)
            expect(page.locator("#mca-chart")).to_be_hidden()
        else:
            page.wait_for_timeout(350)
            assert colours(page) >= 4, kind


LEFT_OF_BARS = """() => {
    const canvas = document.querySelector("#mca-chart canvas");
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data, width } = copy.getImageData(0, 0, canvas.width, canvas.height);
    let left = width;
    for (let at = 0; at < data.length; at += 4) {
        const [red, green, blue, alpha] = data.subarray(at, at + 4);
        const coloured = alpha === 255 && Math.max(red, green, blue) - Math.min(red, green, blue) > 60;
        if (coloured) left = Math.min(left, (at / 4) % width);
    }
    return left;
}"""
RESIZE = """async (width) => {
    document.querySelector("[data-mca-stage]").style.width = width;
    for (let frame = 0; frame < 3; frame += 1) await new Promise(requestAnimationFrame);
}"""


def test_bars_stand_right_of_their_labels_whenever_the_page_changes_its_width(visit):
    page = opened(visit, query="&by=utm_source&metric=visits&chart=bar")
    page.wait_for_timeout(400)
    left = page.evaluate(LEFT_OF_BARS)
    assert left > 50

    for width in ("0px", "300px", ""):
        page.evaluate(RESIZE, width)

        assert abs(left - page.evaluate(LEFT_OF_BARS)) <= 2, width


def test_a_chart_that_cannot_be_drawn_says_why(visit):
    page = opened(visit, query="&by=utm_source&where=utm_source:set")
    problem = page.locator(".mca-chart-problem")

    check(page, "chart-line")
    expect(problem).to_contain_text("A line needs a course over time")
    check(page, "chart-bubble")
    expect(problem).to_contain_text("Bubbles need two or three numbers")
    check(page, "chart-column")
    expect(problem).to_have_count(0)
    check(page, "granularity-day")
    expect(page.locator("#mca-chart-notes")).to_contain_text("People are not stacked")
    expect(page.locator("#mca-stack-stacked")).to_be_disabled()
    check(page, "chart-table")
    expect(page.locator("#mca-chart")).to_be_hidden()

    assert ["table"] == asked(page)["chart"]


def test_a_day_that_is_not_over_is_dashed_and_labelled(visit):
    page = opened(visit, query="&window=this_week&granularity=day&metric=users&chart=table")
    page.evaluate(
        """() => {
            const { init } = window.minicodeCharts;
            window.minicodeCharts = { init: (...given) => (window.drawn = init(...given)) };
        }"""
    )
    check(page, "chart-line")
    expect(page.locator("#mca-chart canvas")).to_be_visible()
    today = page.locator("#mca-table tbody tr.is-open")

    expect(today).to_contain_text("not over yet")
    parts = page.evaluate(
        """() => {
            const { series } = window.drawn.getOption();
            const known = (one) => one.data.filter((value) => value !== null).length;
            return series.map((one) => [Array.isArray(one.lineStyle.type), known(one)]);
        }"""
    )
    days = page.locator("#mca-table tbody tr").count()

    assert [[False, days - 1], [True, min(days, 2)]] == parts


def test_a_point_opens_a_menu_and_a_tooltip_holds_no_markup(visit):
    page = opened(visit, query="&by=utm_source&where=utm_source:set&chart=column")
    box = page.locator("#mca-chart canvas").bounding_box()

    page.mouse.move(box["x"] + 90, box["y"] + box["height"] - 60)
    page.wait_for_timeout(300)
    page.mouse.click(box["x"] + 90, box["y"] + box["height"] - 60)
    menu = page.get_by_role("menu", name="poster")
    expect(menu).to_be_visible()
    assert page.locator("#mca-chart b, #mca-chart script").count() == 0

    menu.get_by_role("menuitem", name="Filter to this").click()
    expect(page.locator("#mca-value-1")).to_have_value("poster")
    expect(menu).to_have_count(0)


def test_the_picture_is_a_png_with_a_title(visit):
    page = opened(visit, "manager", query="&by=utm_source&metric=users&metric=visits&where=utm_source:set")

    with page.expect_download() as saved:
        page.locator("#mca-picture").click()
    picture = Image.open(saved.value.path())

    assert saved.value.suggested_filename.endswith(".png")
    assert picture.format == "PNG"
    assert picture.height > 2 * page.locator("#mca-chart canvas").bounding_box()["height"]


PAINTED = """(place) => {
    const swatch = document.querySelectorAll(".mca-legend-item .mca-swatch")[place];
    const canvas = document.querySelector("#mca-chart canvas");
    const pen = new OffscreenCanvas(canvas.width, canvas.height).getContext("2d", { willReadFrequently: true });
    pen.fillStyle = swatch.style.getPropertyValue("--mca-swatch");
    pen.fillRect(0, 0, 1, 1);
    const own = pen.getImageData(0, 0, 1, 1).data.join();
    pen.clearRect(0, 0, 1, 1);
    pen.drawImage(canvas, 0, 0);
    const { data } = pen.getImageData(0, 0, canvas.width, canvas.height);
    let painted = 0;
    for (let at = 0; at < data.length; at += 4) painted += data.subarray(at, at + 4).join() === own;
    return painted;
}"""


def test_a_series_that_the_legend_hides_stays_hidden_until_other_numbers_come(visit):
    page = opened(visit, query="&by=utm_source&metric=users&metric=visits&chart=bar")
    legend = page.locator(".mca-legend-item")

    def painted(place):
        page.wait_for_timeout(400)
        return page.evaluate(PAINTED, place) > 100

    assert [True, True] == [painted(0), painted(1)]
    legend.first.click()
    assert [False, True] == [painted(0), painted(1)]

    for change in (
        lambda: page.set_viewport_size(NARROW),
        lambda: page.set_viewport_size(WIDE),
        lambda: page.evaluate("document.body.style.backgroundColor = '#16181c'"),
    ):
        change()
        assert [False, True] == [painted(0), painted(1)]
        expect(legend.first).to_have_attribute("aria-pressed", "false")
    expect(page.locator(".minicode")).to_have_attribute("data-mc-theme", "dark")
    legend.first.click()
    assert [True, True] == [painted(0), painted(1)]

    legend.last.click()
    page.locator("#mca-window").select_option("30")
    expect(page.locator("#mca-words")).to_contain_text("Last 30 days")
    idle(page)
    assert [True, True] == [painted(0), painted(1)]
    expect(legend.last).to_have_attribute("aria-pressed", "true")
