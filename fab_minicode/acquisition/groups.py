"""
Groups of one dimension: their names, their order, and what the limit leaves over.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy.engine import Connection

from fab_minicode.acquisition.conditions import names_of


def highest(connection: Connection, dimension: str, sizes: Mapping[int, int], limit: int) -> list[int]:
    """Return the numbers of the groups to show: the largest first, then by name, "not set" last."""
    least = sorted(sizes.values(), reverse=True)[:limit]
    # Names are looked up only where they may decide.
    near = [number for number, size in sizes.items() if least and size >= least[-1]]
    texts = {number: _text(name) for number, name in names_of(connection, dimension, near).items()}
    return sorted(near, key=lambda number: (-sizes[number], not number, texts.get(number, ""), number))[:limit]


def _text(name: Any) -> str:
    return str(name[0] if isinstance(name, tuple) else name)


def keys(connection: Connection, dimension: str, numbers: list[int]) -> dict[int, dict[str, Any]]:
    """Return a row's keys for each group, null where it is not set; a code also has its id and if it is deleted."""
    names = names_of(connection, dimension, numbers)
    if dimension != "code":
        return {number: {dimension: names.get(number)} for number in numbers}
    found = {number: names.get(number, (None, False)) for number in numbers}
    return {
        number: {"code": name, "code_id": number or None, "code_deleted": is_deleted}
        for number, (name, is_deleted) in found.items()
    }
