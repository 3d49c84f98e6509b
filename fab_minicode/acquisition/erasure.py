"""
One visitor's rights: a copy of everything that is stored about them, and the removal of all of it.

Both are one transaction. Removal begins, like the roll-up, with the write that lets only one of them work at a time.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyroaring import BitMap
from sqlalchemy import delete, exists, select
from sqlalchemy.engine import Connection, Engine

from fab_minicode import audit
from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.conditions import names_of
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.facts import CONTEXT, TOUCH, SeriesKey, every
from fab_minicode.acquisition.ledger import Ledger, Part
from fab_minicode.acquisition.pseudonyms import Known, pseudonym_of, visitor_hashed
from fab_minicode.acquisition.rollup import be_alone
from fab_minicode.acquisition.tally import Tally, is_few, stored_visitors, unpack_few
from fab_minicode.acquisition.timeline import Carried, days_seen
from fab_minicode.actor import Actor
from fab_minicode.errors import MinicodeError, Missing
from fab_minicode.models import Attribution, Pending, StoredEvent, Value, Visitor
from fab_minicode.models.acquisition import TEST, UNQUEUED

_KEYS_PER_STATEMENT = 500
_LAST_DAY = dt.date(2199, 12, 31)


class Busy(MinicodeError):
    """The roll-up, or another erasure, works longer than the database waits."""

    status = 503
    code = "busy"


@dataclass(frozen=True)
class Erased:
    """Rows that were removed, and tallies that were changed."""

    events: int
    attributions: int
    tallies: int
    visitors: int


@dataclass(frozen=True)
class _Found:
    """A tally that counts the visitor, and how often."""

    key: SeriesKey
    day: int
    value: int
    times: int


def export_visitor(connection: Connection, authorizer_id: int, hashed: bytes) -> dict[str, Any]:
    """
    Return everything that is stored about one visitor, as JSON can hold it.

    Args:
        connection: To read from, in one transaction.
        authorizer_id: Of the mini program.
        hashed: The keyed hash of the device id (``accept.pseudonym_of``).

    Raises:
        Missing: If nothing is stored.
    """
    events = [_event_json(row) for row in connection.execute(_events_of(authorizer_id, hashed))]
    known = visitor_hashed(connection, authorizer_id, hashed)
    if known is None and not events:
        raise Missing("visitor")
    found: dict[str, Any] = {"hash": hashed.hex(), "events": sorted(events, key=lambda one: one["at"])}
    if known is None:
        return found
    first = Carried(connection, [known.first_context])
    return {
        "pseudonym": pseudonym_of(known.head),
        "number": known.id,
        "first_visit": known.first_ms and _instant(known.first_ms),
        "first_touch": first.touch(known.first_context),
        **found,
        "attributions": _attributions_json(connection, authorizer_id, known),
        "counted_in": _counted_json(connection, list(_facts_with(connection, authorizer_id, known))),
    }


def erase_visitor(engine: Engine, authorizer_id: int, hashed: bytes, *, actor: Actor, now: dt.datetime) -> Erased:
    """
    Remove everything that is stored about one visitor: rows, and their number in every tally.

    What a device sends afterwards belongs to a new visitor.

    Args:
        engine: Where the tables are; a transaction of its own is used.
        authorizer_id: Of the mini program.
        hashed: The keyed hash of the device id (``accept.pseudonym_of``).
        actor: Who does it, for the audit.
        now: Aware UTC.

    Raises:
        Missing: If nothing is stored.
        Busy: If SQLite's write lock is taken for longer than the engine waits.
    """
    with engine.begin() as connection:
        if not be_alone(connection, now):
            raise Busy("the roll-up is at work")
        known = visitor_hashed(connection, authorizer_id, hashed)
        events = _erase_events(connection, authorizer_id, hashed)
        if known is None and not events:
            raise Missing("visitor")
        erased = Erased(events, 0, 0, 0) if known is None else _erase(connection, authorizer_id, known, events)
        detail = {"events": erased.events, "attributions": erased.attributions, "tallies": erased.tallies}
        audit.record(
            connection, "erased", audit.Subject("visitor"), actor=actor, now=now, authorizer_id=authorizer_id,
            detail=detail,
        )  # fmt: skip
        return erased


def _erase_events(connection: Connection, authorizer_id: int, hashed: bytes) -> int:
    """Remove raw events, those that wait to be counted too; what is accepted meanwhile stays, with its place there."""
    keys = [row.key for row in connection.execute(_events_of(authorizer_id, hashed))]
    for begin in range(0, len(keys), _KEYS_PER_STATEMENT):
        some = keys[begin : begin + _KEYS_PER_STATEMENT]
        for table in (Pending, StoredEvent):
            connection.execute(delete(table.__table__).where(table.key.in_(some)))
    return len(keys)


def _erase(connection: Connection, authorizer_id: int, known: Known, events: int) -> Erased:
    found = list(_facts_with(connection, authorizer_id, known))
    _write_without(connection, authorizer_id, found, known.id)
    days = sorted({one.day for one in found})
    attributions = 0
    for day in days:
        of_day = (Attribution.authorizer_id == authorizer_id, Attribution.day == day)
        statement = delete(Attribution.__table__).where(*of_day, Attribution.visitor_id == known.id)
        attributions += connection.execute(statement).rowcount
    row = (Visitor.authorizer_id == authorizer_id, Visitor.head == known.head, Visitor.tail == known.tail)
    visitors = connection.execute(delete(Visitor.__table__).where(*row)).rowcount
    return Erased(events, attributions, len(found), visitors)


def _write_without(connection: Connection, authorizer_id: int, found: Sequence[_Found], visitor: int) -> None:
    ledger = Ledger(connection, authorizer_id)
    none = np.zeros(0, np.int64)
    together: dict[tuple[SeriesKey, int], list[_Found]] = defaultdict(list)
    for one in found:
        together[one.key, one.day].append(one)
    for (key, day), tallies in together.items():
        values = np.repeat([one.value for one in tallies], [one.times for one in tallies]).astype(np.int64)
        ledger.add(key, day, Part(none, none), Part(values, np.full(len(values), visitor)))
    ledger.write()


def _facts_with(connection: Connection, authorizer_id: int, known: Known) -> Iterator[_Found]:
    """Return every tally that counts a visitor: of all series, on the days on which they were seen."""
    alone = BitMap([known.id])
    for day in sorted(days_seen(connection, authorizer_id, alone, _LAST_DAY)):
        for key, rows in every(connection, authorizer_id, range(day, day + 1)):
            for _, value, stored in rows:
                if _counts(stored, known.id):
                    yield _Found(key, day, value, Tally.unpack(stored).times(alone))


def _counts(stored: bytes, visitor: int) -> bool:
    """Whether a stored tally counts a visitor; most do not, and how often the others were counted is not opened."""
    return bool((unpack_few(stored) == visitor).any()) if is_few(stored) else visitor in stored_visitors(stored)


def _events_of(authorizer_id: int, hashed: bytes) -> Any:
    is_waiting = exists().where(Pending.key == StoredEvent.key).label("is_waiting")
    return select(StoredEvent.__table__, is_waiting).where(
        StoredEvent.authorizer_id == authorizer_id, StoredEvent.visitor == hashed
    )


def _event_json(row: Any) -> dict[str, Any]:
    waits = row.is_waiting or row.state == UNQUEUED
    return {
        "key": bytes(row.key).hex(),
        "event": row.name,
        "at": _instant(row.time_ms),
        "received_at": _instant(row.received_ms),
        "carried": row.entry and json.loads(row.entry),
        "state": "test" if row.state == TEST else "waiting" if waits else "counted",
    }


def _attributions_json(connection: Connection, authorizer_id: int, known: Known) -> list[dict[str, Any]]:
    rows: list[Any] = []
    for day in days_seen(connection, authorizer_id, BitMap([known.id]), _LAST_DAY):
        of_day = (Attribution.authorizer_id == authorizer_id, Attribution.day == day)
        columns = select(Attribution.__table__).where(*of_day, Attribution.visitor_id == known.id)
        rows += connection.execute(columns).all()
    carried = Carried(connection, [number for row in rows for number in (row.context_id, row.entry_context_id)])
    names = dict(bulk.find(connection, Value.id, sorted({row.event_id for row in rows}), (Value.id, Value.value)))
    return [
        {
            "at": _instant(row.time_ms),
            "event": names.get(row.event_id),
            "touch": carried.touch(row.context_id),
            **carried.place(row.context_id),
            "route": row.route,
            "entry_touch": carried.touch(row.entry_context_id),
        }
        for row in sorted(rows, key=lambda row: row.time_ms)
    ]


def _counted_json(connection: Connection, found: Sequence[_Found]) -> list[dict[str, Any]]:
    """Return in which numbers a visitor is counted."""
    names = {
        name: names_of(connection, name, [one.value for one in found if one.key.dimension == name]) for name in NAMES
    }
    counted = []
    for one in found:
        key, value = one.key, names.get(one.key.dimension, {}).get(one.value)
        shown = one.value if key.dimension in (TOUCH, CONTEXT) else value[0] if isinstance(value, tuple) else value
        counted.append(
            {
                "day": dt.date.fromordinal(one.day).isoformat(),
                "event": key.event,
                "route": key.route,
                "dimension": key.dimension,
                "value": shown,
                "times": one.times,
            }
        )
    return counted


def _instant(time_ms: int) -> str:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.timezone.utc).isoformat(timespec="milliseconds")
