"""
SQL that recounts one number from single events: text for SQLite and for PostgreSQL. Pure.

Written for a person who doubts a number: it reads the decisions about single events (``minicode_attributions``), what
they carried (``minicode_contexts``, ``minicode_values``) and first visits (``minicode_visitors``), and no tally. Every
value stands in it as a literal, so that it runs as it is in ``sqlite3`` and ``psql``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from fab_minicode.acquisition.dimensions import TOUCH_NAMES
from fab_minicode.acquisition.metrics import FIRST_VISIT, RATIO_DIGITS, VISIT, Metric
from fab_minicode.acquisition.question import Filter

DIALECTS = ("sqlite", "postgresql")
_PLACE = {"sqlite": "instr", "postgresql": "strpos"}
# The numbers of Attribution.route: 1 own, 2 carried, 3 stray, 4 moved (models/acquisition.py).
_OWN_CONTEXT = "CASE a.route WHEN 4 THEN a.entry_context_id ELSE a.context_id END"
_TOUCHES = {
    "last": "a.context_id",
    "entry": "CASE a.route WHEN 1 THEN a.context_id WHEN 4 THEN a.entry_context_id END",
    "first": "CASE WHEN a.route <> 3 THEN v.first_context_id END",
}
"""Attribution -> the context that an event's touch comes from; nothing where it has none."""


@dataclass(frozen=True)
class People:
    """
    A segment as SQL knows it.

    Attributes:
        name: As the question names it.
        is_new: For ``new`` True, for ``returning`` False, else None.
        visitors: Of a saved segment the numbers of its visitors, None else.
        inverse: Whether all others are meant.
    """

    name: str
    is_new: bool | None = None
    visitors: Sequence[int] | None = None
    inverse: bool = False


@dataclass(frozen=True)
class Story:
    """
    What all statements of a question share.

    Attributes:
        authorizer_id: Of the mini program.
        days: Ordinals of the first and the last day.
        instants: The window in milliseconds: where it begins, and where it is over.
        attribution: Name of ``READS``.
        filters: Conditions; values that are aliases stand as their targets.
        aliased: Dimensions whose values have aliases.
        comment: One line that says which days these are.
    """

    authorizer_id: int
    days: tuple[int, int]
    instants: tuple[int, int]
    attribution: str
    filters: Sequence[Filter]
    aliased: frozenset[str]
    comment: str


@dataclass
class _Tables:
    """The joins of one statement, each once, in their order."""

    story: Story
    dialect: str
    joins: dict[str, str] = field(default_factory=dict)

    def visitors(self) -> None:
        self.joins.setdefault(
            "v", "JOIN minicode_visitors AS v ON v.authorizer_id = a.authorizer_id AND v.id = a.visitor_id"
        )

    def context(self, dimension: str, *, of_first_visit: bool) -> str:
        """Return the alias of the context that holds a dimension."""
        if of_first_visit:
            self.joins.setdefault("c", "JOIN minicode_contexts AS c ON c.id = v.first_context_id")
            return "c"
        if self.story.attribution == "last":
            self.joins.setdefault("c", "JOIN minicode_contexts AS c ON c.id = a.context_id")
            return "c"
        if dimension not in TOUCH_NAMES:
            self.joins.setdefault("o", f"JOIN minicode_contexts AS o ON o.id = {_OWN_CONTEXT}")
            return "o"
        if self.story.attribution == "first":
            self.visitors()
        touch = _TOUCHES[self.story.attribution]
        self.joins.setdefault("t", f"LEFT JOIN minicode_contexts AS t ON t.id = {touch}")
        return "t"

    def value(self, dimension: str, context: str) -> str:
        """Return the expression of a dimension's text, NULL where it is not set."""
        if dimension == "code":
            self.joins.setdefault(dimension, f"LEFT JOIN minicode_codes AS code ON code.id = {context}.code")
            return "code.name"
        on = f"{dimension}.id = {context}.{dimension}"
        self.joins.setdefault(dimension, f"LEFT JOIN minicode_values AS {dimension} ON {on}")
        if dimension not in self.story.aliased:
            return f"{dimension}.value"
        alias = f"{dimension}_alias"
        self.joins.setdefault(
            alias,
            f"LEFT JOIN minicode_aliases AS {alias} ON {alias}.authorizer_id = {self.story.authorizer_id}"
            f" AND {alias}.dimension = '{dimension}' AND {alias}.value = {dimension}.value",
        )
        return f"COALESCE({alias}.target, {dimension}.value)"

    def group(self, dimension: str, *, of_first_visit: bool) -> str:
        """Return the expression of what tells groups apart: a text, of codes (two may share a name) the id."""
        context = self.context(dimension, of_first_visit=of_first_visit)
        return f"NULLIF({context}.code, 0)" if dimension == "code" else self.value(dimension, context)


@dataclass(frozen=True)
class Passing:
    """
    Which events pass.

    Attributes:
        text: Everything of a statement that follows its columns.
        value: Expression of the dimension that was asked for: its text, of a code its id, NULL where it is not set.
    """

    text: str
    value: str = "NULL"


def statements(metric: Metric, people: People, story: Story) -> Mapping[str, str]:
    """Return the SQL of one number: dialect -> text; it finds one row with one column."""
    return scripts(story, lambda dialect: _number(metric, people, story, dialect))


def scripts(story: Story, write: Callable[[str], str]) -> Mapping[str, str]:
    """Return a statement as it is run, below the line that says which days it is about: dialect -> text."""
    return {dialect: f"-- {story.comment}\n{write(dialect)};\n" for dialect in DIALECTS}


