"""
The visitors of a batch: their numbers, found or given, and their first visits.

Works inside the roll-up, which is alone: new numbers are simply the next ones.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.models.acquisition import Visitor

Numbers = npt.NDArray[np.int64]

_COLUMNS = (Visitor.head, Visitor.tail, Visitor.id, Visitor.first_ms, Visitor.first_context_id)
NEVER = -1
"""``first_ms`` of a visitor without a visit."""


class Visitors:
    """
    The distinct visitors of a batch.

    Attributes:
        of_event: For each event of the batch the place of its visitor in the arrays below.
        number: What stands in the tallies.
        first_ms: Instant of the first visit, as stored; NEVER if there is none.
        first_context: What that visit carried; 0 if there is none.
    """

    def __init__(
        self, connection: Connection, authorizer_id: int, pseudonyms: list[bytes], *, contexts: Numbers
    ) -> None:
        """
        Find the visitors; give those that are new the next numbers.

        Args:
            connection: In the roll-up's transaction.
            authorizer_id: Whose visitors.
            pseudonyms: ``StoredEvent.visitor`` of each event, in the order of time.
            contexts: What each event carried. New visitors of one context become neighbours: their tallies are runs.
        """
        self._connection, self._authorizer_id = connection, authorizer_id
        halves = np.frombuffer(b"".join(pseudonyms), ">i8").reshape(-1, 2).astype(np.int64)
        order = _in_order(halves)
        ordered = halves[order]
        begins = np.concatenate(([True], (ordered[1:] != ordered[:-1]).any(axis=1)))
        self.of_event = np.empty(len(halves), np.int64)
        self.of_event[order] = np.cumsum(begins) - 1
        self._halves = ordered[begins]
        count = len(self._halves)
        self.number = np.zeros(count, np.int64)
        self.first_ms = np.full(count, NEVER, np.int64)
        self.first_context = np.zeros(count, np.int64)
        self._find()
        # The sort is stable: the first of a visitor's equal rows is the earliest event.
        self._give_numbers(contexts[order[begins]])
        self._changed = self._is_new.copy()
        self._by_number = np.argsort(self.number)

    def _find(self) -> None:
        heads = self._halves[:, 0]
        # In order already; two visitors may have the same.
        wanted = heads[np.concatenate(([True], heads[1:] != heads[:-1]))].tolist()
        rows = bulk.find(self._connection, Visitor.head, wanted, _COLUMNS, authorizer_id=self._authorizer_id)
        if not rows:
            return
        head, tail, number, first_ms, first_context = bulk.columns_of(rows)
        places = np.searchsorted(heads, np.array(head, np.int64))
        tails = np.array(tail, np.int64)
        # Two visitors with the same head are a once-in-a-lifetime event; the tails tell them apart.
        for wrong in np.flatnonzero(self._halves[places, 1] != tails).tolist():
            same = np.flatnonzero((heads == head[wrong]) & (self._halves[:, 1] == tail[wrong]))
            places[wrong] = same[0] if len(same) else -1
        kept = places >= 0
        self.number[places[kept]] = np.array(number, np.int64)[kept]
        self.first_ms[places[kept]] = np.array([NEVER if at is None else at for at in first_ms], np.int64)[kept]
        self.first_context[places[kept]] = np.array([one or 0 for one in first_context], np.int64)[kept]

    def _give_numbers(self, contexts: Numbers) -> None:
        self._is_new = self.number == 0
        new = np.flatnonzero(self._is_new)
        if len(new):
            begin = bulk.next_number(self._connection, Visitor.id)
            ranked = new[np.argsort(contexts[new], kind="stable")]
            self.number[ranked] = np.arange(begin, begin + len(new))

    def places(self, numbers: Numbers) -> Numbers:
        """Return the places of visitors in the arrays, by their numbers."""
        ranks = np.searchsorted(self.number, numbers, sorter=self._by_number)
        return self._by_number[ranks]

    def set_first(self, places: Numbers, times_ms: Numbers, contexts: Numbers) -> None:
        """Remember first visits."""
        self.first_ms[places], self.first_context[places] = times_ms, contexts
        self._changed[places] = True

    def write(self) -> None:
        """Write new visitors and changed first visits."""
        has_first = self.first_ms != NEVER
        bulk.append(self._connection, Visitor, self._authorizer_id, self._columns(self._is_new & has_first))
        # Few: visitors without a visit (whose numbers of it are NULL), and those whose first visit came late.
        others = self._columns(self._changed & ~(self._is_new & has_first))
        values = {name: column.tolist() for name, column in others.items()}
        values["first_ms"] = [None if at == NEVER else at for at in values["first_ms"]]
        values["first_context_id"] = [one or None for one in values["first_context_id"]]
        values["authorizer_id"] = [self._authorizer_id] * len(values["id"])
        bulk.insert(self._connection, Visitor, values, update=("first_ms", "first_context_id"))

    def _columns(self, which: npt.NDArray[np.bool_]) -> dict[str, Numbers]:
        return {
            "head": self._halves[which, 0],
            "tail": self._halves[which, 1],
            "id": self.number[which],
            "first_ms": self.first_ms[which],
            "first_context_id": self.first_context[which],
        }


def _in_order(halves: Numbers) -> Numbers:
    """Return the order of rows of two numbers, equal ones as they come; hardly ever do different ones begin alike."""
    order = np.argsort(halves[:, 0], kind="stable")
    heads, tails = halves[order].T
    is_plain = ((heads[1:] != heads[:-1]) | (tails[1:] == tails[:-1])).all()
    return order if is_plain else np.lexsort((halves[:, 1], halves[:, 0]))
