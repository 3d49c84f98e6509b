"""
Upkeep of what is stored: sealing secrets anew after a key change, removing old raw events. No Flask.

Both work in short transactions of their own, so that a running host is not held up, and both may be stopped and
started again at any point. The audit's row is written in the last of them: what a stopped run did is done, and told by
the run that ends.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import Column, Table, delete, exists, func, select, tuple_, update
from sqlalchemy.engine import Connection, Engine

from fab_minicode import audit
from fab_minicode.actor import SYSTEM, Actor
from fab_minicode.errors import SecretUnreadable
from fab_minicode.models import (
    Attribution,
    Authorizer,
    Base,
    Fact,
    FactPage,
    Ghost,
    IdempotencyKey,
    Pending,
    Series,
    StoredEvent,
)
from fab_minicode.models.vocabulary import GHOST
from fab_minicode.vault import Vault

_BATCH_ROWS = 500
_BATCH_EVENTS = 5_000
IDEMPOTENCY_DAYS = 30
"""Days a REST create is remembered under its key."""

GHOST_DAYS = 32
"""Days a scene that no code has is remembered after its last visit; pages show 30."""


@dataclass(frozen=True)
class Rotation:
    """Sealed texts by what was found: under the newest key already, under an older one, or under none of ours."""

    newest: int = 0
    older: int = 0
    unreadable: int = 0


def sealed_columns() -> tuple[Column[Any], ...]:
    """Return every column that holds vault texts: those named ``sealed_*``."""
    tables = Base.metadata.sorted_tables
    return tuple(column for table in tables for column in table.columns if column.name.startswith("sealed_"))


def sealed_texts(engine: Engine, vault: Vault) -> Rotation:
    """Count the stored secrets by the key that opens them; nothing is written."""
    counted = Rotation()
    for column in sealed_columns():
        for rows in _batches(engine, column):
            counted, _ = _sealed_anew(vault, column, rows, counted)
    return counted


def rotate_keys(engine: Engine, vault: Vault, *, now: dt.datetime, actor: Actor = SYSTEM) -> Rotation:
    """
    Seal every stored secret with the newest key.

    A text is replaced only if it still is what was read: one that changed meanwhile is sealed with the newest key
    already. Texts that no key opens are left alone and counted.
    """
    counted, last = Rotation(), list[_Replacement]()
    for column in sealed_columns():
        for rows in _batches(engine, column):
            counted, anew = _sealed_anew(vault, column, rows, counted)
            if anew:
                with engine.begin() as connection:
                    _replace(connection, last)
                last = anew
    with engine.begin() as connection:
        _replace(connection, last)
        detail = {"sealed_anew": counted.older, "unreadable": counted.unreadable}
        audit.record(connection, "rotated", audit.Subject("secrets"), actor=actor, now=now, detail=detail)
    return counted


def _batches(engine: Engine, column: Column[Any]) -> Iterator[list[Any]]:
    keys = list(column.table.primary_key.columns)
    after: tuple[Any, ...] | None = None
    while True:
        statement = select(*keys, column).where(column.is_not(None)).order_by(*keys).limit(_BATCH_ROWS)
        if after is not None:
            statement = statement.where(tuple_(*keys) > after)
        with engine.connect() as connection:
            rows = connection.execute(statement).all()
        if not rows:
            return
        yield rows
        after = tuple(rows[-1])[:-1]


class _Replacement(NamedTuple):
    column: Column[Any]
    key: tuple[Any, ...]
    before: str
    after: str


def _sealed_anew(
    vault: Vault, column: Column[Any], rows: list[Any], counted: Rotation
) -> tuple[Rotation, list[_Replacement]]:
    """Add a batch to what was counted, and seal with the newest key what an older one sealed."""
    found: list[_Replacement] = []
    newest = unreadable = 0
    for *key, sealed in rows:
        if vault.is_newest(sealed):
            newest += 1
            continue
        try:
            found.append(_Replacement(column, tuple(key), sealed, vault.rotate(sealed)))
        except SecretUnreadable:
            unreadable += 1
    told = Rotation(counted.newest + newest, counted.older + len(found), counted.unreadable + unreadable)
    return told, found


def _replace(connection: Connection, replacements: list[_Replacement]) -> None:
    for column, key, before, after in replacements:
        table: Table = column.table
        same_row = [known == value for known, value in zip(table.primary_key.columns, key, strict=True)]
        connection.execute(update(table).where(*same_row, column == before).values({column.name: after}))


@dataclass(frozen=True)
class Purged:
    """Rows that were removed."""

    events: int
    idempotency_keys: int
    ghosts: int = 0


def purge(engine: Engine, *, retention_days: int, now: dt.datetime, actor: Actor = SYSTEM) -> Purged:
    """
    Remove raw events older than ``retention_days`` that are counted (or test traffic), what was decided about them,
    and old idempotency keys; of scenes that no code has, what is older than :data:`GHOST_DAYS`.

    The numbers stay: they are read from the tallies. Events that wait for the roll-up are never removed.
    """
    oldest = now - dt.timedelta(days=retention_days)
    oldest_ms = int(oldest.timestamp() * 1000)
    # The key begins with the time that the phone claimed, so the oldest rows stand together at one end, and those of
    # clocks that were ahead (stored with their arrival) at the other (models/acquisition.py).
    claimed_long_ago = StoredEvent.key < _key_of(oldest_ms)
    claimed_ahead = StoredEvent.key >= _key_of(int(now.timestamp() * 1000))
    events = _purge_events(engine, claimed_long_ago, oldest_ms) + _purge_events(engine, claimed_ahead, oldest_ms)
    _purge_attributions(engine, oldest.date().toordinal() - 1)
    since = now - dt.timedelta(days=IDEMPOTENCY_DAYS)
    keys = _execute(engine, delete(IdempotencyKey).where(IdempotencyKey.created_at < since))
    with engine.begin() as connection:
        ghosts = _purge_ghosts(connection, now - dt.timedelta(days=GHOST_DAYS))
        detail = {"days": retention_days, "events": events}
        audit.record(connection, "purged", audit.Subject("events"), actor=actor, now=now, detail=detail)
    return Purged(events, keys, ghosts)


def _purge_ghosts(connection: Connection, before: dt.datetime) -> int:
    """Forget scenes that nobody adopted and nobody carried since, and who carried any before; no page shows those."""
    series = select(Series.id).where(Series.event == GHOST)
    for table in (Fact, FactPage):
        _run(connection, delete(table).where(table.series_id.in_(series), table.day < before.date().toordinal() - 1))
    old = (Ghost.code_id.is_(None), Ghost.last_ms < int(before.timestamp() * 1000))
    return _run(connection, delete(Ghost).where(*old))


def _key_of(time_ms: int) -> bytes:
    return max(time_ms, 0).to_bytes(6, "big")


def _purge_events(engine: Engine, where: Any, oldest_ms: int) -> int:
    waits = exists().where(Pending.key == StoredEvent.key)
    old = select(StoredEvent.key).where(where, StoredEvent.time_ms < oldest_ms, ~waits).limit(_BATCH_EVENTS)
    events = 0
    while removed := _execute(engine, delete(StoredEvent).where(StoredEvent.key.in_(old))):
        events += removed
    return events


def _purge_attributions(engine: Engine, before_day: int) -> None:
    """Remove the decisions of the days before ``before_day``, one mini program and day at a time."""
    with engine.connect() as connection:
        authorizers = connection.execute(select(Authorizer.id)).scalars().all()
    for authorizer_id in authorizers:
        while (day := _first_day(engine, authorizer_id)) is not None and day < before_day:
            of_day = (Attribution.authorizer_id == authorizer_id, Attribution.day == day)
            _execute(engine, delete(Attribution).where(*of_day))


def _first_day(engine: Engine, authorizer_id: int) -> int | None:
    with engine.connect() as connection:
        first = select(func.min(Attribution.day)).where(Attribution.authorizer_id == authorizer_id)
        day: int | None = connection.execute(first).scalar()
        return day


def _execute(engine: Engine, statement: Any) -> int:
    with engine.begin() as connection:
        return _run(connection, statement)


def _run(connection: Connection, statement: Any) -> int:
    removed: int = connection.execute(statement, execution_options={"synchronize_session": False}).rowcount
    return removed
