"""
Answers against a brute-force recount: random mini programs, random questions, any order of arrival, both databases.

``MINICODE_QUESTIONS`` sets how many questions are asked of each database (default 1000), ``MINICODE_SEED`` where the
random worlds begin; the databases have other ones each. A test's name ends with its database and its seed: the same
name and the same two settings are the same world and questions again.
"""

from __future__ import annotations

import collections
import datetime as dt
import os
import random
from decimal import Decimal

import pytest

from fab_minicode.acquisition import attributions, doubts, query
from fab_minicode.acquisition.metrics import ATTRIBUTIONS
from fab_minicode.acquisition.question import from_args, parse, to_args
from fab_minicode.acquisition.rollup import roll_up
from tests import databases, worlds
from tests.events import store
from tests.recount import Recount, World, in_order
from tests.recount_visitors import People

QUESTIONS = int(os.environ.get("MINICODE_QUESTIONS", "1000"))
SEED = int(os.environ.get("MINICODE_SEED", "1"))
PER_WORLD = 100
WORLDS = max(1, QUESTIONS // PER_WORLD)
SEEDS = [(kind, SEED + place * WORLDS + n) for place, kind in enumerate(databases.KINDS) for n in range(WORLDS)]
NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.timezone.utc)


def arrivals(chance, told):
    """The batches in which events are counted: by time, late ones among them, or in any order."""
    way = chance.choice(("in order", "at once", "some late", "shuffled"))
    told = sorted(told, key=in_order)
    if way == "at once":
        return [told]
    if way == "some late":
        late = {event for event in told if chance.random() < 0.1}
        told = [*(event for event in told if event not in late), *(event for event in told if event in late)]
    if way == "shuffled":
        chance.shuffle(told)
    cuts = sorted(chance.sample(range(1, len(told)), min(len(told) - 1, chance.choice((1, 3, 8)))))
    return [told[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(told)], strict=True)]


def counted_world(engine, chance, number):
    """A mini program whose events were rolled up batch by batch; returns what is needed to recount it."""
    zone = chance.choice(worlds.ZONES)
    settings = worlds.settings_in(zone)
    authorizer_id, appid, codes = worlds.mini_program(engine, number)
    told = worlds.stream(chance, codes, authorizer_id=authorizer_id, now=NOW, count=chance.choice((5, 60, 200)))
    world = World(codes, settings.zone)
    for batch in arrivals(chance, told):
        world.arrive(batch)
        store(engine, batch)

        assert len(batch) == roll_up(engine, settings=settings, now=NOW)
        assert 0 == roll_up(engine, settings=settings, now=NOW)
    return appid, codes, settings, world


@pytest.mark.parametrize("database_url, seed", SEEDS, indirect=["database_url"])
def test_answers_are_what_a_recount_of_single_events_gives(engine, seed):
    chance = random.Random(seed)
    appid, codes, settings, world = counted_world(engine, chance, seed)
    authorizer_id = next(iter(world.last)).authorizer_id
    world.aliases.update(worlds.aliases(engine, chance, authorizer_id))
    recount, saved = Recount(world, NOW), worlds.segments(engine, authorizer_id)
    people = People(world, NOW)
    recount.segments.update({name: people.segment(conditions) for name, conditions in saved.items()})
    for place in range(PER_WORLD):
        asked = worlds.question(chance, appid, codes, NOW, settings.zone, saved=tuple(saved))
        question = parse(asked)
        with engine.connect() as connection:
            answer = query.answer(connection, question, settings=settings, now=NOW).as_json()
            if place % 4 == 0:
                assert answer["totals"] == recounted_by_sql(connection, question, settings), (seed, asked)
            if place % 10 == 0:
                compare_side_by_side(connection, recount, asked, settings)
        expected = recount.answer(asked)
        before = answer["previous"]
        previous = before and {name: before[name] for name in ("rows", "totals")}

        assert expected["totals"] == answer["totals"], (seed, asked)
        assert expected["rows"] == answer["rows"], (seed, asked)
        assert expected["others"] == answer["others"], (seed, asked)
        assert expected["previous"] == previous, (seed, asked)
        assert question == from_args(to_args(question)) == parse(question.as_json())


def test_no_two_worlds_have_the_same_seed():
    assert len(databases.KINDS) * WORLDS == len({seed for _, seed in SEEDS})
    assert dict.fromkeys(databases.KINDS, WORLDS) == collections.Counter(kind for kind, _ in SEEDS)


def recounted_by_sql(connection, question, settings):
    """The totals as the SQL finds them that is shown to whoever doubts them."""
    found = {}
    recount = doubts.recount_sql(connection, question, settings=settings, now=NOW)
    raw, decided = connection.exec_driver_sql(recount.raw).all()

    assert ("raw", "decided") == (raw[0], decided[0])
    assert tuple(raw[1:]) == tuple(decided[1:])
    for statement in recount.statements:
        assert statement.is_complete
        # As psql and sqlite3 would: the text as it is, nothing to fill in.
        cursor = connection.connection.cursor()
        cursor.execute(getattr(statement, connection.dialect.name))
        number = cursor.fetchone()[0]
        cursor.close()
        by_metric = found.setdefault(statement.segment, {})
        by_metric[statement.metric] = float(number) if isinstance(number, Decimal) else number
    return found if len(question.segments) > 1 else found[question.segments[0]]


def compare_side_by_side(connection, recount, asked, settings):
    found = attributions.side_by_side(connection, parse(asked), settings=settings, now=NOW).as_json()
    plain = {**asked, "granularity": "total", "compare": None}
    window = recount.window(asked["window"])
    groups = recount.count({**plain, "attribution": "last"}, window, None)[3]
    for name in ATTRIBUTIONS:
        rows, totals, others, _ = recount.count({**plain, "attribution": name}, window, groups)
        numbers = list(totals if len(asked["segments"]) == 1 else totals[asked["segments"][0]])

        assert totals == found["totals"][name], asked
        assert others == found["others"][name], asked
        if len(asked["segments"]) == 1 and asked["dimensions"]:
            mine = [{**{k: v for k, v in row.items() if k not in ATTRIBUTIONS}, **row[name]} for row in found["rows"]]
            shown = [row for row in mine if row in rows]

            assert rows == shown, asked
            assert all(not any(row[n] for n in numbers) for row in mine if row not in rows), asked
    assert len(groups) == len(found["rows"]), asked
