"""Reading the audit: newest first, a page at a time, as far as the reader knows the mini programs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from fab_minicode.models import AuditEntry
from fab_minicode.utm import normalise

MAX_PAGE_SIZE = 100
MAX_EXPORTED = 50_000
"""Rows of one exported file, the newest ones; filter by days for older ones."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)
_MICROSECOND = dt.timedelta(microseconds=1)


@dataclass(frozen=True)
class AuditFilter:
    """
    Which acts.

    Attributes:
        who: Text in the actor's name.
        what: ``"<subject type>.<action>"``, or "" for all.
        subject: Text in the subject's name.
        way: A way in, or "" for all.
        authorizer_id: Of one mini program; None for all.
        since: At or after this aware instant; ``until``: before it.
    """

    who: str = ""
    what: str = ""
    subject: str = ""
    way: str = ""
    authorizer_id: int | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None


@dataclass(frozen=True)
class AuditPage:
    """Some acts, newest first; ``after`` leads to the next page (:func:`find`), "" at the end."""

    rows: list[AuditEntry]
    after: str


def find(
    session: Session,
    wanted: AuditFilter,
    *,
    narrow: Callable[[Any], Any] | None = None,
    after: str = "",
    size: int = 50,
) -> AuditPage:
    """
    Return one page of acts.

    Args:
        session: A session.
        wanted: Which ones.
        narrow: Adds the reader's scope to a select of acts; None adds none.
        after: Of the page before; anything else begins with the newest.
        size: Rows of a page.
    """
    statement = select(AuditEntry).where(*_conditions(wanted))
    statement = statement if narrow is None else narrow(statement)
    place = _place(after)
    if place is not None:
        at, row_id = place
        statement = statement.where(or_(AuditEntry.at < at, and_(AuditEntry.at == at, AuditEntry.id < row_id)))
    statement = statement.order_by(AuditEntry.at.desc(), AuditEntry.id.desc()).limit(size + 1)
    rows = list(session.execute(statement).scalars())
    last = rows[size - 1] if len(rows) > size else None
    return AuditPage(rows[:size], "" if last is None else f"{(last.at - _EPOCH) // _MICROSECOND}-{last.id}")


def _place(after: str) -> tuple[dt.datetime, int] | None:
    micros, _, row_id = after.partition("-")
    if not all(part.isascii() and part.isdigit() and len(part) <= 18 for part in (micros, row_id)):
        return None
    try:
        return _EPOCH + dt.timedelta(microseconds=int(micros)), int(row_id)
    except OverflowError:
        return None


def _conditions(wanted: AuditFilter) -> list[Any]:
    conditions: list[Any] = []
    for column, text in ((AuditEntry.actor, wanted.who), (AuditEntry.subject, wanted.subject)):
        if typed := normalise(text).lower():
            conditions.append(func.lower(column).contains(typed, autoescape=True))
    subject_type, _, action = wanted.what.partition(".")
    equal = ((AuditEntry.subject_type, subject_type), (AuditEntry.action, action), (AuditEntry.way, wanted.way))
    conditions += [column == value for column, value in equal if value]
    if wanted.authorizer_id is not None:
        conditions.append(AuditEntry.authorizer_id == wanted.authorizer_id)
    if wanted.since is not None:
        conditions.append(AuditEntry.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(AuditEntry.at < wanted.until)
    return conditions
