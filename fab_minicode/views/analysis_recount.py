"""
For whoever doubts a number: the SQL that counts the totals again from single events, on the pages of every kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy.engine import Connection

from fab_minicode.acquisition.bulk import is_postgresql
from fab_minicode.acquisition.doubts import Recount, Statement, recount_sql
from fab_minicode.acquisition.journey_doubts import GROUPS
from fab_minicode.acquisition.question import Question
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import dimension_name, metric_name
from fab_minicode.views.analysis_reasons import Counting
from fab_minicode.views.journey_words import FOUND
from fab_minicode.words import gettext as _


@dataclass(frozen=True)
class Script:
    """The SQL for one number, or for several of one kind; "" where it would be too long to be written out."""

    name: str
    text: str


@dataclass(frozen=True)
class Recounted:
    """The SQL for all totals of a question; ``is_complete`` is False where single events were already purged."""

    scripts: tuple[Script, ...]
    is_complete: bool


def recounted(count: Counting, question: Question) -> Recounted:
    """Return the SQL for the totals of an event analysis, in the words of the database that it is asked of."""

    def name(one: Statement) -> str:
        said = "" if question.segments == ("all",) else f" · {words.SEGMENTS.get(one.segment, one.segment)}"
        return metric_name(one.metric) + said

    return _told(count.connection, recount_sql(count.connection, question, settings=count.settings, now=count.at), name)


def journey_recounted(connection: Connection, recount: Recount, dimension: str) -> Recounted:
    """Return the SQL for a funnel or a retention, in the words of the database; ``dimension`` is what splits it."""
    by = _("By %(dimension)s", dimension=dimension_name(dimension))
    return _told(
        connection, recount, lambda one: f"{by if one.metric == GROUPS else _('Everybody')} · {FOUND[one.metric]}"
    )


def _told(connection: Connection, recount: Recount, name: Callable[[Statement], str]) -> Recounted:
    own = is_postgresql(connection)
    scripts = (Script(name(one), one.postgresql if own else one.sqlite) for one in recount.statements)
    return Recounted(tuple(scripts), all(one.is_complete for one in recount.statements))
