"""
Short tallies, many in one text: those of neighbouring values of one series and day. Pure.

A day of a busy team has tens of thousands of combinations with a handful of events each. A row for each would cost more
than its events; here they are columns that numpy reads at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fab_minicode.acquisition.tally import Ids, narrowed, widened

Numbers = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.uint64]
"""Events, ascending: the number of the value in the upper half, the visitor's in the lower; equal ones are times."""

PAGE_BITS = 12
"""A page holds the values that differ in so many low bits only."""

_HALF, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
_VALUES_BYTES = 2
_START = 1 + _VALUES_BYTES
"""Bytes of a visitor and the number of values; then of each value its low bits and its times, then all visitors."""
_NARROW = 1 << 24


def pairs_of(values: Numbers, visitors: Numbers) -> Pairs:
    """Return events in order."""
    return np.sort(joined(values, visitors))


def joined(values: Numbers, visitors: Any) -> Pairs:
    """Return events in the order in which they stand."""
    return (values.astype(np.uint64) << _HALF) | visitors.astype(np.uint64)


def values_of(pairs: Pairs) -> Numbers:
    """Return the value of each event."""
    return (pairs >> _HALF).astype(np.int64)


def ids_of(pairs: Pairs) -> Ids:
    """Return the visitor of each event."""
    return (pairs & _LOW).astype(np.uint32)


def distinct_of(values: Numbers) -> Numbers:
    """Return the distinct of whole numbers from 0 on, ascending; ``numpy.unique`` hashes, which is slower here."""
    ordered = np.sort(values)
    return ordered[np.flatnonzero(np.diff(ordered, append=-1))]


def without(pairs: Pairs, gone: Pairs) -> Pairs:
    """
    Return events without some of them.

    Raises:
        ValueError: If an event is taken out more often than it is there.
    """
    if not len(gone):
        return pairs
    known, times = np.unique(pairs, return_counts=True)
    less, less_times = np.unique(gone, return_counts=True)
    places = np.searchsorted(known, less)
    missing = places == len(known)
    places[missing] = 0
    missing |= (known[places] != less) if len(known) else True
    if missing.any() or (times[places] < less_times).any():
        raise ValueError("visitors occur less often than they are taken out")
    times[places] -= less_times
    return np.repeat(known, times)


@dataclass(frozen=True)
class Grouped:
    """
    Events by value.

    Attributes:
        values: The distinct values, ascending.
        ids: All visitors, value by value, ascending.
        counts: How many of them belong to each value.
    """

    values: Numbers
    ids: Ids
    counts: Numbers

    def pairs(self) -> Pairs:
        """Return the events."""
        return joined(np.repeat(self.values, self.counts), self.ids)

    def by_value(self) -> Iterable[tuple[int, Ids]]:
        """Return the visitors of each value."""
        spans = pairwise([0, *np.cumsum(self.counts).tolist()])
        return ((value, self.ids[begin:end]) for value, (begin, end) in zip(self.values.tolist(), spans, strict=True))


def grouped(pairs: Pairs) -> Grouped:
    """Return events by value."""
    values = values_of(pairs)
    ends = np.flatnonzero(np.diff(values, append=-1)) + 1
    return Grouped(values[ends - 1], ids_of(pairs), np.diff(ends, prepend=0))


def pack_pages(pairs: Pairs) -> dict[int, bytes]:
    """Return the stored form of each page that has events; no value may have more than ``tally.FEW``."""
    all_of_them = grouped(pairs)
    pages = all_of_them.values >> PAGE_BITS
    cuts = np.flatnonzero(np.diff(pages, prepend=-1, append=-1))
    ends = np.concatenate(([0], np.cumsum(all_of_them.counts)))
    packed = {}
    for begin, end in pairwise(cuts.tolist()):
        ids = all_of_them.ids[ends[begin] : ends[end]]
        packed[int(pages[begin])] = _packed(all_of_them.values[begin:end], all_of_them.counts[begin:end], ids)
    return packed


def _packed(values: Numbers, counts: Numbers, ids: Ids) -> bytes:
    is_wide = int(ids.max()) >= _NARROW
    start = bytes([4 if is_wide else 3]) + len(values).to_bytes(_VALUES_BYTES, "little")
    low = (values & ((1 << PAGE_BITS) - 1)).astype("<u2")
    who = ids.astype("<u4").tobytes() if is_wide else narrowed(ids)
    return start + low.tobytes() + counts.astype("<u2").tobytes() + who


def values_in(stored: bytes) -> int:
    """Return how many tallies a page holds."""
    return int.from_bytes(stored[1:_START], "little")


def unpack_pages(stored: Sequence[tuple[int, bytes]]) -> Grouped:
    """Read pages (number of the page, stored form); their tallies one after the other, in the order given."""
    values, counts, ids = [], [], []
    for page, text in stored:
        count = values_in(text)
        times = _START + 2 * count
        values.append(np.frombuffer(text, "<u2", count, _START) + np.int64(page << PAGE_BITS))
        counts.append(np.frombuffer(text, "<u2", count, times))
        who = text[times + 2 * count :]
        ids.append(widened(who) if text[0] == 3 else np.frombuffer(who, "<u4").astype(np.uint32, copy=False))
    if not stored:
        none = np.zeros(0, np.int64)
        return Grouped(none, none.astype(np.uint32), none)
    return Grouped(np.concatenate(values), np.concatenate(ids), np.concatenate(counts).astype(np.int64))
