"""The sandbox over HTTP: WeChat's interfaces by path, and ``/sandbox/...`` for whoever steers it."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from flask import Flask, Response, jsonify, request

from fab_minicode.sandbox.answers import Answer, Asked, Refusal, refusal_answer
from fab_minicode.sandbox.component_interfaces import COMPONENT_INTERFACES
from fab_minicode.sandbox.faults import FAULTS, Switch, Switchboard
from fab_minicode.sandbox.interfaces import INTERFACES
from fab_minicode.sandbox.login_page import add_login_page
from fab_minicode.sandbox.platform_steering import add_platform_steering
from fab_minicode.sandbox.world import App, World

_METHODS = ("GET", "POST", "PUT", "DELETE", "PATCH")


def create_app(world: World, faults: Switchboard) -> Flask:
    """Return the Flask application over a world; it keeps no state of its own."""
    app = Flask("fab_minicode.sandbox", static_folder=None)

    def index() -> Response:
        return Response("WeChat sandbox. State: /sandbox/state\n", mimetype="text/plain")

    def wechat(path: str) -> Response:
        asked = _asked(world, f"/{path}")
        return _deliver(world, _answer(world, faults, asked))

    app.add_url_rule("/", view_func=index)
    add_login_page(app, world)
    add_platform_steering(app, world)
    app.add_url_rule("/<path:path>", view_func=wechat, methods=_METHODS)
    _add_steering(app, world, faults)
    return app


def _add_steering(app: Flask, world: World, faults: Switchboard) -> None:
    def state() -> Response:
        return jsonify(_state(world))

    def put_app() -> Response:
        world.put_app(App(**_document()))
        return jsonify(ok=True)

    def fault() -> Response:
        if request.method == "DELETE":
            faults.clear()
        elif request.method == "POST":
            faults.on(Switch(**_document()))
        return jsonify(on=[asdict(s) for s in faults.all()], known={kind.name: kind.makes for kind in FAULTS})

    def clock() -> Response:
        world.clock.advance(float(_document()["advance_seconds"]))
        return jsonify(now=world.clock.now())

    app.add_url_rule("/sandbox/state", view_func=state)
    app.add_url_rule("/sandbox/apps", view_func=put_app, methods=("POST",))
    app.add_url_rule("/sandbox/faults", view_func=fault, methods=("GET", "POST", "DELETE"))
    app.add_url_rule("/sandbox/clock", view_func=clock, methods=("POST",))
    for kind in (TypeError, ValueError, KeyError):
        app.register_error_handler(kind, _wrong)


def _state(world: World) -> dict[str, Any]:
    with world.lock:
        calls = [{"endpoint": e, "appid": a, "calls": count} for (e, a), count in sorted(world.calls.items())]
        return {"apps": [asdict(app) for app in world.apps.values()], "calls": calls, "now": world.clock.now()}


def _wrong(error: Exception) -> tuple[Response, int]:
    return jsonify(error=str(error)), 400


def _document() -> dict[str, Any]:
    document = json.loads(request.get_data())
    if not isinstance(document, dict):
        raise ValueError("a JSON object is wanted")
    return {key: tuple(map(_frozen, value)) if isinstance(value, list) else value for key, value in document.items()}


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _asked(world: World, endpoint: str) -> Asked:
    query, body = request.args.to_dict(), request.get_data()
    issued = world.clocks.issued.get(query.get("access_token", ""))
    appid = issued.appid if issued else query.get("appid", "")
    if not appid:
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        names = ("authorizer_appid", "appid", "component_appid")
        told = document if isinstance(document, dict) else {}
        appid = next((str(told[name]) for name in names if name in told), "")
    return Asked(request.method, endpoint, query, body, appid)


def _answer(world: World, faults: Switchboard, asked: Asked) -> Answer:
    world.note(asked)
    switches = faults.take(asked)
    for switch in switches:
        if switch.name == "latency":
            world.stopping.wait(float(switch.carried))
    for switch in switches:
        if switch.kind.before is not None:
            answer = switch.kind.before(switch.carried)
            break
    else:
        answer = _worked(world, asked)
    for switch in switches:
        if switch.kind.after is not None:
            answer = switch.kind.after(answer, switch.carried)
    return answer


def _worked(world: World, asked: Asked) -> Answer:
    for interface in (*INTERFACES, *COMPONENT_INTERFACES):
        if interface.endpoint == asked.endpoint:
            try:
                if asked.method != interface.method:
                    raise Refusal(43002)
                return interface.answer(world, asked)
            except Refusal as refusal:
                return refusal_answer(refusal.errcode)
    return Answer(b"not found", "text/plain", status=404)


def _deliver(world: World, answer: Answer) -> Response:
    headers = [*answer.headers, ("Content-Length", str(len(answer.body)))]
    line = request.environ.get("werkzeug.socket")
    sent: Any = answer.body
    if answer.delivery != "whole":
        sent = _broken_line(world, answer, line)
    return Response(sent, status=answer.status, content_type=answer.content_type, headers=headers)


def _broken_line(world: World, answer: Answer, line: socket.socket | None) -> Iterator[bytes]:
    if answer.delivery == "silent":
        world.stopping.wait(answer.pace_seconds)
    elif answer.delivery == "slow_headers" and line is not None:
        _drip_headers(world, answer.pace_seconds, line)
    elif answer.delivery == "slow_body":
        yield from _dripping(world, answer)
    else:
        if answer.delivery == "reset" and line is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        yield answer.body[: len(answer.body) // 2]
    # Raised from inside the body, where werkzeug takes it for a visitor who left.
    raise ConnectionAbortedError(answer.delivery)


def _dripping(world: World, answer: Answer) -> Iterator[bytes]:
    for byte in answer.body:
        yield bytes([byte])
        if world.stopping.wait(answer.pace_seconds):
            return


def _drip_headers(world: World, pace_seconds: float, line: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"." * 1000:
        line.sendall(bytes([byte]))
        if world.stopping.wait(pace_seconds):
            return
