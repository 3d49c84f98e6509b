"""
A question to the numbers: read from JSON (docs/api.md) or from an address, checked, and written back. Pure.

Nothing here knows the data: whether a mini program or a code exists is the answer's business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fab_minicode.acquisition.dimensions import NAMES, OPERATORS
from fab_minicode.acquisition.metrics import ATTRIBUTIONS, METRICS, SEGMENTS, Metric
from fab_minicode.acquisition.question_address import read_address, write_address
from fab_minicode.acquisition.question_fields import (
    MAX_LIMIT,
    checked_text,
    choice,
    list_of,
    only_known,
    read_filter_value,
    read_metric,
    read_period,
    write_metric,
    write_period,
)
from fab_minicode.acquisition.windows import COMPARISONS, GRANULARITIES, Period
from fab_minicode.errors import InvalidInput

MAX_METRICS, MAX_DIMENSIONS, MAX_FILTERS, MAX_SEGMENTS = 10, 5, 10, 5
_SEVEN_DAYS = Period(last_days=7)
_VALUELESS = ("set", "not_set")
_SAVED_SEGMENT = re.compile(r"segment:([1-9][0-9]{0,9})", re.ASCII)
_FIELDS = (
    "appid", "metrics", "dimensions", "filters", "segments", "window", "granularity", "attribution", "compare", "limit",
)  # fmt: skip


@dataclass(frozen=True)
class Filter:
    """
    One condition; all of a question's hold together.

    Attributes:
        dimension: A name of ``DIMENSIONS``.
        op: One of ``OPERATORS``.
        values: None for ``set`` and ``not_set``, several for ``in`` and ``not_in``, one else. Of the dimension
            ``code`` a number is a code's id, a text its name.
    """

    dimension: str
    op: str
    values: tuple[str | int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        if self.op in _VALUELESS:
            return {"dimension": self.dimension, "op": self.op}
        value = list(self.values) if self.op in ("in", "not_in") else self.values[0]
        return {"dimension": self.dimension, "op": self.op, "value": value}


@dataclass(frozen=True)
class Question:
    """
    Metrics x dimensions x filters x segments x window, as docs/numbers.md defines them.

    ``segments``: names of ``metrics.SEGMENTS`` or ``segment:<id>`` of saved ones. ``compare``: ``previous``,
    ``week_earlier`` or None. ``limit``: groups shown; what is left over is counted as ``others``.
    """

    appid: str
    metrics: tuple[Metric, ...] = (METRICS[0],)
    dimensions: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    segments: tuple[str, ...] = ("all",)
    period: Period = _SEVEN_DAYS
    granularity: str = "total"
    attribution: str = "last"
    compare: str | None = None
    limit: int = 20

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md with every field; :func:`parse` reads it back."""
        return {
            "appid": self.appid,
            "metrics": [write_metric(metric) for metric in self.metrics],
            "dimensions": list(self.dimensions),
            "filters": [one.as_json() for one in self.filters],
            "segments": list(self.segments),
            "window": write_period(self.period),
            "granularity": self.granularity,
            "attribution": self.attribution,
            "compare": self.compare,
            "limit": self.limit,
        }


def parse(asked: Any) -> Question:
    """
    Read a question's JSON (docs/api.md); what is left out has the default of :class:`Question`.

    Raises:
        InvalidInput: Names the field (``filters[1].value``), the limit and what was sent.
    """
    if not isinstance(asked, Mapping):
        raise InvalidInput("question", "invalid", detail=type(asked).__name__)
    only_known(asked, _FIELDS)
    standard = Question("")
    given = {**{key: value for key, value in standard.as_json().items() if key != "appid"}, **asked}
    limit = given["limit"]
    if isinstance(limit, bool) or not isinstance(limit, int):
        raise InvalidInput("limit", "invalid", limit=MAX_LIMIT, detail=str(limit)[:40])
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput("limit", "out_of_range", limit=MAX_LIMIT, actual=max(min(limit, 2**53), -(2**53)))
    return Question(
        appid=checked_text(given.get("appid"), "appid", 32),
        metrics=_metrics(given["metrics"]),
        dimensions=_choices(given["dimensions"], "dimensions", NAMES, MAX_DIMENSIONS),
        filters=read_filters(given["filters"]),
        segments=_segments(given["segments"]) or ("all",),
        period=read_period(given["window"]),
        granularity=choice(given["granularity"], "granularity", GRANULARITIES),
        attribution=choice(given["attribution"], "attribution", tuple(ATTRIBUTIONS)),
        compare=None if given["compare"] is None else choice(given["compare"], "compare", COMPARISONS),
        limit=limit,
    )


