"""
Hand in access tokens that another service of yours keeps, so that two systems never end each other's.

Run: ``flask --app examples/token_provider.py minicode upgrade``, ``... fab create-admin``, ``... run``; then connect a
mini program by its AppID alone.
"""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from plain_host import make_app


def access_token(appid: str, rejected: str | None = None) -> str | None:
    """
    Return the token that the environment holds (``TOKEN_<AppID>``), None for a mini program that is not kept here.

    ``rejected`` is the token that WeChat has just refused: a real service fetches a new one, if it still hands out
    that one.
    """
    token = os.environ.get(f"TOKEN_{appid}")
    return None if token == rejected else token


def create_app(**config: Any) -> Flask:
    """Return the host."""
    return make_app(**{"FAB_MINICODE_TOKEN_PROVIDER": f"{__name__}:access_token", **config})
