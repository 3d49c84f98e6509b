"""
Filters as sets of numbers: what each condition of a question lets through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.question import Filter
from fab_minicode.acquisition.vocabulary import Vocabulary
from fab_minicode.models import Code
from fab_minicode.models.acquisition import Value
from fab_minicode.models.vocabulary import Alias


@dataclass(frozen=True)
class Condition:
    """
    One condition on one dimension.

    Attributes:
        dimension: Its name.
        numbers: Values that pass, 0 standing for "not set".
        inverse: Whether those pass instead that are not in ``numbers``.
    """

    dimension: str
    numbers: frozenset[int]
    inverse: bool

    def passes(self, number: int) -> bool:
        """Whether a value passes."""
        return (number in self.numbers) != self.inverse

    @property
    def is_about_touch(self) -> bool:
        """Whether the condition only asks if there is a touch: no source means no touch."""
        return self.dimension == "utm_source" and self.numbers == {0}


def conditions_of(
    connection: Connection, authorizer_id: int, filters: Sequence[Filter], vocabulary: Vocabulary | None = None
) -> tuple[Condition, ...]:
    """
    Return what the filters of a question let through; values nobody ever had let nothing through.

    Args:
        connection: To read from.
        authorizer_id: Whose values.
        filters: Of a question; a value that is an alias means its target, and a target its aliases too.
        vocabulary: Of the filters' dimensions; looked up here if it is not given.
    """
    if vocabulary is None:
        vocabulary = Vocabulary(connection, authorizer_id, spoken_of(filters))
    return tuple(_condition(connection, authorizer_id, one, vocabulary) for one in filters)


def spoken_of(filters: Sequence[Filter]) -> list[str]:
    """Return the dimensions of which filters name values."""
    return [one.dimension for one in filters if one.values]


def _condition(connection: Connection, authorizer_id: int, asked: Filter, vocabulary: Vocabulary) -> Condition:
    if asked.op in ("set", "not_set"):
        return Condition(asked.dimension, frozenset({0}), asked.op == "set")
    texts = [value for value in asked.values if isinstance(value, str)]
    numbers = {value for value in asked.values if isinstance(value, int)}
    if texts:
        numbers |= _matching(connection, authorizer_id, asked, vocabulary)
    return Condition(asked.dimension, frozenset(numbers), asked.op in ("ne", "not_in"))


def _matching(connection: Connection, authorizer_id: int, asked: Filter, vocabulary: Vocabulary) -> set[int]:
    """Return the numbers of the values that, by what they count as, are among the texts asked for (or contain it)."""
    name = asked.dimension
    texts = [value for value in asked.values if isinstance(value, str)]
    targets = vocabulary.targets(name)
    if asked.op == "contains":
        also = [value for value, target in targets.items() if texts[0] in target]
        return _containing(connection, authorizer_id, asked, [*targets]) | _equal(connection, authorizer_id, name, also)
    meant = {vocabulary.meant(name, text) for text in texts}
    also = [value for value, target in targets.items() if target in meant]
    return _equal(connection, authorizer_id, name, [*meant, *also])


def _equal(connection: Connection, authorizer_id: int, dimension: str, texts: Sequence[str]) -> set[int]:
    number, text, where = _columns(authorizer_id, dimension)
    found = connection.execute(select(number).where(*where, text.in_(texts))).scalars() if texts else ()
    return set(found)


def _containing(connection: Connection, authorizer_id: int, asked: Filter, but: Sequence[str]) -> set[int]:
    number, text, where = _columns(authorizer_id, asked.dimension)
    # Not LIKE: it folds the case of ASCII on SQLite, and % and _ mean something in it.
    place = func.strpos if bulk.is_postgresql(connection) else func.instr
    where.append(place(text, asked.values[0]) > 0)
    if but:
        where.append(text.not_in(but))
    return set(connection.execute(select(number).where(*where)).scalars())


def _columns(authorizer_id: int, dimension: str) -> tuple[Any, Any, list[Any]]:
    if dimension == "code":
        return Code.id, Code.name, [Code.authorizer_id == authorizer_id]
    return Value.id, Value.value, [Value.authorizer_id == authorizer_id, Value.dimension == dimension]


def names_of(connection: Connection, dimension: str, numbers: Sequence[int]) -> Mapping[int, Any]:
    """
    Return the texts of a dimension's values by number; of codes ``(name, whether it is deleted)``.

    A negative number is a target that was never seen itself (``Vocabulary``).
    """
    wanted = sorted({number for number in numbers if number > 0})
    if dimension == "code":
        rows = bulk.find(connection, Code.id, wanted, (Code.id, Code.name, Code.deleted_at))
        return {number: (name, deleted_at is not None) for number, name, deleted_at in rows}
    rows = bulk.find(connection, Value.id, wanted, (Value.id, Value.value))
    unseen = sorted({-number for number in numbers if number < 0})
    targets = bulk.find(connection, Alias.id, unseen, (Alias.id, Alias.target))
    return dict(rows) | {-number: target for number, target in targets}
