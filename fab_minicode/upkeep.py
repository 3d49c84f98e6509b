"""
Upkeep of what is stored: sealing secrets anew after a key change, removing old raw events. No Flask.

Both work in short transactions of their own, so that a running host is not held up, and both may be stopped and
started again at any point.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Column, Table, delete, func, select, tuple_, update
from sqlalchemy.engine import Engine

from fab_minicode.errors import SecretUnreadable
from fab_minicode.models import (
    Attribution,
    Authorizer,
    Base,
    Fact,
    FactPage,
    Ghost,
    IdempotencyKey,
    Series,
    StoredEvent,
)
from fab_minicode.models.acquisition import PENDING
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


def rotate_keys(engine: Engine, vault: Vault, *, write: bool) -> Rotation:
    """
    Seal every stored secret with the newest key, or only count.

    A text is replaced only if it still is what was read: one that changed meanwhile is sealed with the newest key
    already. Texts that no key opens are left alone and counted.
    """
    counted = Rotation()
    for column in sealed_columns():
        for rows in _batches(engine, column):
            for *key, sealed in rows:
                counted = _rotate_one(engine, vault, column, tuple(key), sealed, counted=counted, write=write)
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


def _rotate_one(
    engine: Engine,
    vault: Vault,
    column: Column[Any],
    key: tuple[Any, ...],
    sealed: str,
    *,
    counted: Rotation,
    write: bool,
) -> Rotation:
    if vault.is_newest(sealed):
        return replace(counted, newest=counted.newest + 1)
    try:
        anew = vault.rotate(sealed)
    except SecretUnreadable:
        return replace(counted, unreadable=counted.unreadable + 1)
    if write:
        table: Table = column.table
        same_row = [known == value for known, value in zip(table.primary_key.columns, key, strict=True)]
        with engine.begin() as connection:
            connection.execute(update(table).where(*same_row, column == sealed).values({column.name: anew}))
    return replace(counted, older=counted.older + 1)


@dataclass(frozen=True)
class Purged:
    """Rows that were removed."""

    events: int
    idempotency_keys: int
    ghosts: int = 0


def purge(engine: Engine, *, retention_days: int, now: dt.datetime) -> Purged:
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
    return Purged(events, keys, _purge_ghosts(engine, now - dt.timedelta(days=GHOST_DAYS)))


def _purge_ghosts(engine: Engine, before: dt.datetime) -> int:
    """Forget scenes that nobody adopted and nobody carried since, and who carried any before; no page shows those."""
    series = select(Series.id).where(Series.event == GHOST)
    for table in (Fact, FactPage):
        _execute(engine, delete(table).where(table.series_id.in_(series), table.day < before.date().toordinal() - 1))
    old = (Ghost.code_id.is_(None), Ghost.last_ms < int(before.timestamp() * 1000))
    return _execute(engine, delete(Ghost).where(*old))


def _key_of(time_ms: int) -> bytes:
    return max(time_ms, 0).to_bytes(6, "big")


def _purge_events(engine: Engine, where: Any, oldest_ms: int) -> int:
    old = (
        select(StoredEvent.key)
        .where(where, StoredEvent.time_ms < oldest_ms, StoredEvent.state != PENDING)
        .limit(_BATCH_EVENTS)
    )
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
        removed: int = connection.execute(statement, execution_options={"synchronize_session": False}).rowcount
        return removed
