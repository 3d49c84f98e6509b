"""Kinds of questions that can be saved: where each is asked, how it is read and written, how it is answered."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from flask import current_app, url_for
from sqlalchemy.engine import Connection

from fab_minicode import questions
from fab_minicode.acquisition import funnel, funnel_question, query, retention, retention_question
from fab_minicode.acquisition import question as events
from fab_minicode.errors import InvalidInput
from fab_minicode.settings import Settings
from fab_minicode.spreadsheet import Sheet
from fab_minicode.views.analysis_export import Exported, sheets_of
from fab_minicode.views.analysis_page import title_of
from fab_minicode.views.journey_export import funnel_sheets, retention_sheets, whole_funnel, whole_retention
from fab_minicode.views.journey_words import funnel_title, retention_title
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
        whole: ``(question, settings=, now=)`` -> the question with as many groups as a file can hold.
        sheets: What is exported -> its rows, and what they mean.
    """

    name: str
    label: Any
    endpoint: str
    read: Callable[[Any], Any]
    parse: Callable[[Any], Any]
    write: Callable[[Any], dict[str, Any]]
    words: Callable[[Any], str]
    answer: Callable[..., dict[str, Any]]
    whole: Callable[..., Any]
    sheets: Callable[[Exported], tuple[Sheet, Sheet]]

    @property
    def is_asked_here(self) -> bool:
        """Whether this host has the page that asks it."""
        return self.endpoint in current_app.view_functions

    def address(self, question: Any, **more: Any) -> str:
        """Return the address of the page with a question, "" where the host has left the page out."""
        if not self.is_asked_here:
            return ""
        given = {name: value for name, value in more.items() if value not in ("", None)}
        return url_for(self.endpoint, **{**self.write(question), **given})


def _counting(count: Callable[..., Any]) -> Callable[..., dict[str, Any]]:
    """Return what answers a question by ``count(connection, authorizer_id, question, settings=, now=)``."""

    def answer(connection: Connection, question: Any, *, settings: Settings, now: dt.datetime) -> dict[str, Any]:
        number = query.authorizer_id(connection, question.appid)
        found: dict[str, Any] = count(connection, number, question, settings=settings, now=now).as_json()
        return found

    return answer


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
        query.whole,
        sheets_of,
    ),
    QuestionKind(
        questions.FUNNEL,
        _l("Funnel"),
        "MinicodeFunnelView.funnel",
        funnel_question.from_args,
        funnel_question.parse,
        lambda question: dict(funnel_question.to_args(question)),
        funnel_title,
        _counting(funnel.count),
        whole_funnel,
        funnel_sheets,
    ),
    QuestionKind(
        questions.RETENTION,
        _l("Retention"),
        "MinicodeRetentionView.retention",
        retention_question.from_args,
        retention_question.parse,
        lambda question: dict(retention_question.to_args(question)),
        retention_title,
        _counting(retention.count),
        whole_retention,
        retention_sheets,
    ),
)
"""In the order of the tabs."""


def kind_named(name: str) -> QuestionKind:
    """Return a kind. Raises InvalidInput(field="kind")."""
    for kind in QUESTION_KINDS:
        if kind.name == name:
            return kind
    raise InvalidInput("kind", "unknown", detail=name[:40])


def unknown_kind(name: str) -> QuestionKind:
    """Return what stands for a kind that another version saved: it has a name, and its questions cannot be read."""
    return replace(QUESTION_KINDS[0], name=name, label=name)
