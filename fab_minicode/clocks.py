"""
Clocks that are wrong. Processes on several machines share stamps in the database, and one of them may live an hour
ahead: a stamp that lies further ahead than an honest process could have written it holds nobody up. Pure.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

TOLERANCE = dt.timedelta(seconds=60)
"""Machines that are less apart than this count as agreeing."""


def is_over(column: Any, now: dt.datetime, *, lasts: dt.timedelta) -> Any:
    """
    Return the condition that nothing in ``column`` stands in the way: it is empty, past, or of a clock that was wrong.

    Args:
        column: The instant at which something ends.
        now: Aware UTC.
        lasts: The longest that it may lie ahead when it is written.
    """
    return column.is_(None) | (column <= now) | (column > now + lasts + TOLERANCE)
