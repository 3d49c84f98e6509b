"""
The tallies in the database, written: added to and taken from, many values of one series and day at once.

How they stand is told in ``acquisition.facts``, which reads them.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, tuple_
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.facts import MAY_BE_UNSET, SEEN, TOUCH, WITH_TOUCH, SeriesKey, read, series_of
from fab_minicode.acquisition.pages import (
    PAGE_BITS,
    Pairs,
    distinct_of,
    grouped,
    ids_of,
    joined,
    pack_pages,
    pairs_of,
    unpack_pages,
    values_of,
    without,
)
from fab_minicode.acquisition.tally import FEW, Tally, parted
from fab_minicode.models.acquisition import Fact, FactDay, FactPage, Series

Numbers = npt.NDArray[np.int64]

_Changed = dict[tuple[int, int], dict[int, bytes | None]]
"""Series and day -> value (or page) -> stored form; None: nothing is left of what was there."""

_VERSION_BITS = 62

_NO_EVENTS: Pairs = np.zeros(0, np.uint64)


@dataclass(frozen=True)
class Part:
    """Events of one series and day: the value and the visitor of each."""

    values: Numbers
    visitors: Numbers

    def pairs(self) -> Pairs:
        """Return the events in order."""
        return pairs_of(self.values, self.visitors)


class Ledger:
    """The facts of one mini program, changed in memory and written once by :meth:`write`."""

    def __init__(self, connection: Connection, authorizer_id: int) -> None:
        self._connection, self._authorizer_id = connection, authorizer_id
        self._series = series_of(connection, authorizer_id)
        self._made: set[int] = set()
        self._long: _Changed = {}
        self._pages: _Changed = {}

    def add(self, key: SeriesKey, day: int, more: Part, less: Part | None = None) -> None:
        """Count events of one series and day; take those in ``less`` out. Once per series and day."""
        added, gone = more.pairs(), _NO_EVENTS if less is None else less.pairs()
        if key.dimension in MAY_BE_UNSET and not self._is_there(key, day):
            if not (values_of(added).any() or values_of(gone).any()):
                return
            added = np.sort(np.concatenate((added, self._unset(key, day))))
        series = self._series_id(key)
        wanted = distinct_of(values_of(np.concatenate((added, gone))))
        long, pages = self._stored(series, day, wanted)
        short = unpack_pages(sorted(pages.items())).pairs()
        self._long[series, day], short = merged(long, short, added, gone)
        self._pages[series, day] = {**dict.fromkeys(pages), **pack_pages(short)}

    def add_seen(self, day: int, before: Any, now: Any) -> None:
        """Remember everybody seen on a day: ``before`` (as stored) and ``now``, bitmaps."""
        self.replace(SeriesKey(SEEN, "own", TOUCH), day, {0: Tally(before | now)})

    def replace(self, key: SeriesKey, day: int, tallies: Mapping[int, Tally]) -> None:
        """Store the tallies of a series and day (value -> tally) in the place of all that stand there."""
        series = self._series_id(key)
        before = read(self._connection, self._series, key, range(day, day + 1))
        ids = {value: tally.ids() for value, tally in sorted(tallies.items())}
        pairs = [joined(np.full(len(visitors), value), visitors) for value, visitors in ids.items()]
        long, short = merged({}, _NO_EVENTS, np.concatenate((_NO_EVENTS, *pairs)), _NO_EVENTS)
        pages = (before.together.values >> PAGE_BITS).tolist()
        self._long[series, day] = {**dict.fromkeys(value for _, value, _ in before.single), **long}
        self._pages[series, day] = {**dict.fromkeys(pages), **pack_pages(short)}

    def write(self) -> None:
        """Write what has changed, and that it has (``acquisition.kept``)."""
        days = sorted({day for changed in (self._long, self._pages) for _, day in changed})
        versions = {"day": days, "version": [secrets.randbits(_VERSION_BITS) for _ in days]}
        owner = {"authorizer_id": [self._authorizer_id] * len(days)}
        bulk.insert(self._connection, FactDay, owner | versions, update=("version",))
        rows = _filled(self._long)
        halves = [parted(row[3]) for row in rows]
        columns = {"tally": [half[0] for half in halves], "again": [half[1] for half in halves]}
        bulk.insert(self._connection, Fact, _places(rows, "value_id") | columns, update=("tally", "again"))
        rows = _filled(self._pages)
        columns = {"tallies": [row[3] for row in rows]}
        bulk.insert(self._connection, FactPage, _places(rows, "page") | columns, update=("tallies",))
        self._delete_empty(Fact, Fact.value_id, self._long)
        self._delete_empty(FactPage, FactPage.page, self._pages)
        self._long.clear()
        self._pages.clear()

    def _delete_empty(self, model: Any, column: Any, changed: _Changed) -> None:
        empty = [(*at, number) for at, texts in changed.items() for number, text in texts.items() if text is None]
        if empty:
            place = tuple_(model.series_id, model.day, column)
            self._connection.execute(delete(model.__table__).where(place.in_(empty)))

    def _stored(self, series: int, day: int, values: Numbers) -> tuple[dict[int, bytes], dict[int, bytes]]:
        """Return the long ones of some values' tallies, and the pages on which the others may be."""
        if series in self._made:
            return {}, {}
        at = {"series_id": series, "day": day}
        columns = (Fact.value_id, Fact.tally, Fact.again)
        long = bulk.find(self._connection, Fact.value_id, self._long_ones(series, day, values), columns, **at)
        numbers = distinct_of(values >> PAGE_BITS).tolist()
        pages = bulk.find(self._connection, FactPage.page, numbers, (FactPage.page, FactPage.tallies), **at)
        return (
            {value: bytes(tally) + bytes(again) for value, tally, again in long},
            {page: bytes(text) for page, text in pages},
        )

    def _long_ones(self, series: int, day: int, values: Numbers) -> list[int]:
        """Return which of some values are there. A day has few of them, a batch many: they are not looked up singly."""
        mark = bulk.mark(self._connection)
        statement = f"SELECT value_id FROM {Fact.__tablename__} WHERE series_id = {mark} AND day = {mark}"  # noqa: S608
        known = [value for (value,) in bulk.rows(self._connection, statement, (series, day))]
        return np.intersect1d(values, np.array(known, np.int64)).tolist()

    def _is_there(self, key: SeriesKey, day: int) -> bool:
        series = self._series.get(key)
        if series is None or series in self._made:
            return False
        mark = bulk.mark(self._connection)
        looks = " UNION ALL ".join(
            f"SELECT 1 FROM {table.__tablename__} WHERE series_id = {mark} AND day = {mark}"  # noqa: S608
            for table in (Fact, FactPage)
        )
        return bool(bulk.rows(self._connection, f"{looks} LIMIT 1", (series, day, series, day)))

    def _unset(self, key: SeriesKey, day: int) -> Pairs:
        """Return what the facts of a dimension that nobody had a value of would be: all stored touches, under 0."""
        touch = self._series.get(SeriesKey(key.event, key.route, TOUCH))
        if touch is None:
            return _NO_EVENTS
        long, pages = self._stored(touch, day, np.array([WITH_TOUCH], np.int64))
        if long:
            return Tally.unpack(long[WITH_TOUCH]).ids().astype(np.uint64)
        short = unpack_pages(sorted(pages.items())).pairs()
        return ids_of(short[values_of(short) == WITH_TOUCH]).astype(np.uint64)

    def _series_id(self, key: SeriesKey) -> int:
        found = self._series.get(key)
        if found is None:
            found = bulk.next_number(self._connection, Series.id)
            columns = {"authorizer_id": self._authorizer_id, "event": key.event, "route": key.route}
            columns |= {"id": found, "dimension": key.dimension}
            bulk.insert(self._connection, Series, {name: [value] for name, value in columns.items()})
            self._series[key] = found
            self._made.add(found)
        return found


