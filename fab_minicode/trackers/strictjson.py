"""
JSON as a stranger may send it, into Python. Pure.

Python's parser takes more than JSON (UTF-16) and its failures are of many types (RecursionError is no ValueError); here
a body is read or refused, nothing else. A number that is none (NaN, Infinity, thousands of digits) is null, so that it
spoils its own event only. A key that comes twice: the last one wins.
"""

from __future__ import annotations

import json
from typing import Any

from fab_minicode.errors import CollectRejected

MAX_DEPTH = 100
"""Deepest nesting of arrays and objects; the SDKs need 4, custom attributes may nest further."""

MAX_DIGITS = 4_300
"""Longest integer that is read: what Python converts where nobody set it otherwise."""

_NO_MARKS = bytes(byte for byte in range(256) if byte not in b'[]{}"')
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_BOM = b"\xef\xbb\xbf"


def _null(_constant: str) -> None:
    return None


def _integer(digits: str) -> int | None:
    return int(digits) if len(digits) <= MAX_DIGITS else None


_decoder = json.JSONDecoder(parse_constant=_null)
_patient = json.JSONDecoder(parse_constant=_null, parse_int=_integer)
"""Calls Python for every integer, which is slower: for texts that the other one cannot read."""


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
        words = text.decode("utf-8")
        try:
            return _decoder.decode(words)
        except json.JSONDecodeError:
            raise
        except ValueError:
            return _patient.decode(words)  # more digits than Python converts
    except (ValueError, RecursionError):
        # ValueError also covers bytes that are not UTF-8.
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
