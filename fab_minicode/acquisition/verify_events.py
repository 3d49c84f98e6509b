"""
Raw events against decisions, event by event: each has exactly one, with the context that its entry asks for, and no
visit lies before its visitor's first.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import and_, exists, or_, select, text
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.caps import TOO_MANY
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.verify_words import Difference, Place, Texts
from fab_minicode.models import Attribution, Code, Context, Pending, StoredEvent, Value, Visitor
from fab_minicode.models.acquisition import CARRIED, OWN, REAL

_BATCH = 5_000
_DAY_MS = 86_400_000
_EVENT = (StoredEvent.key, StoredEvent.time_ms, StoredEvent.visitor, StoredEvent.name, StoredEvent.entry)
_UTM = ("utm_source", "utm_campaign", "utm_medium", "utm_content", "utm_term")
"""In the order of an entry (``trackers.events.Entry.stored``)."""


@dataclass(frozen=True)
class First:
    """A visitor's first visit as it is stored."""

    time_ms: int
    context: int


class Decision(NamedTuple):
    """What was decided about one event."""

    visitor: int
    time_ms: int
    tail: int
    event_id: int
    context: int
    route: int


def span_ms(day: dt.date, zone: ZoneInfo) -> tuple[int, int]:
    """Return instants between which a calendar day surely lies: three hours more on both sides, for clock changes."""
    start = int(dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)
    return start - _DAY_MS // 8, start + _DAY_MS + _DAY_MS // 8


def is_on(day: dt.date, time_ms: int, zone: ZoneInfo) -> bool:
    """Whether an instant falls on a calendar day."""
    return dt.datetime.fromtimestamp(time_ms / 1000, zone).date() == day


def first_visits(connection: Connection, place: Place, zone: ZoneInfo) -> dict[int, First]:
    """Return the visitors whose first visit ever is stored as of this day."""
    columns = select(Visitor.id, Visitor.first_ms, Visitor.first_context_id)
    mine = columns.where(
        Visitor.authorizer_id == place.authorizer_id, Visitor.first_ms.between(*span_ms(place.day, zone))
    )
    return {
        visitor: First(time_ms, context)
        for visitor, time_ms, context in connection.execute(mine)
        if is_on(place.day, time_ms, zone)
    }


def event_differences(
    connection: Connection, place: Place, texts: Texts, first: Mapping[int, First], zone: ZoneInfo
) -> Iterator[Difference]:
    """Compare the day's raw events with its decisions, batch by batch."""
    decided, confirmed = 0, set()
    for events in _batches(connection, place, zone):
        batch = _Batch(connection, place, texts, events)
        for event in events:
            fault = batch.fault(event)
            if fault is not None:
                yield _single(place, event[0].hex(), fault)
        decided += batch.decided
        confirmed |= batch.first_confirmed
    statement = "SELECT COUNT(*) FROM minicode_attributions WHERE authorizer_id = :authorizer_id AND day = :day"
    rows = connection.execute(text(statement), place.bind()).scalar() or 0
    if rows != decided:
        yield _single(place, "all", (f"{rows} decisions", f"{decided} events that have one"))
    for visitor in sorted(first.keys() - confirmed):
        yield _single(place, f"visitor {visitor}", ("a first visit on this day", "no such visit"))


def _single(place: Place, what: str, fault: tuple[str, str]) -> Difference:
    return Difference(place.appid, place.day, "event", "-", "decision", what, *fault)


def _batches(connection: Connection, place: Place, zone: ZoneInfo) -> Iterator[list[Any]]:
    """Read the day's counted events in batches."""
    begin, end = span_ms(place.day, zone)
    low, high = (max(at, 0).to_bytes(6, "big") for at in (begin, end))
    # A key begins with the time that the phone claimed; one that was ahead is stored with its arrival.
    ahead = and_(
        StoredEvent.key >= high,
        StoredEvent.time_ms == StoredEvent.received_ms,
        StoredEvent.time_ms.between(begin, end),
    )
    waits = exists().where(Pending.key == StoredEvent.key)
    mine = and_(StoredEvent.authorizer_id == place.authorizer_id, StoredEvent.state == REAL, ~waits)
    wanted = select(*_EVENT).where(mine, or_(and_(StoredEvent.key >= low, StoredEvent.key < high), ahead))
    wanted = wanted.where(StoredEvent.key >= low)
    found = connection.execute(wanted.execution_options(stream_results=True))
    batch = []
    for key, time_ms, visitor, name, entry in found:
        if is_on(place.day, time_ms, zone):
            batch.append((bytes(key), time_ms, bytes(visitor), name, entry))
            if len(batch) == _BATCH:
                yield batch
                batch = []
    if batch:
        yield batch


