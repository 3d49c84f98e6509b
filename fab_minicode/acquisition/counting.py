"""
A batch of one mini program's events, counted: visitors, contexts, attributions, tallies.

Runs inside the roll-up's transaction. Nothing here commits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.caps import Caps
from fab_minicode.acquisition.contexts import Contexts
from fab_minicode.acquisition.decisions import Decided, decide, first_visits
from fab_minicode.acquisition.dimensions import NAMES, TOUCH_NAMES
from fab_minicode.acquisition.entries import contexts_of
from fab_minicode.acquisition.facts import CONTEXT, TOUCH, SeriesKey
from fab_minicode.acquisition.firsts import note_first_visits
from fab_minicode.acquisition.ghosts import GhostVisit, count_ghosts
from fab_minicode.acquisition.history import History
from fab_minicode.acquisition.ledger import Ledger, Part
from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT
from fab_minicode.acquisition.moments import Flags, Moments, key_tails
from fab_minicode.acquisition.pages import distinct_of
from fab_minicode.acquisition.tally import bitmap
from fab_minicode.acquisition.visitors import NEVER, Visitors
from fab_minicode.acquisition.windows import days_of
from fab_minicode.models.acquisition import CARRIED, MOVED, OWN, STRAY, Attribution
from fab_minicode.settings import Settings

Numbers = npt.NDArray[np.int64]

ROUTES = {OWN: "own", CARRIED: "carried", STRAY: "stray"}
_SOURCE = NAMES.index("utm_source")
_CODE = NAMES.index("code")

LAST, ENTRY = "last", "entry"
"""The two sides of a moved event: each is counted for one attribution only."""


@dataclass(frozen=True)
class Claimed:
    """Columns of one mini program's pending events, in the order of their keys."""

    keys: Sequence[bytes]
    names: Sequence[str | None]
    times_ms: Sequence[int]
    visitors: Sequence[bytes]
    entries: Sequence[str | None]


@dataclass(frozen=True)
class Change:
    """Events of one (event, route), to be counted (``less`` False) or taken out again."""

    event: str
    route: str
    less: bool
    days: Numbers
    contexts: Numbers
    visitors: Numbers


def count(connection: Connection, authorizer_id: int, claimed: Claimed, *, settings: Settings, oldest: int) -> None:
    """
    Count pending events.

    Args:
        connection: In the roll-up's transaction, which is alone.
        authorizer_id: Whose events these are.
        claimed: The events.
        settings: For the zone in which a day is a calendar day, and the bound on distinct values.
        oldest: Ordinal of the first day that still has raw events.
    """
    zone = settings.zone
    contexts = Contexts(connection, authorizer_id)
    times = np.array(claimed.times_ms, np.int64)
    days = days_of(times, zone)
    caps = Caps(connection, authorizer_id, settings.utm_values_per_day)
    claimed = replace(claimed, names=caps.bounded_events(days.tolist(), claimed.names))
    own, unknown = _own_contexts(claimed, days, contexts, caps)
    _note_first_visits(contexts, times, own)
    visitors = Visitors(connection, authorizer_id, list(claimed.visitors), contexts=own)
    new = _moments(claimed, (times, days), visitors, own, contexts).ordered()
    history = History(connection, authorizer_id)
    seen = history.seen(int(new.day.min()))
    together = new.joined(history.around(new, seen))
    since = _known_since(together, visitors, zone)
    together = together.joined(history.before(new, together, since, oldest=oldest))
    decided = decide(together, contexts)
    ledger = Ledger(connection, authorizer_id)
    changes = [*_event_changes(decided, contexts), *_first_changes(decided.moments, visitors, zone)]
    apply(ledger, changes, contexts)
    if unknown:
        count_ghosts(connection, authorizer_id, ledger, _ghostly(claimed, days, visitors, unknown))
    for day in distinct_of(new.day).tolist():
        today = bitmap(distinct_of(new.visitor[new.day == day]).astype(np.uint32))
        ledger.add_seen(day, seen.get(day, bitmap(np.zeros(0, np.uint32))), today)
    ledger.write()
    visitors.write()
    _write_attributions(connection, authorizer_id, decided)


