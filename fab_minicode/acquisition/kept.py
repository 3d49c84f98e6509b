"""
Numbers that were counted, kept in the process's memory for as long as their days stay as they are.

Every write to a day's facts gives the day another version, in the same transaction (``acquisition.ledger``): what was
counted from other versions is not found any more. Nothing is ever stale, and nothing has to be thrown away in time.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from sqlalchemy.engine import Connection, Engine

from fab_minicode.acquisition import bulk
from fab_minicode.models.acquisition import FactDay

T = TypeVar("T")

MAX_KEPT = 500
MAX_ROWS = 50_000
"""Rows of all answers that are kept of one database: some 20 MB. An answer of more rows than this is not kept."""


class Kept(Generic[T]):
    """What was counted, the longest unused first."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: OrderedDict[Hashable, tuple[T, int]] = OrderedDict()
        self._rows = 0

    def get(self, key: Hashable) -> T | None:
        """Return what is kept under a key, None if nothing is."""
        with self._lock:
            if key not in self._found:
                return None
            self._found.move_to_end(key)
            return self._found[key][0]

    def keep(self, key: Hashable, value: T, rows: int) -> None:
        """Keep a value; what was not used for longest goes for it."""
        if rows > MAX_ROWS:
            return
        with self._lock:
            self._rows += rows - self._found.pop(key, (None, 0))[1]
            self._found[key] = value, rows
            while self._rows > MAX_ROWS or len(self._found) > MAX_KEPT:
                self._rows -= self._found.popitem(last=False)[1][1]

    def __len__(self) -> int:
        return len(self._found)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._found.clear()
            self._rows = 0


_OF: WeakKeyDictionary[Engine, Kept[Any]] = WeakKeyDictionary()


def kept_of(connection: Connection) -> Kept[Any]:
    """Return what this process keeps of a connection's database."""
    return _OF.setdefault(connection.engine, Kept())


def kept(
    connection: Connection,
    authorizer_id: int,
    days: range,
    question: object,
    count: Callable[[], T],
    *,
    rows: Callable[[T], int] = lambda _value: 1,
    still: Callable[[T], bool] = lambda _value: True,
) -> T:
    """
    Return what a question was answered before, or count it now.

    Args:
        connection: To read from.
        authorizer_id: Whose facts.
        days: Ordinals of all days whose facts matter.
        question: Everything else that the answer depends on, as values whose ``repr`` says all of it.
        count: Counts it; what it returns is shared and never changed.
        rows: How much an answer is, in rows.
        still: Whether an answer holds that was found; if not, it is counted anew.
    """
    mark = bulk.mark(connection)
    statement = (
        f"SELECT day, version FROM {FactDay.__tablename__}"  # noqa: S608
        f" WHERE authorizer_id = {mark} AND day BETWEEN {mark} AND {mark} ORDER BY day"
    )
    # Before counting: what changes meanwhile is counted again by the next who asks.
    versions = bulk.rows(connection, statement, (authorizer_id, days.start, days.stop - 1))
    # A digest: a filter may stand for a hundred thousand values, and a window for years of days.
    said = repr((authorizer_id, days, [tuple(row) for row in versions], question))
    key = hashlib.blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()
    known = kept_of(connection)
    found: T | None = known.get(key)
    if found is None or not still(found):
        found = count()
        known.keep(key, found, rows(found))
    return found
