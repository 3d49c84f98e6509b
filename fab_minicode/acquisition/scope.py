"""
What funnels and retention share: whose first step counts, in which window, by which dimension. Pure.

Read from JSON (docs/api.md) or from an address, checked, and written back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.metrics import ATTRIBUTIONS, MAX_EVENT_CHARACTERS, SEGMENTS, Metric
from fab_minicode.acquisition.question import Filter, Question, read_filters, saved_segment
from fab_minicode.acquisition.question_address import read_address, write_address
from fab_minicode.acquisition.question_fields import (
    MAX_LIMIT,
    checked_text,
    choice,
    list_of,
    only_known,
    read_period,
    write_period,
)
from fab_minicode.acquisition.windows import Period
from fab_minicode.errors import InvalidInput

FIELDS: tuple[str, ...] = ("appid", "dimensions", "filters", "segment", "window", "attribution", "limit")
VISIT_STEP = "visit"
_THIRTY_DAYS = Period(last_days=30)


@dataclass(frozen=True)
class Scope:
    """
    Whose first step counts.

    Attributes:
        appid: The mini program's.
        dimension: What the answer is split by, "" for nothing.
        filters: What the first step must pass.
        segment: ``all``, ``new``, ``returning``, or ``segment:<id>`` of a saved one.
        period: When the first step was taken.
        attribution: Which touch filters and dimension look at.
        limit: Groups shown; what is left over is counted as ``others``.
    """

    appid: str
    dimension: str = ""
    filters: tuple[Filter, ...] = ()
    segment: str = "all"
    period: Period = _THIRTY_DAYS
    attribution: str = "last"
    limit: int = 20

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md with every field."""
        return {
            "appid": self.appid,
            "dimensions": [self.dimension] if self.dimension else [],
            "filters": [one.as_json() for one in self.filters],
            "segment": self.segment,
            "window": write_period(self.period),
            "attribution": self.attribution,
            "limit": self.limit,
        }

    def counting(self, metric: Metric) -> Question:
        """Return the question that counts a metric of the same people: its filters, segment, window and attribution."""
        return Question(
            self.appid,
            (metric,),
            filters=self.filters,
            segments=(self.segment,),
            period=self.period,
            attribution=self.attribution,
        )


def parse_scope(asked: Any, more: Sequence[str]) -> Scope:
    """
    Read the shared fields; what is left out has the default of :class:`Scope`.

    Args:
        asked: The whole question's JSON.
        more: Fields that it has beside ``FIELDS``.

    Raises:
        InvalidInput: Names the field, the limit and what was sent.
    """
    if not isinstance(asked, Mapping):
        raise InvalidInput("question", "invalid", detail=type(asked).__name__)
    only_known(asked, (*FIELDS, *more))
    given = {**Scope("").as_json(), "appid": None, **asked}
    dimensions = list_of(given["dimensions"], "dimensions", 1)
    segment = given["segment"]
    return Scope(
        checked_text(given["appid"], "appid", 32),
        choice(dimensions[0], "dimensions[0]", NAMES) if dimensions else "",
        read_filters(given["filters"]),
        segment if saved_segment(segment) else choice(segment, "segment", tuple(SEGMENTS)),
        read_period(given["window"]),
        choice(given["attribution"], "attribution", tuple(ATTRIBUTIONS)),
        whole(given["limit"], "limit", (1, MAX_LIMIT)),
    )


def whole(value: Any, field: str, within: tuple[int, int], unit: str = "") -> int:
    """Return a whole number within its limits, both included."""
    least, most = within
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(field, "invalid", limit=most, detail=str(value)[:40])
    if not least <= value <= most:
        raise InvalidInput(field, "out_of_range", limit=most, actual=max(min(value, 2**53), -(2**53)), unit=unit)
    return value


def read_step(value: Any, field: str) -> str | None:
    """Read ``"visit"`` (None) or ``{"event": "order_paid"}`` (its name)."""
    if isinstance(value, Mapping):
        only_known(value, ("event",), field)
        return checked_text(value.get("event"), f"{field}.event", MAX_EVENT_CHARACTERS)
    choice(value, field, (VISIT_STEP,))
    return None


def write_step(step: str | None) -> Any:
    """Return what :func:`read_step` reads."""
    return VISIT_STEP if step is None else {"event": step}


def step_to_text(step: str | None) -> str:
    """Return a step as an address carries it: ``visit``, ``event:order_paid``."""
    return VISIT_STEP if step is None else f"event:{step}"


def step_from_text(text: str) -> Any:
    """Return the JSON of a step in an address."""
    kind, colon, event = text.partition(":")
    return {"event": event} if colon and kind == "event" else text


def scope_to_args(scope: Scope) -> dict[str, str | list[str]]:
    """Return the query string of an address; what has its default is left out."""
    asked, standard = scope.as_json(), Scope("").as_json()
    changed = {key: value for key, value in asked.items() if key == "appid" or value != standard[key]}
    segment = changed.pop("segment", None)
    return {**write_address(changed), **({"segment": segment} if segment else {})}


def scope_from_args(args: Any) -> dict[str, Any]:
    """Return the JSON of the shared fields that an address carries; not checked here."""
    asked = {key: value for key, value in read_address(args).items() if key in FIELDS}
    segment = args.get("segment")
    return {**asked, **({"segment": segment} if segment else {})}


def number_from(text: str) -> Any:
    """Return the number in an address's text, or the text if it is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 17 else text
