"""
The tallies in the database, read: which series there are, and what was counted in them.

How they stand is known here and in ``acquisition.ledger``, which writes them: long tallies in rows of their own, short
ones together in pages (``acquisition.pages``), and a dimension of the touch that nobody has a value of on a day not at
all, because everybody with a touch is without it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.dimensions import TOUCH_NAMES
from fab_minicode.acquisition.pages import PAGE_BITS, Grouped, unpack_pages, values_in
from fab_minicode.acquisition.tally import pack_few, pack_fews, people
from fab_minicode.models.acquisition import Fact, FactPage, Series

Numbers = npt.NDArray[np.int64]

SEEN = "seen"
TOUCH, CONTEXT = "touch", "context"
"""Dimensions that no question names: whether there is a touch (1, 0), and all eight together (``Context.id``)."""

WITH_TOUCH, WITHOUT = 1, 0
"""The values of ``TOUCH``."""

MAY_BE_UNSET = tuple(name for name in TOUCH_NAMES if name != "utm_source")
"""Dimensions without facts on days on which nobody has a value of them; a touch always has a source."""

Row = tuple[int, int, bytes]
"""A day, the number of a value, a tally in its stored form."""


@dataclass(frozen=True)
class SeriesKey:
    """What a series counts: see ``models.acquisition.Series``."""

    event: str
    route: str
    dimension: str


@dataclass(frozen=True)
class Found:
    """
    Tallies that were read.

    Attributes:
        single: One row each.
        days: The day of each tally in ``together``.
        together: Short tallies one after the other; several days may have the same value.
    """

    single: list[Row]
    days: Numbers
    together: Grouped

    def rows(self) -> list[Row]:
        """Return every tally as a row of its own."""
        packed = pack_fews(self.together.ids, np.cumsum(self.together.counts))
        return self.single + list(zip(self.days.tolist(), self.together.values.tolist(), packed, strict=True))


def joined(found: Sequence[Found]) -> Found:
    """Return the tallies of several series together."""
    if len(found) == 1:
        return found[0]
    single = [row for one in found for row in one.single]
    values, ids, counts = (np.concatenate([getattr(one.together, name) for one in found]) for name in _COLUMNS)
    return Found(single, np.concatenate([one.days for one in found]), Grouped(values, ids, counts))


_COLUMNS = ("values", "ids", "counts")
NOTHING_FOUND = Found([], np.zeros(0, np.int64), unpack_pages([]))


def series_of(connection: Connection, authorizer_id: int, event: str | None = None) -> dict[SeriesKey, int]:
    """Return the numbers of a mini program's series, of one event only if it is named."""
    mark = bulk.mark(connection)
    statement = f"SELECT event, route, dimension, id FROM {Series.__tablename__} WHERE authorizer_id = {mark}"  # noqa: S608
    if event is None:
        found = bulk.rows(connection, statement, (authorizer_id,))
    else:
        found = bulk.rows(connection, f"{statement} AND event = {mark}", (authorizer_id, event))
    return {SeriesKey(name, route, dimension): number for name, route, dimension, number in found}


def read(
    connection: Connection, series: Mapping[SeriesKey, int], key: SeriesKey, days: range, *, times: bool = True
) -> Found:
    """
    Return the tallies of a series.

    Args:
        connection: To read from.
        series: From :func:`series_of`.
        key: Which series.
        days: Ordinals of days, without a gap.
        times: Whether to read how often as well as who; without it the long rows hold the first half of
            ``tally.parted`` only, which counts people.
    """
    number = series.get(key)
    touch = series.get(SeriesKey(key.event, key.route, TOUCH))
    pages: list[Any] = []
    single: list[Row] = []
    if number is not None:
        single, pages = _single(connection, number, days, times), _pages(connection, number, days)
    if key.dimension in MAY_BE_UNSET and touch is not None:
        known = {row[0] for row in single} | {row[0] for row in pages}
        single += _unset(connection, touch, [day for day in _days(connection, touch, days) if day not in known], times)
    if not pages:
        return Found(single, NOTHING_FOUND.days, NOTHING_FOUND.together)
    together = unpack_pages([(page, text) for _, page, text in pages])
    sizes = [values_in(text) for _, _, text in pages]
    return Found(single, np.repeat(np.array([row[0] for row in pages], np.int64), sizes), together)


