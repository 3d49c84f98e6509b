"""
A multiset of visitor numbers: who, and how often. Pure: numbers in, numbers and bytes out.

Roaring bitmaps make exact distinct counts of any union or intersection quick; the slices beside them keep the exact
times, so that an event can be taken out again (:meth:`Tally.subtract`) and counted within any crowd.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from pyroaring import BitMap

Ids = npt.NDArray[np.uint32]
"""Visitor numbers, ascending; a number stands there once per event."""

FEW = 256
"""Up to so many events a tally is stored as the plain list of its visitors: smaller, and merged by numpy."""

_THREE_BYTES, _FOUR_BYTES, _BITMAPS = 1, 2, 3
_START = 9
"""Of bitmaps: the format and the number of events, then each bitmap after its length in 4 bytes."""
_NARROW = 1 << 24
_DENSE = 16
"""A range of so many numbers is looked through as quickly as one number is sorted."""


class Tally:
    """
    How often each visitor occurs.

    Attributes:
        visitors: Everybody who occurs at all.
        again: The times beyond the first, bit by bit: a visitor in ``again[i]`` occurs ``2**i`` times more.
    """

    __slots__ = ("again", "visitors")

    def __init__(self, visitors: Any = None, again: Sequence[Any] = ()) -> None:
        self.visitors = BitMap() if visitors is None else visitors
        self.again = _trimmed(list(again))

    @classmethod
    def of(cls, ids: Ids) -> Tally:
        """Count ascending visitor numbers."""
        if not len(ids):
            return cls()
        begins = np.flatnonzero(np.concatenate(([True], ids[1:] != ids[:-1])))
        if len(begins) == len(ids):
            return cls(bitmap(ids))
        unique = ids[begins]
        more = np.diff(begins, append=len(ids)) - 1
        bits = int(more.max()).bit_length()
        return cls(bitmap(unique), [bitmap(unique[(more >> bit) & 1 == 1]) for bit in range(bits)])

    def add(self, other: Tally) -> None:
        """Count everything in ``other`` as well."""
        both = self.visitors & other.visitors
        self.visitors = self.visitors | other.visitors
        self.again = _sum(self.again, other.again, both)

    def subtract(self, other: Tally) -> None:
        """
        Take everything in ``other`` out again.

        Raises:
            ValueError: If a visitor occurs more often there than here.
        """
        counts = _difference(self._counts(), other._counts())
        self.visitors = BitMap.union(*counts) if counts else BitMap()
        self.again = _difference(counts, [self.visitors])

    def _counts(self) -> list[Any]:
        return _sum([self.visitors], self.again, BitMap())

    def times(self, within: Any = None) -> int:
        """Return the number of events, of the visitors in the bitmap ``within`` only if one is given."""
        if within is None:
            return len(self.visitors) + sum(len(bits) << place for place, bits in enumerate(self.again))
        return int(
            self.visitors.intersection_cardinality(within)
            + sum(bits.intersection_cardinality(within) << place for place, bits in enumerate(self.again))
        )

    def at_least(self, times: int) -> Any:
        """Return the visitors who occur at least so often, a bitmap."""
        counts = self._counts()
        if times.bit_length() > len(counts):
            return BitMap()
        more, equal = BitMap(), self.visitors
        # Compares the sliced number with ``times`` from the highest bit on, for all visitors at once.
        for place in reversed(range(len(counts))):
            if times >> place & 1:
                equal = equal & counts[place]
            else:
                more |= equal & counts[place]
                equal = equal - counts[place]
        return more | equal

    def within(self, crowd: Any) -> Tally:
        """Return the part of the visitors in the bitmap ``crowd``."""
        return Tally(self.visitors & crowd, [bits & crowd for bits in self.again])

    def without(self, crowd: Any) -> Tally:
        """Return the part of the visitors outside the bitmap ``crowd``."""
        return Tally(self.visitors - crowd, [bits - crowd for bits in self.again])

    def ids(self) -> Ids:
        """Return the visitor numbers, ascending, each as often as it occurs."""
        ids = np.frombuffer(self.visitors.to_array(), np.uint32)
        times = np.ones(len(ids), np.int64)
        for place, bits in enumerate(self.again):
            times[np.searchsorted(ids, np.frombuffer(bits.to_array(), np.uint32))] += 1 << place
        return np.repeat(ids, times)

    def pack(self) -> bytes:
        """Return the stored form; its first byte names the format."""
        times = self.times()
        if times <= FEW:
            return pack_few(self.ids())
        parts = [_frozen(bits) for bits in (self.visitors, *self.again)]
        start = bytes([_BITMAPS]) + times.to_bytes(8, "little")
        return start + b"".join(len(part).to_bytes(4, "little") + part for part in parts)

    @classmethod
    def unpack(cls, stored: bytes) -> Tally:
        """
        Read :meth:`pack`'s form.

        Raises:
            ValueError: If only the first of its :func:`parted` halves is there.
        """
        if is_few(stored):
            return cls.of(unpack_few(stored))
        visitors, *again = _parts(stored)
        tally = cls(visitors, again)
        if tally.times() != stored_times(stored):
            raise ValueError("a tally was read without its times")
        return tally

    def __bool__(self) -> bool:
        return bool(self.visitors)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tally) and (self.visitors, self.again) == (other.visitors, other.again)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Tally({len(self.visitors)} visitors, {self.times()} times)"


def bitmap(ids: Ids) -> Any:
    """Return the bitmap of visitor numbers; ascending and distinct ones are quicker."""
    plain = array("I")
    plain.frombytes(np.ascontiguousarray(ids, np.uint32).tobytes())
    return BitMap(plain)


def ascending(ids: Ids) -> Ids:
    """Return visitor numbers in order; many of few visitors by ticking them off, which is quicker than sorting."""
    if not len(ids) or int(ids.max()) > _DENSE * len(ids):
        return np.sort(ids)
    ticked = np.zeros(int(ids.max()) + 1, np.bool_)
    ticked[ids] = True
    return np.flatnonzero(ticked).astype(np.uint32)


def is_few(stored: bytes) -> bool:
    """Whether a stored tally is a plain list."""
    return stored[0] <= _FOUR_BYTES


def stored_times(stored: bytes) -> int:
    """Return the number of events of a stored tally without opening it."""
    if stored[0] == _BITMAPS:
        return int.from_bytes(stored[1:_START], "little")
    return (len(stored) - 1) // (3 if stored[0] == _THREE_BYTES else 4)


def parted(stored: bytes) -> tuple[bytes, bytes]:
    """Divide stored bitmaps into everybody and how often; one after the other they are the whole again."""
    begin = _START + 4
    end = begin + int.from_bytes(stored[_START:begin], "little")
    return stored[:end], stored[end:]


def stored_visitors(stored: bytes) -> Any:
    """Return everybody in stored bitmaps, a bitmap; how often they occur is not opened."""
    begin = _START + 4
    return BitMap.deserialize(stored[begin : begin + int.from_bytes(stored[_START:begin], "little")])


def people(stored: bytes) -> Any:
    """Return everybody in a stored tally, a bitmap."""
    return bitmap(unpack_few(stored)) if is_few(stored) else stored_visitors(stored)


def unpack_few(stored: bytes) -> Ids:
    """Return the visitor numbers of a plain list."""
    if stored[0] == _FOUR_BYTES:
        return np.frombuffer(stored, "<u4", offset=1).astype(np.uint32)
    return widened(stored[1:])


def unpack_fews(stored: Sequence[bytes]) -> Ids:
    """Return the visitor numbers of many plain lists, one list after the other."""
    if all(piece[0] == _THREE_BYTES for piece in stored):
        return widened(b"".join([piece[1:] for piece in stored]))
    return np.concatenate([unpack_few(piece) for piece in stored])


def pack_few(ids: Ids) -> bytes:
    """Return the plain list of ascending visitor numbers."""
    if len(ids) and ids[-1] >= _NARROW:
        return bytes([_FOUR_BYTES]) + ids.astype("<u4").tobytes()
    return bytes([_THREE_BYTES]) + narrowed(ids)


def pack_fews(ids: Ids, ends: npt.NDArray[np.int64]) -> list[bytes]:
    """Return the plain lists of tallies that stand one after the other in ``ids``; ``ends`` are exclusive."""
    spans = list(pairwise([0, *ends.tolist()]))
    if len(ids) and int(ids.max()) >= _NARROW:
        return [pack_few(ids[begin:end]) for begin, end in spans]
    narrow, first = narrowed(ids), bytes([_THREE_BYTES])
    return [first + narrow[3 * begin : 3 * end] for begin, end in spans]


def widened(three_bytes: bytes) -> Ids:
    """Return numbers of three bytes each."""
    wide = np.zeros((len(three_bytes) // 3, 4), np.uint8)
    wide[:, :3] = np.frombuffer(three_bytes, np.uint8).reshape(-1, 3)
    return wide.view("<u4").ravel().astype(np.uint32, copy=False)


def narrowed(ids: Ids) -> bytes:
    """Return numbers below 2**24 in three bytes each."""
    return np.ascontiguousarray(ids, "<u4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def _frozen(bits: Any) -> bytes:
    # Neighbouring numbers (new visitors of one campaign) become runs.
    bits.run_optimize()
    frozen: bytes = bits.serialize()
    return frozen


def _parts(stored: bytes) -> list[Any]:
    parts, at = [], _START
    while at < len(stored):
        begin = at + 4
        at = begin + int.from_bytes(stored[at:begin], "little")
        parts.append(BitMap.deserialize(stored[begin:at]))
    return parts


def _trimmed(slices: list[Any]) -> list[Any]:
    while slices and not slices[-1]:
        slices.pop()
    return slices


def _sum(one: Sequence[Any], other: Sequence[Any], carry: Any) -> list[Any]:
    """Add two sliced numbers and a carry into the lowest place, like a ripple-carry adder, for all visitors at once."""
    result: list[Any] = []
    place = 0
    while place < len(other) or carry:
        a = one[place] if place < len(one) else BitMap()
        b = other[place] if place < len(other) else BitMap()
        either = a ^ b
        result.append(either ^ carry)
        carry = (a & b) | (either & carry)
        place += 1
    return _trimmed(result + list(one[place:]))


def _difference(one: Sequence[Any], other: Sequence[Any]) -> list[Any]:
    result: list[Any] = []
    borrow = BitMap()
    for place in range(max(len(one), len(other))):
        a = one[place] if place < len(one) else BitMap()
        b = other[place] if place < len(other) else BitMap()
        result.append(a ^ b ^ borrow)
        borrow = ((b | borrow) - a) | (b & borrow)
    if borrow:
        raise ValueError(f"{len(borrow)} visitors occur less often than they are taken out")
    return _trimmed(result)
