"""
An answer as a picture: which chart of it is painted, and the words around it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fab_minicode.errors import InvalidInput
from fab_minicode.views import analysis_chart as charts
from fab_minicode.views import analysis_words as words
from fab_minicode.views import chart_picture
from fab_minicode.views.analysis_answer import Json, begun, by_segment, columns_of, metric_name, segment_name, window_of
from fab_minicode.views.analysis_export import Exported, File
from fab_minicode.views.analysis_page import conditions_in_words, freshness_of, title_of
from fab_minicode.views.chart_picture import Picture
from fab_minicode.words import gettext as _

PNG = "png"
_MIME = "image/png"
_FIGURE = "number"


def file_of(exported: Exported, look: Mapping[str, str]) -> File:
    """
    Return the chart of an answer as a PNG.

    Args:
        exported: The answer; its rows are those that the page would draw.
        look: ``chart`` (a name of ``analysis_words.CHARTS`` but ``table``; else what suits the question) and ``stack``,
            as the page's address has them.

    Raises:
        InvalidInput: If matplotlib is missing, or this chart cannot be drawn of this answer.
    """
    if not chart_picture.IS_POSSIBLE:
        raise InvalidInput("format", "needs_extra", detail="fab-minicode[picture]")
    question, answer = exported.question, begun(exported.reader, exported.answer)
    kind = look.get("chart", "") or charts.chosen(question, "", len(answer["rows"]))
    if kind not in words.CHARTS or kind == "table":
        raise InvalidInput("chart", "unknown", detail=kind[:40])
    if charts.problem(question, answer, kind):
        raise InvalidInput("chart", "not_drawable", detail=kind)
    stack = look.get("stack", "")
    if not (stack in words.STACKS and charts.can_stack(question, answer, kind) and not charts.stack_problem(answer)):
        stack = ""
    drawn = charts.Drawn(kind, stack, title_of(question))
    payload = charts.payload(exported.reader, answer, drawn, [""] * len(answer["rows"]))
    lines = [line for line in _lines(exported, answer) if line]
    figures = [] if payload else list(_figures(exported, answer, kind))
    content = chart_picture.paint(Picture(drawn.title, lines, payload, figures), exported.reader.shown)
    return File(content, _MIME, PNG)


def _lines(exported: Exported, answer: Json) -> Iterator[str]:
    window = window_of(answer)
    days = exported.reader.shown.days(window.since, window.until)
    yield f"{exported.program} · {days} · {answer['window']['timezone']}"
    yield " · ".join(conditions_in_words(answer, exported.question))
    yield freshness_of(exported.reader, answer["freshness"])


def _figures(exported: Exported, answer: Json, kind: str) -> Iterator[tuple[str, str]]:
    """Return the totals, one figure each; a chart without rows says that nobody came."""
    if kind != _FIGURE:
        yield _("Nobody came in these days."), "0"
        return
    totals = by_segment(exported.question, answer["totals"])
    named = [
        (
            metric_name(name) if len(totals) == 1 else f"{metric_name(name)} · {segment_name(answer, segment)}",
            name,
            value,
        )
        for segment, numbers in totals.items()
        for name, value in ((name, numbers[name]) for name in columns_of(answer).metrics)
    ]
    yield from chart_picture.figures_of(exported.reader.shown, named)
