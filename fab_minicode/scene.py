"""
A code's short key in interface B's ``scene``. Pure.

WeChat allows 32 visible ASCII characters there and no ``%``, so UTM values cannot travel in it; the scene carries
``c=<key>`` and the collector resolves the key. Source: docs/wechat.md, interface B.
"""

from __future__ import annotations

import re
import secrets

MAX_SCENE_CHARACTERS = 32
_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz"
_KEY_CHARACTERS = 8
_SCENE = re.compile(r"^c=([0-9A-Za-z]{4,24})$")


def mint_key() -> str:
    """Return a new random short key; 56**8 values, look-alike characters left out so that it can be read aloud."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(_KEY_CHARACTERS))


def compose_scene(key: str) -> str:
    """Return the ``scene`` argument of interface B for a short key."""
    return f"c={key}"


def read_scene(scene: str) -> str | None:
    """Return the short key of a *decoded* scene, None when it is not one of ours."""
    match = _SCENE.match(scene)
    return match.group(1) if match else None
