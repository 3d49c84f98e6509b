"""
Which facts answer a question, and which group each of them belongs to.

A question about one dimension reads that dimension's tallies, any other those of whole contexts. What attribution
does to them is a table (``READS``): nothing is stored twice for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sqlalchemy.engine import Connection

from fab_minicode.acquisition.conditions import Condition
from fab_minicode.acquisition.context_table import context_table
from fab_minicode.acquisition.crowds import Group, Share, Uncounted, opened, union_of
from fab_minicode.acquisition.dimensions import NAMES, TOUCH_NAMES
from fab_minicode.acquisition.facts import CONTEXT, TOUCH, Found
from fab_minicode.acquisition.metrics import FIRST_VISIT
from fab_minicode.acquisition.pages import Numbers, distinct_of, grouped, pairs_of
from fab_minicode.acquisition.sources import Days, Source
from fab_minicode.acquisition.tally import Tally
from fab_minicode.acquisition.vocabulary import Vocabulary

Piece = tuple[int, Group, Uncounted]
"""A day (or an hour), a group, a tally that belongs to it."""

GroupsOf = Callable[[Numbers], tuple[list[Group], Numbers]]
"""Distinct numbers of values -> the groups, and which of them each number belongs to (``_NO_GROUP``: to none)."""


@dataclass(frozen=True)
class Read:
    """
    Facts of some routes, and where their touch comes from.

    Attributes:
        routes: Names of ``Series.route``.
        touch: ``own`` (as counted), ``none`` (the attribution leaves these events without a touch) or ``first`` (the
            touch of each visitor's first visit).
    """

    routes: tuple[str, ...]
    touch: str = "own"


READS: dict[str, tuple[Read, ...]] = {
    "last": (Read(("own", "carried", "last", "stray")),),
    "entry": (Read(("own", "entry", "stray")), Read(("carried",), "none")),
    "first": (Read(("own", "carried", "entry"), "first"), Read(("stray",), "none")),
}
"""Attribution -> what is read. Every event stands in exactly one of an attribution's reads."""

FIRST_VISIT_READS = (Read(("own",)),)
"""A first visit carries its own touch or none, whatever the attribution."""


class Plan:
    """How the facts of one mini program become the groups of one question."""

    def __init__(
        self,
        connection: Connection,
        authorizer_id: int,
        *,
        dimensions: Sequence[str],
        conditions: Sequence[Condition],
        vocabulary: Vocabulary | None = None,
    ) -> None:
        """
        Prepare to read.

        Args:
            connection: To read from.
            authorizer_id: Whose facts.
            dimensions: What groups are made of.
            conditions: What must pass.
            vocabulary: Of the dimensions; looked up here if it is not given.
        """
        if vocabulary is None:
            vocabulary = Vocabulary(connection, authorizer_id, dimensions)
        self._merged = [
            (place, merged) for place, name in enumerate(dimensions) if (merged := vocabulary.numbers(name))
        ]
        self._connection, self._authorizer_id = connection, authorizer_id
        self._dimensions, self._conditions = tuple(dimensions), tuple(conditions)
        self._contexts: dict[tuple[str, ...], Numbers] = {}
        self._needed = tuple(dict.fromkeys((*dimensions, *(one.dimension for one in conditions))))
        self._checks = [(self._needed.index(one.dimension), one.numbers, one.inverse) for one in conditions]

    @property
    def identity(self) -> object:
        """What reads the same (``repr``) for plans that make the same groups of the same facts."""
        merged = [(place, sorted(numbers.items())) for place, numbers in self._merged]
        passing = [(one.dimension, sorted(one.numbers), one.inverse) for one in self._conditions]
        return self._dimensions, passing, merged

    def pieces(self, source: Source, counts: str, attribution: str, until: Days) -> list[Piece]:
        """
        Return what passes the conditions, piece by piece.

        Args:
            source: The window's facts.
            counts: ``Metric.counts``.
            attribution: Name of ``READS``.
            until: The days up to the end of the window, for first visits.
        """
        found: list[Piece] = []
        for read in FIRST_VISIT_READS if counts == FIRST_VISIT else READS[attribution]:
            if read.touch == "own":
                found += self._own(source, counts, read)
            elif read.touch == "none":
                found += self._without_touch(source, counts, read)
            else:
                found += self._by_first_touch(source, counts, read, until)
        return found

    def _own(self, source: Source, counts: str, read: Read) -> list[Piece]:
        about_touch = [one for one in self._conditions if one.is_about_touch]
        others = [one for one in self._conditions if not one.is_about_touch]
        needed = {*self._dimensions, *(one.dimension for one in others)}
        with_touch, without = (all(one.passes(number) for one in about_touch) for number in (1, 0))
        is_whole = source.only_contexts or len(needed) > 1 or (about_touch and not needed <= set(TOUCH_NAMES))
        if is_whole:
            return _grouped(source.read(counts, read.routes, CONTEXT), self._groups_of_contexts)
        if not needed:
            found = source.read(counts, read.routes, TOUCH)
            return _grouped(found, _each(lambda number: () if (with_touch if number else without) else None))
        if needed <= set(TOUCH_NAMES):
            return self._by_touch(source, counts, read, (next(iter(needed)), with_touch, without))
        name = next(iter(needed))
        return _grouped(source.read(counts, read.routes, name), _each(lambda number: self._group({name: number})))

    def _by_touch(self, source: Source, counts: str, read: Read, asked: tuple[str, bool, bool]) -> list[Piece]:
        """Read one dimension of the touch; events without one stand under ``touch`` 0 only."""
        name, with_touch, without = asked
        found: list[Piece] = []
        if with_touch:
            groups = _each(lambda number: self._group({"utm_source": _SOME, name: number}))
            found += _grouped(source.read(counts, read.routes, name), groups)
        if without and self._group({}) is not None:
            groups = _each(lambda number: None if number else self._group({}))
            found += _grouped(source.read(counts, read.routes, TOUCH), groups)
        return found

    def _without_touch(self, source: Source, counts: str, read: Read) -> list[Piece]:
        name, groups = self._own_values(source, self._group)
        return _grouped(source.read(counts, read.routes, name), groups)

    def _by_first_touch(self, source: Source, counts: str, read: Read, until: Days) -> list[Piece]:
        asked = [name for name in self._dimensions if name in TOUCH_NAMES]
        touch_conditions = [one for one in self._conditions if one.dimension in TOUCH_NAMES]
        if not asked and not touch_conditions:
            return self._without_touch(source, counts, read)
        shares = self._shares(until, {*asked, *(one.dimension for one in touch_conditions)})
        together: dict[tuple[int, Group], Tally] = {}
        name, groups = self._own_values(source, lambda values: tuple(values.get(one, 0) for one in _OWN_NAMES))
        for at, own, stored in _grouped(source.read(counts, read.routes, name), groups):
            tally = opened(stored) if source.times else Tally(union_of([stored]))
            together.setdefault((at, own), Tally()).add(tally)
        found: list[Piece] = []
        for (at, own), tally in together.items():
            own_values = dict(zip(_OWN_NAMES, own, strict=True))
            for share in shares:
                group = self._group({**dict(zip(TOUCH_NAMES, share.values, strict=True)), **own_values})
                part = share.of(tally) if group is not None else None
                if group is not None and part:
                    found.append((at, group, part))
        return found

    def _shares(self, until: Days, needed: set[str]) -> list[Share]:
        """Divide all visitors by the touch of their first visit ever; who had none there is everybody else."""
        places = [place for place, name in enumerate(TOUCH_NAMES) if name in needed]

        def groups_of(numbers: Numbers) -> tuple[list[Group], Numbers]:
            values = np.zeros((len(numbers), len(TOUCH_NAMES)), np.int64)
            values[:, places] = self._values(TOUCH_NAMES, numbers)[:, places] if is_whole else numbers[:, None]
            return distinct(values)

        is_whole = len(needed) > 1
        crowds: dict[Group, list[Uncounted]] = {}
        dimension = CONTEXT if is_whole else TOUCH_NAMES[places[0]]
        for _, values, stored in _grouped(until.read_until(FIRST_VISIT, dimension), groups_of):
            crowds.setdefault(values, []).append(stored)
        nothing = (0,) * len(TOUCH_NAMES)
        shares = [Share(values, union_of(stored)) for values, stored in crowds.items() if values != nothing]
        known = Tally()
        for share in shares:
            known.visitors |= share.crowd
        return [*shares, Share(nothing, known.visitors, inverse=True)]

    def _own_values(self, source: Source, group: Callable[[dict[str, int]], Group | None]) -> tuple[str, GroupsOf]:
        """Return the series that holds landing page and entry scene as far as they are needed, and how to read it."""
        needed = [name for name in _OWN_NAMES if name in {*self._dimensions, *(c.dimension for c in self._conditions)}]
        if source.only_contexts or len(needed) > 1:

            def groups_of(numbers: Numbers) -> tuple[list[Group], Numbers]:
                rows, places = distinct(self._values(_OWN_NAMES, numbers))
                groups = [group(dict(zip(_OWN_NAMES, row, strict=True))) for row in rows]
                passing = [one for one in groups if one is not None]
                kept = np.cumsum([one is not None for one in groups]) - 1
                return passing, np.where([one is not None for one in groups], kept, _NO_GROUP)[places]

            return CONTEXT, groups_of
        if needed:
            return needed[0], _each(lambda number: group({needed[0]: number}))
        return TOUCH, _each(lambda _number: group({}))

    def _groups_of_contexts(self, numbers: Numbers) -> tuple[list[Group], Numbers]:
        values = self._values(self._needed, numbers)
        passing = np.ones(len(numbers), np.bool_)
        for place, wanted, inverse in self._checks:
            passing &= np.isin(values[:, place], list(wanted)) != inverse
        values = values[passing, : len(self._dimensions)]
        for place, merged in self._merged:
            for number, target in merged.items():
                values[values[:, place] == number, place] = target
        groups, places = distinct(values)
        found = np.full(len(numbers), _NO_GROUP)
        found[passing] = places
        return groups, found

    def _group(self, values: dict[str, int]) -> Group | None:
        """Return the group of some values (a dimension that is missing is not set), None if they do not pass."""
        if all(one.passes(values.get(one.dimension, 0)) for one in self._conditions):
            return self._meant(tuple(values.get(name, 0) for name in self._dimensions))
        return None

    def _meant(self, group: Group) -> Group:
        """Return the group as which one counts, by the aliases of its values."""
        if not self._merged:
            return group
        numbers = list(group)
        for place, merged in self._merged:
            numbers[place] = merged.get(numbers[place], numbers[place])
        return tuple(numbers)

    def _values(self, names: tuple[str, ...], numbers: Numbers) -> Numbers:
        """Return these values of some contexts: one row each, one column per dimension."""
        if names not in self._contexts:
            self._contexts[names] = context_table(self._connection, self._authorizer_id, names)
        return self._contexts[names][numbers]


def _each(group_of: Callable[[int], Group | None]) -> GroupsOf:
    """Group values one by one."""

    def groups_of(numbers: Numbers) -> tuple[list[Group], Numbers]:
        groups: dict[Group, int] = {}
        found = [group_of(number) for number in numbers.tolist()]
        places = [_NO_GROUP if group is None else groups.setdefault(group, len(groups)) for group in found]
        return list(groups), np.array(places, np.int64)

    return groups_of


def distinct(rows: Numbers) -> tuple[list[Group], Numbers]:
    """Return the distinct rows of a table, and of each row which of them it is."""
    if not rows.shape[1]:
        return [()], np.zeros(len(rows), np.int64)
    codes = np.zeros(len(rows), np.int64)
    firsts = np.zeros(0, np.int64)
    for column in rows.T:
        known, numbers = np.unique(column, return_inverse=True)
        _, firsts, codes = np.unique(codes * len(known) + numbers.ravel(), return_index=True, return_inverse=True)
        codes = codes.ravel()
    return [tuple(row) for row in rows[firsts].tolist()], codes


def _grouped(found: Found, groups_of: GroupsOf) -> list[Piece]:
    """Return the tallies by group; where there are many short ones, those of one group and day become one."""
    single = np.array([number for _, number, _ in found.single], np.int64)
    numbers = distinct_of(np.concatenate((single, found.together.values)))
    groups, places = groups_of(numbers)
    of_single = places[np.searchsorted(numbers, single)].tolist()
    pieces: list[Piece] = [
        (at, groups[place], tally)
        for (at, _, tally), place in zip(found.single, of_single, strict=True)
        if place != _NO_GROUP
    ]
    short = found.together
    if not len(short.values):
        return pieces
    of_short = places[np.searchsorted(numbers, short.values)]
    if len(short.values) <= _MOST_SINGLE:
        told = zip(found.days.tolist(), of_short.tolist(), short.by_value(), strict=True)
        return pieces + [(at, groups[place], ids) for at, place, (_, ids) in told if place != _NO_GROUP]
    days, at_places = np.unique(found.days, return_inverse=True)
    keys = np.where(of_short == _NO_GROUP, _NO_GROUP, of_short * len(days) + at_places.ravel())
    keys = np.repeat(keys, short.counts)
    kept = keys != _NO_GROUP
    pairs = pairs_of(keys[kept], short.ids[kept])
    for key, ids in grouped(pairs).by_value() if len(pairs) else ():
        pieces.append((int(days[key % len(days)]), groups[key // len(days)], ids))
    return pieces


_MOST_SINGLE = 5_000
"""So many short tallies are handed on one by one; of more, one sort of all events is quicker."""

_NO_GROUP = -1
"""The place of the group of a value that does not pass."""

_SOME = -1
"""A source that is set, whichever it is: these events have a touch."""

_OWN_NAMES = tuple(name for name in NAMES if name not in TOUCH_NAMES)