def _own_contexts(
    claimed: Claimed, days: Numbers, contexts: Contexts, caps: Caps
) -> tuple[Numbers, dict[str, tuple[str, str]]]:
    """Return what each visit carried, 0 for custom events; and the scenes that no code has, by entry."""
    visits = [place for place, entry in enumerate(claimed.entries) if entry is not None]
    entries = [claimed.entries[place] or "" for place in visits]
    found = contexts_of(contexts, entries, days[visits].tolist(), caps)
    own = np.zeros(len(days), np.int64)
    own[visits] = found.contexts
    return own, found.unknown


def _note_first_visits(contexts: Contexts, times: Numbers, own: Numbers) -> None:
    visits = own > 0
    codes = contexts.values(own[visits])[:, _CODE]
    with_code = codes > 0
    note_first_visits(contexts.connection, contexts.authorizer_id, codes[with_code], times[visits][with_code])


def _moments(
    claimed: Claimed, when: tuple[Numbers, Numbers], visitors: Visitors, own: Numbers, contexts: Contexts
) -> Moments:
    times, days = when
    names = [name for name in dict.fromkeys(claimed.names) if name is not None]
    events: dict[str | None, int] = {None: 0, **dict(zip(names, contexts.event_ids(names), strict=True))}
    visits = own > 0
    touched = visits.copy()
    touched[visits] = contexts.touched(own[visits])
    none = np.zeros(len(times), np.int64)
    return Moments(
        visitor=visitors.number[visitors.of_event],
        time=times,
        tail=key_tails(claimed.keys),
        day=days,
        event=np.fromiter(map(events.__getitem__, claimed.names), np.int64, len(times)),
        context=own,
        route=none,
        entry=none,
        touched=touched,
    )


def _ghostly(
    claimed: Claimed, days: Numbers, visitors: Visitors, unknown: dict[str, tuple[str, str]]
) -> list[GhostVisit]:
    numbers = visitors.number[visitors.of_event]
    return [
        GhostVisit(*unknown[entry], int(days[place]), claimed.times_ms[place], int(numbers[place]))
        for place, entry in enumerate(claimed.entries)
        if entry is not None and entry in unknown
    ]


def _known_since(moments: Moments, visitors: Visitors, zone: ZoneInfo) -> Numbers:
    """Return for each event the day of its visitor's first visit as stored, 0 if there is none."""
    known = visitors.first_ms != NEVER
    days = np.zeros(len(known), np.int64)
    days[known] = days_of(visitors.first_ms[known], zone)
    return days[visitors.places(moments.visitor)]


def _event_changes(decided: Decided, contexts: Contexts) -> Iterator[Change]:
    moments, moved = decided.moments, decided.moved
    concerned = moments.event[moments.new | moved]
    names = contexts.event_names([number for number in distinct_of(concerned).tolist() if number])
    for event, name in ((0, VISIT), *((number, f"event:{name}") for number, name in sorted(names.items()))):
        same = moments.event == event
        for route, route_name in ROUTES.items():
            new = same & moments.new & (decided.route == route)
            yield _change(moments, new, name, route_name, decided.context)
            if event:
                gone = same & moved & (moments.route == route)
                yield _change(moments, gone, name, route_name, decided.context, less=True)
        if event:
            again = same & moved & (moments.route == MOVED)
            yield _change(moments, again, name, ENTRY, decided.entry_before, less=True)
            yield _change(moments, same & moved & ~again, name, LAST, decided.context)
            yield _change(moments, same & moved, name, ENTRY, decided.entry)


def _change(moments: Moments, which: Flags, event: str, route: str, contexts: Numbers, *, less: bool = False) -> Change:
    return Change(event, route, less, moments.day[which], contexts[which], moments.visitor[which])


