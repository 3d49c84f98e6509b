"""
Funnels and retention against a brute-force recount: random worlds, any order of arrival, both databases.
"""

from __future__ import annotations

import datetime as dt
import os
import random
import statistics

import pytest
from sqlalchemy import select
from werkzeug.datastructures import MultiDict

from fab_minicode.acquisition import funnel, funnel_question, query, retention, retention_question
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.metrics import divided
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from tests import worlds
from tests.recount_visitors import People
from tests.test_numbers import NOW, SEED, counted_world

ASKED = int(os.environ.get("MINICODE_FUNNELS", "60"))
PER_WORLD = 20


def scope(chance, appid, codes, zone):
    """Random fields that funnels and retention share."""
    return {
        "appid": appid,
        "dimensions": chance.sample(NAMES, chance.choice((0, 1))),
        "filters": [worlds._filter(chance, codes) for _ in range(chance.choice((0, 0, 1, 2)))],
        "segment": chance.choice(("all", "all", "new", "returning")),
        "window": worlds._window(chance, NOW.astimezone(zone).date(), "total"),
        "attribution": chance.choice(("last", "entry", "first")),
        "limit": chance.choice((1, 2, 20)),
    }


def keyed(world, dimension, group):
    """The keys of a row as an answer writes them."""
    if dimension != "code":
        return {dimension: group}
    code = next((code for code in world.codes if code.id == group), None)
    return {"code": code and code.name, "code_id": group, "code_deleted": bool(code and code.is_deleted)}


def ranked(world, dimension, sizes, limit):
    """The groups to show."""

    def order(group):
        name = keyed(world, dimension, group)[dimension]
        return -sizes[group], group is None, name or "", group if dimension == "code" and group else 0

    return sorted(sizes, key=order)[:limit]


