"""
A funnel or a retention as sheets of a file: the rows of the page in its order and words, and how they were counted.

Every number of the page stands in a cell of its own (who was lost is the difference of two): a funnel has a row for
each step (of each group), a retention the shares of the page first, then how many came back, and of how many. Sums
stand last, as in every export of ours.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any

from fab_minicode.acquisition import query
from fab_minicode.acquisition.metrics import divided
from fab_minicode.spreadsheet import Cell, Column, Sheet
from fab_minicode.views.analysis_answer import Json, dimension_name
from fab_minicode.views.analysis_export import Exported, first_lines, last_lines, name_of, sheet_of
from fab_minicode.views.journey_words import STARTS, funnel_title, retention_title, step_name
from fab_minicode.words import gettext as _


def whole_funnel(question: Any, **_when: Any) -> Any:
    """Return the funnel with as many groups as a file can hold."""
    return _with_limit(question, query.MAX_ROWS // len(question.steps))


def whole_retention(question: Any, **_when: Any) -> Any:
    """Return the retention with as many groups as a file can hold."""
    return _with_limit(question, query.MAX_ROWS)


def _with_limit(question: Any, limit: int) -> Any:
    return dataclasses.replace(question, scope=dataclasses.replace(question.scope, limit=limit))


def _split(exported: Exported) -> str:
    return next(iter(exported.question["dimensions"]), "")


def _by_group(exported: Exported) -> Iterator[tuple[str, Json]]:
    split = _split(exported)
    for row in exported.answer["rows"]:
        yield name_of(split, row, exported.answer), row


def _sums(exported: Exported) -> Iterator[tuple[str, Json]]:
    if exported.answer["others"]:
        yield _("All others"), exported.answer["others"]
    yield _("Everybody"), exported.answer["totals"]


# ----------------------------------------------------------------------------------------------------------- funnel


def funnel_sheets(exported: Exported) -> tuple[Sheet, Sheet]:
    """Return the steps, of each group if it is split, and what they mean."""
    split = _split(exported)
    heads = (
        *([Column(dimension_name(split))] if split else []),
        Column(_("Step")),
        Column(_("People"), "number"),
        Column(_("Of the first step"), "percent"),
        Column(_("Of the step before"), "percent"),
        Column(_("Median seconds since the first"), "number"),
    )
    if not split:
        rows, sums = _steps(exported, [((), exported.answer["totals"])]), []
    else:
        rows = _steps(exported, (((name,), row) for name, row in _by_group(exported)))
        sums = _steps(exported, (((name,), row) for name, row in _sums(exported)))
    return Sheet(_("Answer"), heads, [*rows, *sums], len(sums)), sheet_of(_funnel_lines(exported))


def _steps(exported: Exported, groups: Iterable[tuple[tuple[str, ...], Json]]) -> list[list[Cell]]:
    names = [f"{place}. {step_name(step)}" for place, step in enumerate(exported.answer["steps"], 1)]
    rows: list[list[Cell]] = []
    for group, found in groups:
        for place, (name, step) in enumerate(zip(names, found["steps"], strict=True)):
            before = step["step_conversion"] if place else None
            rows.append([*group, name, step["users"], step["conversion"], before, step["median_seconds"]])
    return rows


def _funnel_lines(exported: Exported) -> Iterator[tuple[str, Cell]]:
    question, answer = exported.question, exported.answer
    yield from first_lines(exported, funnel_title(question))
    yield _("All within days"), question["within_days"]
    yield from _whose(exported, {"users": _("People")})
    if not answer["complete"]:
        said = _("These days are not over for everybody: more people may still take the later steps.")
        yield _("Not over yet"), said
    yield from last_lines(exported)


# -------------------------------------------------------------------------------------------------------- retention


def retention_sheets(exported: Exported) -> tuple[Sheet, Sheet]:
    """Return who started and came back, by day of the start or by group, and what that means."""
    split, days = _split(exported), range(1, exported.answer["days"] + 1)
    heads = (
        Column(dimension_name(split)) if split else Column(_("Day of the start"), "day"),
        Column(_("Started"), "number"),
        *(Column(_("Day %(day)s", day=day), "percent") for day in days),
        *(Column(_("Day %(day)s: came back", day=day), "number") for day in days),
        *(Column(_("Day %(day)s: of", day=day), "number") for day in days),
    )
    named: Iterable[tuple[Cell, Json]]
    named = _by_group(exported) if split else ((dt.date.fromisoformat(row["day"]), row) for row in _rows(exported))
    rows, sums = [_kept(name, row) for name, row in named], [_kept(name, row) for name, row in _sums(exported)]
    return Sheet(_("Answer"), heads, [*rows, *sums], len(sums)), sheet_of(_retention_lines(exported))


def _rows(exported: Exported) -> list[Json]:
    found: list[Json] = exported.answer["rows"]
    return found


def _kept(name: Cell, kept: Json) -> list[Cell]:
    """Return a cohort's cells; those of a day that is not over are empty."""
    cells = [one or {"users": None, "of": None} for one in kept["returned"]]
    shares = [divided(one["users"], one["of"]) if one["of"] else None for one in cells]
    return [name, kept["starts"], *shares, *(one["users"] for one in cells), *(one["of"] for one in cells)]


def _retention_lines(exported: Exported) -> Iterator[tuple[str, Cell]]:
    question = exported.question
    yield from first_lines(exported, retention_title(question))
    yield _("Who starts"), str(STARTS[question["start"]])
    yield _("Comes back by"), step_name(question["return"])
    yield _("Followed for"), _("%(days)s days", days=question["days"])
    yield from _whose(exported, {"starts": _("Started"), "returned": _("Came back")})
    yield from last_lines(exported)


def _whose(exported: Exported, names: dict[str, str]) -> Iterator[tuple[str, Cell]]:
    """Return whose first step counts, for which touch, and how each number is counted."""
    asked = exported.question["segment"]
    yield _("Whose first step"), exported.groups.get(asked, asked)
    for name, sentence in exported.answer["definitions"].items():
        yield names.get(name, _("The first step counts for")), _(sentence)
