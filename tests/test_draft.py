"""What may be asked for, and what is refused with which numbers."""

import pytest

from fab_minicode.draft import checked, checked_text, search_text
from fab_minicode.errors import InvalidInput
from fab_minicode.kinds import KINDS, Options
from fab_minicode.utm import Utm
from tests.stories import draft


def refused(**changed):
    with pytest.raises(InvalidInput) as caught:
        checked(draft(**changed))
    error = caught.value
    return error.field, error.code, error.limit, error.actual, error.unit


def test_texts_are_stored_in_nfc_and_trimmed():
    stored = checked(
        draft(name="  Cafe\u0301\u3000", utm=Utm(" poster ", campaign="\tautumn\n"), remark=" two\r\nlines ")
    )

    assert "Café" == stored.name
    assert Utm("poster", campaign="autumn") == stored.utm
    assert "two\nlines" == stored.remark


@pytest.mark.parametrize("name", ["", "   ", "\u3000\n"])
def test_a_name_is_required(name):
    assert ("name", "required", None, None, "") == refused(name=name)


def test_a_name_has_at_most_50_characters_after_the_trim():
    assert "码" * 50 == checked(draft(name=" " + "码" * 50 + " ")).name
    assert ("name", "too_long", 50, 51, "characters") == refused(name="码" * 51)


@pytest.mark.parametrize("character", ["\x00", "\x1b", "\x7f", "\x9f", "\u2028", "\u202e", "\u2066", "\ud800"])
@pytest.mark.parametrize("field", ["name", "remark", "utm_source", "utm_term", "landing_page"])
def test_no_text_may_hold_a_control_character(field, character):
    bad = f"a{character}b"
    change = {
        "utm_source": {"utm": Utm(bad)},
        "utm_term": {"utm": Utm("poster", term=bad)},
    }.get(field, {field: bad})

    assert (field, "control_character", None, None, "") == refused(**change)


def test_emoji_that_are_joined_by_a_joiner_are_no_control_characters():
    assert "👩‍🍳 cook" == checked(draft(name="👩‍🍳 cook")).name


def test_a_remark_may_have_500_characters_and_line_breaks():
    assert "a\n\tb" == checked(draft(remark="a\n\tb")).remark
    assert ("remark", "too_long", 500, 501, "characters") == refused(remark="r" * 501)


def test_the_source_is_required():
    assert ("utm_source", "required", None, None, "") == refused(utm=Utm(" ", campaign="autumn"))


@pytest.mark.parametrize("name", ["source", "campaign", "medium", "content", "term"])
def test_utm_values_over_128_characters_are_refused_and_not_cut(name):
    utm = Utm(**({"source": "poster"} | {name: "码" * 129}))

    assert (f"utm_{name}", "too_long", 128, 129, "characters") == refused(utm=utm, kind="wxacode_unlimited")


def test_an_unknown_kind_is_refused():
    assert ("kind", "unknown", None, None, "") == refused(kind="wxacode_wrong")


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_checks_the_width(kind):
    change = {"kind": kind, "landing_page": "pages/index/index"}

    assert ("width", "out_of_range", 280, 279, "px") == refused(options=Options(279), **change)
    assert ("width", "out_of_range", 1280, 1281, "px") == refused(options=Options(1281), **change)
    assert 280 == checked(draft(options=Options(280), **change)).options.width_px
    assert 1280 == checked(draft(options=Options(1280), **change)).options.width_px


def test_checked_text_counts_characters_and_not_bytes():
    assert "茶" * 10 == checked_text("name", "茶" * 10, most=10)


def test_search_text_is_the_same_in_every_case():
    assert search_text("CAFÉ Straße") == search_text("cafe\u0301 STRASSE")
