"""
The numbers counted again: every stored fact of a day against the decisions, every decision against its raw event.

Shares nothing with the roll-up's way of counting: SQL groups the decisions, plain loops compare. One day of one mini
program at a time, in one snapshot of the database, so that a roll-up beside it does not matter; no more than a batch
of raw events, one day's first visits or the tallies of one series are in memory at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.engine import Connection, Engine

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.dimensions import NAMES, TOUCH_NAMES
from fab_minicode.acquisition.facts import CONTEXT, SEEN, TOUCH, SeriesKey, keys_of, read, series_of
from fab_minicode.acquisition.metrics import FIRST_VISIT
from fab_minicode.acquisition.tally import Tally
from fab_minicode.acquisition.verify_events import First, event_differences, first_visits
from fab_minicode.acquisition.verify_words import Difference, Place, Texts, told
from fab_minicode.models import Authorizer, Context
from fab_minicode.models.acquisition import CARRIED, MOVED, OWN, STRAY
from fab_minicode.models.vocabulary import GHOST
from fab_minicode.settings import Settings

# A moved event stands on two sides: `last` as it was decided, `entry` as if everything had come in order.
_DECISIONS = f"""
    SELECT event_id, visitor_id, context_id,
           CASE route WHEN {OWN} THEN 'own' WHEN {CARRIED} THEN 'carried' WHEN {STRAY} THEN 'stray' ELSE 'last' END
           AS route
      FROM minicode_attributions WHERE authorizer_id = :authorizer_id AND day = :day
    UNION ALL
    SELECT event_id, visitor_id, entry_context_id, 'entry'
      FROM minicode_attributions WHERE authorizer_id = :authorizer_id AND day = :day AND route = {MOVED}
"""  # noqa: S608 - numbers of ours

Row = tuple[str, str, int, int, int]
"""Event, route, value, visitor, times; ordered by the first three."""


@dataclass(frozen=True)
class Verified:
    """
    What became of one day of one mini program.

    Attributes:
        appid: Of the mini program.
        day: The calendar day.
        is_verifiable: False where raw events were purged, or may have been.
        facts: How many stored facts were compared.
        differences: What does not agree; empty where everything does.
    """

    appid: str
    day: dt.date
    is_verifiable: bool
    facts: int = 0
    differences: tuple[Difference, ...] = ()


def verify(
    engine: Engine,
    *,
    settings: Settings,
    now: dt.datetime,
    appid: str | None = None,
    since: dt.date | None = None,
    until: dt.date | None = None,
) -> Iterator[Verified]:
    """
    Recount days; those without any numbers and events are passed over.

    Args:
        engine: Where the tables are; one short snapshot per day and mini program is taken.
        settings: For the time zone and the retention.
        now: Aware UTC.
        appid: Of one mini program; None for all.
        since: First day; None for the first that still has all its raw events.
        until: Last day; None for today.
    """
    complete_from = first_complete_day(settings, now)
    # Tomorrow: a clock may be some minutes ahead.
    last = until or now.astimezone(settings.zone).date() + dt.timedelta(days=1)
    with engine.connect() as connection:
        programs = connection.execute(select(Authorizer.id, Authorizer.appid).order_by(Authorizer.id)).all()
    for authorizer_id, known in programs:
        if appid in (None, known):
            for number in range((since or complete_from).toordinal(), last.toordinal() + 1):
                day = dt.date.fromordinal(number)
                with snapshot(engine) as connection:
                    found = _verified(connection, Place(authorizer_id, known, day), settings, day >= complete_from)
                if found is not None:
                    yield found


def first_complete_day(settings: Settings, now: dt.datetime) -> dt.date:
    """Return the first day whose raw events all are younger than the retention."""
    cut = now - dt.timedelta(days=settings.event_retention_days)
    return cut.astimezone(settings.zone).date() + dt.timedelta(days=1)


@contextmanager
def snapshot(engine: Engine) -> Iterator[Connection]:
    """A connection that sees the database as it is at its first look, until the end."""
    with engine.connect() as connection:
        if bulk.is_postgresql(connection):
            yield connection.execution_options(isolation_level="REPEATABLE READ")
        else:
            # Python's driver opens a transaction for writes only; without one each look would see something newer.
            connection.exec_driver_sql("BEGIN")
            yield connection


def _verified(connection: Connection, place: Place, settings: Settings, is_complete: bool) -> Verified | None:
    facts = _Facts(connection, place)
    has_events = _has_events(connection, place)
    if not facts.are_there and not has_events:
        return None
    if not is_complete or not has_events:
        return Verified(place.appid, place.day, False)
    texts = Texts(connection, place.authorizer_id)
    first = first_visits(connection, place, settings.zone)
    differences = list(event_differences(connection, place, texts, first, settings.zone))
    for dimension in (TOUCH, CONTEXT, *NAMES):
        decided = _decided(connection, place, texts, dimension)
        differences += facts.compare(dimension, decided, texts)
        differences += facts.compare(dimension, _first_rows(connection, first, dimension), texts)
    differences += facts.compare(TOUCH, _seen(connection, place), texts)
    differences += facts.left(texts)
    return Verified(place.appid, place.day, True, facts.compared, tuple(differences))


def _has_events(connection: Connection, place: Place) -> bool:
    one = "SELECT 1 FROM minicode_attributions WHERE authorizer_id = :authorizer_id AND day = :day LIMIT 1"
    return connection.execute(text(one), place.bind()).first() is not None


def _decided(connection: Connection, place: Place, texts: Texts, dimension: str) -> Iterator[Row]:
    """Group the day's decisions by event, route, value and visitor."""
    value = {TOUCH: "CASE WHEN c.utm_source > 0 THEN 1 ELSE 0 END", CONTEXT: "c.id"}.get(dimension, f"c.{dimension}")
    touched = "WHERE c.utm_source > 0" if dimension in TOUCH_NAMES else ""
    statement = f"""
        SELECT d.event_id, d.route, {value} AS value, d.visitor_id, COUNT(*)
          FROM ({_DECISIONS}) AS d JOIN minicode_contexts AS c ON c.id = d.context_id {touched}
         GROUP BY d.event_id, d.route, {value}, d.visitor_id ORDER BY 1, 2, 3, 4
    """  # noqa: S608 - names of our own columns
    found = connection.execute(text(statement).execution_options(stream_results=True), place.bind())
    for event_id, route, number, visitor, times in found:
        yield texts.event(event_id), route, number, visitor, times


