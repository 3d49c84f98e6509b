"""
What the chart of an answer draws: plain values for ``static/analysis_chart.js``, which decides how they look.

One metric may be drawn for several values over time, or several metrics over time or over values. The table under the
chart holds the same rows and is its accessible twin.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fab_minicode.views.analysis_answer import Columns, Json, Reader, columns_of, metric_name, times_of, value_cell
from fab_minicode.views.analysis_units import attribution_of, is_additive, unit_of
from fab_minicode.words import gettext as _

MOST_LINES = 8
"""Most values drawn over time; the table shows them all."""

MOST_BARS, MOST_GROUPS = 20, 10
"""Most values drawn side by side: of one metric, of several."""

MOST_BUBBLES = 100
BUBBLE_METRICS = (2, 3)
"""How many metrics a bubble has: across, up, and as its size."""

STACKABLE = ("column", "bar")


@dataclass(frozen=True)
class Drawn:
    """How a chart was asked for: its kind, how columns stand, what it is called."""

    kind: str
    stack: str
    title: str


def natural(question: Json) -> str:
    """Return the kind of chart that suits a question best."""
    if question["granularity"] != "total":
        return "line"
    return "bar" if question["dimensions"] or len(question["segments"]) > 1 else "number"


def chosen(question: Json, wished: str, rows: int) -> str:
    """Return the kind of chart to show: the wished one, a column for a single instant."""
    if wished:
        return wished
    kind = natural(question)
    return "column" if kind == "line" and rows == 1 else kind


def problem(question: Json, answer: Json, kind: str) -> str:
    """Return why this kind of chart cannot be drawn of this answer, "" when it can."""
    columns = columns_of(answer)
    if kind == "line" and not columns.time:
        return _("A line needs a course over time: choose hours, days, weeks or months.")
    if kind in ("column", "bar") and natural(question) == "number":
        return _("Columns and bars need something to stand beside: split by a dimension, or choose days.")
    if kind == "bubble":
        return _bubble_problem(question, columns)
    return ""


def _bubble_problem(question: Json, columns: Columns) -> str:
    if not BUBBLE_METRICS[0] <= len(columns.metrics) <= BUBBLE_METRICS[1]:
        return _("Bubbles need two or three numbers: the first goes across, the second up, the third is the size.")
    if natural(question) == "number":
        return _("Bubbles need something to compare: split by a dimension, or choose days.")
    return ""


def can_stack(question: Json, answer: Json, kind: str) -> bool:
    """Whether columns of several values may stand on one another."""
    columns = columns_of(answer)
    return kind in STACKABLE and bool(columns.time and columns.dimensions) and not problem(question, answer, kind)


def stack_problem(answer: Json) -> str:
    """Return why parts must not be stacked, "" where they make a whole."""
    columns = columns_of(answer)
    if "segment" in columns.dimensions:
        return _("Groups of visitors overlap, so they are not stacked.")
    if not is_additive(columns.metrics[0]):
        return _("People are not stacked: one person may stand in several parts, so the whole would be too large.")
    return ""


def note(answer: Json, kind: str, stack: str) -> str:
    """Return what the chart leaves out of the answer, "" when it draws it all."""
    columns = columns_of(answer)
    if kind in ("table", "number") or not columns.dimensions:
        return ""
    found = {tuple(row[name] for name in columns.dimensions) for row in answer["rows"]}
    parts = []
    is_first_only = columns.time or len(_drawn_metrics(columns)) < len(columns.metrics)
    if kind != "bubble" and is_first_only and len(columns.metrics) > 1:
        metric = attribution_of(columns.metrics[0])[1]
        parts.append(_("The chart draws: %(metric)s.", metric=metric_name(metric)))
    most = MOST_BUBBLES if kind == "bubble" else MOST_LINES if columns.time else _most_bars(columns)
    if len(answer["rows"] if kind == "bubble" else found) > most:
        parts.append(_("The chart draws the %(number)s largest; the table holds all.", number=most))
    if stack == "share":
        parts.append(_("100% are the values that are drawn."))
    return " ".join(parts)


def payload(reader: Reader, answer: Json, drawn: Drawn, links: Sequence[str]) -> Json | None:
    """
    Return the values to draw, None where there is nothing to draw.

    Args:
        reader: How values are put into words.
        answer: Its JSON (docs/api.md).
        drawn: How it is drawn.
        links: Address behind each row of the answer, in their order.
    """
    columns = columns_of(answer)
    if drawn.kind in ("table", "number") or not answer["rows"]:
        return None
    made = {
        "chart": drawn.kind,
        "stack": drawn.stack,
        "locale": reader.shown.language,
        "title": drawn.title,
        "description": _(
            "%(title)s. Arrow keys move through the chart, Enter opens a menu. The table below holds the same numbers.",
            title=drawn.title,
        ),
        "partial_label": _("not over yet"),
    }
    if drawn.kind == "bubble":
        return {**made, **_bubbles(reader, answer, columns, links)}
    return {**made, **(_over_time if columns.time else _over_values)(reader, answer, columns, links)}


def _most_bars(columns: Columns) -> int:
    return MOST_BARS if len(columns.metrics) == 1 else MOST_GROUPS


def _drawn_metrics(columns: Columns) -> tuple[str, ...]:
    """Return the metrics that are drawn side by side: all, or the first one by every attribution."""
    first = attribution_of(columns.metrics[0])
    if not first[0]:
        return columns.metrics
    return tuple(name for name in columns.metrics if attribution_of(name)[1] == first[1])


def _over_values(_reader: Reader, answer: Json, columns: Columns, links: Sequence[str]) -> dict[str, Any]:
    rows = answer["rows"][: _most_bars(columns)]
    metrics = _drawn_metrics(columns)
    labels = _unlike([_label(answer, columns, row) for row in rows])
    return {
        "is_time": False,
        "labels": labels,
        "ticks": labels,
        "partial": None,
        "series": [_series(metric_name(name), name, [row[name] for row in rows]) for name in metrics],
        "links": [list(links)[: len(rows)] for _name in metrics],
    }


def _over_time(reader: Reader, answer: Json, columns: Columns, links: Sequence[str]) -> dict[str, Any]:
    times = times_of(reader, answer)
    # With dimensions an hour, day, week or month without visits has no row: it is one with zeros, not a gap.
    values = times.all()
    at = {value: index for index, value in enumerate(values)}
    series, followed = (_lines if columns.dimensions else _metrics)(answer, columns, at, links)
    return {
        "is_time": True,
        "labels": [times.text(value) for value in values],
        "ticks": [times.tick(value) for value in values],
        "partial": next((index for index, value in enumerate(values) if times.is_open(value)), None),
        "series": series,
        "links": followed,
    }


Parts = tuple[list[dict[str, Any]], list[list[str]]]
"""Series, and the address behind each of their points."""


def _metrics(answer: Json, columns: Columns, at: Mapping[str, int], links: Sequence[str]) -> Parts:
    """Return one series per metric; of one metric alone also the window it is compared with, in step."""
    series = [_series(metric_name(name), name, [row[name] for row in answer["rows"]]) for name in columns.metrics]
    followed = [list(links) for _one in series]
    if len(series) > 1 or not answer["previous"] or columns.time not in ("day", "hour"):
        return series, followed
    before = [row[columns.metrics[0]] for row in answer["previous"]["rows"]]
    earlier = _series(_("before"), columns.metrics[0], before[: len(at)])
    return [*series, {**earlier, "previous": True}], [*followed, []]


def _lines(answer: Json, columns: Columns, at: Mapping[str, int], links: Sequence[str]) -> Parts:
    """Return one series per value of the dimensions for the first metric, the largest first."""
    lines: dict[tuple[Any, ...], list[float]] = {}
    followed: dict[tuple[Any, ...], list[str]] = {}
    names: dict[tuple[Any, ...], str] = {}
    for row, link in zip(answer["rows"], links, strict=True):
        key = (*(row[name] for name in columns.dimensions), row.get("code_id"))
        names[key] = _label(answer, columns, row)
        place = at[row[columns.time]]
        lines.setdefault(key, [0] * len(at))[place] = row[columns.metrics[0]] or 0
        followed.setdefault(key, [""] * len(at))[place] = link
    largest = sorted(lines, key=lambda key: -sum(lines[key]))[:MOST_LINES]
    said = _unlike([names[key] for key in largest])
    series = [_series(name, columns.metrics[0], lines[key]) for name, key in zip(said, largest, strict=True)]
    return series, [followed[key] for key in largest]


def _bubbles(reader: Reader, answer: Json, columns: Columns, links: Sequence[str]) -> dict[str, Any]:
    times = times_of(reader, answer)
    rows = sorted(zip(answer["rows"], links, strict=True), key=lambda one: -(one[0][columns.metrics[0]] or 0))
    points = []
    for row, link in rows[:MOST_BUBBLES]:
        parts = [_label(answer, columns, row)] if columns.dimensions else []
        parts += [times.text(row[columns.time])] if columns.time else []
        values = [row[name] for name in columns.metrics]
        points.append({"name": " · ".join(parts), "values": values, "link": link})
    axes = [{"name": metric_name(name), "unit": unit_of(name)} for name in columns.metrics]
    return {"axes": axes, "points": points}


def _label(answer: Json, columns: Columns, row: Json) -> str:
    cells = (value_cell(name, row, answer) for name in columns.dimensions)
    return " · ".join(f"{cell.text} ({cell.badge})" if cell.badge else cell.text for cell in cells)


def _unlike(names: list[str]) -> list[str]:
    """Tell equal names apart (two deleted codes may share one): a chart draws one series per name."""
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        seen[name] += 1
        told.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return told


def _series(name: str, metric: str, values: Sequence[float | None]) -> dict[str, Any]:
    return {"name": name, "unit": unit_of(metric), "values": list(values)}
