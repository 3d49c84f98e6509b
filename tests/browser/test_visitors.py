"""Segments, funnel, retention and "who are they" in a browser, with and without scripts, in both languages."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from fab_minicode.models import Authorizer
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.browser.conftest import NARROW, expect
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid
PAGES = "/minicode/analysis"
LIST = f"{PAGES}/segments/?appid={APPID}"
POSTER, MOMENTS = 6, 3
BUYERS = 2
WORDS = {
    "en": {
        "new": "New segment", "name": "Name", "kind": "Condition", "what": "Visit or event", "often": "How often",
        "did": "Did", "save": "Save", "change": "Change “%s”", "delete": "Delete “%s”", "yes": "Delete",
        "empty": "No segment yet", "dimension": "Filter: dimension", "value": "Filter: value", "from": "From",
    },
    "zh": {
        "new": "新建分群", "name": "名称", "kind": "条件", "what": "访问或事件", "often": "次数条件",
        "did": "做过", "save": "保存", "change": "修改“%s”", "delete": "删除“%s”", "yes": "删除",
        "empty": "还没有分群", "dimension": "筛选：维度", "value": "筛选：取值", "from": "从",
    },
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def week(site):
    """Nine people of two sources; the first two from the poster order something, and come again the next day."""
    hosts.connect(site.app)
    visits = [Visit(f"poster-{n}", 4, "poster", "autumn") for n in range(POSTER)]
    visits += [Visit(f"moments-{n}", 4, "moments") for n in range(MOMENTS)]
    visits += [Visit(f"poster-{n}", 4, event="order_paid") for n in range(BUYERS)]
    visits += [Visit(f"poster-{n}", 3, "poster", "autumn") for n in range(BUYERS)]
    with hosts.database(site.app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    now, settings = dt.datetime.now(dt.timezone.utc), site.app.extensions[EXTENSION].settings
    bring(hosts.engine_of(site.app), visits, authorizer_id=row, settings=settings, now=now)


def condition(page, number=0):
    """One condition of a segment's form."""
    return page.locator(".mcv-condition").nth(number)


def test_the_values_of_a_segments_filters_are_suggested(visit):
    words, page = WORDS["en"], visit("creator")
    page.goto(f"{PAGES}/segments/add?appid={APPID}")
    condition(page).get_by_label(words["kind"], exact=True).select_option("touch")
    condition(page).get_by_label(words["dimension"]).first.select_option("utm_source")
    value = condition(page).get_by_label(words["value"]).first
    value.press_sequentially("post")
    expect(page.locator(".mca-values [role=option]")).to_have_text([f"poster{POSTER}"])
    value.press("ArrowDown")
    value.press("Enter")
    expect(value).to_have_value("poster")


def test_conditions_are_added_before_a_segment_is_saved(visit):
    words, page = WORDS["en"], visit("creator")
    page.goto(f"{PAGES}/segments/add?appid={APPID}")
    add, shown = page.get_by_role("button", name="Add a condition"), page.locator(".mcv-condition:visible")

    expect(page.get_by_text("For more conditions save first")).to_be_hidden()
    for number in range(1, 10):
        expect(shown).to_have_count(number)
        add.click()
        expect(condition(page, number).get_by_label(words["kind"], exact=True)).to_be_focused()
    expect(shown).to_have_count(10)
    expect(add).to_be_hidden()
    expect(shown.last).to_contain_text("Condition 10")

    page.get_by_label(words["name"]).fill("Three of ten")
    for place, kind in ((0, "new"), (3, "did"), (9, "touch")):
        condition(page, place).get_by_label(words["kind"], exact=True).select_option(kind)
    condition(page, 9).get_by_label(words["dimension"]).first.select_option("utm_source")
    value = condition(page, 9).get_by_label(words["value"]).first
    value.press_sequentially("post")
    expect(page.locator(".mca-values [role=option]")).to_have_text([f"poster{POSTER}"])
    value.fill("poster")
    value.press("Escape")
    page.get_by_role("button", name=words["save"]).click()
    page.get_by_role("link", name=words["change"] % "Three of ten").click()
    chosen = [condition(page, place).get_by_label(words["kind"], exact=True) for place in range(3)]
    for field, kind in zip(chosen, ("new", "did", "touch"), strict=True):
        expect(field).to_have_value(kind)
    expect(condition(page, 2).get_by_label(words["value"]).first).to_have_value("poster")
    page.get_by_role("navigation", name="You are here").get_by_role("link", name="Segments").click()
    expect(page.get_by_role("link", name="Three of ten", exact=True)).to_be_visible()
    page.get_by_role("link", name=words["delete"] % "Three of ten").click()
    page.get_by_role("button", name=words["yes"]).click()


