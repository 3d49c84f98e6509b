"""The list's query string: read into a filter without ever failing, and written back into links."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from flask import url_for

from fab_minicode.code_list import BY_USERS, ORDERS, CodeFilter
from fab_minicode.kinds import KINDS
from fab_minicode.utm import normalise

PAGE_SIZES = (10, 25, 50, 100)
DEFAULT_PAGE_SIZE = 25
DEFAULT_ORDER = "-changed_at"
_LAST_PAGE = 100_000
_FIELDS = ("q", "kind", "source", "campaign", "creator", "since", "until")


@dataclass(frozen=True)
class Browsing:
    """
    How a person looks at the list.

    Attributes:
        given: The usable part of the query string, by name; what was odd is left out.
        appid: AppID of the mini program; "" where there is none.
        order: A word of ``code_list.ORDERS`` or ``code_list.BY_USERS``, ``-`` before it for descending.
        page: From 0.
        page_size: One of :data:`PAGE_SIZES`.
    """

    given: Mapping[str, str]
    appid: str
    order: str
    page: int
    page_size: int

    @property
    def by_users(self) -> bool:
        """Whether the list is in the order of numbers, which have to be counted for it."""
        return self.order.removeprefix("-") == BY_USERS

    @property
    def narrowed(self) -> bool:
        """Whether any filter is set."""
        return bool(self.given)

    @property
    def filter_count(self) -> int:
        """How many filters beside the search box are set."""
        return len([field for field in self.given if field != "q"])

    def link(self, **changes: str | int | None) -> str:
        """Return the address of this list with some parameters changed (None removes one); it leads to page 0."""
        values: dict[str, Any] = {"appid": self.appid, **self.given}
        if self.order != DEFAULT_ORDER:
            values["order"] = self.order
        if self.page_size != DEFAULT_PAGE_SIZE:
            values["page_size"] = self.page_size
        values.update(changes)
        return url_for(".list", **{name: value for name, value in values.items() if value not in (None, "")})

    def sorting(self, column: str) -> tuple[str, str]:
        """Return the address that sorts by a column, and how the list is sorted by it now (an ``aria-sort`` word)."""
        if self.order == column:
            return self.link(order=f"-{column}"), "ascending"
        if self.order == f"-{column}":
            return self.link(order=column), "descending"
        # Instants are interesting from the newest, numbers from the largest, words from A.
        return self.link(order=f"-{column}" if column.endswith("_at") or column == BY_USERS else column), "none"

    def filter(self, zone: ZoneInfo) -> CodeFilter:
        """Return what ``code_list.find`` looks for; the days of ``since`` and ``until`` are both included."""
        since, until = (day_of(self.given.get(field, "")) for field in ("since", "until"))
        return CodeFilter(
            appid=self.appid,
            q=self.given.get("q", ""),
            kind=self.given.get("kind"),
            source=self.given.get("source"),
            campaign=self.given.get("campaign"),
            creator=self.given.get("creator"),
            since=midnight(since, zone),
            until=midnight(until and until + dt.timedelta(days=1), zone),
            order=self.order,
            page=self.page,
            page_size=self.page_size,
        )


def read(args: Mapping[str, str], appid: str, *, numbers: bool = False) -> Browsing:
    """
    Read a query string. What is unknown, malformed or out of range counts as not given.

    ``numbers``: whether the person may read them, and so put codes in their order.
    """
    given = {field: normalise(args.get(field, "")) for field in _FIELDS}
    if given["kind"] not in {kind.name for kind in KINDS}:
        given["kind"] = ""
    for field in ("since", "until"):
        given[field] = given[field] if day_of(given[field]) else ""
    order, orders = args.get("order", ""), (*ORDERS, BY_USERS) if numbers else tuple(ORDERS)
    size = _whole(args.get("page_size", ""), DEFAULT_PAGE_SIZE)
    return Browsing(
        given={field: value for field, value in given.items() if value},
        appid=appid,
        order=order if order.removeprefix("-") in orders else DEFAULT_ORDER,
        page=min(_whole(args.get("page", ""), 0), _LAST_PAGE),
        page_size=size if size in PAGE_SIZES else DEFAULT_PAGE_SIZE,
    )


def _whole(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 9 else otherwise


def day_of(text: str) -> dt.date | None:
    """Return the day a text names, None for everything that is none."""
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    # The ends of the calendar have no day before or after them.
    return day if dt.date(1970, 1, 1) <= day <= dt.date(9000, 1, 1) else None


def midnight(day: dt.date | None, zone: ZoneInfo) -> dt.datetime | None:
    """Return the aware instant a day begins at."""
    return None if day is None else dt.datetime.combine(day, dt.time(), zone)
