"""Sensors' protocol beyond what its recordings show."""

import base64
import gzip
import json
import zlib
from urllib.parse import quote

import pytest

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers import SENSORS, TrackerRequest
from fab_minicode.utm import Utm

PROPERTIES = {"$url_path": "pages/a", "$url_query": "", "$scene": "wx-1047", "$latest_utm_source": "yesterday"}
SHOW = {
    "type": "track",
    "event": "$MPShow",
    "distinct_id": "person",
    "anonymous_id": "device",
    "_track_id": 318600015,
    "time": 1_790_000_000_015,
    "_flush_time": 1_790_000_000_099,
    "properties": PROPERTIES,
}


def pack(value, *, squeeze=None):
    text = json.dumps(value).encode()
    return base64.b64encode(squeeze(text) if squeeze else text).decode()


def request(method="GET", query="", body=b"", headers=(), max_bytes=1 << 20):
    return SENSORS.parse(TrackerRequest(method, query, dict(headers), body, max_bytes))


def parse(*events, headers=()):
    return request("POST", "project=key", b"data_list=" + quote(pack(list(events)), safe="").encode(), headers)


def show(**properties):
    """The entry of one ``$MPShow``."""
    ((_, event),) = parse({**SHOW, "properties": {**PROPERTIES, **properties}}).events
    return event.entry


def refused(**options):
    with pytest.raises(CollectRejected) as found:
        request(**options)
    return found.value.status, found.value.code


@pytest.mark.parametrize(
    "options",
    [
        {"query": f"project=key&data={quote(pack(SHOW), safe='')}"},
        {"query": f"project=key&data={quote(pack([SHOW]), safe='')}"},
        {"query": f"project=key&data={pack(SHOW)}&ext=crc%3D-1226497353"},
        {"query": f"project=key&data={pack(SHOW).rstrip('=')}"},
        {"query": f"project=key&data={pack(SHOW).replace('+', ' ')}"},
        {"query": f"project=key&data={quote(pack(SHOW, squeeze=gzip.compress), safe='')}&gzip=1"},
        {"method": "POST", "query": "project=key", "body": b"data=" + quote(pack(SHOW), safe="").encode()},
        {"method": "POST", "query": "project=key", "body": b"data_list=" + pack([SHOW]).encode() + b"&crc=5"},
        {"method": "POST", "body": b"gzip=1&data_list=" + quote(pack([SHOW], squeeze=gzip.compress)).encode()},
        {"method": "POST", "body": b"gzip=1&data_list=" + quote(pack([SHOW], squeeze=zlib.compress)).encode()},
    ],
)
def test_every_way_of_sending_is_read(options):
    ((_, event),) = request(**options).events

    assert ("device", None, 1_790_000_000_015) == (event.visitor, event.name, event.time_ms)


@pytest.mark.parametrize(
    "options",
    [
        {"query": "project=key"},
        {"query": "project=key&data="},
        {"query": "data=%%%"},
        {"query": "data=a"},
        {"query": "data=%FF%FE"},
        {"query": f"data={base64.b64encode(b'nonsense').decode()}"},
        {"query": f"data={pack(SHOW)}&gzip=1"},
        {"query": f"data={base64.b64encode(gzip.compress(b'[]')[:-9]).decode()}&gzip=1"},
        {"method": "POST", "body": b"\xff\xfe"},
        {"method": "POST", "body": b"data_list=" + b"!" * 50},
        {"method": "POST", "body": json.dumps([SHOW]).encode()},
    ],
)
def test_what_cannot_be_unpacked_is_refused(options):
    assert (400, "malformed") == refused(**options)


def test_a_gzip_bomb_is_too_large():
    bomb = base64.b64encode(gzip.compress(b" " * 50_000_000)).decode()

    assert len(bomb) < 70_000
    assert (413, "too_large") == refused(query=f"data={quote(bomb, safe='')}&gzip=1", max_bytes=64 * 1024)


def test_what_unpacks_to_the_limit_is_read():
    text = json.dumps([SHOW]).encode()
    query = f"data={quote(base64.b64encode(gzip.compress(text)).decode(), safe='')}&gzip=1"

    assert 1 == len(request(query=query, max_bytes=len(text)).events)
    assert (413, "too_large") == refused(query=query, max_bytes=len(text) - 1)


@pytest.mark.parametrize(
    "changes",
    [{"event": name} for name in ("$MPLaunch", "$MPHide", "$MPViewScreen", "$AnythingElse")]
    + [{"type": kind} for kind in ("profile_set", "profile_set_once", "track_signup", "item_set", None, 5, [])],
)
def test_other_events_are_ignored_not_refused(changes):
    parsed = parse({**SHOW, **changes}, SHOW)

    assert (1, (), 1) == (len(parsed.events), parsed.rejected, parsed.ignored)


