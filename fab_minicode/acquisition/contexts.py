"""
Contexts as numbers: the eight dimensions of many events at once, found or made, in tables of numpy.

Works inside the roll-up, which is alone: new numbers are simply the next ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.caps import EVENT
from fab_minicode.acquisition.dimensions import DIMENSIONS, NAMES
from fab_minicode.acquisition.pages import distinct_of
from fab_minicode.models.acquisition import Context, Value

Numbers = npt.NDArray[np.int64]
Rows = npt.NDArray[np.int64]
"""Contexts: a row each, the numbers of its values in the order of ``DIMENSIONS``, 0 where not set."""

NOTHING: Rows = np.zeros((1, len(DIMENSIONS)), np.int64)
"""The context of a visit that carried nothing, as a table of one row."""

_OF_TOUCH = np.array([dimension.of_touch for dimension in DIMENSIONS])
_SOURCE = NAMES.index("utm_source")
_MIXER = np.uint64(0x9E3779B97F4A7C15)
"""An odd number without pattern: 2**64 divided by the golden ratio."""


class Contexts:
    """The contexts of one mini program that a batch needs, found or made."""

    def __init__(self, connection: Connection, authorizer_id: int) -> None:
        self.connection, self.authorizer_id = connection, authorizer_id
        self._known = np.zeros(0, np.int64)
        self._rows = NOTHING[:0]

    def numbered(self, rows: Rows) -> Numbers:
        """Return the number of each context, a new one where there was none."""
        fingerprints, firsts, places = np.unique(self._fingerprints(rows), return_index=True, return_inverse=True)
        distinct, places = rows[firsts], places.ravel()
        numbers = self._found(fingerprints, distinct)
        new = np.flatnonzero(numbers == 0)
        if len(new):
            new = new[np.argsort(firsts[new])]
            numbers[new] = self._made(fingerprints[new], distinct[new])
        self._remember(numbers, distinct)
        result = numbers[places]
        # Two contexts of one fingerprint are a once-in-a-lifetime event: the second takes its turn.
        others = (distinct[places] != rows).any(axis=1)
        if others.any():
            result[others] = self.numbered(rows[others])
        return result

    def values(self, numbers: Numbers) -> Rows:
        """Return contexts by their numbers."""
        wanted = distinct_of(numbers)
        missing = wanted[~self._are_known(wanted)]
        if len(missing):
            columns = (Context.id, *(getattr(Context, name) for name in NAMES))
            found = _table(bulk.find(self.connection, Context.id, missing.tolist(), columns), len(columns))
            self._remember(found[:, 0], found[:, 1:])
            if not self._are_known(missing).all():
                raise LookupError("a context is not there")
        return self._rows[np.searchsorted(self._known, numbers)]

    def touched(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        """Return for each context whether it has a touch."""
        return self.values(numbers)[:, _SOURCE] > 0

    def carried(self, touches: Numbers, own: Numbers) -> Numbers:
        """Return for each context with a touch and own context that touch on one's own page and scene."""
        return self.numbered(np.where(_OF_TOUCH, self.values(touches), self.values(own)))

    def blank(self, numbers: Numbers) -> Numbers:
        """Return each context without its touch."""
        return self.numbered(np.where(_OF_TOUCH, 0, self.values(numbers)))

    def event_ids(self, names: Sequence[str]) -> list[int]:
        """Return the numbers of custom events' names."""
        return self.value_numbers(EVENT, list(names))

    def event_names(self, numbers: Sequence[int]) -> dict[int, str]:
        """Return the names of custom events by their numbers."""
        found = bulk.find(self.connection, Value.id, sorted(set(numbers)), (Value.id, Value.value))
        return {number: name for number, name in found}  # noqa: C416

    def value_numbers(self, dimension: str, texts: Sequence[str | None]) -> list[int]:
        """Return the number of each text of a dimension, 0 for an empty one."""
        wanted = sorted({text for text in texts if text})
        fixed = {"authorizer_id": self.authorizer_id, "dimension": dimension}
        found = bulk.find(self.connection, Value.value, wanted, (Value.value, Value.id), **fixed)
        numbers: dict[str | None, int] = {"": 0, None: 0, **{text: number for text, number in found}}  # noqa: C416
        new = [text for text in wanted if text not in numbers]
        if new:
            begin = bulk.next_number(self.connection, Value.id)
            numbers.update(zip(new, range(begin, begin + len(new)), strict=True))
            columns = {name: [value] * len(new) for name, value in fixed.items()}
            bulk.insert(self.connection, Value, {"id": [numbers[text] for text in new], **columns, "value": new})
        return list(map(numbers.__getitem__, texts))

    def _found(self, fingerprints: Numbers, rows: Rows) -> Numbers:
        """Return the numbers of distinct contexts, 0 for those that are not there."""
        columns = (Context.id, Context.fingerprint, *(getattr(Context, name) for name in NAMES))
        fixed = {"authorizer_id": self.authorizer_id}
        found = _table(
            bulk.find(self.connection, Context.fingerprint, fingerprints.tolist(), columns, **fixed), len(columns)
        )
        places = np.searchsorted(fingerprints, found[:, 1])
        same = (rows[places] == found[:, 2:]).all(axis=1)
        numbers = np.zeros(len(rows), np.int64)
        numbers[places[same]] = found[same, 0]
        return numbers

    def _made(self, fingerprints: Numbers, rows: Rows) -> Numbers:
        begin = bulk.next_number(self.connection, Context.id)
        numbers = np.arange(begin, begin + len(rows))
        columns = {"id": numbers, "fingerprint": fingerprints, **dict(zip(NAMES, rows.T, strict=True))}
        bulk.append(self.connection, Context, self.authorizer_id, columns)
        return numbers

    def _are_known(self, numbers: Numbers) -> npt.NDArray[np.bool_]:
        places = np.searchsorted(self._known, numbers)
        return np.append(self._known, -1)[places] == numbers

    def _remember(self, numbers: Numbers, rows: Rows) -> None:
        known, firsts = np.unique(np.concatenate((self._known, numbers)), return_index=True)
        self._known, self._rows = known, np.concatenate((self._rows, rows))[firsts]

    def _fingerprints(self, rows: Rows) -> Numbers:
        """Mix each row into one number."""
        mixed = np.full(len(rows), self.authorizer_id, np.uint64)
        for column in rows.T.astype(np.uint64):
            mixed = (mixed ^ column) * _MIXER
            mixed ^= mixed >> np.uint64(32)
        return mixed.view(np.int64)


def _table(found: Sequence[Sequence[Any]], columns: int) -> Numbers:
    """Return rows of whole numbers as a table."""
    return np.fromiter(chain.from_iterable(found), np.int64, len(found) * columns).reshape(-1, columns)
