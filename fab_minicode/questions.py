"""
Saved questions: who sees one, who may change it, and every change of it.

What a question asks is text here (its JSON); the doors read and check it. Who sees which question is decided by one
condition, :func:`seen_by`, for lists, pages, programs and boards alike.

An owner changes their own questions; whoever manages (:attr:`Person.manages`) changes everybody's, those of people who
have left included. A locked question is changed by nobody until it is unlocked. A change made on a stale copy is
refused: :func:`change` and its like take the row first, by one conditional UPDATE.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import and_, delete, false, func, or_, select, true, update
from sqlalchemy.orm import Session

from fab_minicode import audit
from fab_minicode.actor import Actor
from fab_minicode.draft import checked_text, search_text
from fab_minicode.errors import InvalidInput, Missing, NotYours, QuestionLocked, StaleCopy
from fab_minicode.models import BoardItem, QuestionRole, SavedQuestion

EVENTS, FUNNEL, RETENTION = KINDS = ("events", "funnel", "retention")
OWNER, ROLES, READERS = VISIBILITIES = ("owner", "roles", "readers")
MAX_NAME_CHARACTERS, MAX_DESCRIPTION_CHARACTERS, MAX_ROLES = 80, 500, 20
MAX_QUESTION_CHARACTERS, MAX_SORT_CHARACTERS = 100_000, 128
MAX_PAGE_SIZE = 100
_LAST_PAGE = 1_000_000


@dataclass(frozen=True)
class Person:
    """
    Somebody in front of saved questions.

    Attributes:
        actor: Who it is; an id of "" owns nothing.
        roles: Names of their roles.
        programs: Ids of the mini programs they know.
        manages: Whether they see and change the questions of others.
    """

    actor: Actor
    roles: frozenset[str]
    programs: frozenset[int]
    manages: bool = False


@dataclass(frozen=True)
class Saving:
    """
    What is kept of a question.

    Attributes:
        authorizer_id: The mini program it asks about.
        kind: One of :data:`KINDS`.
        question: Its JSON text.
        name: 1 to 80 characters; two questions may have the same name.
        chart: How it is looked at, "" for what suits it.
        sort: The order of its table, at most :data:`MAX_SORT_CHARACTERS`; "" for the answer's own.
        description: At most 500 characters; may hold line breaks.
        visibility: One of :data:`VISIBILITIES`.
        roles: For the visibility ``roles``: whose people see it.
    """

    authorizer_id: int
    kind: str
    question: str
    name: str
    chart: str = ""
    sort: str = ""
    description: str = ""
    visibility: str = OWNER
    roles: tuple[str, ...] = ()


@dataclass(frozen=True)
class Search:
    """
    Which questions a list shows.

    Attributes:
        q: Text that name, description or owner contain, in any case.
        authorizer_id: Of one mini program; None for all.
        kind: One kind; "" for all.
        visibility: One visibility; "" for all.
        owned: ``"mine"``, ``"others"``, or "" for both.
        order: ``name`` or ``changed_at``, with ``-`` before it for descending.
        page: From 0; ``page_size``: 1 to 100. Values outside are brought inside.
    """

    q: str = ""
    authorizer_id: int | None = None
    kind: str = ""
    visibility: str = ""
    owned: str = ""
    order: str = "-changed_at"
    page: int = 0
    page_size: int = 25


@dataclass(frozen=True)
class QuestionPage:
    """One page of the list, and how many questions there are in all."""

    rows: list[SavedQuestion]
    count: int


_ORDERS: dict[str, tuple[Any, ...]] = {
    "name": (SavedQuestion.name, SavedQuestion.id),
    "changed_at": (SavedQuestion.changed_at, SavedQuestion.id),
}


# --------------------------------------------------------------------------------------------------------- who sees


def seen_by(person: Person) -> Any:
    """Return the SQL condition on :class:`SavedQuestion` that a person sees it."""
    known = SavedQuestion.authorizer_id.in_(sorted(person.programs)) if person.programs else false()
    if person.manages:
        return known
    with_role = select(QuestionRole.question_id).where(QuestionRole.role.in_(sorted(person.roles)))
    return and_(
        known,
        or_(
            SavedQuestion.visibility == READERS,
            SavedQuestion.owner_id == person.actor.id if person.actor.id else false(),
            and_(SavedQuestion.visibility == ROLES, SavedQuestion.id.in_(with_role)) if person.roles else false(),
        ),
    )


def question_of(session: Session, question_id: int, person: Person) -> SavedQuestion:
    """Return a question. Raises Missing if there is none of this id that the person sees."""
    wanted = select(SavedQuestion).where(SavedQuestion.id == question_id, seen_by(person))
    found = session.execute(wanted).unique().scalars().one_or_none()
    if found is None:
        raise Missing(f"question {question_id}")
    return found


def find(session: Session, search: Search, person: Person) -> QuestionPage:
    """
    Return one page of the questions that a person sees.

    Raises:
        InvalidInput: For an unknown order (field ``order``).
    """
    conditions = [seen_by(person), *_conditions(search, person)]
    columns = _ORDERS.get(search.order.removeprefix("-"))
    if columns is None:
        raise InvalidInput("order", "unknown", detail=search.order[:40])
    order = [column.desc() for column in columns] if search.order.startswith("-") else columns
    size, page = min(max(search.page_size, 1), MAX_PAGE_SIZE), min(max(search.page, 0), _LAST_PAGE)
    wanted = select(SavedQuestion).where(*conditions).order_by(*order).limit(size).offset(size * page)
    rows = session.execute(wanted).unique().scalars().all()
    count = session.execute(select(func.count()).select_from(SavedQuestion).where(*conditions)).scalar_one()
    return QuestionPage(list(rows), count)


def _conditions(search: Search, person: Person) -> Iterable[Any]:
    is_own = SavedQuestion.owner_id == person.actor.id
    text = search_text(search.q.strip()).replace("\x00", "")[:MAX_NAME_CHARACTERS]
    yield SavedQuestion.search_text.contains(text, autoescape=True) if text else true()
    yield SavedQuestion.authorizer_id == search.authorizer_id if search.authorizer_id is not None else true()
    yield SavedQuestion.kind == search.kind if search.kind else true()
    yield SavedQuestion.visibility == search.visibility if search.visibility else true()
    yield {"mine": is_own, "others": ~is_own}.get(search.owned, true())


# ----------------------------------------------------------------------------------------------------- who changes


def is_own(question: SavedQuestion, person: Person) -> bool:
    """Whether a question is the person's own or one they manage."""
    return person.manages or bool(person.actor.id and question.owner_id == person.actor.id)


