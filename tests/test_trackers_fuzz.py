"""Whatever strangers send: events, reasons, or CollectRejected; never another exception."""

import base64
import gzip
import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers import TRACKERS, TrackerRequest
from tests.lzpack import compress_to_utf16

FUZZ = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
WORDS = [
    *("events", "id", "type", "name", "visitor", "time_ms", "path", "query", "scene", "env_version", "visit", "custom"),
    *(
        "eventType",
        "eventName",
        "deviceId",
        "sessionId",
        "timestamp",
        "eventSequenceId",
        "appChannel",
        "VISIT",
        "CUSTOM",
    ),
    *("event", "$MPShow", "track", "properties", "distinct_id", "anonymous_id", "identities", "_track_id", "time"),
    *(
        "$url_query",
        "$url_path",
        "$scene",
        "$utm_source",
        "$utm_term",
        "utm_source=a&q=https://b?c",
        "scene=c%3D8F3kQ2",
    ),
]
# Text with lone surrogates and NUL, as JSON escapes can spell them.
texts = st.sampled_from(WORDS) | st.text(st.characters(exclude_categories=()), max_size=12)
numbers = st.integers() | st.floats() | st.sampled_from([2**53, 2**63, -(2**63), 10**300, 1_790_000_000_000])
leaves = st.none() | st.booleans() | numbers | texts
values = st.deferred(lambda: leaves | st.lists(values, max_size=4) | st.dictionaries(texts, values, max_size=8))
events = st.lists(st.dictionaries(texts, values, max_size=14) | values, max_size=4)


def check(tracker, query="", body=b"", headers=()):
    """Parse, and see that what came out is safe to store."""
    try:
        parsed = tracker.parse(TrackerRequest("POST", query, dict(headers), body, 64 * 1024))
    except CollectRejected:
        return
    for _, event in parsed.events:
        assert event.identity
        assert event.visitor
        assert 0 < event.time_ms <= 2**53
        kept = [event.name or "x"] if event.entry is None else [event.entry.landing_page, event.entry.query]
        assert all("\x00" not in text and text.encode("utf-8") is not None for text in kept)


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda tracker: tracker.name)
@FUZZ
@given(st.binary(max_size=200), st.binary(max_size=60))
def test_any_bytes(tracker, query, body):
    check(tracker, query.decode("latin-1"), body)
    check(tracker, "compress=1&gzip=1&data=" + quote(base64.b64encode(query).decode(), safe=""), body)


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda tracker: tracker.name)
@FUZZ
@given(events, st.sampled_from(["plain", "packed"]))
def test_any_json(tracker, found, form):
    text = json.dumps({"events": found} if tracker.name == "native" else found)
    if tracker.name == "sensors":
        data = gzip.compress(text.encode()) if form == "packed" else text.encode()
        query, body = f"gzip={int(form == 'packed')}", b"data_list=" + quote(base64.b64encode(data).decode()).encode()
    elif form == "packed" and tracker.name == "growingio":
        query, body = "compress=1", compress_to_utf16(text).encode()
    else:
        query, body = "", text.encode()
    check(tracker, query, body)


@st.composite
def nearly_right(draw):
    """Events of all three protocols at once, with a few values replaced."""
    times = dict.fromkeys(("time_ms", "timestamp", "time"), 1_790_000_000_000)
    ids = dict.fromkeys(("id", "visitor", "deviceId", "sessionId", "anonymous_id", "_track_id"), "1")
    kinds = {"type": "visit", "eventType": "VISIT", "event": "$MPShow"}
    carried = {"path": "pages/a", "query": "utm_source=a&scene=c%3D8F3kQ2", "scene": 1047}
    properties = {"$url_query": "utm_source=a", "$utm_source": "a"}
    event = {**times, **ids, **kinds, **carried, "properties": properties}
    for key in draw(st.lists(st.sampled_from(list(event)), max_size=4)):
        event[key] = draw(values)
    event["type"] = draw(st.sampled_from([event["type"], "track", "custom"]))
    return event


@pytest.mark.parametrize("tracker", TRACKERS, ids=lambda tracker: tracker.name)
@FUZZ
@given(st.lists(nearly_right(), max_size=3))
def test_nearly_right_events(tracker, found):
    text = json.dumps({"events": found} if tracker.name == "native" else found).encode()
    body = b"data_list=" + quote(base64.b64encode(text).decode()).encode() if tracker.name == "sensors" else text
    check(tracker, body=body)
