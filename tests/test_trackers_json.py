"""JSON from strangers: read, or refused as a whole with 400."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers.strictjson import MAX_DEPTH, is_deep, parse

REFUSED = {
    "nothing": b"",
    "UTF-16 with a byte order mark": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "Latin-1": '{"a": "é"}'.encode("latin-1"),
    "digits without an end": b"[" + b"9" * 5000,
    "two texts": b"{} {}",
    "a single quote": b"{'a': 1}",
    "cut off": b'{"a": ',
    "an overlong UTF-8 NUL": b'["\xc0\x80"]',
}


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_json_is_refused(body):
    with pytest.raises(CollectRejected) as refused:
        parse(body)

    assert (400, "malformed") == (refused.value.status, refused.value.code)


def test_a_number_that_is_none_is_null_and_spoils_nothing_beside_it():
    many = b"9" * 5000

    assert [{"a": None}, 1] == parse(b'[{"a": NaN}, 1]')
    assert [None, None, 1] == parse(b"[Infinity, -Infinity, 1]")
    assert [{"a": None}, {"b": -7, "c": 1.5}] == parse(b'[{"a": ' + many + b'}, {"b": -7, "c": 1.5}]')
    assert [None] == parse(b"[-" + many + b"]")


def test_a_byte_order_mark_is_skipped():
    assert {"a": 1} == parse(b'\xef\xbb\xbf{"a": 1}')


def test_the_last_of_a_key_that_comes_twice_wins():
    assert {"a": 2} == parse(b'{"a": 1, "a": 2}')


def test_what_escapes_spell_is_kept_for_the_fields_to_clean():
    assert ["\ud800", "\x00", "😀"] == parse(b'["\\ud800", "\\u0000", "\\ud83d\\ude00"]')


@pytest.mark.parametrize("opening, closing", [(b"[", b"]"), (b'{"a":', b"}"), (b'[{"a":', b"}]")])
@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5_000, 200_000])
def test_deep_nesting_is_refused_before_anything_recurses(opening, closing, depth):
    with pytest.raises(CollectRejected) as refused:
        parse(opening * depth + b"1" + closing * depth)

    assert (400, "too_deep") == (refused.value.status, refused.value.code)


@pytest.mark.parametrize("depth", [150, 200_000])
def test_nesting_that_never_ends_is_refused(depth):
    with pytest.raises(CollectRejected):
        parse(b"[" * depth)


def test_the_deepest_allowed_nesting_is_read():
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)


def test_wide_is_not_deep():
    assert [[]] * 5_000 == parse(b"[" + b",".join([b"[]"] * 5_000) + b"]")


@pytest.mark.parametrize("text", ["[" * 100, "}" * 100, '"[' * 100, "\\" * 99 + "[" * 50, '\\"{' * 80, "[{" * 60])
def test_brackets_inside_of_strings_are_not_nesting(text):
    assert [text] * 40 == parse(json.dumps([text] * 40).encode())


@pytest.mark.parametrize(
    "text", ['["]",' * 120 + "1" + "]" * 120 + ',"' + "[" * 120 + '"', '{"]]":' * 101 + "1" + "}" * 101]
)
def test_brackets_inside_of_strings_do_not_hide_nesting(text):
    assert is_deep(text.encode())


values = st.deferred(
    lambda: (
        st.none()
        | st.booleans()
        | st.integers()
        | st.text('[]{}"\\a', max_size=12)
        | st.lists(values, max_size=4)
        | st.dictionaries(st.text('[]{}"\\', max_size=4), values, max_size=3)
    )
)


def depth_of(value):
    if isinstance(value, (list, dict)):
        return 1 + max(map(depth_of, value.values() if isinstance(value, dict) else value), default=0)
    return 0


@settings(max_examples=200, deadline=None)
@given(values, st.integers(0, MAX_DEPTH + 4))
def test_depth_is_measured_exactly(value, more):
    for _ in range(more):
        value = [value, [], {}]
    body = json.dumps(value).encode()

    assert (depth_of(value) > MAX_DEPTH) == is_deep(body)
