"""
Ghost codes: visits of prints that no live code stands for.

Three kinds: a ``scene`` of interface B that no code has (remembered by the roll-up, at most :data:`MOST_GHOSTS` of a
mini program), a code that was deleted, and UTM values that no live code carries (both found in the facts).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sqlalchemy import func, select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.facts import SeriesKey
from fab_minicode.acquisition.ledger import Ledger, Part
from fab_minicode.models.vocabulary import GHOST, Ghost

MOST_GHOSTS = 1_000
"""Scenes remembered of a mini program; further ones are not, until old ones are purged."""


class GhostVisit(NamedTuple):
    """A visit whose scene nobody knows; ``day`` is an ordinal, ``visitor`` a number."""

    scene: str
    page: str
    day: int
    time_ms: int
    visitor: int


def count_ghosts(connection: Connection, authorizer_id: int, ledger: Ledger, visits: Sequence[GhostVisit]) -> None:
    """Remember unknown scenes and count their visits; part of the roll-up, which writes the ledger."""
    ghosts = _remembered(connection, authorizer_id, visits)
    key = SeriesKey(GHOST, "own", GHOST)
    for day in sorted({visit.day for visit in visits}):
        mine = [visit for visit in visits if visit.day == day and visit[:2] in ghosts]
        if mine:
            values = np.array([ghosts[visit[:2]] for visit in mine], np.int64)
            ledger.add(key, day, Part(values, np.array([visit.visitor for visit in mine], np.int64)))


def _remembered(connection: Connection, authorizer_id: int, visits: Sequence[GhostVisit]) -> dict[tuple[str, str], int]:
    """Return the ghosts of visits by scene and page; new ones are made as long as there is room."""
    spans: dict[Any, tuple[int, int]] = {}
    for visit in visits:
        first, last = spans.get(visit[:2], (visit.time_ms, visit.time_ms))
        spans[visit[:2]] = min(first, visit.time_ms), max(last, visit.time_ms)
    columns = (Ghost.scene, Ghost.page, Ghost.id, Ghost.first_ms, Ghost.last_ms)
    scenes = sorted({scene for scene, _ in spans})
    rows = bulk.find(connection, Ghost.scene, scenes, columns, authorizer_id=authorizer_id)
    known = {(scene, page): (number, first, last) for scene, page, number, first, last in rows}
    mine = select(func.count()).select_from(Ghost).where(Ghost.authorizer_id == authorizer_id)
    room = MOST_GHOSTS - (connection.execute(mine).scalar() or 0)
    following = bulk.next_number(connection, Ghost.id)
    new = [place for place in spans if place not in known][: max(room, 0)]
    for number, place in enumerate(new, following):
        known[place] = number, *spans[place]
    written = [place for place in known if place in spans]
    firsts = [min(known[place][1], spans[place][0]) for place in written]
    lasts = [max(known[place][2], spans[place][1]) for place in written]
    values = {
        "id": [known[place][0] for place in written],
        "authorizer_id": [authorizer_id] * len(written),
        "scene": [place[0] for place in written],
        "page": [place[1] for place in written],
        "first_ms": firsts,
        "last_ms": lasts,
    }
    bulk.insert(connection, Ghost, values, update=("first_ms", "last_ms"))
    return {place: known[place][0] for place in written}
