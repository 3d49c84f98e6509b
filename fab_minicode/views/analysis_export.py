"""
An answer as sheets of a file: the rows of the page in its order and words, and how they were counted.

The columns are those of the page; where a row is compared with one of an earlier window, its numbers follow in columns
of their own. Numbers and days stay what they are, so that a spreadsheet can go on counting; after the rows stand what
the limit left out, if anything, and the exact totals, as at the end of the page's table.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fab_minicode.spreadsheet import CSV_MIME, XLSX_MIME, Cell, Column, Sheet, csv_bytes, xlsx_bytes
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import (
    Columns,
    Json,
    Reader,
    begun,
    by_segment,
    columns_of,
    dimension_name,
    metric_name,
    segment_name,
    value_cell,
    window_of,
)
from fab_minicode.views.analysis_order import order_of
from fab_minicode.views.analysis_page import title_of
from fab_minicode.views.analysis_table import earlier_rows, places_of
from fab_minicode.views.analysis_units import COUNT, RATIO, SHARE, attribution_of, unit_of
from fab_minicode.words import gettext as _

CSV, XLSX = FORMATS = ("csv", "xlsx")
_FORMS = {COUNT: "number", RATIO: "ratio", SHARE: "percent"}
_ATTRIBUTION = "attribution"


@dataclass(frozen=True)
class Exported:
    """
    What leaves the house.

    Attributes:
        reader: How values are put into words.
        question: Its JSON (docs/api.md), with the limit that was counted with.
        answer: Its JSON.
        program: Name of the mini program.
        address: Where the question can be asked again.
        by: Who exports it.
        name: Of the saved question, "" for none.
        groups: Groups of visitors -> what people call them; for funnels and retentions, whose answers do not say.
        sort: The order of the rows (``analysis_order``), "" for the answer's own.
    """

    reader: Reader
    question: Json
    answer: Json
    program: str
    address: str
    by: str
    name: str = ""
    groups: Mapping[str, str] = field(default_factory=dict)
    sort: str = ""


@dataclass(frozen=True)
class File:
    """Content, its media type, and the ending of its name."""

    content: bytes
    mime: str
    ending: str


def file_of(sheets: tuple[Sheet, Sheet], wanted: str, *, now: dt.datetime) -> File:
    """
    Return a file of one of :data:`FORMATS`: a CSV holds the rows alone, an XLSX tells what they mean on sheet 2.

    Args:
        sheets: The rows, and what they mean.
        wanted: The format.
        now: Aware UTC; when the file says it was made.
    """
    if wanted == CSV:
        return File(csv_bytes(sheets[0]), CSV_MIME, CSV)
    return File(xlsx_bytes(sheets, now=now), XLSX_MIME, XLSX)


def sheets_of(exported: Exported) -> tuple[Sheet, Sheet]:
    """Return an event analysis as sheets: its rows, and what they mean."""
    return rows_of(exported), about(exported)


# ------------------------------------------------------------------------------------------------------------- rows


def rows_of(exported: Exported) -> Sheet:
    """Return the rows of the answer, what is left out, and the totals."""
    question, answer = exported.question, begun(exported.reader, exported.answer)
    columns = columns_of(answer)
    earlier = earlier_rows(columns, answer)
    then = columns.metrics if earlier else ()
    rows = [
        [*_named(columns, row, answer), *_numbers(columns.metrics, row), *_numbers(then, earlier.get(place))]
        for row, place in zip(answer["rows"], places_of(columns, answer["rows"]), strict=True)
    ]
    summing = _Summing(exported, len(columns.dimensions) + bool(columns.time), columns.metrics, then)
    sums: list[list[Cell]] = []
    if summing.width:
        left_out = by_segment(question, answer["others"])
        if any(any(numbers.values()) for numbers in left_out.values()):
            sums += summing.rows(_("All others"), left_out, {})
        before = by_segment(question, answer["previous"]["totals"]) if then else {}
        sums += summing.rows(_("All, counted once"), by_segment(question, answer["totals"]), before)
    ordered = [rows[place] for place in order_of(answer, exported.sort)]
    return Sheet(_("Answer"), _heads(columns, then), [*ordered, *sums], len(sums))


def _numbers(metrics: Sequence[str], found: Json | None) -> Iterator[Cell]:
    return (None if found is None else found[name] for name in metrics)


def _heads(columns: Columns, then: Sequence[str]) -> tuple[Column, ...]:
    times = {"hour": "hour", "day": "day", "week": "day", "month": "month"}
    time = [Column(str(words.TIMES[columns.time]), times[columns.time])] if columns.time else []
    return (
        *time,
        *(Column(dimension_name(name)) for name in columns.dimensions),
        *(Column(metric_name(name), _form(name)) for name in columns.metrics),
        *(Column(_("%(metric)s then", metric=metric_name(name)), _form(name)) for name in then),
    )


def _form(metric: str) -> str:
    return _FORMS[unit_of(metric)]


def _named(columns: Columns, row: Json, answer: Json) -> Iterator[Cell]:
    if columns.time:
        yield _instant(columns.time, row[columns.time])
    for name in columns.dimensions:
        yield name_of(name, row, answer)


def name_of(dimension: str, row: Json, answer: Json) -> str:
    """Return the value of a row with what the page says beside it."""
    cell = value_cell(dimension, row, answer)
    return " · ".join(text for text in (cell.text, str(cell.note), str(cell.badge)) if text)


def _instant(granularity: str, value: str) -> dt.date | dt.datetime:
    if granularity == "hour":
        return dt.datetime.fromisoformat(value)
    return dt.date.fromisoformat(f"{value}-01" if granularity == "month" else value)


@dataclass(frozen=True)
class _Summing:
    """How rows of sums are made: ``width`` cells of names, the metrics of this window, and those of the earlier one."""

    exported: Exported
    width: int
    metrics: Sequence[str]
    then: Sequence[str]

    def rows(self, label: str, numbers: Mapping[str, Json], before: Mapping[str, Json]) -> Iterator[list[Cell]]:
        """Return a row per group of visitors."""
        for segment, found in numbers.items():
            said = "" if len(numbers) == 1 else f" · {segment_name(self.exported.answer, segment)}"
            earlier = _numbers(self.then, before.get(segment))
            yield [label + said, *[None] * (self.width - 1), *_numbers(self.metrics, found), *earlier]


# ------------------------------------------------------------------------------------------------------------ about


def about(exported: Exported) -> Sheet:
    """Return what the rows mean: the question, its days, how each number is counted, how fresh it is."""
    return sheet_of(_lines(exported))


def sheet_of(lines: Iterable[tuple[str, Cell]]) -> Sheet:
    """Return the second sheet: what is told, line by line; what is not known is left out."""
    told = [(text, value) for text, value in lines if value not in ("", None)]
    return Sheet(_("About"), (Column(_("What")), Column(_("Value"))), told)


def _lines(exported: Exported) -> Iterator[tuple[str, Cell]]:
    question, answer = exported.question, exported.answer
    yield from first_lines(exported, title_of(question))
    yield _("Whose visits"), ", ".join(segment_name(answer, name) for name in question["segments"])
    for name, sentence in answer["definitions"].items():
        # Of a metric by several attributions once, under its own name.
        if not attribution_of(name)[0]:
            yield _defined(answer, name), _(sentence)
    yield from _compared(answer)
    yield from last_lines(exported)


def first_lines(exported: Exported, title: str) -> Iterator[tuple[str, Cell]]:
    """Return what every file tells first: the question, its days, its filters."""
    question, answer = exported.question, exported.answer
    yield _("Saved as"), exported.name
    yield _("Mini program"), f"{exported.program} · {question['appid']}"
    yield _("Question"), title
    yield _("First day"), window_of(answer).since.isoformat()
    yield _("Last day"), window_of(answer).until.isoformat()
    yield _("Time zone"), answer["window"]["timezone"]
    for number, one in enumerate(question["filters"], 1):
        yield _("Filter %(number)s", number=number), filter_words(one)


def last_lines(exported: Exported) -> Iterator[tuple[str, Cell]]:
    """Return what every file tells last: how fresh it is, who took it away, when, and where the question stands."""
    yield from _fresh(exported)
    shown = exported.reader.shown
    yield _("Exported by"), exported.by
    yield _("Exported at"), f"{shown.exact(shown.now)} ({shown.zone.key})"
    yield _("Address"), exported.address


def _defined(answer: Json, name: str) -> str:
    kind, _blank, attribution = name.partition(" ")
    if kind == _ATTRIBUTION:
        return str(words.ATTRIBUTIONS[attribution]) if attribution else _("A visit counts for")
    if name.startswith("segment "):
        return segment_name(answer, name.removeprefix("segment "))
    return metric_name(name)


def _compared(answer: Json) -> Iterator[tuple[str, Cell]]:
    before = answer.get("previous")
    if not before:
        return
    days = window_of(before)
    yield _("Compared with"), f"{days.since.isoformat()} – {days.until.isoformat()}"
    for key, value in before["totals"].items():
        for name, number in value.items() if isinstance(value, Mapping) else [(key, value)]:
            said = f" · {segment_name(answer, key)}" if isinstance(value, Mapping) else ""
            yield _("%(metric)s then", metric=metric_name(name)) + said, number


def _fresh(exported: Exported) -> Iterator[tuple[str, Cell]]:
    fresh = exported.answer.get("freshness") or {}
    if fresh.get("until"):
        shown = exported.reader.shown
        yield _("Events up to"), f"{shown.exact(dt.datetime.fromisoformat(fresh['until']))} ({shown.zone.key})"


def filter_words(one: Json) -> str:
    """Return a condition in words."""
    value = one.get("value", "")
    values: Sequence[Any] = value if isinstance(value, list) else [value]
    said = ", ".join(f"#{item}" if isinstance(item, int) else str(item) for item in values)
    return f"{words.DIMENSIONS.get(one['dimension'], one['dimension'])} {words.OPERATORS[one['op']]} {said}".strip()
