"""WeChat's authorisation page in the sandbox: mini programs to choose from, permission sets to tick, a scan button."""

from __future__ import annotations

import threading
from typing import Any
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response, redirect, render_template_string, request

from fab_minicode.sandbox.component_interfaces import HEAD_IMAGE, head_image
from fab_minicode.sandbox.platform import AUTH_CODE_LIFE_SECONDS, SETS, Platform, push_authorized
from fab_minicode.sandbox.world import World

PAGES = ("/cgi-bin/componentloginpage", "/wxaopen/safe/bindcomponent", "/safe/bindcomponent")
_AUTH_TYPES = {"1": (True,), "2": (False,), "3": (True, False), "6": (True, False)}
_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>微信授权</title>
<style>
  body { font: 16px/1.6 system-ui, sans-serif; max-width: 36rem; margin: 3rem auto; padding: 0 1rem; color: #1c1c1c }
  fieldset { border: 1px solid #d5d5d5; border-radius: 8px; margin: 0 0 1rem; padding: .75rem 1rem }
  label { display: block }
  button { background: #07c160; color: #fff; border: 0; border-radius: 6px; padding: .7rem 1.6rem; font: inherit }
</style>
<h1>{{ title }}</h1>
{% if apps %}
<form method="post" action="/sandbox/scan">
  {% for name, value in kept.items() %}<input type="hidden" name="{{ name }}" value="{{ value }}">{% endfor %}
  <fieldset><legend>小程序</legend>
    {% for app in apps %}
    <label><input type="radio" name="appid" value="{{ app.appid }}"{% if loop.first %} checked{% endif %}>
      {{ app.nick_name }} <small>{{ app.appid }}</small></label>
    {% endfor %}
  </fieldset>
  <fieldset><legend>权限</legend>
    {% for one in sets %}
    <label><input type="checkbox" name="set" value="{{ one }}" checked> 权限集 {{ one }}</label>
    {% endfor %}
  </fieldset>
  <button type="submit">扫码授权 · Scan</button>
</form>
{% endif %}
"""


def add_login_page(app: Flask, world: World) -> None:
    """Add WeChat's page, what its button does, and the head images."""

    def page() -> Response:
        trouble = _trouble(world)
        return _html(trouble) if trouble else _form(world)

    def scan() -> Any:
        return _scanned(world)

    def head(appid: str) -> Response:
        found = world.apps.get(appid)
        return Response(head_image(found), mimetype="image/jpeg") if found else Response(status=404)

    # Browsers ask for it beside every page.
    app.add_url_rule("/favicon.ico", "icon", lambda: Response(status=204))
    for path in PAGES:
        app.add_url_rule(path, f"page{path}", page)
    app.add_url_rule("/sandbox/scan", "scan", scan, methods=("POST",))
    app.add_url_rule(f"{HEAD_IMAGE}<appid>", "head", head)


def _trouble(world: World) -> str:
    """What WeChat's page says instead of the list, in its own words; "" when all is well."""
    platform, given = world.platform, request.args
    if platform is None or given.get("component_appid") != platform.app.appid:
        return "第三方平台不存在 (component_appid)"
    if platform.pre_auth_codes.get(given.get("pre_auth_code", ""), 0.0) <= platform.now():
        return "预授权码无效或已过期 (pre_auth_code)"
    if given.get("auth_type") not in _AUTH_TYPES:
        return "auth_type"
    back, source = urlsplit(given.get("redirect_uri", "")), urlsplit(request.referrer or "").netloc
    hosts = platform.app.entry_hosts or (back.netloc,)
    if platform.app.checks_referer and source not in hosts:
        return f"请确认授权入口页所在域名，与授权后回调页所在域名相同: {source or '空'}"
    if not back.scheme.startswith("http") or back.netloc not in hosts:
        return "redirect_uri"
    return ""


def _form(world: World) -> Response:
    asked = [int(one) for one in request.args.get("category_id_list", "").split("|") if one.isdigit()]
    kinds, pinned = _AUTH_TYPES[request.args["auth_type"]], request.args.get("biz_appid", "")
    return _html(
        "微信授权 · sandbox",
        apps=[app for app in world.apps.values() if app.is_official_account in kinds and pinned in ("", app.appid)],
        sets=asked or SETS,
        kept={name: request.args.get(name, "") for name in ("pre_auth_code", "redirect_uri")},
    )


def _scanned(world: World) -> Any:
    platform, given = world.platform, request.form
    appid, pre_auth_code = given.get("appid", ""), given.get("pre_auth_code", "")
    if platform is None or appid not in world.apps or pre_auth_code not in platform.pre_auth_codes:
        return _html("400", 400)
    sets = tuple(int(one) for one in given.getlist("set") if one.isdigit())
    code = world.authorize(appid, sets)
    _push(platform, code, pre_auth_code)
    back = given.get("redirect_uri", "")
    more = urlencode({"auth_code": code, "expires_in": AUTH_CODE_LIFE_SECONDS})
    if platform.app.order == "push_only":
        return _html("已授权")
    return redirect(f"{back}{'&' if '?' in back else '?'}{more}")


def _push(platform: Platform, code: str, pre_auth_code: str) -> None:
    order = platform.app.order
    if order == "return_first":
        threading.Timer(1.0, push_authorized, (platform, code), {"pre_auth_code": pre_auth_code}).start()
    elif order != "no_push":
        for _ in range(2 if order == "push_twice" else 1):
            push_authorized(platform, code, pre_auth_code=pre_auth_code)


def _html(title: str, status: int = 200, **shown: Any) -> Response:
    return Response(render_template_string(_PAGE, title=title, **shown), status, mimetype="text/html")