def may_change(question: SavedQuestion, person: Person) -> bool:
    """Whether a person may change a question as it stands now: theirs to change, and not locked."""
    return is_own(question, person) and not question.is_locked


def roles_to_choose(person: Person, question: SavedQuestion | None = None) -> list[str]:
    """Return the roles a question may be shown to: the person's own, and those it is shown to already."""
    kept = {row.role for row in question.roles} if question is not None else set()
    return sorted(person.roles | kept)


def save(session: Session, saving: Saving, person: Person, *, now: dt.datetime) -> SavedQuestion:
    """
    Keep a question; it belongs to the person.

    Raises:
        InvalidInput: Naming the field.
        Missing: If the person does not know the mini program.
    """
    if saving.authorizer_id not in person.programs:
        raise Missing("mini program")
    if saving.kind not in KINDS:
        raise InvalidInput("kind", "unknown", detail=saving.kind[:40])
    saving = _checked(saving, roles_to_choose(person))
    actor = person.actor
    row = SavedQuestion(
        authorizer_id=saving.authorizer_id,
        kind=saving.kind,
        owner_id=actor.id,
        owner=actor.name,
        is_locked=False,
        created_at=now,
        created_by_id=actor.id,
        created_by=actor.name,
    )
    _write(row, saving, actor, now)
    session.add(row)
    session.flush()
    _record(session, row, "saved", actor, now, kind=row.kind, visibility=row.visibility)
    return row


def change(
    session: Session, row: SavedQuestion, saving: Saving, person: Person, *, seen_at: dt.datetime, now: dt.datetime
) -> None:
    """
    Change a question: what it asks, its name, who sees it. Its kind stays, and its mini program if it was named so.

    Args:
        session: A session.
        row: The question.
        saving: All of it as it shall be.
        person: Who changes it.
        seen_at: ``changed_at`` of the copy that the change was made on.
        now: Aware UTC.

    Raises:
        InvalidInput: Naming the field.
        NotYours: If it belongs to somebody else.
        QuestionLocked: If it is locked.
        StaleCopy: If it was changed since ``seen_at``.
    """
    if saving.authorizer_id not in person.programs:
        raise Missing("mini program")
    _refuse(row, person)
    saving = _checked(replace(saving, kind=row.kind), roles_to_choose(person, row))
    _take(session, row, seen_at, now)
    _write(row, saving, person.actor, now)
    session.flush()
    _record(session, row, "changed", person.actor, now, visibility=row.visibility)


