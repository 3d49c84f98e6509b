"""
A bound on the distinct values of a mini program's day, so that a stranger who makes up values floods no report.

The collect key stands in the mini program, so anybody can send events. The first values of a day, in the order in which
they are counted, keep their names; later ones are counted together. What was within the bound stays. Values that any
code of the mini program carries are never bounded and take no room. UTM values, landing pages, entry scenes and the
names of custom events are bounded each by themselves.

A flood must not displace what is really there: WeChat's own entry scenes, and pages and events that were counted on one
of the :data:`KNOWN_DAYS` days before, take no room either. UTM values of advertisements are new every day; those of a
team's own are on its codes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import exists, func, or_, select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.facts import TOUCH, SeriesKey, read, series_of
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.acquisition.scenes import SCENE_NAMES
from fab_minicode.models import Code, Fact, FactPage, Series, Value

EVENT = "event"
"""The dimension under which the names of custom events stand in ``minicode_values``."""

KNOWN_DAYS = 7
"""So many days back a page or an event must have been counted to keep its name whatever else comes."""

BOUNDED: tuple[str, ...] = tuple(name for name in NAMES if name != "code")
"""Dimensions whose values a tracker can make up; a code is one of ours."""

_PAGE, _EVENT_SERIES = "landing_page", "event:"
_OnDay = Callable[[int], set[str]]

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
        never, known = self._of_codes(dimension), dimension == _PAGE

        def free(day: int) -> set[str]:
            return never | (self._counted(dimension, range(day - KNOWN_DAYS, day)) if known else set())

        return self._within(days, texts, free, lambda day: self._counted(dimension, range(day, day + 1)))

    def bounded_events(self, days: Sequence[int], names: Sequence[str | None]) -> list[str | None]:
        """Return the name of each event, or TOO_MANY; None, a visit, stays None."""
        texts = [name or "" for name in names]
        if not self.may_bind(EVENT, [text for text in texts if text]):
            return list(names)

        def free(day: int) -> set[str]:
            return {TOO_MANY} | self._events(range(day - KNOWN_DAYS, day))

        return [text or None for text in self._within(days, texts, free, lambda day: self._events(range(day, day + 1)))]

    def _within(self, days: Sequence[int], texts: Sequence[str], free_on: _OnDay, counted_on: _OnDay) -> list[str]:
        free = {day: free_on(day) for day in set(days)}
        admitted = {day: counted_on(day) - free[day] for day in free}
        result = []
        for day, text in zip(days, texts, strict=True):
            here = admitted[day]
            is_free = not text or text in free[day] or text in here
            if not is_free and len(here) < self._limit:
                here.add(text)
                is_free = True
            result.append(text if is_free else TOO_MANY)
        return result

    def _of_codes(self, dimension: str) -> set[str]:
        """Return what no stranger makes up: values of codes, and WeChat's own entry scenes."""
        if dimension == "scene":
            return {TOO_MANY, *SCENE_NAMES}
        mine = select(_CODE_COLUMNS[dimension]).where(Code.authorizer_id == self._authorizer_id).distinct()
        return set(self._connection.execute(mine).scalars()) | {TOO_MANY}

    def _counted(self, dimension: str, days: range) -> set[str]:
        """Return the values that visits of some days carried themselves, as they were counted."""
        series = series_of(self._connection, self._authorizer_id, VISIT)
        # A visit that carried no UTM values has a page and a scene all the same.
        routes = ("own",) if dimension.startswith("utm_") else ("own", "carried")
        numbers: set[int] = set()
        for route in routes:
            found = read(self._connection, series, SeriesKey(VISIT, route, dimension), days, times=False)
            numbers |= {*(row[1] for row in found.single), *found.together.values.tolist()}
        wanted = sorted(numbers - {0})
        return {text for _, text in bulk.find(self._connection, Value.id, wanted, (Value.id, Value.value))}

    def _events(self, days: range) -> set[str]:
        """Return the names of custom events that have facts on some days: one look into each of their series."""
        span = (Fact.day.between(days.start, days.stop - 1), FactPage.day.between(days.start, days.stop - 1))
        long = exists().where(Fact.series_id == Series.id, span[0])
        short = exists().where(FactPage.series_id == Series.id, span[1])
        there = or_(long, short)
        mine = select(Series.event).where(
            Series.authorizer_id == self._authorizer_id,
            Series.dimension == TOUCH,
            Series.event.startswith(_EVENT_SERIES),
        )
        found = self._connection.execute(mine.where(there).distinct()).scalars()
        return {name.removeprefix(_EVENT_SERIES) for name in found}
