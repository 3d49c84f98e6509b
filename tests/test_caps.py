"""Too many distinct values: the first of a day keep their names, the rest is one value, codes are never bounded."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import pytest
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from fab_minicode.acquisition import query
from fab_minicode.acquisition.caps import TOO_MANY
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.acquisition.verify import verify
from fab_minicode.models import Code, Value
from tests import stories, worlds
from tests.events import Told, store

NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.timezone.utc)
SETTINGS = replace(worlds.settings_in("Asia/Shanghai"), utm_values_per_day=10)
DAY = 86_400_000
POSTER = ("poster", "", "", "", "")
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


def test_pages_and_entry_scenes_have_a_bound_with_and_without_a_touch(engine):
    authorizer_id, appid, codes = worlds.mini_program(engine, 7)
    touched = [Told(f"v{n}", THEN + n, page=f"pages/{n}", scene=f"{n}", utm=POSTER, number=n) for n in range(6)]
    bare = [Told(f"w{n}", THEN + 60 + n, page=f"pages/{n}", scene=f"{n}", number=n) for n in range(3, 15)]
    bare.append(Told("wechat", THEN + 90, page="pages/1", scene="1047"))
    rolled(engine, *([replace(one, authorizer_id=authorizer_id) for one in batch] for batch in (touched, bare)))
    pages = visits(engine, "landing_page", appid=appid)

    twice = {n: 2 if 3 <= n < 6 else 1 for n in range(10)}

    assert {f"pages/{n}": times for n, times in twice.items()} | {"pages/1": 2, TOO_MANY: 5} == pages
    # WeChat's own scenes are nobody's invention.
    expected = {f"{n}": times for n, times in twice.items()} | {"1047": 1, TOO_MANY: 5}
    assert expected == visits(engine, "scene", appid=appid)
    assert agrees(engine)

    with engine.connect() as connection:
        printed = connection.execute(select(Code.page).where(Code.id == codes[0].id)).scalar_one()
    rolled(engine, [Told("x", THEN + 900, page=printed, scene="3", authorizer_id=authorizer_id)])

    assert 1 == visits(engine, "landing_page", appid=appid)[printed]
    assert agrees(engine)


def test_names_of_custom_events_have_a_bound_and_the_rest_is_one_event(engine, shop):
    def orders(names, since):
        came = [Told("a", since, number=-1)]
        return came + [Told("a", since + 1 + n, name=name, number=n) for n, name in enumerate(names)]

    rolled(engine, orders([f"e{n}" for n in range(8)], THEN))
    rolled(engine, orders(["e3", *(f"f{n}" for n in range(6))], THEN + 60_000))
    rolled(engine, orders(["f5"], THEN + DAY))
    expected = {f"e{n}": 2 if n == 3 else 1 for n in range(8)} | {"f0": 1, "f1": 1, "f5": 1, TOO_MANY: 4}
    counted = {}
    with engine.connect() as connection:
        for name in expected:
            metrics = [{"event": name, "as": "times"}]
            asked = {"appid": stories.APPID, "metrics": metrics, "window": {"last_days": 30}}
            found = query.answer(connection, parse(asked), settings=SETTINGS, now=NOW)
            counted[name] = found.as_json()["totals"][f"{name}.times"]
        names = connection.execute(select(Value.value).where(Value.dimension == "event")).scalars().all()

    assert expected == counted
    assert sorted(expected) == sorted(names)
    assert agrees(engine)


def test_a_flood_does_not_displace_the_pages_and_events_that_were_there_in_the_week_before(engine, shop):
    def came(day, page, event=None):
        at = THEN + day * DAY
        told = [Told("a", at, page=page, number=7)]
        return told + ([Told("a", at + 1, name=event, number=8)] if event else [])

    flood_of_pages = [Told(f"f{n}", THEN + 10 + n, page=f"made/up/{n}") for n in range(30)]
    flood_of_events = [Told("f0", THEN + 60 + n, name=f"made-up-{n}", number=n) for n in range(30)]
    rolled(engine, came(-7, "pages/home", "order_paid"), came(-8, "pages/old", "old_event"))
    rolled(engine, flood_of_pages + flood_of_events)
    rolled(engine, [replace(one, time_ms=one.time_ms + 500) for one in came(0, "pages/home", "order_paid")])
    rolled(engine, [replace(one, time_ms=one.time_ms + 900) for one in came(0, "pages/old", "old_event")])
    pages = visits(engine, "landing_page")
    with engine.connect() as connection:
        asked = {"appid": stories.APPID, "window": {"last_days": 5}, "metrics": [
            {"event": name, "as": "times"} for name in ("order_paid", "old_event", TOO_MANY)]}  # fmt: skip
        totals = query.answer(connection, parse(asked), settings=SETTINGS, now=NOW).as_json()["totals"]

    assert (2, 1, 21) == (pages["pages/home"], pages["pages/old"], pages[TOO_MANY])
    assert {"order_paid.times": 1, "old_event.times": 0, f"{TOO_MANY}.times": 21} == totals
    assert agrees(engine)


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
