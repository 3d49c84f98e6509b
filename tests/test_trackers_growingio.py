"""GrowingIO's protocol beyond what its recordings show."""

import json

import pytest

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers import GROWINGIO, TrackerRequest
from fab_minicode.utm import Utm
from tests.lzpack import compress_to_utf16

VISIT = {
    "eventType": "VISIT",
    "appChannel": "scn:1047",
    "deviceId": "9a2817cd-2920-415f-88a8-2dba4791ae30",
    "sessionId": "7f035380-cd0b-4040-b08d-3dea2a0c111c",
    "timestamp": 1_790_000_000_014,
    "eventSequenceId": 1,
    "path": "pages/a",
    "query": "utm_source=poster",
}
CUSTOM = {**VISIT, "eventType": "CUSTOM", "eventName": "order_paid", "eventSequenceId": 2, "attributes": {"a": {}}}


def parse(*events, query="compress=0", headers=(), body=None, max_bytes=1 << 20):
    body = json.dumps(list(events)).encode() if body is None else body
    return GROWINGIO.parse(TrackerRequest("POST", query, dict(headers), body, max_bytes))


def identity(**changes):
    ((_, event),) = parse({**VISIT, **changes}).events
    return event.identity


def refused(**options):
    with pytest.raises(CollectRejected) as found:
        parse(**options)
    return found.value.status, found.value.code


@pytest.mark.parametrize("kind", ["PAGE", "APP_CLOSED", "VIEW_CLICK", "FORM_SUBMIT", "visit", "", None, 5, []])
def test_other_events_are_ignored_not_refused(kind):
    parsed = parse({**VISIT, "eventType": kind}, VISIT)

    assert (1, (), 1) == (len(parsed.events), parsed.rejected, parsed.ignored)


def test_five_facts_make_an_event_the_same():
    assert identity() == identity(query="utm_source=other", userId="after login", path="pages/b", unknown=1)
    others = {
        identity(deviceId="d"),
        identity(sessionId="s"),
        identity(timestamp=1_790_000_000_015),
        identity(eventType="CUSTOM", eventName="x"),
        identity(eventSequenceId=2),
        identity(eventSequenceId=None),
        identity(sessionId=None),
    }

    assert 8 == len({identity(), *others})


def test_parts_of_an_identity_do_not_run_into_each_other():
    assert identity(deviceId="a", sessionId="bc") != identity(deviceId="ab", sessionId="c")


@pytest.mark.parametrize(
    "reason, changes",
    [
        ("visitor_missing", {"deviceId": None}),
        ("visitor_missing", {"deviceId": ""}),
        ("visitor_invalid", {"deviceId": []}),
        ("time_missing", {"timestamp": None}),
        ("time_invalid", {"timestamp": "now"}),
        ("name_missing", {"eventType": "CUSTOM"}),
        ("name_too_long", {"eventType": "CUSTOM", "eventName": "x" * 101}),
    ],
)
def test_a_bad_event_is_refused_with_a_reason(reason, changes):
    parsed = parse(VISIT, {**VISIT, **changes})

    assert [(1, reason)] == [(rejection.index, rejection.reason) for rejection in parsed.rejected]
    assert 1 == len(parsed.events)


@pytest.mark.parametrize("options", [{"query": "stm=1&compress=1"}, {"headers": {"X-Compress-Codec": "1"}}])
def test_packed_bodies_are_unpacked(options):
    body = compress_to_utf16(json.dumps([VISIT, CUSTOM], ensure_ascii=False)).encode("utf-8")
    parsed = parse(body=body, **options)

    assert [None, "order_paid"] == [event.name for _, event in parsed.events]
    assert Utm("poster") == parsed.events[0][1].entry.utm


def test_a_bomb_is_too_large():
    body = compress_to_utf16("[" + " " * 300_000 + "]").encode("utf-8")

    assert (413, "too_large") == refused(body=body, query="compress=1", max_bytes=64 * 1024)


@pytest.mark.parametrize(
    "body, query",
    [
        (b"\xff\xfe", "compress=1"),
        (b"[]", "compress=1"),
        (b"", "compress=1"),
        (b"", ""),
        (b"{}", ""),
        (b"null", ""),
        (b"[1", ""),
    ],
)
def test_a_body_that_is_no_list_is_refused(body, query):
    assert (400, "malformed") == refused(body=body, query=query)


def test_the_referer_and_env_version_tell_test_traffic():
    headers = {"Referer": "https://servicewechat.com/wx0123456789abcdef/0/page-frame.html"}

    assert [True, True] == [event.is_test for _, event in parse(VISIT, CUSTOM, headers=headers).events]
    assert [True, False] == [event.is_test for _, event in parse({**VISIT, "env_version": "trial"}, CUSTOM).events]


def test_without_a_number_the_name_tells_two_events_of_a_millisecond_apart():
    unnumbered = {"eventType": "CUSTOM", "eventSequenceId": None}

    assert identity(**unnumbered, eventName="a") == identity(**unnumbered, eventName="a")
    assert identity(**unnumbered, eventName="a") != identity(**unnumbered, eventName="b")
