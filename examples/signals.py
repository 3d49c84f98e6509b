"""
Listen: print what every signal tells, one receiver for each.

Run: ``flask --app examples/signals.py minicode upgrade``, ``flask --app examples/signals.py fab create-admin``, then
``flask --app examples/signals.py run``. First visits are told by the process that counts: here a thread of the web
process; a host with ``FAB_MINICODE_ROLLUP = "external"`` connects its receivers in ``flask minicode rollup`` as well,
which loads the same application.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import Flask
from plain_host import make_app

from fab_minicode.signals import (
    authorizer_authorized,
    authorizer_revoked,
    code_created,
    code_deleted,
    first_visit_of_code,
    quota_low,
)

HEARD: list[str] = []


@authorizer_authorized.connect
def connected(appid: str, *, nick_name: str, credential: str, actor: str, **_: Any) -> None:
    """Hear of a mini program that was connected: ``credential`` is how it is acted for."""
    tell(f"{actor} connected {nick_name} ({appid}) by its {credential}")


@authorizer_revoked.connect
def disconnected(appid: str, *, nick_name: str, actor: str, at: dt.datetime, **_: Any) -> None:
    """Hear of a mini program that was disconnected; WeChat may do so as well (``actor_id`` is empty then)."""
    tell(f"{actor} disconnected {nick_name} ({appid}) in {at:%Y}")


@code_created.connect
def created(appid: str, *, code_id: int, name: str, actor: str, **_: Any) -> None:
    """Hear of a new code. The act is committed; a slow receiver keeps the person waiting."""
    tell(f"{actor} made code {code_id} ({name}) of {appid}")


@code_deleted.connect
def deleted(appid: str, *, code_id: int, name: str, actor: str, **_: Any) -> None:
    """Hear of a code that left the list. Its prints live on, and so do its numbers."""
    tell(f"{actor} deleted code {code_id} ({name}) of {appid}")


@first_visit_of_code.connect
def first_visited(appid: str, *, code_id: int, name: str, at: dt.datetime, **_: Any) -> None:
    """Hear of a code's first visit, once."""
    tell(f"code {code_id} ({name}) of {appid} was first visited at {at:%Y-%m-%d %H:%M} UTC")


@quota_low.connect
def low(appid: str, *, percent: int, used: int, limit: int, **_: Any) -> None:
    """Hear that codes of interfaces A and C run out, at 80 and at 95 percent."""
    tell(f"{used} of {limit} codes of {appid} are made: {percent} % or more")


def tell(text: str) -> None:
    """Print, and keep what was printed."""
    HEARD.append(text)
    print(text)


def create_app(**config: Any) -> Flask:
    """Return the host."""
    return make_app(**config)
