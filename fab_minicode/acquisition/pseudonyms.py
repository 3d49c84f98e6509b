"""
Short names of visitors: stable, and no way back to a device. Pure but for the look-up.

A pseudonym is the first 60 of the 128 bits that a visitor's keyed hash has in our tables, in letters and digits that
are hard to mistake for each other.
"""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.engine import Connection

from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models.acquisition import Visitor

_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH, _BITS, _DROPPED = 12, 5, 4
_ALIKE = str.maketrans("oil", "011")


class Known(NamedTuple):
    """A visitor's row; ``first_ms`` and ``first_context`` are None as long as there was no visit."""

    id: int
    head: int
    tail: int
    first_ms: int | None
    first_context: int | None

    @property
    def hashed(self) -> bytes:
        """What stands in ``minicode_events.visitor``."""
        return b"".join(half.to_bytes(8, "big", signed=True) for half in (self.head, self.tail))


def pseudonym_of(head: int) -> str:
    """Return the pseudonym of the visitor whose ``Visitor.head`` this is: ``7k2m-9qxd-4vbn``."""
    bits = (head % 2**64) >> _DROPPED
    text = "".join(_LETTERS[bits >> _BITS * place & 31] for place in reversed(range(_LENGTH)))
    return "-".join(text[begin : begin + 4] for begin in range(0, _LENGTH, 4))


def visitor_named(connection: Connection, authorizer_id: int, pseudonym: str) -> Known:
    """
    Return who has a pseudonym; capitals, and letters that look like digits, are understood.

    Raises:
        Missing: If nobody has it, or it is none.
        InvalidInput: If two visitors have it, which may happen once among billions.
    """
    text = pseudonym.lower().replace("-", "").translate(_ALIKE)
    if len(text) != _LENGTH or any(letter not in _LETTERS for letter in text):
        raise Missing("visitor")
    bits = 0
    for letter in text:
        bits = bits << _BITS | _LETTERS.index(letter)
    least = _signed(bits << _DROPPED)
    found = _rows(connection, authorizer_id, Visitor.head.between(least, least + 2**_DROPPED - 1))
    if len(found) > 1:
        raise InvalidInput("pseudonym", "ambiguous")
    if not found:
        raise Missing("visitor")
    return found[0]


def visitor_hashed(connection: Connection, authorizer_id: int, hashed: bytes) -> Known | None:
    """Return the visitor with this keyed hash (``accept.pseudonym_of``); None if the roll-up never met them."""
    head, tail = (int.from_bytes(hashed[begin : begin + 8], "big", signed=True) for begin in (0, 8))
    found = _rows(connection, authorizer_id, (Visitor.head == head) & (Visitor.tail == tail))
    return found[0] if found else None


def _rows(connection: Connection, authorizer_id: int, where: object) -> list[Known]:
    columns = (Visitor.id, Visitor.head, Visitor.tail, Visitor.first_ms, Visitor.first_context_id)
    rows = connection.execute(select(*columns).where(Visitor.authorizer_id == authorizer_id, where))
    return [Known(*row) for row in rows]


def _signed(number: int) -> int:
    return number - 2**64 if number >= 2**63 else number
