"""
Everything the template of the analysis page shows, in one value.

The page is complete on the server: numbers, table, links and messages are text here, so that it works without scripts.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fab_minicode.acquisition.metrics import ATTRIBUTIONS
from fab_minicode.acquisition.question import MAX_DIMENSIONS, MAX_METRICS
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.views import analysis_chart as charts
from fab_minicode.views import analysis_words as words
from fab_minicode.views import messages
from fab_minicode.views.analysis_answer import (
    Json,
    Reader,
    begun,
    columns_of,
    metric_name,
    segment_name,
    window_of,
)
from fab_minicode.views.analysis_fields import Filter, filter_words, filters_of, with_blank
from fab_minicode.views.analysis_form import LIMITS, EventMetric, Form, metric_column
from fab_minicode.views.analysis_numbers import Number, numbers_of
from fab_minicode.views.analysis_reasons import Empty
from fab_minicode.views.analysis_recount import Recounted
from fab_minicode.views.analysis_table import Row, Table, table_of
from fab_minicode.views.analysis_units import attribution_of
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

PROBLEMS: dict[str, Any] = {
    "metrics": _l("Choose at least one number to count."),
    "window": _l("Choose two days, the first not after the last, at most 366 days apart."),
    "filters": _l("A filter needs a dimension, a condition and a value; ten filters are possible."),
    "granularity": _l("Hours are counted for the last 14 days only; choose later days, or count by day."),
}
"""Field of the form -> what to do when the question is refused there."""


@dataclass(frozen=True)
class Page:
    """
    What the template shows.

    Attributes:
        endpoint: Flask endpoint of the page.
        url: Address that carries this question; "" when there is no valid one.
        form: What the fields hold.
        authorizers: All mini programs.
        problems: Field -> message, for a question that was refused.
        words: The question in a few words.
        title: What chart and table show.
        conditions: What else decides the numbers, in words.
        window_words: The window's days.
        previous_words: The days it is compared with, "" for none.
        since: First day of the window, ISO.
        until: Last day of the window, ISO.
        timezone: Where a day is a calendar day.
        numbers: The totals.
        table: The rows.
        chart: Kind of chart that is shown.
        natural: Kind that is shown unless somebody wishes another.
        chart_problem: Why it cannot be drawn.
        chart_note: What the chart leaves out.
        can_stack: Whether columns stand beside one another that could stand on one another.
        stack_problem: Why they must not.
        stack: How they stand.
        payload: What the chart draws, None for no chart.
        definitions: What each metric counts: name -> sentence.
        attributions: How an event finds its touch: name -> sentence.
        groups: Who is in each group of visitors: name -> sentence.
        freshness: Until when events are counted, in words.
        event_names: Core events that the data know.
        segment_choices: Groups of visitors to choose from: name -> (label, what it means).
        values_url: Address that suggests values for filters, "" for none.
        menu: Words and addresses of the menu on a point or row.
        recount: SQL that counts the totals again, where it was asked for.
        empty: Set when there is nothing to see.
    """

    endpoint: str
    url: str
    form: Form
    authorizers: Sequence[Authorizer]
    problems: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    title: str = ""
    conditions: tuple[str, ...] = ()
    window_words: str = ""
    previous_words: str = ""
    since: str = ""
    until: str = ""
    timezone: str = ""
    numbers: tuple[Number, ...] = ()
    table: Table = field(default_factory=Table)
    chart: str = "table"
    natural: str = "table"
    chart_problem: str = ""
    chart_note: str = ""
    can_stack: bool = False
    stack_problem: str = ""
    stack: str = ""
    payload: Json | None = None
    definitions: Mapping[str, str] = field(default_factory=dict)
    attributions: Mapping[Any, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    freshness: str = ""
    event_names: tuple[str, ...] = ()
    segment_choices: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    values_url: str = ""
    menu: Json = field(default_factory=dict)
    recount: Recounted | None = None
    empty: Empty | None = None

    @property
    def limits(self) -> list[int]:
        """The row limits to choose from; a shared link may ask for another one."""
        return sorted({*LIMITS, self.form.limit})

    @property
    def filter_rows(self) -> tuple[Filter, ...]:
        """The filters, and an empty one to fill in."""
        return with_blank(self.form.filters)

    @property
    def event_rows(self) -> tuple[EventMetric, ...]:
        """The core events, and an empty row to fill in."""
        rows = self.form.events
        return rows if len(rows) >= MAX_METRICS else (*rows, EventMetric())

    @property
    def split_rows(self) -> tuple[str, ...]:
        """The dimensions, and an empty row to fill in."""
        rows = self.form.splits
        return rows if len(rows) >= MAX_DIMENSIONS else (*rows, "")

    @property
    def rows(self) -> tuple[Row, ...]:
        """The rows of the table; none when the page says why it is empty."""
        return () if self.empty else self.table.rows

    @property
    def summary(self) -> str:
        """The answer as one sentence, read out when it changes."""
        if self.empty:
            return self.empty.title
        return "; ".join(f"{number.name} {number.value}" for number in self.numbers)

    @property
    def totals_note(self) -> str:
        """Why the rows do not add up."""
        if not self.rows:
            return ""
        return _("The last row counts every person once. Who comes on two days, or by two codes, stands in two rows.")


def problem_of(error: InvalidInput) -> dict[str, str]:
    """Return the message beside the refused field of the form."""
    name = error.field.partition("[")[0].partition(".")[0]
    name = {"since": "window", "until": "window", "last_days": "window", "metric": "metrics"}.get(name, name)
    return {name: str(PROBLEMS.get(name) or messages.refusal(error))}


def title_of(question: Json) -> str:
    """Return what a question asks, without its window and filters."""
    parts = [" + ".join(metric_name(metric_column(metric)) for metric in question["metrics"])]
    if question["granularity"] != "total":
        parts.append(str(words.GRANULARITIES[question["granularity"]]).lower())
    parts += [_("split by %(dimension)s", dimension=words.DIMENSIONS[name]) for name in question["dimensions"]]
    return " · ".join(part for part in parts if part)


def conditions_in_words(answer: Json, question: Json) -> tuple[str, ...]:
    """Return everything else that decides the numbers, in words: filters, groups of visitors, attribution."""
    filters = [filter_words(row) for row in filters_of(question["filters"])]
    groups = [segment_name(answer, name) for name in question["segments"]]
    return (*filters, " / ".join(groups), " / ".join(str(words.ATTRIBUTIONS[name]) for name in attributions_in(answer)))


def attributions_in(answer: Json) -> list[str]:
    """Return the attributions by which an answer was counted."""
    asked = answer["definitions"].get("attribution")
    names = list(ATTRIBUTIONS)
    return names if asked is None else [name for name in names if ATTRIBUTIONS[name] == asked]


def answered(reader: Reader, page: Page, question: Json, answer: Json) -> dict[str, Any]:
    """Return the fields of :class:`Page` that an answer fills."""
    answer = begun(reader, answer)
    table = table_of(reader, question, answer)
    title = title_of(question)
    window = window_of(answer)
    before = window_of(answer["previous"]) if answer.get("previous") else None
    return {
        "words": f"{title} · {words.WINDOWS.get(page.form.span.name, page.form.span.name)}",
        "title": title,
        "conditions": conditions_in_words(answer, question),
        "window_words": reader.shown.days(window.since, window.until),
        "previous_words": reader.shown.days(before.since, before.until) if before else "",
        "since": window.since.isoformat(),
        "until": window.until.isoformat(),
        "numbers": numbers_of(reader, question, answer),
        "table": table,
        "definitions": definitions_of(answer),
        "attributions": {words.ATTRIBUTIONS[name]: _(ATTRIBUTIONS[name]) for name in attributions_in(answer)},
        "groups": groups_of(question, answer),
        "timezone": answer["window"]["timezone"],
        "freshness": freshness_of(reader, answer["freshness"]),
        **drawn(reader, page.form, question, answer, [row.url for row in table.rows]),
    }


def definitions_of(answer: Json) -> dict[str, str]:
    """Return what each metric counts: its name on the page -> sentence."""
    sentences = answer["definitions"]
    metrics = dict.fromkeys(attribution_of(name)[1] for name in columns_of(answer).metrics)
    return {metric_name(name): _(sentences[name]) for name in metrics}


def groups_of(question: Json, answer: Json) -> dict[str, str]:
    """Return who is in each group of visitors: its name on the page -> sentence; nothing for everybody."""
    if question["segments"] == ["all"]:
        return {}
    sentences = answer["definitions"]
    return {segment_name(answer, name): _(sentences[f"segment {name}"]) for name in question["segments"]}


def freshness_of(reader: Reader, freshness: Json) -> str:
    """Return until when events are counted, in words."""
    if freshness["until"] is None:
        return ""
    until = reader.shown.exact(dt.datetime.fromisoformat(freshness["until"]))
    if freshness["pending"]:
        waiting = reader.shown.number(freshness["pending"])
        return _("events up to %(time)s are counted, %(number)s wait", time=until, number=waiting)
    return _("events up to %(time)s are counted", time=until)


def drawn(reader: Reader, form: Form, question: Json, answer: Json, links: list[str]) -> dict[str, Any]:
    """Return the fields of :class:`Page` about the chart."""
    kind = charts.chosen(question, form.chart, len(answer["rows"]))
    problem = charts.problem(question, answer, kind)
    can_stack = charts.can_stack(question, answer, kind)
    stack_problem = charts.stack_problem(answer) if can_stack else ""
    stack = form.stack if can_stack and not stack_problem else ""
    how = charts.Drawn(kind, stack, title_of(question))
    return {
        "chart": kind,
        "natural": charts.chosen(question, "", len(answer["rows"])),
        "chart_problem": problem,
        "chart_note": charts.note(answer, kind, stack),
        "can_stack": can_stack,
        "stack_problem": stack_problem,
        "stack": stack,
        "payload": None if problem else charts.payload(reader, answer, how, links),
    }
