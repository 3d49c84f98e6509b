"""Teams, leavers and the audit page in a browser, and menus by keyboard."""

from __future__ import annotations

import datetime as dt
import re

import pytest
from sqlalchemy import delete, select

from fab_minicode import audit, codes
from fab_minicode.actor import Actor
from fab_minicode.models import Authorizer, AuthorizerRole
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.browser.conftest import NARROW, expect
from tests.stories import draft

SHOP, BARE = SAMPLE_APPS[0], SAMPLE_APPS[1]
CODES = f"/minicode/codes/list/?appid={SHOP.appid}"
PROGRAMS, AUDIT = "/minicode/authorizers/list/", "/minicode/audit/list/"


@pytest.fixture(scope="module", autouse=True)
def programs(site):
    """Two mini programs; the creator has one code, and its making is told."""
    for program in (SHOP, BARE):
        hosts.connect(site.app, program)
    creator, now = Actor(hosts.user_id(site.app, "creator"), "Creator Test"), dt.datetime.now(dt.timezone.utc)
    with hosts.database(site.app) as session:
        code = codes.plan(session, draft(appid=SHOP.appid, name="Gate poster"), actor=creator, now=now)
        row = session.execute(select(Authorizer).where(Authorizer.appid == SHOP.appid)).scalar_one()
        subject = audit.Subject("code", str(code.id), "Gate poster")
        audit.record(session, "downloaded", subject, actor=creator, now=now, authorizer_id=row.id)
        session.commit()


@pytest.fixture
def open_afterwards(site):
    """Whatever happens, everybody knows every mini program again."""
    yield
    with hosts.database(site.app) as session:
        session.execute(delete(AuthorizerRole))
        session.commit()


@pytest.mark.usefixtures("open_afterwards")
@pytest.mark.parametrize(
    ("language", "size", "choose", "save"),
    [("en", None, "Choose roles …", "Save"), ("zh", NARROW, "选择角色…", "保存")],
)
def test_who_is_not_of_the_team_no_longer_sees_the_mini_program(visit, language, size, choose, save):
    manager, viewer = visit("manager", language=language, size=size), visit("viewer", language=language, size=size)
    viewer.goto(CODES)
    expect(viewer.locator(".minicode")).to_contain_text("Gate poster")

    manager.goto(PROGRAMS)
    manager.get_by_role("link", name=SHOP.nick_name).first.click()
    manager.get_by_role("link", name=choose).click()
    mine = manager.get_by_role("checkbox", name=re.compile("Minicode Manager"))
    mine.focus()
    manager.keyboard.press("Space")
    expect(mine).to_be_checked()
    manager.get_by_role("button", name=save, exact=True).press("Enter")
    expect(manager.get_by_role("status").first).to_be_visible()

    assert 404 == viewer.request.get(CODES).status
    viewer.goto("/minicode/codes/list/")
    expect(viewer.locator(".mc-switcher > summary")).to_contain_text(BARE.nick_name)
    expect(viewer.locator(".minicode")).not_to_contain_text("Gate poster")
    expect(viewer.locator(".minicode")).not_to_contain_text(SHOP.nick_name)

    manager.get_by_role("link", name=choose).click()
    manager.get_by_role("checkbox", name=re.compile("Minicode Manager")).uncheck()
    manager.get_by_role("button", name=save, exact=True).click()
    viewer.goto(CODES)
    expect(viewer.locator(".minicode")).to_contain_text("Gate poster")


def test_the_things_of_a_leaver_get_another_owner(visit):
    page = visit("manager")
    page.goto(PROGRAMS)
    page.get_by_role("link", name="Somebody leaves …").click()
    page.get_by_role("button", name="Hand over").click()
    expect(page.get_by_label("Who leaves")).to_have_attribute("aria-invalid", "true")

    leaver = page.get_by_role("option", name=re.compile("^Creator Test")).get_attribute("value")
    page.get_by_label("Who leaves").select_option(leaver)
    page.get_by_label("User name of who follows").fill("manager")
    page.get_by_role("button", name="Hand over").press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("1 codes")

    page.goto(CODES)
    page.get_by_role("link", name="Gate poster", exact=True).click()
    expect(page.locator(".mc-facts")).to_contain_text("Manager Test")
    page.goto(AUDIT)
    expect(page.locator("tr", has_text="Everything handed over")).to_contain_text("Manager Test")


@pytest.mark.parametrize("scripts", [True, False])
def test_the_audit_is_narrowed_by_its_filters_and_taken_along(visit, scripts):
    page = visit("manager", scripts=scripts)
    page.goto(AUDIT)
    everything = page.locator("tbody tr").count()
    expect(page.get_by_label("What was done")).to_be_hidden()
    page.locator(".mc-filters > summary").press("Enter")
    page.get_by_label("What was done").select_option(label="Code downloaded")
    page.get_by_label("Mini program").select_option(SHOP.appid)
    page.get_by_role("button", name="Apply").press("Enter")

    rows = page.locator("tbody tr")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Gate poster")
    assert everything > 1
    expect(page.get_by_label("What was done")).to_have_value("code.downloaded")
    with page.expect_download() as found:
        page.get_by_role("link", name="Export as CSV").click()
    assert "Gate poster" in found.value.path().read_text(encoding="utf-8-sig")

    page.get_by_label("Who", exact=True).fill("nobody of this name")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("heading", name="Nothing found")).to_be_visible()
    page.get_by_role("link", name="Clear all filters").click()
    expect(page.locator("tbody tr").nth(everything - 1)).to_be_visible()


def test_the_switcher_of_mini_programs_works_by_keyboard(visit):
    page = visit("viewer")
    page.goto(CODES)
    summary = page.locator(".mc-switcher > summary")
    other = page.locator(".mc-menu").get_by_role("link", name=BARE.nick_name)
    summary.press("Enter")
    expect(other).to_be_visible()
    other.focus()
    page.keyboard.press("Escape")
    expect(other).to_be_hidden()
    expect(summary).to_be_focused()

    page.keyboard.press("Space")
    other.press("Enter")
    expect(page.locator(".mc-switcher > summary")).to_contain_text(BARE.nick_name)


def test_on_a_phone_the_bar_of_tabs_shows_where_one_is(visit):
    page = visit("manager", size=NARROW)
    page.goto("/minicode/boards/")
    current = page.locator(".mca-tabs [aria-current=page]")
    box = current.bounding_box()

    assert 0 <= box["x"]
    assert box["x"] + box["width"] <= NARROW["width"]
    expect(page.locator(".mca-tabs")).to_have_attribute("data-mc-more", "start")
    current.press("Shift+Tab")
    expect(page.locator(".mca-tabs a").nth(-2)).to_be_focused()
