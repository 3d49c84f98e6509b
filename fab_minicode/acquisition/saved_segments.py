"""
Saved segments inside questions: ``segment:<id>`` as the visitors it stands for.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk, segment_rules
from fab_minicode.acquisition.crowds import EVERYBODY, Segment
from fab_minicode.acquisition.question import saved_segment
from fab_minicode.acquisition.segments import crowd_of
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.windows import Window
from fab_minicode.errors import InvalidInput
from fab_minicode.models.analysis import SavedSegment
from fab_minicode.settings import Settings


@dataclass(frozen=True)
class Saved:
    """A saved segment that a question names: the name people gave it, and who belongs to it."""

    name: str
    segment: Segment


def saved_segments(
    connection: Connection, authorizer_id: int, asked: Sequence[str], *, settings: Settings, now: dt.datetime
) -> dict[str, Saved]:
    """
    Return the saved ones among a question's segments by what the question calls them (``segment:12``).

    Raises:
        InvalidInput: If one is not there, or is another mini program's; names its field.
    """
    ids = {name: number for name in asked if (number := saved_segment(name)) is not None}
    columns = (SavedSegment.id, SavedSegment.name, SavedSegment.conditions)
    rows = bulk.find(connection, SavedSegment.id, sorted(ids.values()), columns, authorizer_id=authorizer_id)
    found = {number: (name, conditions) for number, name, conditions in rows}
    result = {}
    for name, number in ids.items():
        if number not in found:
            raise InvalidInput(f"segments[{asked.index(name)}]", "unknown", detail=name)
        title, conditions = found[number]
        rule = segment_rules.parse(json.loads(conditions))
        segment = crowd_of(connection, authorizer_id, rule, settings=settings, now=now, name=name)
        result[name] = Saved(title, segment)
    return result


def segment_named(
    connection: Connection, authorizer_id: int, name: str, *, window: Window, settings: Settings, now: dt.datetime
) -> Segment:
    """
    Return one segment as questions name it: ``all``, ``new``, ``returning`` (in ``window``), or a saved one.

    Raises:
        InvalidInput: With field ``segment`` if the saved segment is not there, or another mini program's.
    """
    if saved_segment(name):
        try:
            return saved_segments(connection, authorizer_id, [name], settings=settings, now=now)[name].segment
        except InvalidInput as error:
            error.field = "segment"
            raise
    if name == "all":
        return EVERYBODY
    return Segment(name, Days(connection, authorizer_id, window).new_visitors(), inverse=name == "returning")
