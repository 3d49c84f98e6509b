"""
The three attributions side by side, as one answer: every metric stands once for each way to find an event's touch.

The answer of ``acquisition.attributions`` becomes the JSON that table, chart and numbers already read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fab_minicode.views.analysis_answer import SEGMENT, Json
from fab_minicode.views.analysis_units import by_attribution


def beside(question: Json, answer: Json) -> tuple[Json, Json]:
    """
    Return question and answer as if every pair of metric and attribution were a metric.

    Args:
        question: What was asked (its JSON, docs/api.md).
        answer: The JSON of ``SideBySide``.
    """
    kinds = answer["attributions"]
    several = len(question["segments"]) > 1
    columns = [column for column in answer["columns"] if column["role"] != "metric"]
    metrics = [column for column in answer["columns"] if column["role"] == "metric"]
    columns += [{**one, "name": by_attribution(kind, one["name"])} for one in metrics for kind in kinds]
    definitions = answer["definitions"]
    sentences = {
        by_attribution(kind, one["name"]): definitions[one["name"]] for one in metrics for kind in kinds
    } | definitions
    flat = {
        **answer,
        "columns": columns,
        "rows": [row for found in answer["rows"] for row in _rows(found, kinds, several=several)],
        "totals": _numbers(answer["totals"], kinds, several=several),
        "others": _numbers(answer["others"], kinds, several=several),
        "previous": None,
        "definitions": sentences,
    }
    return {**question, "granularity": "total", "compare": None}, flat


def _rows(row: Json, kinds: list[str], *, several: bool) -> list[dict[str, Any]]:
    keys = {name: value for name, value in row.items() if name not in kinds}
    found = _numbers({kind: row[kind] for kind in kinds}, kinds, several=several)
    if not several:
        return [keys | found]
    return [keys | {SEGMENT: segment} | numbers for segment, numbers in found.items()]


def _numbers(numbers: Json, kinds: list[str], *, several: bool) -> dict[str, Any]:
    """Turn ``{attribution: {metric: n}}`` into one mapping; with several segments by segment."""
    if not several:
        return _flat({kind: numbers[kind] for kind in kinds})
    segments = numbers[kinds[0]]
    return {segment: _flat({kind: numbers[kind][segment] for kind in kinds}) for segment in segments}


def _flat(numbers: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    metrics = next(iter(numbers.values()))
    return {by_attribution(kind, name): found[name] for name in metrics for kind, found in numbers.items()}
