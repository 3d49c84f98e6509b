"""The queue of events that wait: each is taken once, nothing is lost, nothing waits for ever."""

from __future__ import annotations

import datetime as dt
import gc
import threading

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from fab_minicode.acquisition import bulk, pending, rollup
from fab_minicode.acquisition.accept import accept
from fab_minicode.acquisition.rollup import roll_up, roll_up_all
from fab_minicode.models import Attribution, Base, Pending, Visitor
from fab_minicode.settings import read_settings
from fab_minicode.trackers import Entry, Event
from fab_minicode.utm import Utm
from tests import databases
from tests.collect_app import stored
from tests.events import Told, store

NOW = dt.datetime(2026, 11, 22, 10, 30, tzinfo=dt.timezone.utc)
NOW_MS = int(NOW.timestamp() * 1000)
SETTINGS = read_settings({})
ENTRY = Entry("pages/a", "1047", Utm("poster"), None, "utm_source=poster")


def waiting(engine):
    with engine.connect() as connection:
        return [bytes(key) for (key,) in connection.execute(text("SELECT key FROM minicode_pending ORDER BY key"))]


def visit(identity, *, is_test=False):
    return Event(identity, f"device of {identity}", None, NOW_MS - 1000, ENTRY, is_test)


def take(engine, *events):
    with engine.begin() as connection:
        return accept(
            connection, list(enumerate(events)), authorizer_id=1, tracker="native", visitor_key=b"k" * 32, now=NOW,
            settings=SETTINGS,
        ).accepted  # fmt: skip


def test_what_is_accepted_waits_and_test_traffic_does_not(engine):
    take(engine, visit("a"), visit("b", is_test=True), visit("c"))

    assert [row.key for row in stored(engine) if row.state == 1] == waiting(engine)
    assert 2 == len(waiting(engine))


def test_what_comes_again_after_it_was_counted_does_not_wait_again(engine):
    take(engine, visit("a"), visit("b"))

    assert 2 == roll_up(engine, settings=SETTINGS, now=NOW)
    assert 1 == take(engine, visit("b"), visit("c"), visit("a"), visit("t", is_test=True)) - 1
    assert 1 == len(waiting(engine))
    assert 0 == take(engine, visit("a"), visit("b"), visit("c"), visit("t", is_test=True))
    assert 1 == roll_up(engine, settings=SETTINGS, now=NOW)
    with engine.connect() as connection:
        assert 3 == connection.execute(text("SELECT count(*) FROM minicode_attributions")).scalar()


def test_more_events_than_one_statement_takes_and_half_of_them_known(engine):
    take(engine, *(visit(f"v{number}") for number in range(150)))

    assert 175 == take(engine, *(visit(f"v{number}") for number in range(75, 325)))
    assert 325 == len(waiting(engine)) == len(stored(engine))


def test_the_same_events_at_once_wait_once(engine):
    ready = threading.Barrier(8)

    def bring():
        ready.wait()
        take(engine, *(visit(f"v{number}") for number in range(120)))

    threads = [threading.Thread(target=bring) for _ in range(8)]
    for thread in threads:
        thread.start()
    counted = 0
    while any(thread.is_alive() for thread in threads):
        counted += roll_up(engine, settings=SETTINGS, now=NOW)
    for thread in threads:
        thread.join()
    counted += roll_up_all(engine, settings=SETTINGS, now=NOW)

    assert 120 == counted
    assert [] == waiting(engine)
    with engine.connect() as connection:
        assert 120 == connection.execute(text("SELECT count(*) FROM minicode_attributions")).scalar()


def test_events_are_taken_in_the_order_of_their_keys_and_those_of_others_wait_on(engine):
    told = [Told(f"v{n}", NOW_MS - 1000 * (n * 7 % 20), number=n, authorizer_id=1 + n % 2) for n in range(20)]
    store(engine, told)
    keys = sorted(one.key for one in told if one.authorizer_id == 1)
    with engine.begin() as connection:
        assert pending.is_waiting(connection, [2])
        assert keys[:6] == [bytes(row[0]) for row in pending.take(connection, 6, [2])]
        assert keys[6:] == [bytes(row[0]) for row in pending.take(connection, 6, [2])]
        assert [] == pending.take(connection, 6, [2])
        assert not pending.is_waiting(connection, [2])

    assert sorted(one.key for one in told if one.authorizer_id == 2) == waiting(engine)


def test_what_is_given_back_is_taken_again(engine):
    told = [Told(f"v{n}", NOW_MS - n, number=n) for n in range(4)]
    store(engine, told)
    with engine.begin() as connection:
        keys = [bytes(row[0]) for row in pending.take(connection, 10)]
        pending.give_back(connection, 1, keys[1:3])

    assert keys[1:3] == waiting(engine)


def test_what_is_left_of_removed_events_holds_up_nobody(engine):
    store(engine, [Told(f"v{n}", NOW_MS - 1000 + n, number=n) for n in range(6)])
    with engine.begin() as connection:
        # Somebody's own cleaning.
        connection.execute(text("DELETE FROM minicode_events WHERE key IN (SELECT key FROM minicode_pending LIMIT 4)"))
    counted = [roll_up(engine, settings=SETTINGS, now=NOW, limit=2) for _ in range(4)]

    assert 2 == sum(counted)
    assert [] == waiting(engine)


