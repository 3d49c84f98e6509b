"""The meter of the page for new codes: its parts are the path that is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fab_minicode.errors import InvalidInput
from fab_minicode.kinds import KINDS, CodePlan, kind_named
from fab_minicode.utm import Utm, byte_length, compose_path
from fab_minicode.views import meter

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)
PAGES = st.sampled_from(["pages/index/index", "pages/a?b=1", "页面/首页", "pages/a?"])
WRONG = st.sampled_from(["", "?a=1", "/pages/a", "pages/a b", "pages/a#b", "pages/a?b?c", "pages/a?utm_source=1"])


@given(PAGES, st.builds(Utm, TEXTS, TEXTS, TEXTS, TEXTS, TEXTS))
def test_the_parts_joined_are_the_path_and_their_bytes_its_length(page, utm):
    parts = meter.parts(page, utm)

    assert compose_path(page, utm) == "".join(part.text for part in parts)
    assert byte_length(compose_path(page, utm)) == sum(part.bytes for part in parts)


@given(PAGES | WRONG, st.builds(Utm, TEXTS.filter(lambda text: "scancode_time" not in text.lower()), TEXTS))
def test_what_fits_is_what_a_kind_takes(page, utm):
    for kind in KINDS:
        try:
            kind.check(CodePlan(page, utm))
            taken = True
        except InvalidInput:
            taken = False

        assert taken == meter.fit(kind, page, utm).fits


@pytest.mark.parametrize(
    ("page", "source", "quota_is_short", "expected"),
    [
        ("pages/index/index", "poster", False, "wxacode"),
        ("pages/index/index", "poster", True, "wxacode_unlimited"),
        ("pages/index/index?a=1", "poster", True, "wxacode"),
        ("pages/index/index", "长" * 400, False, "wxacode_unlimited"),
        ("pages/index/index?a=1", "长" * 400, False, None),
    ],
)
def test_the_kind_that_fits_is_proposed(page, source, quota_is_short, expected):
    found = meter.suggested(page, Utm(source), quota_is_short=quota_is_short)

    assert expected == (found.name if found else None)


def test_a_page_with_parameters_says_that_the_unlimited_kind_takes_none():
    fit = meter.fit(kind_named("wxacode_unlimited"), "pages/a?b=1", Utm("x"))

    assert (False, "noQuery", 11) == (fit.fits, fit.verdict, fit.used_bytes)
