"""
Visitors counted in groups: unions for people, sums for times. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from pyroaring import BitMap

from fab_minicode.acquisition.metrics import Metric
from fab_minicode.acquisition.tally import (
    Ids,
    Tally,
    ascending,
    bitmap,
    is_few,
    stored_times,
    stored_visitors,
    unpack_fews,
)

Group = tuple[int, ...]
"""Numbers of the values of a question's dimensions, in its order; 0 is "not set"."""


@dataclass(frozen=True)
class Segment:
    """Some visitors: those in the bitmap ``crowd``, or with ``inverse`` those outside; None: everybody."""

    name: str
    crowd: Any = None
    inverse: bool = False

    def members(self, visitors: Any) -> Any:
        """Return who of some visitors (a bitmap) belongs to the segment, a bitmap."""
        if self.crowd is None:
            return visitors
        return visitors - self.crowd if self.inverse else visitors & self.crowd

    def people(self, visitors: Any) -> int:
        """Return how many of some visitors (a bitmap) belong to the segment."""
        if self.crowd is None:
            return len(visitors)
        inside = int(visitors.intersection_cardinality(self.crowd))
        return len(visitors) - inside if self.inverse else inside

    def times(self, tally: Tally) -> int:
        """Return how many events of a tally belong to the segment."""
        if self.crowd is None:
            return tally.times()
        inside = tally.times(self.crowd)
        return tally.times() - inside if self.inverse else inside


EVERYBODY = Segment("all")


Uncounted = bytes | Tally | Ids
"""A tally as it was read: in its stored form, open, or as ascending numbers of visitors, each as often as it occurs."""


class Crowd:
    """Tallies that belong together: those of the days of a bucket, say."""

    __slots__ = ("_stored", "_visitors", "add")

    def __init__(self) -> None:
        self._stored: list[Uncounted] = []
        self._visitors: Any = None
        self.add = self._stored.append
        """Take in a tally; before anything is asked."""

    def visitors(self) -> Any:
        """Return everybody, a bitmap."""
        if self._visitors is None:
            self._visitors = union_of(self._stored)
        return self._visitors

    def parts(self) -> list[Uncounted]:
        """Return tallies that hold everybody; bitmaps are opened once, arrays are quickest as they are."""
        if self._visitors is None and all(isinstance(one, np.ndarray) for one in self._stored):
            return self._stored
        return [Tally(self.visitors())]

    def people(self, segment: Segment) -> int:
        """Return how many visitors belong to a segment."""
        if segment.crowd is None and len(self._stored) == 1 and isinstance(self._stored[0], np.ndarray):
            ids = self._stored[0]
            return int(np.count_nonzero(ids[1:] != ids[:-1])) + 1
        return segment.people(self.visitors())

    def times(self, segment: Segment) -> int:
        """Return the events of a segment's visitors."""
        if segment.crowd is None:
            return sum(_times(one) for one in self._stored)
        return sum(segment.times(opened(one)) for one in self._stored)


def _times(tally: Uncounted) -> int:
    if isinstance(tally, Tally):
        return tally.times()
    return len(tally) if isinstance(tally, np.ndarray) else stored_times(tally)


def opened(tally: Uncounted) -> Tally:
    """Return a tally, open."""
    if isinstance(tally, Tally):
        return tally
    if isinstance(tally, np.ndarray):
        return Tally.of(tally)
    return Tally.unpack(tally)


def union_of(tallies: Iterable[Uncounted]) -> Any:
    """Return everybody in some tallies, a bitmap."""
    crowds, few, short = [], [], []
    for tally in tallies:
        if isinstance(tally, Tally):
            crowds.append(tally.visitors)
        elif isinstance(tally, np.ndarray):
            few.append(tally)
        elif is_few(tally):
            short.append(tally)
        else:
            crowds.append(stored_visitors(tally))
    if short:
        few.append(unpack_fews(short))
    if few:
        crowds.append(bitmap(few[0] if len(few) == 1 else ascending(np.concatenate(few))))
    return crowds[0] if len(crowds) == 1 else BitMap.union(*crowds) if crowds else BitMap()


def measured(metric: Metric, crowds: Sequence[Crowd], segment: Segment) -> int:
    """Return one number of some crowds together (no ratio): people are counted once, times add up."""
    if metric.measure == "times":
        return sum(crowd.times(segment) for crowd in crowds)
    if len(crowds) == 1:
        return crowds[0].people(segment)
    return segment.people(everybody(crowds))


def everybody(crowds: Sequence[Crowd]) -> Any:
    """Return the union of the crowds, a bitmap."""
    return union_of(part for crowd in crowds for part in crowd.parts())


@dataclass(frozen=True)
class Share:
    """A part of all visitors and the values it stands for: in ``crowd``, or outside with ``inverse``."""

    values: Group
    crowd: Any
    inverse: bool = False

    def of(self, tally: Tally) -> Tally:
        """Return the part of a tally."""
        return tally.without(self.crowd) if self.inverse else tally.within(self.crowd)
