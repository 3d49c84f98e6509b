"""
A bound on the distinct UTM values of a mini program's day, so that a stranger who makes up values floods no report.

The collect key stands in the mini program, so anybody can send events. The first values of a day, in the order in which
they are counted, keep their names; later ones are counted together. What was within the bound stays. Values that any
code of the mini program carries are never bounded and take no room.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.facts import SeriesKey, read, series_of
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.models import Code, Value

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
            dimension: One of the five UTM dimensions.
            days: Ordinal of the day of each.
            texts: In the order in which they are counted; "" where not set.
        """
        of_codes = self._of_codes(dimension)
        admitted = {day: self._admitted(dimension, day) - of_codes for day in set(days)}
        result = []
        for day, text in zip(days, texts, strict=True):
            here = admitted[day]
            is_free = not text or text in of_codes or text in here
            if not is_free and len(here) < self._limit:
                here.add(text)
                is_free = True
            result.append(text if is_free else TOO_MANY)
        return result

    def _of_codes(self, dimension: str) -> set[str]:
        column = getattr(Code, dimension)
        mine = select(column).where(Code.authorizer_id == self._authorizer_id).distinct()
        return set(self._connection.execute(mine).scalars()) | {TOO_MANY}

    def _admitted(self, dimension: str, day: int) -> set[str]:
        """Return the values that visits of a day carried themselves, as they were counted."""
        series = series_of(self._connection, self._authorizer_id, VISIT)
        key = SeriesKey(VISIT, "own", dimension)
        found = read(self._connection, series, key, range(day, day + 1), times=False)
        numbers = sorted({*(row[1] for row in found.single), *found.together.values.tolist()} - {0})
        return {text for _, text in bulk.find(self._connection, Value.id, numbers, (Value.id, Value.value))}
