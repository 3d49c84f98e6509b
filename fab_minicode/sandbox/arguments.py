"""
The strict checks of an image interface's arguments, in the order and with the errcodes of WeChat's own tables. Pure.

Where the tables are silent the sandbox is the stricter of two readings, so that what passes here passes there: limits
count UTF-8 bytes, types are taken literally, unknown keys are refused (47001). Source: docs/wechat.md, "Codes".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from fab_minicode.sandbox.answers import Refusal

MAX_PATH_BYTES = {"A": 1024, "C": 128}
_SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]*", re.ASCII)
_ENV_VERSIONS = ("release", "trial", "develop")
_LOOK = frozenset({"width", "auto_color", "line_color", "is_hyaline", "env_version"})
_KEYS = {
    "A": frozenset({"path"}) | _LOOK,
    "B": frozenset({"scene", "page", "check_path"}) | _LOOK,
    "C": frozenset({"path", "width"}),
}


def check_arguments(interface: str, body: Mapping[str, Any], pages: tuple[str, ...] | None) -> None:
    """
    Raise Refusal for the first argument that WeChat would not take.

    Args:
        interface: ``"A"``, ``"B"`` or ``"C"``.
        body: The JSON document.
        pages: Pages of the published version; None: every page exists.
    """
    _check_types(interface, body)
    if interface == "B":
        _check_scene(body)
        _check_page(body, pages)
    else:
        _check_path(interface, body.get("path", ""))
    if body.get("env_version", "release") not in _ENV_VERSIONS:
        raise Refusal(40097)
    if not 280 <= body.get("width", 430) <= 1280:
        raise Refusal(40189)
    if any(not 0 <= int(value) <= 255 for value in body.get("line_color", {}).values()):
        raise Refusal(40097)


def _check_types(interface: str, body: Mapping[str, Any]) -> None:
    if set(body) - _KEYS[interface]:
        raise Refusal(47001)
    for key, value in body.items():
        if key in ("path", "scene", "page", "env_version"):
            is_right = isinstance(value, str)
        elif key == "width":
            is_right = isinstance(value, int) and not isinstance(value, bool)
        elif key == "line_color":
            is_right = _is_colour(value)
        else:
            is_right = isinstance(value, bool)
        if not is_right:
            raise Refusal(47001)


def _is_colour(value: Any) -> bool:
    # Numbers and numeric texts both occur in WeChat's own samples.
    return (
        isinstance(value, dict)
        and set(value) <= {"r", "g", "b"}
        and all(
            (isinstance(part, int) and not isinstance(part, bool))
            or (isinstance(part, str) and part.isascii() and part.isdigit() and len(part) <= 3)
            for part in value.values()
        )
    )


def _check_path(interface: str, path: str) -> None:
    if not path or len(path.encode("utf-8", "replace")) > MAX_PATH_BYTES[interface]:
        raise Refusal(40159)
    if "scancode_time" in path:
        raise Refusal(85096)


def _check_scene(body: Mapping[str, Any]) -> None:
    scene = body.get("scene", "")
    if not 1 <= len(scene) <= 32:
        raise Refusal(40169)
    if not _SCENE.fullmatch(scene):
        raise Refusal(40129)
    if "scancode_time" in scene or "scancode_time" in body.get("page", ""):
        raise Refusal(85096)


def _check_page(body: Mapping[str, Any], pages: tuple[str, ...] | None) -> None:
    page = body.get("page", "")
    if page.startswith("/") or "?" in page:
        raise Refusal(41030)
    if page and pages is not None and body.get("check_path", True) and page not in pages:
        raise Refusal(41030)