def _first_rows(connection: Connection, first: Mapping[int, First], dimension: str) -> list[Row]:
    """Give the day's first visits the shape of decisions; nothing lies before them, so the route is ``own``."""
    numbers = sorted({one.context for one in first.values()})
    columns = (Context.id, Context.utm_source, Context.id if dimension in (TOUCH, CONTEXT) else _column(dimension))
    values = {}
    for context, source, value in bulk.find(connection, Context.id, numbers, columns):
        if dimension == TOUCH:
            values[context] = 1 if source else 0
        elif source or dimension not in TOUCH_NAMES:
            values[context] = value
    rows = [
        (FIRST_VISIT, "own", values[one.context], visitor, 1) for visitor, one in first.items() if one.context in values
    ]
    return sorted(rows)


def _seen(connection: Connection, place: Place) -> Iterator[Row]:
    statement = (
        "SELECT DISTINCT visitor_id FROM minicode_attributions WHERE authorizer_id = :authorizer_id AND day = :day"
    )
    for (visitor,) in connection.execute(text(f"{statement} ORDER BY 1"), place.bind()):
        yield SEEN, "own", 0, visitor, 1


def _column(name: str) -> Any:
    return getattr(Context, name)


class _Facts:
    """The stored facts of a day: each is compared once; what nobody asked for is left over."""

    def __init__(self, connection: Connection, place: Place) -> None:
        self._connection, self._place = connection, place
        series = series_of(connection, place.authorizer_id)
        # Ghosts are not decided: which scenes were known when an event came is not kept.
        self._series = {key: number for key, number in series.items() if key.event != GHOST}
        self._left = dict.fromkeys(keys_of(self._series))
        self.compared = 0

    @property
    def are_there(self) -> bool:
        """Whether there is any."""
        return any(self._tallies(key) for key in self._series)

    def compare(self, dimension: str, rows: Iterable[Row], texts: Texts) -> Iterator[Difference]:
        """Compare rows of one dimension, ordered by event, route and value, with what is stored."""
        for (event, route), mine in groupby(rows, key=lambda row: row[:2]):
            key = SeriesKey(event, route, dimension)
            self._left.pop(key, None)
            stored = self._tallies(key)
            self.compared += len(stored)
            for value, events in groupby(mine, key=lambda row: row[2]):
                recounted = [visitor for row in events for visitor in [row[3]] * row[4]]
                before = _ids(stored.pop(value, None))
                if before != recounted:
                    yield told(self._place, (event, route, dimension), texts.of(dimension, value), before, recounted)
            for value, tally in stored.items():
                yield told(self._place, (event, route, dimension), texts.of(dimension, value), _ids(tally), [])

    def left(self, texts: Texts) -> Iterator[Difference]:
        """Facts of series that nothing was recounted for."""
        for key in self._left:
            for value, tally in self._tallies(key).items():
                self.compared += 1
                place = (key.event, key.route, key.dimension)
                yield told(self._place, place, texts.of(key.dimension, value), _ids(tally), [])

    def _tallies(self, key: SeriesKey) -> dict[int, bytes]:
        day = self._place.day.toordinal()
        found = read(self._connection, self._series, key, range(day, day + 1))
        return {value: tally for _, value, tally in found.rows()}


def _ids(stored: bytes | None) -> list[int]:
    return [] if stored is None else Tally.unpack(stored).ids().tolist()
