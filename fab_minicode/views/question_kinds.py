"""Kinds of questions that can be saved: where each is asked, how it is read and written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import url_for

from fab_minicode import questions
from fab_minicode.acquisition import query
from fab_minicode.acquisition import question as events
from fab_minicode.errors import InvalidInput
from fab_minicode.views.analysis_page import title_of
from fab_minicode.words import lazy_gettext as _l


@dataclass(frozen=True)
class QuestionKind:
    """
    One kind. What ``read`` and ``parse`` return has ``appid`` and ``as_json()``.

    Attributes:
        name: One of ``questions.KINDS``.
        label: What people call it, lazily translated.
        endpoint: Flask endpoint of the page that asks it.
        read: An address' query string -> question.
        parse: JSON -> question.
        write: Question -> query string.
        words: JSON -> what it asks, in a few words.
        answer: ``(connection, question, settings=, now=)`` -> the answer's JSON.
    """

    name: str
    label: Any
    endpoint: str
    read: Callable[[Any], Any]
    parse: Callable[[Any], Any]
    write: Callable[[Any], dict[str, Any]]
    words: Callable[[Any], str]
    answer: Callable[..., dict[str, Any]]

    def address(self, question: Any, **more: Any) -> str:
        """Return the address of the page with a question."""
        given = {name: value for name, value in more.items() if value not in ("", None)}
        return url_for(self.endpoint, **{**self.write(question), **given})


QUESTION_KINDS: tuple[QuestionKind, ...] = (
    QuestionKind(
        questions.EVENTS,
        _l("Events"),
        "MinicodeAnalysisView.analysis",
        events.from_args,
        events.parse,
        lambda question: dict(events.to_args(question)),
        title_of,
        lambda connection, question, **when: query.answer(connection, question, **when).as_json(),
    ),
)
"""In the order of the tabs."""


def kind_named(name: str) -> QuestionKind:
    """Return a kind. Raises InvalidInput(field="kind")."""
    for kind in QUESTION_KINDS:
        if kind.name == name:
            return kind
    raise InvalidInput("kind", "unknown", detail=name[:40])
