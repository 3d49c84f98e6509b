"""
Which touch an event belongs to, decided for a batch at once: see docs/numbers.md.

Attribution ``last`` is decided once. What late events change is said as corrections of ``entry``, which is as if all
events had come in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fab_minicode.acquisition.contexts import NOTHING, Contexts
from fab_minicode.acquisition.moments import Flags, Moments
from fab_minicode.acquisition.visitors import NEVER, Visitors
from fab_minicode.models.acquisition import CARRIED, MOVED, OWN, STRAY

Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Decided:
    """
    Attributions of all events of a batch and around it, and what has changed.

    Attributes:
        moments: The events, ordered, with ``context``, ``route`` and ``entry`` as they were before.
        context: Attribution ``last`` of each, decided.
        route: How it was found, decided.
        entry: Of a moved event the context of its visit; 0 else.
        moved: Stored custom events whose visit came late.
        entry_before: Of the moved ones, what attribution ``entry`` said before.
    """

    moments: Moments
    context: Numbers
    route: Numbers
    entry: Numbers
    moved: Flags
    entry_before: Numbers


@dataclass(frozen=True)
class FirstVisits:
    """
    First visits that a batch sets.

    Attributes:
        visitor: Numbers of the visitors.
        place: Where the visit stands in the moments.
        had: Whether the visitor had another first visit before.
        before_ms: Instant of that one.
        before_context: What it carried.
    """

    visitor: Numbers
    place: Numbers
    had: Flags
    before_ms: Numbers
    before_context: Numbers


def decide(moments: Moments, contexts: Contexts) -> Decided:
    """Attribute every new event; find the stored ones whose visit came late."""
    context, route = moments.context.copy(), moments.route.copy()
    _decide_visits(moments, contexts, context, route)
    visits = moments.latest(moments.visit)
    custom = moments.new & ~moments.visit
    with_visit = custom & (visits >= 0)
    context[with_visit], route[with_visit] = context[visits[with_visit]], route[visits[with_visit]]
    stray = custom & (visits < 0)
    if stray.any():
        context[stray], route[stray] = contexts.numbered(NOTHING)[0], STRAY
    late = ~moments.new & ~moments.visit & (visits >= 0) & moments.new[visits]
    before = _entries(moments, contexts, late)
    # A new visit's own context is what attribution ``entry`` says of it and of its custom events.
    entry = np.where(late, moments.context[visits], 0)
    moved = late & ((entry != before) | (moments.route == STRAY))
    route[moved] = MOVED
    return Decided(moments, context, route, np.where(moved, entry, moments.entry), moved, before)


def _decide_visits(moments: Moments, contexts: Contexts, context: Numbers, route: Numbers) -> None:
    visits = moments.new & moments.visit
    route[visits & moments.touched] = OWN
    bare = visits & ~moments.touched
    route[bare] = CARRIED
    touches = moments.touch_places()
    carried = np.flatnonzero(bare & (touches >= 0))
    if len(carried):
        pairs = np.column_stack((moments.context[touches[carried]], moments.context[carried]))
        context[carried] = _mapped(pairs[:, 0] << 32 | pairs[:, 1], contexts)


def _mapped(packed: Numbers, contexts: Contexts) -> Numbers:
    unique, places = np.unique(packed, return_inverse=True)
    return contexts.carried(unique >> 32, unique & 0xFFFFFFFF)[places.ravel()]


def _entries(moments: Moments, contexts: Contexts, which: Flags) -> Numbers:
    """Return what attribution ``entry`` says of some stored events, 0 for the others."""
    entries = np.where(which, np.where(moments.route == MOVED, moments.entry, moments.context), 0)
    carried = np.flatnonzero(which & (moments.route == CARRIED))
    entries[carried] = contexts.blank(moments.context[carried])
    return entries


def first_visits(moments: Moments, visitors: Visitors) -> FirstVisits:
    """Find the visitors whose first visit ever is among the new ones."""
    new_visits = np.flatnonzero(moments.new & moments.visit)
    numbers, firsts = np.unique(moments.visitor[new_visits], return_index=True)
    places = visitors.places(numbers)
    before = visitors.first_ms[places]
    earlier = (before == NEVER) | (moments.time[new_visits[firsts]] <= before)
    numbers, places = numbers[earlier], places[earlier]
    # At the same millisecond the stored visit may still be the first: all of that day's visits are here.
    visits = np.flatnonzero(moments.visit)
    with_visits, firsts = np.unique(moments.visitor[visits], return_index=True)
    found = visits[firsts[np.searchsorted(with_visits, numbers)]]
    new = moments.new[found]
    places, before = places[new], visitors.first_ms[places[new]]
    return FirstVisits(numbers[new], found[new], before != NEVER, before, visitors.first_context[places])
