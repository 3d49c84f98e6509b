"""
For whoever doubts a number: the SQL that recounts a question's totals from single events, and how far back it can.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.conditions import spoken_of
from fab_minicode.acquisition.metrics import FIRST_VISIT
from fab_minicode.acquisition.query import authorizer_id
from fab_minicode.acquisition.question import Filter, Question
from fab_minicode.acquisition.saved_segments import saved_segments
from fab_minicode.acquisition.statements import DIALECTS, People, Story, raw, statements
from fab_minicode.acquisition.vocabulary import Vocabulary
from fab_minicode.acquisition.windows import Window
from fab_minicode.models.acquisition import Attribution, Fact, FactPage, Series
from fab_minicode.settings import Settings

MAX_VISITORS = 1_000
"""A saved segment of more visitors than this is too long to be written out."""


@dataclass(frozen=True)
class Statement:
    """
    SQL for one number of the totals, or for all of a funnel's or a retention's.

    Attributes:
        metric: Name of the metric, or of what it finds.
        segment: As the question names it.
        sqlite: Text for SQLite; "" where the segment has too many visitors to be written out.
        postgresql: Text for PostgreSQL, or "".
        is_complete: Whether every single event it needs is still there.
    """

    metric: str
    segment: str
    sqlite: str
    postgresql: str
    is_complete: bool


@dataclass(frozen=True)
class Recount:
    """
    SQL for all totals of a question.

    Attributes:
        window: The days that are asked about.
        timezone: Where they are calendar days.
        statements: By metric, then by segment.
        raw: SQL for both databases that compares the single events with the raw ones (``statements.raw``).
        raw_since: First day whose single events are still there, where the window has some without; else None.
    """

    window: Window
    timezone: str
    statements: tuple[Statement, ...]
    raw: str
    raw_since: dt.date | None

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        return {
            "window": {
                "since": self.window.since.isoformat(),
                "until": self.window.until.isoformat(),
                "timezone": self.timezone,
            },
            "raw": self.raw,
            "raw_since": self.raw_since and self.raw_since.isoformat(),
            "statements": [
                {
                    "metric": one.metric,
                    "segment": one.segment,
                    "sqlite": one.sqlite or None,
                    "postgresql": one.postgresql or None,
                    "complete": one.is_complete,
                }
                for one in self.statements
            ],
        }


def recount_sql(connection: Connection, question: Question, *, settings: Settings, now: dt.datetime) -> Recount:
    """
    Write the SQL that recounts the totals of a question from single events.

    Args:
        connection: To read from; the statements themselves are not run.
        question: The question; dimensions, granularity, comparison and limit do not change its totals.
        settings: For the time zone.
        now: Aware UTC; decides what "today" is.

    Raises:
        Missing: If there is no such mini program.
        InvalidInput: If a saved segment is not there.
    """
    found = grounds(connection, question, settings=settings, now=now)
    told = [
        found.statement(
            metric.name,
            people,
            partial(statements, metric, story=found.story),
            is_complete=found.raw_since is None or metric.counts == FIRST_VISIT,
        )
        for metric in question.metrics
        for people in found.people
    ]
    return Recount(found.window, settings.timezone, tuple(told), raw(found.story), found.raw_since)


@dataclass(frozen=True)
class Grounds:
    """
    What the statements about one question stand on.

    Attributes:
        window: Its days.
        story: What all statements share.
        people: Its segments.
        raw_since: As ``Recount`` has it.
    """

    window: Window
    story: Story
    people: tuple[People, ...]
    raw_since: dt.date | None

    def statement(
        self, metric: str, people: People, write: Callable[[People], Mapping[str, str]], *, is_complete: bool
    ) -> Statement:
        """Write one statement, unless its segment has too many visitors."""
        is_too_long = people.visitors is not None and len(people.visitors) > MAX_VISITORS
        texts = dict.fromkeys(DIALECTS, "") if is_too_long else write(people)
        return Statement(metric, people.name, **texts, is_complete=is_complete)

    def raw(self, days_after: int, settings: Settings) -> str:
        """Return :func:`statements.raw` of the window and some days after it."""
        window = Window(self.window.since, self.window.until + dt.timedelta(days=days_after))
        return raw(replace(self.story, **_span(window, settings), comment=_words(window, settings)))


def grounds(connection: Connection, question: Question, *, settings: Settings, now: dt.datetime) -> Grounds:
    """Read what the statements about a question need to know. Raises as :func:`recount_sql`."""
    number = authorizer_id(connection, question.appid)
    window = question.period.resolve(now, settings.zone)
    named = {*spoken_of(question.filters), *question.dimensions}
    vocabulary = Vocabulary(connection, number, named)
    story = Story(
        authorizer_id=number,
        **_span(window, settings),
        attribution=question.attribution,
        filters=[_meant(one, vocabulary) for one in question.filters],
        aliased=frozenset(name for name in named if vocabulary.targets(name)),
        comment=f"{_words(window, settings)}, attribution {question.attribution}",
    )
    people = _people(connection, number, question, settings=settings, now=now)
    return Grounds(window, story, tuple(people), _raw_since(connection, number, window))


def _span(window: Window, settings: Settings) -> dict[str, Any]:
    """Return the fields of a story that say when."""
    instants = _begin_ms(window.since, settings.zone), _begin_ms(_next(window.until), settings.zone)
    return {"days": (window.days.start, window.days.stop - 1), "instants": instants}


def _words(window: Window, settings: Settings) -> str:
    return f"{window.since} .. {window.until} ({settings.timezone})"


def _meant(asked: Filter, vocabulary: Vocabulary) -> Filter:
    if asked.op == "contains":
        return asked
    meant = (one if isinstance(one, int) else vocabulary.meant(asked.dimension, one) for one in asked.values)
    return replace(asked, values=tuple(meant))


def _people(
    connection: Connection, number: int, question: Question, *, settings: Settings, now: dt.datetime
) -> Sequence[People]:
    known = {"all": People("all"), "new": People("new", is_new=True), "returning": People("returning", is_new=False)}
    for name, saved in saved_segments(connection, number, question.segments, settings=settings, now=now).items():
        known[name] = People(name, visitors=saved.segment.crowd.to_array(), inverse=saved.segment.inverse)
    return [known[name] for name in question.segments]


def _begin_ms(day: dt.date, zone: ZoneInfo) -> int:
    return round(dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def _next(day: dt.date) -> dt.date:
    return day + dt.timedelta(days=1)


def _raw_since(connection: Connection, number: int, window: Window) -> dt.date | None:
    """Return the first day that still has single events, if the window has counted days before it; else None."""
    mark = bulk.mark(connection)
    first = f"SELECT MIN(day) FROM {Attribution.__tablename__} WHERE authorizer_id = {mark}"  # noqa: S608
    kept = bulk.rows(connection, first, (number,))[0][0] or window.days.stop
    until = min(kept, window.days.stop) - 1
    counted = any(_has(connection, number, table, (window.days.start, until)) for table in (Fact, FactPage))
    return dt.date.fromordinal(kept) if counted else None


def _has(connection: Connection, number: int, table: Any, days: tuple[int, int]) -> bool:
    mark = bulk.mark(connection)
    statement = (
        f"SELECT 1 FROM {Series.__tablename__} AS s"  # noqa: S608
        f" JOIN {table.__tablename__} AS f ON f.series_id = s.id AND f.day BETWEEN {mark} AND {mark}"
        f" WHERE s.authorizer_id = {mark} LIMIT 1"
    )
    return bool(bulk.rows(connection, statement, (*days, number)))
