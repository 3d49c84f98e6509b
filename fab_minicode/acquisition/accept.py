"""
Events in: one multi-row INSERT that leaves out what is stored already. Floor 1: the door commits.

Nothing is counted here. An accepted event stands in ``minicode_events`` (its ``entry`` as ``Entry.stored`` writes it)
and its key waits in ``minicode_pending`` for the roll-up, so that an answer costs one write, whatever the event means
(docs/performance.md).
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any

from sqlalchemy import update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from fab_minicode.clocks import is_over
from fab_minicode.models.acquisition import REAL, TEST, Pending, StoredEvent
from fab_minicode.models.authorizers import Authorizer
from fab_minicode.settings import Settings
from fab_minicode.trackers.events import Event, Rejection

MAX_FUTURE_MS = 5 * 60 * 1000
"""A clock that is further ahead than this is wrong; the event is stored at its arrival."""

ACTIVE_SECONDS = 60
"""``last_event_at`` of a mini program is at most this much behind."""

_DAY_MS = 24 * 60 * 60 * 1000
_KEY_TIME_BYTES, _KEY_HASH_BYTES, _VISITOR_BYTES = 6, 10, 16
# RFC 2104: the key is padded to the hash's block and combined with these bytes; a longer key is hashed first.
_BLOCK_BYTES = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))
_MAX_KEY_TIME_MS = 2 ** (8 * _KEY_TIME_BYTES) - 1
_COLUMNS = ("key", "authorizer_id", "name", "time_ms", "received_ms", "visitor", "entry", "state")
# 8 columns x 100 rows stay below the 999 parameters of older SQLite libraries.
_ROWS_PER_STATEMENT = 100


@dataclass(frozen=True)
class Acceptance:
    """How many events are new, how many were stored before or came twice, and which were refused."""

    accepted: int
    duplicate: int
    rejected: tuple[Rejection, ...]


def accept(
    connection: Connection,
    events: Sequence[tuple[int, Event]],
    *,
    authorizer_id: int,
    tracker: str,
    visitor_key: bytes,
    now: dt.datetime,
    settings: Settings,
) -> Acceptance:
    """
    Store a batch; an event that is stored already is left as it is.

    Args:
        connection: In a transaction whose first write this is; the caller commits.
        events: ``(place in the batch, event)``.
        authorizer_id: Whose events these are.
        tracker: Name of the protocol; the same identity from two trackers is two events.
        visitor_key: The mini program's own key; visitor ids are stored as HMAC under it.
        now: Arrival, aware UTC.
        settings: For ``event_max_age_days``.
    """
    received_ms = int(now.timestamp() * 1000)
    oldest_ms = received_ms - settings.event_max_age_days * _DAY_MS
    latest_ms = received_ms + MAX_FUTURE_MS
    key_of, pseudonym = _keys(authorizer_id, tracker), _pseudonyms(visitor_key)
    rows: dict[bytes, tuple[Any, ...]] = {}
    rejected: list[Rejection] = []
    for index, event in events:
        identity, visitor, name, time_ms, entry, is_test, _user = event
        if time_ms < oldest_ms:
            rejected.append(Rejection(index, "too_old"))
            continue
        key = key_of(time_ms, identity)
        stored_ms = time_ms if time_ms <= latest_ms else received_ms
        text = None if entry is None else entry.stored
        state = TEST if is_test else REAL
        row = (key, authorizer_id, name, stored_ms, received_ms, pseudonym(visitor), text, state)
        rows.setdefault(key, row)
    # Sorted: two requests that share events then wait for each other in one direction only, and never deadlock.
    accepted = _insert(connection, sorted(rows.values()))
    return Acceptance(accepted, len(events) - len(rejected) - accepted, tuple(rejected))


def mark_active(connection: Connection, authorizer_id: int, now: dt.datetime) -> None:
    """Remember that a mini program sends events, at most once in :data:`ACTIVE_SECONDS`; the caller commits."""
    table = Authorizer.__table__
    fresh = dt.timedelta(seconds=ACTIVE_SECONDS)
    stale = is_over(table.c.last_event_at, now - fresh, lasts=fresh)
    connection.execute(update(table).where(table.c.id == authorizer_id, stale).values(last_event_at=now))


def _keys(authorizer_id: int, tracker: str) -> Callable[[int, str], bytes]:
    """Return what makes an event's key of its claimed time (not the stored one: a retry has the same) and identity."""
    start = hashlib.blake2b(f"{authorizer_id}:{tracker}\n".encode(), digest_size=_KEY_HASH_BYTES)

    def key(time_ms: int, identity: str) -> bytes:
        hasher = start.copy()
        hasher.update(identity.encode("utf-8", "surrogatepass"))
        return min(time_ms, _MAX_KEY_TIME_MS).to_bytes(_KEY_TIME_BYTES, "big") + hasher.digest()

    return key


