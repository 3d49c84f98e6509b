"""
The roll-up: pending events become numbers, each exactly once, in one transaction per batch.

The transaction begins with a write to one row, so that only one roll-up works at a time on every database; a process
that dies leaves nothing behind, because nothing was committed. Events are claimed because they wait, never by a highest
number: what commits out of order is not lost.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import gc
import os
import socket
from collections.abc import Iterable, Iterator
from operator import itemgetter
from typing import Any

from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import InterfaceError, OperationalError

from fab_minicode import signals
from fab_minicode.acquisition import bulk, pending
from fab_minicode.acquisition.counting import Claimed, count
from fab_minicode.acquisition.freshness import remember
from fab_minicode.errors import EventsNotCounted
from fab_minicode.models.leases import Lease
from fab_minicode.settings import Settings

LEASE = "rollup"
BATCH_EVENTS = 50_000


def roll_up(
    engine: Engine,
    *,
    settings: Settings,
    now: dt.datetime,
    limit: int = BATCH_EVENTS,
    but: Iterable[int] = (),
) -> int:
    """
    Count pending events, the oldest first.

    Args:
        engine: Where the tables are; a connection and a transaction of its own are used.
        settings: For the time zone and the retention.
        now: Aware UTC.
        limit: Most events to count.
        but: Mini programs whose events are left alone.

    Returns:
        How many events were counted; 0 when there is nothing left to count, or somebody else has SQLite's write lock
        for longer than the engine waits.

    Raises:
        EventsNotCounted: If none was counted because counting those that wait fails.
    """
    with engine.connect() as connection:
        # A look without a lock: usually there is nothing to do.
        if not pending.is_waiting(connection, but):
            return 0
    with signals.begin(engine) as connection:
        if not be_alone(connection, now):
            return 0
        pending.adopt(connection)
        left_out, failed, counted = frozenset(but), dict[int, Exception](), 0
        while not counted:
            known = len(failed)
            with _no_looking_for_cycles():
                counted = _count_pending(connection, limit, left_out, failed, settings=settings, now=now)
            # Whose events cannot be counted shall not hold up the others: once more without them.
            if len(failed) == known:
                break
    if failed and not counted:
        (first, *_) = failed.values()
        raise EventsNotCounted(sorted(failed), type(first).__name__) from first
    return counted


def _count_pending(
    connection: Connection,
    limit: int,
    but: frozenset[int],
    failed: dict[int, Exception],
    *,
    settings: Settings,
    now: dt.datetime,
) -> int:
    """Count what waits, each mini program by itself; those in ``failed`` are left alone, and who fails is added."""
    rows = pending.take(connection, limit, but | failed.keys())
    oldest = (now.astimezone(settings.zone).date() - dt.timedelta(days=settings.event_retention_days)).toordinal()
    newest: dict[int, int] = {}
    counted = 0
    for authorizer_id, (claimed, received_ms) in _by_authorizer(rows).items():
        try:
            with signals.savepoint(connection):
                count(connection, authorizer_id, claimed, settings=settings, oldest=oldest)
        except (OperationalError, InterfaceError):
            raise  # the database, not the events
        except Exception as error:  # noqa: BLE001 - whatever it is that is wrong with these events
            failed[authorizer_id] = error
            pending.give_back(connection, authorizer_id, claimed.keys)
        else:
            newest[authorizer_id] = max(received_ms)
            counted += len(received_ms)
    remember(connection, newest)
    return counted


def roll_up_all(engine: Engine, *, settings: Settings, now: dt.datetime, limit: int = BATCH_EVENTS) -> int:
    """Count everything that is pending, batch by batch, and return how many events that were."""
    total = 0
    while counted := roll_up(engine, settings=settings, now=now, limit=limit):
        total += counted
    return total


def be_alone(connection: Connection, now: dt.datetime) -> bool:
    """
    Write the lease's row first: SQLite then holds its only write lock, PostgreSQL the row's, until the end.

    Whoever comes second waits here, and finds what is left. False when SQLite gave up waiting.
    """
    at = now.astimezone(dt.timezone.utc).replace(tzinfo=None)
    holder = f"{socket.gethostname()[:40]}:{os.getpid()}"
    mark = bulk.mark(connection)
    statement = (
        f"INSERT INTO {Lease.__tablename__} (name, holder, until) VALUES ({mark}, {mark}, {mark})"  # noqa: S608
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until"
    )
    until: Any = at if bulk.is_postgresql(connection) else at.isoformat(sep=" ", timespec="microseconds")
    try:
        connection.exec_driver_sql(statement, (LEASE, holder, until))
    except OperationalError as error:
        if "database is locked" not in str(error.orig):
            raise
        return False
    return True


@contextlib.contextmanager
def _no_looking_for_cycles() -> Iterator[None]:
    """
    Pause the collector of cycles: a batch makes half a million small objects that live for its half second.

    None of them is part of a cycle; looking through them again and again takes an eighth of the time.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _by_authorizer(rows: list[Any]) -> dict[int, tuple[Claimed, list[int]]]:
    """Return the events of each mini program, and when they arrived."""
    claimed = {}
    owners = sorted(set(map(itemgetter(1), rows)))
    for authorizer_id in owners:
        mine = rows if len(owners) == 1 else [row for row in rows if row[1] == authorizer_id]
        keys, names, times_ms, visitors, entries, received_ms = (
            [row[place] for row in mine] for place, name in enumerate(pending.COLUMNS) if name != "authorizer_id"
        )
        claimed[authorizer_id] = Claimed(keys, names, times_ms, visitors, entries), received_ms
    return claimed
