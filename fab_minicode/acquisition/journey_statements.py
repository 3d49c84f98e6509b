"""
SQL that recounts a funnel or a retention from single events: text for SQLite and for PostgreSQL. Pure.

As ``statements`` writes it for one number, whose joins and conditions it shares: no tally is read, every value is a
literal. It needs window functions and row values: SQLite 3.25, any PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Mapping

from fab_minicode.acquisition.funnel_question import FunnelQuestion
from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT
from fab_minicode.acquisition.retention_question import RetentionQuestion
from fab_minicode.acquisition.statements import Passing, People, Story, event_number, indented, passing, scripts
from fab_minicode.acquisition.windows import DAY_MS

_EARLIEST = "ROW_NUMBER() OVER (PARTITION BY a.visitor_id ORDER BY a.time_ms, a.key_tail) AS place"


def steps_sql(question: FunnelQuestion, people: People, story: Story) -> Mapping[str, str]:
    """Return the SQL of a funnel: dialect -> text; it finds a row ``(step, users)`` for each step."""
    return scripts(story, lambda dialect: _steps(question, people, story, dialect))


def groups_sql(question: FunnelQuestion, people: People, story: Story) -> Mapping[str, str]:
    """
    Return the SQL of a funnel's groups: dialect -> text.

    It finds a row ``(step, <dimension>, users)`` for each step that anybody of a group took; NULL stands for "not set",
    the id for a code.
    """
    return scripts(story, lambda dialect: _steps(question, people, story, dialect, by=question.scope.dimension))


def starts_sql(question: RetentionQuestion, people: People, story: Story) -> Mapping[str, str]:
    """Return the SQL that counts a retention's starts: dialect -> text; it finds one row with one column."""

    def write(dialect: str) -> str:
        starts = _starts(question, people, story, dialect)
        return f"SELECT COUNT(*) AS starts\nFROM (\n{indented(starts)}\n) AS started"

    return scripts(story, write)


def returns_sql(question: RetentionQuestion, people: People, story: Story, *, today: int) -> Mapping[str, str]:
    """
    Return the SQL that counts who came back: dialect -> text.

    It finds a row ``(day, users, of)`` for day 1, 2, … after the start, as long as there is such a day that is over.

    Args:
        question: The retention.
        people: Its segment.
        story: Its window and what a start must pass.
        today: Ordinal of the first day that is not over.
    """
    return scripts(story, lambda dialect: _returns(_starts(question, people, story, dialect), question, story, today))


def _steps(question: FunnelQuestion, people: People, story: Story, dialect: str, *, by: str = "") -> str:
    counts = [VISIT if step is None else f"event:{step}" for step in question.steps]
    taken = [_first_step(passing(counts[0], people, story, dialect, dimension=by), by)]
    taken += [_next_step(place, counts, question.within_days, story, by) for place in range(1, len(counts))]
    tables = ",\n".join(f"step_{place} AS (\n{indented(text)}\n)" for place, text in enumerate(taken, 1))
    group, grouped = (f" grouped AS {by},", " GROUP BY grouped") if by else ("", "")
    rows = "\nUNION ALL\n".join(
        f"SELECT {place} AS step,{group} COUNT(*) AS users FROM step_{place}{grouped}"  # noqa: S608
        for place in range(1, len(counts) + 1)
    )
    return f"WITH {tables}\n{rows}\nORDER BY step{', users DESC' if by else ''}"


def _first_step(first: Passing, by: str) -> str:
    """Return the SQL of each visitor's first step, which decides the group."""
    group = f" {first.value} AS grouped," if by else ""
    return _earliest(f"SELECT a.visitor_id, a.time_ms, a.key_tail, a.time_ms AS start_ms,{group}", first.text, by)


def _next_step(place: int, counts: list[str], within_days: int, story: Story, by: str) -> str:
    """Return the SQL of each visitor's next step: the earliest event of its kind after the step before, in time."""
    # A day more: a calendar day is not 24 hours when clocks change.
    first, last = story.days[0], story.days[1] + within_days + 1
    group = " p.grouped," if by else ""
    events = (
        f"FROM step_{place} AS p\n"
        "JOIN minicode_attributions AS a ON a.visitor_id = p.visitor_id\n"
        f"WHERE a.authorizer_id = {story.authorizer_id}\n"
        f"  AND a.day BETWEEN {first} AND {last}\n"
        f"  AND a.event_id = {event_number(counts[place], story)}\n"
        f"  AND {_after(counts[place - 1], counts[place])}\n"
        f"  AND a.time_ms - p.start_ms <= {within_days * DAY_MS}"
    )
    return _earliest(f"SELECT a.visitor_id, a.time_ms, a.key_tail, p.start_ms,{group}", events, by)


def _earliest(columns: str, events: str, by: str) -> str:
    """Return the SQL that keeps of some events each visitor's earliest one."""
    taken = indented(f"{columns}\n  {_EARLIEST}\n{events}")
    group = ", grouped" if by else ""
    return f"SELECT visitor_id, time_ms, key_tail, start_ms{group}\nFROM (\n{taken}\n) AS taken\nWHERE place = 1"


def _after(before: str, step: str) -> str:
    """Return the condition that event ``a`` comes after ``p``: at the same millisecond visits first, then by key."""
    if (before == VISIT) == (step == VISIT):
        return "(a.time_ms, a.key_tail) > (p.time_ms, p.key_tail)"
    return "a.time_ms >= p.time_ms" if before == VISIT else "a.time_ms > p.time_ms"


def _starts(question: RetentionQuestion, people: People, story: Story, dialect: str) -> str:
    """Return the SQL of all starts: each visitor once for every day."""
    if question.start != FIRST_VISIT:
        return f"SELECT DISTINCT a.visitor_id, a.day\n{passing(VISIT, people, story, dialect).text}"
    # The day of a first visit stands beside the decision about it.
    first_visit = (
        "JOIN minicode_attributions AS a ON a.authorizer_id = v.authorizer_id AND a.visitor_id = v.id\n"
        f"  AND a.day BETWEEN {story.days[0]} AND {story.days[1]} AND a.time_ms = v.first_ms AND a.event_id = 0"
    )
    first = passing(FIRST_VISIT, people, story, dialect, beside=first_visit)
    return f"SELECT DISTINCT a.visitor_id, a.day\n{first.text}"


def _returns(starts: str, question: RetentionQuestion, story: Story, today: int) -> str:
    counts = VISIT if question.returns is None else f"event:{question.returns}"
    return (
        f"WITH RECURSIVE starts AS (\n{indented(starts)}\n),\n"  # noqa: S608
        "days (n) AS (\n"
        "  SELECT 1\n"
        "  UNION ALL\n"
        f"  SELECT n + 1 FROM days WHERE n < {question.days}\n"
        ")\n"
        "SELECT days.n AS day,\n"
        "  COUNT(CASE WHEN EXISTS (\n"
        "    SELECT 1 FROM minicode_attributions AS b\n"
        f"    WHERE b.authorizer_id = {story.authorizer_id} AND b.visitor_id = starts.visitor_id\n"
        f"      AND b.day = starts.day + days.n AND b.event_id = {event_number(counts, story)}\n"
        "  ) THEN 1 END) AS users,\n"
        '  COUNT(starts.day) AS "of"\n'
        "FROM days\n"
        f"LEFT JOIN starts ON starts.day + days.n < {today}\n"
        f"WHERE {story.days[0]} + days.n < {today}\n"
        "GROUP BY days.n\n"
        "ORDER BY days.n"
    )
