"""
Days and hours of a time zone: windows of a question, and the calendar day of an instant. Pure.

A day is ``date.toordinal()``, as in the tables.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
# Every zone in use today changes its offset at a multiple of a quarter of an hour UTC.
_QUARTER_MS = 900_000
_EPOCH_DAY = dt.date(1970, 1, 1).toordinal()


@dataclass(frozen=True)
class Window:
    """Calendar days, both included."""

    since: dt.date
    until: dt.date

    @property
    def days(self) -> range:
        """The days as ordinals."""
        return range(self.since.toordinal(), self.until.toordinal() + 1)

    def previous(self) -> Window:
        """Return the same number of days just before."""
        return self.shifted(len(self.days))

    def week_earlier(self) -> Window:
        """Return the same weekdays before: earlier by the fewest whole weeks that keep the two apart."""
        return self.shifted(7 * -(-len(self.days) // 7))

    def shifted(self, days: int) -> Window:
        """Return the window so many days earlier."""
        earlier = dt.timedelta(days=days)
        return Window(self.since - earlier, self.until - earlier)


@dataclass(frozen=True)
class Period:
    """
    A window as it was asked for.

    Attributes:
        last_days: Complete days before today; 0 where the others say it.
        days_ago: Of one single day: 0 for today, 1 for yesterday; None else.
        window: The days themselves, None where they depend on today.
        calendar: A name of ``CALENDAR``, "" else.
    """

    last_days: int = 0
    days_ago: int | None = None
    window: Window | None = None
    calendar: str = ""

    def resolve(self, now: dt.datetime, zone: ZoneInfo) -> Window:
        """Return the days, seen from the instant ``now``."""
        if self.window is not None:
            return self.window
        today = now.astimezone(zone).date()
        if self.calendar:
            return _calendar(self.calendar, today)
        if self.days_ago is not None:
            day = today - dt.timedelta(days=self.days_ago)
            return Window(day, day)
        return Window(today - dt.timedelta(days=self.last_days), today - dt.timedelta(days=1))

    def compared(self, window: Window, compare: str) -> Window:
        """
        Return what ``window``, which this resolved to, is compared with.

        ``previous`` of a week or month is the week or month before; as long as it is not over, the same number of days
        from its beginning. Of other windows it is the same number of days just before.
        """
        if compare == WEEK_EARLIER:
            return window.week_earlier()
        if not self.calendar:
            return window.previous()
        whole = _calendar("last_week" if self.calendar.endswith("week") else "last_month", window.since)
        if self.calendar.startswith("last"):
            return whole
        return Window(whole.since, min(whole.until, whole.since + (window.until - window.since)))


CALENDAR: tuple[str, ...] = ("this_week", "last_week", "this_month", "last_month")
"""Windows that follow the calendar; a week begins on Monday, the current one ends today."""

PREVIOUS, WEEK_EARLIER = "previous", "week_earlier"
COMPARISONS: tuple[str, ...] = (PREVIOUS, WEEK_EARLIER)
"""What an answer can be compared with."""


def _calendar(name: str, today: dt.date) -> Window:
    is_week = name.endswith("week")
    since = today - dt.timedelta(days=today.weekday()) if is_week else today.replace(day=1)
    if name.startswith("this"):
        return Window(since, today)
    until = since - dt.timedelta(days=1)
    return Window(until - dt.timedelta(days=6) if is_week else until.replace(day=1), until)


def local_ms(times_ms: Numbers, zone: ZoneInfo) -> Numbers:
    """Return milliseconds since 1970-01-01T00:00 on the zone's own clock; an hour set back comes twice."""
    quarters = times_ms // _QUARTER_MS
    distinct, places = _ticked_off(quarters) if len(quarters) else (quarters, quarters)
    offsets = np.array([_offset_ms(quarter, zone) for quarter in distinct.tolist()], np.int64)
    local: Numbers = times_ms + offsets[places]
    return local


def _ticked_off(numbers: Numbers) -> tuple[Numbers, Numbers]:
    """Return the distinct of some numbers and the place of each, without sorting where they lie close together."""
    since = int(numbers.min())
    if int(numbers.max()) - since > _CLOSE:
        distinct, places = np.unique(numbers, return_inverse=True)
        return distinct, places.ravel()
    is_there = np.bincount(numbers - since) > 0
    return np.flatnonzero(is_there) + since, (np.cumsum(is_there) - 1)[numbers - since]


_CLOSE = 100_000


@lru_cache(maxsize=20_000)
def _offset_ms(quarter: int, zone: ZoneInfo) -> int:
    offset = dt.datetime.fromtimestamp(quarter * _QUARTER_MS / 1000, zone).utcoffset()
    return 0 if offset is None else round(offset.total_seconds() * 1000)


def days_of(times_ms: Numbers, zone: ZoneInfo) -> Numbers:
    """Return the calendar days, as ordinals, on which instants fall."""
    return local_ms(times_ms, zone) // DAY_MS + _EPOCH_DAY


def hours_of(times_ms: Numbers, zone: ZoneInfo) -> Numbers:
    """Return the hours on the zone's own clock: 24 times the day's ordinal plus the hour."""
    return local_ms(times_ms, zone) // HOUR_MS + 24 * _EPOCH_DAY


def _day(day: int) -> str:
    return dt.date.fromordinal(day).isoformat()


def _week(day: int) -> str:
    return _day(day - dt.date.fromordinal(day).weekday())


def _month(day: int) -> str:
    return _day(day)[:7]


def hour_text(hour: int) -> str:
    """Return ``2026-11-20T09:00`` for a number of :func:`hours_of`."""
    return f"{_day(hour // 24)}T{hour % 24:02d}:00"


BUCKETS: dict[str, Callable[[int], str]] = {"total": lambda _day: "", "day": _day, "week": _week, "month": _month}
"""Granularity -> what a day belongs to: a day, the Monday of its week, its month. Hours are not made of days."""

GRANULARITIES: tuple[str, ...] = ("total", "hour", "day", "week", "month")
MAX_HOUR_DAYS_AGO = 14
"""Hours are counted from single events, this far back."""
