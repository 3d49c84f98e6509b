"""
What the demo's people have saved: per mini program a segment, a few questions and a board, for everybody who reads.

Like the mini programs they have a Chinese and an English name.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fab_minicode import authorizers, boards, questions
from fab_minicode.acquisition import funnel_question, question, retention_question, segment_rules, segment_store
from fab_minicode.actor import Actor
from fab_minicode.demo.story import MINI_PROGRAMS, MiniProgram
from fab_minicode.models import Authorizer
from fab_minicode.permissions import MANAGER

_PARSE: dict[str, Callable[[Any], Any]] = {
    questions.EVENTS: question.parse,
    questions.FUNNEL: funnel_question.parse,
    questions.RETENTION: retention_question.parse,
}
_MONTH = {"last_days": 30}


@dataclass(frozen=True)
class Kept:
    """A saved question: ``asks`` is its JSON without the mini program; ``of_segment`` asks for the segment only."""

    name: str
    kind: str
    asks: dict[str, Any]
    of_segment: bool = False


SEGMENT = "下过单的用户 People who ordered"
ORDERED = {"conditions": [{"kind": "did", "event": "order_paid", "at_least": 1}]}
QUESTIONS = (
    Kept(
        "各来源的新用户 New users by source",
        questions.EVENTS,
        {"metrics": ["new_users"], "dimensions": ["utm_source"], "window": _MONTH},
    ),
    Kept(
        "注册与下单漏斗 From visit to order",
        questions.FUNNEL,
        {"steps": ["visit", {"event": "register"}, {"event": "order_paid"}], "window": _MONTH},
    ),
    Kept("新用户留存 Who comes back", questions.RETENTION, {"days": 14, "window": _MONTH}),
    Kept(
        "下过单的用户每天来多少 Buyers by day",
        questions.EVENTS,
        {"metrics": ["users"], "granularity": "day", "window": {"last_days": 14}},
        of_segment=True,
    ),
)
"""Those that ask for everybody stand on the board, behind the headline."""


def board_name(program: MiniProgram) -> str:
    """Return the name of a mini program's board: 获客周报 and what that is in English."""
    chinese, _space, english = program.nick_name.partition(" ")
    return f"{chinese} 获客周报 · {english} weekly"


def keep_questions(engine: Engine, *, actor: Actor, now: dt.datetime) -> None:
    """Save segment, questions and board of every mini program that is authorised."""
    for program in MINI_PROGRAMS:
        if not program.authorized:
            continue
        with Session(engine, future=True) as session:
            row = authorizers.authorizer_of(session, program.appid)
            person = questions.Person(actor, frozenset((MANAGER.name,)), frozenset((int(row.id),)), manages=True)
            rule = segment_rules.parse(ORDERED)
            segment = segment_store.save(session, row, SEGMENT, rule, actor=actor, now=now)
            board = boards.make(session, board_name(program), person, now=now)
            boards.add_builtin(session, board, boards.HEADLINE, int(row.id), person, now=now)
            for kept in QUESTIONS:
                segments = {"segments": [f"segment:{segment.id}"]} if kept.of_segment else {}
                saving = _saving(row, kept, {"appid": row.appid, **kept.asks, **segments})
                saved = questions.save(session, saving, person, now=now)
                if not kept.of_segment:
                    boards.add(session, board, saved, person, now=now)
            session.commit()


def _saving(row: Authorizer, kept: Kept, asked: dict[str, Any]) -> questions.Saving:
    text = json.dumps(_PARSE[kept.kind](asked).as_json(), ensure_ascii=False)
    return questions.Saving(int(row.id), kept.kind, text, kept.name, visibility=questions.READERS)
