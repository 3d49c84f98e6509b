"""
Everything of somebody who leaves, handed to somebody else in one step: codes, saved questions, boards.

What somebody did stays what they did: ``created_by``, the histories and the audit are not touched. A code gets an owner
beside its creator (until then the two are one); a question and a board get another owner.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update
from sqlalchemy.orm import Session

from fab_minicode import audit
from fab_minicode.actor import Actor
from fab_minicode.draft import search_text
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer, Board, BoardItem, Code, CodeHistory, SavedQuestion

_BATCH = 500
_UNSYNCED = {"synchronize_session": False}

OWNER_ID = func.coalesce(Code.owner_id, Code.created_by_id)
OWNER = func.coalesce(Code.owner, Code.created_by)
"""Whose a code is: its creator's until it is handed over."""

_SHOWN = func.coalesce(BoardItem.authorizer_id, SavedQuestion.authorizer_id)


@dataclass(frozen=True)
class Holdings:
    """What somebody has: their id and name, and how many live codes, saved questions and boards."""

    id: str
    name: str
    codes: int = 0
    questions: int = 0
    boards: int = 0


def holders(session: Session, ids: frozenset[int] | None = None) -> list[Holdings]:
    """Return everybody who has something of mini programs ``ids`` (None: of all), by name; without the system."""
    found: dict[str, dict[str, Any]] = {}
    for kind, statement in _statements(ids).items():
        columns = statement.selected_columns
        grouped = statement.with_only_columns(columns[0], func.max(columns[1]), func.count()).group_by(columns[0])
        for owner_id, name, count in session.execute(grouped):
            found.setdefault(owner_id, {"name": name})[kind] = count
    return sorted((Holdings(one, **told) for one, told in found.items() if one), key=lambda one: (one.name, one.id))


def hand_over(
    session: Session,
    leaver: str,
    to: Actor,
    *,
    actor: Actor,
    now: dt.datetime,
    ids: frozenset[int] | None = None,
    known_to_heir: frozenset[int] | None = None,
) -> Holdings:
    """
    Make ``to`` the owner of everything that ``leaver`` has.

    Args:
        session: The door commits: all of it or nothing.
        leaver: The host's id of who leaves, as text; they may be gone from the host already.
        to: Who gets it.
        actor: Who decides.
        now: Aware UTC.
        ids: Mini programs that the decider knows; None for all. What belongs to another one stays where it is.
        known_to_heir: Mini programs that ``to`` knows; None for all.

    Returns:
        What was handed over.

    Raises:
        InvalidInput: With field ``leaver``, when they have nothing (that the decider knows); ``to``, when both are
            one, or when something is of a mini program that ``to`` does not know: they would never find it.
    """
    if leaver == to.id:
        raise InvalidInput("to", "same_person")
    had = next((one for one in holders(session, ids) if one.id == leaver), None)
    if had is None:
        raise InvalidInput("leaver", "has_nothing", detail=leaver[:40])
    statements = _statements(ids)
    owned = _owned(statements, leaver)
    _check_team(session, owned, known_to_heir)
    concerned = _concerned(session, owned)
    _codes(session, owned["codes"], had, to=to, actor=actor, now=now)
    for kind, model in (("questions", SavedQuestion), ("boards", Board)):
        _rows(session, owned[kind], model, to=to, actor=actor, now=now)
    _record(session, concerned, audit.Subject("person", leaver, had.name), to=to, actor=actor, now=now)
    session.flush()
    session.expire_all()
    return had


def _statements(ids: frozenset[int] | None) -> dict[str, Any]:
    """Kind of thing -> select of the id and name of its owner and of its key, as far as ``ids`` reach."""
    statements = {
        "codes": select(OWNER_ID, OWNER, Code.id).where(Code.deleted_at.is_(None)),
        "questions": select(SavedQuestion.owner_id, SavedQuestion.owner, SavedQuestion.id),
        "boards": select(Board.owner_id, Board.owner, Board.id),
    }
    if ids is None:
        return statements
    known = sorted(ids)
    return {
        "codes": statements["codes"].where(Code.authorizer_id.in_(known)),
        "questions": statements["questions"].where(SavedQuestion.authorizer_id.in_(known)),
        "boards": statements["boards"].where(Board.id.not_in(_shown(BoardItem.board_id).where(_SHOWN.not_in(known)))),
    }


