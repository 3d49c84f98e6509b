"""
The time column of an answer in words: hours, days, weeks and months, which are not over, which days they hold.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from babel import dates

from fab_minicode.acquisition.windows import MAX_HOUR_DAYS_AGO
from fab_minicode.views.shown import Shown


@dataclass(frozen=True)
class Days:
    """Calendar days, both included."""

    since: dt.date
    until: dt.date


@dataclass(frozen=True)
class Times:
    """
    The instants of a time column.

    Attributes:
        granularity: ``hour``, ``day``, ``week`` or ``month``.
        window: The days of the answer.
        shown: Formats of the page; its ``now`` tells what is not over.
    """

    granularity: str
    window: Days
    shown: Shown

    def text(self, value: str) -> str:
        """Return ``2026-11-20T09:00``, a day, the Monday of a week or ``2026-11`` in words."""
        locale = self.shown.locale
        if self.granularity == "month":
            return str(dates.format_skeleton("yMMM", dt.date.fromisoformat(f"{value}-01"), locale=locale))
        days = self.days(value)
        if self.granularity == "week":
            return self.shown.days(days.since, days.until)
        return self.shown.weekday(days.since) + (f" {value[11:16]}" if self.granularity == "hour" else "")

    def tick(self, value: str) -> str:
        """Return it as short as an axis wants it."""
        if self.granularity == "hour" and (value[11:16] != "00:00" or self.window.since == self.window.until):
            return value[11:16]
        return value if self.granularity == "month" else f"{int(value[5:7])}/{int(value[8:10])}"

    def days(self, value: str) -> Days:
        """Return the days of the window that an hour, day, week or month stands for."""
        whole = self._whole(value)
        return Days(max(whole.since, self.window.since), min(whole.until, self.window.until))

    def _whole(self, value: str) -> Days:
        if self.granularity == "month":
            first = dt.date.fromisoformat(f"{value}-01")
            last = (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)
        else:
            first = dt.date.fromisoformat(value[:10])
            last = first + dt.timedelta(days=6 if self.granularity == "week" else 0)
        return Days(first, last)

    def is_open(self, value: str) -> bool:
        """Whether it is not over."""
        here = self.shown.now.astimezone(self.shown.zone)
        if self.granularity == "hour":
            return value[:13] == here.isoformat()[:13]
        days = self._whole(value)
        return days.since <= here.date() <= days.until

    def has_begun(self, value: str) -> bool:
        """Whether it does not lie wholly ahead."""
        return value <= self.shown.now.astimezone(self.shown.zone).isoformat()

    def all(self) -> list[str]:
        """Return every value of the window that has begun, in its order."""
        return [value for value in dict.fromkeys(self._values()) if self.has_begun(value)]

    def _values(self) -> Iterator[str]:
        day = self.window.since
        while day <= self.window.until:
            if self.granularity == "hour":
                yield from (f"{day}T{hour:02d}:00" for hour in range(24))
            elif self.granularity == "week":
                yield (day - dt.timedelta(days=day.weekday())).isoformat()
            else:
                yield day.isoformat()[: 7 if self.granularity == "month" else 10]
            day += dt.timedelta(days=1)

    def has_hours(self, day: dt.date) -> bool:
        """Whether the hours of a day can be asked for."""
        today = self.shown.now.astimezone(self.shown.zone).date()
        return (today - day).days <= MAX_HOUR_DAYS_AGO
