"""
Events of visitors in their order, and what follows from it: touches, routes, first visits. Pure numpy.

A batch's new events and the stored ones around them stand in one table of arrays, sorted by visitor and time; what a
new event takes from an earlier one is then a running maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

LOOK_BACK_DAYS = 30
LOOK_BACK_MS = LOOK_BACK_DAYS * 86_400_000
"""A touch older than this is no visit's touch any more."""


@dataclass(frozen=True)
class Moments:
    """
    Events, one array element each.

    Attributes:
        visitor: The visitor's number.
        time: Milliseconds since 1970, UTC.
        tail: Last 8 bytes of the event's key, as a signed number.
        day: Ordinal of the calendar day.
        event: 0 for a visit, else the number of the custom event's name.
        context: Of a new visit: what it carried itself; of a stored event: as it was decided; else 0.
        route: Of a stored event as it was decided; else 0.
        entry: ``Attribution.entry_context_id`` of a stored event; 0 where there is none.
        touched: Whether it is a visit that carried a touch itself.
    """

    visitor: Numbers
    time: Numbers
    tail: Numbers
    day: Numbers
    event: Numbers
    context: Numbers
    route: Numbers
    entry: Numbers
    touched: Flags

    def __len__(self) -> int:
        return len(self.visitor)

    def take(self, places: Any) -> Moments:
        """Return some of the events, in the order of ``places`` (or those that a mask keeps)."""
        return Moments(*(getattr(self, field.name)[places] for field in fields(self)))

    def joined(self, other: Moments) -> Moments:
        """Return the events of both, ordered."""
        if not len(other):
            return self
        names = [field.name for field in fields(self)]
        return Moments(*(np.concatenate((getattr(self, name), getattr(other, name))) for name in names)).ordered()

    def ordered(self) -> Moments:
        """Return the events by visitor, then time; at the same millisecond visits first, then by tail."""
        if not len(self):
            return self
        custom = self.event != 0
        since = self.time - self.time.min()
        bits = int(since.max()).bit_length() + 1
        if int(self.visitor.max()).bit_length() + bits <= 63:
            packed = (self.visitor << bits) | (since << 1) | custom
            order = np.argsort(packed)
            packed = packed[order]
            if not (packed[1:] == packed[:-1]).any():
                return self.take(order)
        return self.take(np.lexsort((self.tail, custom, self.time, self.visitor)))

    @property
    def new(self) -> Flags:
        """Which events are not decided yet."""
        return self.route == 0

    @property
    def visit(self) -> Flags:
        """Which events are visits."""
        return self.event == 0

    def starts(self) -> Flags:
        """Which events are their visitor's first here."""
        return np.concatenate(([True], self.visitor[1:] != self.visitor[:-1]))[: len(self)]

    def latest(self, mask: Flags) -> Numbers:
        """Return for each event the place of its visitor's latest event in ``mask`` at or before it, -1 for none."""
        places = np.arange(len(self))
        begins = np.maximum.accumulate(np.where(self.starts(), places, 0))
        found = np.maximum.accumulate(np.where(mask, places, -1))
        return np.where(found >= begins, found, -1)

    def touch_places(self) -> Numbers:
        """Return for each event the place of the latest touch its visitor had by then, -1 if none within 30 days."""
        places = self.latest(self.touched)
        within = self.time - self.time[places] <= LOOK_BACK_MS
        return np.where((places >= 0) & within, places, -1)


def key_tails(keys: Sequence[bytes]) -> Numbers:
    """Return the last halves of 16-byte keys as signed numbers."""
    return np.frombuffer(b"".join(keys), ">i8").reshape(-1, 2)[:, 1].astype(np.int64)
