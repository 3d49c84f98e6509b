"""Our own protocol."""

import json

import pytest

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers import NATIVE, TrackerRequest
from fab_minicode.trackers.fields import MAX_EVENTS
from fab_minicode.utm import Utm

VISIT = {
    "id": "a-1",
    "type": "visit",
    "visitor": "device-1",
    "time_ms": 1_790_000_000_000,
    "path": "pages/a",
    "query": "utm_source=poster",
    "scene": 1047,
}


def parse(*events, referer=None, envelope=None):
    body = json.dumps({"events": list(events)} if envelope is None else envelope).encode()
    headers = {"Referer": referer} if referer else {}
    return NATIVE.parse(TrackerRequest("POST", "", headers, body, 1 << 20))


def only(*events, **options):
    parsed = parse(*events, **options)

    assert parsed.rejected == ()
    return parsed.events[0][1]


def reason(**changes):
    event = {key: value for key, value in {**VISIT, **changes}.items() if value is not ...}
    (rejection,) = parse(event).rejected
    return rejection.reason


def test_a_visit_carries_its_entry():
    event = only(VISIT)

    assert ("a-1", "device-1", None, 1_790_000_000_000, False) == (*event[:4], event.is_test)
    assert ("pages/a", "1047", Utm("poster")) == (event.entry.landing_page, event.entry.scene, event.entry.utm)


def test_a_custom_event_has_a_name_and_no_entry():
    event = only({**VISIT, "type": "custom", "name": " order_paid "})

    assert ("order_paid", None) == (event.name, event.entry)


def test_a_visit_s_name_is_ignored_like_every_unknown_key():
    assert only({**VISIT, "name": "$x", "unknown": {"a": [1]}}).name is None


@pytest.mark.parametrize(
    "query, source",
    [
        ({"utm_source": "海报"}, "海报"),
        ({"utm_source": "%E6%B5%B7%E6%8A%A5"}, "海报"),
        ({"utm_source": "a&b=c"}, "a&b=c"),
        ({"utm_source": "50% off"}, "50% off"),
        ({"utm_source": "50%25 & more"}, "50% & more"),
        ({"utm_source": 7}, "7"),
        ({"UTM_source": "x"}, "x"),
        ({"q": "https%3A%2F%2Fe.com%2F%3Futm_source%3Dleaflet"}, "leaflet"),
        ({"q": "https://e.com/?a=1&utm_source=leaflet"}, "leaflet"),
        ("?utm_source=x", "x"),
    ],
)
def test_a_query_is_text_or_an_object_and_is_decoded_once(query, source):
    assert Utm(source) == only({**VISIT, "query": query}).entry.utm


@pytest.mark.parametrize("query", [{"scene": "c%3D8F3kQ2"}, {"scene": "c=8F3kQ2"}, "scene=c%3D8F3kQ2"])
def test_a_scene_in_the_query_is_interface_b_s(query):
    assert "8F3kQ2" == only({**VISIT, "query": query}).entry.short_key


@pytest.mark.parametrize("query", [None, 5, [], [["a", "x"]], {"utm_source": ["x"]}, {"utm_source": None}, {"a": {}}])
def test_an_odd_query_is_no_touch_and_no_reason_to_refuse(query):
    assert Utm() == only({**VISIT, "query": query}).entry.utm


