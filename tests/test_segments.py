"""
Segments: what their JSON may say, and who belongs to them against a brute-force recount on both databases.
"""

from __future__ import annotations

import hashlib
import os
import random

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode.acquisition import segments
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.segment_rules import parse
from fab_minicode.acquisition.tally import Tally, bitmap
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer, Visitor
from tests import worlds
from tests.recount_visitors import People
from tests.test_numbers import NOW, SEED, counted_world

SEGMENTS = int(os.environ.get("MINICODE_SEGMENTS", "100"))
PER_WORLD = 20


def condition(chance, codes, zone, *, may_group=True):
    """A random condition as docs/api.md writes it."""
    kind = chance.choice(("first_touch", "touch", "did", "did", "new", "returning", *(["group"] if may_group else [])))
    one = {"kind": kind, "not": chance.random() < 0.25}
    if kind == "group":
        some = [condition(chance, codes, zone, may_group=False) for _ in range(chance.choice((1, 2)))]
        return {**one, "match": chance.choice(("all", "any")), "conditions": some}
    least = 1 if kind == "first_touch" else 0
    one["filters"] = [worlds._filter(chance, codes) for _ in range(chance.choice((least, 1, 2)))]
    if kind != "first_touch":
        one["window"] = chance.choice((None, worlds._window(chance, NOW.astimezone(zone).date(), "total")))
    if kind == "did":
        one["event"] = chance.choice((None, *worlds.EVENTS))
        one |= chance.choice(({}, {"at_least": 2}, {"at_least": 3}, {"at_most": 1}, {"exactly": 0}, {"exactly": 2}))
    if kind in ("did", "returning"):
        one["attribution"] = chance.choice(("last", "entry", "first"))
    return one


def rule(chance, codes, zone):
    """A random segment."""
    some = [condition(chance, codes, zone) for _ in range(chance.choice((1, 1, 2, 3)))]
    return {"match": chance.choice(("all", "any")), "conditions": some}


def pseudonyms(engine):
    """Visitor numbers -> pseudonym."""
    with Session(engine, future=True) as session:
        rows = session.execute(select(Visitor)).scalars()
        signed = lambda number: number.to_bytes(8, "big", signed=True)  # noqa: E731
        return {row.id: signed(row.head) + signed(row.tail) for row in rows}


@pytest.mark.parametrize("number", range(SEED, SEED + max(1, SEGMENTS // PER_WORLD)))
def test_a_segment_holds_exactly_whom_a_recount_finds(engine, number):
    chance = random.Random(number)
    appid, codes, settings, world = counted_world(engine, chance, number)
    people, names = People(world, NOW), pseudonyms(engine)
    with engine.connect() as connection:
        authorizer_id = connection.execute(select(Authorizer.id).where(Authorizer.appid == appid)).scalar()
        everybody = segments.everybody_of(connection, authorizer_id, settings=settings, now=NOW)

        assert set(names) == set(everybody)
        for _ in range(PER_WORLD):
            asked = rule(chance, codes, settings.zone)
            read = parse(asked)
            found = segments.crowd_of(connection, authorizer_id, read, settings=settings, now=NOW)
            crowd = everybody - found.crowd if found.inverse else found.crowd
            expected = people.segment(asked)

            assert {hashlib.sha256(one.encode()).digest()[:16] for one in expected} == {names[n] for n in crowd}, asked
            assert len(expected) == segments.people_in(connection, authorizer_id, found, settings=settings, now=NOW)
            assert read == parse(read.as_json())
            frozen = read.frozen(NOW, settings.zone)
            again = segments.crowd_of(connection, authorizer_id, frozen, settings=settings, now=NOW)

            assert (found.crowd, found.inverse) == (again.crowd, again.inverse)


def test_who_occurs_at_least_so_often_is_what_counting_says():
    chance = random.Random(1)
    for _ in range(200):
        ids = sorted(chance.choices(range(chance.choice((3, 50))), k=chance.randrange(60)))
        tally = Tally.of(numbers(ids))
        for times in (1, 2, 3, 4, 7, 8, 40):
            assert bitmap(numbers([n for n in sorted(set(ids)) if ids.count(n) >= times])) == tally.at_least(times)


def numbers(ids):
    return np.array(ids, np.uint32)


SOME = {"dimension": "utm_source", "op": "set"}


@pytest.mark.parametrize(
    ("asked", "field", "code"),
    [
        ([], "segment", "invalid"),
        ({}, "conditions", "required"),
        ({"conditions": [], "match": "all"}, "conditions", "required"),
        ({"conditions": [{"kind": "new"}], "match": "most"}, "match", "unknown"),
        ({"conditions": [{"kind": "new"}], "name": "x"}, "name", "unknown_field"),
        ({"conditions": [{"kind": "new"}] * 11}, "conditions", "too_many"),
        ({"conditions": [{"kind": "group", "conditions": [{"kind": "new"}] * 6}] * 2}, "conditions", "too_many"),
        ({"conditions": [{"kind": "old"}]}, "conditions[0].kind", "unknown"),
        ({"conditions": ["new"]}, "conditions[0]", "invalid"),
        ({"conditions": [{"kind": "new", "not": 1}]}, "conditions[0].not", "invalid"),
        ({"conditions": [{"kind": "new", "event": "x"}]}, "conditions[0].event", "unknown_field"),
        ({"conditions": [{"kind": "first_touch"}]}, "conditions[0].filters", "required"),
        ({"conditions": [{"kind": "did", "at_least": 0}]}, "conditions[0].at_least", "out_of_range"),
        ({"conditions": [{"kind": "did", "exactly": 10_001}]}, "conditions[0].exactly", "out_of_range"),
        ({"conditions": [{"kind": "did", "exactly": True}]}, "conditions[0].exactly", "invalid"),
        ({"conditions": [{"kind": "did", "at_least": 1, "at_most": 3}]}, "conditions[0].at_most", "not_wanted"),
        ({"conditions": [{"kind": "did", "event": "\x00"}]}, "conditions[0].event", "invalid"),
        ({"conditions": [{"kind": "did", "event": "x" * 101}]}, "conditions[0].event", "too_long"),
        (
            {"conditions": [{"kind": "new", "window": {"last_days": 0}}]},
            "conditions[0].window.last_days",
            "out_of_range",
        ),
        ({"conditions": [{"kind": "new", "filters": [SOME] * 16}]}, "conditions[0].filters", "too_many"),
        (
            {"conditions": [{"kind": "new", "filters": [{**SOME, "op": "is"}]}]},
            "conditions[0].filters[0].op",
            "unknown",
        ),
        (
            {"conditions": [{"kind": "group", "conditions": [{"kind": "group", "conditions": []}]}]},
            "conditions[0].conditions[0].kind",
            "unknown",
        ),
    ],
)
def test_a_segment_that_makes_no_sense_is_refused_by_the_name_of_its_field(asked, field, code):
    with pytest.raises(InvalidInput) as refused:
        parse(asked)

    assert (field, code) == (refused.value.field, refused.value.code)


def test_any_dimension_may_be_asked_of_a_segment():
    for name in NAMES:
        asked = {"kind": "touch", "filters": [{"dimension": name, "op": "set"}], "window": None, "not": False}

        assert asked == parse({"conditions": [asked]}).as_json()["conditions"][0]
