"""
Retention: how many of those who started on a day came back on day 1, 2, … after it.

Counted from the facts alone: unions of a day's tallies, and intersections of two days. Reading only.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pyroaring import BitMap
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import groups
from fab_minicode.acquisition.answer import Freshness
from fab_minicode.acquisition.conditions import conditions_of
from fab_minicode.acquisition.crowds import Crowd
from fab_minicode.acquisition.facts import TOUCH
from fab_minicode.acquisition.freshness import freshness
from fab_minicode.acquisition.journey_cell import Place, RetentionCell
from fab_minicode.acquisition.metrics import ATTRIBUTIONS, VISIT
from fab_minicode.acquisition.plan import READS, Plan
from fab_minicode.acquisition.retention_question import RETURN_DEFINITION, STARTS, RetentionQuestion
from fab_minicode.acquisition.saved_segments import segment_named
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.windows import Window
from fab_minicode.settings import Settings

Starts = Mapping[int, Any]
"""Ordinal of a day -> who started on it, a bitmap."""


@dataclass(frozen=True)
class Kept:
    """
    A cohort, and how many of it came back.

    Attributes:
        keys: What the cohort is: its day or its group; nothing for everybody.
        starts: Visitors, each once for every day on which they started.
        returned: By day after the start: (how many came back, of how many whose day is over); None where none is over.
    """

    keys: Mapping[str, Any]
    starts: int
    returned: tuple[tuple[int, int] | None, ...]

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        cells = [None if cell is None else {"users": cell[0], "of": cell[1]} for cell in self.returned]
        return {**self.keys, "starts": self.starts, "returned": cells}


@dataclass(frozen=True)
class Retention:
    """
    A retention's answer: ``rows`` by day of the start, or by group, the largest first.

    ``others`` are the groups that the limit left out, None if there are none; ``freshness`` says until when events are
    counted.
    """

    question: RetentionQuestion
    timezone: str
    window: Window
    rows: tuple[Kept, ...]
    totals: Kept
    others: Kept | None
    freshness: Freshness

    def as_json(self) -> dict[str, Any]:
        """Return the JSON of docs/api.md. Sentences are message ids in English."""
        question = self.question
        days = {"since": self.window.since.isoformat(), "until": self.window.until.isoformat()}
        return {
            "window": {**days, "timezone": self.timezone},
            "days": question.days,
            "rows": [row.as_json() for row in self.rows],
            "totals": self.totals.as_json(),
            "others": None if self.others is None else self.others.as_json(),
            "definitions": {
                "starts": STARTS[question.start],
                "returned": RETURN_DEFINITION,
                "attribution": ATTRIBUTIONS[question.scope.attribution],
            },
            "freshness": self.freshness.as_json(),
        }


def count(
    connection: Connection, authorizer_id: int, question: RetentionQuestion, *, settings: Settings, now: dt.datetime
) -> Retention:
    """
    Count who comes back.

    Args:
        connection: To read from; nothing is written.
        authorizer_id: Of the question's mini program.
        question: What is asked.
        settings: For the time zone.
        now: Aware UTC; a day that is not over at this instant has no returns yet.

    Raises:
        InvalidInput: If a saved segment is not there.
    """
    scope = question.scope
    window = scope.period.resolve(now, settings.zone)
    starts = _starts(connection, authorizer_id, question, settings=settings, now=now)
    back = _Back(connection, authorizer_id, question, settings=settings, now=now)
    totals = back.kept({}, _united(starts.values()))
    rows: list[Kept] = []
    others = None
    if scope.dimension:
        shown, is_cut = _shown(connection, question, starts)
        keys = groups.keys(connection, scope.dimension, shown)
        rows = [back.kept(keys[number], starts[number]) for number in shown]
        if is_cut:
            others = back.kept({}, _united(days for number, days in starts.items() if number not in shown))
    else:
        everybody = starts.get(0, {})
        for day in window.days:
            cohort = {day: everybody[day]} if day in everybody else {}
            rows.append(back.kept({"day": dt.date.fromordinal(day).isoformat()}, cohort, day))
    fresh = freshness(connection, authorizer_id)
    return Retention(question, settings.timezone, window, tuple(rows), totals, others, fresh)


def crowd_behind(
    connection: Connection,
    authorizer_id: int,
    question: RetentionQuestion,
    cell: RetentionCell,
    *,
    settings: Settings,
    now: dt.datetime,
) -> Any:
    """
    Return the visitors behind one number of a retention, each of them once, a bitmap.

    Arguments and errors are those of :func:`count`. Where several days of the start stand together, the number counts
    who started on two of them twice.
    """
    group = cell.place.group
    if group is not None:
        scope = replace(question.scope, dimension="", filters=(*question.scope.filters, group))
        question = replace(question, scope=scope)
    starts = _starts(connection, authorizer_id, question, settings=settings, now=now)
    cohort = _cohort(connection, question, starts, cell.place)
    if cell.returned:
        cohort = _Back(connection, authorizer_id, question, settings=settings, now=now).those(cohort, cell.returned)
    return BitMap.union(*cohort.values()) if cohort else BitMap()


def _cohort(
    connection: Connection, question: RetentionQuestion, starts: Mapping[int, Starts], place: Place
) -> dict[int, Any]:
    """Return who started in a line of the answer."""
    shown = _shown(connection, question, starts)[0] if place.is_others else []
    cohort = _united(days for number, days in starts.items() if number not in shown)
    if place.day is None:
        return cohort
    return {day: crowd for day, crowd in cohort.items() if day == place.day.toordinal()}


def _shown(connection: Connection, question: RetentionQuestion, starts: Mapping[int, Starts]) -> tuple[list[int], bool]:
    """Return the groups that the limit leaves, the largest first, and whether there are more."""
    sizes = {number: sum(map(len, days.values())) for number, days in starts.items() if any(days.values())}
    shown = groups.highest(connection, question.scope.dimension, sizes, question.scope.limit)
    return shown, len(shown) < len(sizes)


def _starts(
    connection: Connection, authorizer_id: int, question: RetentionQuestion, *, settings: Settings, now: dt.datetime
) -> Mapping[int, Starts]:
    """Return who started, by group (0 without a dimension) and day."""
    scope = question.scope
    window = scope.period.resolve(now, settings.zone)
    segment = segment_named(connection, authorizer_id, scope.segment, window=window, settings=settings, now=now)
    conditions = conditions_of(connection, authorizer_id, scope.filters)
    dimensions = (scope.dimension,) if scope.dimension else ()
    plan = Plan(connection, authorizer_id, dimensions=dimensions, conditions=conditions)
    days = Days(connection, authorizer_id, window)
    places: dict[tuple[int, int], Crowd] = defaultdict(Crowd)
    for day, group, tally in plan.pieces(days, question.start, scope.attribution, days):
        places[group[0] if group else 0, day].add(tally)
    found: dict[int, dict[int, Any]] = {}
    for (number, day), crowd in places.items():
        found.setdefault(number, {})[day] = segment.members(crowd.visitors())
    return found


def _united(cohorts: Iterable[Starts]) -> dict[int, Any]:
    together: dict[int, Any] = {}
    for days in cohorts:
        for day, crowd in days.items():
            together[day] = together[day] | crowd if day in together else crowd
    return together


class _Back:
    """Who came back on which day."""

    def __init__(
        self,
        connection: Connection,
        authorizer_id: int,
        question: RetentionQuestion,
        *,
        settings: Settings,
        now: dt.datetime,
    ) -> None:
        window, today = question.scope.period.resolve(now, settings.zone), now.astimezone(settings.zone).date()
        self._days, self._today, self._first = question.days, today.toordinal(), window.days.start
        first = window.since + dt.timedelta(days=1)
        last = min(window.until + dt.timedelta(days=question.days), today - dt.timedelta(days=1))
        crowds: dict[int, Crowd] = defaultdict(Crowd)
        if first <= last:
            counts = VISIT if question.returns is None else f"event:{question.returns}"
            source = Days(connection, authorizer_id, Window(first, last))
            for day, _, tally in source.rows(counts, READS["last"][0].routes, TOUCH):
                crowds[day].add(tally)
        self._crowds = {day: crowd.visitors() for day, crowd in crowds.items()}

    def kept(self, keys: Mapping[str, Any], cohort: Starts, day: int | None = None) -> Kept:
        """Follow a cohort day by day; ``day`` is that of all starts, if there is only one."""
        starts = sum(len(crowd) for crowd in cohort.values())
        first = self._first if day is None else day
        cells = (self._on(cohort, after) if first + after < self._today else None for after in range(1, self._days + 1))
        return Kept(keys, starts, tuple(cells))

    def those(self, cohort: Starts, after: int) -> dict[int, Any]:
        """Return who of a cohort came back so many days after, by the day of the start."""
        over = {day: crowd for day, crowd in cohort.items() if day + after < self._today}
        return {day: crowd & self._crowds.get(day + after, BitMap()) for day, crowd in over.items()}

    def _on(self, cohort: Starts, after: int) -> tuple[int, int]:
        over = [(crowd, self._crowds.get(day + after)) for day, crowd in cohort.items() if day + after < self._today]
        back = sum(int(crowd.intersection_cardinality(there)) for crowd, there in over if there is not None)
        return back, sum(len(crowd) for crowd, _ in over)
