"""
Answers: numbers of any window, exact, from tallies. The same answer is page, JSON and (later) export.

Reading only; the caller owns connection and transaction. What the words mean stands in docs/numbers.md.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.answer import Answer
from fab_minicode.acquisition.asked import Asked
from fab_minicode.acquisition.crowds import Crowd, union_of
from fab_minicode.acquisition.facts import TOUCH
from fab_minicode.acquisition.freshness import freshness
from fab_minicode.acquisition.kept import kept
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.acquisition.pages import grouped
from fab_minicode.acquisition.plan import READS
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.windows import MAX_HOUR_DAYS_AGO, Period, Window
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Authorizer
from fab_minicode.settings import Settings

MAX_ROWS = 100_000
"""Buckets x groups x segments of one answer."""

_WEEK = Period(last_days=7)
_LAST_ROUTES = READS["last"][0].routes


@dataclass(frozen=True)
class Headline:
    """过去7天广告获客量: users with a touch in the last 7 complete days, and in the 7 days before those."""

    value: int
    previous: int
    window: Window
    previous_window: Window


def answer(connection: Connection, question: Question, *, settings: Settings, now: dt.datetime) -> Answer:
    """
    Count what a question asks.

    Args:
        connection: To read from; nothing is written.
        question: From ``question.parse`` or ``question.from_args``.
        settings: For the time zone.
        now: Aware UTC; decides what "today" is.

    Raises:
        Missing: If there is no such mini program.
        InvalidInput: If hours are asked of days too far back, the answer would be too long, or a saved segment is not
            there.
    """
    window = question.period.resolve(now, settings.zone)
    _refuse_too_much(question, window, now.astimezone(settings.zone).date())
    number = authorizer_id(connection, question.appid)
    asked = Asked(connection, number, question, settings=settings, now=now)
    counted, groups = asked.count(window, None)
    previous = None
    if question.compare:
        previous = asked.count(question.period.compared(window, question.compare), groups)[0]
    return Answer(question, settings.timezone, counted, previous, freshness(connection, number), asked.segment_names)


def headline(connection: Connection, appid: str, *, settings: Settings, now: dt.datetime) -> Headline:
    """
    Return 过去7天广告获客量 of a mini program.

    Raises:
        Missing: If there is no such mini program.
    """
    number = authorizer_id(connection, appid)
    window = _WEEK.resolve(now, settings.zone)

    def users(days: Window) -> int:
        return kept(connection, number, days.days, "headline", lambda: _users_with_touch(connection, number, days))

    return Headline(users(window), users(window.previous()), window, window.previous())


def _users_with_touch(connection: Connection, authorizer_id: int, window: Window) -> int:
    rows = Days(connection, authorizer_id, window, times=False).rows(VISIT, ("own", "carried"), TOUCH)
    return len(union_of(tally for _, with_touch, tally in rows if with_touch))


def users_by_code(
    connection: Connection, authorizer_id: int, code_ids: Iterable[int], *, settings: Settings, now: dt.datetime
) -> dict[int, int]:
    """Return the users of each code in the last 7 complete days, attribution ``last``; every id is in the result."""
    window = _WEEK.resolve(now, settings.zone)
    crowds = {int(number): Crowd() for number in code_ids}
    rows = Days(connection, authorizer_id, window).rows_of(VISIT, _LAST_ROUTES, "code", sorted(crowds))
    for _, number, tally in rows if crowds else ():
        crowds[number].add(tally)
    return {number: len(crowd.visitors()) for number, crowd in crowds.items()}


def users_of_codes(
    connection: Connection, authorizer_id: int, *, settings: Settings, now: dt.datetime
) -> dict[int, int]:
    """Return the same for every code that has a user, deleted ones too: what a list is put in order by."""
    days = Days(connection, authorizer_id, _WEEK.resolve(now, settings.zone), times=False)
    found = days.read(VISIT, _LAST_ROUTES, "code")
    short = dict(grouped(np.unique(found.together.pairs())).by_value())
    crowds: dict[int, Crowd] = {}
    for _, number, tally in found.single:
        crowds.setdefault(number, Crowd()).add(tally)
    for number, crowd in crowds.items():
        if number in short:
            crowd.add(short.pop(number))
    users = {number: len(ids) for number, ids in short.items()}
    users |= {number: len(crowd.visitors()) for number, crowd in crowds.items()}
    return {number: count for number, count in users.items() if number}


def authorizer_id(connection: Connection, appid: str) -> int:
    """Return the number of a mini program. Raises Missing if there is none of this AppID."""
    statement = f"SELECT id FROM {Authorizer.__tablename__} WHERE appid = {bulk.mark(connection)}"  # noqa: S608
    found = bulk.rows(connection, statement, (appid,))
    if not found:
        raise Missing(f"mini program {appid}")
    return int(found[0][0])


def whole(question: Question, *, settings: Settings, now: dt.datetime) -> Question:
    """Return the question with as many groups as an answer of :data:`MAX_ROWS` rows can hold: for exports."""
    window = question.period.resolve(now, settings.zone)
    return replace(question, limit=max(1, MAX_ROWS // _lines(question, window)))


def _lines(question: Question, window: Window) -> int:
    """Return how many rows one group can have."""
    days = len(window.days)
    buckets = {"total": 1, "hour": 24 * days, "day": days, "week": days // 7 + 2, "month": days // 28 + 2}
    return buckets[question.granularity] * len(question.segments)


def _refuse_too_much(question: Question, window: Window, today: dt.date) -> None:
    if question.granularity == "hour":
        back = (today - window.since).days
        if back > MAX_HOUR_DAYS_AGO:
            raise InvalidInput("granularity", "hours_too_far_back", limit=MAX_HOUR_DAYS_AGO, actual=back, unit="days")
    groups = question.limit if question.dimensions else 1
    rows = _lines(question, window) * groups
    if rows > MAX_ROWS:
        raise InvalidInput("limit", "too_many_rows", limit=MAX_ROWS, actual=rows, unit="rows")
