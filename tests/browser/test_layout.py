"""Things that belong on one line stand on one line, and nothing jumps from page to page."""

from __future__ import annotations

import datetime as dt

import pytest

from fab_minicode import codes
from fab_minicode.actor import Actor
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.stories import draft

APPID = SAMPLE_APPS[0].appid
TABS = ("analysis/", "analysis/funnel", "analysis/retention", "analysis/segments/", "analysis/vocabulary")


@pytest.fixture(scope="module", autouse=True)
def deleted(site):
    """A mini program with a code, and one that was deleted; return that one's number."""
    hosts.connect(site.app)
    somebody, now = Actor("1", "Somebody"), dt.datetime.now(dt.timezone.utc)
    with hosts.database(site.app) as session:
        old, _live = (codes.plan(session, draft(name=n, appid=APPID), actor=somebody, now=now) for n in ("old", "live"))
        codes.delete(session, old, actor=somebody, now=now)
        session.commit()
        return old.id


def top(place):
    """Where something begins, in whole pixels."""
    return round(place.bounding_box()["y"])


@pytest.mark.parametrize("address", [f"codes/list/?appid={APPID}", "audit/list/"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_filters_and_their_button_stand_on_one_line(visit, address, language):
    page = visit("manager", language=language)
    page.goto(f"/minicode/{address}")
    page.locator(".mc-filters summary").click()
    panel = page.locator(".mc-filter-panel")
    # What only a phone shows is not seen here.
    fields = [top(field) for field in panel.locator(".mc-input:visible").all()]

    assert len(fields) == 6
    assert {fields[0]} == {*fields, top(panel.get_by_role("button"))}
    assert 1 == len({top(label) for label in panel.locator(".mc-label:visible").all()})


def test_what_a_new_code_takes_over_stands_beside_its_picture(visit, deleted):
    page = visit("manager")
    page.goto(f"/minicode/codes/add?appid={APPID}&after={deleted}")

    assert top(page.locator(".mc-side > .mc-card").first) == top(page.locator("#mc-code-form .mc-notice"))
    page.goto(f"/minicode/codes/add?appid={APPID}")
    assert top(page.locator(".mc-side > .mc-card").first) == top(page.locator("#mc-code-form .mc-group").first)


def test_the_tabs_stay_where_they_are(visit):
    page = visit("manager")
    places = set()
    for tab in (*(f"{tab}?appid={APPID}" for tab in TABS), "analysis/saved/", "boards/"):
        page.goto(f"/minicode/{tab}")
        places.add(top(page.locator("[data-mc-tabs]")))

    assert 1 == len(places)
