"""
Where stored tallies come from: the facts of days, or single events of hours in the same form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.crowds import union_of
from fab_minicode.acquisition.facts import (
    NOTHING_FOUND,
    TOUCH,
    Found,
    Row,
    SeriesKey,
    joined,
    read,
    read_values,
    series_of,
)
from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT
from fab_minicode.acquisition.pages import Grouped
from fab_minicode.acquisition.windows import Window, hours_of
from fab_minicode.models.acquisition import CARRIED, MOVED, OWN, STRAY, Attribution, Value, Visitor


class Source(Protocol):
    """Facts of one mini program and window."""

    @property
    def only_contexts(self) -> bool:
        """Whether no dimension but ``context`` is there."""
        ...

    @property
    def times(self) -> bool:
        """Whether what is read says how often, not only who."""
        ...

    def read(self, counts: str, routes: Sequence[str], dimension: str) -> Found:
        """Return the tallies of an event (``metrics.Metric.counts``) along some routes."""
        ...


@dataclass(frozen=True)
class Days:
    """
    The facts of a window's days.

    Attributes:
        connection: To read from.
        authorizer_id: Whose facts.
        window: The days.
        times: Whether how often is read as well as who; questions about people are quicker without.
        bucket_of: What a day belongs to; in :meth:`read` the first day of a bucket stands for all of them.
        only_contexts: See :class:`Source`.
    """

    connection: Connection
    authorizer_id: int
    window: Window
    times: bool = True
    bucket_of: Callable[[int], Any] = int
    only_contexts: bool = False

    def read(self, counts: str, routes: Sequence[str], dimension: str) -> Found:
        """Return the tallies of an event along some routes."""
        days = self.window.days
        firsts: dict[Any, int] = {}
        standing = {day: firsts.setdefault(self.bucket_of(day), day) for day in days}
        found = self._between(counts, routes, dimension, days)
        single = [(standing[day], value, tally) for day, value, tally in found.single]
        together = np.array(list(standing.values()), np.int64)[found.days - days.start]
        return Found(single, together, found.together)

    def read_until(self, counts: str, dimension: str) -> Found:
        """Return the tallies of route ``own`` of all days up to the window's last."""
        return self._between(counts, ("own",), dimension, range(self.window.days.stop))

    def rows(self, counts: str, routes: Sequence[str], dimension: str) -> list[Row]:
        """Return what :meth:`read` finds as rows: day, value, tally."""
        return self.read(counts, routes, dimension).rows()

    def rows_until(self, counts: str, dimension: str) -> list[Row]:
        """Return what :meth:`read_until` finds as rows."""
        return self.read_until(counts, dimension).rows()

    def rows_of(self, counts: str, routes: Sequence[str], dimension: str, values: Sequence[int]) -> list[Row]:
        """Return the rows of some values that are set; tallies of other values are not read."""
        series = series_of(self.connection, self.authorizer_id, counts)
        found: list[Row] = []
        for route in routes:
            found += read_values(self.connection, series, SeriesKey(counts, route, dimension), self.window.days, values)
        return found

    def new_visitors(self) -> Any:
        """Return everybody whose first visit ever lies in the window, a bitmap."""
        return union_of(tally for _, _, tally in self.rows(FIRST_VISIT, ("own",), TOUCH))

    def _between(self, counts: str, routes: Sequence[str], dimension: str, days: range) -> Found:
        series = series_of(self.connection, self.authorizer_id, counts)
        keys = [SeriesKey(counts, route, dimension) for route in routes]
        return joined([read(self.connection, series, key, days, times=self.times) for key in keys])


class Hours:
    """The events of a window's hours, tallied now: there are no facts of hours."""

    only_contexts = True
    times = True

    def __init__(self, connection: Connection, authorizer_id: int, window: Window, zone: ZoneInfo) -> None:
        self._connection, self._authorizer_id, self._window, self._zone = connection, authorizer_id, window, zone

    def read(self, counts: str, routes: Sequence[str], dimension: str) -> Found:
        """Return the tallies of an event along some routes, by hour (``windows.hours_of``) and context."""
        del dimension
        events = self._first_visits() if counts == FIRST_VISIT else self._events(counts)
        mine = [(at, context, visitor) for route, at, context, visitor in events if route in routes]
        if not mine:
            return NOTHING_FOUND
        times, contexts, visitors = (np.array(column, np.int64) for column in bulk.columns_of(mine))
        hours = hours_of(times, self._zone)
        order = np.lexsort((visitors, contexts, hours))
        hours, contexts, ids = hours[order], contexts[order], visitors[order].astype(np.uint32)
        changes = np.flatnonzero((np.diff(hours) != 0) | (np.diff(contexts) != 0)) + 1
        begins = np.concatenate(([0], changes))
        counted = np.diff(begins, append=len(hours))
        return Found([], hours[begins], Grouped(contexts[begins], ids, counted))

    def _events(self, counts: str) -> Iterator[tuple[str, int, int, int]]:
        event = 0 if counts == VISIT else self._event_id(counts.partition(":")[2])
        days = self._window.days
        columns = select(
            Attribution.route, Attribution.time_ms, Attribution.context_id, Attribution.visitor_id,
            Attribution.entry_context_id,
        ).where(Attribution.authorizer_id == self._authorizer_id, Attribution.event_id == event)  # fmt: skip
        within = Attribution.day.between(days.start, days.stop - 1)
        names = {OWN: "own", CARRIED: "carried", STRAY: "stray"}
        for route, at, context, visitor, entry_context in self._connection.execute(columns.where(within)):
            if route == MOVED:
                yield "last", at, context, visitor
                yield "entry", at, entry_context, visitor
            else:
                yield names[route], at, context, visitor

    def _event_id(self, name: str) -> int:
        columns = select(Value.id).where(Value.authorizer_id == self._authorizer_id, Value.dimension == "event")
        return self._connection.execute(columns.where(Value.value == name)).scalar() or -1

    def _first_visits(self) -> Iterator[tuple[str, int, int, int]]:
        new = Days(self._connection, self._authorizer_id, self._window).new_visitors()
        columns = (Visitor.first_ms, Visitor.first_context_id, Visitor.id)
        for at, context, visitor in bulk.find(self._connection, Visitor.id, new.to_array().tolist(), columns):
            yield "own", at, context, visitor
