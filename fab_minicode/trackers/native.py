"""
Our own small protocol for servers and other SDKs: ``{"events": [{...}]}``. Pure.

``id``, ``type`` (``visit`` or ``custom``), ``visitor`` and ``time_ms`` are required, ``name`` for custom events;
``path``, ``query`` (text or object), ``scene``, ``env_version`` and ``user`` may be missing. Unknown keys are ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers import strictjson
from fab_minicode.trackers.entry import MAX_QUERY_CHARACTERS, read_entry
from fab_minicode.trackers.events import Entry, Event, Parsed, TrackerRequest
from fab_minicode.trackers.fields import (
    MAX_ID_CHARACTERS,
    MAX_VISITOR_CHARACTERS,
    EventRefused,
    clean,
    event_name,
    is_test_referer,
    is_test_version,
    optional,
    read_all,
    required,
    text,
    time_ms,
)
from fab_minicode.utm import escape, unescape


def parse(request: TrackerRequest) -> Parsed:
    """
    Read a batch.

    Raises:
        CollectRejected: 400 when the body is no JSON object with a list ``events``.
    """
    envelope = strictjson.parse(request.body)
    items = envelope.get("events") if isinstance(envelope, dict) else None
    if not isinstance(items, list):
        raise CollectRejected(400, "malformed")
    is_test = is_test_referer(request.headers)
    return read_all(items, partial(_event, is_test=is_test))


def _event(item: Mapping[str, Any], *, is_test: bool) -> Event:
    kind = item.get("type")
    if kind not in ("visit", "custom"):
        raise EventRefused("type_missing" if kind is None else "type_unknown")
    return Event(
        required(item.get("id"), "id", MAX_ID_CHARACTERS),
        required(item.get("visitor"), "visitor", MAX_VISITOR_CHARACTERS),
        event_name(item.get("name")) if kind == "custom" else None,
        time_ms(item.get("time_ms")),
        _entry(item) if kind == "visit" else None,
        is_test or ("env_version" in item and is_test_version(item["env_version"])),
        optional(item["user"], MAX_VISITOR_CHARACTERS) if "user" in item else None,
    )


def _entry(item: Mapping[str, Any]) -> Entry:
    query = item.get("query")
    return read_entry(item.get("path"), _raw(query) if isinstance(query, dict) else query, item.get("scene"))


def _raw(query: Mapping[str, Any]) -> str:
    """Return the raw query of an object; its values are encoded exactly once, however they came."""
    pairs = ((_encoded(key), _encoded(text(value, MAX_QUERY_CHARACTERS))) for key, value in query.items())
    return "&".join(f"{key}={value}" for key, value in pairs)


def _encoded(piece: str) -> str:
    return escape(unescape(clean(piece[:MAX_QUERY_CHARACTERS])))
