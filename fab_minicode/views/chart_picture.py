"""
The chart of an answer as a PNG, painted on the server for whoever has no browser: Monday's mail, a screen on the wall.

Draws the same values as ``static/analysis_chart.js`` does (``views.analysis_chart.payload``), in its colours.
matplotlib paints, which comes with the extra ``picture``; Chinese needs a font that has it (docs/install.md).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from math import pi, sqrt
from typing import Any

from babel import Locale, numbers

from fab_minicode.views.analysis_answer import Json
from fab_minicode.views.analysis_units import COUNT, RATIO, figure
from fab_minicode.views.shown import Shown

try:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.font_manager import FontProperties, fontManager, get_font
except ImportError:
    IS_POSSIBLE = False
else:
    IS_POSSIBLE = True

COLORS = ("#0a7350", "#2f6fb7", "#c2611b", "#7a55b8", "#a8346b", "#6d6a1f", "#2b8a94", "#8a6a55")
"""Those of ``static/minicode.css`` on white, in its order."""

INK, MUTED, LINE = "#17211d", "#5f6d66", "#dde4e0"
FONTS = (
    "Noto Sans CJK SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei", "WenQuanYi Micro Hei", "SimHei",
    "DejaVu Sans",
)  # fmt: skip
"""Looked for in this order; the last one comes with matplotlib and has no Chinese."""

WIDTH, HEIGHT, DOTS = 7.2, 3.9, 200
"""In inches, and dots per inch: 1 440 by 780 pixels; bars make it higher."""

_UNKNOWN = "□"
_MARK = "="
"""Before the name of a series: matplotlib leaves one that begins with "_" out of the legend."""

_BAR_ROW, _FIGURES_HEIGHT = 0.26, 2.2
_MOST_NAMED, _TICKS = 30, 12


@dataclass(frozen=True)
class Picture:
    """
    What is painted.

    Attributes:
        title: What the chart shows.
        lines: Mini program, days, filters: what a picture that goes its own way must say.
        payload: Of ``analysis_chart.payload``; None paints ``figures``.
        figures: Names and numbers in words, where there is no chart.
    """

    title: str
    lines: Sequence[str]
    payload: Json | None
    figures: Sequence[tuple[str, str]] = ()


def paint(picture: Picture, shown: Shown) -> bytes:
    """Return the picture, a PNG; only where :data:`IS_POSSIBLE`."""
    payload = picture.payload
    height = HEIGHT if payload else _FIGURES_HEIGHT
    if payload and payload["chart"] == "bar":
        height = max(HEIGHT, 1.6 + _BAR_ROW * len(payload["labels"]) * max(1, len(payload["series"]) * 0.6))
    paper = Figure(figsize=(WIDTH, height), dpi=DOTS, facecolor="white")
    top = 1 - 0.30 / height
    paper.text(0.035, top, _short(picture.title, 90), font=_font(11, bold=True), color=INK, va="center")
    for number, line in enumerate(picture.lines, 1):
        paper.text(0.035, top - 0.2 * number / height, _short(line, 120), font=_font(8), color=MUTED, va="center")
    head = (0.45 + 0.2 * len(picture.lines)) / height
    if payload is None:
        _figures(paper, picture.figures)
    else:
        axes = paper.subplots()
        _KINDS[payload["chart"]](axes, payload, shown)
        paper.tight_layout(rect=(0.015, 0.01, 0.985, 1 - head))
    written = io.BytesIO()
    paper.savefig(written, format="png")
    return written.getvalue()


# ------------------------------------------------------------------------------------------------------------ kinds


def _line(axes: Axes, payload: Json, shown: Shown) -> None:
    places = range(len(payload["labels"]))
    second = _second_axis(axes, payload)
    for color, one in _colored(payload):
        values = [float("nan") if value is None else value for value in one["values"]]
        into = axes if one["unit"] == payload["series"][0]["unit"] else second
        whole = len(values) if payload["partial"] is None else payload["partial"]
        look: dict[str, Any] = {"color": color, "linewidth": 1.0 if one.get("previous") else 1.6}
        before = ":" if one.get("previous") else "-"
        into.plot(places[:whole], values[:whole], before, marker="o" if whole <= 31 else "", markersize=2.6, **look)
        # The hour, day, week or month that is not over: dashed.
        into.plot(places[max(0, whole - 1) :], values[max(0, whole - 1) :], linestyle=(0, (3, 2)), **look)
        into.plot([], [], before, label=_MARK + one["name"], **look)
    _frame(axes, payload, shown)
    _values_on(second, payload["series"][-1]["unit"], shown, second=axes is not second)
    _ticks(axes, payload)
    _legend(axes, second)


def _column(axes: Axes, payload: Json, shown: Shown) -> None:
    _bars(axes, payload, lambda places, values, size, base, look: axes.bar(places, values, size, base, **look))
    _frame(axes, payload, shown)
    _ticks(axes, payload)
    _legend(axes)


def _bar(axes: Axes, payload: Json, shown: Shown) -> None:
    ends = _bars(axes, payload, lambda places, values, size, base, look: axes.barh(places, values, size, base, **look))
    _frame(axes, payload, shown, across=True)
    axes.set_yticks(range(len(payload["labels"])), [_short(label, 28) for label in payload["ticks"]])
    for label in axes.get_yticklabels():
        label.set_fontproperties(_font(8))
    axes.invert_yaxis()
    if len(payload["series"]) == 1:
        unit = payload["series"][0]["unit"]
        for place, value in enumerate(ends):
            axes.annotate(
                _number(unit, value, shown), (value, place), (3, 0), textcoords="offset points", va="center",
                font=_font(7), color=INK,
            )  # fmt: skip
    _legend(axes)


def _bars(axes: Axes, payload: Json, draw: Callable[..., Any]) -> list[float]:
    """Draw the series beside or on one another; returns where the first one ends."""
    axes.margins(y=0.02 if payload["chart"] == "bar" else 0.05)
    series, count = payload["series"], len(payload["labels"])
    sums = [sum(one["values"][place] or 0 for one in series) for place in range(count)]
    base = [0.0] * count
    size = 0.72 if payload["stack"] else 0.72 / len(series)
    for number, (color, one) in enumerate(_colored(payload)):
        values = [value or 0 for value in one["values"]]
        if payload["stack"] == "share":
            values = [value / whole if whole else 0 for value, whole in zip(values, sums, strict=True)]
        shift = 0.0 if payload["stack"] else (number - (len(series) - 1) / 2) * size
        look: dict[str, Any] = {
            "color": color,
            "label": _MARK + one["name"],
            "alpha": 0.35 if one.get("previous") else 1,
        }
        drawn = draw([place + shift for place in range(count)], values, size, list(base), look)
        if payload["partial"] is not None:
            open_bar = drawn[payload["partial"]]
            open_bar.set(facecolor="none", edgecolor=color, linestyle="--", linewidth=0.9)
        if payload["stack"]:
            base = [under + value for under, value in zip(base, values, strict=True)]
    return [value or 0 for value in series[0]["values"]]


def _bubble(axes: Axes, payload: Json, shown: Shown) -> None:
    across, up, *sized = payload["axes"]
    points = [[value or 0 for value in point["values"]] for point in payload["points"]]
    largest = max([point[2] for point in points], default=0) if sized else 0
    sizes = [30 + 700 * (point[2] / largest) if largest else 60 for point in points]
    axes.scatter(
        [point[0] for point in points], [point[1] for point in points], sizes, COLORS[0], alpha=0.6, linewidths=0.8
    )
    for point, (x, y, *_more), size in list(zip(payload["points"], points, sizes, strict=True))[:_MOST_NAMED]:
        # A marker's size is its area in square points.
        above = (0, sqrt(size / pi) + 2)
        name = _short(point["name"], 22)
        axes.annotate(name, (x, y), above, textcoords="offset points", ha="center", font=_font(7), color=INK)
    _plain_frame(axes)
    axes.set_axisbelow(True)
    axes.grid(color=LINE, linewidth=0.6)
    axes.margins(0.12)
    for axis, one in ((axes.xaxis, across), (axes.yaxis, up)):
        axis.set_label_text(_short(one["name"], 40), font=_font(8), color=MUTED)
        axis.set_major_formatter(_formatter(one["unit"], shown))
        _small(axis.get_ticklabels())


_KINDS: dict[str, Callable[[Any, Json, Shown], None]] = {
    "line": _line,
    "column": _column,
    "bar": _bar,
    "bubble": _bubble,
}


def _figures(paper: Figure, figures: Sequence[tuple[str, str]]) -> None:
    for number, (name, value) in enumerate(figures[:4]):
        left = 0.035 + number * 0.24
        paper.text(left, 0.42, value, font=_font(26, bold=True), color=COLORS[0], va="center")
        paper.text(left, 0.20, _short(name, 26), font=_font(9), color=MUTED, va="center")


# ------------------------------------------------------------------------------------------------------------ parts


def _colored(payload: Json) -> list[tuple[str, Json]]:
    return [
        (MUTED if one.get("previous") else COLORS[number % len(COLORS)], one)
        for number, one in enumerate(payload["series"])
    ]


def _second_axis(axes: Axes, payload: Json) -> Any:
    """Return the axes of a second unit, the first ones where all series share one."""
    units = {one["unit"] for one in payload["series"]}
    return axes.twinx() if len(units) > 1 else axes


def _frame(axes: Axes, payload: Json, shown: Shown, *, across: bool = False) -> None:
    unit = "share" if payload["stack"] == "share" else payload["series"][0]["unit"]
    _plain_frame(axes)
    axes.grid(axis="x" if across else "y", color=LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    axis = axes.xaxis if across else axes.yaxis
    axis.set_major_formatter(_formatter(unit, shown))
    if across:
        axes.set_xlim(left=0)
        axes.margins(x=0.12)
    else:
        axes.set_ylim(bottom=0)
    _small(axis.get_ticklabels())


def _values_on(axes: Any, unit: str, shown: Shown, *, second: bool) -> None:
    if second:
        _plain_frame(axes)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(_formatter(unit, shown))
        _small(axes.get_yticklabels())


def _plain_frame(axes: Any) -> None:
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(LINE)
    axes.tick_params(length=0, colors=MUTED, labelsize=8)


def _ticks(axes: Axes, payload: Json) -> None:
    ticks = payload["ticks"]
    step = max(1, -(-len(ticks) // _TICKS)) if payload["is_time"] else 1
    places = list(range(0, len(ticks), step))
    axes.set_xticks(places, [_short(ticks[place], 12) for place in places])
    for label in axes.get_xticklabels():
        label.set_fontproperties(_font(7.5))
        if not payload["is_time"] and len(places) > 7:
            label.set(rotation=35, ha="right")


def _legend(*all_axes: Any) -> None:
    found = [axes.get_legend_handles_labels() for axes in dict.fromkeys(all_axes)]
    handles, names = ([one for part in found for one in part[side]] for side in (0, 1))
    if len(handles) > 1:
        told = [_short(name.removeprefix(_MARK), 24) for name in names]
        all_axes[0].legend(
            handles, told, prop=_font(7.5), frameon=False, loc="lower left",
            bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0, labelcolor=INK, columnspacing=1.2, handlelength=1.4,
        )  # fmt: skip


def _small(labels: Sequence[Any]) -> None:
    for label in labels:
        label.set_fontproperties(_font(8))


def _formatter(unit: str, shown: Shown) -> Callable[[float, Any], str]:
    return lambda value, _place: _number(unit, value, shown)


def _number(unit: str, value: float, shown: Shown) -> str:
    locale: Locale = shown.locale
    if unit == COUNT:
        return shown.number(int(value)) if value == int(value) else ""
    if unit == RATIO:
        return str(numbers.format_decimal(value, format="#,##0.##", locale=locale))
    return shown.percent(value)


def figures_of(shown: Shown, named: Sequence[tuple[str, str, float | None]]) -> list[tuple[str, str]]:
    """Return what stands in a picture without a chart: of each metric its name on the page, its column, its number."""
    return [(name, figure(shown, column, value)) for name, column, value in named]


def _short(text: str, most: int) -> str:
    text = "".join([letter if ord(letter) in _letters() else _UNKNOWN for letter in text])
    # A lone dollar sign would begin a formula.
    return (text if len(text) <= most else f"{text[: most - 1]}…").replace("$", r"\$")


def _font(size: float, *, bold: bool = False) -> Any:
    return FontProperties(family=_families(), size=size, weight="bold" if bold else "normal")


@cache
def _families() -> list[str]:
    there = {font.name for font in fontManager.ttflist}
    return [name for name in FONTS if name in there]


@cache
def _letters() -> frozenset[int]:
    """Return what these fonts can write: matplotlib would warn of anything else, once for every letter."""
    files = {fontManager.findfont(FontProperties(family=name)) for name in _families()}
    return frozenset(code for file in files for code in get_font(file).get_charmap())
