"""
The big numbers of an answer: totals beside what they are compared with, and their course as a small line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import (
    Json,
    Reader,
    by_segment,
    columns_of,
    metric_name,
    segment_name,
    times_of,
    window_of,
)
from fab_minicode.views.analysis_units import figure
from fab_minicode.views.shown import Shown
from fab_minicode.words import gettext as _

SPARK_WIDTH, SPARK_HEIGHT = 240, 48
"""User units of a small line."""

_MARGIN = 3


@dataclass(frozen=True)
class Spark:
    """A small line: points of an SVG polyline; ``open`` leads to the part that is not over."""

    points: str = ""
    open: str = ""
    area: str = ""


@dataclass(frozen=True)
class Number:
    """A total with its comparison; ``direction`` is ``up``, ``down`` or ``same``."""

    name: str
    value: str
    previous: str = ""
    change: str = ""
    direction: str = "same"
    words: str = ""
    spark: Spark | None = None


def change_of(shown: Shown, value: float | None, before: float | None) -> tuple[str, str]:
    """Return by how much a number differs and ``up``, ``down`` or ``same``; no text where it cannot be said."""
    if value is None or before is None:
        return "", "same"
    direction = "up" if value > before else "down" if value < before else "same"
    return shown.change(value, before), direction


def numbers_of(reader: Reader, question: Json, answer: Json) -> tuple[Number, ...]:
    """Return the totals, each beside those of the window it is compared with."""
    before = by_segment(question, answer["previous"]["totals"]) if answer["previous"] else {}
    is_over = window_of(answer).until < reader.shown.now.astimezone(reader.shown.zone).date()
    made = []
    for segment, totals in by_segment(question, answer["totals"]).items():
        # With one group of visitors its name needs to be said only when it is not everybody.
        said = "" if question["segments"] == ["all"] else f" · {segment_name(answer, segment)}"
        for name in columns_of(answer).metrics:
            earlier = before.get(segment, {}).get(name) if before else None
            number = _compared(reader.shown, name, totals[name], before=earlier, is_over=is_over)
            made.append(replace(number, name=metric_name(name) + said))
    return tuple(made)


def _compared(shown: Shown, metric: str, value: float | None, *, before: float | None, is_over: bool) -> Number:
    """Compare a number with the earlier window's; one that still grows has no change yet."""
    number = Number("", figure(shown, metric, value))
    if before is None:
        return number
    number = replace(number, previous=_("before: %(number)s", number=figure(shown, metric, before)))
    if not is_over:
        return number
    change, direction = change_of(shown, value, before)
    return replace(number, change=change, direction=direction, words=str(words.CHANGES[direction]) if change else "")


def over_time(question: Json) -> Json:
    """Return the question whose answer is the course of the totals: without dimensions, over time."""
    course = "day" if question["granularity"] == "total" else question["granularity"]
    return {**question, "dimensions": [], "granularity": course, "compare": None}


def with_sparks(reader: Reader, numbers: Sequence[Number], question: Json, answer: Json) -> tuple[Number, ...]:
    """
    Return the numbers with their course.

    Args:
        reader: Formats of the page.
        numbers: Of :func:`numbers_of`, by segment, then by metric.
        question: The same question over time, without dimensions.
        answer: Its answer.
    """
    columns, times = columns_of(answer), times_of(reader, answer)
    segments = question["segments"]
    rows: dict[str, list[Mapping[str, Any]]] = {name: [] for name in segments}
    for row in answer["rows"]:
        if times.has_begun(row[columns.time]):
            rows[row.get("segment", segments[0])].append(row)
    sparks = []
    for name in segments:
        is_open = bool(rows[name]) and times.is_open(rows[name][-1][columns.time])
        sparks += [spark_of([row[metric] or 0 for row in rows[name]], is_open=is_open) for metric in columns.metrics]
    return tuple(replace(number, spark=spark) for number, spark in zip(numbers, sparks, strict=True))


def spark_of(values: Sequence[float], *, is_open: bool) -> Spark | None:
    """Return a small line from zero to the largest value; None for fewer than two instants."""
    if len(values) < 2:
        return None
    most = max(values) or 1
    step = (SPARK_WIDTH - 2 * _MARGIN) / (len(values) - 1)
    height = SPARK_HEIGHT - 2 * _MARGIN
    points = [
        f"{_MARGIN + place * step:.1f},{_MARGIN + height * (1 - value / most):.1f}"
        for place, value in enumerate(values)
    ]
    whole = points[:-1] if is_open else points
    bottom = SPARK_HEIGHT - _MARGIN
    area = f"{whole[0].partition(',')[0]},{bottom} {' '.join(whole)} {whole[-1].partition(',')[0]},{bottom}"
    return Spark(" ".join(whole), " ".join(points[-2:]) if is_open else "", area)