def _owned(statements: dict[str, Any], leaver: str) -> dict[str, Any]:
    owners = {"codes": OWNER_ID, "questions": SavedQuestion.owner_id, "boards": Board.owner_id}
    return {kind: statement.where(owners[kind] == leaver) for kind, statement in statements.items()}


def _shown(*columns: Any) -> Any:
    """Select of what boards show; :data:`_SHOWN` is the mini program of each item."""
    items = select(*columns).select_from(BoardItem)
    return items.outerjoin(SavedQuestion, SavedQuestion.id == BoardItem.question_id)


def _check_team(session: Session, owned: dict[str, Any], known: frozenset[int] | None) -> None:
    if known is None:
        return
    about = (
        owned["codes"].with_only_columns(Code.authorizer_id),
        owned["questions"].with_only_columns(SavedQuestion.authorizer_id),
        _shown(_SHOWN).where(BoardItem.board_id.in_(owned["boards"].with_only_columns(Board.id))),
    )
    foreign: set[str] = set()
    for programs in about:
        named = select(Authorizer.nick_name, Authorizer.appid).where(
            Authorizer.id.in_(programs), Authorizer.id.not_in(sorted(known))
        )
        foreign |= {str(row.nick_name or row.appid) for row in session.execute(named)}
    if foreign:
        raise InvalidInput("to", "not_of_the_team", detail=", ".join(sorted(foreign))[:200])


def _concerned(session: Session, owned: dict[str, Any]) -> dict[int | None, dict[str, int]]:
    """Mini program -> how many things of each kind are about it; None: boards about several, or about nothing yet."""
    found: dict[int | None, dict[str, int]] = {}
    for kind, column in (("codes", Code.authorizer_id), ("questions", SavedQuestion.authorizer_id)):
        counts = owned[kind].with_only_columns(column, func.count()).group_by(column)
        for program, count in session.execute(counts):
            found.setdefault(program, {})[kind] = count
    boards = owned["boards"].with_only_columns(Board.id)
    shown = _shown(BoardItem.board_id, func.min(_SHOWN), func.max(_SHOWN)).where(BoardItem.board_id.in_(boards))
    spans = {board: span for board, *span in session.execute(shown.group_by(BoardItem.board_id))}
    for board_id in session.execute(boards).scalars():
        first, last = spans.get(board_id, (None, None))
        told = found.setdefault(first if first == last else None, {})
        told["boards"] = told.get("boards", 0) + 1
    return found


def _record(
    session: Session,
    concerned: dict[int | None, dict[str, int]],
    subject: audit.Subject,
    *,
    to: Actor,
    actor: Actor,
    now: dt.datetime,
) -> None:
    """Write a row for each mini program, so that whoever manages it learns of it, and one for what belongs to none."""
    for program, counts in sorted(concerned.items(), key=lambda pair: (pair[0] is None, pair[0] or 0)):
        detail = {"to": to.name, "to_id": to.id, "codes": 0, "questions": 0, "boards": 0, **counts}
        audit.record(session, "handed_over", subject, actor=actor, now=now, authorizer_id=program, detail=detail)


def _codes(
    session: Session, mine: Any, had: Holdings, *, to: Actor, actor: Actor, now: dt.datetime
) -> None:  # fmt: skip
    columns = (Code.id, Code.name, Code.created_by)
    rows = session.execute(mine.with_only_columns(*columns)).all()
    table = Code.__table__
    changed = (
        update(table)
        .where(table.c.id == bindparam("code_id"))
        .values(owner_id=to.id, owner=to.name, search_text=bindparam("text"))
    )
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        texts = [{"code_id": row.id, "text": search_text(row.name, row.created_by, to.name)} for row in batch]
        session.connection().execute(changed, texts)
        told = {"action": "handed_over", "at": now, "by_id": actor.id, "by": actor.name}
        detail = f"{had.name} → {to.name}"[:255]
        history = [{"code_id": row.id, "detail": detail, **told} for row in batch]
        session.connection().execute(insert(CodeHistory.__table__), history)


def _rows(session: Session, mine: Any, model: Any, *, to: Actor, actor: Actor, now: dt.datetime) -> None:
    rows = session.execute(select(model).where(model.id.in_(mine.with_only_columns(model.id)))).unique().scalars().all()
    for row in rows:
        row.owner_id, row.owner = to.id, to.name
        row.changed_at, row.changed_by_id, row.changed_by = now, actor.id, actor.name
        if hasattr(row, "search_text"):
            row.search_text = search_text(row.name, row.description, row.owner)
    session.flush()