class _Batch:
    """Some raw events and everything that was decided about them."""

    def __init__(self, connection: Connection, place: Place, texts: Texts, events: Sequence[Any]) -> None:
        self._connection, self._place, self._texts = connection, place, texts
        self.decided = 0
        self.first_confirmed: set[int] = set()
        heads = sorted({_signed(event[2][:8]) for event in events})
        columns = (Visitor.head, Visitor.tail, Visitor.id, Visitor.first_ms, Visitor.first_context_id)
        owner = {"authorizer_id": place.authorizer_id}
        self._visitors = {
            (head, tail): (number, first_ms, context)
            for head, tail, number, first_ms, context in bulk.find(connection, Visitor.head, heads, columns, **owner)
        }
        numbers = sorted({number for number, *_ in self._visitors.values()})
        decisions = (
            Attribution.visitor_id, Attribution.time_ms, Attribution.key_tail, Attribution.event_id,
            Attribution.context_id, Attribution.route,
        )  # fmt: skip
        of_day = bulk.find(connection, Attribution.visitor_id, numbers, decisions, day=place.day.toordinal(), **owner)
        self._decisions = {tuple(row[:3]): Decision(*row) for row in of_day}
        self._contexts = self._read_contexts()
        self._entries: dict[str, list[Any]] = {}

    def fault(self, event: Any) -> tuple[str, str] | None:
        """Return what is stored about an event and what should be, None where they agree."""
        key, time_ms, visitor, name, entry = event
        number, first_ms, first_context = self._visitors.get(_halves(visitor), (0, None, None))
        decision = self._decisions.get((number, time_ms, _signed(key[8:])))
        if decision is None:
            return "no decision", "one decision"
        self.decided += 1
        ids = self._texts.event_ids
        if decision.event_id not in (ids.get(name, -1), ids.get(TOO_MANY, -1) if name else 0):
            return self._texts.event(decision.event_id), f"event:{name}" if name else "visit"
        if name is not None:
            return None
        if first_ms is None or first_ms > time_ms:
            return "a later first visit of its visitor", "this one"
        own = self._contexts[decision.context]
        if decision.route == CARRIED:
            own = own._replace(code=None, **dict.fromkeys(_UTM, ""))
        if first_ms == time_ms and self._contexts.get(first_context) == own:
            self.first_confirmed.add(number)
        return self._context_fault(decision, own, self._entry(entry))

    def _context_fault(self, decision: Decision, own: Carried, entry: list[Any]) -> tuple[str, str] | None:
        page, scene, *utm, short_key, match_key = entry[:9]
        has_scene = bool(short_key or entry[9:])
        place = own.landing_page, own.scene
        if place != _bounded(place, (page or "", scene or "")):
            return f"{own.landing_page!r}, {own.scene!r}", f"{page!r}, {scene!r}"
        if decision.route == CARRIED:
            return ("no touch of its own", repr(utm)) if utm[0] else None
        found = tuple(getattr(own, name) for name in _UTM)
        # A scene gives its code's values (whose, may have been decided by an adoption), else the query's own count.
        expected = [*own.code.utm] if own.code is not None and has_scene and own.code.match_key != match_key else utm
        if decision.route != OWN or found != _bounded(found, expected):
            return repr(found), repr(expected)
        return None

    def _entry(self, stored: str) -> list[Any]:
        if stored not in self._entries:
            self._entries[stored] = json.loads(stored)
        return self._entries[stored]

    def _read_contexts(self) -> dict[int, Carried]:
        numbers = {one.context for one in self._decisions.values() if one.event_id == 0}
        numbers |= {context for _, _, context in self._visitors.values() if context}
        columns = (Context.id, *(getattr(Context, name) for name in NAMES))
        rows = bulk.find(self._connection, Context.id, sorted(numbers), columns)
        at = NAMES.index("code")
        values = sorted({value for _, *row in rows for place, value in enumerate(row) if place != at} - {0})
        texts = dict(bulk.find(self._connection, Value.id, values, (Value.id, Value.value)))
        codes = self._codes(sorted({row[1 + at] for row in rows} - {0}))
        found = {}
        for number, *row in rows:
            named = dict(zip(NAMES, row, strict=True))
            code = codes.get(named.pop("code"))
            found[number] = Carried(code=code, **{name: texts.get(one, "") for name, one in named.items()})
        return found

    def _codes(self, numbers: Sequence[int]) -> dict[int, Known]:
        columns = (Code.id, Code.match_key, *(getattr(Code, name) for name in _UTM))
        return {row[0]: Known(row[1], tuple(row[2:])) for row in bulk.find(self._connection, Code.id, numbers, columns)}


class Known(NamedTuple):
    """A code: its match key ("" for a B code), and its UTM values in the order of an entry."""

    match_key: str
    utm: tuple[str, ...]


class Carried(NamedTuple):
    """A context in words."""

    utm_source: str
    utm_campaign: str
    utm_content: str
    utm_term: str
    utm_medium: str
    code: Known | None
    landing_page: str
    scene: str


def _bounded(found: Sequence[str], expected: Sequence[str]) -> tuple[str, ...]:
    """Return what is expected, where it was within the bound (``acquisition.caps``)."""
    return tuple(one if one == TOO_MANY else other for one, other in zip(found, expected, strict=True))


def _halves(visitor: bytes) -> tuple[int, int]:
    return _signed(visitor[:8]), _signed(visitor[8:])


def _signed(half: bytes) -> int:
    return int.from_bytes(half, "big", signed=True)