def _filled(changed: _Changed) -> list[tuple[int, int, int, bytes]]:
    return sorted(
        (*at, number, text) for at, texts in changed.items() for number, text in texts.items() if text is not None
    )


def _places(rows: list[tuple[int, int, int, bytes]], name: str) -> dict[str, list[Any]]:
    return {column: [row[place] for row in rows] for place, column in enumerate(("series_id", "day", name))}


def merged(
    stored: Mapping[int, bytes], short: Pairs, added: Pairs, gone: Pairs
) -> tuple[dict[int, bytes | None], Pairs]:
    """
    Add events to tallies and take others out.

    Args:
        stored: Long tallies: value -> stored form.
        short: The events of all short tallies that stand on the same pages, in order.
        added: What to add, in order.
        gone: What to take out, in order.

    Returns:
        Long tallies that have changed, None where one is long no more; and the events of the short ones.

    Raises:
        ValueError: If an event is taken out more often than it is there.
    """
    tallies = {value: Tally.unpack(text) for value, text in stored.items()}
    are_long = np.isin(values_of(added), list(tallies)), np.isin(values_of(gone), list(tallies))
    for value, ids in grouped(added[are_long[0]]).by_value():
        tallies[value].add(Tally.of(ids))
    for value, ids in grouped(gone[are_long[1]]).by_value():
        tallies[value].subtract(Tally.of(ids))
    short = without(np.sort(np.concatenate((short, added[~are_long[0]]))), gone[~are_long[1]])
    result: dict[int, bytes | None] = {}
    fallen = []
    for value, tally in tallies.items():
        is_short = tally.times() <= FEW
        result[value] = None if is_short else tally.pack()
        if is_short:
            ids = tally.ids()
            fallen.append(joined(np.full(len(ids), value), ids))
    short = np.sort(np.concatenate((short, *fallen))) if fallen else short
    every = grouped(short)
    too_long = every.counts > FEW
    is_too_long = np.repeat(too_long, every.counts)
    for value, ids in grouped(short[is_too_long]).by_value() if too_long.any() else ():
        result[value] = Tally.of(ids).pack()
    return result, short[~is_too_long]
