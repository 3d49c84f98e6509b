"""Each kind's limits, to the byte, and the request it makes. The numbers stand in docs/wechat.md."""

import dataclasses
import json

import pytest

from fab_minicode.errors import InvalidInput
from fab_minicode.kinds import (
    KINDS,
    PAGE_FAULTS,
    CodePlan,
    Options,
    check_landing_page,
    kind_named,
    landing_page_faults,
)
from fab_minicode.utm import Utm

A, C, B = (kind_named(name) for name in ("wxacode", "wxaqrcode", "wxacode_unlimited"))


def refused(kind, page, utm=Utm("s"), **options):  # noqa: B008 - a frozen value
    with pytest.raises(InvalidInput) as caught:
        kind.check(CodePlan(page, utm, options=Options(**options)))
    error = caught.value
    return error.field, error.code, error.limit, error.actual, error.unit


def page_of(kind, path_bytes, utm=Utm("s")):  # noqa: B008 - a frozen value
    """Return a landing page with which the path has exactly so many bytes."""
    rest = len(kind.path_of(CodePlan("", utm)).encode()) if kind.max_path_bytes else 0
    return "p" * (path_bytes - rest)


@pytest.mark.parametrize("kind, limit", [(A, 1024), (C, 128)], ids=["A", "C"])
def test_a_path_may_have_exactly_so_many_bytes(kind, limit):
    kind.check(CodePlan(page_of(kind, limit), Utm("s")))

    assert ("landing_page", "invalid_path", limit, limit + 1, "bytes") == refused(kind, page_of(kind, limit + 1))


def test_a_chinese_character_counts_three_bytes():
    utm = Utm("微信海报", "秋天")
    path = "pages/index/index?utm_source=微信海报&utm_campaign=秋天"

    assert path == C.path_of(CodePlan("pages/index/index", utm))
    assert len(path) + 2 * 6 == len(path.encode())
    C.check(CodePlan("pages/index/index", utm))
    assert ("landing_page", "invalid_path", 128, len(path.encode()) + 3 * 30, "bytes") == refused(
        C, "pages/index/index", Utm("微信海报" + "微" * 30, "秋天")
    )


def test_the_119_characters_of_139_bytes_that_wechat_refused_are_refused():
    # A path from a forum: counted in characters it seemed to fit (facts of the product we stand in for).
    page = "pages/index/index?id=" + "a" * 76
    path = C.path_of(CodePlan(page, Utm("茶" * 10)))

    assert (119, 139) == (len(path), len(path.encode()))
    assert ("landing_page", "invalid_path", 128, 139, "bytes") == refused(C, page, Utm("茶" * 10))


def test_a_percent_encoded_character_counts_three_bytes():
    assert "p?utm_source=a%20b" == C.path_of(CodePlan("p", Utm("a b")))
    assert ("landing_page", "invalid_path", 128, 13 + 3 * 40, "bytes") == refused(C, "p", Utm(" " * 40))


def test_b_has_no_limit_for_utm_and_takes_no_query():
    plan = CodePlan("pages/index/index", Utm("微" * 128, "信" * 128, "m" * 128, "c" * 128, "t" * 128), "AbCd2345")
    B.check(plan)

    assert B.path_of(plan) is None
    assert {"page": "pages/index/index", "scene": "c=AbCd2345", "width": 430} == B.request(plan).body
    assert "query_not_possible" == refused(B, "pages/index/index?a=1")[1]


def test_the_page_of_b_fits_its_column():
    B.check(CodePlan("p" * 1024, Utm("s")))

    assert ("landing_page", "invalid_path", 1024, 1026, "bytes") == refused(B, "码" * 342)


@pytest.mark.parametrize(
    "page, code",
    [
        ("", "required"),
        ("?a=1", "required"),
        ("/pages/index", "leading_slash"),
        ("pages/index?a=1?b=2", "second_question_mark"),
        ("pages/a b", "space"),
        ("pages/a\u3000b", "space"),
        ("pages/a\u00a0b", "space"),
        ("pages/a\tb", "control_character"),
        ("pages/a\x00b", "control_character"),
        ("pages/a\x85b", "control_character"),
        ("pages/a\u2028b", "control_character"),
        ("pages/a\u202eb", "control_character"),
        ("pages/a\ud800b", "control_character"),
        ("pages/a#top", "fragment"),
        ("pages/a?scancode_time=1", "reserved_parameter"),
        ("pages/a?SCANCODE_TIME=1", "reserved_parameter"),
        ("pages/a?scancode%5Ftime=1", "reserved_parameter"),
        ("pages/scancode_time", "reserved_parameter"),
        ("pages/a?utm_source=x", "reserved_parameter"),
        ("pages/a?x=1&UTM_Term=x", "reserved_parameter"),
        ("pages/a?utm%5Fmedium=x", "reserved_parameter"),
    ],
)
def test_a_landing_page_is_refused(page, code):
    with pytest.raises(InvalidInput) as caught:
        check_landing_page(page)

    assert ("landing_page", code) == (caught.value.field, caught.value.code)


