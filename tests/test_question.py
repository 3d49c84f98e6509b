"""Questions: what is read, what is refused and how, and that an address carries the whole question."""

import random
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from fab_minicode.acquisition.dimensions import NAMES, OPERATORS
from fab_minicode.acquisition.metrics import MEASURES
from fab_minicode.acquisition.question import Question, from_args, parse, to_args
from fab_minicode.acquisition.question_fields import WINDOW_NAMES
from fab_minicode.acquisition.windows import COMPARISONS
from fab_minicode.errors import InvalidInput

DOCUMENTED = {
    "appid": "wx0123456789abcdef",
    "metrics": ["users", "new_users", "visits", {"event": "order_paid", "as": "users"}],
    "dimensions": ["utm_source"],
    "filters": [{"dimension": "utm_source", "op": "set"}],
    "segments": ["all"],
    "window": {"last_days": 7},
    "granularity": "day",
    "attribution": "last",
    "compare": "previous",
    "limit": 20,
}


def test_the_documented_question_is_read_and_written_back():
    assert DOCUMENTED == parse(DOCUMENTED).as_json()


def test_what_is_left_out_has_a_default():
    expected = {"metrics": ["users"], "window": {"last_days": 7}, "granularity": "total", "attribution": "last"}
    asked = parse({"appid": "wx1"}).as_json()

    assert expected == {name: asked[name] for name in expected}
    assert Question("wx1") == parse({"appid": "wx1"})


