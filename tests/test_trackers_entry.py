"""What one visit carried: one source of UTM values, decoded exactly once."""

import json
from dataclasses import astuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fab_minicode.scene import compose_scene, mint_key
from fab_minicode.trackers.entry import MAX_PAGE_CHARACTERS, MAX_QUERY_CHARACTERS, read_entry
from fab_minicode.utm import Utm, compose_path, normalise

LINK = "https%3A%2F%2Fexample.com%2Fr%3Futm_source%3Dleaflet%26utm_campaign%3Dspring"
OPEN_LINK = "https://example.com/r?utm_campaign=spring&utm_source=leaflet&utm_medium=print"


def utm_of(query):
    return read_entry("pages/a", query, None).utm


@pytest.mark.parametrize("query", ["scene=c%3D8F3kQ2", "scene=c=8F3kQ2", "scene=c%253D8F3kQ2", "SCENE=c%3D8F3kQ2&x=1"])
def test_a_b_scene_is_read_encoded_decoded_or_encoded_twice(query):
    assert "8F3kQ2" == read_entry("pages/a", query, 1047).short_key


@pytest.mark.parametrize(
    "query", ["scene=abc", "scene=c%3D", "scene=c%3Da%20b", "scene=d%3D8F3k", "scenes=c%3D8F3kQ2", ""]
)
def test_a_scene_that_is_not_ours_is_none(query):
    assert read_entry("pages/a", query, 1047).short_key is None


def test_utm_values_beside_a_scene_are_kept_for_an_unknown_key():
    entry = read_entry("pages/a", "scene=c%3D8F3kQ2&utm_source=poster", None)

    assert ("8F3kQ2", Utm("poster")) == (entry.short_key, entry.utm)


def test_keys_compare_case_insensitively_and_values_keep_their_case():
    assert Utm("PoSter", medium="WALL") == utm_of("UTM_Source=PoSter&utm_MEDIUM=WALL")


@pytest.mark.parametrize(
    "query, source",
    [
        ("utm_source=%E6%B5%B7%E6%8A%A5", "海报"),
        ("utm_source=海报", "海报"),
        ("utm_source=50%25", "50%"),
        ("utm_source=50%2525", "50%25"),
        ("utm_source=50% off", "50% off"),
        ("utm_source=a+b", "a+b"),
        ("utm_source=a%2Bb", "a+b"),
        ("utm_source=a=b", "a=b"),
        ("utm_source=%00a%00", "a"),
        ("utm_source=%E6%B5", "%E6%B5"),
        ("utm_source=&utm_source=second", "second"),
    ],
)
def test_a_value_is_decoded_exactly_once(query, source):
    assert Utm(source) == utm_of(query)


@pytest.mark.parametrize("query", ["utm_campaign=spring", "utm_source=", "utm_source=%20", "source=a", "utm_source"])
def test_without_a_source_there_is_no_touch(query):
    assert Utm() == utm_of(query)


@pytest.mark.parametrize(
    "query", [f"q={LINK}", f"q={LINK}&scancode_time=1790000000", f"Q={LINK.replace('%', '%25')}", f"id=4&q={LINK}"]
)
def test_utm_values_of_an_ordinary_link_are_read(query):
    assert Utm("leaflet", "spring") == utm_of(query)


def test_a_link_that_came_decoded_keeps_all_its_values():
    entry = read_entry("pages/a", f"id=4&q={OPEN_LINK}&scancode_time=1790000000", None)

    assert Utm("leaflet", "spring", "print") == entry.utm
    assert "id=4&scancode_time=1790000000" == entry.query


def test_values_inside_of_a_link_are_decoded_once_more_than_the_link():
    assert Utm("海报") == utm_of("q=https%3A%2F%2Fexample.com%2F%3Futm_source%3D%25E6%25B5%25B7%25E6%258A%25A5%23top")


def test_the_query_goes_before_the_link_and_is_never_mixed_with_it():
    assert Utm("poster") == utm_of(f"utm_source=poster&q={LINK}")
    assert Utm("leaflet", "spring") == utm_of(f"utm_medium=wall&q={LINK}")


@pytest.mark.parametrize("query", ["q=shoes", "q=", "q=%E9%9E%8B", "q=https%3A%2F%2Fexample.com%2Fr"])
def test_a_q_that_is_no_link_with_utm_values_is_nothing(query):
    assert Utm() == utm_of(query)


def test_the_tracker_s_own_values_go_before_the_query():
    assert Utm("mine") == read_entry("pages/a", "utm_source=theirs", None, Utm("mine")).utm


@pytest.mark.parametrize(
    "scene, number",
    [
        *((given, "1047") for given in (1047, "1047", "scn:1047", "wx-1047")),
        *((given, None) for given in ("未取到值", "١٠٤٧", "1" * 9, "", None, True, -1, 10**30, 1047.0, [], {})),
    ],
)
def test_the_entry_scene_is_a_number_of_wechat_or_none(scene, number):
    assert number == read_entry("pages/a", "", scene).scene


def test_an_interface_b_scene_in_the_place_of_the_entry_scene_is_taken_for_what_it_is():
    entry = read_entry("pages/a", "x=1", "c%3D8F3kQ2")

    assert (None, "8F3kQ2") == (entry.scene, entry.short_key)


@pytest.mark.parametrize(
    "path, query, expected",
    [
        ("pages/a", "x=1", ("pages/a", "x=1")),
        ("/pages/a", "x=1", ("pages/a", "x=1")),
        ("pages/a?x=1", "", ("pages/a", "x=1")),
        ("pages/a?x=1", "y=2", ("pages/a", "y=2")),
        (None, None, ("", "")),
        (7, ["x"], ("7", "")),
        ("pages/\x00\ud800a", "x=\x00\ud8001", ("pages/a", "x=1")),
        ("p" * 5000, "q" * 5000, ("p" * MAX_PAGE_CHARACTERS, "q" * MAX_QUERY_CHARACTERS)),
    ],
)
def test_page_and_query_are_cleaned_and_bounded(path, query, expected):
    entry = read_entry(path, query, None)

    assert expected == (entry.landing_page, entry.query)


values = st.text(max_size=20).map(normalise)


@settings(max_examples=200, deadline=None)
@given(st.builds(Utm, values.filter(bool), values, values, values, values))
def test_what_we_print_is_what_we_read(utm):
    page, _, query = compose_path("pages/list/list?listID=123", utm).partition("?")

    assert astuple(utm) == astuple(read_entry(page, query, 1047).utm)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 3))
def test_a_minted_key_is_read_back_however_often_it_was_encoded(times):
    key = mint_key()
    scene = compose_scene(key).replace("=", "%" + "25" * max(times - 1, 0) + "3D") if times else compose_scene(key)

    assert (key if times <= 2 else None) == read_entry("pages/a", f"scene={scene}", 1047).short_key


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.text("&=%?#qscenutm_our:/1kQ", max_size=80) | st.text(max_size=60), st.text(max_size=9))
def test_any_text_is_read_and_clean(path, query, scene):
    entry = read_entry(path, query, scene)

    assert all("\x00" not in text for text in (entry.landing_page, entry.query, *astuple(entry.utm)))
    assert entry.query.encode() is not None


def test_what_an_ordinary_link_carried_matches_no_code():
    link = "q=https%3A%2F%2Fexample.com%2Fr%3Futm_source%3Dposter"
    own, linked = read_entry("pages/a", "utm_source=poster", 1011), read_entry("pages/a", link, 1011)

    assert own.utm == linked.utm
    assert json.loads(own.stored)[-1] is not None
    assert json.loads(linked.stored)[-1] is None
