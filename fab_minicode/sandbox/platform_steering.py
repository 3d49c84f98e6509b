"""``/sandbox/platform`` and ``/sandbox/push``: the third-party platform steered over HTTP."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from flask import Flask, Response, jsonify, request

from fab_minicode.sandbox.platform import (
    ORDERS,
    Platform,
    PlatformApp,
    deliver,
    fields_of,
    push_authorized,
    push_ticket,
)
from fab_minicode.sandbox.world import World

_LISTS = ("tokens", "aes_keys", "entry_hosts")


def add_platform_steering(app: Flask, world: World) -> None:
    """Add the addresses."""

    def platform() -> Response:
        if request.method == "POST":
            _change(world, json.loads(request.get_data()))
        return jsonify(platform=asdict(world.platform.app) if world.platform else None)

    def push() -> Response:
        return jsonify(status=_push(world, json.loads(request.get_data())))

    app.add_url_rule("/sandbox/platform", view_func=platform, methods=("GET", "POST"))
    app.add_url_rule("/sandbox/push", view_func=push, methods=("POST",))


def _change(world: World, given: dict[str, Any]) -> None:
    values: dict[str, Any] = {name: tuple(value) if name in _LISTS else value for name, value in given.items()}
    if values.get("order", ORDERS[0]) not in ORDERS:
        raise ValueError(f"order: one of {', '.join(ORDERS)}")
    with world.lock:
        if world.platform is None:
            world.platform = Platform(PlatformApp(**values), world.clock.now)
        else:
            world.platform.app = replace(world.platform.app, **values)


def _push(world: World, given: dict[str, Any]) -> list[int]:
    """``info_type``; ``appid`` and ``sets`` for who authorises; ``times``; ``token``, ``aes_key``: others than now."""
    platform = world.platform
    if platform is None:
        raise ValueError("no platform")
    info_type, appid, times = given["info_type"], str(given.get("appid", "")), int(given.get("times", 1))
    keys = {name: str(given[name]) for name in ("token", "aes_key") if name in given}
    if info_type == "component_verify_ticket":
        return [push_ticket(platform, **keys) for _ in range(times)]
    if info_type in ("authorized", "updateauthorized"):
        code = world.authorize(appid, tuple(given.get("sets", (17,))))
        return [push_authorized(platform, code, kind=info_type) for _ in range(times)]
    if info_type == "unauthorized":
        return [world.unauthorize(appid) for _ in range(times)]
    fields = fields_of(platform.app, info_type, platform.now(), **given.get("fields", {}))
    return [deliver(platform, fields, **keys) for _ in range(times)]
