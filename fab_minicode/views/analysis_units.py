"""
In what a metric is counted, and how one of its numbers is written: people and times, visits per user, shares.
"""

from __future__ import annotations

from babel import numbers

from fab_minicode.views.shown import Shown

COUNT, RATIO, SHARE = "count", "ratio", "share"
NOTHING = "–"
"""What stands where there is nothing to divide by."""

_RATIOS = ("visits_per_user",)
_MARK = "\x1f"
"""No event's name holds it: the collector takes control characters out."""


def by_attribution(attribution: str, metric: str) -> str:
    """Return the column of a metric counted by one of several attributions."""
    return f"{attribution}{_MARK}{metric}"


def attribution_of(column: str) -> tuple[str, str]:
    """Return the attribution and the metric of a column; the attribution is "" where there is only one."""
    attribution, mark, metric = column.partition(_MARK)
    return (attribution, metric) if mark else ("", column)


def unit_of(metric: str) -> str:
    """Return the unit of a metric's column: ``count``, ``ratio`` or ``share`` (0 to 1)."""
    _attribution, metric = attribution_of(metric)
    if metric in _RATIOS:
        return RATIO
    return SHARE if metric.endswith(".conversion") else COUNT


def is_additive(metric: str) -> bool:
    """Whether parts of a metric make a whole: visits and events do, people and ratios do not."""
    _attribution, metric = attribution_of(metric)
    return metric == "visits" or metric.endswith(".times")


def figure(shown: Shown, metric: str, value: float | None) -> str:
    """Return a number of a metric with its digits grouped, as a percentage where it is a share."""
    if value is None:
        return NOTHING
    unit = unit_of(metric)
    if unit == RATIO:
        return str(numbers.format_decimal(value, format="#,##0.00", locale=shown.locale))
    if unit == SHARE:
        return str(numbers.format_percent(value, format="#,##0.0%", locale=shown.locale))
    return shown.number(value)
