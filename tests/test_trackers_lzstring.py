"""LZString's UTF-16 form: what lz-string 1.5.0 packs unpacks, and nothing else does any harm."""

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fab_minicode.trackers.lzstring import decompress_from_utf16
from tests.lzpack import compress_to_utf16

# Packed by lz-string 1.5.0 itself.
PACKED = (
    ("", "\u2020 "),
    ("[1,2,3]", "\u1b62\u182d\xb8\u60ec\u05f2  "),
    ("hello, i am a 猫", "\u02e2\u4c2d\u4c3e\u6054@\u25cc\u0450\u16f9\u5a3a\u4d04  "),
    ("😀a😀a", "\u57a3\u3820\u7b30\u6a84  "),
)


@pytest.mark.parametrize("text, packed", PACKED)
def test_what_the_library_packed_unpacks(text, packed):
    assert text == decompress_from_utf16(packed, max_characters=100)
    assert packed == compress_to_utf16(text)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=300) | st.text("ab", max_size=2000))
def test_what_was_packed_unpacks_to_the_same(text):
    assert text == decompress_from_utf16(compress_to_utf16(text), max_characters=4000)


def test_a_bomb_is_stopped_at_the_limit():
    packed = compress_to_utf16("a" * 1_000_000)

    assert len(packed) < 2_000
    with pytest.raises(OverflowError):
        decompress_from_utf16(packed, max_characters=10_000)


def test_the_limit_itself_is_allowed():
    assert "a" * 50 == decompress_from_utf16(compress_to_utf16("a" * 50), max_characters=50)


@pytest.mark.parametrize("packed", ["", " ", "\x1f", "\uffff", PACKED[2][1][:4], "~~~~~~~~"])
def test_what_is_cut_off_or_something_else_is_refused(packed):
    with pytest.raises(ValueError):
        decompress_from_utf16(packed, max_characters=1000)


@settings(max_examples=300, deadline=None)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x801F), max_size=60))
def test_garbage_ends_in_text_or_a_named_refusal(packed):
    with contextlib.suppress(ValueError, OverflowError):
        assert len(decompress_from_utf16(packed, max_characters=500)) <= 500