REASONS = [
    ("id_missing", {"id": ...}),
    ("id_missing", {"id": ""}),
    ("id_missing", {"id": None}),
    ("id_invalid", {"id": "x" * 129}),
    ("id_invalid", {"id": 1.5}),
    ("id_invalid", {"id": True}),
    ("id_invalid", {"id": 2**63}),
    ("id_invalid", {"id": ["a"]}),
    ("type_missing", {"type": ...}),
    ("type_unknown", {"type": "VISIT"}),
    ("type_unknown", {"type": []}),
    ("visitor_missing", {"visitor": ...}),
    ("visitor_missing", {"visitor": ""}),
    ("visitor_invalid", {"visitor": "x" * 257}),
    ("visitor_invalid", {"visitor": {}}),
    ("time_missing", {"time_ms": ...}),
    ("time_missing", {"time_ms": None}),
    ("time_invalid", {"time_ms": "1790000000000"}),
    ("time_invalid", {"time_ms": 0}),
    ("time_invalid", {"time_ms": -1}),
    ("time_invalid", {"time_ms": 2**53 + 1}),
    ("time_invalid", {"time_ms": 2**63}),
    ("time_invalid", {"time_ms": 10**400}),
    ("time_invalid", {"time_ms": 1.5}),
    ("time_invalid", {"time_ms": True}),
    ("name_missing", {"type": "custom"}),
    ("name_missing", {"type": "custom", "name": ""}),
    ("name_invalid", {"type": "custom", "name": 5}),
    ("name_invalid", {"type": "custom", "name": " \x00\ud800 "}),
    ("name_too_long", {"type": "custom", "name": "x" * 101}),
    # One character that is two once normalised.
    ("name_too_long", {"type": "custom", "name": "\u0958" * 100}),
    ("name_reserved", {"type": "custom", "name": "$MPShow"}),
    ("name_reserved", {"type": "custom", "name": " $MPShow"}),
]


@pytest.mark.parametrize("word, changes", REASONS, ids=[f"{word}-{number}" for number, (word, _) in enumerate(REASONS)])
def test_a_bad_event_is_refused_with_a_reason(word, changes):
    assert word == reason(**changes)


def test_limits_themselves_are_allowed():
    limits = {"id": "i" * 128, "visitor": "v" * 256, "name": "名" * 100, "time_ms": 2**53}
    event = only({**VISIT, "type": "custom", **limits})

    assert ("名" * 100, 2**53) == (event.name, event.time_ms)


def test_numbers_serve_as_ids_and_a_whole_float_as_time():
    event = only({**VISIT, "id": 12, "visitor": 34, "time_ms": 1_790_000_000_000.0})

    assert ("12", "34", 1_790_000_000_000) == (*event[0:2], event.time_ms)


def test_one_bad_event_never_sinks_its_batch():
    parsed = parse(5, VISIT, None, {**VISIT, "type": "?"}, [VISIT], {**VISIT, "id": "a-2"})

    assert [1, 5] == [index for index, _ in parsed.events]
    assert [(0, "not_an_object"), (2, "not_an_object"), (3, "type_unknown"), (4, "not_an_object")] == [
        (rejection.index, rejection.reason) for rejection in parsed.rejected
    ]


@pytest.mark.parametrize("envelope", [[], [VISIT], {}, {"events": {}}, {"events": None}, "events", 1, {"EVENTS": []}])
def test_a_body_of_another_form_is_refused(envelope):
    with pytest.raises(CollectRejected) as refused:
        parse(envelope=envelope)

    assert (400, "malformed") == (refused.value.status, refused.value.code)


def test_an_empty_batch_is_nothing():
    assert ((), (), 0) == (parse().events, parse().rejected, parse().ignored)


def test_too_many_events_are_refused_as_a_whole():
    assert MAX_EVENTS == len(parse(*[VISIT] * MAX_EVENTS).events)
    with pytest.raises(CollectRejected) as refused:
        parse(*[VISIT] * (MAX_EVENTS + 1))

    assert (413, "too_many_events") == (refused.value.status, refused.value.code)


@pytest.mark.parametrize(
    "referer, is_test",
    [
        ("https://servicewechat.com/wx0123456789abcdef/0/page-frame.html", True),
        ("https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html", True),
        ("https://servicewechat.com/wxsomebodyelse/0/page-frame.html", True),
        ("https://servicewechat.com/wx0123456789abcdef/57/page-frame.html", False),
        ("https://servicewechat.com/wx0123456789abcdef/10/page-frame.html", False),
        ("https://servicewechat.com/wxsomebodyelse/57/page-frame.html", False),
        ("https://example.com/wx0123456789abcdef/0/page-frame.html", False),
        ("0", False),
        (None, False),
    ],
)
def test_the_referer_tells_test_traffic(referer, is_test):
    assert is_test == only(VISIT, referer=referer).is_test


@pytest.mark.parametrize(
    "version, is_test",
    [("release", False), ("", False), (None, False), (0, False), ("develop", True), ("trial", True), ("gray", True)],
)
def test_env_version_tells_test_traffic(version, is_test):
    assert is_test == only({**VISIT, "env_version": version}).is_test
