"""The rows of an answer as a table: cells in words, exact totals, and behind each row the question about it alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import (
    SEGMENT,
    Cell,
    Columns,
    Json,
    Reader,
    by_segment,
    columns_of,
    dimension_name,
    figures,
    metric_name,
    segment_name,
    times_of,
    value_cell,
)
from fab_minicode.views.analysis_numbers import change_of
from fab_minicode.views.analysis_times import Days, Times
from fab_minicode.words import gettext as _

Place = tuple[Any, ...]
"""Where a row stands: the number of its instant, the values of its dimensions."""


@dataclass(frozen=True)
class Row:
    """One row; ``url`` asks about this row alone, ``name`` says which it is, ``is_open`` that its day is not over."""

    cells: tuple[Cell, ...]
    url: str = ""
    name: str = ""
    is_open: bool = False


@dataclass(frozen=True)
class Head:
    """A column's heading; ``url`` sorts by it, ``sorted`` says how it is sorted by it now (an ``aria-sort`` word)."""

    text: str
    is_number: bool
    url: str = ""
    sorted: str = ""


@dataclass(frozen=True)
class Table:
    """
    The rows of an answer; empty for a bare number.

    ``totals`` and ``others`` hold a row per group of visitors; ``others`` is what the row limit left out.
    """

    heads: tuple[Head, ...] = ()
    rows: tuple[Row, ...] = ()
    totals: tuple[tuple[Cell, ...], ...] = ()
    others: tuple[tuple[Cell, ...], ...] = ()


@dataclass(frozen=True)
class _Making:
    """
    What every row of one table is made with.

    Attributes:
        reader: Formats and links of the page.
        question: What was asked.
        answer: Its answer.
        columns: The answer's columns.
        times: The answer's instants.
        most: The largest number of the first metric.
        before: Rows of the window it is compared with, by place.
    """

    reader: Reader
    question: Json
    answer: Json
    columns: Columns
    times: Times
    most: float
    before: Mapping[Place, Json]


def table_of(reader: Reader, question: Json, answer: Json) -> Table:
    """Return the rows of an answer with exact totals, and what the row limit left out."""
    columns = columns_of(answer)
    heads = [Head(str(words.TIMES[columns.time]), False)] if columns.time else []
    heads += [Head(dimension_name(name), False) for name in columns.dimensions]
    if not heads:
        return Table()
    most = max((row[columns.metrics[0]] or 0 for row in answer["rows"]), default=0)
    times = times_of(reader, answer)
    making = _Making(reader, question, answer, columns, times, most, earlier_rows(columns, answer))
    left_out = [one for one in by_segment(question, answer["others"]).values() if any(one.values())]
    places = places_of(columns, answer["rows"])
    return Table(
        heads=(*heads, *(Head(metric_name(name), True) for name in columns.metrics)),
        rows=tuple(_row(making, row, place) for row, place in zip(answer["rows"], places, strict=True)),
        totals=_sums(making, _("All, counted once"), answer["totals"], len(heads)),
        others=_sums(making, _("All others"), answer["others"], len(heads)) if left_out else (),
    )


def places_of(columns: Columns, rows: Sequence[Json]) -> list[Place]:
    """Return where each row stands; instants are counted, because those of another window have other names."""
    instants = {value: number for number, value in enumerate(dict.fromkeys(row.get(columns.time) for row in rows))}
    keys = [*columns.dimensions, *(["code_id"] if "code" in columns.dimensions else [])]
    return [(instants[row.get(columns.time)], *(row[key] for key in keys)) for row in rows]


def earlier_rows(columns: Columns, answer: Json) -> Mapping[Place, Json]:
    """
    Return the rows of the earlier window by place, where they can be set beside the answer's own.

    Weeks and months of another window need not be as long, and with dimensions an instant without visits has no row.
    """
    earlier = answer["previous"]
    if not earlier or (columns.time and (columns.dimensions or columns.time not in ("hour", "day"))):
        return {}
    return dict(zip(places_of(columns, earlier["rows"]), earlier["rows"], strict=True))


def _sums(making: _Making, label: str, numbers: Json, named: int) -> tuple[tuple[Cell, ...], ...]:
    blank = (Cell(""),) * (named - 1)
    rows = []
    for segment, found in by_segment(making.question, numbers).items():
        said = "" if len(making.question["segments"]) == 1 else f" · {segment_name(making.answer, segment)}"
        rows.append((Cell(label + said), *blank, *figures(making.reader.shown, making.columns.metrics, found)))
    return tuple(rows)


def _row(making: _Making, row: Json, place: Place) -> Row:
    columns, times = making.columns, making.times
    cells: list[Cell] = []
    is_open = bool(columns.time) and times.is_open(row[columns.time])
    if columns.time:
        note = _("not over yet") if is_open else ""
        cells.append(Cell(times.text(row[columns.time]), note=note))
    cells += [value_cell(name, row, making.answer) for name in columns.dimensions]
    name = " · ".join(cell.text for cell in cells)
    if making.most:
        cells[-1] = replace(cells[-1], share=round(100 * (row[columns.metrics[0]] or 0) / making.most, 1))
    numbers = figures(making.reader.shown, columns.metrics, row)
    cells += numbers if is_open else _changed(making, numbers, row, making.before.get(place))
    return Row(tuple(cells), _narrowed(making, row), name, is_open)


def _changed(making: _Making, cells: Sequence[Cell], row: Json, before: Json | None) -> Sequence[Cell]:
    """Return the numbers of a row with what they differ by from those of the earlier window."""
    if before is None:
        return cells
    names = making.columns.metrics
    changes = [change_of(making.reader.shown, row[name], before[name]) for name in names]
    return [
        replace(cell, change=change, direction=direction)
        for cell, (change, direction) in zip(cells, changes, strict=True)
    ]


def _narrowed(making: _Making, row: Json) -> str:
    """Return the address of the same question about one row alone, "" where there is nothing to narrow."""
    time, asked = making.columns.time, dict(making.question)
    dimensions = [name for name in making.columns.dimensions if name != SEGMENT]
    if time in ("", "hour") and not making.columns.dimensions:
        return ""
    if SEGMENT in making.columns.dimensions:
        asked |= {"segments": [row[SEGMENT]]}
    if dimensions:
        kept = [one for one in asked["filters"] if one["dimension"] not in dimensions]
        own = [{"dimension": name, **_is(name, row)} for name in dimensions]
        asked |= {"filters": kept + own, "dimensions": [], "granularity": time or "day"}
    if time in ("day", "week", "month"):
        asked |= _looked_into(making.times, making.times.days(row[time]))
    return making.reader.link(asked)


def _is(dimension: str, row: Json) -> dict[str, Any]:
    value = row["code_id"] if dimension == "code" else row[dimension]
    return {"op": "not_set"} if value is None else {"op": "eq", "value": value}


def _looked_into(times: Times, days: Days) -> Mapping[str, Any]:
    """Return the window of some days alone, cut finer."""
    finer = "hour" if days.since == days.until and times.has_hours(days.since) else "day"
    return {"window": {"since": days.since.isoformat(), "until": days.until.isoformat()}, "granularity": finer}
