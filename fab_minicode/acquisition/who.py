"""
Who is behind a number: the visitors of one cell of an answer, and the story of one of them.

Visitors are pseudonyms here and stay it. Reading only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.asked import Asked
from fab_minicode.acquisition.cell import Cell
from fab_minicode.acquisition.crowds import EVERYBODY, everybody
from fab_minicode.acquisition.metrics import Metric
from fab_minicode.acquisition.pseudonyms import Known, pseudonym_of, visitor_named
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.timeline import Carried, Moment, event_names, moments_of
from fab_minicode.models.acquisition import Visitor
from fab_minicode.settings import Settings

PAGE = 50
EVENTS_PAGE = 200


@dataclass(frozen=True)
class Person:
    """
    One visitor, as far as anybody may know them.

    Attributes:
        pseudonym: Short and stable.
        first_seen: Aware UTC of the first visit ever; None for who never had one.
        first_touch: What that visit carried; None for nothing.
        last_touch: The latest touch among the events that are still kept; None for none.
        last_touch_at: When that was.
        visits: Among the events that are still kept.
        events: Custom events among these.
    """

    pseudonym: str
    first_seen: dt.datetime | None
    first_touch: Mapping[str, Any] | None
    last_touch: Mapping[str, Any] | None
    last_touch_at: dt.datetime | None
    visits: int
    events: int

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        return {
            "pseudonym": self.pseudonym,
            "first_seen": _text(self.first_seen),
            "first_touch": self.first_touch,
            "last_touch": self.last_touch,
            "last_touch_at": _text(self.last_touch_at),
            "visits": self.visits,
            "events": self.events,
        }


@dataclass(frozen=True)
class People:
    """A page of the visitors behind a number; ``count`` is all of them, ``since`` the first day with single events."""

    count: int
    page: int
    since: dt.date
    people: tuple[Person, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON of docs/api.md."""
        return {
            "count": self.count,
            "page": self.page,
            "page_size": PAGE,
            "events_since": self.since.isoformat(),
            "result": [one.as_json() for one in self.people],
        }


@dataclass(frozen=True)
class Story:
    """One visitor and a page of their events, the newest first; ``count`` is all that are kept."""

    person: Person
    count: int
    page: int
    since: dt.date
    events: tuple[Mapping[str, Any], ...]

    def as_json(self) -> dict[str, Any]:
        """Return the JSON of docs/api.md."""
        events = [{**one, "at": _text(one["at"])} for one in self.events]
        return {
            **self.person.as_json(),
            "events_since": self.since.isoformat(),
            "timeline": {"count": self.count, "page": self.page, "page_size": EVENTS_PAGE, "result": events},
        }


def _text(at: dt.datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")


def crowd_behind(
    connection: Connection, authorizer_id: int, question: Question, cell: Cell, *, settings: Settings, now: dt.datetime
) -> Any:
    """
    Return the visitors whom one number of an answer counts (or whose events it counts), a bitmap.

    Raises:
        InvalidInput: If a saved segment is not there.
    """
    if not cell.is_others:
        filters = question.filters + cell.filters
        question = replace(question, dimensions=(), filters=filters, metrics=(cell.metric,), segments=(cell.segment,))
    asked = Asked(connection, authorizer_id, question, settings=settings, now=now)
    reading = asked.read(question.period.resolve(now, settings.zone))
    part: Metric = cell.metric.counted[0]
    if cell.is_others:
        crowds = reading.all_but(set(asked.highest(reading)))(part)
    else:
        crowds = reading.here((), cell.bucket)(part) if cell.bucket else reading.group(())(part)
    segment = next((one for one in reading.segments if one.name == cell.segment), EVERYBODY)
    return segment.members(everybody(crowds))


def people(
    connection: Connection, authorizer_id: int, crowd: Any, *, page: int, settings: Settings, now: dt.datetime
) -> People:
    """Return a page of some visitors (a bitmap), the newest first."""
    count = len(crowd)
    end = max(0, count - page * PAGE)
    ids = crowd[max(0, end - PAGE) : end].to_array().tolist()[::-1] if end else []
    columns = (Visitor.id, Visitor.head, Visitor.tail, Visitor.first_ms, Visitor.first_context_id)
    rows = bulk.find(connection, Visitor.id, sorted(ids), columns, authorizer_id=authorizer_id)
    known = {row[0]: Known(*row) for row in rows}
    today = now.astimezone(settings.zone).date()
    moments = moments_of(connection, authorizer_id, ids, today)
    found = _persons(connection, [known[number] for number in ids if number in known], moments)
    return People(count, page, _since(settings, today), tuple(found))


def story(
    connection: Connection, authorizer_id: int, pseudonym: str, *, page: int, settings: Settings, now: dt.datetime
) -> Story:
    """
    Return one visitor's events.

    Raises:
        Missing: If nobody has this pseudonym.
    """
    known = visitor_named(connection, authorizer_id, pseudonym)
    today = now.astimezone(settings.zone).date()
    moments = moments_of(connection, authorizer_id, [known.id], today)
    person = _persons(connection, [known], moments)[0]
    shown = moments[::-1][page * EVENTS_PAGE : (page + 1) * EVENTS_PAGE]
    carried = Carried(connection, [one.context for one in shown])
    names = event_names(connection, [one.event for one in shown])
    events = [
        {
            "at": _instant(one.time_ms),
            "event": names.get(one.event) if one.event else None,
            "touch": carried.touch(one.context),
            "touch_is_own": one.is_touch,
            **carried.place(one.context),
        }
        for one in shown
    ]
    return Story(person, len(moments), page, _since(settings, today), tuple(events))


def _since(settings: Settings, today: dt.date) -> dt.date:
    return today - dt.timedelta(days=settings.event_retention_days)


def _persons(connection: Connection, visitors: list[Known], moments: list[Moment]) -> list[Person]:
    mine: dict[int, list[Moment]] = {}
    for moment in moments:
        mine.setdefault(moment.visitor, []).append(moment)
    touches = {number: [one for one in events if one.is_touch][-1:] for number, events in mine.items()}
    contexts = [one.context for latest in touches.values() for one in latest]
    carried = Carried(connection, [*contexts, *(one.first_context for one in visitors)])
    found = []
    for visitor in visitors:
        events, latest = mine.get(visitor.id, []), touches.get(visitor.id, [])
        visits = sum(not one.event for one in events)
        found.append(
            Person(
                pseudonym_of(visitor.head),
                None if visitor.first_ms is None else _instant(visitor.first_ms),
                carried.touch(visitor.first_context),
                carried.touch(latest[0].context) if latest else None,
                _instant(latest[0].time_ms) if latest else None,
                visits,
                len(events) - visits,
            )
        )
    return found


def _instant(time_ms: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(time_ms / 1000, dt.timezone.utc)
