"""
The numbers counted again from single events, in plain Python, from the definitions and from nothing of the product.

Slow and obvious on purpose: every law of docs/numbers.md is one function here.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.events import Told

TOUCH = ("utm_source", "utm_campaign", "utm_content", "utm_term", "utm_medium", "code")
OWN = ("landing_page", "scene")
NOTHING = dict.fromkeys((*TOUCH, *OWN))
LOOK_BACK_MS = 30 * 24 * 3600 * 1000
KINDS = {"1047": ("wxacode", "wxacode_unlimited"), "1048": ("wxacode", "wxacode_unlimited"), "1011": ("wxaqrcode",)}

Values = dict[str, Any]


@dataclass(frozen=True)
class Print:
    """A code: ``utm`` is source, campaign, medium, content, term."""

    id: int
    name: str
    kind: str
    short_key: str
    match_key: str
    utm: tuple[str, str, str, str, str]
    is_deleted: bool = False


@dataclass
class World:
    """All events of one mini program in the batches in which they were counted, and its codes."""

    codes: Sequence[Print]
    zone: ZoneInfo
    last: dict[Told, Values] = field(default_factory=dict)
    firsts: dict[str, Told] = field(default_factory=dict)
    aliases: dict[tuple[str, str], str] = field(default_factory=dict)
    known: dict[tuple[Told, str], Values] = field(default_factory=dict)

    def arrive(self, batch: Iterable[Told]) -> None:
        """Decide attribution ``last`` of a batch, knowing what arrived before, for good."""
        batch = sorted(batch, key=in_order)
        self.firsts.clear()
        self.known.clear()
        known = sorted([*self.last, *batch], key=in_order)
        for event in (one for one in batch if one.name is None):
            own = self.carried(event)
            earlier = [one for one in known if one.visitor == event.visitor and in_order(one) < in_order(event)]
            touches = [one for one in earlier if one.name is None and self.carried(one)["utm_source"]]
            if not own["utm_source"] and touches and event.time_ms - touches[-1].time_ms <= LOOK_BACK_MS:
                own |= {name: self.carried(touches[-1])[name] for name in TOUCH}
            self.last[event] = own
        for event in (one for one in batch if one.name is not None):
            visit = visit_of(event, known)
            self.last[event] = dict(NOTHING) if visit is None else self.last[visit]

    def carried(self, visit: Told) -> Values:
        """What one visit carried itself."""
        code, utm = self.code_of(visit), visit.utm
        if code is not None and code.short_key == visit.short_key:
            utm = code.utm
        if not utm[0]:
            code, utm = None, ("",) * 5
        source, campaign, medium, content, term = (value or None for value in utm)
        return {
            "utm_source": source, "utm_campaign": campaign, "utm_content": content, "utm_term": term,
            "utm_medium": medium, "code": code.id if code else None, "landing_page": visit.page, "scene": visit.scene,
        }  # fmt: skip

    def code_of(self, visit: Told) -> Print | None:
        for code in self.codes:
            if visit.short_key and code.short_key == visit.short_key:
                return code
        same = [code for code in self.codes if visit.match_key and code.match_key == visit.match_key]
        fitting = KINDS.get(visit.scene or "", ())
        return max(same, key=lambda code: (code.kind in fitting, not code.is_deleted, code.id), default=None)

    def first_of(self, visitor: str) -> Told | None:
        if not self.firsts:
            for event in sorted(self.last, key=in_order, reverse=True):
                if event.name is None:
                    self.firsts[event.visitor] = event
        return self.firsts.get(visitor)

    def attributed(self, event: Told, attribution: str) -> Values:
        """The eight dimensions of an event as they count, aliases by their targets; when everything has arrived."""
        if (event, attribution) not in self.known:
            values = self.collected(event, attribution).items()
            self.known[event, attribution] = {name: self.meant(name, value) for name, value in values}
        return self.known[event, attribution]

    def meant(self, dimension: str, value: Any) -> Any:
        return self.aliases.get((dimension, value), value)

    def collected(self, event: Told, attribution: str) -> Values:
        if attribution == "last":
            return self.last[event]
        visit = event if event.name is None else visit_of(event, list(self.last))
        if visit is None:
            return NOTHING
        own = self.carried(visit)
        if attribution == "first":
            first = self.first_of(event.visitor)
            own |= {name: self.carried(first)[name] for name in TOUCH}
        return own


def in_order(event: Told) -> Any:
    return event.time_ms, event.name is not None, int.from_bytes(event.key[8:], "big", signed=True)


def visit_of(event: Told, known: Sequence[Told]) -> Told | None:
    visits = [one for one in known if one.visitor == event.visitor and one.name is None]
    earlier = [one for one in visits if one.time_ms <= event.time_ms]
    return max(earlier, key=in_order, default=None)


class Recount:
    """Answers questions (the JSON of docs/api.md) about a world."""

    def __init__(self, world: World, now: dt.datetime) -> None:
        self.world, self.now = world, now
        self.names = {code.id: code.name for code in world.codes}
        self.segments: dict[str, set[str]] = {}

    def answer(self, asked: Values) -> Values:
        window = self.window(asked["window"])
        rows, totals, others, groups = self.count(asked, window, None)
        result = {"rows": rows, "totals": totals, "others": others, "previous": None}
        if asked["compare"]:
            before = self.earlier(asked["window"], window, asked["compare"])
            rows, totals, *_ = self.count(asked, before, groups)
            result["previous"] = {"rows": rows, "totals": totals}
        return result

    def window(self, asked: Any) -> tuple[dt.date, dt.date]:
        today = self.now.astimezone(self.world.zone).date()
        day = dt.timedelta(days=1)
        if asked == "today":
            return today, today
        if asked == "yesterday":
            return today - day, today - day
        if asked in ("this_week", "last_week"):
            monday = today - today.weekday() * day
            return (monday, today) if asked == "this_week" else (monday - 7 * day, monday - day)
        if asked in ("this_month", "last_month"):
            first = today.replace(day=1)
            last = first - day
            return (first, today) if asked == "this_month" else (last.replace(day=1), last)
        if "last_days" in asked:
            return today - asked["last_days"] * day, today - day
        return dt.date.fromisoformat(asked["since"]), dt.date.fromisoformat(asked["until"])

    def earlier(self, asked: Any, window: tuple[dt.date, dt.date], compare: str) -> tuple[dt.date, dt.date]:
        """The window to compare with."""
        day, days = dt.timedelta(days=1), (window[1] - window[0]).days + 1
        if compare == "week_earlier":
            weeks = next(weeks for weeks in range(1, 60) if 7 * weeks >= days)
            return window[0] - 7 * weeks * day, window[1] - 7 * weeks * day
        if asked in ("this_month", "last_month"):
            last = window[0] - day
            first = last.replace(day=1)
            return first, last if asked == "last_month" else min(last, first + (days - 1) * day)
        if asked in ("this_week", "last_week"):
            return window[0] - 7 * day, window[1] - 7 * day
        return window[0] - days * day, window[1] - days * day

    def day(self, event: Told) -> dt.date:
        return self.local(event).date()

    def local(self, event: Told) -> dt.datetime:
        return dt.datetime.fromtimestamp(event.time_ms / 1000, self.world.zone)

    def bucket(self, moment: dt.datetime, granularity: str) -> str:
        day = moment.date()
        return {
            "total": "",
            "hour": f"{day}T{moment.hour:02d}:00",
            "day": str(day),
            "week": str(day - dt.timedelta(days=day.weekday())),
            "month": str(day)[:7],
        }[granularity]

    def buckets(self, window: tuple[dt.date, dt.date], granularity: str) -> list[str]:
        days = [window[0] + dt.timedelta(days=n) for n in range((window[1] - window[0]).days + 1)]
        hours = range(24) if granularity == "hour" else (12,)
        moments = [
            dt.datetime(day.year, day.month, day.day, hour, tzinfo=dt.timezone.utc) for day in days for hour in hours
        ]
        return list(dict.fromkeys(self.bucket(moment, granularity) for moment in moments))

    def passing(self, asked: Values, window: tuple[dt.date, dt.date]) -> list[tuple[Told, Values]]:
        inside = [event for event in self.world.last if window[0] <= self.day(event) <= window[1]]
        found = [(event, self.world.attributed(event, asked["attribution"])) for event in inside]
        return [(event, values) for event, values in found if all(self.passes(values, one) for one in asked["filters"])]

    def passes(self, values: Values, condition: Values) -> bool:
        name, op, wanted = condition["dimension"], condition["op"], condition.get("value")
        value = values[name]
        if op not in ("contains", "set", "not_set"):
            meant = [self.world.meant(name, one) for one in (wanted if isinstance(wanted, list) else [wanted])]
            wanted = meant if isinstance(wanted, list) else meant[0]
        if name == "code" and value is not None:
            value = _Either(value, self.names[value])
        among = lambda: value is not None and any(value == one for one in wanted)  # noqa: E731
        return {
            "set": lambda: value is not None,
            "not_set": lambda: value is None,
            "eq": lambda: value is not None and value == wanted,
            "ne": lambda: value is None or value != wanted,
            "in": among,
            "not_in": lambda: not among(),
            "contains": lambda: value is not None and wanted in str(value),
        }[op]()

    def segment(self, name: str, window: tuple[dt.date, dt.date]) -> Callable[[str], bool]:
        def is_new(visitor: str) -> bool:
            first = self.world.first_of(visitor)
            return first is not None and window[0] <= self.day(first) <= window[1]

        if name in self.segments:
            return self.segments[name].__contains__
        return {"all": lambda _: True, "new": is_new, "returning": lambda visitor: not is_new(visitor)}[name]

    def measure(self, metric: Any, passing: Sequence[tuple[Told, Values]]) -> Any:
        parts = parts_of(metric)
        if len(parts) == 2:
            number, by = (self.measure(part, passing) for part in parts)
            return float((Decimal(number) / by).quantize(Decimal("0.0001"), ROUND_HALF_UP)) if by else None
        if metric == "users":
            return len({event.visitor for event, _ in passing if event.name is None})
        if metric == "new_users":
            return sum(event.name is None and self.world.first_of(event.visitor) == event for event, _ in passing)
        if metric == "visits":
            return sum(event.name is None for event, _ in passing)
        visitors = [event.visitor for event, _ in passing if event.name == metric["event"]]
        return len(set(visitors) if metric["as"] == "users" else visitors)

    def numbers(self, asked: Values, passing: Sequence[tuple[Told, Values]]) -> Values:
        return {_metric_name(metric): self.measure(metric, passing) for metric in asked["metrics"]}

    def concerns(self, asked: Values, event: Told) -> bool:
        """Whether some metric counts the event at all: a group of others is no group."""
        if event.name is not None:
            return any(isinstance(one, dict) and one["event"] == event.name for one in self.parts(asked))
        is_first = self.world.first_of(event.visitor) == event
        return any(one in self.parts(asked) for one in ("users", "visits", *(["new_users"] if is_first else [])))

    def parts(self, asked: Values) -> list[Any]:
        """What must be counted for all metrics."""
        return [part for metric in asked["metrics"] for part in parts_of(metric)]

    def count(self, asked: Values, window: tuple[dt.date, dt.date], groups: Any) -> Any:
        passing = [one for one in self.passing(asked, window) if self.concerns(asked, one[0])]
        by_group: dict[Any, list[tuple[Told, Values]]] = {}
        for event, values in passing:
            by_group.setdefault(tuple(values[name] for name in asked["dimensions"]), []).append((event, values))
        people = {name: self.segment(name, window) for name in asked["segments"]}
        if groups is None:
            groups = self.highest(asked, by_group, people[asked["segments"][0]]) if asked["dimensions"] else [()]
        rows = []
        for bucket in self.buckets(window, asked["granularity"]):
            for group in groups:
                here = [
                    (event, values)
                    for event, values in by_group.get(group, [])
                    if self.bucket(self.local(event), asked["granularity"]) == bucket
                ]
                rows += self.rows(asked, (bucket, group, here), people)
        left = [one for group, found in by_group.items() if group not in groups for one in found]
        return rows, self.sums(asked, passing, people), self.sums(asked, left, people), groups

    def highest(self, asked: Values, by_group: Any, people: Callable[[str], bool]) -> list[Any]:
        metric = asked["metrics"][0]

        def order(group: Any) -> Any:
            passing = [(event, values) for event, values in by_group[group] if people(event.visitor)]
            named = list(zip(asked["dimensions"], group, strict=True))
            texts = [(value is None, self.text(name, value)) for name, value in named]
            # Two codes may have the same name: the older one first.
            number = self.measure(metric, passing)
            return 1 if number is None else -number, texts, [value or 0 for name, value in named if name == "code"]

        return sorted(by_group, key=order)[: asked["limit"]]

    def text(self, dimension: str, value: Any) -> str:
        return "" if value is None else self.names[value] if dimension == "code" else value

    def rows(self, asked: Values, place: Any, people: dict[str, Callable[[str], bool]]) -> list[Values]:
        bucket, group, here = place
        row: Values = {} if asked["granularity"] == "total" else {asked["granularity"]: bucket}
        for name, value in zip(asked["dimensions"], group, strict=True):
            row[name] = self.names.get(value) if name == "code" else value
            if name == "code":
                deleted = any(code.id == value and code.is_deleted for code in self.world.codes)
                row |= {"code_id": value, "code_deleted": deleted}
        rows = []
        for name, belongs in people.items():
            mine = [(event, values) for event, values in here if belongs(event.visitor)]
            numbers = self.numbers(asked, mine)
            if any(self.measure(part, mine) for part in self.parts(asked)) or not asked["dimensions"]:
                rows.append({**row, **({"segment": name} if len(people) > 1 else {}), **numbers})
        return rows

    def sums(self, asked: Values, passing: Any, people: dict[str, Callable[[str], bool]]) -> Values:
        found = {
            name: self.numbers(asked, [(event, values) for event, values in passing if belongs(event.visitor)])
            for name, belongs in people.items()
        }
        return found if len(people) > 1 else next(iter(found.values()))


class _Either:
    """A code: equal to its id and to its name."""

    def __init__(self, number: int, name: str) -> None:
        self.number, self.name = number, name

    def __eq__(self, other: object) -> bool:
        return other == (self.name if isinstance(other, str) else self.number)

    def __hash__(self) -> int:
        return hash(self.number)

    def __str__(self) -> str:
        return self.name


def parts_of(metric: Any) -> list[Any]:
    """What a metric divides by what; itself if it divides nothing."""
    if metric == "visits_per_user":
        return ["visits", "users"]
    if isinstance(metric, dict) and metric["as"] == "conversion":
        return [{**metric, "as": "users"}, "users"]
    return [metric]


def _metric_name(metric: Any) -> str:
    return metric if isinstance(metric, str) else f"{metric['event']}.{metric['as']}"
