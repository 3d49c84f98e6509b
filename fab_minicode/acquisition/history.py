"""
What was decided before and a batch needs to know, found without reading more than that.

No state is kept per visitor: the day's bitmaps say on which day to look, and ``minicode_attributions`` stands in the
order day, visitor. That is what makes late events exact, and saves a random write per event (docs/performance.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from pyroaring import BitMap
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.facts import SEEN, TOUCH, SeriesKey, crowd, read, series_of
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.acquisition.moments import LOOK_BACK_DAYS, Moments, Numbers
from fab_minicode.acquisition.pages import distinct_of
from fab_minicode.acquisition.tally import bitmap, people
from fab_minicode.models.acquisition import OWN, Attribution

_COLUMNS = (
    Attribution.visitor_id, Attribution.time_ms, Attribution.event_id, Attribution.context_id, Attribution.route,
    Attribution.entry_context_id, Attribution.key_tail,
)  # fmt: skip

_END_OF_TIME = 2**31 - 1


class History:
    """The decided events of one mini program."""

    def __init__(self, connection: Connection, authorizer_id: int) -> None:
        self._connection, self._authorizer_id = connection, authorizer_id
        self._series = series_of(connection, authorizer_id)

    def seen(self, since: int) -> dict[int, Any]:
        """Return for each day from ``since`` on who was seen: day -> bitmap."""
        found = read(self._connection, self._series, SEEN_KEY, range(since, _END_OF_TIME), times=False)
        return {day: people(tally) for day, _, tally in found.rows()}

    def around(self, new: Moments, seen: dict[int, Any]) -> Moments:
        """Return the visitors' decided events of the day of their first new event, and of all later days."""
        starts = new.starts()
        visitors, days = new.visitor[starts], new.day[starts]
        found = nothing()
        for day, crowd_of_day in sorted(seen.items()):
            candidates = bitmap(visitors[days <= day].astype(np.uint32)) & crowd_of_day
            found = _with(found, self._events(day, candidates))
        return found

    def before(self, new: Moments, together: Moments, known_since: Numbers, *, oldest: int) -> Moments:
        """
        Return earlier events that new ones depend on and that ``together`` does not hold.

        Args:
            new: The new events, ordered.
            together: They and :meth:`around`, ordered.
            known_since: For each of ``together`` the day of its visitor's first visit as stored, 0 if there is none.
            oldest: No day before this one has events any more.
        """
        touchless = together.new & together.visit & (together.latest(together.touched) < 0)
        orphans = together.new & ~together.visit & (together.latest(together.visit) < 0)
        orphans &= (known_since > 0) & (known_since <= together.day)
        touches = self._walk(
            _by_first_day(new, together.visitor[touchless]),
            lambda day: self._crowd((OWN_TOUCHES,), day),
            # Two days more than the look-back: a day of the zone is not 24 hours when clocks change.
            until=max(oldest, int(together.day[touchless].min(initial=2**31)) - LOOK_BACK_DAYS - 2),
        )
        touches = touches.take(touches.touched)
        visits = self._walk(
            _by_first_day(new, together.visitor[orphans]),
            lambda day: self._crowd((OWN_TOUCHES, CARRIED_TOUCHES), day),
            until=max(oldest, int(known_since[orphans].min(initial=2**31))),
        )
        # The same event may stand in both; nothing is ever taken from it twice.
        return _with(visits, touches)

    def _walk(self, waiting: dict[int, Any], crowd_of: Callable[[int], Any], *, until: int) -> Moments:
        """
        Go back day by day; of each visitor return the events of the latest day, before its own, that has it.

        Args:
            waiting: Day -> the visitors whose own it is, a bitmap.
            crowd_of: Who has events on a day, a bitmap.
            until: The first day to look at.
        """
        found, looking = nothing(), BitMap()
        for day in range(max(waiting, default=0) - 1, until - 1, -1):
            looking |= waiting.pop(day + 1, BitMap())
            if not looking and not waiting:
                break
            here = looking & crowd_of(day) if looking else looking
            if here:
                found = _with(found, self._events(day, here))
                looking -= here
        return found

    def _crowd(self, keys: tuple[SeriesKey, ...], day: int) -> Any:
        return crowd(self._connection, self._series, keys, day)

    def _events(self, day: int, visitors: Any) -> Moments:
        rows = bulk.find(
            self._connection,
            Attribution.visitor_id,
            visitors.to_array().tolist(),
            _COLUMNS,
            authorizer_id=self._authorizer_id,
            day=day,
        )
        if not rows:
            return nothing()
        visitor, time, event, context, route, entry, tail = (
            np.array([0 if value is None else value for value in column], np.int64) for column in bulk.columns_of(rows)
        )
        days = np.full(len(rows), day, np.int64)
        touched = (event == 0) & (route == OWN)
        return Moments(visitor, time, tail, days, event, context, route, entry, touched)


SEEN_KEY = SeriesKey(SEEN, "own", TOUCH)
OWN_TOUCHES = SeriesKey(VISIT, "own", TOUCH)
CARRIED_TOUCHES = SeriesKey(VISIT, "carried", TOUCH)


def _by_first_day(new: Moments, visitors: Numbers) -> dict[int, Any]:
    """Return some visitors of new events, bitmaps by the day of their first one."""
    starts = new.starts()
    wanted = distinct_of(visitors)
    days = new.day[starts][np.searchsorted(new.visitor[starts], wanted)]
    return {day: bitmap(wanted[days == day].astype(np.uint32)) for day in distinct_of(days).tolist()}


def nothing() -> Moments:
    """Return no events."""
    none = np.zeros(0, np.int64)
    return Moments(none, none, none, none, none, none, none, none, np.zeros(0, np.bool_))


def _with(found: Moments, more: Moments) -> Moments:
    return more.joined(found) if len(more) else found
