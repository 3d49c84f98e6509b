"""
An answer: rows, exact totals, what the limit left out, and the sentences that say how it was counted. Pure values.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fab_minicode.acquisition.dimensions import named
from fab_minicode.acquisition.metrics import ATTRIBUTIONS, SAVED_SEGMENT, SEGMENTS
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.scenes import SCENE_NAMES
from fab_minicode.acquisition.windows import Window

Numbers = Mapping[str, Any]
"""Metric name -> number; with several segments segment name -> that."""

_TIME_LABELS = {"hour": "Hour", "day": "Day", "week": "Week", "month": "Month"}


@dataclass(frozen=True)
class Counted:
    """
    What was counted in one window.

    Attributes:
        window: Its days.
        rows: By time, then by rank, then by segment; see docs/numbers.md for their keys.
        totals: Exact distinct counts of everything that passes.
        others: The same of the groups that the limit left out.
    """

    window: Window
    rows: Sequence[Mapping[str, Any]]
    totals: Numbers
    others: Numbers


@dataclass(frozen=True)
class Freshness:
    """
    How fresh numbers are.

    Attributes:
        until: Aware UTC; the newest counted event arrived then, None as long as there is none.
        pending: Accepted events that are not counted yet, among the first 1 000 that wait.
    """

    until: dt.datetime | None = None
    pending: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        return {"until": self.until and self.until.isoformat(timespec="milliseconds"), "pending": self.pending}


@dataclass(frozen=True)
class Answer:
    """
    A question's answer.

    Attributes:
        question: What was asked.
        timezone: Where a day is a calendar day.
        counted: What was counted.
        previous: The same groups in the window that it is compared with, None if that was not asked for.
        freshness: Until when events are counted.
        segments: Names of the saved segments in it: ``segment:<id>`` -> name.
    """

    question: Question
    timezone: str
    counted: Counted
    previous: Counted | None = None
    freshness: Freshness = field(default_factory=Freshness)
    segments: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the JSON of an answer (docs/api.md). Labels and sentences are message ids in English."""
        before = self.previous
        return {
            "window": {**_days(self.counted.window), "timezone": self.timezone},
            "columns": [dict(column) for column in columns_of(self.question)],
            "rows": [dict(row) for row in self.counted.rows],
            "totals": dict(self.counted.totals),
            "others": dict(self.counted.others),
            "previous": None
            if before is None
            else {
                "window": {**_days(before.window), "timezone": self.timezone},
                "totals": dict(before.totals),
                "rows": [dict(row) for row in before.rows],
            },
            "definitions": definitions_of(self.question),
            "names": names_in(self.counted.rows, self.segments),
            "freshness": self.freshness.as_json(),
        }


def columns_of(question: Question) -> list[dict[str, str]]:
    """Return the columns in their order: time, dimensions, segment, metrics."""
    columns = []
    if question.granularity != "total":
        columns.append(_column(question.granularity, "time", _TIME_LABELS[question.granularity]))
    columns += [_column(name, "dimension", named(name).label) for name in question.dimensions]
    if len(question.segments) > 1:
        columns.append(_column("segment", "dimension", "Segment"))
    return columns + [_column(metric.name, "metric", metric.label) for metric in question.metrics]


def _column(name: str, role: str, label: str) -> dict[str, str]:
    return {"name": name, "role": role, "label": label}


def names_in(rows: Sequence[Mapping[str, Any]], segments: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return readable names of what rows hold as a number: WeChat's entry scenes (in English), saved segments."""
    numbers = dict.fromkeys(str(row["scene"]) for row in rows if row.get("scene"))
    scenes = {number: SCENE_NAMES[number] for number in numbers if number in SCENE_NAMES}
    return {name: dict(found) for name, found in (("scene", scenes), ("segment", segments)) if found}


def definitions_of(question: Question) -> dict[str, str]:
    """Return the sentences beside the numbers: by metric, then ``attribution``, then by segment."""
    sentences = {metric.name: metric.definition for metric in question.metrics}
    sentences["attribution"] = ATTRIBUTIONS[question.attribution]
    segments = [name for name in question.segments if question.segments != ("all",)]
    return sentences | {f"segment {name}": SEGMENTS.get(name, SAVED_SEGMENT) for name in segments}


def _days(window: Window) -> dict[str, str]:
    return {"since": window.since.isoformat(), "until": window.until.isoformat()}