REFUSED = [
    ({"appid": None}, "appid", "required"),
    ({"appid": 7}, "appid", "invalid"),
    ({"appid": "wx\x00"}, "appid", "invalid"),
    ({"appid": "x" * 33}, "appid", "too_long"),
    ({"metrics": []}, "metrics", "required"),
    ({"metrics": "users"}, "metrics", "invalid"),
    ({"metrics": ["user"]}, "metrics[0]", "unknown"),
    ({"metrics": [["users"]]}, "metrics[0]", "unknown"),
    ({"metrics": ["users", "users"]}, "metrics[1]", "twice"),
    ({"metrics": ["users"] * 11}, "metrics", "too_many"),
    ({"metrics": [{"event": "", "as": "users"}]}, "metrics[0].event", "required"),
    ({"metrics": [{"event": "e" * 101, "as": "users"}]}, "metrics[0].event", "too_long"),
    ({"metrics": [{"event": "e"}]}, "metrics[0].as", "required"),
    ({"metrics": [{"event": "e", "as": "people"}]}, "metrics[0].as", "unknown"),
    ({"metrics": [{"event": "e", "as": "users", "by": 1}]}, "metrics[0].by", "unknown_field"),
    ({"dimensions": ["utm_source"] * 2}, "dimensions[1]", "twice"),
    ({"dimensions": ["source"]}, "dimensions[0]", "unknown"),
    ({"dimensions": list(NAMES)[:6]}, "dimensions", "too_many"),
    ({"filters": [1]}, "filters[0]", "invalid"),
    ({"filters": [{"dimension": "scene"}]}, "filters[0].op", "required"),
    ({"filters": [{"dimension": "scene", "op": "like", "value": "1"}]}, "filters[0].op", "unknown"),
    ({"filters": [{"dimension": "scene", "op": "eq"}]}, "filters[0].value", "required"),
    ({"filters": [{"dimension": "scene", "op": "eq", "value": ""}]}, "filters[0].value", "required"),
    ({"filters": [{"dimension": "utm_term", "op": "eq", "value": 1047}]}, "filters[0].value", "invalid"),
    ({"filters": [{"dimension": "scene", "op": "eq", "value": "x" * 257}]}, "filters[0].value", "too_long"),
    ({"filters": [{"dimension": "scene", "op": "eq", "value": "\ud800"}]}, "filters[0].value", "invalid"),
    ({"filters": [{"dimension": "scene", "op": "set", "value": "1"}]}, "filters[0].value", "not_wanted"),
    ({"filters": [{"dimension": "scene", "op": "in", "value": []}]}, "filters[0].value", "required"),
    ({"filters": [{"dimension": "scene", "op": "in", "value": ["1"] * 101}]}, "filters[0].value", "too_many"),
    ({"filters": [{"dimension": "scene", "op": "in", "value": ["1", None]}]}, "filters[0].value[1]", "required"),
    ({"filters": [{"dimension": "code", "op": "eq", "value": 0}]}, "filters[0].value", "out_of_range"),
    ({"filters": [{"dimension": "code", "op": "eq", "value": 10**30}]}, "filters[0].value", "out_of_range"),
    ({"filters": [{"dimension": "code", "op": "eq", "value": True}]}, "filters[0].value", "invalid"),
    ({"filters": [{"dimension": "scene", "op": "set"}] * 11}, "filters", "too_many"),
    *[
        ({"filters": [{"dimension": "scene", "op": "eq", "value": f"a{c}"}]}, "filters[0].value", "invalid")
        for c in "\n\r\t\x1b\x7f\x85"
    ],
    ({"segments": ["old"]}, "segments[0]", "unknown"),
    ({"segments": ["all", "segment:"]}, "segments[1]", "unknown"),
    ({"segments": ["segment:0"]}, "segments[0]", "unknown"),
    ({"segments": ["segment:٣"]}, "segments[0]", "unknown"),
    ({"segments": ["segment:9999999999"]}, "segments[0]", "unknown"),
    ({"segments": ["segment:1", "segment:1"]}, "segments[1]", "twice"),
    ({"segments": ["all", "new", "returning", "segment:1", "segment:2", "segment:3"]}, "segments", "too_many"),
    ({"window": 7}, "window", "invalid"),
    ({"window": "tomorrow"}, "window", "unknown"),
    ({"window": {"last_days": 0}}, "window.last_days", "out_of_range"),
    ({"window": {"last_days": 367}}, "window.last_days", "out_of_range"),
    ({"window": {"last_days": "7"}}, "window.last_days", "invalid"),
    ({"window": {"last_days": 7, "until": "2026-11-20"}}, "window.until", "unknown_field"),
    ({"window": {"since": "2026-11-20"}}, "window.until", "required"),
    ({"window": {"since": "2026-11-31", "until": "2026-12-01"}}, "window.since", "invalid"),
    ({"window": {"since": "20261101", "until": "2026-12-01"}}, "window.since", "invalid"),
    ({"window": {"since": "２０２６-11-01", "until": "2026-12-01"}}, "window.since", "invalid"),
    ({"window": {"since": "0001-01-01", "until": "0001-01-02"}}, "window.since", "out_of_range"),
    ({"window": {"since": "2026-11-20", "until": "2026-11-19"}}, "window.until", "before_since"),
    ({"window": {"since": "2025-11-20", "until": "2026-11-21"}}, "window", "too_long"),
    ({"granularity": "minute"}, "granularity", "unknown"),
    ({"granularity": None}, "granularity", "required"),
    ({"attribution": "linear"}, "attribution", "unknown"),
    ({"compare": "year"}, "compare", "unknown"),
    ({"limit": 0}, "limit", "out_of_range"),
    ({"limit": 1001}, "limit", "out_of_range"),
    ({"limit": 10**40}, "limit", "out_of_range"),
    ({"limit": "20"}, "limit", "invalid"),
    ({"limit": True}, "limit", "invalid"),
    ({"metric": ["users"]}, "metric", "unknown_field"),
]


@pytest.mark.parametrize(("changed", "field", "code"), REFUSED)
def test_a_refusal_names_the_field_and_the_reason(changed, field, code):
    with pytest.raises(InvalidInput) as refused:
        parse(DOCUMENTED | changed)

    assert (field, code) == (refused.value.field, refused.value.code)
    assert abs(refused.value.actual or 0) <= 2**53


@pytest.mark.parametrize("asked", [None, [], "users", 3])
def test_a_question_is_an_object(asked):
    with pytest.raises(InvalidInput):
        parse(asked)


def test_an_address_is_short_and_readable():
    expected = {
        "appid": "wx0123456789abcdef",
        "metric": ["users", "new_users", "visits", "order_paid.users"],
        "by": ["utm_source"],
        "where": ["utm_source:set"],
        "granularity": "day",
        "compare": "previous",
    }

    assert expected == to_args(parse(DOCUMENTED))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("utm_source:set", {"dimension": "utm_source", "op": "set"}),
        ("utm_source:eq:a,b", {"dimension": "utm_source", "op": "eq", "value": "a,b"}),
        ("utm_source:in:a\\,b,c", {"dimension": "utm_source", "op": "in", "value": ["a,b", "c"]}),
        ("landing_page:contains:a:b", {"dimension": "landing_page", "op": "contains", "value": "a:b"}),
        ("code:in:#12,\\#12,x", {"dimension": "code", "op": "in", "value": [12, "#12", "x"]}),
    ],
)
def test_conditions_in_an_address(text, expected):
    args = MultiDict([("appid", "wx1"), ("where", text), ("chart", "line")])

    assert [expected] == from_args(args).as_json()["filters"]


