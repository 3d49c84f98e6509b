"""
Words that mean the same: values that count as another one in answers. What was collected keeps its value.

An alias changes which group a value belongs to, and nothing that is stored: setting or removing one changes the past
as well.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.models.acquisition import Value
from fab_minicode.models.vocabulary import Alias

ALIASED: tuple[str, ...] = tuple(name for name in NAMES if name.startswith("utm_"))
"""Dimensions whose values may have aliases."""


class Vocabulary:
    """
    The aliases of some dimensions of one mini program.

    A number stands for what a value counts as: its own ``Value.id``, the target's, or the negative of an alias's id
    where the target itself was never seen (``conditions.names_of`` knows these).
    """

    def __init__(self, connection: Connection, authorizer_id: int, dimensions: Iterable[str]) -> None:
        """Look the aliases up; dimensions that cannot have any cost nothing."""
        self._targets: dict[str, dict[str, str]] = {}
        self._numbers: dict[str, dict[int, int]] = {}
        wanted = {name for name in dimensions if name in ALIASED}
        if not wanted:
            return
        statement = (
            f"SELECT id, dimension, value, target FROM {Alias.__tablename__}"  # noqa: S608
            f" WHERE authorizer_id = {bulk.mark(connection)} ORDER BY id"
        )
        unseen: dict[tuple[str, str], int] = {}
        for number, dimension, value, target in bulk.rows(connection, statement, (authorizer_id,)):
            if dimension in wanted:
                self._targets.setdefault(dimension, {})[value] = target
                unseen.setdefault((dimension, target), -number)
        for dimension, targets in self._targets.items():
            texts = sorted({*targets, *targets.values()})
            fixed = {"authorizer_id": authorizer_id, "dimension": dimension}
            ids = dict(bulk.find(connection, Value.value, texts, (Value.value, Value.id), **fixed))
            self._numbers[dimension] = {
                ids[value]: ids.get(target, unseen[dimension, target])
                for value, target in targets.items()
                if value in ids
            }

    def meant(self, dimension: str, text: str) -> str:
        """Return what a value counts as."""
        return self._targets.get(dimension, {}).get(text, text)

    def targets(self, dimension: str) -> Mapping[str, str]:
        """Return the aliases of a dimension: value -> what it counts as."""
        return self._targets.get(dimension, {})

    def numbers(self, dimension: str) -> Mapping[int, int]:
        """Return the same as numbers, of the values that were ever seen."""
        return self._numbers.get(dimension, {})

    def spoken(self, dimension: str) -> Mapping[str, list[str]]:
        """Return the other way round: what is counted -> the values that count as it."""
        found: dict[str, list[str]] = defaultdict(list)
        for value, target in self.targets(dimension).items():
            found[target].append(value)
        return found