def _metrics(asked: Any) -> tuple[Metric, ...]:
    items = list_of(asked, "metrics", MAX_METRICS)
    metrics = tuple(read_metric(item, f"metrics[{place}]") for place, item in enumerate(items))
    if not metrics:
        raise InvalidInput("metrics", "required")
    _refuse_twice("metrics", [metric.name for metric in metrics])
    return metrics


def _choices(asked: Any, field: str, choices: tuple[str, ...], most: int) -> tuple[str, ...]:
    items = list_of(asked, field, most)
    chosen = tuple(choice(item, f"{field}[{place}]", choices) for place, item in enumerate(items))
    _refuse_twice(field, chosen)
    return chosen


def _segments(asked: Any) -> tuple[str, ...]:
    items = list_of(asked, "segments", MAX_SEGMENTS)
    chosen = tuple(
        item if saved_segment(item) else choice(item, f"segments[{place}]", tuple(SEGMENTS))
        for place, item in enumerate(items)
    )
    _refuse_twice("segments", chosen)
    return chosen


def saved_segment(name: Any) -> int | None:
    """Return the id in ``segment:<id>``, the name of a saved segment; None for every other name."""
    found = _SAVED_SEGMENT.fullmatch(name) if isinstance(name, str) else None
    number = int(found[1]) if found else 0
    return number if 1 <= number < 2**31 else None


def _refuse_twice(field: str, names: Any) -> None:
    for place, name in enumerate(names):
        if name in names[:place]:
            raise InvalidInput(f"{field}[{place}]", "twice", detail=name)


def read_filters(asked: Any, field: str = "filters", most: int = MAX_FILTERS) -> tuple[Filter, ...]:
    """Read a list of conditions; ``field`` is where it stands."""
    items = list_of(asked, field, most)
    return tuple(_filter(item, f"{field}[{place}]") for place, item in enumerate(items))


def _filter(asked: Any, field: str) -> Filter:
    if not isinstance(asked, Mapping):
        raise InvalidInput(field, "invalid", detail=type(asked).__name__)
    only_known(asked, ("dimension", "op", "value", "values"), field)
    dimension = choice(asked.get("dimension"), f"{field}.dimension", NAMES)
    op = choice(asked.get("op"), f"{field}.op", OPERATORS)
    # "values" is what many write for a list; both at once would be two questions.
    value = asked.get("value", asked.get("values"))
    if op in _VALUELESS:
        if value is not None:
            raise InvalidInput(f"{field}.value", "not_wanted")
        return Filter(dimension, op)
    return Filter(dimension, op, read_filter_value(value, f"{field}.value", dimension=dimension, op=op))


def to_args(question: Question) -> dict[str, str | list[str]]:
    """
    Return the query string of an address that carries the whole question; several values of a key are a list.

    ``{"appid": "wx…", "metric": ["users", "order_paid.times"], "by": "utm_source", "where": "utm_source:set", …}``;
    what has its default is left out. :func:`from_args` reads it back.
    """
    asked, standard = question.as_json(), Question("").as_json()
    return write_address({key: value for key, value in asked.items() if key == "appid" or value != standard[key]})


def from_args(args: Any) -> Question:
    """
    Read :func:`to_args` from a multi-dict (``getlist``) or a plain mapping; other keys are left alone.

    Raises:
        InvalidInput: As :func:`parse`.
    """
    return parse(read_address(args))
