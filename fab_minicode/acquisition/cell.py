"""
One number of an answer, named by what the answer itself says: a metric, a row, a segment. Pure.

The same cell as a segment (:func:`rule_of`) is "these visitors", to be saved under a name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT, Metric
from fab_minicode.acquisition.question import Filter, Question, saved_segment
from fab_minicode.acquisition.question_fields import checked_text, choice, only_known, read_filter_value
from fab_minicode.acquisition.segment_rules import Rule, Trait
from fab_minicode.acquisition.windows import BUCKETS, Period, Window
from fab_minicode.errors import InvalidInput

CODE_KEYS = ("code_id", "code_deleted")
"""What a row holds beside a code's name."""

_MAX_BUCKET = 16
_ARGS = {"metric": "number", "segment": "group"}


@dataclass(frozen=True)
class Cell:
    """
    One number.

    Attributes:
        metric: Which of the question's.
        filters: The row's group: one condition for each of the question's dimensions.
        bucket: The row's hour, day, week or month; "" for the whole window.
        segment: Which of the question's.
        is_others: Whether it is what the limit left out; then there is no group and no bucket.
    """

    metric: Metric
    filters: tuple[Filter, ...] = ()
    bucket: str = ""
    segment: str = "all"
    is_others: bool = False


def parse_cell(question: Question, asked: Any) -> Cell:
    """
    Read which number of a question's answer is meant.

    Args:
        question: The question.
        asked: ``{"metric": name, "row": {…}, "segment": name, "others": bool}``; all of them may be left out. ``row``
            is a row as the answer holds it, or null for the totals.

    Raises:
        InvalidInput: Names the field.
    """
    if not isinstance(asked, Mapping):
        raise InvalidInput("cell", "invalid", detail=type(asked).__name__)
    only_known(asked, ("metric", "row", "segment", "others"))
    metrics = {metric.name: metric for metric in question.metrics}
    metric = metrics[choice(asked.get("metric", question.metrics[0].name), "metric", tuple(metrics))]
    row, is_others = asked.get("row"), asked.get("others", False)
    if not isinstance(is_others, bool):
        raise InvalidInput("others", "invalid", detail=str(is_others)[:40])
    if row is not None and not isinstance(row, Mapping):
        raise InvalidInput("row", "invalid", detail=type(row).__name__)
    segment = asked.get("segment") or (row or {}).get("segment") or question.segments[0]
    segment = choice(segment, "segment", question.segments)
    if row is None or is_others:
        return Cell(metric, segment=segment, is_others=is_others)
    numbers = tuple(name for name in row if name in metrics)
    known = (question.granularity, *question.dimensions, *CODE_KEYS, "segment", *numbers)
    only_known(row, known, "row")
    filters = tuple(filter_of(name, row) for name in question.dimensions)
    return Cell(metric, filters, _bucket(question, row), segment)


def cell_from_args(args: Mapping[str, str]) -> dict[str, Any]:
    """Return what :func:`parse_cell` reads from an address: ``number``, ``group`` (its segment), ``others``."""
    found: dict[str, Any] = {name: args[key] for name, key in _ARGS.items() if args.get(key)}
    return {**found, "others": True} if args.get("others") else found


def _bucket(question: Question, row: Mapping[str, Any]) -> str:
    name = question.granularity
    if name == "total" or row.get(name) is None:
        return ""
    return checked_text(row[name], f"row.{name}", _MAX_BUCKET)


def filter_of(name: str, row: Mapping[str, Any], field: str = "row") -> Filter:
    """Return the condition that a row's value of a dimension passes, and no other value."""
    value = row.get("code_id") if name == "code" and row.get("code_id") is not None else row.get(name)
    if value is None:
        return Filter(name, "not_set")
    return Filter(name, "eq", read_filter_value(value, f"{field}.{name}", dimension=name, op="eq"))


def rule_of(question: Question, cell: Cell, saved: Mapping[str, Rule], *, now: dt.datetime, zone: ZoneInfo) -> Rule:
    """
    Return the visitors behind a number as a segment that goes on meaning the same days.

    Args:
        question: The question.
        cell: One of its numbers.
        saved: The conditions of the question's saved segments, by what it calls them.
        now: Aware UTC; when the answer was counted.
        zone: Of its days.

    Raises:
        InvalidInput: If the number has no such conditions: single hours, what the limit left out.
    """
    if cell.is_others:
        raise InvalidInput("others", "not_a_segment")
    if question.granularity == "hour" and cell.bucket:
        raise InvalidInput("row.hour", "not_a_segment")
    whole = question.period.resolve(now, zone)
    part = cell.metric.counted[0]
    trait = Trait(
        "new" if part.counts == FIRST_VISIT else "did",
        question.filters + cell.filters,
        Period(window=_days_of(whole, question.granularity, cell.bucket)),
        None if part.counts in (VISIT, FIRST_VISIT) else part.counts.partition(":")[2],
        attribution=question.attribution,
    )
    return among((trait,), cell.segment, saved, whole=whole, at=(now, zone))


def among(
    conditions: tuple[Trait | Rule, ...],
    segment: str,
    saved: Mapping[str, Rule],
    *,
    whole: Window,
    at: tuple[dt.datetime, ZoneInfo],
) -> Rule:
    """
    Return some conditions on visitors of one group of a question's visitors.

    Args:
        conditions: All of them hold.
        segment: The group's name.
        saved: The conditions of saved segments, by what a question calls them.
        whole: The question's window, which tells who is new.
        at: When the answer was counted, and the zone of its days.
    """
    if segment == "all":
        return Rule(conditions)
    if saved_segment(segment):
        return Rule((*conditions, saved[segment].frozen(*at)))
    return Rule((*conditions, Trait("new", period=Period(window=whole), is_not=segment == "returning")))


def _days_of(window: Window, granularity: str, bucket: str) -> Window:
    """Return the days of a window that belong to a bucket."""
    if not bucket:
        return window
    days = [day for day in window.days if BUCKETS[granularity](day) == bucket]
    if not days:
        raise InvalidInput(f"row.{granularity}", "unknown", detail=bucket)
    return Window(dt.date.fromordinal(days[0]), dt.date.fromordinal(days[-1]))
