"""
JSON as a stranger may send it, into Python. Pure.

Python's parser takes more than JSON (NaN, UTF-16) and its failures are of many types (RecursionError is no
ValueError); here a body is read or refused, nothing else. A key that comes twice: the last one wins.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

from fab_minicode.errors import CollectRejected

MAX_DEPTH = 32
"""Deepest nesting of arrays and objects; the SDKs need 4, custom attributes may nest further."""

_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_BOM = b"\xef\xbb\xbf"


def _refuse_constant(_: str) -> NoReturn:
    raise ValueError("NaN and Infinity are not JSON")


_decoder = json.JSONDecoder(parse_constant=_refuse_constant)


def parse(body: bytes) -> Any:
    """
    Return the value of a JSON text in UTF-8, with or without a byte order mark.

    Strings may still hold NUL and lone surrogates: escapes spell them. ``fields`` cleans what is kept.

    Raises:
        CollectRejected: 400 ``malformed`` or ``too_deep``.
    """
    text = body.removeprefix(_BOM)
    if is_deep(text):
        raise CollectRejected(400, "too_deep")
    try:
        return _decoder.decode(text.decode("utf-8"))
    except (ValueError, RecursionError):
        # ValueError also covers bytes that are not UTF-8 and integers of more digits than Python converts.
        raise CollectRejected(400, "malformed") from None


def is_deep(text: bytes) -> bool:
    """Tell whether brackets nest deeper than :data:`MAX_DEPTH`, or do not match at all, before anything recurses."""
    if text.count(b"[") + text.count(b"{") <= MAX_DEPTH:
        return False
    # Leave the strings out. Escaped backslashes go first, so that every quote that is left delimits a string. Quotes
    # that meet once the rest is gone can go in pairs: what stands inside of strings, and what outside, stays there.
    marks = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(_ONE_KIND, _NO_MARKS).replace(b'""', b"")
    brackets = b"".join(marks.split(b'"')[::2])
    for _ in range(MAX_DEPTH):
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")  # the innermost pairs: one level
    return bool(brackets)