# No lone surrogates and no control characters: those are refused. Everything else may stand in a value.
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=30)
TRICKY = st.text("#,\\:.0 a", min_size=1, max_size=8)


@given(st.data())
def test_an_address_carries_the_whole_question(data):
    values = TEXTS | TRICKY | st.integers(1, 2**31 - 1)
    filters = []
    for _ in range(data.draw(st.integers(0, 3))):
        op = data.draw(st.sampled_from(OPERATORS))
        dimension = data.draw(st.sampled_from(NAMES))
        value = data.draw(values if dimension == "code" and op != "contains" else TEXTS | TRICKY)
        given_value = {} if op in ("set", "not_set") else {"value": [value] if op in ("in", "not_in") else value}
        filters.append({"dimension": dimension, "op": op, **given_value})
    event = {"event": data.draw(TEXTS | TRICKY), "as": data.draw(st.sampled_from(MEASURES))}
    asked = {"filters": filters, "metrics": ["users", "visits_per_user", event], "segments": ["new", "segment:12"]}
    asked |= {"compare": data.draw(st.sampled_from([None, *COMPARISONS]))}
    asked |= {"window": data.draw(st.sampled_from([*WINDOW_NAMES, {"last_days": 1}, {"last_days": 366}]))}
    question = parse(DOCUMENTED | asked)
    args = MultiDict(
        [
            (key, one)
            for key, value in to_args(question).items()
            for one in ([value] if isinstance(value, str) else value)
        ]
    )

    assert question == from_args(args) == from_args(to_args(question)) == parse(question.as_json())


SPECIAL = (
    "a:b",
    "a,b",
    "a|b",
    "it's",
    '"q"',
    "100%",
    "%2C",
    "a\\b",
    "\\",
    "\\,",
    "🎋 茶",
    "#12",
    "a&b=c",
    "a+b",
    " ",
    "..",
)


@pytest.mark.parametrize("dimension", NAMES)
@pytest.mark.parametrize("op", OPERATORS)
def test_every_operator_takes_any_text_of_every_dimension_through_an_address(dimension, op):
    for values in (*((one,) for one in SPECIAL), SPECIAL):
        value = {"in": list(values), "not_in": list(values), "set": None, "not_set": None}.get(op, values[0])
        filters = [{"dimension": dimension, "op": op, **({} if value is None else {"value": value})}]
        question = parse({"appid": "wx1", "filters": filters})
        address = urlencode(to_args(question), doseq=True)

        assert filters == from_args(MultiDict(parse_qsl(address, keep_blank_values=True))).as_json()["filters"]


def test_no_address_breaks_the_reader():
    chance = random.Random(1)
    odd = [
        "",
        "\x00",
        "\ud800",
        "9" * 50,
        "last_",
        "last_99999999",
        "..",
        "2026-02-31..",
        ":",
        "::",
        "a:b:c",
        "users.",
        ".users",
        "#",
        "code:eq:#99999999999",
        "\\",
        "-1",
        "²",
    ]
    for _ in range(3000):
        keys = ("metric", "by", "where", "segment", "window", "granularity", "attribution", "compare", "limit")
        pairs = [("appid", "wx1"), *((chance.choice(keys), chance.choice(odd)) for _ in range(chance.randrange(4)))]
        try:
            question = from_args(MultiDict(pairs))
        except InvalidInput:
            continue

        assert question == from_args(to_args(question))


@pytest.mark.parametrize(
    "condition",
    [
        {"op": "in", "value": [1047, "1011"]},
        {"op": "in", "values": ["1047", 1011]},
    ],
)
def test_entry_scenes_may_be_numbers_and_a_list_may_be_called_values(condition):
    asked = {"appid": "wx0123456789abcdef", "metrics": ["users"], "filters": [{"dimension": "scene", **condition}]}

    assert ("1047", "1011") == parse(asked).filters[0].values
