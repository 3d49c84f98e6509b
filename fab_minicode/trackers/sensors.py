"""
Sensors Analytics' open-source SDK: base64 of JSON, in the query (GET) or in a form-like body (POST). Pure.

A visit is ``$MPShow``: a cold start sends ``$MPLaunch`` and ``$MPShow``, coming back to the front ``$MPShow`` alone.
Source: recordings of version 1.22.7 in tests/trackers/, field by field in docs/trackers.md.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from functools import partial
from typing import Any
from urllib.parse import unquote

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers import fields, strictjson
from fab_minicode.trackers.entry import MAX_QUERY_CHARACTERS, read_entry
from fab_minicode.trackers.events import Entry, Event, Parsed, TrackerRequest
from fab_minicode.utm import UTM_FIELDS, Utm, normalise, read_utm, split_query

_URL_SAFE = str.maketrans("-_ ", "+/+")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_VISIT = "$MPShow"


def parse(request: TrackerRequest) -> Parsed:
    """
    Read visits and custom events; profiles and the SDK's other own events are counted as ignored.

    Raises:
        CollectRejected: 400 when there is no readable ``data`` or ``data_list``, 413 when it unpacks to too much.
    """
    try:
        form = dict(split_query(f"{request.query}&{request.body.decode('ascii')}"))
    except UnicodeDecodeError:
        raise CollectRejected(400, "malformed") from None
    packed = form.get("data_list") or form.get("data") or ""
    found = strictjson.parse(_unpacked(unquote(packed), form.get("gzip") == "1", request.max_bytes))
    items = found if isinstance(found, list) else [found]
    is_test = fields.is_test_referer(request.headers)
    return fields.read_all(items, partial(_event, is_test=is_test))


def _unpacked(packed: str, is_gzip: bool, max_bytes: int) -> bytes:
    try:
        text = base64.b64decode(packed.translate(_URL_SAFE) + "=" * (-len(packed) % 4), validate=True)
        return _inflate(text, max_bytes) if is_gzip else text
    except (ValueError, zlib.error):
        raise CollectRejected(400, "malformed") from None


def _inflate(packed: bytes, max_bytes: int) -> bytes:
    """Return what gzip packed, and not one byte more than is allowed. Cut off is an error."""
    stream = zlib.decompressobj(_GZIP_OR_ZLIB)
    text = stream.decompress(packed, max_bytes + 1)
    if len(text) > max_bytes:
        raise CollectRejected(413, "too_large")
    if not stream.eof:
        raise CollectRejected(400, "malformed")
    return text


def _event(item: Mapping[str, Any], *, is_test: bool) -> Event | None:
    name = item.get("event")
    is_visit = name == _VISIT
    if item.get("type") != "track" or (isinstance(name, str) and name.startswith("$") and not is_visit):
        return None
    properties = item.get("properties")
    if not isinstance(properties, dict):
        properties = {}
    time_ms = fields.time_ms(item.get("time"))
    return Event(
        _identity(item, time_ms),
        _visitor(item),
        None if is_visit else fields.event_name(name),
        time_ms,
        _entry(properties) if is_visit else None,
        is_test or fields.is_test_version(properties.get("env_version")),
        fields.optional(item["login_id"], fields.MAX_VISITOR_CHARACTERS) if "login_id" in item else None,
    )


def _identity(item: Mapping[str, Any], time_ms: int) -> str:
    person = fields.text(item.get("distinct_id"), fields.MAX_VISITOR_CHARACTERS)
    number = item.get("_track_id")
    if number is None:
        # Without the SDK's number: one person does a thing of one name once in a millisecond.
        return fields.identity("", time_ms, person, fields.text(item.get("event"), fields.MAX_ID_CHARACTERS))
    return fields.identity(fields.text(number, fields.MAX_ID_CHARACTERS), time_ms, person)


def _visitor(item: Mapping[str, Any]) -> str:
    """Return the device's id, which stays the same when a person logs in."""
    identities = item.get("identities")
    if not isinstance(identities, dict):
        identities = {}
    found = (
        item.get("anonymous_id")
        or identities.get("$identity_anonymous_id")
        or identities.get("$identity_mp_id")
        or item.get("distinct_id")
    )
    return fields.required(found, "visitor", fields.MAX_VISITOR_CHARACTERS)


def _entry(properties: Mapping[str, Any]) -> Entry:
    # The SDK has decoded the query already; with "%" encoded again, reading it once gives what the SDK read.
    query = fields.text(properties.get("$url_query"), MAX_QUERY_CHARACTERS).replace("%", "%25")
    return read_entry(properties.get("$url_path"), query, properties.get("$scene"), _utm(properties, query))


def _utm(properties: Mapping[str, Any], query: str) -> Utm | None:
    """
    Return ``$utm_*`` of this entry (``$latest_utm_*`` are of earlier ones), None to read the query instead.

    The SDK mixes the UTM of the query with those of an ordinary link, and the link's win. Ours are of one source: where
    the query has a source of its own, only what stands in the query counts. A value there may hold ``&``.
    """
    given = {key: fields.text(properties.get(f"${key}"), MAX_QUERY_CHARACTERS) for key in UTM_FIELDS}
    if not given["utm_source"]:
        return None
    in_query = {key: value for key, value in given.items() if f"&{key}={value.replace('%', '%25')}&" in f"&{query}&"}
    if "utm_source" not in in_query and read_utm(query):
        return None
    kept = in_query if "utm_source" in in_query else given
    return Utm(**{key.removeprefix("utm_"): normalise(value) for key, value in kept.items()})