def pseudonym_of(visitor_key: bytes, device: str) -> bytes:
    """Return what stands for a tracker's device id in our tables: 16 bytes of its hash under the mini program's key."""
    return _pseudonyms(visitor_key)(device)


def _pseudonyms(visitor_key: bytes) -> Callable[[str], bytes]:
    """
    Return HMAC-SHA256 under this key, cut to 16 bytes: ``hmac.digest`` with the key's two blocks hashed once.

    Half the time of ``hmac.digest`` (bench/collect.py). Source: RFC 2104, section 2.
    """
    key = visitor_key if len(visitor_key) <= _BLOCK_BYTES else hashlib.sha256(visitor_key).digest()
    block = key.ljust(_BLOCK_BYTES, b"\0")
    inner = hashlib.sha256(block.translate(_INNER))
    outer = hashlib.sha256(block.translate(_OUTER))

    def pseudonym(visitor: str) -> bytes:
        message, envelope = inner.copy(), outer.copy()
        message.update(visitor.encode("utf-8", "surrogatepass"))
        envelope.update(message.digest())
        return envelope.digest()[:_VISITOR_BYTES]

    return pseudonym


def _insert(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert what is not there yet and return how many rows that were."""
    pieces = [rows[start : start + _ROWS_PER_STATEMENT] for start in range(0, len(rows), _ROWS_PER_STATEMENT)]
    insert = _insert_at_once if connection.dialect.name == "postgresql" else _insert_alone
    return sum(insert(connection, piece) for piece in pieces)


# The driver's own statements: compiling a construct of this many values costs more than the insert itself.


def _insert_at_once(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert on PostgreSQL: exactly what this statement has stored begins to wait, whoever else stores the same."""
    found = connection.exec_driver_sql(_at_once(len(rows)), tuple(chain.from_iterable(rows)))
    return int(found.scalar() or 0)


def _insert_alone(connection: Connection, rows: Sequence[tuple[Any, ...]]) -> int:
    """Insert on SQLite, where this is the only writer from its first statement on."""
    waiting = tuple(chain.from_iterable([row[:2] for row in rows if row[-1] == REAL]))
    values = tuple(chain.from_iterable(rows))
    try:
        connection.exec_driver_sql(_stored("?", len(rows)), values)
    except IntegrityError:
        # Some are there already. Nearly never, and what is new could not be told from it afterwards.
        if waiting:
            connection.exec_driver_sql(_waiting(len(waiting) // 2, _IF_NEW), waiting)
        return int(connection.exec_driver_sql(_stored("?", len(rows)) + _OR_NOTHING, values).rowcount)
    if waiting:
        connection.exec_driver_sql(_waiting(len(waiting) // 2), waiting)
    return len(rows)


_OR_NOTHING = " ON CONFLICT (key) DO NOTHING"
_IF_NEW = f" WHERE NOT EXISTS (SELECT 1 FROM {StoredEvent.__tablename__} AS e WHERE e.key = w.column1)"  # noqa: S608


@lru_cache(maxsize=2 * _ROWS_PER_STATEMENT)
def _stored(mark: str, rows: int) -> str:
    row = f"({','.join([mark] * len(_COLUMNS))})"
    return f"INSERT INTO {StoredEvent.__tablename__} ({','.join(_COLUMNS)}) VALUES {','.join([row] * rows)}"  # noqa: S608


@lru_cache(maxsize=_ROWS_PER_STATEMENT)
def _at_once(rows: int) -> str:
    return (
        f"WITH stored AS ({_stored('%s', rows)}{_OR_NOTHING} RETURNING key, authorizer_id, state),"  # noqa: S608
        f" waiting AS (INSERT INTO {Pending.__tablename__} (key, authorizer_id)"
        f" SELECT key, authorizer_id FROM stored WHERE state = {REAL}{_OR_NOTHING})"
        " SELECT count(*) FROM stored"
    )


@lru_cache(maxsize=2 * _ROWS_PER_STATEMENT)
def _waiting(rows: int, condition: str = "") -> str:
    start = f"INSERT INTO {Pending.__tablename__} (key, authorizer_id)"
    values = f"VALUES {','.join(['(?,?)'] * rows)}"
    source = f"SELECT column1, column2 FROM ({values}) AS w{condition}" if condition else values  # noqa: S608
    return f"{start} {source}{_OR_NOTHING}"
