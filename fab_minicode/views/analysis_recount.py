"""
For whoever doubts a number: the SQL that counts the totals again from single events, one statement per number.
"""

from __future__ import annotations

from dataclasses import dataclass

from fab_minicode.acquisition.bulk import is_postgresql
from fab_minicode.acquisition.doubts import recount_sql
from fab_minicode.acquisition.question import Question
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import metric_name
from fab_minicode.views.analysis_reasons import Counting


@dataclass(frozen=True)
class Script:
    """The SQL for one number; "" where it would be too long to be written out."""

    name: str
    text: str


@dataclass(frozen=True)
class Recounted:
    """The SQL for all totals of a question; ``is_complete`` is False where single events were already purged."""

    scripts: tuple[Script, ...]
    is_complete: bool


def recounted(count: Counting, question: Question) -> Recounted:
    """Return the SQL for the totals of a question, in the words of the database that it is asked of."""
    found = recount_sql(count.connection, question, settings=count.settings, now=count.at)
    own = is_postgresql(count.connection)
    scripts = []
    for one in found.statements:
        said = "" if question.segments == ("all",) else f" · {words.SEGMENTS.get(one.segment, one.segment)}"
        scripts.append(Script(metric_name(one.metric) + said, one.postgresql if own else one.sqlite))
    return Recounted(tuple(scripts), all(one.is_complete for one in found.statements))
