"""Too many distinct values: the first of a day keep their names, the rest is one value, codes are never bounded."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from fab_minicode.acquisition import query
from fab_minicode.acquisition.caps import TOO_MANY
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.acquisition.verify import verify
from fab_minicode.models import Code
from tests import stories, worlds
from tests.events import Told, store

NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.timezone.utc)
SETTINGS = replace(worlds.settings_in("Asia/Shanghai"), utm_values_per_day=10)
DAY = 86_400_000
THEN = int(NOW.timestamp() * 1000) - 2 * DAY


def rolled(engine, *batches, settings=SETTINGS):
    """Store and count batches."""
    for batch in batches:
        store(engine, batch)
        roll_up(engine, settings=settings, now=NOW)


def visits(engine, dimension="utm_source", appid=stories.APPID, **changed):
    """Value -> visits."""
    asked = {"appid": appid, "metrics": ["visits"], "dimensions": [dimension], "window": {"last_days": 30}, "limit": 99}
    with engine.connect() as connection:
        answer = query.answer(connection, parse(asked | changed), settings=SETTINGS, now=NOW).as_json()
    return {row[dimension]: row["visits"] for row in answer["rows"]}


def agrees(engine):
    """Whether the recount finds no difference."""
    return [] == [one for day in verify(engine, settings=SETTINGS, now=NOW) for one in day.differences]


def flood(count, *, since=THEN, names="s", **changed):
    """Visits with one new source each."""
    told = [Told(f"v{n}", since + n, utm=(f"{names}{n}", "", "", "", ""), number=n) for n in range(count)]
    return [replace(one, **changed) for one in told]


@pytest.fixture
def shop(engine):
    """A mini program."""
    with Session(engine, future=True) as session:
        session.add(stories.authorizer())
        session.commit()


def test_the_first_values_of_a_day_keep_their_names_and_the_rest_is_counted_together(engine, shop):
    rolled(engine, flood(25))
    expected = {f"s{n}": 1 for n in range(10)} | {TOO_MANY: 15}

    assert expected == visits(engine)
    assert agrees(engine)

    # What was within the bound stays, in the next batch too; another day has room of its own.
    rolled(engine, flood(25, since=THEN + 60_000, names="t"), flood(5, since=THEN + 120_000))
    rolled(engine, flood(12, since=THEN + DAY, names="u"))
    expected |= {f"s{n}": 2 for n in range(5)} | {f"u{n}": 1 for n in range(10)} | {TOO_MANY: 15 + 25 + 2}

    assert expected == visits(engine)
    assert agrees(engine)


def test_each_field_has_its_own_bound(engine, shop):
    told = [Told(f"v{n}", THEN + n, utm=("poster", f"c{n}", f"m{n % 3}", "", ""), number=n) for n in range(12)]
    rolled(engine, told)

    assert {"poster": 12} == visits(engine)
    assert {TOO_MANY: 2} | {f"c{n}": 1 for n in range(10)} == visits(engine, "utm_campaign")
    assert {f"m{n}": 4 for n in range(3)} == visits(engine, "utm_medium")


def test_codes_and_values_that_codes_carry_are_never_bounded_and_take_no_room(engine):
    authorizer_id, appid, codes = worlds.mini_program(engine, 7)
    owner = {"authorizer_id": authorizer_id}
    gate, twin = codes[3], codes[0]
    rolled(engine, flood(12, **owner))
    own = [
        Told("g", THEN + 100, short_key=gate.short_key, **owner),
        Told("a", THEN + 101, utm=twin.utm, match_key=twin.match_key, **owner),
        Told("p", THEN + 102, utm=("poster", "", "", "", ""), **owner),
    ]
    rolled(engine, own, flood(12, **owner, since=THEN + DAY))
    found = visits(engine, appid=appid)

    assert (1, 2, 4) == (found["gate"], found["poster"], found[TOO_MANY])
    assert {f"s{n}": 2 for n in range(10)} == {name: found[name] for name in found if name.startswith("s")}
    assert agrees(engine)


def test_below_the_bound_nothing_changes_whatever_the_batches(engine, tmp_path):
    number = 3
    authorizer_id, appid, codes = worlds.mini_program(engine, number)
    told = worlds.stream(random.Random(number), codes, authorizer_id=authorizer_id, now=NOW, count=120)
    rolled(engine, told[:40], told[40:70], told[70:])

    assert TOO_MANY not in visits(engine, appid=appid, window={"last_days": 90})
    assert agrees(engine)


def test_a_code_that_wechat_refused_is_no_visits_code_until_it_is_made(engine):
    authorizer_id, appid, codes = worlds.mini_program(engine, 7)
    twin = codes[0]
    same = [code.id for code in codes if code.match_key == twin.match_key]

    def state(word):
        with engine.begin() as connection:
            connection.execute(update(Code.__table__).where(Code.id.in_(same)).values(state=word))

    def visit(number):
        return Told("a", THEN + number, utm=twin.utm, match_key=twin.match_key, authorizer_id=authorizer_id)

    state("failed")
    rolled(engine, [visit(1)])

    assert {None: 1} == visits(engine, "code", appid=appid)

    state("ready")
    rolled(engine, [visit(2)])

    assert {None: 1, "C": 1} == visits(engine, "code", appid=appid)
