"""
Segments as values: conditions on visitors, read from JSON (docs/api.md), checked, and written back. Pure.

Who belongs to a segment is counted in ``acquisition.segments``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from fab_minicode.acquisition.metrics import ATTRIBUTIONS, MAX_EVENT_CHARACTERS
from fab_minicode.acquisition.question import MAX_DIMENSIONS, MAX_FILTERS, Filter, read_filters
from fab_minicode.acquisition.question_fields import (
    checked_text,
    choice,
    list_of,
    only_known,
    read_period,
    write_period,
)
from fab_minicode.acquisition.windows import Period
from fab_minicode.errors import InvalidInput

MAX_CONDITIONS = 10
MAX_TIMES = 10_000
MAX_CONDITION_FILTERS = MAX_FILTERS + MAX_DIMENSIONS
"""A segment made from one number of an answer holds the question's filters and one for each of its dimensions."""

MATCHES = ("all", "any")
KINDS: tuple[str, ...] = ("first_touch", "touch", "did", "new", "returning")
GROUP = "group"
COMPARISONS: tuple[str, ...] = ("at_least", "at_most", "exactly")

KIND_DEFINITIONS: dict[str, str] = {
    "first_touch": "Visitors whose first visit ever passes the filters.",
    "touch": "Visitors with a visit in the window that carried a touch itself and passes the filters.",
    "did": "Visitors with so many such visits or events in the window that pass the filters; at most n includes none.",
    "new": "Visitors whose first visit ever lies in the window and passes the filters itself.",
    "returning": "Visitors with a visit in the window that passes the filters whose first visit ever lies before it.",
}

_FIELDS: dict[str, tuple[str, ...]] = {
    "first_touch": ("filters",),
    "touch": ("filters", "window"),
    "did": ("filters", "window", "event", "attribution", *COMPARISONS),
    "new": ("filters", "window"),
    "returning": ("filters", "window", "attribution"),
}


@dataclass(frozen=True)
class Trait:
    """
    One condition on a visitor.

    Attributes:
        kind: One of ``KINDS``.
        filters: What the visits or events of it must pass.
        period: Its window; None for the whole time.
        event: Of ``did``: the custom event's name, None for visits.
        comparison: Of ``did``: one of ``COMPARISONS``.
        times: Of ``did``: how often.
        attribution: Which touch the filters of ``did`` and ``returning`` look at.
        is_not: Whether everybody else is meant.
    """

    kind: str
    filters: tuple[Filter, ...] = ()
    period: Period | None = None
    event: str | None = None
    comparison: str = "at_least"
    times: int = 1
    attribution: str = "last"
    is_not: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md with every field of its kind."""
        values = {
            "filters": [one.as_json() for one in self.filters],
            "window": None if self.period is None else write_period(self.period),
            "event": self.event,
            "attribution": self.attribution,
            self.comparison: self.times,
        }
        known = _FIELDS[self.kind]
        return {"kind": self.kind, "not": self.is_not, **{name: values[name] for name in known if name in values}}


@dataclass(frozen=True)
class Rule:
    """Conditions that hold together (``match`` is ``all``) or of which one is enough (``any``)."""

    conditions: tuple[Trait | Rule, ...]
    match: str = "all"
    is_not: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md; :func:`parse` reads it back."""
        return {"match": self.match, "conditions": [_written(one) for one in self.conditions]}

    def frozen(self, now: dt.datetime, zone: ZoneInfo) -> Rule:
        """Return the same conditions with the days that their windows mean now."""
        return replace(self, conditions=tuple(_frozen(one, now, zone) for one in self.conditions))


def _written(one: Trait | Rule) -> dict[str, Any]:
    if isinstance(one, Rule):
        return {"kind": GROUP, "not": one.is_not, **one.as_json()}
    return one.as_json()


