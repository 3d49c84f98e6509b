"""
What phones send: happenings as requests of GrowingIO's SDK, of Sensors' SDK and of our own protocol. Pure.

The shapes follow what the real SDKs send (docs/trackers.md), with the fields that matter to a reader of the demo.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fab_minicode.demo.traffic import Happening
from fab_minicode.utm import read_utm

MOST_EVENTS = 50
_NAMESPACE = uuid.UUID("6f1f2d3e-5a4b-4c8d-9e0f-a1b2c3d4e5f6")


@dataclass(frozen=True)
class Post:
    """One POST to the collector: ``target`` is path and query, ``headers`` as a phone sends them."""

    target: str
    body: bytes
    headers: dict[str, str]


def growingio(batch: Sequence[Happening], *, appid: str, key: str) -> Post:
    """Return the request of GrowingIO's SDK 4.6 for at most :data:`MOST_EVENTS` happenings."""
    events = [_growingio_event(happening, number, appid) for number, happening in enumerate(batch, 1)]
    target = f"/minicode/collect/growingio/v3/projects/{key}/collect?stm={batch[-1].time_ms}&compress=0"
    return Post(target, _json(events), _headers(appid, "application/json;charset=UTF-8"))


def sensors(batch: Sequence[Happening], *, appid: str, key: str) -> Post:
    """Return the batch request of Sensors' SDK 1.22."""
    events = [event for happening in batch for event in _sensors_events(happening, appid)]
    body = "data_list=" + quote(base64.b64encode(_json(events)).decode("ascii"), safe="")
    return Post(f"/minicode/collect/sensors?project={key}", body.encode("ascii"), _headers(appid, "text/plain"))


def native(batch: Sequence[Happening], *, appid: str, key: str) -> Post:
    """Return the request of our own protocol."""
    body = _json({"events": [_native_event(happening) for happening in batch]})
    return Post(f"/minicode/collect/v1/{key}", body, _headers(appid, "application/json"))


def _headers(appid: str, content_type: str) -> dict[str, str]:
    # A released version; version 0 and "devtools" would mark test traffic.
    return {"Content-Type": content_type, "Referer": f"https://servicewechat.com/{appid}/42/page-frame.html"}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def _uuid(text: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, text))


def _growingio_event(happening: Happening, number: int, appid: str) -> dict[str, Any]:
    event = {
        "eventType": "CUSTOM" if happening.name else "VISIT",
        "appChannel": f"scn:{happening.scene}",
        "appVersion": "3.2.0",
        "dataSourceId": "demo",
        "deviceId": _uuid(happening.visitor),
        "domain": appid,
        "path": happening.path,
        "platform": "MinP",
        "query": happening.query,
        "sdkVersion": "4.6.0",
        "sessionId": _uuid(f"{happening.visitor} {happening.visit}"),
        "timestamp": happening.time_ms,
        "eventSequenceId": number,
    }
    return event | {"eventName": happening.name, "attributes": {"channel": "demo"}} if happening.name else event


def _sensors_events(happening: Happening, appid: str) -> list[dict[str, Any]]:
    properties: dict[str, Any] = {
        "$lib": "MiniProgram",
        "$lib_version": "1.22.7",
        "$app_id": appid,
        "$scene": f"wx-{happening.scene}",
        "$url_path": happening.path,
        "$url_query": happening.query,
        **{f"${key}": value for key, value in read_utm(happening.query).pairs()},
    }
    # A cold start sends $MPLaunch and $MPShow; together they are one visit.
    names = [happening.name] if happening.name else ["$MPLaunch", "$MPShow"]
    return [
        {
            "distinct_id": happening.visitor,
            "anonymous_id": happening.visitor,
            "type": "track",
            "event": name,
            "properties": properties,
            "time": happening.time_ms + offset,
            "_track_id": uuid.uuid5(_NAMESPACE, f"{happening.identity} {name}").int % 10**9,
            "_flush_time": happening.time_ms + 5_000,
        }
        for offset, name in enumerate(names)
    ]


def _native_event(happening: Happening) -> dict[str, Any]:
    event = {"id": _uuid(happening.identity), "visitor": happening.visitor, "time_ms": happening.time_ms}
    if happening.name:
        return event | {"type": "custom", "name": happening.name}
    return event | {"type": "visit", "path": happening.path, "query": happening.query, "scene": happening.scene}
