"""A host that is a third-party platform, and the sandbox's WeChat that pushes to it."""

from __future__ import annotations

import datetime as dt
import itertools
import time
from typing import Any

from flask import Flask
from flask.testing import FlaskClient

from fab_minicode.sandbox import SAMPLE_APPS, PlatformApp, Sandbox
from fab_minicode.sandbox.platform import envelope, fields_of
from fab_minicode.views.callbacks import DOOR
from tests import hosts

EVENTS = "/minicode/wechat/events"
COMPONENT = "wxc0ffee0000000000"
PLATFORM = PlatformApp(
    COMPONENT,
    "platform-secret-0123456789abcdef",
    ("token-new", "token-old"),
    ("abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG", "A" * 43),
)
SETTINGS = {
    "FAB_MINICODE_COMPONENT_APPID": PLATFORM.appid,
    "FAB_MINICODE_COMPONENT_APPSECRET": PLATFORM.secret,
    "FAB_MINICODE_COMPONENT_TOKEN": list(PLATFORM.tokens),
    "FAB_MINICODE_COMPONENT_ENCODING_AES_KEYS": list(PLATFORM.aes_keys),
    "FAB_MINICODE_PUBLIC_URL": "http://localhost",
}
SHOP = SAMPLE_APPS[0]
OFFICIAL = "wx0ff1c1a100000000"
_ticks = itertools.count()


def make_platform_host(kind: str, folder: Any, sandbox: Sandbox, **config: Any) -> Flask:
    """Return a host that is :data:`PLATFORM` at ``sandbox``."""
    urls = {f"FAB_MINICODE_WECHAT_{name}_URL": sandbox.url for name in ("API", "MP", "OPEN")}
    return hosts.make_host(hosts.copy_of_template(kind, folder), **urls, **{**SETTINGS, **config})


def push(client: FlaskClient, info_type: str, *, at: float | None = None, **more: Any):
    """Push something to the host as WeChat would; ``at`` is its CreateTime in Unix seconds."""
    created = time.time() + next(_ticks) * 0.001 if at is None else at
    query, body = envelope(PLATFORM, fields_of(PLATFORM, info_type, created, **more), stamp=int(time.time()))
    return client.post(f"{EVENTS}?{query}", data=body, content_type="text/xml")


def push_ticket(client: FlaskClient, sandbox: Sandbox, *, at: float | None = None):
    """Push the sandbox's next ticket."""
    ticket = sandbox.platform.next_ticket()
    return push(client, "component_verify_ticket", at=at, ComponentVerifyTicket=ticket)


def authorized_fields(sandbox: Sandbox, code: str, pre_auth_code: str = "") -> dict[str, Any]:
    """Return what a push says of an authorisation code."""
    handed_out = sandbox.platform.codes[code]
    fields = {
        "AuthorizerAppid": handed_out.appid,
        "AuthorizationCode": code,
        "AuthorizationCodeExpiredTime": int(handed_out.dies_at),
    }
    return {**fields, "PreAuthCode": pre_auth_code} if pre_auth_code else fields


def settle(app: Flask) -> None:
    """Wait until the errands of a push are done."""
    app.extensions[DOOR].errands.join()


def now() -> dt.datetime:
    """The real clock, as the doors read it."""
    return dt.datetime.now(dt.timezone.utc)