def test_a_batch_of_nothing_but_removed_events_is_not_the_end(engine):
    store(engine, [Told(f"v{n}", NOW_MS - 1000 + n, number=n) for n in range(6)])
    with engine.begin() as connection:
        first = text("DELETE FROM minicode_events WHERE key IN (SELECT key FROM minicode_pending ORDER BY key LIMIT 4)")
        connection.execute(first)

    assert 2 == roll_up_all(engine, settings=SETTINGS, now=NOW, limit=2)
    assert [] == waiting(engine)


def test_an_event_whose_place_in_the_queue_is_left_over_is_accepted(engine):
    take(engine, visit("a"), visit("b"))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM minicode_events"))

    assert 3 == take(engine, visit("a"), visit("b"), visit("c"))
    assert 3 == len(waiting(engine)) == roll_up_all(engine, settings=SETTINGS, now=NOW)


def test_what_an_older_version_stores_is_counted_too(engine):
    """Between the upgrade of the tables and their restart, processes know no queue."""
    take(engine, visit("a"), visit("t", is_test=True))
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM minicode_pending"))
        connection.execute(text("UPDATE minicode_events SET state = 0 WHERE state = 1"))
    take(engine, visit("b"))

    assert 2 == roll_up_all(engine, settings=SETTINGS, now=NOW)
    assert [1, 1, 2] == sorted(row.state for row in stored(engine))
    with engine.connect() as connection:
        assert not pending.is_waiting(connection)


def test_the_collector_of_cycles_rests_only_while_events_are_counted(engine, monkeypatch):
    seen = []

    def note(name, act):
        def noted(*given, **named):
            seen.append((name, gc.isenabled()))
            return act(*given, **named)

        return noted

    monkeypatch.setattr(rollup, "be_alone", note("alone", rollup.be_alone))
    monkeypatch.setattr(rollup, "count", note("count", rollup.count))
    take(engine, visit("a"))
    roll_up(engine, settings=SETTINGS, now=NOW)

    assert [("alone", True), ("count", False)] == seen
    assert gc.isenabled()
    gc.disable()
    try:
        take(engine, visit("b"))
        roll_up(engine, settings=SETTINGS, now=NOW)
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_a_driver_that_waits_for_others_is_not_asked_to_copy(database_url):
    """psycogreen, under gunicorn's gevent workers: COPY is not for them."""
    engine = databases.engine_for(database_url)
    Base.metadata.create_all(engine)
    if engine.dialect.name == "postgresql":
        from psycopg2.extensions import set_wait_callback
        from psycopg2.extras import wait_select

        set_wait_callback(wait_select)
    try:
        take(engine, visit("a"), visit("b"))
        assert 2 == roll_up(engine, settings=SETTINGS, now=NOW)
    finally:
        if engine.dialect.name == "postgresql":
            set_wait_callback(None)
    engine.dispose()


def test_a_number_that_is_too_large_is_not_cut(engine):
    row = {"head": 5, "tail": 6, "id": 7, "first_ms": 8, "first_context_id": 2**31}
    if engine.dialect.name == "sqlite":
        pytest.skip("SQLite's numbers are all of eight bytes")
    with engine.connect() as connection, pytest.raises(ValueError, match="first_context_id"):
        bulk.append(connection, Visitor, 1, {name: np.array([value]) for name, value in row.items()})


def test_whole_numbers_are_appended_as_they_are(engine):
    columns = {
        "day": [740_000, 740_000, 740_001], "visitor_id": [1, 2**40, 3],
        "time_ms": [0, 1_790_000_000_000, 2**62], "key_tail": [-(2**63), 2**63 - 1, 0], "event_id": [0, 2**31 - 1, 7],
        "context_id": [5, 6, 7], "route": [1, 4, 2],
    }  # fmt: skip
    with engine.begin() as connection:
        bulk.append(connection, Attribution, 1, {name: np.array(column, np.int64) for name, column in columns.items()})
        bulk.append(connection, Attribution, 1, {name: np.zeros(0, np.int64) for name in columns})
        found = (
            connection.execute(text("SELECT * FROM minicode_attributions ORDER BY day, visitor_id")).mappings().all()
        )

    assert columns == {name: [row[name] for row in found] for name in columns}
    assert [(1, None)] * 3 == [(row["authorizer_id"], row["entry_context_id"]) for row in found]


@pytest.mark.parametrize("how", ["append", "insert"])
def test_the_drivers_errors_are_the_databases_errors(engine, how):
    row = {"head": 5, "tail": 6, "id": 7, "first_ms": 8, "first_context_id": 9}

    def put(connection):
        if how == "append":
            bulk.append(connection, Visitor, 1, {name: np.array([value]) for name, value in row.items()})
        else:
            bulk.insert(connection, Pending, {"key": [b"k" * 16], "authorizer_id": [1]})

    with engine.begin() as connection:
        put(connection)
    with engine.connect() as connection, pytest.raises(IntegrityError):
        put(connection)