@pytest.mark.parametrize(("language", "size"), [("en", None), ("zh", NARROW)])
def test_a_segment_is_made_used_changed_and_deleted(visit, language, size):
    words, name = WORDS[language], f"Buyers {language}"
    page = visit("creator", language=language, size=size)
    page.goto(LIST)
    page.get_by_role("link", name=words["new"]).click()
    page.get_by_label(words["name"]).fill(name)
    first, second = condition(page), condition(page, 1)

    # Only what counts is asked for.
    expect(second).to_be_hidden()
    expect(first.get_by_label(words["what"])).to_be_hidden()
    first.get_by_label(words["kind"], exact=True).select_option("did")
    expect(second).to_be_visible()
    expect(first.get_by_label(words["from"], exact=True)).to_be_hidden()
    first.get_by_label(words["what"]).select_option("event:order_paid")
    expect(first.get_by_label(words["value"])).to_have_count(2)
    expect(first.get_by_label(words["value"]).first).to_be_hidden()
    page.get_by_role("button", name=words["save"], exact=True).click()
    row = page.locator("tr", has_text=name)
    expect(row.locator(".mc-number")).to_have_text(str(BUYERS))

    row.get_by_role("link", name=name, exact=True).click()
    expect(page.locator("#mca-headline strong").first).to_have_text(str(BUYERS))

    page.goto(LIST)
    page.get_by_role("link", name=words["change"] % name).click()
    condition(page).get_by_label(words["kind"], exact=True).select_option("touch")
    expect(condition(page).get_by_label(words["what"])).to_be_hidden()
    condition(page).get_by_label(words["dimension"]).first.select_option("utm_source")
    condition(page).get_by_label(words["value"]).first.fill("poster")
    page.get_by_role("button", name=words["save"], exact=True).press("Enter")
    expect(page.locator("tr", has_text=name).locator(".mc-number")).to_have_text(str(POSTER))

    page.get_by_role("link", name=words["delete"] % name).click()
    page.get_by_role("button", name=words["yes"], exact=True).click()
    expect(page.locator("tr", has_text=name)).to_have_count(0)


def test_a_refused_segment_keeps_what_was_typed_and_says_why(visit):
    page = visit("creator")
    page.goto(f"{PAGES}/segments/add?appid={APPID}")
    page.get_by_label("Name").fill("Nothing asked")
    page.get_by_role("button", name="Save", exact=True).click()

    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("Nothing asked")


def click_the_first_column(page, menu):
    """Click along the foot of the chart until a menu opens: where a column stands depends on its labels' width."""
    box = page.locator("#mca-chart canvas").bounding_box()
    for share in (0.16, 0.2, 0.24, 0.28, 0.32):
        at = box["x"] + box["width"] * share, box["y"] + box["height"] - 60
        page.mouse.move(*at)
        page.wait_for_timeout(200)  # the chart finds out what lies under the mouse
        page.mouse.click(*at)
        if menu.count():
            break
    expect(menu).to_be_visible()


def test_from_a_point_of_the_chart_to_the_people_behind_it_and_to_a_segment_of_them(visit):
    page = visit("creator")
    page.goto(f"{PAGES}/?appid={APPID}&by=utm_source&chart=column&where=utm_source:set")
    page.wait_for_selector("#mca-chart canvas")
    menu = page.get_by_role("menu", name="poster")
    click_the_first_column(page, menu)
    page.keyboard.press("ArrowDown")
    expect(menu.get_by_role("menuitem", name="Who are they")).to_be_focused()
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_have_text("Who are they")
    expect(page.locator("tbody tr")).to_have_count(POSTER)
    page.get_by_label("Name of the segment").fill("Poster people")
    page.get_by_role("button", name="Save as segment").press("Enter")
    expect(page.locator("tr", has_text="Poster people").locator(".mc-number")).to_have_text(str(POSTER))

    page.go_back()
    page.locator("tbody a.mc-mono").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Visitor")
    assert page.locator(".mcv-timeline li").count() >= 1


def test_a_menu_closes_by_escape_and_gives_the_focus_back(visit):
    page = visit("viewer")
    page.goto(f"{PAGES}/?appid={APPID}&by=utm_source&where=utm_source:set")
    row = page.locator("#mca-table tbody a").first
    row.press("Enter")
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.keyboard.press("End")
    expect(page.get_by_role("menuitem").last).to_be_focused()
    page.keyboard.press("Escape")

    expect(page.get_by_role("menu")).to_have_count(0)
    expect(row).to_be_focused()


@pytest.mark.parametrize(("language", "first"), [("en", "Visit"), ("zh", "访问")])
def test_a_funnel_is_asked_by_its_form_without_scripts(visit, language, first):
    page = visit("viewer", language=language, scripts=False)
    page.goto(f"{PAGES}/funnel/?appid={APPID}")
    page.locator("[name=step]").nth(1).select_option("event:order_paid")
    page.locator("[name=split]").select_option("utm_source")
    page.locator(".mca-apply").click()

    steps = page.locator(".mcv-table").first.locator("tbody tr")
    expect(steps).to_have_count(2)
    expect(steps.nth(0)).to_contain_text(first)
    assert [str(POSTER + MOMENTS), str(BUYERS)] == [steps.nth(n).locator("td").first.inner_text() for n in (0, 1)]
    expect(page.locator(".mcv-table").nth(1).locator("tr", has_text="poster")).to_contain_text("33%")


@pytest.mark.parametrize(("language", "everybody"), [("en", "Everybody"), ("zh", "所有人")])
def test_retention_is_asked_by_its_form_without_scripts(visit, language, everybody):
    page = visit("viewer", language=language, scripts=False)
    page.goto(f"{PAGES}/retention/?appid={APPID}")
    page.locator("[name=split]").select_option("utm_source")
    page.locator(".mca-apply").click()

    row = page.locator(".mcv-retention tbody tr", has_text=everybody).locator("td")
    assert [str(POSTER + MOMENTS), "22%"] == [row.nth(n).inner_text() for n in (0, 1)]
    expect(page.locator(".mcv-retention tr", has_text="poster").locator("td").nth(1)).to_have_text("33%")


@pytest.mark.parametrize("page_name", ["funnel", "retention"])
def test_with_scripts_the_same_address_shows_the_same_answer(visit, page_name):
    page = visit("viewer")
    page.goto(f"{PAGES}/{page_name}/?appid={APPID}&form=1&step=visit&step=event:order_paid&split=utm_source")

    expect(page.locator(".mcv-table").first).to_contain_text(str(POSTER + MOMENTS))
    expect(page.locator(".mcv-table").last.locator("tr", has_text="poster")).to_contain_text("33%")