def keys_of(series: Iterable[SeriesKey]) -> list[SeriesKey]:
    """Return all series that may have tallies: those that are there, and those that may be unset (``MAY_BE_UNSET``)."""
    known = list(series)
    touches = [key for key in known if key.dimension == TOUCH and key.event != SEEN]
    return list(dict.fromkeys((*known, *(replace(key, dimension=name) for key in touches for name in MAY_BE_UNSET))))


def every(connection: Connection, authorizer_id: int, days: range) -> Iterator[tuple[SeriesKey, list[Row]]]:
    """Yield every tally of some days of a mini program, series by series; series without any are left out."""
    series = series_of(connection, authorizer_id)
    for key in keys_of(series):
        rows = read(connection, series, key, days).rows()
        if rows:
            yield key, rows


def read_values(
    connection: Connection, series: Mapping[SeriesKey, int], key: SeriesKey, days: range, values: Sequence[int]
) -> list[Row]:
    """Return the tallies of some values other than 0: as rows that count people."""
    number = series.get(key)
    if number is None:
        return []
    wanted, pages = set(values), sorted({value >> PAGE_BITS for value in values})
    found: list[Row] = []
    for day in days:
        at = {"series_id": number, "day": day}
        columns = (Fact.day, Fact.value_id, Fact.tally)
        found += _as_bytes(bulk.find(connection, Fact.value_id, sorted(wanted), columns, **at))
        columns = (FactPage.day, FactPage.page, FactPage.tallies)
        for _, page, text in bulk.find(connection, FactPage.page, pages, columns, **at):
            short = unpack_pages([(page, bytes(text))]).by_value()
            found += [(day, value, pack_few(ids)) for value, ids in short if value in wanted]
    return found


def _single(connection: Connection, series: int, days: range, times: bool) -> list[Row]:
    wanted = "tally, again" if times else "tally"
    found = _within(connection, Fact, f"day, value_id, {wanted}", series, days)
    if times:
        return [(day, value, bytes(tally) + bytes(again)) for day, value, tally, again in found]
    return _as_bytes(found)


def _pages(connection: Connection, series: int, days: range) -> list[Row]:
    return _as_bytes(_within(connection, FactPage, "day, page, tallies", series, days))


def _days(connection: Connection, series: int, days: range) -> set[int]:
    return {day for table in (Fact, FactPage) for (day,) in _within(connection, table, "DISTINCT day", series, days)}


def _within(connection: Connection, table: Any, columns: str, series: int, days: range) -> list[Any]:
    mark = bulk.mark(connection)
    statement = (
        f"SELECT {columns} FROM {table.__tablename__}"  # noqa: S608
        f" WHERE series_id = {mark} AND day BETWEEN {mark} AND {mark}"
    )
    return bulk.rows(connection, statement, (series, days.start, days.stop - 1))


def _unset(connection: Connection, touch: int, days: Sequence[int], times: bool) -> list[Row]:
    """Return rows of value 0 that say what the series ``touch`` says of everybody with a touch."""
    at = {"series_id": touch}
    columns = (Fact.day, Fact.tally, Fact.again) if times else (Fact.day, Fact.tally)
    long = bulk.find(connection, Fact.day, days, columns, value_id=WITH_TOUCH, **at)
    found = [(day, 0, b"".join(halves)) for day, *halves in long]
    for day, text in bulk.find(connection, FactPage.day, days, (FactPage.day, FactPage.tallies), page=0, **at):
        found += [(day, 0, pack_few(ids)) for value, ids in unpack_pages([(0, bytes(text))]).by_value() if value]
    return found


def _as_bytes(rows: list[Row]) -> list[Row]:
    """Open the memory views in which PostgreSQL's driver hands over bytes."""
    if rows and isinstance(rows[0][2], memoryview):
        return [(day, number, bytes(text)) for day, number, text in rows]
    return rows


def crowd(connection: Connection, series: Mapping[SeriesKey, int], keys: Iterable[SeriesKey], day: int) -> Any:
    """Return everybody in the facts of some series on one day, a bitmap."""
    everybody = BitMap()
    for key in keys:
        for _, _, stored in read(connection, series, key, range(day, day + 1), times=False).rows():
            everybody |= people(stored)
    return everybody