def raw(story: Story) -> str:
    """
    Return SQL, the same for both databases, that compares the decisions with the events as they came.

    It finds two rows, ``raw`` and ``decided``: how many events and visitors the window has. They are equal as long as
    everything is counted and nothing was purged.
    """
    start, end = story.instants
    return (
        f"-- {story.comment}\n"  # noqa: S608
        "SELECT 'raw' AS what, COUNT(*) AS events, COUNT(DISTINCT visitor) AS visitors\n"
        "FROM minicode_events\n"
        f"WHERE authorizer_id = {story.authorizer_id} AND state = 1"
        f" AND time_ms >= {start} AND time_ms < {end}\n"
        "  AND NOT EXISTS (SELECT 1 FROM minicode_pending AS p WHERE p.key = minicode_events.key)\n"
        "UNION ALL\n"
        "SELECT 'decided', COUNT(*), COUNT(DISTINCT visitor_id)\n"
        "FROM minicode_attributions\n"
        f"WHERE authorizer_id = {story.authorizer_id} AND day BETWEEN {story.days[0]} AND {story.days[1]};\n"
    )


def _number(metric: Metric, people: People, story: Story, dialect: str) -> str:
    if not metric.parts:
        return _plain(metric, people, story, dialect)
    number, by = (indented(_plain(part, people, story, dialect)) for part in metric.parts)
    # Half up to some digits, in whole numbers: ROUND differs from database to database.
    scale = 10**RATIO_DIGITS
    ratio = f"(2 * n.number * {scale} + d.number) / NULLIF(2 * d.number, 0) / {scale}.0"
    return f"SELECT {ratio} AS number\nFROM (\n{number}\n) AS n,\n(\n{by}\n) AS d"


def _plain(metric: Metric, people: People, story: Story, dialect: str) -> str:
    is_all = metric.counts == FIRST_VISIT or metric.measure == "times"
    counted = "COUNT(*)" if is_all else "COUNT(DISTINCT a.visitor_id)"
    return f"SELECT {counted} AS number\n{passing(metric.counts, people, story, dialect).text}"


def passing(
    counts: str, people: People, story: Story, dialect: str, *, beside: str = "", dimension: str = ""
) -> Passing:
    """
    Return which events pass.

    Args:
        counts: ``visit`` or ``event:<name>``: events, from ``minicode_attributions AS a``; or ``first_visit``:
            visitors, from ``minicode_visitors AS v``.
        people: Whose events.
        story: When, and what they must pass.
        dialect: One of ``DIALECTS``.
        beside: One more join, which stands first.
        dimension: What the events are told apart by, "" for nothing.
    """
    tables = _Tables(story, dialect)
    is_first = counts == FIRST_VISIT
    start, end = story.instants
    first_in_window = f"v.first_ms >= {start} AND v.first_ms < {end}"
    who = "v" if is_first else "a"
    where = [f"{who}.authorizer_id = {story.authorizer_id}"]
    if is_first:
        where.append(first_in_window)
    else:
        where += [f"a.day BETWEEN {story.days[0]} AND {story.days[1]}", f"a.event_id = {event_number(counts, story)}"]
    where += [_condition(one, tables, of_first_visit=is_first) for one in story.filters]
    if people.is_new is not None:
        if not is_first:
            tables.visitors()
        where.append(f"({first_in_window})" if people.is_new else f"NOT COALESCE({first_in_window}, 1 = 0)")
    if people.visitors is not None:
        where.append(_among(f"{who}.{'id' if is_first else 'visitor_id'}", people))
    value = tables.group(dimension, of_first_visit=is_first) if dimension else "NULL"
    table = "minicode_visitors AS v" if is_first else "minicode_attributions AS a"
    lines = [f"FROM {table}", *([beside] if beside else ()), *tables.joins.values()]
    return Passing("\n".join([*lines, "WHERE " + "\n  AND ".join(where)]), value)


def event_number(counts: str, story: Story) -> str:
    """Return the expression of ``minicode_attributions.event_id`` of visits or of a custom event."""
    if counts == VISIT:
        return "0"
    name = literal(counts.partition(":")[2])
    where = f"authorizer_id = {story.authorizer_id} AND dimension = 'event' AND value = {name}"
    return f"(SELECT id FROM minicode_values WHERE {where})"  # noqa: S608


def _condition(asked: Filter, tables: _Tables, *, of_first_visit: bool) -> str:
    context = tables.context(asked.dimension, of_first_visit=of_first_visit)
    number = f"{context}.{asked.dimension}"
    if asked.op == "set":
        return f"{number} <> 0"
    if asked.op == "not_set":
        return f"COALESCE({number}, 0) = 0"
    text = tables.value(asked.dimension, context)
    if asked.op == "contains":
        return f"{_PLACE[tables.dialect]}({text}, {literal(str(asked.values[0]))}) > 0"
    texts = [literal(one) for one in asked.values if isinstance(one, str)]
    numbers = [str(one) for one in asked.values if isinstance(one, int)]
    found = [f"{what} IN ({', '.join(among)})" for what, among in ((text, texts), (number, numbers)) if among]
    passes = " OR ".join(found)
    if asked.op in ("ne", "not_in"):
        return f"NOT COALESCE({passes}, 1 = 0)"
    return f"({passes})" if len(found) > 1 else passes


def _among(column: str, people: People) -> str:
    numbers = ", ".join(str(number) for number in people.visitors or ())
    if not numbers:
        return "1 = 1" if people.inverse else "1 = 0"
    return f"{column} {'NOT IN' if people.inverse else 'IN'} ({numbers})"


def literal(text: str) -> str:
    """Return a text as a literal of standard SQL: a backslash is itself, a quote stands twice."""
    return "'" + text.replace("'", "''") + "'"


def indented(text: str) -> str:
    """Return some lines of SQL, each by two places to the right."""
    return "\n".join(f"  {line}" for line in text.split("\n"))
