"""
The fields of a question, one by one: read strictly, written back. Pure.

Every refusal names the field, the limit and what was sent.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping, Sequence
from typing import Any

from fab_minicode.acquisition.metrics import CONVERSION, MAX_EVENT_CHARACTERS, MEASURES, METRICS, Metric, event_metric
from fab_minicode.acquisition.windows import CALENDAR, Period, Window
from fab_minicode.errors import InvalidInput

MAX_WINDOW_DAYS = 366
MAX_VALUES = 100
MAX_VALUE_CHARACTERS = 256
MAX_LIMIT = 1000
_EARLIEST, _LATEST = dt.date(2000, 1, 1), dt.date(2199, 12, 31)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAYS_AGO = {"today": 0, "yesterday": 1}
WINDOW_NAMES: tuple[str, ...] = (*_DAYS_AGO, *CALENDAR)
"""Windows by name; beside them are the last n days and free ones."""
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# The collector takes these out of every value (utm.normalise): nothing could ever match.
_CONTROL = re.compile("[\x01-\x1f\x7f-\x9f]")


def only_known(asked: Mapping[Any, Any], known: Sequence[str], field: str = "") -> None:
    """Refuse a key nobody knows: a typing error would otherwise change the question silently."""
    for key in asked:
        if key not in known:
            raise InvalidInput(f"{field}.{str(key)[:40]}".lstrip("."), "unknown_field")


def choice(value: Any, field: str, choices: Sequence[str]) -> str:
    """Return one of the choices."""
    if value is None:
        raise InvalidInput(field, "required")
    if not isinstance(value, str) or value not in choices:
        raise InvalidInput(field, "unknown", detail=str(value)[:40])
    return value


def list_of(value: Any, field: str, most: int) -> list[Any]:
    """Return a list that is not too long."""
    if not isinstance(value, (list, tuple)):
        raise InvalidInput(field, "invalid", detail=type(value).__name__)
    if len(value) > most:
        raise InvalidInput(field, "too_many", limit=most, actual=len(value))
    return list(value)


def checked_text(value: Any, field: str, most: int) -> str:
    """Return a text that is not empty, not too long and can be handed to a database."""
    if value is None or value == "":
        raise InvalidInput(field, "required")
    if not isinstance(value, str) or _UNSTORABLE.search(value):
        raise InvalidInput(field, "invalid", detail=type(value).__name__)
    if len(value) > most:
        raise InvalidInput(field, "too_long", limit=most, actual=len(value), unit="characters")
    return value


def read_metric(value: Any, field: str) -> Metric:
    """Read ``"users"`` or ``{"event": "order_paid", "as": "users"}``."""
    if isinstance(value, Mapping):
        only_known(value, ("event", "as"), field)
        event = checked_text(value.get("event"), f"{field}.event", MAX_EVENT_CHARACTERS)
        return event_metric(event, choice(value.get("as"), f"{field}.as", MEASURES))
    name = choice(value, field, [metric.name for metric in METRICS])
    return next(metric for metric in METRICS if metric.name == name)


def write_metric(metric: Metric) -> Any:
    """Return what :func:`read_metric` reads."""
    if metric in METRICS:
        return metric.name
    counted = metric.counted[0]
    return {"event": counted.counts.partition(":")[2], "as": CONVERSION if metric.parts else counted.measure}


def read_period(value: Any) -> Period:
    """Read a window: ``{"last_days": n}``, ``{"since", "until"}``, or one by name (``"today"``, ``"last_week"`` …)."""
    if isinstance(value, str):
        name = choice(value, "window", WINDOW_NAMES)
        return Period(calendar=name) if name in CALENDAR else Period(days_ago=_DAYS_AGO[name])
    if not isinstance(value, Mapping):
        raise InvalidInput("window", "invalid", detail=type(value).__name__)
    if "last_days" in value:
        only_known(value, ("last_days",), "window")
        return Period(last_days=_last_days(value["last_days"]))
    only_known(value, ("since", "until"), "window")
    window = Window(_date(value.get("since"), "window.since"), _date(value.get("until"), "window.until"))
    if window.until < window.since:
        raise InvalidInput("window.until", "before_since")
    if len(window.days) > MAX_WINDOW_DAYS:
        raise InvalidInput("window", "too_long", limit=MAX_WINDOW_DAYS, actual=len(window.days), unit="days")
    return Period(window=window)


def write_period(period: Period) -> Any:
    """Return what :func:`read_period` reads."""
    if period.window is not None:
        return {"since": period.window.since.isoformat(), "until": period.window.until.isoformat()}
    if period.calendar:
        return period.calendar
    if period.days_ago is not None:
        return next(word for word, days in _DAYS_AGO.items() if days == period.days_ago)
    return {"last_days": period.last_days}


def _last_days(value: Any) -> int:
    field = "window.last_days"
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(field, "invalid", limit=MAX_WINDOW_DAYS, detail=str(value)[:40])
    if not 1 <= value <= MAX_WINDOW_DAYS:
        actual = max(min(value, 2**53), -(2**53))
        raise InvalidInput(field, "out_of_range", limit=MAX_WINDOW_DAYS, actual=actual, unit="days")
    return value


def _date(value: Any, field: str) -> dt.date:
    text = checked_text(value, field, 10)
    try:
        day = dt.date.fromisoformat(text) if _DATE.fullmatch(text) and text.isascii() else None
    except ValueError:
        day = None
    if day is None:
        raise InvalidInput(field, "invalid", detail=text)
    if not _EARLIEST <= day <= _LATEST:
        raise InvalidInput(field, "out_of_range", detail=text)
    return day


def read_filter_value(value: Any, field: str, *, dimension: str, op: str) -> tuple[str | int, ...]:
    """
    Read the value of a condition: a list for ``in`` and ``not_in``, one value else.

    Codes may be given by their number, WeChat's entry scenes as the numbers they are.
    """
    if dimension == "scene":
        value = [_scene(item) for item in value] if isinstance(value, list) else _scene(value)
    if value is None:
        raise InvalidInput(field, "required")
    if op not in ("in", "not_in"):
        return (_value(value, field, numbers=dimension == "code" and op != "contains"),)
    items = list_of(value, field, MAX_VALUES)
    if not items:
        raise InvalidInput(field, "required")
    return tuple(_value(item, f"{field}[{place}]", numbers=dimension == "code") for place, item in enumerate(items))


def _scene(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31 else value


def _value(value: Any, field: str, *, numbers: bool) -> str | int:
    if numbers and isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value < 2**31:
            raise InvalidInput(field, "out_of_range", limit=2**31 - 1, actual=max(min(value, 2**53), -(2**53)))
        return value
    text = checked_text(value, field, MAX_VALUE_CHARACTERS)
    if _CONTROL.search(text):
        raise InvalidInput(field, "invalid", detail="control character")
    return text
