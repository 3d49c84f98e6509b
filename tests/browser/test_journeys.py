"""Funnel and retention in a browser: answered in place, saved and opened again, in both languages."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select

from fab_minicode.models import Authorizer
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.browser.conftest import NARROW, expect
from tests.browser.test_saved import WORDS, kept, more
from tests.traffic import Visit, bring

APPID, OTHER = SAMPLE_APPS[0].appid, SAMPLE_APPS[1].appid
PAGES = "/minicode/analysis"
ASKS = {
    "funnel": f"{PAGES}/funnel/?appid={APPID}&step=visit&step=event:order_paid&within=3",
    "retention": f"{PAGES}/retention/?appid={APPID}&start=visit&days=7",
}
SHOWS = {"funnel": "order_paid", "retention": "100%"}
LABELS = {"en": {"funnel": "Funnel", "retention": "Retention"}, "zh": {"funnel": "漏斗", "retention": "留存"}}


@pytest.fixture(scope="module", autouse=True)
def fortnight(site):
    """Six people of two sources come on two days; three pay; a second mini program knows nobody."""
    for program in SAMPLE_APPS[:2]:
        hosts.connect(site.app, program)
    people = [(f"v{n}", "poster" if n < 4 else "flyer") for n in range(6)]
    visits = [Visit(name, day, source) for name, source in people for day in (10, 9)]
    visits += [Visit(name, 9, event="order_paid") for name, _ in people[:3]]
    with hosts.database(site.app) as session:
        row = session.execute(select(Authorizer.id).where(Authorizer.appid == APPID)).scalar_one()
    now, settings = dt.datetime.now(dt.timezone.utc), site.app.extensions[EXTENSION].settings
    bring(hosts.engine_of(site.app), visits, authorizer_id=row, settings=settings, now=now)


def live(page):
    """Wait until the script answers changes."""
    expect(page.locator("#mca-root.is-live")).to_have_count(1)


@pytest.mark.parametrize("kind", list(ASKS))
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scripts", [True, False])
def test_a_question_is_saved_found_and_opened_again_by_another(visit, kind, language, scripts):
    name = f"{kind} {language} {scripts}"
    mine = visit("creator", language=language, scripts=scripts)
    mine.goto(ASKS[kind])
    expect(mine.get_by_role("heading", level=1)).to_have_text(LABELS[language][kind])
    kept(mine, WORDS[language], name)
    assert f"{PAGES}/{kind}/?" in mine.url
    assert "saved=" in mine.url

    theirs = visit("viewer", language=language, scripts=scripts)
    theirs.goto(f"{PAGES}/saved/?q={name}&kind={kind}")
    expect(theirs.locator("tr", has_text=name)).to_contain_text(LABELS[language][kind])
    theirs.get_by_role("link", name=name, exact=True).click()
    expect(theirs.get_by_role("heading", level=1)).to_have_text(name)
    expect(theirs.locator("#mca-result table").first).to_contain_text(SHOWS[kind])
    expect(theirs.get_by_role("link", name=WORDS[language]["save"], exact=True)).to_have_count(0)


@pytest.mark.parametrize("kind", list(ASKS))
def test_every_change_is_answered_in_place_and_back_goes_back(visit, kind):
    page = visit("creator")
    page.goto(ASKS[kind])
    live(page)
    page.evaluate("window.wasHere = true")
    page.get_by_label("Split by").select_option("utm_source")
    expect(page.locator("#mca-result")).to_contain_text("poster")
    assert "by=utm_source" in page.url
    expect(page.locator("#mca-live")).not_to_have_text("")
    page.locator("#mca-window").select_option("7")
    expect(page.locator("#mca-result")).not_to_contain_text("poster")
    assert "window=last_7" in page.url
    page.go_back()
    expect(page.locator("#mca-result")).to_contain_text("poster")
    expect(page.locator("#mca-window")).to_have_value("30")
    page.go_back()
    expect(page.get_by_label("Split by")).to_have_value("")
    assert page.evaluate("window.wasHere")


@pytest.mark.parametrize("kind", list(ASKS))
def test_a_filter_is_made_of_suggested_values(visit, kind):
    page = visit("creator")
    page.goto(ASKS[kind])
    live(page)
    expect(page.locator(".mcv-fresh")).to_contain_text("are counted")
    page.locator(".mca-filter [name=dimension]").last.select_option("utm_source")
    value = page.locator(".mca-filter [name=value]").first
    value.press_sequentially("fly")
    options = page.locator(".mca-values [role=option]")
    expect(options).to_have_count(1)
    expect(options).to_contain_text("flyer2")
    options.click()
    expect(value).to_have_value("flyer")
    page.wait_for_url(re.compile("flyer"))


def test_a_funnel_grows_step_by_step(visit):
    page = visit("creator")
    page.goto(f"{PAGES}/funnel/?appid={APPID}")
    live(page)
    page.locator("#mca-steps select").nth(0).select_option("visit")
    expect(page.locator("#mca-result")).to_contain_text("A funnel needs at least 2 steps")
    page.locator("#mca-steps select").nth(1).select_option("event:order_paid")
    expect(page.locator("#mca-result tbody tr")).to_have_count(2)
    page.locator("#mca-steps select").nth(2).select_option("visit")
    expect(page.locator("#mca-result tbody tr")).to_have_count(3)
    page.get_by_role("button", name="Remove this step").nth(2).click()
    expect(page.locator("#mca-result tbody tr")).to_have_count(2)
    page.locator("#mca-within").fill("0")
    page.locator("#mca-within").press("Tab")
    expect(page.locator("#mca-problem-within_days")).to_be_visible()
    page.locator("#mca-within").fill("5")
    page.locator("#mca-within").press("Tab")
    expect(page.locator("#mca-problem-within_days")).to_be_hidden()
    assert "within=5" in page.url


def test_another_mini_program_offers_its_own_events(visit):
    page = visit("creator")
    page.goto(ASKS["retention"])
    live(page)
    options = page.locator("#mca-return option")
    expect(options).to_have_text(["Visit", "order_paid"])
    page.locator("#mca-appid").select_option(OTHER)
    expect(options).to_have_text(["Visit"])
    expect(page.locator("#mca-appid")).to_have_value(OTHER)


@pytest.mark.parametrize("kind", list(ASKS))
def test_a_change_in_place_can_be_saved_over_the_old_question(visit, kind):
    page = visit("creator")
    page.goto(ASKS[kind])
    kept(page, WORDS["en"], f"Changing {kind}")
    live(page)
    page.locator("#mca-window").select_option("14")
    expect(page.locator("#mca-saved")).to_contain_text("differs from what is saved")
    assert "saved=" in page.url
    page.locator("#mca-saved").get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#mca-saved")).not_to_contain_text("differs")
    expect(page.locator("#mca-window")).to_have_value("14")
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Changing {kind}")


@pytest.mark.parametrize("size", [None, NARROW])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_and_their_cards_pass_axe_and_fit(visit, size, theme):
    page = visit("manager", size=size)
    places = []
    for kind, asks in ASKS.items():
        page.goto(asks)
        kept(page, WORDS["en"], f"Axe {kind} {size} {theme}")
        places.append(page.url)
        more(page)
        page.get_by_role("link", name="Put on a board …").click()
        page.get_by_label("Name").fill(f"Board {kind}")
        page.get_by_role("button", name="Make the board").click()
        expect(page.locator(".mcs-card")).to_contain_text(re.compile("[0-9]%"))
        places.append(page.url)
    for place in places:
        page.goto(place)
        if theme == "dark":
            page.evaluate("document.body.style.backgroundColor = '#16181c'")
            expect(page.locator(".minicode")).to_have_attribute("data-mc-theme", "dark")
            page.wait_for_timeout(300)  # buttons change their colours slowly
        found = Axe().run(page, context=".minicode")
        assert 0 == found.violations_count, (place, found.generate_report())
        assert page.evaluate("document.querySelector('.minicode').scrollWidth <= innerWidth"), place


@pytest.mark.parametrize("kind", list(ASKS))
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("scripts", [True, False])
def test_the_sql_that_counts_again_is_one_press_away(visit, kind, language, scripts):
    page = visit("viewer", language=language, scripts=scripts, size=NARROW)
    page.goto(ASKS[kind])
    expect(page.locator("#mca-recount pre")).to_have_count(0)
    if scripts:
        live(page)
        page.evaluate("window.wasHere = true")
    page.locator("#mca-recount > summary").press("Enter")
    if not scripts:
        page.locator("#mca-recount a").click()
        # The text is there before the style sheets are.
        page.wait_for_load_state()
    expect(page.locator("#mca-recount pre").first).to_contain_text("minicode_attributions")
    expect(page.locator("#mca-recount pre")).to_have_count({"funnel": 1, "retention": 2}[kind])

    assert NARROW["width"] == page.evaluate("document.documentElement.scrollWidth")
    if scripts:
        assert page.evaluate("window.wasHere")
        assert "recount" not in page.url
        found = Axe().run(page, context=".minicode")
        assert 0 == found.violations_count, found.generate_report()
        page.locator("#mca-question-fold > summary").click()
        page.locator("#mca-window").select_option("14")
        expect(page.locator("#mca-recount pre")).to_have_count(0)


@pytest.mark.parametrize(("kind", "number"), [("funnel", "Who are they: 3 people, step 2"), ("retention", "100%")])
def test_a_number_leads_to_its_people_by_keyboard_and_is_printed_plain(visit, kind, number):
    page = visit("creator")
    page.goto(ASKS[kind])
    live(page)
    link = page.get_by_role("link", name=number).first
    looks = "one => { const style = getComputedStyle(one); return [style.textDecorationLine, style.color]; }"
    ink = page.locator("#mca-result td").first.evaluate("one => getComputedStyle(one).color")

    assert ["underline", ink] == link.evaluate(looks)
    page.emulate_media(media="print")
    assert "none" == link.evaluate(looks)[0]
    page.emulate_media(media="screen")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who are they")
    expect(page.locator(".mc-big")).to_have_text({"funnel": "3", "retention": "6"}[kind])
    expect(page.locator(".mca-tabs [aria-current]")).to_have_text(LABELS["en"][kind])
    page.get_by_role("link", name="Back to the question").click()
    expect(page.locator("#mca-result table").first).to_contain_text(SHOWS[kind])
