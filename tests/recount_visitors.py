"""
What is known of single visitors, counted again from single events in plain Python: segments, funnels, retention.

Slow and obvious on purpose, like :mod:`tests.recount`, whose worlds it reads.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from tests.events import Told
from tests.recount import Recount, Values, World, in_order

EVER = dt.date(1970, 1, 1), dt.date(2199, 1, 1)


class People:
    """Who in a world has which conditions (the JSON of docs/api.md)."""

    def __init__(self, world: World, now: dt.datetime) -> None:
        self.world, self.recount = world, Recount(world, now)

    def segment(self, rule: Values) -> set[str]:
        """Everybody ever seen who belongs to a segment."""
        return {visitor for visitor in {event.visitor for event in self.world.last} if self.belongs(rule, visitor)}

    def belongs(self, rule: Values, visitor: str) -> bool:
        found = [self.has(one, visitor) for one in rule["conditions"]]
        return any(found) if rule.get("match") == "any" else all(found)

    def has(self, one: Values, visitor: str) -> bool:
        inside = self.belongs(one, visitor) if one["kind"] == "group" else self.is_so(one, visitor)
        return inside != one.get("not", False)

    def is_so(self, one: Values, visitor: str) -> bool:
        first = self.world.first_of(visitor)
        window = self.recount.window(one["window"]) if one.get("window") else EVER
        is_new = first is not None and window[0] <= self.recount.day(first) <= window[1]
        if one["kind"] in ("first_touch", "new"):
            return is_new and self.passes(first, "entry", one)
        events = [event for event in self.world.last if event.visitor == visitor and self.inside(event, window)]
        visits = [event for event in events if event.name is None]
        if one["kind"] == "touch":
            touched = [visit for visit in visits if self.world.carried(visit)["utm_source"]]
            return any(self.passes(visit, "entry", one) for visit in touched)
        attribution = one.get("attribution", "last")
        if one["kind"] == "returning":
            return not is_new and any(self.passes(visit, attribution, one) for visit in visits)
        named = [event for event in events if event.name == one.get("event")]
        times = sum(self.passes(event, attribution, one) for event in named)
        if "at_most" in one:
            return times <= one["at_most"]
        return times == one["exactly"] if "exactly" in one else times >= one.get("at_least", 1)

    def inside(self, event: Told, window: tuple[dt.date, dt.date]) -> bool:
        return window[0] <= self.recount.day(event) <= window[1]

    def passes(self, event: Any, attribution: str, one: Values) -> bool:
        values = self.world.attributed(event, attribution)
        return all(self.recount.passes(values, condition) for condition in one.get("filters", []))

    def named(self, name: str, window: tuple[dt.date, dt.date]) -> Any:
        return self.recount.segment(name, window)

    def values(self, event: Told, asked: Values) -> Any:
        values = self.world.attributed(event, asked["attribution"])
        return values[asked["dimensions"][0]] if asked["dimensions"] else None

    def starters(self, asked: Values, name: str | None) -> list[Told]:
        """The events that may be a first step, in their order."""
        window = self.recount.window(asked["window"])
        belongs = self.named(asked["segment"], window)
        events = [event for event in self.world.last if event.name == name and self.inside(event, window)]
        passing = [event for event in events if self.passes(event, asked["attribution"], asked)]
        return sorted((event for event in passing if belongs(event.visitor)), key=in_order)

    def funnel(self, asked: Values) -> Values:
        """The whole funnel (the JSON of docs/api.md): group -> how long after the first step each step was taken."""
        steps = [None if step == "visit" else step["event"] for step in asked["steps"]]
        firsts: dict[str, Told] = {}
        for event in self.starters(asked, steps[0]):
            firsts.setdefault(event.visitor, event)
        found: dict[Any, list[list[int]]] = {}
        for first in firsts.values():
            taken, at = found.setdefault(self.values(first, asked), [[] for _ in steps]), first
            taken[0].append(0)
            for place, name in enumerate(steps[1:], 1):
                end = first.time_ms + asked["within_days"] * 86_400_000
                mine = [one for one in self.world.last if one.visitor == first.visitor and one.name == name]
                later = [one for one in mine if in_order(one) > in_order(at) and one.time_ms <= end]
                if not later:
                    break
                at = min(later, key=in_order)
                taken[place].append(at.time_ms - first.time_ms)
        return found

    def retention(self, asked: Values) -> dict[Any, dict[dt.date, set[str]]]:
        """Group -> day -> who started on it."""
        found: dict[Any, dict[dt.date, set[str]]] = {}
        for event in self.starters(asked, None):
            if asked["start"] == "visit" or self.world.first_of(event.visitor) == event:
                days = found.setdefault(self.values(event, asked), {})
                days.setdefault(self.recount.day(event), set()).add(event.visitor)
        return found

    def back(self, asked: Values, starts: dict[dt.date, set[str]], after: int, first: dt.date) -> Values | None:
        """Who of them came back so many days after."""
        name = None if asked["return"] == "visit" else asked["return"]["event"]
        today, later = self.recount.now.astimezone(self.world.zone).date(), dt.timedelta(days=after)
        if first + later >= today:
            return None
        over = {day: visitors for day, visitors in starts.items() if day + later < today}
        did = {(event.visitor, self.recount.day(event)) for event in self.world.last if event.name == name}
        users = sum((visitor, day + later) in did for day, visitors in over.items() for visitor in visitors)
        return {"users": users, "of": sum(map(len, over.values()))}
