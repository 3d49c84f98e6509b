"""
One visitor's rights: everything about them comes out as JSON; after removal the numbers are those of a recount
without them, whatever was counted before or comes later, and a process that dies leaves all or nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys

import pytest
from sqlalchemy import select, text

from fab_minicode.acquisition import erasure, query
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.actor import SYSTEM
from fab_minicode.errors import Missing
from fab_minicode.models import AuditEntry, Base, Visitor
from tests import worlds
from tests.events import store
from tests.facts_state import state_of
from tests.recount import Recount, World, in_order
from tests.test_numbers import NOW


def hashed(visitor):
    return hashlib.sha256(visitor.encode()).digest()[:16]


def told_world(engine, number):
    """A mini program with counted events, some that wait, and the recount of all of them."""
    chance = random.Random(number)
    settings = worlds.settings_in(chance.choice(worlds.ZONES))
    authorizer_id, appid, codes = worlds.mini_program(engine, number)
    told = worlds.stream(chance, codes, authorizer_id=authorizer_id, now=NOW, count=160)
    chance.shuffle(told)
    for batch in (told[:70], told[70:120]):
        store(engine, batch)
        roll_up(engine, settings=settings, now=NOW)
    store(engine, told[120:])
    return chance, settings, authorizer_id, appid, codes, told


@pytest.mark.parametrize("number", range(1, 5))
def test_after_an_erasure_the_numbers_are_those_of_a_recount_without_the_visitor(engine, number):
    chance, settings, authorizer_id, appid, codes, told = told_world(engine, number)
    gone = chance.choice(told).visitor
    mine = [event for event in told if event.visitor == gone]

    erased = erasure.erase_visitor(engine, authorizer_id, hashed(gone), actor=SYSTEM, now=NOW)

    assert len(mine) == erased.events
    roll_up(engine, settings=settings, now=NOW)
    world = World(codes, settings.zone)
    for batch in (told[:70], told[70:120], told[120:]):
        world.arrive([event for event in batch if event.visitor != gone])
    recount = Recount(world, NOW)
    for _ in range(25):
        asked = worlds.question(chance, appid, codes, NOW, settings.zone)
        with engine.connect() as connection:
            answer = query.answer(connection, parse(asked), settings=settings, now=NOW).as_json()
        expected = recount.answer(asked)

        assert (expected["rows"], expected["totals"]) == (answer["rows"], answer["totals"]), asked
    with pytest.raises(Missing):
        erasure.erase_visitor(engine, authorizer_id, hashed(gone), actor=SYSTEM, now=NOW)


def test_nothing_of_an_erased_visitor_is_left_in_any_table(engine):
    _, settings, authorizer_id, _, _, told = told_world(engine, 9)
    roll_up(engine, settings=settings, now=NOW)
    gone = told[0].visitor
    before = {key: len(visitors) for key, visitors in state_of(engine).items()}
    with engine.connect() as connection:
        heads = dict(connection.execute(select(Visitor.head, Visitor.id)).all())
    number = heads[int.from_bytes(hashed(gone)[:8], "big", signed=True)]

    erasure.erase_visitor(engine, authorizer_id, hashed(gone), actor=SYSTEM, now=NOW)

    after = state_of(engine)

    assert before.keys() >= after.keys()
    with engine.connect() as connection:
        for table in ("minicode_attributions WHERE visitor_id = :id", "minicode_visitors WHERE id = :id"):
            assert 0 == connection.execute(text(f"SELECT count(*) FROM {table}"), {"id": number}).scalar()
        entry = connection.execute(select(AuditEntry.action, AuditEntry.detail)).one()

    assert "erased" == entry.action
    assert {"events", "attributions", "tallies"} == set(json.loads(entry.detail))


def test_an_export_holds_every_row_and_every_number_of_a_visitor(engine):
    _, _, authorizer_id, _, _, told = told_world(engine, 11)
    one = told[0].visitor
    mine = sorted((event for event in told if event.visitor == one), key=in_order)
    with engine.connect() as connection:
        found = json.loads(json.dumps(erasure.export_visitor(connection, authorizer_id, hashed(one))))
    counted = [event for event in found["events"] if event["state"] == "counted"]

    assert len(mine) == len(found["events"])
    assert {event.name for event in mine} == {event["event"] for event in found["events"]}
    assert len(counted) == len(found["attributions"])
    of_touch = [one for one in found["counted_in"] if one["dimension"] == "touch" and one["event"] != "seen"]

    assert of_touch
    with engine.connect() as connection, pytest.raises(Missing):
        erasure.export_visitor(connection, authorizer_id, hashed("nobody"))


def test_a_visitor_who_only_waits_to_be_counted_is_exported_and_erased(engine):
    settings = worlds.settings_in("UTC")
    authorizer_id, _, codes = worlds.mini_program(engine, 1)
    told = worlds.stream(random.Random(1), codes, authorizer_id=authorizer_id, now=NOW, count=20)
    store(engine, told)
    one = told[0].visitor
    with engine.connect() as connection:
        assert {"waiting"} == {
            event["state"] for event in erasure.export_visitor(connection, authorizer_id, hashed(one))["events"]
        }
    with engine.begin() as connection:
        # As a process stores that was not restarted since the upgrade.
        connection.execute(text("UPDATE minicode_events SET state = 0"))
        connection.execute(text("DELETE FROM minicode_pending"))
        found = erasure.export_visitor(connection, authorizer_id, hashed(one))["events"]
        assert {"waiting"} == {event["state"] for event in found}
    erased = erasure.erase_visitor(engine, authorizer_id, hashed(one), actor=SYSTEM, now=NOW)

    assert sum(event.visitor == one for event in told) == erased.events
    assert 20 - erased.events == roll_up(engine, settings=settings, now=NOW)


CHILD = """
import datetime as dt, os, signal, sys
from sqlalchemy import event
from fab_minicode.acquisition import erasure
from fab_minicode.actor import SYSTEM
from tests.databases import engine_for
engine = engine_for(sys.argv[1])

@event.listens_for(engine, "after_cursor_execute")
def die(connection, cursor, statement, *_):
    if sys.argv[4] in statement:
        os.kill(os.getpid(), signal.SIGKILL)

now = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.timezone.utc)
erasure.erase_visitor(engine, int(sys.argv[2]), bytes.fromhex(sys.argv[3]), actor=SYSTEM, now=now)
"""


@pytest.mark.parametrize("after", ["DELETE FROM minicode_events", "DELETE FROM minicode_visitors"])
def test_a_process_that_is_killed_while_it_erases_leaves_everything_as_it_was(engine, database_url, after):
    _, settings, authorizer_id, _, _, told = told_world(engine, 5)
    roll_up(engine, settings=settings, now=NOW)
    before = state_of(engine)
    command = [sys.executable, "-c", CHILD, database_url, str(authorizer_id), hashed(told[0].visitor).hex(), after]
    done = subprocess.run(command, check=False, env=os.environ, timeout=60)

    assert -signal.SIGKILL == done.returncode
    assert before == state_of(engine)
    erasure.erase_visitor(engine, authorizer_id, hashed(told[0].visitor), actor=SYSTEM, now=NOW)

    assert before != state_of(engine)


def test_the_tables_that_name_a_visitor_are_the_ones_that_are_cleared():
    named = {
        table.name
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name in ("visitor", "visitor_id", "tally", "tallies", "head")
    }

    counted = {"minicode_facts", "minicode_fact_pages"}

    assert {"minicode_events", "minicode_attributions", "minicode_visitors"} | counted == named
