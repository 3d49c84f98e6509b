"""Links from the numbers of a funnel or a retention to the people behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from flask import current_app, url_for

from fab_minicode.acquisition.journey_cell import row_to_args
from fab_minicode.acquisition.scope import Scope
from fab_minicode.views.analysis_tabs import VISITORS
from fab_minicode.views.question_kinds import QuestionKind


@dataclass(frozen=True)
class Who:
    """
    Where the people behind an answer's numbers are.

    Attributes:
        start: The address without the number, "" where nobody can be led there. There may be thousands of numbers, and
            building an address from all of its parts takes long.
        scope: Of the question.
    """

    start: str
    scope: Scope

    def __call__(self, row: Mapping[str, Any] | None = None, **number: Any) -> str:
        """Return the address of one number of a row (None: of the totals), "" for none."""
        return f"{self.start}&{urlencode({**self.row(row), **number})}" if self.start else ""

    def row(self, row: Mapping[str, Any] | None) -> dict[str, str]:
        """Return what names a row in addresses."""
        return row_to_args(self.scope, row)


def who_of(kind: QuestionKind, question: Any, *, saved: int | None) -> Who:
    """
    Return the links of a question's answer; none where the host has left the page of visitors out.

    Args:
        kind: The question's.
        question: What was asked.
        saved: The saved question that somebody started from, for the way back.
    """
    there = VISITORS in current_app.view_functions
    return Who(url_for(VISITORS, kind=kind.name, **kind.write(question), saved=saved) if there else "", question.scope)
