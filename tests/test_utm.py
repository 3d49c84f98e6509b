"""UTM values: what is composed, what is read back, and the key by which a visit finds its code."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fab_minicode.utm import (
    MAX_VALUE_CHARACTERS,
    UTM_FIELDS,
    Utm,
    byte_length,
    compose_path,
    escape,
    match_key,
    normalise,
    read_utm,
    split_query,
    unescape,
)

TEXTS = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=MAX_VALUE_CHARACTERS)
VALUES = TEXTS.map(normalise)
UTMS = st.builds(Utm, VALUES.filter(bool), VALUES, VALUES, VALUES, VALUES)


def test_the_documented_path():
    utm = Utm("poster", "50% & more", "print", "a=b?c#d+e", '"quoted" text')
    expected = (
        "pages/lists/lists?listID=123&utm_source=poster&utm_campaign=50%25%20%26%20more&utm_medium=print"
        "&utm_content=a%3Db%3Fc%23d%2Be&utm_term=%22quoted%22%20text"
    )

    assert expected == compose_path("pages/lists/lists?listID=123", utm)


def test_empty_values_are_left_out_and_the_order_is_fixed():
    assert "p?utm_source=s&utm_term=t" == compose_path("p", Utm("s", term="t"))
    assert ("utm_source", "utm_campaign", "utm_medium", "utm_content", "utm_term") == UTM_FIELDS
    assert "p" == compose_path("p", Utm())


def test_chinese_stays_as_it_is():
    assert "p?utm_source=微信-A_b.c~1" == compose_path("p", Utm("微信-A_b.c~1"))
    assert 13 + 6 + 8 == byte_length("p?utm_source=微信-A_b.c~1")


@pytest.mark.parametrize("number", range(0x21, 0x7F))
def test_every_ascii_character_survives(number):
    character = chr(number)
    composed = compose_path("p", Utm(f"a{character}b"))

    assert Utm(f"a{character}b") == read_utm(composed.partition("?")[2])
    assert composed.isascii()
    assert 1 == composed.count("?")


@given(UTMS)
def test_what_is_composed_is_read_back(utm):
    assert utm == read_utm(compose_path("pages/index", utm).partition("?")[2])


@given(UTMS)
def test_what_wechat_hands_over_decoded_is_read_back_too(utm):
    # Not a value that looks like an escape itself, or that holds the query's own signs: those are lost on the way.
    plain = Utm(*(value.replace("%", "").replace("&", "") for value in (utm.source, utm.campaign)))
    if not plain.source:
        return

    assert plain == read_utm("&".join(f"{key}={value}" for key, value in plain.pairs()))


@given(TEXTS)
def test_escape_and_unescape_are_each_others_inverse(text):
    assert text == unescape(escape(text))


@given(st.text())
def test_reading_never_fails_and_its_values_fit(query):
    utm = read_utm(query)

    assert all(len(value) <= MAX_VALUE_CHARACTERS for _, value in utm.pairs())
    assert bool(utm) is bool(utm.source)
    for _, value in utm.pairs():
        assert value == normalise(value)
        value.encode("utf-8")


def test_values_are_decoded_exactly_once():
    assert "100%25" == unescape("100%2525")
    assert "50%" == unescape("50%")
    assert "%zz" == unescape("%zz")
    assert "%ff" == unescape("%ff")
    assert "a+b" == unescape("a+b")
    assert "茶" == unescape("%E8%8C%B6")


@pytest.mark.parametrize(
    "query, expected",
    [
        ("", Utm()),
        ("utm_campaign=c", Utm()),
        ("utm_source=&utm_source=s", Utm("s")),
        ("utm_source=first&utm_source=second", Utm("first")),
        ("UTM_Source=Poster", Utm("Poster")),
        ("utm%5Fsource=s", Utm("s")),
        ("utm_source=a=b", Utm("a=b")),
        ("&&utm_source=s&", Utm("s")),
        ("utm_source=%20%09s%00%20", Utm("s")),
        ("utm_source=" + "码" * 200, Utm("码" * 128)),
        ("utm_source=Cafe%CC%81", Utm("Café")),
        ("utm_source=s&utm_medium=m&utm_unknown=x", Utm("s", medium="m")),
    ],
)
def test_a_query_is_read(query, expected):
    assert expected == read_utm(query)


def test_a_query_is_split_at_the_first_equals_sign():
    assert (("a", "1=2"), ("b", ""), ("c", "")) == split_query("a=1=2&b=&&c")


# ------------------------------------------------------------------------------------------------------ match key


def test_the_match_key_is_the_same_on_paper_and_in_a_visit():
    utm = Utm("微信", "50%")
    planned = match_key("pages/a", "shop=3&b=茶", utm)
    encoded = "b=%E8%8C%B6&utm_source=%E5%BE%AE%E4%BF%A1&shop=3&utm_campaign=50%25&scancode_time=1700000000"

    assert planned == match_key("pages/a", encoded, read_utm(encoded))
    assert 32 == len(planned)


@pytest.mark.parametrize(
    "page, query, utm",
    [
        ("pages/b", "shop=3", Utm("s")),
        ("pages/a", "shop=4", Utm("s")),
        ("pages/a", "shop=3&shop=3", Utm("s")),
        ("pages/a", "", Utm("s")),
        ("pages/a", "Shop=3", Utm("s")),
        ("pages/a", "shop=3", Utm("S")),
        ("pages/a", "shop=3", Utm("s", medium="m")),
        ("pages/a", "shop=3", Utm("s", content="m")),
    ],
)
def test_another_page_query_or_utm_is_another_key(page, query, utm):
    assert match_key("pages/a", "shop=3", Utm("s")) != match_key(page, query, utm)


@given(st.text(), st.text())
def test_a_match_key_is_made_of_anything(page, query):
    assert 32 == len(match_key(page, query, Utm("s")))


def test_a_tracker_that_does_not_encode_still_finds_its_code():
    utm = Utm("partner & co")

    assert match_key("pages/a", "id=1", utm) == match_key("pages/a", "id=1&utm_source=partner & co", utm)