def _frozen(one: Trait | Rule, now: dt.datetime, zone: ZoneInfo) -> Trait | Rule:
    if isinstance(one, Rule):
        return one.frozen(now, zone)
    return one if one.period is None else replace(one, period=Period(window=one.period.resolve(now, zone)))


def parse(asked: Any, field: str = "") -> Rule:
    """
    Read a segment's JSON (docs/api.md): ``{"match": "all", "conditions": [{"kind": "did", …}, …]}``.

    Raises:
        InvalidInput: Names the field (``conditions[1].filters[0].value``), the limit and what was sent.
    """
    if not isinstance(asked, Mapping):
        raise InvalidInput(field or "segment", "invalid", detail=type(asked).__name__)
    only_known(asked, ("match", "conditions"), field)
    rule = _rule(asked, field, is_not=False, may_group=True)
    number = sum(len(one.conditions) if isinstance(one, Rule) else 1 for one in rule.conditions)
    if number > MAX_CONDITIONS:
        raise InvalidInput(_inside(field, "conditions"), "too_many", limit=MAX_CONDITIONS, actual=number)
    return rule


def _inside(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _rule(asked: Mapping[str, Any], field: str, *, is_not: bool, may_group: bool) -> Rule:
    place = _inside(field, "conditions")
    items = list_of(asked.get("conditions", []), place, MAX_CONDITIONS)
    if not items:
        raise InvalidInput(place, "required")
    match = choice(asked.get("match", "all"), _inside(field, "match"), MATCHES)
    conditions = (_condition(item, f"{place}[{at}]", may_group=may_group) for at, item in enumerate(items))
    return Rule(tuple(conditions), match, is_not)


def _condition(asked: Any, field: str, *, may_group: bool) -> Trait | Rule:
    if not isinstance(asked, Mapping):
        raise InvalidInput(field, "invalid", detail=type(asked).__name__)
    kind = choice(asked.get("kind"), f"{field}.kind", (*KINDS, GROUP) if may_group else KINDS)
    is_not = asked.get("not", False)
    if not isinstance(is_not, bool):
        raise InvalidInput(f"{field}.not", "invalid", detail=str(is_not)[:40])
    if kind == GROUP:
        only_known(asked, ("kind", "not", "match", "conditions"), field)
        return _rule(asked, field, is_not=is_not, may_group=False)
    only_known(asked, ("kind", "not", *_FIELDS[kind]), field)
    filters = read_filters(asked.get("filters", []), f"{field}.filters", MAX_CONDITION_FILTERS)
    if kind == "first_touch" and not filters:
        raise InvalidInput(f"{field}.filters", "required")
    comparison, times = _times(asked, field)
    return Trait(
        kind,
        filters,
        _period(asked.get("window"), field),
        _event(asked.get("event"), f"{field}.event"),
        comparison,
        times,
        choice(asked.get("attribution", "last"), f"{field}.attribution", tuple(ATTRIBUTIONS)),
        is_not,
    )


def _event(value: Any, field: str) -> str | None:
    return None if value is None else checked_text(value, field, MAX_EVENT_CHARACTERS)


def _period(value: Any, field: str) -> Period | None:
    if value is None:
        return None
    try:
        return read_period(value)
    except InvalidInput as error:
        error.field = f"{field}.{error.field}"
        raise


def _times(asked: Mapping[str, Any], field: str) -> tuple[str, int]:
    given = [name for name in COMPARISONS if asked.get(name) is not None]
    if len(given) > 1:
        raise InvalidInput(f"{field}.{given[1]}", "not_wanted")
    if not given:
        return "at_least", 1
    name, value = given[0], asked[given[0]]
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidInput(f"{field}.{name}", "invalid", limit=MAX_TIMES, detail=str(value)[:40])
    if not (1 if name == "at_least" else 0) <= value <= MAX_TIMES:
        actual = max(min(value, 2**53), -(2**53))
        raise InvalidInput(f"{field}.{name}", "out_of_range", limit=MAX_TIMES, actual=actual)
    return name, value
