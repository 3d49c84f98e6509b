"""
Funnels: how many of the visitors who took a first step took the following ones, in order and in time.

Reading only. docs/numbers.md has the definition; ``journeys`` reads the events.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import groups, journeys
from fab_minicode.acquisition.answer import Freshness
from fab_minicode.acquisition.caps import EVENT
from fab_minicode.acquisition.conditions import conditions_of
from fab_minicode.acquisition.crowds import Segment
from fab_minicode.acquisition.freshness import freshness
from fab_minicode.acquisition.funnel_question import DEFINITION, FunnelQuestion
from fab_minicode.acquisition.journey_cell import FunnelCell, Place
from fab_minicode.acquisition.journeys import Journeys, Touches
from fab_minicode.acquisition.metrics import ATTRIBUTIONS, divided
from fab_minicode.acquisition.saved_segments import segment_named
from fab_minicode.acquisition.scope import Scope, write_step
from fab_minicode.acquisition.tally import bitmap
from fab_minicode.acquisition.vocabulary import Vocabulary
from fab_minicode.acquisition.windows import DAY_MS, Window
from fab_minicode.errors import InvalidInput
from fab_minicode.models.acquisition import Value
from fab_minicode.settings import Settings

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NOBODYS_EVENT = -1
"""Stands for a name that no event ever had."""


@dataclass(frozen=True)
class Step:
    """
    One step of a funnel in one group.

    Attributes:
        users: How many took it, and all before it.
        conversion: Their share of the first step's, None where nobody took that.
        step_conversion: Their share of the step's before; None as well.
        median_seconds: From the first step to this one; None for the first, and where nobody came.
    """

    users: int
    conversion: float | None
    step_conversion: float | None
    median_seconds: int | None

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        return {
            "users": self.users,
            "conversion": self.conversion,
            "step_conversion": self.step_conversion,
            "median_seconds": self.median_seconds,
        }


@dataclass(frozen=True)
class Funnel:
    """
    A funnel's answer.

    Attributes:
        question: What was asked.
        timezone: Where a day is a calendar day.
        window: When the first step was taken.
        is_complete: Whether the days after the window's last are over, too.
        rows: Keys of a group and its steps, the largest first; none without a dimension.
        totals: The steps of everybody.
        others: Those of the groups that the limit left out; None if there are none.
        freshness: Until when events are counted.
    """

    question: FunnelQuestion
    timezone: str
    window: Window
    is_complete: bool
    rows: tuple[tuple[dict[str, Any], tuple[Step, ...]], ...]
    totals: tuple[Step, ...]
    others: tuple[Step, ...] | None
    freshness: Freshness

    def as_json(self) -> dict[str, Any]:
        """Return the JSON of docs/api.md. Sentences are message ids in English."""
        days = {"since": self.window.since.isoformat(), "until": self.window.until.isoformat()}
        return {
            "window": {**days, "timezone": self.timezone},
            "within_days": self.question.within_days,
            "complete": self.is_complete,
            "steps": [write_step(step) for step in self.question.steps],
            "rows": [{**keys, "steps": _steps(steps)} for keys, steps in self.rows],
            "totals": {"steps": _steps(self.totals)},
            "others": None if self.others is None else {"steps": _steps(self.others)},
            "definitions": {"users": DEFINITION, "attribution": ATTRIBUTIONS[self.question.scope.attribution]},
            "freshness": self.freshness.as_json(),
        }


def _steps(steps: tuple[Step, ...]) -> list[dict[str, Any]]:
    return [step.as_json() for step in steps]


def count(
    connection: Connection, authorizer_id: int, question: FunnelQuestion, *, settings: Settings, now: dt.datetime
) -> Funnel:
    """
    Count a funnel.

    Args:
        connection: To read from; nothing is written.
        authorizer_id: Of the question's mini program.
        question: What is asked.
        settings: For the time zone and the retention of events.
        now: Aware UTC; decides what "today" is.

    Raises:
        InvalidInput: If the window begins before the first day whose events are still here, or a saved segment is
            not there.
    """
    scope = question.scope
    window = scope.period.resolve(now, settings.zone)
    walked = _walked(connection, authorizer_id, question, settings=settings, now=now)
    rows: list[tuple[dict[str, Any], tuple[Step, ...]]] = []
    others = None
    if scope.dimension:
        shown, is_cut = walked.shown(connection, scope)
        keys = groups.keys(connection, scope.dimension, shown)
        places = walked.places(shown)
        rows = [(keys[number], walked.steps(places[number])) for number in shown]
        others = walked.steps(~np.isin(walked.group, shown)) if is_cut else None
    totals = walked.steps(np.ones(len(walked.group), np.bool_))
    last_day = window.until + dt.timedelta(days=question.within_days)
    today = now.astimezone(settings.zone).date()
    fresh = freshness(connection, authorizer_id)
    return Funnel(question, settings.timezone, window, last_day < today, tuple(rows), totals, others, fresh)


def crowd_behind(
    connection: Connection,
    authorizer_id: int,
    question: FunnelQuestion,
    cell: FunnelCell,
    *,
    settings: Settings,
    now: dt.datetime,
) -> Any:
    """
    Return the visitors whom one number of a funnel counts, a bitmap; arguments and errors as of :func:`count`.
    """
    walked = _walked(connection, authorizer_id, question, settings=settings, now=now)
    which = walked.since[cell.step - 1] >= 0
    if cell.is_lost:
        which &= walked.since[cell.step] < 0
    which &= _inside_place(connection, authorizer_id, question, walked, cell.place)
    return bitmap(walked.visitor[which].astype(np.uint32))


def _inside_place(
    connection: Connection, authorizer_id: int, question: FunnelQuestion, walked: _Walked, place: Place
) -> Flags:
    """Return which visitors of a funnel stand in a line of its answer."""
    if place.is_others:
        return ~np.isin(walked.group, walked.shown(connection, question.scope)[0])
    if place.group is None:
        return np.ones(len(walked.group), np.bool_)
    (condition,) = conditions_of(connection, authorizer_id, (place.group,))
    meant = _meant(connection, authorizer_id, place.group.dimension)
    return np.isin(walked.group, [meant.get(number, number) for number in condition.numbers])


def refuse_purged(window: Window, today: dt.date, settings: Settings) -> None:
    """Refuse a window whose first days may have no single events any more."""
    back = (today - window.since).days
    if back > settings.event_retention_days:
        limit = settings.event_retention_days
        raise InvalidInput("window", "events_purged", limit=limit, actual=back, unit="days")


@dataclass(frozen=True)
class _Walked:
    """
    How far each visitor of a funnel came.

    Attributes:
        visitor: Their numbers.
        group: Number of the value of the dimension at the first step, one element per visitor.
        since: One array per step: milliseconds since the first step, -1 for who did not take it.
    """

    visitor: Numbers
    group: Numbers
    since: tuple[Numbers, ...]

    def shown(self, connection: Connection, scope: Scope) -> tuple[list[int], bool]:
        """Return the groups that the limit leaves, the largest first, and whether there are more."""
        values, sizes = np.unique(self.group, return_counts=True)
        by_value = dict(zip(values.tolist(), sizes.tolist(), strict=True))
        shown = groups.highest(connection, scope.dimension, by_value, scope.limit)
        return shown, len(shown) < len(by_value)

    def places(self, shown: list[int]) -> dict[int, Numbers]:
        """Return where the visitors of each group stand; one pass, because there may be thousands of groups."""
        order = np.argsort(self.group, kind="stable")
        sides = (np.searchsorted(self.group, shown, side=side, sorter=order) for side in ("left", "right"))
        return {number: order[first:last] for number, first, last in zip(shown, *sides, strict=True)}

    def steps(self, which: Numbers | Flags) -> tuple[Step, ...]:
        """Return the steps of some of the visitors."""
        found: list[Step] = []
        for place, column in enumerate(self.since):
            since = column[which]
            since = since[since >= 0]
            median = int(np.median(since) // 1000) if place and len(since) else None
            first, before = (found[0].users, found[-1].users) if found else (len(since), len(since))
            found.append(Step(len(since), divided(len(since), first), divided(len(since), before), median))
        return tuple(found)


def _walked(
    connection: Connection, authorizer_id: int, question: FunnelQuestion, *, settings: Settings, now: dt.datetime
) -> _Walked:
    scope = question.scope
    window = scope.period.resolve(now, settings.zone)
    refuse_purged(window, now.astimezone(settings.zone).date(), settings)
    segment = segment_named(connection, authorizer_id, scope.segment, window=window, settings=settings, now=now)
    return _walk(connection, authorizer_id, question, window, segment)


def _walk(
    connection: Connection, authorizer_id: int, question: FunnelQuestion, window: Window, segment: Segment
) -> _Walked:
    scope = question.scope
    numbers = _event_numbers(connection, authorizer_id, question)
    # A day more: a calendar day is not 24 hours when clocks change.
    until = window.until + dt.timedelta(days=question.within_days + 1)
    found = journeys.read(
        connection, authorizer_id, Window(window.since, until), numbers, attribution=scope.attribution
    )
    places = np.flatnonzero((found.event == numbers[0]) & (found.day < window.days.stop))
    places = places[inside(segment, found.visitor[places])]
    conditions = conditions_of(connection, authorizer_id, scope.filters)
    needed = [scope.dimension] if scope.dimension else []
    names = list(dict.fromkeys((*(one.dimension for one in conditions), *needed)))
    touches = Touches(connection, authorizer_id, names, attribution=scope.attribution)
    # First the filters, on all events; then the dimension, on one of each visitor.
    if conditions:
        values = touches.of(found, places, until=window.days.stop - 1)
        places = places[journeys.passing(values, names, conditions)]
    # Sorted by visitor and time: the first place of a visitor is the earliest step.
    firsts = places[np.diff(found.visitor[places], prepend=-1) != 0]
    group = np.zeros(len(firsts), np.int64)
    if scope.dimension:
        group = touches.of(found, firsts, until=window.days.stop - 1)[:, names.index(scope.dimension)]
        for number, meant in _meant(connection, authorizer_id, scope.dimension).items():
            group = np.where(group == number, meant, group)
    return _Walked(found.visitor[firsts], group, _since(found, firsts, numbers, question.within_days * DAY_MS))


def _meant(connection: Connection, authorizer_id: int, dimension: str) -> Mapping[int, int]:
    """Return the numbers of values that count as another one, with that one's."""
    return Vocabulary(connection, authorizer_id, [dimension]).numbers(dimension)


