"""What the card of a funnel or a retention shows on a board: its main share, and a small table or line."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from sqlalchemy.engine import Connection

from fab_minicode.runtime import runtime
from fab_minicode.views.analysis_answer import Cell, Json, dimension_name, value_cell, window_of
from fab_minicode.views.analysis_numbers import Number, spark_of
from fab_minicode.views.analysis_table import Head, Row, Table
from fab_minicode.views.journey_words import step_name
from fab_minicode.views.question_kinds import QuestionKind
from fab_minicode.views.shown import Shown
from fab_minicode.words import gettext as _

ROWS = 5
"""Most groups of a card's table."""

DAYS = (1, 7, 30)
"""Days after the start whose share a card shows, as far as they are asked for."""


def funnel_card(connection: Connection, kind: QuestionKind, question: Any, shown: Shown) -> dict[str, Any]:
    """
    Return the fields of ``board_cards.Card`` for a funnel: the share that took all steps, and the people per step.

    Raises:
        InvalidInput: As ``acquisition.funnel.count``.
    """
    answer = kind.answer(connection, _smaller(question), settings=runtime().settings, now=shown.now)
    steps = answer["totals"]["steps"]
    made = {"window_words": shown.days(*_days(answer))}
    if not steps[0]["users"]:
        return made | {"said": _("Nothing was counted in these days.")}
    said = _("took all steps")
    number = Number(said, _share(shown, steps[-1]["conversion"]), previous=said)
    return made | {"numbers": (number,), "table": _steps(shown, answer)}


def retention_card(connection: Connection, kind: QuestionKind, question: Any, shown: Shown) -> dict[str, Any]:
    """
    Return the fields of ``board_cards.Card`` for a retention: who came back after one, 7 and 30 days, and their course,
    or the groups with most people.

    Raises:
        InvalidInput: As ``acquisition.retention.count``.
    """
    answer = kind.answer(connection, _smaller(question), settings=runtime().settings, now=shown.now)
    shares = _shares(answer["totals"])
    made: dict[str, Any] = {"window_words": shown.days(*_days(answer))}
    if not answer["totals"]["starts"]:
        return made | {"said": _("Nothing was counted in these days.")}
    known = [day for day in DAYS if day <= len(shares)]
    made["numbers"] = tuple(Number(_("Day %(day)s", day=day), _share(shown, shares[day - 1])) for day in known)
    if question.scope.dimension:
        return made | {"table": _groups(shown, question.scope.dimension, answer, known)}
    over = [share for share in shares if share is not None]
    return made | {"line": spark_of(over, is_open=False)}


def _smaller(question: Any) -> Any:
    scope = question.scope
    return dataclasses.replace(question, scope=dataclasses.replace(scope, limit=min(scope.limit, ROWS)))


def _days(answer: Json) -> tuple[Any, Any]:
    window = window_of(answer)
    return window.since, window.until


def _share(shown: Shown, share: float | None) -> str:
    return "–" if share is None else shown.percent(share)


def _shares(kept: Json) -> list[float | None]:
    return [one["users"] / one["of"] if one is not None and one["of"] else None for one in kept["returned"]]


def _figures(texts: Sequence[str]) -> tuple[Cell, ...]:
    return tuple(Cell(text, is_number=True) for text in texts)


def _steps(shown: Shown, answer: Json) -> Table:
    heads = (Head(_("Step"), False), Head(_("People"), True), Head(_("Of the first step"), True))
    rows = []
    for place, (step, found) in enumerate(zip(answer["steps"], answer["totals"]["steps"], strict=True), 1):
        numbers = (shown.number(found["users"]), _share(shown, found["conversion"]))
        rows.append(Row((Cell(f"{place}. {step_name(step)}"), *_figures(numbers))))
    return Table(heads, tuple(rows))


def _groups(shown: Shown, dimension: str, answer: Json, days: Sequence[int]) -> Table:
    heads = [Head(dimension_name(dimension), False), Head(_("Started"), True)]
    heads += [Head(_("Day %(day)s", day=day), True) for day in days]

    def numbers(kept: Json) -> tuple[Cell, ...]:
        shares = _shares(kept)
        return _figures([shown.number(kept["starts"]), *(_share(shown, shares[day - 1]) for day in days)])

    rows = tuple(Row((value_cell(dimension, row, answer), *numbers(row))) for row in answer["rows"])
    return Table(tuple(heads), rows, totals=((Cell(_("Everybody")), *numbers(answer["totals"])),))
