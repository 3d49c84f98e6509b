"""
Who is behind a number, of whichever question: an event analysis, a funnel, a retention.

Read from JSON (docs/api.md) or an address; then the visitors as a bitmap, and as a segment where one stands for them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from fab_minicode.acquisition import cell, funnel, journey_cell, retention, who
from fab_minicode.acquisition import funnel_question as funnels
from fab_minicode.acquisition import question as events
from fab_minicode.acquisition import retention_question as retentions
from fab_minicode.acquisition.segment_rules import Rule
from fab_minicode.acquisition.segment_rules import parse as parse_rule
from fab_minicode.errors import InvalidInput
from fab_minicode.settings import Settings

EVENTS, FUNNEL, RETENTION = "events", "funnel", "retention"
_FIELD = {EVENTS: "question", FUNNEL: "funnel", RETENTION: "retention"}


@dataclass(frozen=True)
class _Kind:
    """
    How the numbers of one kind of question are read and counted.

    Attributes:
        parse: JSON -> question.
        read: Address -> question.
        cell: ``(question, JSON)`` -> which number.
        cell_json: Address -> that JSON.
        crowd: ``(connection, authorizer_id, question, cell, settings=, now=)`` -> its visitors, a bitmap.
        rule: ``(question, cell, saved, now=, zone=)`` -> the same visitors as a segment.
        segments: Question -> the groups of visitors that it asks about.
    """

    parse: Callable[[Any], Any]
    read: Callable[[Any], Any]
    cell: Callable[[Any, Any], Any]
    cell_json: Callable[[Any], Any]
    crowd: Callable[..., Any]
    rule: Callable[..., Rule]
    segments: Callable[[Any], tuple[str, ...]]


_KINDS: dict[str, _Kind] = {
    EVENTS: _Kind(
        events.parse,
        events.from_args,
        cell.parse_cell,
        cell.cell_from_args,
        who.crowd_behind,
        cell.rule_of,
        lambda question: question.segments,
    ),
    FUNNEL: _Kind(
        funnels.parse,
        funnels.from_args,
        journey_cell.parse_funnel_cell,
        journey_cell.funnel_cell_from_args,
        funnel.crowd_behind,
        journey_cell.funnel_rule,
        lambda question: (question.scope.segment,),
    ),
    RETENTION: _Kind(
        retentions.parse,
        retentions.from_args,
        journey_cell.parse_retention_cell,
        journey_cell.retention_cell_from_args,
        retention.crowd_behind,
        journey_cell.retention_rule,
        lambda question: (question.scope.segment,),
    ),
}


@dataclass(frozen=True)
class Number:
    """
    One number of one answer.

    Attributes:
        kind: ``events``, ``funnel`` or ``retention``.
        question: What was asked.
        cell: Which number of its answer is meant.
    """

    kind: str
    question: Any
    cell: Any

    @property
    def appid(self) -> str:
        """The mini program that was asked about."""
        return str(self.question.appid)

    @property
    def field(self) -> str:
        """What the question is called in JSON."""
        return _FIELD[self.kind]

    @property
    def segments(self) -> tuple[str, ...]:
        """The groups of visitors that the question asks about."""
        return _KINDS[self.kind].segments(self.question)

    def crowd(self, connection: Connection, authorizer_id: int, *, settings: Settings, now: dt.datetime) -> Any:
        """
        Return the visitors, each of them once, a bitmap.

        Raises:
            InvalidInput: If the question cannot be answered.
        """
        count = _KINDS[self.kind].crowd
        return count(connection, authorizer_id, self.question, self.cell, settings=settings, now=now)

    def rule(self, saved: Mapping[str, Rule], *, now: dt.datetime, zone: ZoneInfo) -> Rule:
        """
        Return the visitors as a segment that can be saved and goes on meaning the same days.

        Raises:
            InvalidInput: If no conditions stand for them, or more than a segment can have.
        """
        return parse_rule(_KINDS[self.kind].rule(self.question, self.cell, saved, now=now, zone=zone).as_json())


def parse(asked: Mapping[str, Any]) -> Number:
    """
    Read which number is meant: ``{"question": {…}, "metric": …}``, ``{"funnel": {…}, "cell": {…}}`` or
    ``{"retention": {…}, "cell": {…}}``.

    Raises:
        InvalidInput: Names the field.
    """
    kind = next((name for name in (FUNNEL, RETENTION) if _FIELD[name] in asked), EVENTS)
    how, field = _KINDS[kind], _FIELD[kind]
    question = how.parse(asked.get(field))
    own = {key: value for key, value in asked.items() if key != field}
    if kind == EVENTS:
        return Number(kind, question, how.cell(question, own))
    for key in own:
        if key != "cell":
            raise InvalidInput(str(key)[:40], "unknown_field")
    return Number(kind, question, how.cell(question, own.get("cell", {})))


def from_args(args: Any) -> Number:
    """
    Read which number an address means: ``kind`` (``events`` if it is missing), the question as the page of its kind
    carries it, and the number. Raises InvalidInput as :func:`parse`.
    """
    kind = args.get("kind") or EVENTS
    if kind not in _KINDS:
        raise InvalidInput("kind", "unknown", detail=kind[:40])
    how = _KINDS[kind]
    question = how.read(args)
    return Number(kind, question, how.cell(question, how.cell_json(args)))
