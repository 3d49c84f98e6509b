"""
What programs send, read strictly: a faulty request is told which field is wrong, and never ends in a 5xx.

Python's own reader takes NaN, numbers beyond every limit, doubled keys and half surrogate pairs, and ends in a
RecursionError on deep nesting; Flask's ``get_json`` would let that become a 500.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, NoReturn

from flask import request

from fab_minicode.draft import Draft
from fab_minicode.errors import InvalidInput
from fab_minicode.kinds import Options
from fab_minicode.utm import UTM_FIELDS, Utm

MAX_BODY_BYTES = 64 * 1024
MAX_DEPTH = 16
_LARGEST_INTEGER = 2**53 - 1
_LARGEST_ID = 2**31 - 1

_TEXTS = ("appid", "name", "landing_page", "kind", *UTM_FIELDS, "remark")
_OPTIONS: dict[str, type] = {"width": int, "line_color": str, "auto_color": bool, "is_hyaline": bool}


def malformed(field: str, code: str, *, status: int = 400, detail: str = "") -> InvalidInput:
    """Return the error of a request that is wrong in its form: 400 (or ``status``) instead of 422."""
    error = InvalidInput(field, code, detail="".join(c for c in detail if c.isprintable())[:40])
    error.status = status
    return error


def body() -> dict[str, Any]:
    """
    Return the JSON object that was sent.

    Raises:
        InvalidInput: With field ``body``: not JSON, not an object, too large (413), too deep.
    """
    if not request.is_json:
        raise malformed("body", "not_json")
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise malformed("body", "too_large", status=413)
    # Without a length (chunked) the stream is read no further than the limit.
    content = request.stream.read(MAX_BODY_BYTES + 1) if request.content_length is None else request.get_data()
    if len(content) > MAX_BODY_BYTES:
        raise malformed("body", "too_large", status=413)
    found = parse(content)
    if not isinstance(found, dict):
        raise malformed("body", "not_an_object")
    return found


def parse(content: bytes) -> Any:
    """Return what JSON text in UTF-8 says. Raises InvalidInput(field="body")."""
    try:
        found = json.loads(
            content.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_refuse,
            parse_float=_finite,
            parse_int=_whole,
        )
    except (ValueError, RecursionError):
        raise malformed("body", "not_json") from None
    if _depth(found) > MAX_DEPTH:
        raise malformed("body", "too_deep")
    return found


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice")
    return found


def _refuse(_: str) -> NoReturn:
    raise ValueError("not a number")


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _refuse(text)


def _whole(text: str) -> int:
    number = int(text)
    return number if abs(number) <= _LARGEST_INTEGER else _refuse(text)


def _depth(found: Any) -> int:
    deepest, level = 0, [found]
    while level:
        deepest += 1
        level = [inner for one in level for inner in _inside(one)]
    return deepest


def _inside(found: Any) -> list[Any]:
    return list(found.values()) if isinstance(found, dict) else found if isinstance(found, list) else []


def only(found: Mapping[str, Any], *known: str, within: str = "") -> None:
    """Raise InvalidInput (400) naming the first field that is not among ``known``."""
    for name in found:
        if name not in known:
            raise malformed(f"{within}{name}"[:80], "unknown_field")


def text(found: Mapping[str, Any], name: str) -> str:
    """Return a text, "" where it is missing or null. Raises InvalidInput when it is something else."""
    value = found.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InvalidInput(name, "not_a_text")
    return value


def draft(found: Mapping[str, Any]) -> Draft:
    """Return the draft that a create sent. Raises InvalidInput for a wrong name (400) or a wrong type (422)."""
    only(found, *_TEXTS, "options")
    texts = {name: text(found, name) for name in _TEXTS}
    if not texts["kind"]:
        raise InvalidInput("kind", "required")
    utm = Utm(*(texts[name] for name in UTM_FIELDS))
    return Draft(
        appid=texts["appid"],
        name=texts["name"],
        kind=texts["kind"],
        landing_page=texts["landing_page"],
        utm=utm,
        options=_options(found.get("options")),
        remark=texts["remark"],
    )


def _options(found: Any) -> Options:
    if found is None:
        return Options()
    if not isinstance(found, dict):
        raise InvalidInput("options", "not_an_object")
    only(found, *_OPTIONS, within="options.")
    given = {name: value for name, value in found.items() if value is not None}
    for name, value in given.items():
        # A bool is an int to Python.
        if not isinstance(value, _OPTIONS[name]) or (isinstance(value, bool) and _OPTIONS[name] is int):
            raise InvalidInput(name, "wrong_type")
    width = {"width_px": given.pop("width")} if "width" in given else {}
    return Options(**width, **given)


def row_id(address: str) -> int:
    """Return the primary key in an address, 0 (which no row has) for everything that cannot be one."""
    if not (address.isascii() and address.isdigit()) or len(address) > 10 or int(address) > _LARGEST_ID:
        return 0
    return int(address)


def argument(name: str, default: int) -> int:
    """Return a number of the query string; ``default`` where it is none, and never beyond 2**31."""
    value = request.args.get(name, "").strip()
    return row_id(value) if value.isascii() and value.isdigit() and len(value) <= 10 else default