def test_a_cold_start_is_one_visit():
    parsed = parse({**SHOW, "event": "$MPLaunch", "_track_id": 1}, SHOW)

    assert [None] == [event.name for _, event in parsed.events]


def test_the_utm_values_are_this_entry_s_and_never_the_sticky_ones():
    assert Utm() == show().utm
    assert Utm("poster", medium="wall") == show(**{"$utm_source": "poster", "$utm_medium": "wall"}).utm


def test_the_sdk_has_decoded_its_values_already():
    assert Utm("50%25") == show(**{"$utm_source": "50%25"}).utm
    assert Utm("a%20b", "c%20d") == show(**{"$url_query": "UTM_SOURCE=a%20b&utm_campaign=c%20d"}).utm


def test_a_value_keeps_its_ampersand():
    query = "id=42&utm_source=partner|mini & co&utm_medium=cross=app"
    own = {"$utm_source": "partner|mini & co", "$utm_medium": "cross=app"}

    assert Utm("partner|mini & co", medium="cross=app") == show(**own, **{"$url_query": query}).utm


def test_the_query_s_values_are_never_mixed_with_those_of_a_link():
    """The SDK lets the values of ``q`` win, one by one."""
    mixed = {"$utm_source": "poster", "$utm_campaign": "of the link"}
    overruled = {"$utm_source": "of the link", "$utm_campaign": "of the link"}

    assert Utm("poster") == show(**mixed, **{"$url_query": "utm_source=poster&scancode_time=1"}).utm
    assert Utm("poster") == show(**overruled, **{"$url_query": "utm_source=poster&scancode_time=1"}).utm
    assert Utm("of the link", "of the link") == show(**overruled, **{"$url_query": "scancode_time=1"}).utm


def test_a_link_that_the_sdk_left_alone_is_read():
    assert Utm("leaflet") == show(**{"$url_query": "q=https://example.com/?utm_source=leaflet&scancode_time=1"}).utm


@pytest.mark.parametrize("query", ["scene=c=8F3kQ2", "scene=c%3D8F3kQ2", "Scene=c=8F3kQ2&x=1"])
def test_a_b_scene_is_read_from_the_query(query):
    assert "8F3kQ2" == show(**{"$url_query": query}).short_key


@pytest.mark.parametrize(
    "properties", [None, [], "x", {"$url_path": [], "$url_query": 5, "$scene": {}, "$utm_term": []}]
)
def test_odd_properties_are_no_touch_and_no_reason_to_refuse(properties):
    ((_, event),) = parse({**SHOW, "properties": properties}).events

    assert (Utm(), None) == (event.entry.utm, event.entry.scene)


@pytest.mark.parametrize(
    "changes, visitor",
    [
        ({}, "device"),
        ({"anonymous_id": None, "identities": {"$identity_anonymous_id": "a", "$identity_mp_id": "m"}}, "a"),
        ({"anonymous_id": "", "identities": {"$identity_mp_id": "m"}}, "m"),
        ({"anonymous_id": None, "identities": []}, "person"),
        ({"anonymous_id": None}, "person"),
    ],
)
def test_a_visitor_is_the_device_before_and_after_login(changes, visitor):
    ((_, event),) = parse({**SHOW, **changes}).events

    assert visitor == event.visitor


def test_three_facts_make_an_event_the_same():
    def identity(**changes):
        ((_, event),) = parse({**SHOW, **changes}).events
        return event.identity

    assert identity() == identity(_flush_time=5, properties={}, anonymous_id="other")
    others = {identity(_track_id=1), identity(time=1), identity(distinct_id="other"), identity(_track_id=None)}

    assert 5 == len({identity(), *others})
    assert identity(_track_id=None) != identity(_track_id=None, event="order_paid")


@pytest.mark.parametrize(
    "reason, changes",
    [
        ("visitor_missing", {"anonymous_id": None, "distinct_id": None}),
        ("visitor_invalid", {"anonymous_id": ["x"]}),
        ("time_missing", {"time": None}),
        ("time_invalid", {"time": -5}),
        ("name_missing", {"event": None}),
        ("name_invalid", {"event": 5}),
        ("name_too_long", {"event": "x" * 101}),
    ],
)
def test_a_bad_event_is_refused_with_a_reason(reason, changes):
    parsed = parse({**SHOW, **changes}, SHOW)

    assert [(0, reason)] == [(rejection.index, rejection.reason) for rejection in parsed.rejected]


def test_the_referer_and_env_version_tell_test_traffic():
    headers = {"Referer": "https://servicewechat.com/wx0123456789abcdef/devtools/page-frame.html"}
    trial = {**SHOW, "properties": {**PROPERTIES, "env_version": "trial"}}

    assert [True] == [event.is_test for _, event in parse(SHOW, headers=headers).events]
    assert [False, True] == [event.is_test for _, event in parse(SHOW, trial).events]