def test_everything_that_is_wrong_with_a_page_is_told_at_once():
    found = [(fault.code, fault.detail) for fault in landing_page_faults("/a b?utm_term=1?utm_source=2#scancode_time")]

    assert [
        ("space", ""),
        ("leading_slash", "/a b?utm_term=1?utm_"),
        ("fragment", ""),
        ("second_question_mark", ""),
        ("reserved_parameter", "scancode_time"),
        ("reserved_parameter", "utm_term"),
    ] == found
    assert {code for code, _ in found} <= set(PAGE_FAULTS)


@pytest.mark.parametrize(
    "page",
    [
        "pages/index/index",
        "pages/lists/lists?listID=123",
        "pages/a?",
        "pages/a?b&c=&=d",
        "页面/首页?城市=上海",
        "pages/a?x=%zz",
    ],
)
def test_a_landing_page_is_taken_as_typed(page):
    check_landing_page(page)


def test_scancode_time_is_refused_in_a_value_that_the_path_carries():
    assert ("utm_term", "reserved_parameter") == refused(A, "p", Utm("s", term="ScanCode_Time"))[:2]
    B.check(CodePlan("p", Utm("s", term="scancode_time")))


@pytest.mark.parametrize("kind", [A, B], ids=["A", "B"])
def test_colours_of_round_codes(kind):
    plan = CodePlan("p", Utm("s"), "AbCd2345")
    bare = set(kind.request(plan).body)

    def body(**options):
        changed = dataclasses.replace(plan, options=Options(**options))
        kind.check(changed)
        return {name: value for name, value in kind.request(changed).body.items() if name not in bare - {"width"}}

    # Unset keys are left out: WeChat answers 47001 or 40097 to empty ones.
    assert {"width": 430} == body()
    assert {"width": 640, "line_color": {"r": 10, "g": 115, "b": 255}} == body(width_px=640, line_color="#0a73FF")
    assert {"width": 430, "auto_color": True, "is_hyaline": True} == body(auto_color=True, is_hyaline=True)
    json.dumps(body(line_color="#000000"))


def test_colours_that_are_refused():
    assert ("line_color", "invalid_colour") == refused(A, "p", line_color="red")[:2]
    assert ("line_color", "invalid_colour") == refused(A, "p", line_color="#0a7350\n")[:2]
    assert ("line_color", "invalid_colour") == refused(A, "p", line_color="#٠٠٠٠٠٠")[:2]
    assert ("line_color", "not_with_auto_color") == refused(A, "p", line_color="#000000", auto_color=True)[:2]
    for option in ({"line_color": "#000000"}, {"auto_color": True}, {"is_hyaline": True}):
        assert ("options", "not_for_this_kind") == refused(C, "p", **option)[:2]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_says_what_it_asks_for(kind):
    request = kind.request(CodePlan("pages/index/index", Utm("poster"), "AbCd2345", Options(640)))

    assert kind.endpoint == request.endpoint
    assert kind.endpoint.startswith("/")
    assert 640 == request.body["width"]
    assert (kind.interface in "AC") is request.uses_quota is kind.uses_quota
    assert (kind.max_path_bytes is not None) == ("path" in request.body)
    assert kind is kind_named(kind.name)


def test_c_asks_for_path_and_width_only():
    assert {"path", "width"} == set(C.request(CodePlan("p", Utm("s"))).body)


@pytest.mark.parametrize("name", ["", "A", "wxacode ", "WXACODE", "\x00", "x" * 10_000])
def test_an_unknown_kind_is_refused(name):
    with pytest.raises(InvalidInput) as caught:
        kind_named(name)

    assert ("kind", "unknown") == (caught.value.field, caught.value.code)
    assert len(caught.value.detail) <= 40
