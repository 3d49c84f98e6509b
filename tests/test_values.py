"""Suggestions for filters and metrics, against a recount of single events on both databases."""

import random
from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode.acquisition import values
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.acquisition.scenes import SCENE_NAMES
from fab_minicode.acquisition.windows import Period
from fab_minicode.errors import Missing
from fab_minicode.models import Code
from tests import worlds
from tests.events import Told, store
from tests.recount import Recount
from tests.test_numbers import NOW, counted_world

LONG = Period(last_days=100)
EVERYTHING = {"last_days": 100}


@pytest.mark.parametrize("number", [1, 2, 3])
def test_values_and_events_have_the_counts_of_a_recount(engine, number):
    chance = random.Random(number)
    appid, codes, settings, world = counted_world(engine, chance, number)
    world.aliases.update(worlds.aliases(engine, chance, next(iter(world.last)).authorizer_id))
    recount, deleted = Recount(world, NOW), {code.id: code.is_deleted for code in codes}
    for dimension in NAMES:
        attribution, q = chance.choice(("last", "entry", "first")), chance.choice(("", "A", "P", "海", "1", "SCAN"))
        asked = {
            "metrics": ["users", "visits"], "dimensions": [dimension], "filters": [], "segments": ["all"],
            "window": EVERYTHING, "granularity": "total", "attribution": attribution, "compare": None, "limit": 1000,
        }  # fmt: skip
        expected = {"result": [], "not_set": {"users": 0, "visits": 0}}
        for row in recount.answer(asked)["rows"]:
            counts, value = {name: row[name] for name in ("users", "visits")}, row[dimension]
            scene = SCENE_NAMES.get(value, "") if dimension == "scene" else ""
            aliases = sorted(old for (name, old), new in world.aliases.items() if (name, new) == (dimension, value))
            if value is None:
                expected["not_set"] = counts
            elif any(q.casefold() in text.casefold() for text in (value, scene, *aliases)):
                code = {"id": row["code_id"], "deleted": deleted[row["code_id"]]} if dimension == "code" else {}
                more = ({"name": scene} if scene else {}) | ({"aliases": aliases} if aliases else {})
                expected["result"].append({"value": value, **counts, **code, **more})
        expected["result"].sort(
            key=lambda one: (-one["users"], -one["visits"], one["value"], (one.get("id"), one.get("deleted")))
        )
        with engine.connect() as connection:
            found = values.values(
                connection, appid, dimension, q, settings=settings, now=NOW, period=LONG, attribution=attribution
            ).as_json()
        for one in found["result"]:
            one.update({"aliases": sorted(one["aliases"])} if "aliases" in one else {})

        assert expected == {name: found[name] for name in expected}, (dimension, q, attribution)
        assert len(expected["result"]) == found["count"]
    metrics = [{"event": name, "as": measure} for name in worlds.EVENTS for measure in ("users", "times")]
    totals = recount.answer({**asked, "metrics": metrics, "dimensions": []})["totals"]
    with engine.connect() as connection:
        events = values.events(connection, appid, settings=settings, now=NOW, period=LONG)

    assert {name: value for name, value in totals.items() if value} == {
        f"{one.name}.{measure}": getattr(one, measure) for one in events for measure in ("users", "times")
    }
    assert list(events) == sorted(events, key=lambda one: (-one.users, -one.times, one.name))


def test_the_most_used_values_come_first_and_at_most_fifty(engine):
    settings = worlds.settings_in("UTC")
    authorizer_id, appid, _ = worlds.mini_program(engine, 1)
    at = int(NOW.timestamp() * 1000) - worlds.DAY_MS
    visit = Told("", at, authorizer_id=authorizer_id)
    told = [
        replace(visit, visitor=f"v{n}", utm=(f"s{source:03}", "", "", "", ""), number=n * 100 + source)
        for source in range(60)
        for n in range(3 if source == 59 else 1)
    ]
    store(engine, told)
    roll_up(engine, settings=settings, now=NOW)
    with engine.connect() as connection:
        found = values.values(connection, appid, "utm_source", settings=settings, now=NOW)
        nothing = values.values(connection, appid, "utm_source", "S01X", settings=settings, now=NOW)

    assert (60, 50) == (found.count, len(found.suggestions))
    assert ["s059", "s000", "s001"] == [one.value for one in found.suggestions[:3]]
    assert (0, ()) == (nothing.count, nothing.suggestions)


def test_a_codes_name_may_be_any_text(engine):
    settings = worlds.settings_in("UTC")
    authorizer_id, appid, codes = worlds.mini_program(engine, 1)
    name = "50% \"off\" | 'a':b, 🎋"
    with Session(engine, future=True) as session:
        session.execute(select(Code).where(Code.id == codes[3].id)).scalar_one().name = name
        session.commit()
    at = int(NOW.timestamp() * 1000) - worlds.DAY_MS
    store(engine, [Told("v", at, short_key=codes[3].short_key, authorizer_id=authorizer_id)])
    roll_up(engine, settings=settings, now=NOW)
    with engine.connect() as connection:
        found = values.values(connection, appid, "code", '% "OFF" |', settings=settings, now=NOW)

    assert [(name, codes[3].id, False)] == [(one.value, *one.code) for one in found.suggestions]


def test_values_of_no_mini_program_are_missing(engine):
    with engine.connect() as connection, pytest.raises(Missing):
        values.values(connection, "wx-unknown", "code", settings=worlds.settings_in("UTC"), now=NOW)
