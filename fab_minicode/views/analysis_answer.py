"""
What an answer says, in people's words: its columns, its values, its totals. Reads the JSON of docs/api.md.

Nothing is counted here. A number on the page is the number of the answer, with its digits grouped.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fab_minicode.acquisition.caps import BOUNDED, TOO_MANY
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_times import Days, Times
from fab_minicode.views.analysis_units import attribution_of, figure
from fab_minicode.views.shown import Shown
from fab_minicode.words import gettext as _

Json = Mapping[str, Any]

SEGMENT = "segment"
"""The column that says to which group of visitors a row belongs; there only when several are asked for."""


@dataclass(frozen=True)
class Reader:
    """
    What is needed to put an answer into words.

    Attributes:
        shown: Formats of the page.
        link: Question (its JSON, docs/api.md) -> address of this page with that question.
    """

    shown: Shown
    link: Callable[[Json], str]


@dataclass(frozen=True)
class Cell:
    """
    One cell.

    Attributes:
        text: What people read.
        is_number: Whether it is a number of a metric.
        is_quiet: Whether it stands for a missing value.
        badge: A mark beside the text.
        note: A remark beside the text.
        share: 0 to 100, draws a bar behind the text.
        code_id: Leads from the badge to a code's page.
        change: By how much it differs from what it is compared with.
        direction: ``up``, ``down`` or ``same``.
    """

    text: str
    is_number: bool = False
    is_quiet: bool = False
    badge: str = ""
    note: str = ""
    share: float | None = None
    code_id: int | None = None
    change: str = ""
    direction: str = "same"


@dataclass(frozen=True)
class Columns:
    """An answer's columns by their role: names, in the order of the table. ``time`` is "" for none."""

    time: str
    dimensions: tuple[str, ...]
    metrics: tuple[str, ...]


def columns_of(answer: Json) -> Columns:
    """Sort the columns of an answer by role."""
    names: dict[str, list[str]] = {"time": [], "dimension": [], "metric": []}
    for column in answer["columns"]:
        names[column["role"]].append(column["name"])
    return Columns(next(iter(names["time"]), ""), tuple(names["dimension"]), tuple(names["metric"]))


def metric_name(name: str) -> str:
    """Return what the page calls a metric; an event metric keeps the event's own name."""
    attribution, name = attribution_of(name)
    if attribution:
        return f"{metric_name(name)} · {words.ATTRIBUTIONS[attribution]}"
    if name in words.METRICS:
        return str(words.METRICS[name])
    event, _dot, measure = name.rpartition(".")
    return f"{event_name(event)} ({words.MEASURES[measure]})"


def event_name(event: str) -> str:
    """Return what the page calls a core event: its own name, but for those beyond the bound, which have none."""
    return str(words.TOO_MANY_VALUES[0]) if event == TOO_MANY else event


def segment_name(answer: Json, name: str) -> str:
    """Return what the page calls a group of visitors; a saved one has its own name."""
    own = answer.get("names", {}).get(SEGMENT, {})
    return str(words.SEGMENTS.get(name) or own.get(name, name))


def dimension_name(name: str) -> str:
    """Return what the page calls a dimension."""
    return str(words.DIMENSIONS.get(name) or _("Visitors"))


def value_cell(dimension: str, row: Json, answer: Json) -> Cell:
    """Return the cell of a row's value: codes by name, entry scenes and segments in words."""
    value = row[dimension]
    if dimension == "code" and row["code_id"]:
        named = Cell(value or f"#{row['code_id']}")
        return replace(named, badge=_("deleted"), code_id=row["code_id"]) if row["code_deleted"] else named
    if value is None:
        return Cell(str(words.NOT_SET), is_quiet=True)
    if value == TOO_MANY and dimension in BOUNDED:
        name, hint = words.TOO_MANY_VALUES
        return Cell(str(name), note=str(hint), is_quiet=True)
    if dimension == SEGMENT:
        return Cell(segment_name(answer, value))
    if dimension == "scene" and value in words.SCENES:
        return Cell(str(words.SCENES[value]), note=value)
    return Cell(value)


def figures(shown: Shown, names: Sequence[str], numbers: Mapping[str, float | None]) -> tuple[Cell, ...]:
    """Return one cell per metric."""
    return tuple(Cell(figure(shown, name, numbers[name]), is_number=True) for name in names)


def window_of(answer: Json) -> Days:
    """Return the days of an answer, or of its ``previous``."""
    return Days(*(dt.date.fromisoformat(answer["window"][edge]) for edge in ("since", "until")))


def times_of(reader: Reader, answer: Json) -> Times:
    """Return the time column of an answer; of one without, only its window counts."""
    return Times(columns_of(answer).time, window_of(answer), reader.shown)


def begun(reader: Reader, answer: Json) -> dict[str, Any]:
    """Return an answer without the hours and days that lie ahead: they are no zeros."""
    columns, times = columns_of(answer), times_of(reader, answer)
    if not columns.time:
        return dict(answer)
    return {**answer, "rows": [row for row in answer["rows"] if times.has_begun(row[columns.time])]}


def by_segment(question: Json, numbers: Json) -> dict[str, Mapping[str, int]]:
    """Return totals or others by segment, in the order asked; of one segment under its name."""
    names = question["segments"]
    return {name: numbers[name] for name in names} if len(names) > 1 else {names[0]: numbers}


def is_empty(question: Json, answer: Json) -> bool:
    """Whether nothing was counted."""
    return not any(any(numbers.values()) for numbers in by_segment(question, answer["totals"]).values())
