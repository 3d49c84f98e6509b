"""The third-party platform's interfaces as the sandbox answers them. Source: docs/wechat.md, "The platform"."""

from __future__ import annotations

import threading
from typing import Any

from fab_minicode.sandbox import pictures
from fab_minicode.sandbox.answers import Answer, Asked, Refusal, json_answer
from fab_minicode.sandbox.interfaces import Interface
from fab_minicode.sandbox.platform import (
    PRE_AUTH_LIFE_SECONDS,
    TOKEN_LIFE_SECONDS,
    Granted,
    Platform,
    push_ticket,
)
from fab_minicode.sandbox.world import App, World

HEAD_IMAGE = "/sandbox/head/"
"""Where the head images stand; WeChat's are on hosts of its own."""

_MOST_ROWS = 500


def _component_token(world: World, asked: Asked) -> Answer:
    platform, body = _platform(world), asked.json()
    _prove(platform, body, "component_appsecret")
    with world.lock:
        token = platform.next_token(str(body.get("component_verify_ticket") or ""))
        world.save()
    return json_answer({"component_access_token": token, "expires_in": TOKEN_LIFE_SECONDS})


def _start_push(world: World, asked: Asked) -> Answer:
    platform = _platform(world)
    _prove(platform, asked.json(), "component_secret")
    # WeChat pushes on its own, after it has answered.
    threading.Timer(0.2, push_ticket, (platform,)).start()
    return json_answer({"errcode": 0, "errmsg": "ok"})


def _pre_auth_code(world: World, asked: Asked) -> Answer:
    platform, _ = _asked(world, asked)
    with world.lock:
        code = platform.next_pre_auth_code()
    return json_answer({"pre_auth_code": code, "expires_in": PRE_AUTH_LIFE_SECONDS})


def _query_auth(world: World, asked: Asked) -> Answer:
    platform, body = _asked(world, asked)
    with world.lock:
        appid = platform.use_code(str(body.get("authorization_code") or ""))
        granted = platform.granted[appid]
        info = {
            "authorizer_appid": appid,
            "authorizer_access_token": world.clocks.granted_token(appid, now=world.clock.now()),
            "expires_in": TOKEN_LIFE_SECONDS,
            "authorizer_refresh_token": granted.refresh_token,
            "func_info": _func_info(granted),
        }
        world.save()
    return json_answer({"authorization_info": info})


def _authorizer_token(world: World, asked: Asked) -> Answer:
    platform, body = _asked(world, asked)
    appid = str(body.get("authorizer_appid") or "")
    with world.lock:
        refresh_token = platform.refresh(appid, str(body.get("authorizer_refresh_token") or ""))
        token = world.clocks.granted_token(appid, now=world.clock.now())
        world.save()
    told = {"authorizer_access_token": token, "expires_in": TOKEN_LIFE_SECONDS}
    return json_answer({**told, "authorizer_refresh_token": refresh_token})


def _info(world: World, asked: Asked) -> Answer:
    platform, body = _asked(world, asked)
    appid = str(body.get("authorizer_appid") or "")
    with world.lock:
        granted, app = platform.granted.get(appid), world.apps.get(appid)
        if granted is None or app is None:
            raise Refusal(61003)
        permissions = {
            "authorizer_appid": appid,
            "authorizer_refresh_token": granted.refresh_token,
            "func_info": _func_info(granted),
        }
    head_image = f"{world.url}{HEAD_IMAGE}{appid}"
    return json_answer({"authorizer_info": _told(app, head_image), "authorization_info": permissions})


def _list(world: World, asked: Asked) -> Answer:
    platform, body = _asked(world, asked)
    offset, count = body.get("offset"), body.get("count")
    if not isinstance(offset, int) or not isinstance(count, int):
        raise Refusal(47001)
    if count > _MOST_ROWS:
        raise Refusal(40170)
    with world.lock:
        rows = [_row(appid, granted) for appid, granted in sorted(platform.granted.items())]
    return json_answer({"total_count": len(rows), "list": rows[offset : offset + count]})


def _row(appid: str, granted: Granted) -> dict[str, Any]:
    # No refresh token until the code was asked for once. Source: docs/wechat.md.
    known = {"refresh_token": granted.refresh_token} if granted.was_queried else {}
    return {"authorizer_appid": appid, **known, "auth_time": int(granted.at)}


COMPONENT_INTERFACES: tuple[Interface, ...] = (
    Interface("/cgi-bin/component/api_component_token", "POST", _component_token),
    Interface("/cgi-bin/component/api_start_push_ticket", "POST", _start_push),
    Interface("/cgi-bin/component/api_create_preauthcode", "POST", _pre_auth_code),
    Interface("/cgi-bin/component/api_query_auth", "POST", _query_auth),
    Interface("/cgi-bin/component/api_authorizer_token", "POST", _authorizer_token),
    Interface("/cgi-bin/component/api_get_authorizer_info", "POST", _info),
    Interface("/cgi-bin/component/api_get_authorizer_list", "POST", _list),
)


def head_image(app: App) -> bytes:
    """Return a picture for a mini program: each has its own pattern."""
    return pictures.draw_dial(app.appid.encode(), 280, pictures.Look((7, 110, 80), is_hyaline=False))


def _platform(world: World) -> Platform:
    if world.platform is None:
        raise Refusal(61011)
    return world.platform


def _prove(platform: Platform, body: dict[str, Any], name: str) -> None:
    if not body.get("component_appid"):
        raise Refusal(41018)
    if body["component_appid"] != platform.app.appid:
        raise Refusal(40013)
    if not body.get(name):
        raise Refusal(41004)
    if body[name] != platform.app.secret:
        raise Refusal(40125)


def _asked(world: World, asked: Asked) -> tuple[Platform, dict[str, Any]]:
    platform = _platform(world)
    platform.check_token(asked.query.get("component_access_token") or asked.query.get("access_token") or "")
    body = asked.json()
    if not body.get("component_appid"):
        raise Refusal(41018)
    if body["component_appid"] != platform.app.appid:
        raise Refusal(61011)
    return platform, body


def _func_info(granted: Granted) -> list[dict[str, Any]]:
    return [{"funcscope_category": {"id": one}} for one in granted.sets]


def _told(app: App, head_image_url: str) -> dict[str, Any]:
    told: dict[str, Any] = {
        "nick_name": app.nick_name,
        "head_img": head_image_url,
        "service_type_info": {"id": 0},
        "verify_type_info": {"id": 0},
        "user_name": f"gh_{app.appid[-12:]}",
        "principal_name": app.principal_name,
        "account_status": 1,
    }
    if not app.is_official_account:
        domains: dict[str, list[str]] = {f"{name}Domain": [] for name in ("Request", "WsRequest", "Upload", "Download")}
        told["MiniProgramInfo"] = {"network": domains, "categories": [], "visit_status": 0}
    return told
