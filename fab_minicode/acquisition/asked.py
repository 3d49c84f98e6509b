"""
One question to one mini program, counted for one window after the other: cells, groups, rows, totals.

Reading only; the caller owns connection and transaction. What the words mean stands in docs/numbers.md.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy.engine import Connection

from fab_minicode.acquisition.answer import Counted
from fab_minicode.acquisition.conditions import conditions_of, names_of, spoken_of
from fab_minicode.acquisition.crowds import EVERYBODY, Crowd, Group, Segment, measured
from fab_minicode.acquisition.kept import kept
from fab_minicode.acquisition.metrics import Metric, divided
from fab_minicode.acquisition.plan import Plan
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.saved_segments import saved_segments
from fab_minicode.acquisition.sources import Days, Hours, Source
from fab_minicode.acquisition.vocabulary import Vocabulary
from fab_minicode.acquisition.windows import BUCKETS, Window, hour_text
from fab_minicode.settings import Settings

Cells = Mapping[str, Mapping[Group, Mapping[str, Crowd]]]
"""What a metric counts -> group -> bucket -> who."""

Names = Mapping[str, Mapping[int, Any]]
"""Dimension -> number of a value -> its text (``conditions.names_of``)."""


@dataclass(frozen=True)
class Reading:
    """What was read for one window."""

    window: Window
    cells: Cells
    segments: Sequence[Segment]

    def here(self, group: Group, bucket: str) -> Callable[[Metric], list[Crowd]]:
        """Return who stands in one group and bucket, as a function of the metric."""
        found = {counts: known.get(group, {}).get(bucket) for counts, known in self.cells.items()}

        def crowds(metric: Metric) -> list[Crowd]:
            crowd = found[metric.counts]
            return [] if crowd is None else [crowd]

        return crowds

    def group(self, group: Group) -> Callable[[Metric], list[Crowd]]:
        """Return who stands in one group in the whole window."""
        return lambda metric: list(self.cells[metric.counts].get(group, {}).values())

    def all_but(self, groups: Collection[Group] = ()) -> Callable[[Metric], list[Crowd]]:
        """Return who stands in all groups but some."""

        def crowds(metric: Metric) -> list[Crowd]:
            known = self.cells[metric.counts].items()
            return [crowd for group, buckets in known if group not in groups for crowd in buckets.values()]

        return crowds

    def groups(self) -> list[Group]:
        """Return every group that somebody stands in."""
        return list(dict.fromkeys(group for found in self.cells.values() for group in found))


class Row(NamedTuple):
    """One row of an answer, before its values have names."""

    bucket: str
    group: Group
    segment: str
    numbers: Mapping[str, Any]


@dataclass(frozen=True)
class Tallied:
    """
    What was counted in one window, before its values have names.

    Attributes:
        near: The groups that may be shown, and the number by which they are ranked; nothing where they were given.
        groups: Those that are shown.
        rows: By time, then by rank, then by segment.
        totals: Of everything that passes.
        others: Of the groups that are not shown.
    """

    near: Mapping[Group, float]
    groups: Sequence[Group]
    rows: Sequence[Row]
    totals: Mapping[str, Any]
    others: Mapping[str, Any]


class Asked:
    """One question to one mini program."""

    def __init__(
        self, connection: Connection, authorizer_id: int, question: Question, *, settings: Settings, now: dt.datetime
    ) -> None:
        """
        Look up what the question's filters and saved segments mean.

        Args:
            connection: To read from.
            authorizer_id: Of the mini program.
            question: What is asked.
            settings: For the time zone.
            now: Aware UTC; decides what "today" is to saved segments.

        Raises:
            InvalidInput: If a saved segment is not there, or another mini program's.
        """
        self._connection, self._authorizer_id = connection, authorizer_id
        self._question, self._settings = question, settings
        # Looked up once for all: each costs an answer a round trip.
        self.vocabulary = Vocabulary(connection, authorizer_id, [*question.dimensions, *spoken_of(question.filters)])
        conditions = conditions_of(connection, authorizer_id, question.filters, self.vocabulary)
        self._plan = Plan(
            connection,
            authorizer_id,
            dimensions=question.dimensions,
            conditions=conditions,
            vocabulary=self.vocabulary,
        )
        self._parts = {part.name: part for metric in question.metrics for part in metric.counted}
        self._names: dict[str, dict[int, Any]] = {name: {} for name in question.dimensions}
        self._saved = saved_segments(connection, authorizer_id, question.segments, settings=settings, now=now)

    @property
    def segment_names(self) -> dict[str, str]:
        """The names of the question's saved segments: ``segment:<id>`` -> name."""
        return {name: saved.name for name, saved in self._saved.items()}

    def count(self, window: Window, groups: Sequence[Group] | None) -> tuple[Counted, Sequence[Group]]:
        """Count a window; ``groups`` are those to show, None for the highest ones. Returns them as well."""
        tallied = self._tallied(window, groups)
        names = self.names(tallied.groups)
        keys = {group: self.keys(group, names) for group in tallied.groups}
        rows = [self._shown(row, keys[row.group]) for row in tallied.rows]
        return Counted(window, rows, tallied.totals, tallied.others), tallied.groups

    def _tallied(self, window: Window, groups: Sequence[Group] | None) -> Tallied:
        """Count a window, or find it counted (``acquisition.kept``)."""
        question = self._question
        # Single hours are not of days only; saved segments look at other days as well.
        if question.granularity == "hour" or self._saved:
            return self._count(window, groups)
        days = range(window.days.stop) if question.attribution == "first" else window.days
        shown = (question.granularity, question.attribution, question.segments, question.limit, question.metrics)
        asked = (window, shown, self._plan.identity, None if groups is None else tuple(groups))
        return kept(
            self._connection,
            self._authorizer_id,
            days,
            asked,
            lambda: self._count(window, groups),
            rows=lambda tallied: len(tallied.rows) + len(tallied.near),
            # Equal numbers stand by name, and codes can be renamed.
            still=lambda tallied: groups is not None or tallied.groups == self._in_order(tallied.near),
        )

    def _count(self, window: Window, groups: Sequence[Group] | None) -> Tallied:
        reading = self.read(window)
        near: Mapping[Group, float] = {}
        if groups is None:
            near = self._near(reading)
            groups = self._in_order(near)
        places = [(bucket, group) for bucket in self._buckets(window) for group in groups]
        rows = [row for place in places for row in self._rows(reading, *place)]
        totals, others = (self.numbers(reading, reading.all_but(but)) for but in ((), set(groups)))
        return Tallied(near, groups, rows, totals, others)

    def read(self, window: Window) -> Reading:
        """Read what each metric counts, each once."""
        question = self._question
        times = any(part.measure == "times" for part in self._parts.values())
        bucket_of: Callable[[int], str] = BUCKETS.get(question.granularity, hour_text)
        until = Days(self._connection, self._authorizer_id, window, times, bucket_of)
        source: Source = until
        if question.granularity == "hour":
            source = Hours(self._connection, self._authorizer_id, window, self._settings.zone)
        cells: dict[str, dict[Group, dict[str, Crowd]]] = {}
        for counts in dict.fromkeys(part.counts for part in self._parts.values()):
            found = cells.setdefault(counts, {})
            pieces = self._plan.pieces(source, counts, question.attribution, until)
            names = {at: bucket_of(at) for at in {piece[0] for piece in pieces}}
            places: dict[tuple[Group, str], Crowd] = defaultdict(Crowd)
            for at, group, tally in pieces:
                places[group, names[at]].add(tally)
            for (group, bucket), crowd in places.items():
                found.setdefault(group, {})[bucket] = crowd
        return Reading(window, cells, self._segments(until))

    def _segments(self, days: Days) -> list[Segment]:
        asked = self._question.segments
        if asked == ("all",):
            return [EVERYBODY]
        known = {"all": EVERYBODY, **{name: saved.segment for name, saved in self._saved.items()}}
        if {"new", "returning"} & set(asked):
            new = days.new_visitors()
            known |= {"new": Segment("new", new), "returning": Segment("returning", new, inverse=True)}
        return [known[name] for name in asked]

    def highest(self, reading: Reading) -> list[Group]:
        """Return the groups to show: the highest first metric first, then by name, "not set" last."""
        return self._in_order(self._near(reading))

    def _near(self, reading: Reading) -> dict[Group, float]:
        """Return the groups that may be shown with their first metric: names are looked up where they may decide."""
        question = self._question
        if not question.dimensions:
            return {(): 0}
        segment, name = reading.segments[0], question.metrics[0].name
        ranked = {group: self._rank(reading.group(group), segment, name) for group in reading.groups()}
        least = sorted(ranked.values(), reverse=True)[: question.limit]
        return {group: number for group, number in ranked.items() if least and number >= least[-1]}

    def _in_order(self, near: Mapping[Group, float]) -> list[Group]:
        names = self.names(list(near)).values()

        def order(group: Group) -> Any:
            texts = [text_of(known.get(number)) for known, number in zip(names, group, strict=True)]
            return (-near[group], [(not number, text) for number, text in zip(group, texts, strict=True)], group)

        return sorted(near, key=order)[: self._question.limit]

    def _rank(self, crowds: Callable[[Metric], list[Crowd]], segment: Segment, name: str) -> float:
        """Return the first metric of a group; a ratio that cannot be formed ranks below all others."""
        metric = self._question.metrics[0]
        parts = {part.name: measured(part, crowds(part), segment) for part in metric.counted}
        number = _shown((metric,), parts)[name]
        return -1 if number is None else number

    def names(self, groups: Sequence[Group]) -> Names:
        """Return the texts of the values of at least some groups, dimension by dimension in the question's order."""
        for place, (name, known) in enumerate(self._names.items()):
            missing = {group[place] for group in groups} - known.keys()
            if missing:
                found = names_of(self._connection, name, sorted(missing))
                known |= {number: found.get(number) for number in missing}
        return self._names

    def keys(self, group: Group, names: Names) -> dict[str, Any]:
        """Return a row's keys for the question's dimensions."""
        found: dict[str, Any] = {}
        for name, number in zip(self._question.dimensions, group, strict=True):
            found |= _value(name, number, names[name])
        return found

    def _buckets(self, window: Window) -> Iterable[str]:
        granularity = self._question.granularity
        if granularity == "hour":
            return [hour_text(24 * day + hour) for day in window.days for hour in range(24)]
        return list(dict.fromkeys(BUCKETS[granularity](day) for day in window.days))

    def _rows(self, reading: Reading, bucket: str, group: Group) -> Iterator[Row]:
        """Return the rows of one bucket and group; without dimensions a row of zeros stands where nobody came."""
        here = reading.here(group, bucket)
        for segment in reading.segments:
            parts = self._measured(here, segment)
            if any(parts.values()) or not self._question.dimensions:
                yield Row(bucket, group, segment.name, _shown(self._question.metrics, parts))

    def _shown(self, row: Row, keys: Mapping[str, Any]) -> dict[str, Any]:
        question = self._question
        start = {} if question.granularity == "total" else {question.granularity: row.bucket}
        marked = {"segment": row.segment} if len(question.segments) > 1 else {}
        return {**start, **keys, **marked, **row.numbers}

    def numbers(self, reading: Reading, crowds: Callable[[Metric], list[Crowd]]) -> dict[str, Any]:
        """Return the numbers of some crowds; with several segments one set for each."""
        found = {
            segment.name: _shown(self._question.metrics, self._measured(crowds, segment))
            for segment in reading.segments
        }
        return found if len(found) > 1 else next(iter(found.values()))

    def _measured(self, crowds: Callable[[Metric], list[Crowd]], segment: Segment) -> dict[str, int]:
        return {name: measured(part, crowds(part), segment) for name, part in self._parts.items()}


def _shown(metrics: Sequence[Metric], parts: Mapping[str, int]) -> dict[str, Any]:
    """Return the metrics made of what was counted for them."""
    return {
        metric.name: divided(*(parts[part.name] for part in metric.parts)) if metric.parts else parts[metric.name]
        for metric in metrics
    }


def text_of(name: Any) -> str:
    """Return what ``names_of`` found as a text to sort by: "" for nothing, of a code its name."""
    return "" if name is None else str(name[0] if isinstance(name, tuple) else name)


def _value(dimension: str, number: int, names: Mapping[int, Any]) -> dict[str, Any]:
    """Return a row's keys for one dimension, null where it is not set; a code also has its id and if it is deleted."""
    if dimension != "code":
        return {dimension: names.get(number)}
    name, is_deleted = names.get(number) or (None, False)
    return {"code": name, "code_id": number or None, "code_deleted": is_deleted}
