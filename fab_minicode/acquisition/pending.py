"""
Accepted events that wait for the roll-up: a queue of their keys, beside ``minicode_events``.

Inside the roll-up's transaction, which is alone. What commits meanwhile is not taken, and not lost: it waits on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.models.acquisition import REAL, UNQUEUED, Pending, StoredEvent

COLUMNS = ("key", "authorizer_id", "name", "time_ms", "visitor", "entry", "received_ms")
"""What is taken of each event."""

_TABLE, _EVENTS = Pending.__tablename__, StoredEvent.__tablename__
# The state as a literal: a parameter would keep the planner from the partial index.
_UNQUEUED = f"FROM {_EVENTS} WHERE state = {UNQUEUED}"
_OR_NOTHING = " ON CONFLICT (key) DO NOTHING"
_WANTED = ", ".join(f"e.{name}" for name in COLUMNS)


def is_waiting(connection: Connection, but: Iterable[int] = ()) -> bool:
    """Whether an event waits that belongs to none of some mini programs; takes no lock."""
    queued = f"SELECT 1 FROM {_TABLE}{_others(but)}"  # noqa: S608
    return any(bulk.rows(connection, f"{look} LIMIT 1") for look in (queued, f"SELECT 1 {_UNQUEUED} ORDER BY key"))


def adopt(connection: Connection) -> None:
    """Queue what processes stored that were not restarted since the tables were upgraded; nearly always nothing."""
    if bulk.rows(connection, f"SELECT 1 {_UNQUEUED} ORDER BY key LIMIT 1"):
        mine = f"SELECT key, authorizer_id {_UNQUEUED}"
        if bulk.is_postgresql(connection):
            # None that commits between two statements may be changed and not queued.
            mine += " FOR UPDATE"
            changed = f"UPDATE {_EVENTS} SET state = {REAL} WHERE key IN (SELECT key FROM mine)"  # noqa: S608
            put = f"INSERT INTO {_TABLE} (key, authorizer_id) SELECT key, authorizer_id FROM mine{_OR_NOTHING}"  # noqa: S608
            connection.exec_driver_sql(f"WITH mine AS ({mine}), changed AS ({changed}) {put}")
            return
        connection.exec_driver_sql(f"INSERT INTO {_TABLE} (key, authorizer_id) {mine}{_OR_NOTHING}")
        connection.exec_driver_sql(f"UPDATE {_EVENTS} SET state = {REAL} WHERE state = {UNQUEUED}")  # noqa: S608


def take(connection: Connection, limit: int, but: Iterable[int] = ()) -> list[Any]:
    """
    Take events off those that wait, the oldest first.

    Args:
        connection: In the roll-up's transaction.
        limit: Most events to take.
        but: Mini programs whose events go on waiting.

    Returns:
        One row of :data:`COLUMNS` per event, in the order of their keys; none if nothing waits.
    """
    others = _others(but)
    take_them = _take_at_once if bulk.is_postgresql(connection) else _take_alone
    rows: list[Any] = []
    # What is left of events that somebody removed goes without a row.
    while not rows and bulk.rows(connection, f"SELECT 1 FROM {_TABLE}{others} LIMIT 1"):  # noqa: S608
        rows = take_them(connection, others, f"{others} ORDER BY key LIMIT {int(limit)}")
    return rows


def give_back(connection: Connection, authorizer_id: int, keys: Sequence[bytes]) -> None:
    """Let a mini program's events wait again that were taken."""
    bulk.insert(connection, Pending, {"key": keys, "authorizer_id": [authorizer_id] * len(keys)})


def _take_at_once(connection: Connection, _others: str, oldest: str) -> list[Any]:
    # By their places in the table, all at once.
    taken = f"DELETE FROM {_TABLE} WHERE ctid = ANY (ARRAY (SELECT ctid FROM {_TABLE}{oldest})) RETURNING key"  # noqa: S608
    # OFFSET 0 keeps it from being a join: look up each event in the order of the keys, do not read all of them.
    event = f"(SELECT * FROM {_EVENTS} WHERE key = w.key OFFSET 0) AS e"  # noqa: S608
    return bulk.rows(
        connection,
        f"WITH taken AS ({taken}) SELECT {_WANTED} FROM (SELECT key FROM taken ORDER BY key) AS w"  # noqa: S608
        f" CROSS JOIN LATERAL {event}",
    )


def _take_alone(connection: Connection, others: str, oldest: str) -> list[Any]:
    keys = f"(SELECT key FROM {_TABLE}{oldest}) AS w"  # noqa: S608
    # CROSS JOIN keeps the order: look up each event that waits, do not scan all.
    events = f"{keys} CROSS JOIN {_EVENTS} AS e ON e.key = w.key"
    rows = bulk.rows(connection, f"SELECT {_WANTED} FROM {events}")  # noqa: S608
    # The only writer is here: everything that waited up to the last key was taken.
    last = max(map(itemgetter(0), rows)) if rows else bulk.rows(connection, f"SELECT max(key) FROM {keys}")[0][0]  # noqa: S608
    start = f"{others} AND" if others else " WHERE"
    connection.exec_driver_sql(f"DELETE FROM {_TABLE}{start} key <= ?", (last,))  # noqa: S608
    return rows


def _others(but: Iterable[int]) -> str:
    left_out = ", ".join(str(int(number)) for number in but)
    return f" WHERE authorizer_id NOT IN ({left_out})" if left_out else ""
