"""
The decided events of visitors, read in bulk and in their order: what funnels and single visitors are made of.

Read from ``minicode_attributions``; facts hold no order. Reading only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.conditions import Condition
from fab_minicode.acquisition.context_table import context_table
from fab_minicode.acquisition.dimensions import TOUCH_NAMES
from fab_minicode.acquisition.facts import CONTEXT, Row
from fab_minicode.acquisition.metrics import FIRST_VISIT
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.tally import is_few, stored_times, stored_visitors, unpack_fews
from fab_minicode.acquisition.windows import Window
from fab_minicode.models.acquisition import CARRIED, STRAY, Attribution

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Journeys:
    """
    Events of many visitors, one array element each: by visitor, then in the order of docs/numbers.md.

    Attributes:
        visitor: The visitor's number.
        time: Milliseconds since 1970, UTC.
        day: Ordinal of the calendar day.
        event: 0 for a visit, else the number of the custom event's name.
        context: Number of the context that holds the attribution asked for.
        has_touch: Whether the context's touch counts; else the event has none (attribution ``entry``).
    """

    visitor: Numbers
    time: Numbers
    day: Numbers
    event: Numbers
    context: Numbers
    has_touch: Flags

    def __len__(self) -> int:
        return len(self.visitor)


def read(
    connection: Connection, authorizer_id: int, window: Window, events: Sequence[int], *, attribution: str = "last"
) -> Journeys:
    """
    Read the events of some kinds in a window.

    Args:
        connection: To read from.
        authorizer_id: Whose events.
        window: Its days.
        events: 0 for visits, numbers of custom events' names.
        attribution: Which touch ``context`` holds; of ``first`` only landing page and scene are read from it.
    """
    context = "context_id" if attribution == "last" else "COALESCE(entry_context_id, context_id)"
    columns = ["visitor_id", "time_ms", "event_id", context, *([] if attribution == "last" else ["route"])]
    where = (authorizer_id, window, sorted(set(events)))
    table = _table(connection, where, columns)
    order, is_clear = _order(table)
    if not is_clear:
        table = _table(connection, where, [*columns, "key_tail"])
        # At the same millisecond visits come first, then the keys decide.
        order = np.lexsort((table[-1], table[3] != 0, table[2], table[1]))
    day, visitor, time, event, context_id, *others = (column[order] for column in table)
    has_touch = np.ones(len(day), np.bool_)
    if attribution != "last":
        has_touch = ~np.isin(others[0], (STRAY,) if attribution == "first" else (CARRIED, STRAY))
    return Journeys(visitor, time, day, event, context_id, has_touch)


def _order(table: Sequence[Numbers]) -> tuple[Numbers, bool]:
    """Return the order of events without their keys, and whether that is enough."""
    _day, visitor, time, event, *_others = table
    if not len(time):
        return time, True
    since = time - time.min()
    bits = int(since.max()).bit_length() + 1
    if int(visitor.max()).bit_length() + bits > 63:
        return visitor, False
    packed = (visitor << bits) | (since << 1) | (event != 0)
    order = np.argsort(packed, kind="stable")
    packed = packed[order]
    return order, not (packed[1:] == packed[:-1]).any()


def _table(connection: Connection, where: tuple[int, Window, Sequence[int]], columns: Sequence[str]) -> list[Numbers]:
    """
    Return the day and some columns of the events of some kinds, as arrays.

    The database joins a day's numbers to one text and numpy takes it apart: a third of what rows would cost.
    """
    authorizer_id, window, events = where
    mark = bulk.mark(connection)
    joined = "string_agg(({})::text, ',')" if bulk.is_postgresql(connection) else "group_concat({})"
    statement = (
        f"SELECT day, {', '.join(joined.format(column) for column in columns)} FROM {Attribution.__tablename__}"  # noqa: S608
        f" WHERE authorizer_id = {mark} AND day BETWEEN {mark} AND {mark}"
        f" AND event_id IN ({', '.join(str(int(one)) for one in events)}) GROUP BY day"
    )
    found = bulk.rows(connection, statement, (authorizer_id, window.days.start, window.days.stop - 1))
    days = [(np.fromstring(row[1], np.int64, sep=","), row) for row in found]
    if not days:
        return [np.zeros(0, np.int64)] * (1 + len(columns))
    firsts = [np.full(len(first), row[0], np.int64) for first, row in days]
    others = [[np.fromstring(row[place], np.int64, sep=",") for _, row in days] for place in range(2, 1 + len(columns))]
    return [np.concatenate(column) for column in (firsts, [first for first, _ in days], *others)]


class Touches:
    """The values of contexts: what events belong to, by the attribution asked for."""

    def __init__(
        self, connection: Connection, authorizer_id: int, names: Sequence[str], *, attribution: str = "last"
    ) -> None:
        """
        Read the contexts.

        Args:
            connection: To read from.
            authorizer_id: Whose contexts.
            names: The dimensions that are needed; without any nothing is read.
            attribution: Of the journeys.
        """
        self._connection, self._authorizer_id, self._attribution = connection, authorizer_id, attribution
        self._of_touch = [place for place, name in enumerate(names) if name in TOUCH_NAMES]
        self._values = np.zeros((0, len(names)), np.int64)
        self._firsts: tuple[int, Numbers] | None = None
        if names:
            self._values = context_table(connection, authorizer_id, names)

    def of(self, journeys: Journeys, places: Numbers, *, until: int) -> Numbers:
        """
        Return the values of some events: one row each, one column per dimension.

        Args:
            journeys: The events.
            places: Which of them.
            until: Ordinal of a day at or after that of all first visits that matter.
        """
        if not self._values.shape[1]:
            return np.zeros((len(places), 0), np.int64)
        values = self._values[journeys.context[places]]
        if self._of_touch and self._attribution != "last":
            if self._attribution == "first":
                firsts = self._values[self._first_contexts(journeys.visitor[places], until)]
                values[:, self._of_touch] = firsts[:, self._of_touch]
            bare = ~journeys.has_touch[places]
            for place in self._of_touch:
                values[bare, place] = 0
        return values

    def _first_contexts(self, visitors: Numbers, until: int) -> Numbers:
        """Return what the first visit ever of each visitor carried, 0 where there is none."""
        if self._firsts is None or self._firsts[0] < until:
            self._firsts = until, self._read_firsts(until)
        known = self._firsts[1]
        if len(visitors) and int(visitors.max()) >= len(known):
            known = np.pad(known, (0, int(visitors.max()) + 1 - len(known)))
        return known[visitors]

    def _read_firsts(self, until: int) -> Numbers:
        """Read what everybody's first visit carried, by the visitor's number."""
        last = dt.date.fromordinal(until)
        days = Days(self._connection, self._authorizer_id, Window(last, last), times=False)
        found = list(_members(days.rows_until(FIRST_VISIT, CONTEXT)))
        known = np.zeros(1 + max((int(ids.max()) for _, ids in found if len(ids)), default=0), np.int64)
        for numbers, ids in found:
            known[ids] = numbers
        return known


def _members(rows: Sequence[Row]) -> Iterator[tuple[Numbers, Any]]:
    """Return value and visitor of everything in some rows of facts; all plain lists are taken apart at once."""
    few = [(number, stored) for _, number, stored in rows if isinstance(stored, bytes) and is_few(stored)]
    if few:
        numbers = np.array([number for number, _ in few], np.int64)
        yield np.repeat(numbers, [stored_times(stored) for _, stored in few]), unpack_fews([one for _, one in few])
    for _, number, stored in rows:
        if isinstance(stored, bytes) and not is_few(stored):
            ids = np.frombuffer(stored_visitors(stored).to_array(), np.uint32)
            yield np.full(len(ids), number), ids


def passing(values: Numbers, names: Sequence[str], conditions: Sequence[Condition]) -> Flags:
    """Return which rows of :meth:`Touches.of` pass some conditions on its dimensions."""
    passes = np.ones(len(values), np.bool_)
    for one in conditions:
        inside = np.isin(values[:, names.index(one.dimension)], list(one.numbers))
        passes &= inside != one.inverse
    return passes
