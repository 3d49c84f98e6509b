"""The demo's traffic: the same day is always the same, and phones send what the real trackers accept."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from collections import Counter
from zoneinfo import ZoneInfo

import pytest

from fab_minicode.demo.deliver import posts
from fab_minicode.demo.payloads import MOST_EVENTS, growingio, native, sensors
from fab_minicode.demo.story import BOOKS, COFFEE, MINI_PROGRAMS, PRINTS
from fab_minicode.demo.traffic import Printed, happenings, rhythm
from fab_minicode.kinds import KINDS, CodePlan, Options, kind_named
from fab_minicode.utm import Utm

ZONE = ZoneInfo("Asia/Shanghai")
FRIDAY = dt.date(2026, 11, 20)
POSTER = Printed("pages/menu/index", "utm_source=poster", "1047", 1, dt.date(2026, 11, 1))
LATER = Printed("pages/menu/index", "utm_source=later", "1047", 1, dt.date(2026, 11, 21))


def of_day(day=FRIDAY, prints=(POSTER, LATER), visits=300):
    return happenings(day, prints, visits=visits, zone=ZONE, salt="wx1")


def test_a_day_is_the_same_however_often_it_is_asked_for():
    assert of_day() == of_day()
    assert of_day() != of_day(FRIDAY - dt.timedelta(days=1))


def test_identities_are_unique_over_the_days():
    days = [FRIDAY - dt.timedelta(days=back) for back in range(10)]
    counts = Counter(one.identity for day in days for one in of_day(day))

    assert {1} == set(counts.values())


def test_happenings_are_in_the_order_of_time_and_openings_lie_in_the_day():
    found = of_day()
    openings = [one for one in found if one.name is None]

    assert sorted(one.time_ms for one in found) == [one.time_ms for one in found]
    assert {FRIDAY} == {dt.datetime.fromtimestamp(one.time_ms / 1000, ZONE).date() for one in openings}
    assert round(300 * rhythm(FRIDAY)) == len(openings)


def test_a_print_is_not_scanned_before_it_was_made():
    queries = {one.query for one in of_day()}

    assert {"", "utm_source=poster"} == queries


def test_visitors_come_back_on_later_days():
    today = {one.visitor for one in of_day()}
    week = {one.visitor for back in range(1, 8) for one in of_day(FRIDAY - dt.timedelta(days=back))}

    assert len(today) > len(today & week) > len(today) / 10


def test_custom_events_follow_their_opening():
    found = of_day()
    opened = {one.visit: one.time_ms for one in found if one.name is None}
    customs = [one for one in found if one.name]

    assert {"order_paid", "register"} == {one.name for one in customs}
    assert all(one.time_ms > opened[one.visit] for one in customs)


def test_two_half_windows_send_what_one_window_sends():
    start, end = (dt.datetime(2026, 11, day, 9, 30, tzinfo=ZONE) for day in (16, 20))
    middle = dt.datetime(2026, 11, 18, 14, 0, tzinfo=ZONE)

    def identities(since, until):
        requests = posts(BOOKS.appid, [POSTER], since=since, until=until, visits=100, zone=ZONE, key="k")
        bodies = [json.loads(one.body) for one in requests if one.target.startswith("/minicode/collect/v1/")]
        return [event["id"] for body in bodies for event in body["events"]]

    assert sorted(identities(start, end)) == sorted(identities(start, middle) + identities(middle, end))


@pytest.mark.parametrize("shape", [growingio, sensors, native])
def test_a_phone_runs_a_released_version_of_its_mini_program(shape):
    post = shape(of_day()[:MOST_EVENTS], appid=COFFEE.appid, key="the-key")

    assert "the-key" in post.target
    assert f"https://servicewechat.com/{COFFEE.appid}/42/page-frame.html" == post.headers["Referer"]


@pytest.mark.parametrize("row", list(itertools.chain(*PRINTS.values())), ids=lambda row: row.name)
def test_every_print_of_the_story_can_be_made(row):
    kind = kind_named(row.kind)

    kind.check(CodePlan(row.page, Utm(*row.utm), "ABCDEFGH", Options(line_color=row.colour or None)))

    assert len(row.renamed or row.name) <= 50


def test_the_story_has_what_the_demo_promises():
    rows = list(itertools.chain(*PRINTS.values()))

    assert len(MINI_PROGRAMS) >= 3
    assert 2 == sum(program.authorized for program in MINI_PROGRAMS)
    assert sum(not row.deleted for row in rows) >= 40
    assert 2 == sum(row.deleted for row in rows)
    assert sum(bool(row.renamed) for row in rows) >= 3
    assert {kind.name for kind in KINDS} == {row.kind for row in rows}
