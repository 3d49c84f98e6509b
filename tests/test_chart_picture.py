"""Charts painted on the server: what is painted stands for the numbers, in every kind and both languages."""

from __future__ import annotations

import datetime as dt
import io
from itertools import groupby
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from PIL import Image

from fab_minicode.views import chart_picture
from fab_minicode.views.chart_picture import COLORS, Picture, paint
from fab_minicode.views.shown import Shown

SHOWN = Shown(dt.datetime(2026, 11, 20, tzinfo=dt.timezone.utc), ZoneInfo("UTC"), Locale("zh"))
DAYS = ["11/1", "11/2", "11/3", "11/4"]
AT_DAYS = {"stack": "", "partial": None, "is_time": True, "labels": DAYS, "ticks": DAYS}


def series(name, *values, unit="count", **more):
    return {"name": name, "unit": unit, "values": list(values), **more}


def pixels(payload, title="用户 · $1_x$", figures=()):
    with Image.open(io.BytesIO(paint(Picture(title, ["商店 · 11/1 – 11/4"], payload, figures), SHOWN))) as picture:
        assert "PNG" == picture.format
        return picture.convert("RGB")


def rgb(color):
    return tuple(int(color[at : at + 2], 16) for at in (1, 3, 5))


def runs(picture, color, *, down=False):
    """How long each bar of a colour is, from the top (or from the left): its longest piece without a gap."""
    picture = picture.transpose(Image.Transpose.TRANSPOSE) if down else picture
    wide, high = picture.size
    data, wanted = picture.load(), rgb(color)
    lengths = [
        max((len(list(same)) for is_it, same in groupby(data[x, y] == wanted for x in range(wide)) if is_it), default=0)
        for y in range(high)
    ]
    bars, inside = [], 0
    for length in (*lengths, 0):
        if length > 20:
            inside = max(inside, length)
        elif inside:
            bars.append(inside)
            inside = 0
    return bars


def test_bars_are_as_long_as_their_numbers():
    values = (1000, 500, 250)
    picture = pixels({**AT_DAYS, "is_time": False, "labels": DAYS[:3], "ticks": DAYS[:3], "chart": "bar",
                      "series": [series("用户", *values)]})  # fmt: skip
    found = runs(picture, COLORS[0])

    assert 3 == len(found)
    assert [1, 0.5, 0.25] == pytest.approx([length / found[0] for length in found], abs=0.01)


def test_columns_are_as_high_as_their_numbers_and_an_open_day_is_hollow():
    drawn = {**AT_DAYS, "chart": "column", "series": [series("visits", 400, 100, 200, 400)]}
    whole, cut_short = (
        [length for length in runs(pixels({**drawn, "partial": partial}), COLORS[0], down=True) if length > 60]
        for partial in (None, 3)
    )

    assert [1, 0.25, 0.5, 1] == pytest.approx([length / whole[0] for length in whole], abs=0.02)
    assert whole[:3] == cut_short


def test_parts_of_a_whole_are_equally_high():
    parts = [series("a", 1, 3, 5, 0), series("b", 3, 1, 5, 0)]
    picture = pixels({**AT_DAYS, "chart": "column", "stack": "share", "series": parts})
    first, second = (runs(picture, color, down=True)[-3:] for color in COLORS[:2])
    wholes = [one + other for one, other in zip(first, second, strict=True)]

    assert wholes == pytest.approx([max(wholes)] * 3, abs=4)
    assert [0.25, 0.75, 0.5] == pytest.approx([one / whole for one, whole in zip(first, wholes, strict=True)], abs=0.03)


LINE = {**AT_DAYS, "chart": "line"}
OTHERS = (
    {**LINE, "partial": 3, "series": [series("a", 1, 2, None, 4), series("before", 4, 3, 2, 1, previous=True)]},
    {**LINE, "series": [series("Users", 10, 20, 30, 40), series("Share", 0.1, 0.2, 0.3, 0.4, unit="share")]},
    {**LINE, "partial": 0, "labels": DAYS[:1], "ticks": DAYS[:1], "series": [series("a", 0)]},
    {"chart": "bubble", "stack": "", "axes": [{"name": "用户", "unit": "count"}, {"name": "转化", "unit": "share"}],
     "points": [{"name": f"来源{one}", "values": [one, None if one == 3 else 0.1 * one]} for one in range(40)]},
    {"chart": "bubble", "stack": "", "axes": [{"name": name, "unit": "ratio"} for name in "abc"],
     "points": [{"name": "x" * 300, "values": [0, 0, 0]}]},
)  # fmt: skip


@pytest.mark.parametrize("place", range(len(OTHERS)))
def test_every_kind_is_painted(place):
    picture = pixels(OTHERS[place], "t" * 300)

    assert 1440 == picture.width
    assert len(picture.getcolors(maxcolors=1 << 20)) > 20


def test_a_number_is_painted_large():
    picture = pixels(None, figures=[("用户", "12,345")])
    dark = rgb(COLORS[0])

    assert sum(number for number, color in picture.getcolors(maxcolors=1 << 20) if color == dark) > 2000


def test_the_font_with_chinese_comes_first_where_there_is_one():
    families = chart_picture._families()

    assert "DejaVu Sans" == families[-1]
    assert len(families) == len(set(families))


def test_a_legend_names_every_series():
    shapes = {**AT_DAYS, "chart": "column"}
    names = ("_a", "b", "_")
    picture = pixels({**shapes, "series": [series(name, 0, 0, 0, 0) for name in names]})

    assert all(rgb(color) in {found for _, found in picture.getcolors(1 << 20)} for color in COLORS[: len(names)])
