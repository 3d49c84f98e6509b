"""The cards of a board: a question's name, its days in words, and its number with a small line, or a small table."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import url_for
from sqlalchemy.engine import Connection

from fab_minicode.acquisition.question import Question, parse
from fab_minicode.boards import Item
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.questions import EVENTS, FUNNEL, RETENTION
from fab_minicode.runtime import runtime
from fab_minicode.views import messages
from fab_minicode.views.analysis_answer import Json, Reader, begun, columns_of, is_empty, times_of, window_of
from fab_minicode.views.analysis_numbers import Number, Spark, numbers_of, spark_of
from fab_minicode.views.analysis_table import Table, table_of
from fab_minicode.views.journey_cards import ROWS, funnel_card, retention_card
from fab_minicode.views.question_kinds import QuestionKind, kind_named
from fab_minicode.views.saved_questions import opened
from fab_minicode.views.shown import Shown
from fab_minicode.words import gettext as _

MOST_NUMBERS = 3


@dataclass(frozen=True)
class Card:
    """
    One card.

    Attributes:
        place: Its item's place on the board.
        name: What it is called.
        program: Name of the mini program.
        url: Where the whole analysis stands.
        asks: The question in a few words.
        is_counted: Whether what follows is there; else it is asked for later.
        window_words: The days.
        numbers: The first totals.
        table: At most ``ROWS`` groups.
        line: The first metric over time, None without time.
        said: Why there is no number, "" where there is one.
    """

    place: int
    name: str
    program: str
    url: str
    asks: str = ""
    is_counted: bool = False
    window_words: str = ""
    numbers: tuple[Number, ...] = ()
    table: Table = dataclasses.field(default_factory=Table)
    line: Spark | None = None
    said: str = ""


@dataclass(frozen=True)
class Counter:
    """What counts the cards of one request: the connection, the page's formats, the mini programs by id."""

    connection: Connection
    shown: Shown
    programs: Mapping[int, Authorizer]

    def outline(self, item: Item) -> Card:
        """Return a card without its numbers."""
        return self._begun(item)[0]

    def card(self, item: Item) -> Card:
        """Return a card with its numbers; what cannot be counted says why."""
        card, kind, question = self._begun(item)
        card = dataclasses.replace(card, is_counted=True)
        if question is None:
            return dataclasses.replace(card, said=_("This question can no longer be read."))
        try:
            return dataclasses.replace(card, **CARDS[kind.name](self.connection, kind, question, self.shown))
        except InvalidInput as error:
            return dataclasses.replace(card, said=messages.refusal(error))

    def _begun(self, item: Item) -> tuple[Card, QuestionKind, Any]:
        program = self.programs[item.authorizer_id]
        named = str(program.nick_name or program.appid)
        if item.question is None:
            kind, question = kind_named(EVENTS), headline_question(str(program.appid))
            name, url = _("Users acquired by ads, last 7 days"), kind.address(question)
            return Card(item.place, name, named, url, kind.words(question.as_json())), kind, question
        one = opened(item.question)
        asks = one.kind.words(one.asks) if one.question is not None else ""
        url = url_for("MinicodeAnalysisView.saved", pk=item.question.id)
        return Card(item.place, str(item.question.name), named, url, asks), one.kind, one.question


def events_card(connection: Connection, kind: QuestionKind, question: Question, shown: Shown) -> dict[str, Any]:
    """Return the fields of :class:`Card` for an event analysis. Raises InvalidInput as ``acquisition.query.answer``."""
    small = smaller(question)
    asked = small.as_json()
    answer = kind.answer(connection, small, settings=runtime().settings, now=shown.now)
    reader = Reader(shown=shown, link=lambda _other: "")
    window = window_of(answer)
    made: dict[str, Any] = {"window_words": shown.days(window.since, window.until)}
    if is_empty(asked, answer):
        return made | {"said": _("Nothing was counted in these days.")}
    if small.dimensions:
        table = table_of(reader, asked, answer)
        return made | {"table": dataclasses.replace(table, rows=table.rows[:ROWS])}
    return made | {"numbers": numbers_of(reader, asked, answer)[:MOST_NUMBERS], "line": line_of(reader, answer)}


CARDS: dict[str, Callable[[Connection, QuestionKind, Any, Shown], dict[str, Any]]] = {
    EVENTS: events_card,
    FUNNEL: funnel_card,
    RETENTION: retention_card,
}
"""Kind of a question -> what fills its card."""


def smaller(question: Question) -> Question:
    """Return the question that a card asks: of one with dimensions the highest groups, in total."""
    if not question.dimensions:
        return question
    return dataclasses.replace(question, granularity="total", limit=min(question.limit, ROWS))


def line_of(reader: Reader, answer: Json) -> Spark | None:
    """Return a line through the first metric over time; None without time, or with groups of visitors."""
    columns = columns_of(answer)
    rows: Sequence[Json] = begun(reader, answer)["rows"]
    if not columns.time or columns.dimensions or len(rows) < 2:
        return None
    is_open = times_of(reader, answer).is_open(rows[-1][columns.time])
    return spark_of([row[columns.metrics[0]] or 0 for row in rows], is_open=is_open)


def headline_question(appid: str) -> Question:
    """Return 过去7天广告获客量 as a question, day by day."""
    return parse(
        {
            "appid": appid,
            "metrics": ["users"],
            "filters": [{"dimension": "utm_source", "op": "set"}],
            "window": {"last_days": 7},
            "granularity": "day",
            "compare": "previous",
        }
    )
