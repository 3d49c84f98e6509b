"""
Count a person once on all devices: where somebody is logged in, the login takes the place of the device id.

Run: ``flask --app examples/visitor_id.py minicode upgrade``, ``... fab create-admin``, ``... run``. What is returned is
hashed under the mini program's key, like a device id; it is never stored.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from plain_host import make_app


def visitor_id(appid: str, tracker: str, device: str, user: str | None) -> str | None:
    """Return the visitor's id; None keeps the device id. The prefix keeps logins and device ids apart."""
    del appid, tracker, device
    return f"login:{user}" if user else None


def create_app(**config: Any) -> Flask:
    """Return the host."""
    return make_app(**{"FAB_MINICODE_VISITOR_ID": f"{__name__}:visitor_id", **config})
