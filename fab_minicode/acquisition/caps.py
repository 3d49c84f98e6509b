"""
A bound on the distinct values of a mini program's day, so that a stranger who makes up values floods no report.

The collect key stands in the mini program, so anybody can send events. The first values of a day, in the order in which
they are counted, keep their names; later ones are counted together. What was within the bound stays. Values that any
code of the mini program carries are never bounded and take no room. UTM values, landing pages, entry scenes and the
names of custom events are bounded each by themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.facts import SeriesKey, read, series_of
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.models import Attribution, Code, Value

EVENT = "event"
"""The dimension under which the names of custom events stand in ``minicode_values``."""

BOUNDED: tuple[str, ...] = tuple(name for name in NAMES if name != "code")
"""Dimensions whose values a tracker can make up; a code is one of ours."""

_CODE_COLUMNS = {name: getattr(Code, name) for name in BOUNDED if name.startswith("utm_")} | {"landing_page": Code.page}
"""What a code carries of a dimension."""

TOO_MANY = "(too many values)"
"""Stands in the context for a value beyond the bound; the raw event keeps what was sent."""


class Caps:
    """The bound of one mini program, asked once per batch."""

    def __init__(self, connection: Connection, authorizer_id: int, limit: int) -> None:
        """
        Args:
            connection: In the roll-up's transaction.
            authorizer_id: Whose values.
            limit: Distinct values per dimension and day.
        """
        self._connection, self._authorizer_id, self._limit = connection, authorizer_id, limit

    def may_bind(self, dimension: str, texts: Sequence[str]) -> bool:
        """Whether any day could have too many values with these: a quick look that mostly says no."""
        new = len(set(texts))
        if new > self._limit:
            return True
        mine = select(Value.id).where(Value.authorizer_id == self._authorizer_id, Value.dimension == dimension)
        bounded = mine.limit(self._limit + 1).subquery()
        known = self._connection.execute(select(func.count()).select_from(bounded)).scalar() or 0
        return bool(known + new > self._limit)

    def bounded(self, dimension: str, days: Sequence[int], texts: Sequence[str]) -> list[str]:
        """
        Return each text, or TOO_MANY.

        Args:
            dimension: One of :data:`BOUNDED`.
            days: Ordinal of the day of each.
            texts: In the order in which they are counted; "" where not set.
        """
        return self._within(days, texts, self._of_codes(dimension), lambda day: self._admitted(dimension, day))

    def bounded_events(self, days: Sequence[int], names: Sequence[str | None]) -> list[str | None]:
        """Return the name of each event, or TOO_MANY; None, a visit, stays None."""
        texts = [name or "" for name in names]
        if not self.may_bind(EVENT, [text for text in texts if text]):
            return list(names)
        return [text or None for text in self._within(days, texts, {TOO_MANY}, self._admitted_events)]

    def _within(
        self, days: Sequence[int], texts: Sequence[str], free: set[str], admitted_on: Callable[[int], set[str]]
    ) -> list[str]:
        admitted = {day: admitted_on(day) - free for day in set(days)}
        result = []
        for day, text in zip(days, texts, strict=True):
            here = admitted[day]
            is_free = not text or text in free or text in here
            if not is_free and len(here) < self._limit:
                here.add(text)
                is_free = True
            result.append(text if is_free else TOO_MANY)
        return result

    def _of_codes(self, dimension: str) -> set[str]:
        column = _CODE_COLUMNS.get(dimension)
        if column is None:
            return {TOO_MANY}
        mine = select(column).where(Code.authorizer_id == self._authorizer_id).distinct()
        return set(self._connection.execute(mine).scalars()) | {TOO_MANY}

    def _admitted(self, dimension: str, day: int) -> set[str]:
        """Return the values that visits of a day carried themselves, as they were counted."""
        series = series_of(self._connection, self._authorizer_id, VISIT)
        # A visit that carried no UTM values has a page and a scene all the same.
        routes = ("own",) if dimension.startswith("utm_") else ("own", "carried")
        numbers: set[int] = set()
        for route in routes:
            found = read(self._connection, series, SeriesKey(VISIT, route, dimension), range(day, day + 1), times=False)
            numbers |= {*(row[1] for row in found.single), *found.together.values.tolist()}
        return self._texts(numbers)

    def _admitted_events(self, day: int) -> set[str]:
        """Return the names of a day's custom events, as they were counted; reads the whole day."""
        mine = select(Attribution.event_id).where(
            Attribution.authorizer_id == self._authorizer_id, Attribution.day == day, Attribution.event_id > 0
        )
        return self._texts(set(self._connection.execute(mine.distinct()).scalars()))

    def _texts(self, numbers: set[int]) -> set[str]:
        wanted = sorted(numbers - {0})
        return {text for _, text in bulk.find(self._connection, Value.id, wanted, (Value.id, Value.value))}
