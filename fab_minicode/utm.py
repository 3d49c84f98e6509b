"""
UTM values in and out of a mini program's query string. Pure: strings in, values out.

Composing percent-encodes reserved and unsafe ASCII only; other characters stay as UTF-8, so that more of a Chinese
text fits into the 128 bytes of interface C. Reading accepts both forms, because WeChat hands values over decoded or
not depending on the entry (docs/wechat.md), and decodes exactly once.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from dataclasses import astuple, dataclass, fields
from urllib.parse import unquote_to_bytes

MAX_VALUE_CHARACTERS = 128
"""Longest UTM value, in characters after normalisation; ours, the same for forms and trackers."""

# RFC 3986, 2.3: only the unreserved ASCII characters stay as they are.
_SAFE_ASCII = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@dataclass(frozen=True)
class Utm:
    """The five UTM values; "" means not given. Field order is the order in a composed path."""

    source: str = ""
    campaign: str = ""
    medium: str = ""
    content: str = ""
    term: str = ""

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Return ``(("utm_source", "poster"), ...)`` without the empty ones, in composing order."""
        return tuple((f"utm_{f.name}", v) for f, v in zip(fields(self), astuple(self), strict=True) if v)

    def __bool__(self) -> bool:
        """A UTM set without source is no touch (docs/numbers.md)."""
        return bool(self.source)


UTM_FIELDS: tuple[str, ...] = tuple(f"utm_{f.name}" for f in fields(Utm))


def escape(value: str) -> str:
    """Percent-encode reserved and unsafe ASCII of one query value; leave everything above U+007F as it is."""
    return "".join(c if c in _SAFE_ASCII or ord(c) > 0x7F else f"%{ord(c):02X}" for c in value)


def unescape(value: str) -> str:
    """
    Decode a query value once if it is encoded, else return it as it came.

    A value in which some ``%`` does not begin an escape, or whose bytes are not UTF-8, was handed over decoded.
    ``+`` stays ``+``: mini programs do not use form encoding.
    """
    if "%" not in value or _ESCAPE.search(value):
        return value
    try:
        return unquote_to_bytes(value).decode("utf-8")
    except UnicodeDecodeError:
        return value


def split_query(query: str) -> tuple[tuple[str, str], ...]:
    """Split at ``&``, each pair at its first ``=``; nothing is decoded. Empty pieces are dropped."""
    pieces = (piece.partition("=") for piece in query.split("&") if piece)
    return tuple((key, value) for key, _, value in pieces)


def normalise(value: str) -> str:
    """Return the value as it is stored: NFC, without surrounding white space, control characters removed."""
    if value.isascii() and value.isprintable():
        return value.strip()[:MAX_VALUE_CHARACTERS]  # the usual case; what follows would change nothing
    text = unicodedata.normalize("NFC", value)
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs")).strip()[:MAX_VALUE_CHARACTERS]


def read_utm(query: str) -> Utm:
    """
    Read the UTM values of a raw query; keys compare case-insensitively, values keep their case.

    The first non-empty occurrence of a key wins. Values are decoded once, normalised and cut at
    :data:`MAX_VALUE_CHARACTERS`. An empty ``Utm`` (falsy) when there is no ``utm_source``.
    """
    found: dict[str, str] = {}
    for key, value in split_query(query):
        name = unescape(key).lower()
        if name in UTM_FIELDS and not found.get(name):
            found[name] = normalise(unescape(value))
    return (
        Utm(**{name.removeprefix("utm_"): value for name, value in found.items()}) if found.get("utm_source") else Utm()
    )


def compose_path(landing_page: str, utm: Utm) -> str:
    """Join the landing page as typed and the UTM values with ``?`` or ``&`` (docs/codes.md)."""
    query = "&".join(f"{key}={escape(value)}" for key, value in utm.pairs())
    if not query:
        return landing_page
    return f"{landing_page}{'&' if '?' in landing_page else '?'}{query}"


def byte_length(text: str) -> int:
    """UTF-8 bytes of exactly this string: the number WeChat's limits are measured in."""
    return len(text.encode("utf-8"))


def match_key(page: str, query: str, utm: Utm) -> str:
    """
    Return the key by which a visit finds the A or C code it came from: 32 hexadecimal characters.

    Args:
        page: Page path without query.
        query: The raw query a visit carried, or a landing page's own query; its UTM, ``scene``, ``q`` and
            ``scancode_time`` pairs are left out, and those without a value (a tracker that does not encode turns
            an ``&`` inside a value into one); the others count in any order, decoded once.
        utm: The UTM values, normalised.
    """
    left_out = {*UTM_FIELDS, "scene", "q", "scancode_time"}
    decoded = ((unescape(key), unescape(value)) for key, value in split_query(query))
    own = sorted(pair for pair in decoded if pair[1] and pair[0].lower() not in left_out)
    text = json.dumps([page, own, astuple(utm)], ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]
