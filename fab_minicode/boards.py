"""
Boards: a few questions shown together.

Everybody sees of a board what they may see of its questions (``questions.seen_by``), and the board itself once they see
one of them. Its owner, or whoever manages, changes it; a change made on a stale copy is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, false, func, or_, select, update
from sqlalchemy.orm import Session

from fab_minicode import audit
from fab_minicode.actor import Actor
from fab_minicode.draft import checked_text
from fab_minicode.errors import InvalidInput, Missing, NotYours, StaleCopy
from fab_minicode.models import Board, BoardItem, SavedQuestion
from fab_minicode.questions import MAX_NAME_CHARACTERS, Person, seen_by

MAX_ITEMS = 12
MAX_LISTED = 200
HEADLINE = "headline"
BUILTINS = (HEADLINE,)
"""Questions that everybody has: 过去7天广告获客量."""


@dataclass(frozen=True)
class Item:
    """
    One question of a board, as a person sees it.

    Attributes:
        place: Where it stands; together with the board's ``changed_at`` it names the item.
        question: The saved question, None for a built-in one.
        builtin: Word of :data:`BUILTINS`, "" for a saved question.
        authorizer_id: The mini program that is asked about.
    """

    place: int
    question: SavedQuestion | None
    builtin: str
    authorizer_id: int


@dataclass(frozen=True)
class ListedBoard:
    """A board and how many of its questions the person sees."""

    board: Board
    count: int


def listed(session: Session, person: Person) -> list[ListedBoard]:
    """Return the boards a person sees, by name; at most :data:`MAX_LISTED`."""
    seen = _seen_items(person).subquery()
    counts = select(seen.c.board_id, func.count().label("seen")).group_by(seen.c.board_id).subquery()
    wanted = (
        select(Board, func.coalesce(counts.c.seen, 0))
        .outerjoin(counts, counts.c.board_id == Board.id)
        .where(or_(_own(person), counts.c.seen > 0))
        .order_by(Board.name, Board.id)
        .limit(MAX_LISTED)
    )
    return [ListedBoard(board, int(count)) for board, count in session.execute(wanted).all()]


def board_of(session: Session, board_id: int, person: Person) -> Board:
    """Return a board. Raises Missing if there is none of this id that the person sees."""
    seen = _seen_items(person).where(BoardItem.board_id == board_id).exists()
    wanted = select(Board).where(Board.id == board_id, or_(_own(person), seen))
    found = session.execute(wanted).scalars().one_or_none()
    if found is None:
        raise Missing(f"board {board_id}")
    return found


def items_of(session: Session, board: Board, person: Person) -> list[Item]:
    """Return the questions of a board that a person sees, in their order."""
    seen = _seen_items(person).where(BoardItem.board_id == board.id)
    places = {place for _, place in session.execute(seen).all()}
    rows = [row for row in board.items if row.place in places]
    ids = [row.question_id for row in rows if row.question_id is not None]
    found = session.execute(select(SavedQuestion).where(SavedQuestion.id.in_(ids))).unique().scalars().all()
    by_id = {question.id: question for question in found}
    asked = [(row, by_id.get(row.question_id)) for row in rows]
    return [
        Item(row.place, question, row.builtin, question.authorizer_id if question else row.authorizer_id)
        for row, question in asked
    ]


def may_change(board: Board, person: Person) -> bool:
    """Whether a person may change a board: their own, or they manage."""
    return person.manages or bool(person.actor.id and board.owner_id == person.actor.id)


def make(session: Session, name: str, person: Person, *, now: dt.datetime) -> Board:
    """Make an empty board that belongs to the person. Raises InvalidInput(field="name")."""
    actor = person.actor
    board = Board(
        name=_checked_name(name),
        owner_id=actor.id,
        owner=actor.name,
        created_at=now,
        created_by_id=actor.id,
        created_by=actor.name,
    )
    _sign(board, actor, now)
    session.add(board)
    session.flush()
    _record(session, board, "saved", actor, now)
    return board


def rename(
    session: Session, board: Board, name: str, person: Person, *, seen_at: dt.datetime, now: dt.datetime
) -> None:
    """Rename a board. Raises InvalidInput, NotYours, or StaleCopy if it was changed since ``seen_at``."""
    name = _checked_name(name)
    _take(session, board, person, seen_at, now)
    board.name = name
    session.flush()
    _record(session, board, "changed", person.actor, now, authorizer_id=_only_program(session, board))


def remove(session: Session, board: Board, person: Person, *, seen_at: dt.datetime, now: dt.datetime) -> None:
    """Remove a board; its questions stay. Raises NotYours or StaleCopy."""
    _take(session, board, person, seen_at, now)
    _record(session, board, "deleted", person.actor, now, authorizer_id=_only_program(session, board))
    session.delete(board)
    session.flush()


def add(session: Session, board: Board, question: SavedQuestion, person: Person, *, now: dt.datetime) -> None:
    """
    Put a saved question at the end of a board; one that stands there already stays where it is.

    Raises:
        InvalidInput: If the board is full (field ``items``).
        NotYours: If the board belongs to somebody else.
    """
    _append(session, board, BoardItem(question_id=question.id, builtin=""), person, now)


def add_builtin(
    session: Session, board: Board, builtin: str, authorizer_id: int, person: Person, *, now: dt.datetime
) -> None:
    """
    Put a built-in question about a mini program at the end of a board.

    Raises:
        InvalidInput: If the word is unknown (field ``builtin``), or the board is full (field ``items``).
        Missing: If the person does not know the mini program.
        NotYours: If the board belongs to somebody else.
    """
    if builtin not in BUILTINS:
        raise InvalidInput("builtin", "unknown", detail=builtin[:40])
    if authorizer_id not in person.programs:
        raise Missing("mini program")
    _append(session, board, BoardItem(builtin=builtin, authorizer_id=authorizer_id), person, now)


def move(
    session: Session, board: Board, place: int, person: Person, *, up: bool, seen_at: dt.datetime, now: dt.datetime
) -> None:
    """
    Exchange a question with the one before it (``up``) or after it, as the person sees the board.

    Raises:
        Missing: If nothing stands at ``place``.
        NotYours, StaleCopy: As :func:`rename` does.
    """
    _take(session, board, person, seen_at, now)
    places = [item.place for item in items_of(session, board, person)]
    if place not in places:
        raise Missing(f"place {place}")
    other = places.index(place) + (-1 if up else 1)
    if 0 <= other < len(places):
        kept = {item.place: item for item in board.items}
        kept[place], kept[places[other]] = kept[places[other]], kept[place]
        program = _program(session, kept[place])
        _arrange(session, board, [kept[at] for at in sorted(kept)])
        _record(session, board, "changed", person.actor, now, authorizer_id=program)


def take_off(
    session: Session, board: Board, place: int, person: Person, *, seen_at: dt.datetime, now: dt.datetime
) -> None:
    """Take a question off a board; the question stays. Raises Missing, NotYours or StaleCopy as :func:`move` does."""
    _take(session, board, person, seen_at, now)
    if place not in [item.place for item in items_of(session, board, person)]:
        raise Missing(f"place {place}")
    program = _program(session, next(item for item in board.items if item.place == place))
    _arrange(session, board, [item for item in board.items if item.place != place])
    _record(session, board, "changed", person.actor, now, authorizer_id=program)


def _seen_items(person: Person) -> Any:
    """Select board and place of every item that a person sees."""
    return (
        select(BoardItem.board_id, BoardItem.place)
        .outerjoin(SavedQuestion, SavedQuestion.id == BoardItem.question_id)
        .where(
            or_(
                and_(BoardItem.question_id.is_not(None), seen_by(person)),
                and_(BoardItem.question_id.is_(None), BoardItem.authorizer_id.in_(sorted(person.programs))),
            )
        )
    )


def _own(person: Person) -> Any:
    own = Board.owner_id == person.actor.id if person.actor.id else false()
    # Whoever manages sees the boards of others, too, but not those of mini programs that they do not know.
    return or_(own, Board.id.not_in(select(BoardItem.board_id))) if person.manages else own


def _append(session: Session, board: Board, item: BoardItem, person: Person, now: dt.datetime) -> None:
    _take(session, board, person, None, now)
    if any(_asks(one) == _asks(item) for one in board.items):
        return
    if len(board.items) >= MAX_ITEMS:
        raise InvalidInput("items", "too_many", limit=MAX_ITEMS, actual=len(board.items) + 1)
    _arrange(session, board, [*board.items, item])
    _record(session, board, "changed", person.actor, now, authorizer_id=_program(session, item))


def _asks(item: BoardItem) -> tuple[int | None, str, int | None]:
    return item.question_id, item.builtin, item.authorizer_id


def _arrange(session: Session, board: Board, items: Sequence[BoardItem]) -> None:
    """Store the items of a board in this order. They are written anew: places are their keys."""
    fresh = [
        BoardItem(question_id=one.question_id, builtin=one.builtin, authorizer_id=one.authorizer_id) for one in items
    ]
    for place, item in enumerate(fresh):
        item.board_id, item.place = board.id, place
    for old in board.items:
        session.expunge(old)
    session.execute(delete(BoardItem).where(BoardItem.board_id == board.id))
    session.add_all(fresh)
    session.flush()
    session.expire(board, ["items"])


def _take(session: Session, board: Board, person: Person, seen_at: dt.datetime | None, now: dt.datetime) -> None:
    """Hold the board until the transaction ends and sign it. Raises NotYours; StaleCopy if it is not what was seen."""
    if not may_change(board, person):
        raise NotYours(board.owner)
    conditions = [Board.id == board.id] + ([Board.changed_at == seen_at] if seen_at is not None else [])
    mine = update(Board).where(*conditions).values(changed_at=now).execution_options(synchronize_session=False)
    if session.execute(mine).rowcount != 1:
        raise StaleCopy(board.changed_by)
    session.refresh(board)
    _sign(board, person.actor, now)


def _program(session: Session, item: BoardItem) -> int | None:
    """Return the mini program that an item of a board asks about."""
    if item.question_id is None:
        return int(item.authorizer_id)
    asked = select(SavedQuestion.authorizer_id).where(SavedQuestion.id == item.question_id)
    return session.execute(asked).scalar_one_or_none()


def _only_program(session: Session, board: Board) -> int | None:
    """Return the mini program that a whole board is about; None for an empty board, or one about several."""
    programs = {_program(session, item) for item in board.items}
    return programs.pop() if len(programs) == 1 else None


def _record(
    session: Session, board: Board, action: str, actor: Actor, now: dt.datetime, *, authorizer_id: int | None = None
) -> None:
    subject = audit.Subject("board", str(board.id), board.name)
    audit.record(session, action, subject, actor=actor, now=now, authorizer_id=authorizer_id)


def _sign(board: Board, actor: Actor, now: dt.datetime) -> None:
    board.changed_at, board.changed_by_id, board.changed_by = now, actor.id, actor.name


def _checked_name(name: str) -> str:
    text = checked_text("name", name, most=MAX_NAME_CHARACTERS)
    if not text:
        raise InvalidInput("name", "unnamed")
    return text
