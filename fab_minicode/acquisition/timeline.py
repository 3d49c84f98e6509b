"""
The single events of a few visitors, with what each carried, as far as they are still kept.

Read from ``minicode_attributions``, day by day: the day's bitmap of everybody seen says where to look.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.conditions import names_of
from fab_minicode.acquisition.dimensions import NAMES, TOUCH_NAMES
from fab_minicode.acquisition.facts import SEEN, TOUCH
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.tally import Tally
from fab_minicode.acquisition.windows import Window
from fab_minicode.models.acquisition import OWN, Attribution, Context, Value

_COLUMNS = (
    Attribution.visitor_id, Attribution.time_ms, Attribution.key_tail, Attribution.event_id, Attribution.context_id,
    Attribution.route,
)  # fmt: skip
FIRST_DAY = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Moment:
    """
    One event of a visitor.

    Attributes:
        visitor: The visitor's number.
        time_ms: Milliseconds since 1970, UTC.
        key_tail: Tells two events of one millisecond apart.
        event: 0 for a visit, else the number of the custom event's name.
        context: Attribution ``last``.
        route: See ``models.acquisition.Attribution``.
    """

    visitor: int
    time_ms: int
    key_tail: int
    event: int
    context: int
    route: int

    @property
    def is_touch(self) -> bool:
        """Whether it is a visit that carried a touch itself."""
        return not self.event and self.route == OWN

    @property
    def order(self) -> tuple[int, bool, int]:
        """The place among the visitor's events (docs/numbers.md)."""
        return self.time_ms, self.event != 0, self.key_tail


def days_seen(connection: Connection, authorizer_id: int, visitors: Any, until: dt.date) -> dict[int, Any]:
    """Return on which days some visitors (a bitmap) were seen, and who of them: day -> bitmap."""
    days = Days(connection, authorizer_id, Window(FIRST_DAY, until))
    found = {}
    for day, _, stored in days.rows(SEEN, ("own",), TOUCH):
        tally = stored if isinstance(stored, Tally) else Tally.unpack(stored)
        here = tally.visitors & visitors
        if here:
            found[day] = here
    return found


def moments_of(connection: Connection, authorizer_id: int, visitors: Sequence[int], until: dt.date) -> list[Moment]:
    """Return the events of some visitors that are still kept, in their order."""
    found: list[Moment] = []
    for day, here in days_seen(connection, authorizer_id, BitMap(visitors), until).items():
        wanted = here.to_array().tolist()
        rows = bulk.find(connection, Attribution.visitor_id, wanted, _COLUMNS, authorizer_id=authorizer_id, day=day)
        found += [Moment(*row) for row in rows]
    return sorted(found, key=lambda one: (one.visitor, one.order))


def event_names(connection: Connection, numbers: Iterable[int]) -> dict[int, str]:
    """Return the names of custom events by their numbers."""
    rows = bulk.find(connection, Value.id, sorted({number for number in numbers if number}), (Value.id, Value.value))
    return dict(rows)


class Carried:
    """What contexts hold, as texts: the touch, and where it led to."""

    def __init__(self, connection: Connection, contexts: Iterable[int | None]) -> None:
        wanted = sorted({number for number in contexts if number})
        columns = (Context.id, *(getattr(Context, name) for name in NAMES))
        rows = bulk.find(connection, Context.id, wanted, columns)
        self._values: dict[int, dict[str, int]] = {
            number: dict(zip(NAMES, values, strict=True)) for number, *values in rows
        }
        self._names: dict[str, Mapping[int, Any]] = {
            name: names_of(connection, name, [values[name] for values in self._values.values()]) for name in NAMES
        }

    def touch(self, context: int | None) -> dict[str, Any] | None:
        """Return the touch of a context, None if it has none."""
        values = self._values.get(context or 0)
        if values is None or not values["utm_source"]:
            return None
        texts: dict[str, Any] = {name: self._names[name].get(values[name]) for name in TOUCH_NAMES if name != "code"}
        name, is_deleted = self._names["code"].get(values["code"], (None, False))
        return {**texts, "code": name, "code_id": values["code"] or None, "code_deleted": is_deleted}

    def place(self, context: int | None) -> dict[str, Any]:
        """Return landing page and entry scene of a context."""
        values = self._values.get(context or 0, {})
        return {name: self._names[name].get(values.get(name, 0)) for name in ("landing_page", "scene")}
