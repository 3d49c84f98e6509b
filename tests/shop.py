"""What comes to the mini program of the fixture ``shop``: when, and with which touches."""

from __future__ import annotations

import datetime as dt

from tests import worlds

NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.timezone.utc)
SETTINGS = worlds.settings_in("Asia/Shanghai")
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
THEN = int(NOW.timestamp() * 1000) - 2 * DAY
"""Two days before NOW, Unix milliseconds."""

POSTER, FLYER = ("poster", "", "", "", ""), ("flyer", "", "", "", "")
