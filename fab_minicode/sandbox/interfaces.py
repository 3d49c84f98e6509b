"""
WeChat's interfaces as the sandbox answers them: a function each, and one tuple that names them.

The check order is the one docs/wechat.md gives: method, token, document, arguments, counters, picture.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fab_minicode.sandbox import pictures
from fab_minicode.sandbox.answers import Answer, Asked, Refusal, json_answer
from fab_minicode.sandbox.arguments import check_arguments
from fab_minicode.sandbox.world import App, World

_AUTO_COLOUR = (7, 193, 96)


@dataclass(frozen=True)
class Interface:
    """One endpoint: the method it wants and what it answers."""

    endpoint: str
    method: str
    answer: Callable[[World, Asked], Answer]


def _stable_token(world: World, asked: Asked) -> Answer:
    body = asked.json()
    force = body.get("force_refresh", False)
    if not isinstance(force, bool):
        raise Refusal(47001)
    with world.lock:
        app = _proven(world, body)
        world.spend(app, asked.endpoint)
        token, left = world.clocks.stable_token(app.appid, force=force, now=world.clock.now())
        world.save()
    return json_answer({"access_token": token, "expires_in": left})


def _token(world: World, asked: Asked) -> Answer:
    with world.lock:
        app = _proven(world, asked.query)
        world.spend(app, asked.endpoint)
        token, left = world.clocks.plain_token(app.appid, now=world.clock.now())
        world.save()
    return json_answer({"access_token": token, "expires_in": left})


def _wxacode(world: World, asked: Asked) -> Answer:
    with world.lock:
        app = world.app_of_token(asked.query.get("access_token", ""))
        body = asked.json()
        check_arguments("A", body, app.pages)
        world.spend(app, asked.endpoint)
        world.spend_code(app)
    return _dial(body["path"], body)


def _wxacode_unlimited(world: World, asked: Asked) -> Answer:
    with world.lock:
        app = world.app_of_token(asked.query.get("access_token", ""))
        body = asked.json()
        check_arguments("B", body, app.pages)
        world.spend(app, asked.endpoint)
    # What the mini program is opened with: the scene arrives URI-encoded.
    return _dial(f"{body.get('page', '')}?scene={quote(body['scene'], safe='')}", body)


def _wxaqrcode(world: World, asked: Asked) -> Answer:
    with world.lock:
        app = world.app_of_token(asked.query.get("access_token", ""))
        body = asked.json()
        check_arguments("C", body, app.pages)
        world.spend(app, asked.endpoint)
        world.spend_code(app)
    return Answer(pictures.draw_qr(body["path"], body.get("width", 430)), "image/jpeg")


def _quota(world: World, asked: Asked) -> Answer:
    app = world.app_of_token(asked.query.get("access_token", ""))
    path = asked.json().get("cgi_path")
    if not isinstance(path, str) or path not in {interface.endpoint for interface in INTERFACES}:
        raise Refusal(76003)
    limit, used = dict(app.daily_limits).get(path, 0), world.spent_today(app.appid, path)
    quota = {"daily_limit": limit, "used": used, "remain": max(0, limit - used)}
    return json_answer({"errcode": 0, "errmsg": "ok", "quota": quota})


INTERFACES: tuple[Interface, ...] = (
    Interface("/cgi-bin/stable_token", "POST", _stable_token),
    Interface("/cgi-bin/token", "GET", _token),
    Interface("/wxa/getwxacode", "POST", _wxacode),
    Interface("/wxa/getwxacodeunlimit", "POST", _wxacode_unlimited),
    Interface("/cgi-bin/wxaapp/createwxaqrcode", "POST", _wxaqrcode),
    Interface("/cgi-bin/openapi/quota/get", "POST", _quota),
)


def _proven(world: World, given: Mapping[str, Any]) -> App:
    """Return the mini program whose AppID and secret were given. Raises Refusal."""
    if given.get("grant_type") != "client_credential":
        raise Refusal(40002)
    for key, errcode in (("appid", 41002), ("secret", 41004)):
        if not given.get(key):
            raise Refusal(errcode)
        if not isinstance(given[key], str):
            raise Refusal(47001)
    app = world.app(given["appid"])
    if given["secret"] != app.secret:
        raise Refusal(40125)
    return app


def _dial(payload: str, body: Mapping[str, Any]) -> Answer:
    colour = body.get("line_color", {})
    line = _AUTO_COLOUR if body.get("auto_color") else tuple(int(colour.get(part, 0)) for part in "rgb")
    look = pictures.Look((line[0], line[1], line[2]), bool(body.get("is_hyaline")))
    picture = pictures.draw_dial(payload.encode("utf-8", "replace"), body.get("width", 430), look)
    return Answer(picture, "image/png" if look.is_hyaline else "image/jpeg")