def steps(taken):
    """Steps of a group as an answer writes them."""
    first, found = len(taken[0]), []
    for place, since in enumerate(taken):
        before = len(taken[place - 1]) if place else first
        median = int(statistics.median(since) // 1000) if place and since else None
        shares = {"conversion": divided(len(since), first), "step_conversion": divided(len(since), before)}
        found.append({"users": len(since), **shares, "median_seconds": median})
    return found


def together(groups, number):
    """The steps of several groups as one."""
    return [[since for taken in groups for since in taken[place]] for place in range(number)]


def counted(engine, number):
    """A random world and what is needed to ask it."""
    chance = random.Random(number)
    appid, codes, settings, world = counted_world(engine, chance, number)
    with engine.connect() as connection:
        authorizer_id = connection.execute(select(Authorizer.id).where(Authorizer.appid == appid)).scalar()
    return chance, appid, codes, settings, world, authorizer_id


@pytest.mark.parametrize("number", range(SEED, SEED + max(1, ASKED // PER_WORLD)))
def test_a_funnel_counts_whom_a_recount_finds(engine, number):
    chance, appid, codes, settings, world, authorizer_id = counted(engine, number)
    people = People(world, NOW)
    for _ in range(PER_WORLD):
        some = ["visit", "visit", *({"event": name} for name in worlds.EVENTS)]
        asked = {
            **scope(chance, appid, codes, settings.zone),
            "steps": chance.choices(some, k=chance.choice((2, 2, 3, 4))),
            "within_days": chance.choice((1, 7, 30)),
        }
        question = funnel_question.parse(asked)
        with engine.connect() as connection:
            found = funnel.count(connection, authorizer_id, question, settings=settings, now=NOW).as_json()
            starters = query.answer(connection, question.starters, settings=settings, now=NOW).counted.totals
        expected, size = people.funnel(asked), len(asked["steps"])
        shown, rows = list(expected), []
        if asked["dimensions"]:
            name = asked["dimensions"][0]
            sizes = {group: len(taken[0]) for group, taken in expected.items()}
            shown = ranked(world, name, sizes, asked["limit"])
            rows = [{**keyed(world, name, group), "steps": steps(expected[group])} for group in shown]
        left = [taken for group, taken in expected.items() if group not in shown]

        assert steps(together(expected.values(), size)) == found["totals"]["steps"], asked
        assert [found["totals"]["steps"][0]["users"]] == list(starters.values()), asked
        assert rows == found["rows"], asked
        assert ({"steps": steps(together(left, size))} if left else None) == found["others"], asked
        assert asked["steps"] == found["steps"]
        assert question == funnel_question.from_args(MultiDict(funnel_question.to_args(question)))
        assert question == funnel_question.parse(question.as_json())


@pytest.mark.parametrize("number", range(SEED, SEED + max(1, ASKED // PER_WORLD)))
def test_retention_counts_whom_a_recount_finds(engine, number):
    chance, appid, codes, settings, world, authorizer_id = counted(engine, number)
    people = People(world, NOW)
    for _ in range(PER_WORLD):
        asked = {
            **scope(chance, appid, codes, settings.zone),
            "start": chance.choice(("first_visit", "visit")),
            "return": chance.choice(("visit", {"event": "order_paid"}, {"event": "visit"})),
            "days": chance.choice((1, 7, 30)),
        }
        question = retention_question.parse(asked)
        with engine.connect() as connection:
            found = retention.count(connection, authorizer_id, question, settings=settings, now=NOW).as_json()
            starters = query.answer(connection, question.starters, settings=settings, now=NOW).counted.totals

        rows, totals, others = recounted(world, people, asked)

        assert totals == found["totals"], asked
        (people_started,) = starters.values()

        assert bool(totals["starts"]) is bool(people_started), asked
        # Who comes on two days starts twice; a first visit is made once.
        assert question.start == "visit" or people_started == totals["starts"], asked
        assert rows == found["rows"], asked
        assert others == found["others"], asked
        assert question == retention_question.from_args(MultiDict(retention_question.to_args(question)))
        assert question == retention_question.parse(question.as_json())


def recounted(world, people, asked):
    """Rows, totals and others of a retention."""
    expected, window = people.retention(asked), people.recount.window(asked["window"])

    def kept(keys, starts, first=window[0]):
        cells = [people.back(asked, starts, after, first) for after in range(1, asked["days"] + 1)]
        return {**keys, "starts": sum(map(len, starts.values())), "returned": cells}

    everybody = united(expected.values())
    if not asked["dimensions"]:
        days = [window[0] + dt.timedelta(days=n) for n in range((window[1] - window[0]).days + 1)]
        cohorts = [({"day": str(day)}, {day: everybody[day]} if day in everybody else {}, day) for day in days]
        return [kept(*cohort) for cohort in cohorts], kept({}, everybody), None
    name = asked["dimensions"][0]
    sizes = {group: sum(map(len, starts.values())) for group, starts in expected.items()}
    shown = ranked(world, name, sizes, asked["limit"])
    rows = [kept(keyed(world, name, group), expected[group]) for group in shown]
    left = [starts for group, starts in expected.items() if group not in shown]
    return rows, kept({}, everybody), kept({}, united(left)) if left else None


def united(cohorts):
    """Several groups' starts as one."""
    found = {}
    for starts in cohorts:
        for day, visitors in starts.items():
            found[day] = found.get(day, set()) | visitors
    return found


STEPS = ["visit", {"event": "order_paid"}]


@pytest.mark.parametrize(
    ("asked", "field", "code"),
    [
        ({"steps": STEPS}, "appid", "required"),
        ({"appid": "wx1"}, "steps", "too_few"),
        ({"appid": "wx1", "steps": ["visit"]}, "steps", "too_few"),
        ({"appid": "wx1", "steps": ["visit"] * 7}, "steps", "too_many"),
        ({"appid": "wx1", "steps": ["visit", "order_paid"]}, "steps[1]", "unknown"),
        ({"appid": "wx1", "steps": ["visit", {"event": ""}]}, "steps[1].event", "required"),
        ({"appid": "wx1", "steps": STEPS, "within_days": 0}, "within_days", "out_of_range"),
        ({"appid": "wx1", "steps": STEPS, "within_days": 91}, "within_days", "out_of_range"),
        ({"appid": "wx1", "steps": STEPS, "within_days": "7"}, "within_days", "invalid"),
        ({"appid": "wx1", "steps": STEPS, "dimensions": ["scene", "code"]}, "dimensions", "too_many"),
        ({"appid": "wx1", "steps": STEPS, "segment": "some"}, "segment", "unknown"),
        ({"appid": "wx1", "steps": STEPS, "metrics": ["users"]}, "metrics", "unknown_field"),
        ({"appid": "wx1", "steps": STEPS, "limit": 0}, "limit", "out_of_range"),
        ([], "question", "invalid"),
    ],
)
def test_a_funnel_that_makes_no_sense_is_refused_by_the_name_of_its_field(asked, field, code):
    with pytest.raises(InvalidInput) as refused:
        funnel_question.parse(asked)

    assert (field, code) == (refused.value.field, refused.value.code)


@pytest.mark.parametrize(
    ("asked", "field", "code"),
    [
        ({"start": "event"}, "start", "unknown"),
        ({"return": "first_visit"}, "return", "unknown"),
        ({"return": None}, "return", "required"),
        ({"days": 31}, "days", "out_of_range"),
        ({"days": True}, "days", "invalid"),
        ({"steps": STEPS}, "steps", "unknown_field"),
    ],
)
def test_a_retention_that_makes_no_sense_is_refused_by_the_name_of_its_field(asked, field, code):
    with pytest.raises(InvalidInput) as refused:
        retention_question.parse({"appid": "wx1", **asked})

    assert (field, code) == (refused.value.field, refused.value.code)


def test_a_funnel_is_not_counted_where_its_events_may_be_purged(engine):
    settings = worlds.settings_in("UTC")
    authorizer_id, appid, _ = worlds.mini_program(engine, 1)
    window = {"since": "2025-01-01", "until": "2025-01-31"}
    question = funnel_question.parse({"appid": appid, "steps": STEPS, "window": window})
    with engine.connect() as connection, pytest.raises(InvalidInput) as refused:
        funnel.count(connection, authorizer_id, question, settings=settings, now=NOW)

    assert ("window", "events_purged", settings.event_retention_days) == (
        refused.value.field,
        refused.value.code,
        refused.value.limit,
    )
