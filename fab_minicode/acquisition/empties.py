"""
Why an answer is empty: which filter lets nothing through, and whether there are any events at all.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition.asked import Asked
from fab_minicode.acquisition.conditions import conditions_of
from fab_minicode.acquisition.crowds import EVERYBODY, Crowd, Group, Segment, measured
from fab_minicode.acquisition.metrics import USERS, Metric
from fab_minicode.acquisition.plan import Plan
from fab_minicode.acquisition.query import authorizer_id
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.vocabulary import Vocabulary
from fab_minicode.acquisition.windows import Window
from fab_minicode.models.acquisition import Series
from fab_minicode.settings import Settings


@dataclass(frozen=True)
class Relief:
    """Filters, by their places in the question, without which something is counted, and how much that is."""

    filters: tuple[int, ...]
    users: int
    totals: dict[str, Any]


@dataclass(frozen=True)
class Emptiness:
    """
    What stands between a question and an answer.

    Attributes:
        is_empty: Whether nothing is counted; else the rest says nothing.
        has_ever: Whether any event of the mini program was ever counted.
        in_window: Users in the window without filters and segments.
        has_in_window: Whether the metrics count anything there without filters and segments.
        reliefs: Single filters that empty the answer, or if there is none, pairs; most users first.
        without_segments: Users without the segments; None if the question has no segments but everybody.
    """

    is_empty: bool
    has_ever: bool = True
    in_window: int = 0
    has_in_window: bool = True
    reliefs: tuple[Relief, ...] = ()
    without_segments: int | None = None


def empties(connection: Connection, question: Question, *, settings: Settings, now: dt.datetime) -> Emptiness:
    """
    Find out why an answer is empty.

    Args:
        connection: To read from; nothing is written.
        question: The question; dimensions, granularity and comparison are left aside.
        settings: For the time zone.
        now: Aware UTC; decides what "today" is.

    Raises:
        Missing: If there is no such mini program.
        InvalidInput: If a saved segment is not there.
    """
    number = authorizer_id(connection, question.appid)
    parts = tuple(dict.fromkeys(part for metric in question.metrics for part in metric.counted))
    plain = replace(question, metrics=tuple(dict.fromkeys((*parts, USERS))), dimensions=(), granularity="total")
    window = question.period.resolve(now, settings.zone)
    reading = Asked(connection, number, plain, settings=settings, now=now).read(window)
    if _totals(parts, reading.all_but(), reading.segments):
        return Emptiness(is_empty=False)
    failures = _Failures(connection, number, plain, window)
    places = range(len(question.filters))
    everybody = failures.without(places)
    any_of_own = _totals(parts, everybody, [EVERYBODY])
    reliefs: list[Relief] = []
    for size in (1, 2):
        for left_out in combinations(places, size) if any_of_own and not reliefs else ():
            crowds = failures.without(left_out)
            totals = _totals(parts, crowds, reading.segments)
            users = max(measured(USERS, crowds(USERS), segment) for segment in reading.segments)
            reliefs += [Relief(left_out, users, totals)] if totals else []
    reliefs.sort(key=lambda one: (-one.users, one.filters))
    is_narrowed = plain.segments != ("all",)
    return Emptiness(
        is_empty=True,
        has_ever=_has_ever(connection, number),
        in_window=measured(USERS, everybody(USERS), EVERYBODY),
        has_in_window=bool(any_of_own),
        reliefs=tuple(reliefs),
        without_segments=measured(USERS, failures.without(())(USERS), EVERYBODY) if is_narrowed else None,
    )


def _totals(
    parts: Sequence[Metric], crowds: Callable[[Metric], list[Crowd]], segments: Sequence[Segment]
) -> dict[str, int]:
    """Return the numbers of some crowds, of several segments the highest; nothing where all are zero."""
    totals = {part.name: max(measured(part, crowds(part), segment) for segment in segments) for part in parts}
    return totals if any(totals.values()) else {}


class _Failures:
    """Everybody in a window, by the filters that do not let them through: read once for all ways to leave some out."""

    def __init__(self, connection: Connection, number: int, question: Question, window: Window) -> None:
        conditions = conditions_of(connection, number, question.filters)
        dimensions = list(dict.fromkeys(one.dimension for one in conditions))
        # Without aliases: the conditions know them, and pass by what was collected.
        nothing = Vocabulary(connection, number, ())
        plan = Plan(connection, number, dimensions=dimensions, conditions=(), vocabulary=nothing)
        days = Days(connection, number, window)
        self._crowds: dict[str, dict[frozenset[int], Crowd]] = {}
        for counts in dict.fromkeys(metric.counts for metric in question.metrics):
            found: dict[frozenset[int], Crowd] = defaultdict(Crowd)
            failing: dict[Group, frozenset[int]] = {}
            for _, group, tally in plan.pieces(days, counts, question.attribution, days):
                if group not in failing:
                    values = dict(zip(dimensions, group, strict=True))
                    failing[group] = frozenset(
                        place for place, one in enumerate(conditions) if not one.passes(values[one.dimension])
                    )
                found[failing[group]].add(tally)
            self._crowds[counts] = found

    def without(self, places: Iterable[int]) -> Callable[[Metric], list[Crowd]]:
        """Return who passes when some filters are left out, as a function of the metric."""
        left_out = frozenset(places)
        return lambda metric: [crowd for failures, crowd in self._crowds[metric.counts].items() if failures <= left_out]


def _has_ever(connection: Connection, number: int) -> bool:
    return connection.execute(select(Series.id).where(Series.authorizer_id == number).limit(1)).first() is not None
