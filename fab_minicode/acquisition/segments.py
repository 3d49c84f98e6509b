"""
Who belongs to a segment: its conditions counted exactly, as bitmap algebra over the facts.

Reading only. ``segment_rules`` says how conditions are written.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any, NamedTuple

from pyroaring import BitMap
from sqlalchemy.engine import Connection

from fab_minicode.acquisition.conditions import Condition, conditions_of
from fab_minicode.acquisition.crowds import Segment, opened, union_of
from fab_minicode.acquisition.facts import SEEN, TOUCH
from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT
from fab_minicode.acquisition.plan import Piece, Plan
from fab_minicode.acquisition.question import Filter
from fab_minicode.acquisition.segment_rules import Rule, Trait
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.tally import Tally
from fab_minicode.acquisition.windows import Window
from fab_minicode.settings import Settings

_BEGIN = dt.date(1970, 1, 1)
_WITH_TOUCH = Condition("utm_source", frozenset({0}), inverse=True)


class Who(NamedTuple):
    """Some visitors: those in the bitmap, or with ``inverse`` all others."""

    crowd: Any
    inverse: bool = False

    def opposite(self) -> Who:
        """Return everybody else."""
        return Who(self.crowd, not self.inverse)

    def also(self, other: Who) -> Who:
        """Return who belongs to both."""
        if self.inverse and other.inverse:
            return Who(self.crowd | other.crowd, inverse=True)
        if self.inverse:
            return Who(other.crowd - self.crowd)
        return Who(self.crowd - other.crowd if other.inverse else self.crowd & other.crowd)


def crowd_of(
    connection: Connection, authorizer_id: int, rule: Rule, *, settings: Settings, now: dt.datetime, name: str = ""
) -> Segment:
    """
    Count who belongs to a segment.

    Args:
        connection: To read from; nothing is written.
        authorizer_id: Whose visitors.
        rule: From ``segment_rules.parse``.
        settings: For the time zone.
        now: Aware UTC; decides what "today" is.
        name: Of the segment that is returned.
    """
    found = _Counting(connection, authorizer_id, settings, now).rule(rule)
    return Segment(name, found.crowd, found.inverse)


def everybody_of(connection: Connection, authorizer_id: int, *, settings: Settings, now: dt.datetime) -> Any:
    """Return all visitors of a mini program who were ever seen, a bitmap."""
    days = Days(connection, authorizer_id, _ever(settings, now))
    return union_of(tally for _, _, tally in days.rows(SEEN, ("own",), TOUCH))


def people_in(
    connection: Connection, authorizer_id: int, segment: Segment, *, settings: Settings, now: dt.datetime
) -> int:
    """Return how many visitors belong to a segment."""
    if segment.crowd is not None and not segment.inverse:
        return len(segment.crowd)
    return segment.people(everybody_of(connection, authorizer_id, settings=settings, now=now))


def _ever(settings: Settings, now: dt.datetime) -> Window:
    return Window(_BEGIN, now.astimezone(settings.zone).date())


class _Counting:
    """The conditions of one segment, counted one by one."""

    def __init__(self, connection: Connection, authorizer_id: int, settings: Settings, now: dt.datetime) -> None:
        self._connection, self._authorizer_id = connection, authorizer_id
        self._settings, self._now = settings, now

    def rule(self, rule: Rule) -> Who:
        """Return who has the conditions: all of them, or (by the opposite of having none) any."""
        parts = [self.rule(one) if isinstance(one, Rule) else self._trait(one) for one in rule.conditions]
        if rule.match == "any":
            parts = [part.opposite() for part in parts]
        found = parts[0]
        for part in parts[1:]:
            found = found.also(part)
        return found.opposite() if (rule.match == "any") != rule.is_not else found

    def _trait(self, trait: Trait) -> Who:
        found = getattr(self, f"_{trait.kind}")(trait)
        return found.opposite() if trait.is_not else found

    def _first_touch(self, trait: Trait) -> Who:
        return Who(_people(self._pieces(trait, FIRST_VISIT, "entry")))

    _new = _first_touch

    def _touch(self, trait: Trait) -> Who:
        return Who(_people(self._pieces(trait, VISIT, "entry", _WITH_TOUCH)))

    def _returning(self, trait: Trait) -> Who:
        return Who(_people(self._pieces(trait, VISIT, trait.attribution)) - self._days(trait).new_visitors())

    def _did(self, trait: Trait) -> Who:
        counts = VISIT if trait.event is None else f"event:{trait.event}"
        pieces = self._pieces(trait, counts, trait.attribution)
        if trait.comparison == "at_least":
            return Who(_at_least(pieces, trait.times))
        more = _at_least(pieces, trait.times + 1)
        if trait.comparison == "at_most" or not trait.times:
            return Who(more, inverse=True)
        return Who(_at_least(pieces, trait.times) - more)

    def _pieces(self, trait: Trait, counts: str, attribution: str, *more: Condition) -> list[Piece]:
        conditions = (*self._conditions(trait.filters), *more)
        plan = Plan(self._connection, self._authorizer_id, dimensions=(), conditions=conditions)
        days = self._days(trait)
        return plan.pieces(days, counts, attribution, days)

    def _conditions(self, filters: tuple[Filter, ...]) -> tuple[Condition, ...]:
        return conditions_of(self._connection, self._authorizer_id, filters)

    def _days(self, trait: Trait) -> Days:
        period = trait.period
        resolved = (
            _ever(self._settings, self._now) if period is None else period.resolve(self._now, self._settings.zone)
        )
        return Days(self._connection, self._authorizer_id, resolved)


def _people(pieces: Iterable[Piece]) -> Any:
    return union_of(stored for _, _, stored in pieces)


def _at_least(pieces: Iterable[Piece], times: int) -> Any:
    """Return who occurs at least so often, a bitmap."""
    if times == 1:
        return _people(pieces)
    total = Tally()
    for _, _, stored in pieces:
        total.add(opened(stored))
    return total.at_least(times) if total else BitMap()
