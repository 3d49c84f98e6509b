"""
The question as a form: what the fields of the analysis page say, and back.

Two ways lead into a question. The page's form sends plain fields (``form=1``); a shared link carries the question as
``acquisition.question.to_args`` writes it. Both end in the JSON of docs/api.md, read by ``acquisition.question.parse``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from fab_minicode.acquisition.question import MAX_DIMENSIONS, MAX_METRICS, MAX_SEGMENTS
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_fields import (
    Filter,
    Span,
    filters_json,
    filters_of,
    known,
    read_filters,
    read_span,
    span_of,
)

BESIDE = "beside"
"""Choice among the attributions of the form that stands for all of them."""

LIMITS = (10, 20, 50, 100, 1000)
DEFAULT_LIMIT = 20


@dataclass(frozen=True)
class EventMetric:
    """One row of the core events; ``measure`` is a key of ``words.MEASURES``."""

    event: str = ""
    measure: str = "users"


@dataclass(frozen=True)
class Form:
    """
    What the fields show.

    Attributes:
        appid: The mini program's AppID.
        metrics: Names of ``words.METRICS``.
        events: Core events, after the metrics.
        splits: Names of dimensions, in the order of the columns.
        granularity: Key of ``words.GRANULARITIES``.
        span: The window.
        segments: Groups of visitors.
        attribution: ``last``, ``entry`` or ``first``.
        filters: In the order of the form.
        compare: Key of ``words.COMPARISONS``, "" for nothing.
        limit: Most groups of the table.
        chart: Key of ``words.CHARTS``, "" for what suits the question.
        stack: Key of ``words.STACKS``.
        beside: Whether all three attributions are counted, side by side.
        sort: The order of the table (``analysis_order``), "" for the answer's own.
    """

    appid: str = ""
    metrics: tuple[str, ...] = ("users",)
    events: tuple[EventMetric, ...] = ()
    splits: tuple[str, ...] = ()
    granularity: str = "day"
    span: Span = Span()  # noqa: RUF009 - frozen
    segments: tuple[str, ...] = ("all",)
    attribution: str = "last"
    filters: tuple[Filter, ...] = (Filter("utm_source", "set"),)
    compare: str = "previous"
    limit: int = DEFAULT_LIMIT
    chart: str = ""
    stack: str = ""
    beside: bool = False
    sort: str = ""


def read_form(fields: MultiDict[str, str], *, appid: str) -> Form:
    """
    Return the form as it was sent; values nobody can choose fall back to the default.

    Texts (dates, filter values) are kept as they came, so that a wrong one is shown again beside its message.
    """
    sent = fields.getlist("segment")
    form = Form(
        appid=appid,
        metrics=tuple(name for name in words.METRICS if name in fields.getlist("metric")),
        events=_read_events(fields),
        splits=tuple(dict.fromkeys(name for name in fields.getlist("split") if name in words.DIMENSIONS)),
        granularity=known(fields.get("granularity"), words.GRANULARITIES, "day"),
        span=read_span(fields),
        segments=tuple(dict.fromkeys(name for name in sent if name))[: MAX_SEGMENTS + 1] or ("all",),
        attribution=known(fields.get("attribution"), words.ATTRIBUTIONS, "last"),
        filters=read_filters(fields),
        compare=known(fields.get("compare"), words.COMPARISONS, "previous"),
        limit=next((limit for limit in LIMITS if str(limit) == fields.get("limit")), DEFAULT_LIMIT),
    )
    return looks(form, fields)


def looks(form: Form, fields: MultiDict[str, str]) -> Form:
    """
    Return the form with how a query string wants its answer to look: chart, stack, all attributions, order.

    A form always says which chart is chosen; the one that stood there by itself (``natural``) is nobody's wish, so that
    another question gets the chart that suits it.
    """
    chart = known(fields.get("chart"), words.CHARTS, "")
    return replace(
        form,
        chart="" if chart == fields.get("natural") else chart,
        stack=known(fields.get("stack"), words.STACKS, ""),
        beside=fields.get("beside") == "1" or fields.get("attribution") == BESIDE,
        sort=fields.get("sort", ""),
    )


def _read_events(fields: MultiDict[str, str]) -> tuple[EventMetric, ...]:
    pairs = zip(fields.getlist("event"), fields.getlist("as"), strict=False)
    rows = (EventMetric(event.strip(), known(measure, words.MEASURES, "users")) for event, measure in pairs)
    return tuple(dict.fromkeys(row for row in rows if row.event))[: MAX_METRICS + 1]


def question_of(form: Form) -> dict[str, Any]:
    """Return the form as a question's JSON."""
    return {
        "appid": form.appid,
        "metrics": [*form.metrics, *({"event": one.event, "as": one.measure} for one in form.events)],
        "dimensions": list(form.splits)[:MAX_DIMENSIONS],
        "filters": filters_json(form.filters),
        "segments": list(form.segments),
        "window": form.span.as_json(),
        "granularity": form.granularity,
        "attribution": form.attribution,
        "compare": form.compare or None,
        "limit": form.limit,
    }


def metric_column(metric: Any) -> str:
    """Return the column of an answer that holds a metric of a question's JSON."""
    return metric if isinstance(metric, str) else f"{metric['event']}.{metric['as']}"


def form_of(question: Mapping[str, Any], seen: Form) -> Form:
    """Return the form that shows a valid question (its JSON), with the chart of another one."""
    metrics = question["metrics"]
    return Form(
        appid=question["appid"],
        metrics=tuple(metric for metric in metrics if isinstance(metric, str)),
        events=tuple(EventMetric(one["event"], one["as"]) for one in metrics if not isinstance(one, str)),
        splits=tuple(question["dimensions"]),
        granularity=question["granularity"],
        span=span_of(question["window"]),
        segments=tuple(question["segments"]),
        attribution=question["attribution"],
        filters=filters_of(question["filters"]),
        compare=question["compare"] or "",
        limit=question["limit"],
        chart=seen.chart,
        stack=seen.stack,
        beside=seen.beside,
        sort=seen.sort,
    )