def _first_changes(moments: Moments, visitors: Visitors, zone: ZoneInfo) -> Iterator[Change]:
    """Move first visits; the route is ``own``: nothing lies before a first visit that it could carry."""
    first = first_visits(moments, visitors)
    had = first.had
    before_days = days_of(first.before_ms[had], zone)
    yield Change(FIRST_VISIT, "own", True, before_days, first.before_context[had], first.visitor[had])
    context = moments.context[first.place]
    yield Change(FIRST_VISIT, "own", False, moments.day[first.place], context, first.visitor)
    visitors.set_first(visitors.places(first.visitor), moments.time[first.place], context)


def apply(ledger: Ledger, changes: Sequence[Change], contexts: Contexts) -> None:
    """Bring changes into the tallies of every dimension, all changes of one series and day together."""
    known = distinct_of(np.concatenate([change.contexts for change in changes]))
    values = contexts.values(known)
    for event, route in dict.fromkeys((change.event, change.route) for change in changes):
        mine = [change for change in changes if (change.event, change.route) == (event, route)]
        more, less = (_rows([one for one in mine if one.less is sign], known, values) for sign in (False, True))
        for day in distinct_of(np.concatenate((more.days, less.days))).tolist():
            added, gone = more.of_day(day), less.of_day(day)
            for dimension in (TOUCH, CONTEXT, *NAMES):
                plus, minus = added.part(dimension), gone.part(dimension)
                if len(plus.values) or len(minus.values):
                    key = SeriesKey(event, route, dimension)
                    ledger.add(key, day, plus, minus if len(minus.values) else None)


@dataclass(frozen=True)
class _Rows:
    """Events of one (event, route): the values of each in the order of ``DIMENSIONS``."""

    days: Numbers
    contexts: Numbers
    visitors: Numbers
    values: Numbers

    def of_day(self, day: int) -> _Rows:
        which = self.days == day
        if which.all():
            return self
        return _Rows(self.days[which], self.contexts[which], self.visitors[which], self.values[which])

    def part(self, dimension: str) -> Part:
        if dimension == CONTEXT:
            return Part(self.contexts, self.visitors)
        touched = self.values[:, _SOURCE] > 0
        if dimension == TOUCH:
            return Part(touched.astype(np.int64), self.visitors)
        which = touched if dimension in TOUCH_NAMES else slice(None)
        return Part(self.values[which, NAMES.index(dimension)], self.visitors[which])


def _rows(changes: Sequence[Change], known: Numbers, values: Numbers) -> _Rows:
    none = [np.zeros(0, np.int64)]
    days, numbers, visitors = (
        np.concatenate(none + [getattr(change, name) for change in changes])
        for name in ("days", "contexts", "visitors")
    )
    return _Rows(days, numbers, visitors, values[np.searchsorted(known, numbers)])


def _write_attributions(connection: Connection, authorizer_id: int, decided: Decided) -> None:
    moments = decided.moments
    new = np.flatnonzero(moments.new)
    order = new[np.argsort(moments.day[new], kind="stable")]
    bulk.append(connection, Attribution, authorizer_id, _columns(decided, order))
    moved = np.flatnonzero(decided.moved)
    if len(moved):
        columns = {**_columns(decided, moved), "entry_context_id": decided.entry[moved]}
        values = {name: column.tolist() for name, column in columns.items()}
        values["authorizer_id"] = [authorizer_id] * len(moved)
        bulk.insert(connection, Attribution, values, update=("route", "entry_context_id"))


def _columns(decided: Decided, places: Numbers) -> dict[str, Numbers]:
    rows = decided.moments.take(places)
    return {
        "day": rows.day,
        "visitor_id": rows.visitor,
        "time_ms": rows.time,
        "key_tail": rows.tail,
        "event_id": rows.event,
        "context_id": decided.context[places],
        "route": decided.route[places],
    }