def lock(
    session: Session, row: SavedQuestion, person: Person, *, is_locked: bool, seen_at: dt.datetime, now: dt.datetime
) -> None:
    """Lock a question, or unlock it. Raises NotYours and StaleCopy as :func:`change` does."""
    _refuse(row, person, even_locked=True)
    _take(session, row, seen_at, now)
    row.is_locked = is_locked
    _signed(row, person.actor, now)
    session.flush()
    _record(session, row, "locked" if is_locked else "unlocked", person.actor, now)


def hand_over(
    session: Session, row: SavedQuestion, to: Actor, person: Person, *, seen_at: dt.datetime, now: dt.datetime
) -> None:
    """
    Make somebody else the owner; who sees the question stays as it is.

    Raises:
        NotYours, QuestionLocked, StaleCopy: As :func:`change` does.
    """
    _refuse(row, person)
    _take(session, row, seen_at, now)
    before = row.owner
    row.owner_id, row.owner = to.id, to.name
    _signed(row, person.actor, now)
    session.flush()
    _record(session, row, "handed_over", person.actor, now, before=before, after=to.name)


def remove(session: Session, row: SavedQuestion, person: Person, *, seen_at: dt.datetime, now: dt.datetime) -> None:
    """Remove a question, from the boards too. Raises NotYours, QuestionLocked and StaleCopy as :func:`change` does."""
    _refuse(row, person)
    _take(session, row, seen_at, now)
    # SQLite does not follow foreign keys unless it is told to.
    session.execute(delete(BoardItem).where(BoardItem.question_id == row.id))
    _record(session, row, "deleted", person.actor, now)
    session.delete(row)
    session.flush()


def _refuse(row: SavedQuestion, person: Person, *, even_locked: bool = False) -> None:
    if not is_own(row, person):
        raise NotYours(row.owner)
    if row.is_locked and not even_locked:
        raise QuestionLocked(row.name)


def _take(session: Session, row: SavedQuestion, seen_at: dt.datetime, now: dt.datetime) -> None:
    """Hold the row until the transaction ends, if it still is what was seen. Raises StaleCopy if not."""
    mine = (
        update(SavedQuestion)
        .where(SavedQuestion.id == row.id, SavedQuestion.changed_at == seen_at)
        .values(changed_at=now)
        .execution_options(synchronize_session=False)
    )
    if session.execute(mine).rowcount != 1:
        raise StaleCopy(row.changed_by)
    session.refresh(row)


def _write(row: SavedQuestion, saving: Saving, actor: Actor, now: dt.datetime) -> None:
    row.authorizer_id, row.question = saving.authorizer_id, saving.question
    row.chart, row.sort = saving.chart, saving.sort[:MAX_SORT_CHARACTERS]
    row.name, row.description, row.visibility = saving.name, saving.description, saving.visibility
    kept = {one.role: one for one in row.roles}
    row.roles = [kept.get(role) or QuestionRole(role=role) for role in saving.roles]
    _signed(row, actor, now)


def _signed(row: SavedQuestion, actor: Actor, now: dt.datetime) -> None:
    row.changed_at, row.changed_by_id, row.changed_by = now, actor.id, actor.name
    row.search_text = search_text(row.name, row.description, row.owner)


def _record(session: Session, row: SavedQuestion, action: str, actor: Actor, now: dt.datetime, **detail: Any) -> None:
    subject = audit.Subject("question", str(row.id), row.name)
    audit.record(session, action, subject, actor=actor, now=now, authorizer_id=row.authorizer_id, detail=detail)


def _checked(saving: Saving, choosable: list[str]) -> Saving:
    name = checked_text("name", saving.name, most=MAX_NAME_CHARACTERS)
    if not name:
        raise InvalidInput("name", "unnamed")
    typed = saving.description.replace("\r\n", "\n")
    if len(saving.question) > MAX_QUESTION_CHARACTERS:
        most, actual = MAX_QUESTION_CHARACTERS, len(saving.question)
        raise InvalidInput("question", "too_long", limit=most, actual=actual, unit="characters")
    return replace(
        saving,
        name=name,
        description=checked_text("description", typed, most=MAX_DESCRIPTION_CHARACTERS, lines=True),
        roles=_checked_roles(saving, choosable),
    )


def _checked_roles(saving: Saving, choosable: list[str]) -> tuple[str, ...]:
    if saving.visibility not in VISIBILITIES:
        raise InvalidInput("visibility", "unknown", detail=saving.visibility[:40])
    if saving.visibility != ROLES:
        return ()
    for role in saving.roles:
        if role not in choosable:
            raise InvalidInput("roles", "none_of_yours", detail=role[:40])
    if not saving.roles:
        raise InvalidInput("roles", "required")
    return tuple(dict.fromkeys(saving.roles))