def _since(found: Journeys, firsts: Numbers, numbers: list[int], within_ms: int) -> tuple[Numbers, ...]:
    """Return for each step how long after the first each visitor took it."""
    start, at = found.time[firsts], firsts.copy()
    columns = [np.zeros(len(firsts), np.int64)]
    reached = np.arange(len(firsts))
    for number in numbers[1:]:
        events = np.flatnonzero(found.event == number)
        # The earliest such event after the step before, if it is the same visitor's and in time.
        next_places = np.append(events, -1)[np.searchsorted(events, at[reached], side="right")]
        own = next_places >= 0
        own &= found.visitor[next_places] == found.visitor[firsts[reached]] if len(found) else False
        own &= found.time[next_places] - start[reached] <= within_ms if len(found) else False
        reached, next_places = reached[own], next_places[own]
        at[reached] = next_places
        column = np.full(len(firsts), -1, np.int64)
        column[reached] = found.time[next_places] - start[reached]
        columns.append(column)
    return tuple(columns)


def inside(segment: Segment, visitors: Numbers) -> Flags:
    """Return which visitors belong to a segment."""
    if segment.crowd is None or not len(visitors):
        return np.ones(len(visitors), np.bool_)
    members = np.frombuffer(segment.crowd.to_array(), np.uint32)
    known = np.zeros(int(max(visitors.max(), members.max(initial=0))) + 1, np.bool_)
    known[members] = True
    return known[visitors] != segment.inverse


def _event_numbers(connection: Connection, authorizer_id: int, question: FunnelQuestion) -> list[int]:
    names = {step for step in question.steps if step is not None}
    columns = select(Value.value, Value.id).where(Value.authorizer_id == authorizer_id, Value.dimension == EVENT)
    rows = connection.execute(columns.where(Value.value.in_(names))).all() if names else []
    found = {str(name): int(number) for name, number in rows}
    return [0 if step is None else found.get(step, NOBODYS_EVENT) for step in question.steps]
