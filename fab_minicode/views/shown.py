"""How numbers, days and instants look to the reader of a page: their language, the mini program's time zone."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from babel import Locale, dates, numbers
from flask_babel import get_locale

from fab_minicode.words import gettext as _

_DARK_THEMES = frozenset({"amelia.css", "cyborg.css", "darkly.css", "slate.css", "solar.css", "superhero.css"})
"""Flask-AppBuilder's dark ``APP_THEME`` files, for pages without scripts; theme.js measures the real background."""


@dataclass(frozen=True)
class Shown:
    """
    Formats for one page.

    Attributes:
        now: Aware UTC; what "ago" counts from.
        zone: Time zone of shown days and clock times.
        locale: Language of the page.
    """

    now: dt.datetime
    zone: ZoneInfo
    locale: Locale

    @classmethod
    def here(cls, *, now: dt.datetime, zone: ZoneInfo) -> Shown:
        """Return the formats for the current request's language."""
        return cls(now, zone, get_locale() or Locale("en"))

    @property
    def language(self) -> str:
        """The page's language as HTML's ``lang`` wants it."""
        plain_chinese = self.locale.language == "zh" and not self.locale.script
        return "zh-Hans" if plain_chinese else str(self.locale).replace("_", "-")

    @staticmethod
    def is_dark(theme: str | None) -> bool:
        """Whether the host's ``APP_THEME`` is one of Flask-AppBuilder's dark ones."""
        return theme in _DARK_THEMES

    def number(self, value: float | None) -> str:
        """Return the number with its digits grouped; a dash where there is none."""
        if value is None:
            return "–"
        return str(numbers.format_decimal(value, locale=self.locale))

    def percent(self, share: float) -> str:
        """Return a share (0 to 1) as a percentage; a share below one half per cent keeps one digit."""
        pattern = "#,##0.#%" if 0 < abs(share) < 0.005 else "#,##0%"
        return str(numbers.format_percent(share, format=pattern, locale=self.locale))

    def ago(self, instant: dt.datetime) -> str:
        """Return how long ago an instant is, in words ("2 days ago")."""
        passed = instant - self.now
        if abs(passed) < dt.timedelta(seconds=45):
            return _("just now")
        return str(dates.format_timedelta(passed, add_direction=True, locale=self.locale))

    def span(self, seconds: float) -> str:
        """Return a length of time in words ("3 hours")."""
        return str(dates.format_timedelta(dt.timedelta(seconds=seconds), locale=self.locale))

    def exact(self, instant: dt.datetime) -> str:
        """Return an instant with seconds, in the page's zone and language."""
        return str(dates.format_datetime(instant.astimezone(self.zone), "medium", locale=self.locale))

    def day(self, day: dt.date) -> str:
        """Return a day in the page's language."""
        return str(dates.format_date(day, "medium", locale=self.locale))

    def days(self, since: dt.date, until: dt.date) -> str:
        """Return a window by its two days, both included ("Sun, Nov 15 – Sat, Nov 21, 2026"), or its one day."""
        words = str(dates.format_interval(since, until, "yMMMEd", locale=self.locale))
        # Chinese joins days of one month by a dash and others by a word; one sign reads better in a column.
        return words.replace("至", " – ")

    def weekday(self, day: dt.date) -> str:
        """Return a day of a known year with its weekday ("Sun, Nov 15")."""
        return str(dates.format_skeleton("MMMEd", day, locale=self.locale))

    def change(self, value: float, previous: float) -> str:
        """Return by how much a number differs from an earlier one ("+12%"), "" where the earlier one is 0."""
        if previous == 0:
            return ""
        return ("+" if value > previous else "") + self.percent((value - previous) / previous).replace("-", "−")
