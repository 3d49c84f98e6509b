"""
GrowingIO's open-source SDK: a JSON array of events, plain or packed by LZString. Pure.

Source: recordings of version 4.6.0 in tests/trackers/, field by field in docs/trackers.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers import fields, lzstring, strictjson
from fab_minicode.trackers.entry import read_entry
from fab_minicode.trackers.events import Event, Parsed, TrackerRequest
from fab_minicode.utm import split_query


def parse(request: TrackerRequest) -> Parsed:
    """
    Read ``VISIT`` and ``CUSTOM``; page views and the like are counted as ignored.

    Raises:
        CollectRejected: 400 when the body is no JSON array, 413 when it unpacks to too much.
    """
    items = strictjson.parse(_unpacked(request))
    if not isinstance(items, list):
        raise CollectRejected(400, "malformed")
    is_test = fields.is_test_referer(request.headers)
    return fields.read_all(items, partial(_event, is_test=is_test))


def _unpacked(request: TrackerRequest) -> bytes:
    compress = dict(split_query(request.query)).get("compress")
    if compress != "1" and request.headers.get("X-Compress-Codec") != "1":
        return request.body
    try:
        text = lzstring.decompress_from_utf16(request.body.decode("utf-8"), max_characters=request.max_bytes)
    except OverflowError:
        raise CollectRejected(413, "too_large") from None
    except ValueError:
        raise CollectRejected(400, "malformed") from None
    return text.encode("utf-8", "replace")


def _event(item: Mapping[str, Any], *, is_test: bool) -> Event | None:
    kind = item.get("eventType")
    if kind not in ("VISIT", "CUSTOM"):
        return None
    visitor = fields.required(item.get("deviceId"), "visitor", fields.MAX_VISITOR_CHARACTERS)
    time_ms = fields.time_ms(item.get("timestamp"))
    session = fields.text(item.get("sessionId"), fields.MAX_ID_CHARACTERS)
    name = fields.event_name(item.get("eventName")) if kind == "CUSTOM" else None
    # Without a number, only the name tells two events of one millisecond apart.
    number = fields.text(item.get("eventSequenceId"), fields.MAX_ID_CHARACTERS) or f"name {name}"
    return Event(
        fields.identity(visitor, session, time_ms, kind, number),
        visitor,
        name,
        time_ms,
        read_entry(item.get("path"), item.get("query"), item.get("appChannel")) if kind == "VISIT" else None,
        is_test or fields.is_test_version(item.get("env_version")),
        fields.optional(item["userId"], fields.MAX_VISITOR_CHARACTERS) if "userId" in item else None,
    )
