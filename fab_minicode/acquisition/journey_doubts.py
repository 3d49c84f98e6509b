"""
For whoever doubts a funnel or a retention: the SQL that recounts its totals from single events.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from functools import partial

from sqlalchemy.engine import Connection

from fab_minicode.acquisition.doubts import Grounds, Recount, grounds
from fab_minicode.acquisition.funnel import refuse_purged
from fab_minicode.acquisition.funnel_question import FunnelQuestion
from fab_minicode.acquisition.journey_statements import groups_sql, returns_sql, starts_sql, steps_sql
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.retention_question import RetentionQuestion
from fab_minicode.errors import InvalidInput
from fab_minicode.settings import Settings

STEPS, GROUPS, STARTED, RETURNED = "steps", "groups", "starts", "returned"
"""What the statements find, by the names that it has in answers."""


def funnel_sql(connection: Connection, question: FunnelQuestion, *, settings: Settings, now: dt.datetime) -> Recount:
    """
    Write the SQL that recounts the users of each step (``steps``), with a dimension also by group (``groups``).

    Args:
        connection: To read from; the statements themselves are not run.
        question: The funnel; its limit makes no difference.
        settings: For the time zone and the retention of events.
        now: Aware UTC; decides what "today" is.

    Raises:
        Missing: If there is no such mini program.
        InvalidInput: Where the funnel itself would be refused.
    """
    dimension = question.scope.dimension
    starters = replace(question.starters, dimensions=(dimension,) if dimension else ())
    found = _grounds(connection, starters, settings, now)
    refuse_purged(found.window, now.astimezone(settings.zone).date(), settings)
    (people,) = found.people
    told = {STEPS: steps_sql, **({GROUPS: groups_sql} if dimension else {})}
    statements = tuple(
        found.statement(name, people, partial(write, question, story=found.story), is_complete=found.raw_since is None)
        for name, write in told.items()
    )
    raw = found.raw(question.within_days + 1, settings)
    return Recount(found.window, settings.timezone, statements, raw, found.raw_since)


def retention_sql(
    connection: Connection, question: RetentionQuestion, *, settings: Settings, now: dt.datetime
) -> Recount:
    """
    Write the SQL that recounts who started (``starts``) and who of them came back on which day after (``returned``).

    Args:
        connection: To read from; the statements themselves are not run.
        question: The retention; dimension and limit do not change its totals.
        settings: For the time zone.
        now: Aware UTC; a day that is not over at this instant has no returns yet.

    Raises:
        Missing: If there is no such mini program.
        InvalidInput: If a saved segment is not there.
    """
    found = _grounds(connection, question.starters, settings, now)
    (people,), story = found.people, found.story
    today = now.astimezone(settings.zone).date().toordinal()
    is_complete = found.raw_since is None
    starts = found.statement(STARTED, people, partial(starts_sql, question, story=story), is_complete=is_complete)
    returned = found.statement(
        RETURNED, people, partial(returns_sql, question, story=story, today=today), is_complete=is_complete
    )
    raw = found.raw(question.days, settings)
    return Recount(found.window, settings.timezone, (starts, returned), raw, found.raw_since)


def _grounds(connection: Connection, starters: Question, settings: Settings, now: dt.datetime) -> Grounds:
    try:
        return grounds(connection, starters, settings=settings, now=now)
    except InvalidInput as error:
        error.field = "segment"
        raise
