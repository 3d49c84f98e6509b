"""
Reading codes: the list with its search, filters and orders, one code with its picture and history, suggestions.

Stays fast at 100 000 codes: every order and filter has an index (``models/codes.py``), rows are fetched by the ids of
one page, counting stops at :data:`COUNT_LIMIT`, and no picture is loaded with a row. Only the order by numbers, which
stand in no table, reads the ids of all codes that match.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, literal, select

from fab_minicode.draft import search_text
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Authorizer, Code, CodeHistory, CodeImage
from fab_minicode.utm import UTM_FIELDS, normalise

MAX_PAGE_SIZE = 100
COUNT_LIMIT = 10_000
"""Counting stops here; a page then says "10 000+"."""

MAX_SUGGESTIONS = 50
_SUGGEST_FROM = 1_000
_LAST_PAGE = 1_000_000
_LARGEST_ID = 2**31 - 1

# order word -> columns; the index of each stands in models/codes.py
ORDERS: dict[str, tuple[Any, ...]] = {
    "name": (Code.name, Code.id),
    "kind": (Code.kind, Code.changed_at, Code.id),
    "source": (Code.utm_source, Code.changed_at, Code.id),
    "creator": (Code.created_by, Code.changed_at, Code.id),
    "created_at": (Code.created_at, Code.id),
    "changed_at": (Code.changed_at, Code.id),
}

BY_USERS = "users"
"""The order by numbers that the caller counted: known to :func:`find` where it gets them."""


@dataclass(frozen=True)
class CodeFilter:
    """
    What the list shows.

    Attributes:
        appid: AppID of the mini program; "" for all of them.
        q: Text that the name or the creator contains, in any case; wildcards have no meaning in it.
        kind: Name of a kind, or None; so are ``source`` (utm_source), ``campaign`` (utm_campaign), ``creator`` (name).
        since: Created at or after this aware instant; ``until``: created before it.
        order: A word of :data:`ORDERS` or :data:`BY_USERS`, with ``-`` before it for descending.
        page: From 0; ``page_size``: 1 to 100. Values outside are brought inside.
    """

    appid: str
    q: str = ""
    kind: str | None = None
    source: str | None = None
    campaign: str | None = None
    creator: str | None = None
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    order: str = "-changed_at"
    page: int = 0
    page_size: int = 25


@dataclass(frozen=True)
class CodePage:
    """One page of the list; ``count`` is a lower bound where ``count_is_exact`` is False."""

    rows: list[Code]
    count: int
    count_is_exact: bool


def find(
    session: Any,
    wanted: CodeFilter,
    *,
    narrow: Callable[[Any], Any] | None = None,
    users: Mapping[int, int] | None = None,
) -> CodePage:
    """
    Return one page of live codes.

    Args:
        session: A session.
        wanted: Search, filters, order and page.
        narrow: Takes a select of codes and returns it with conditions of the host added (row scope); None adds none.
        users: Id of a code -> its users, for the order :data:`BY_USERS`; a code that is missing has none.

    Raises:
        InvalidInput: For an unknown order (field ``order``).
    """
    conditions = _conditions(wanted)
    size = min(max(wanted.page_size, 1), MAX_PAGE_SIZE)
    page = min(max(wanted.page, 0), _LAST_PAGE)
    scope = narrow or _unchanged
    if users is not None and wanted.order.removeprefix("-") == BY_USERS:
        matching = scope(select(Code.id).where(*conditions)).order_by(*_order("-changed_at"))
        return _by_users(session, matching, users, wanted.order.startswith("-"), slice(page * size, (page + 1) * size))
    order = _order(wanted.order)
    ids = scope(select(Code.id).where(*conditions)).order_by(*order).limit(size).offset(page * size).subquery()
    rows = session.execute(select(Code).join(ids, ids.c.id == Code.id).order_by(*order)).scalars().all()
    matching = scope(select(literal(1).label("one")).select_from(Code).where(*conditions))
    counted = _count(session, matching, page * size, size, len(rows))
    return CodePage(list(rows), min(counted, COUNT_LIMIT), counted <= COUNT_LIMIT)


def _by_users(session: Any, matching: Any, users: Mapping[int, int], descending: bool, part: slice) -> CodePage:
    """Put all matching ids in order here: their numbers stand in tallies, where no SQL can sort by them."""
    ids = session.execute(matching).scalars().all()
    shown = sorted(ids, key=lambda number: users.get(number, 0), reverse=descending)[part]
    rows = {code.id: code for code in session.execute(select(Code).where(Code.id.in_(shown))).scalars()}
    return CodePage([rows[number] for number in shown if number in rows], len(ids), True)


def _unchanged(statement: Any) -> Any:
    return statement


def _count(session: Any, matching: Any, offset: int, size: int, shown: int) -> int:
    if 0 < shown < size or (shown == 0 and offset == 0):
        return offset + shown
    bounded = matching.limit(COUNT_LIMIT + 1).subquery()
    counted: int = session.execute(select(func.count()).select_from(bounded)).scalar_one()
    return counted


def _conditions(wanted: CodeFilter) -> list[Any]:
    conditions = [Code.deleted_at.is_(None)]
    if wanted.appid:
        found = select(Authorizer.id).where(Authorizer.appid == normalise(wanted.appid)).scalar_subquery()
        conditions.append(Code.authorizer_id == found)
    equal = (
        (Code.kind, wanted.kind),
        (Code.utm_source, wanted.source),
        (Code.utm_campaign, wanted.campaign),
        (Code.created_by, wanted.creator),
    )
    conditions += [column == normalise(value) for column, value in equal if value is not None]
    if wanted.since is not None:
        conditions.append(Code.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Code.created_at < wanted.until)
    if text := search_text(normalise(wanted.q)):
        conditions.append(Code.search_text.like(f"%{_literal(text)}%", escape="!"))
    return conditions


def _literal(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


def _order(word: str) -> list[Any]:
    columns = ORDERS.get(word.removeprefix("-"))
    if columns is None:
        raise InvalidInput("order", "unknown", detail=word[:40])
    return [column.desc() if word.startswith("-") else column.asc() for column in columns]


def code_of(session: Any, code_id: int, *, deleted_too: bool = False) -> Code:
    """Return a live code, or with ``deleted_too`` any. Raises Missing when there is none."""
    code = session.get(Code, code_id) if 0 < code_id <= _LARGEST_ID else None
    if code is None or (code.deleted_at is not None and not deleted_too):
        raise Missing(str(code_id))
    return code


def image_of(session: Any, code: Code) -> CodeImage:
    """Return the picture of a code. Raises Missing when WeChat has not made one."""
    image = session.get(CodeImage, code.id)
    if image is None:
        raise Missing(str(code.id))
    return image


def history_of(session: Any, code: Code) -> list[CodeHistory]:
    """Return what happened to a code, oldest first."""
    rows = session.execute(select(CodeHistory).where(CodeHistory.code_id == code.id).order_by(CodeHistory.id))
    return list(rows.scalars())


def suggestions(session: Any, appid: str, *, narrow: Callable[[Any], Any] | None = None) -> dict[str, list[str]]:
    """
    Return the values that the latest codes of a mini program used, newest first, at most 50 of each.

    Args:
        session: A session.
        appid: Of the mini program; "" for all of them.
        narrow: As :func:`find` takes it: values of hidden codes are not suggested.

    Returns:
        Keys are the five UTM field names, ``landing_page`` and ``created_by``; a value stands once.
    """
    names = (*UTM_FIELDS, "landing_page", "created_by")
    columns = [getattr(Code, name) for name in names]
    conditions = _conditions(CodeFilter(appid))
    scoped = (narrow or _unchanged)(select(*columns).where(*conditions))
    latest = scoped.order_by(Code.created_at.desc(), Code.id.desc()).limit(_SUGGEST_FROM)
    rows = session.execute(latest).all()
    return {name: _distinct(row[place] for row in rows) for place, name in enumerate(names)}


def _distinct(values: Any) -> list[str]:
    return list(dict.fromkeys(value for value in values if value))[:MAX_SUGGESTIONS]
