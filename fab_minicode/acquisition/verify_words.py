"""How a recount names what it compares: texts of values and events, and one line for each difference."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition.caps import EVENT
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.facts import CONTEXT, TOUCH
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.models import Code, Context, Value


@dataclass(frozen=True)
class Place:
    """One day of one mini program."""

    authorizer_id: int
    appid: str
    day: dt.date

    def bind(self) -> dict[str, int]:
        """Return both as parameters of a statement."""
        return {"authorizer_id": self.authorizer_id, "day": self.day.toordinal()}


@dataclass(frozen=True)
class Difference:
    """
    Something that is stored otherwise than it is recounted.

    Attributes:
        appid: Of the mini program.
        day: The calendar day.
        event: ``visit``, ``first_visit``, ``event:<name>`` or ``seen``.
        route: As ``models.acquisition.Series`` says.
        dimension: As ``models.acquisition.Series`` says; ``decision`` where a single event is meant.
        value: In words; the event's key where a single event is meant.
        stored: What is stored, in words.
        recounted: What it should be, in words.
    """

    appid: str
    day: dt.date
    event: str
    route: str
    dimension: str
    value: str
    stored: str
    recounted: str

    def __str__(self) -> str:
        what = f"{self.event} ({self.route}) by {self.dimension}, {self.value!r}"
        return f"{self.day} {self.appid} {what}: stored {self.stored}; recounted {self.recounted}"


def told(
    place: Place, series: tuple[str, str, str], value: str, stored: Sequence[int], recounted: Sequence[int]
) -> Difference:
    """Return the difference of two lists of visitors, each as often as counted."""
    event, route, dimension = series
    one, other = Counter(stored), Counter(recounted)
    concerned = sum(one[visitor] != other[visitor] for visitor in one.keys() | other.keys())
    after = f"{_counted(other)} ({concerned} visitors differ)"
    return Difference(place.appid, place.day, event, route, dimension, value, _counted(one), after)


def _counted(visitors: Mapping[int, int]) -> str:
    return f"{len(visitors)} visitors, {sum(visitors.values())} times"


class Texts:
    """The texts of one mini program's values, looked up where they are needed."""

    def __init__(self, connection: Connection, authorizer_id: int) -> None:
        self._connection, self._authorizer_id = connection, authorizer_id
        named = select(Value.id, Value.value).where(Value.authorizer_id == authorizer_id, Value.dimension == EVENT)
        self._events = {number: f"event:{name}" for number, name in connection.execute(named)} | {0: VISIT}
        self.event_ids = {name.partition(":")[2] or None: number for number, name in self._events.items()}

    def event(self, number: int) -> str:
        """Return what a series calls an event."""
        return self._events.get(number, f"event {number}?")

    def of(self, dimension: str, number: int) -> str:
        """Return a value in words; only for what is told, one look-up each."""
        if dimension == TOUCH:
            return "with a touch" if number else "without a touch"
        if dimension == CONTEXT:
            row = self._connection.execute(select(Context.__table__).where(Context.id == number)).mappings().first()
            return "?" if row is None else ", ".join(self.of(name, row[name]) for name in NAMES)
        if not number:
            return "not set"
        column: Any = select(Code.name if dimension == "code" else Value.value)
        found = self._connection.execute(column.where((Code if dimension == "code" else Value).id == number)).scalar()
        return f"{number}?" if found is None else str(found)
