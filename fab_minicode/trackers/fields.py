"""
Single fields of a stranger's JSON: read, cleaned, or refused with a word. Pure.

What leaves here is safe for every database: no NUL, no lone surrogates, bounded lengths, integers within 2**53.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fab_minicode.errors import CollectRejected
from fab_minicode.trackers.events import Event, Parsed, Rejection
from fab_minicode.utm import normalise

MAX_EVENTS = 1000
"""Most events of one request; the SDKs send up to 50 and 100."""

MAX_ID_CHARACTERS = 128
MAX_VISITOR_CHARACTERS = 256
MAX_NAME_CHARACTERS = 100
MAX_TIME_MS = 2**53

# A real request of a mini program carries this Referer; version 0 is a develop, trial or review version.
# Source: docs/trackers.md, "Test traffic". The AppID in it can be forged, so it is not compared with the key's.
_TEST_REFERER = re.compile(r"https://servicewechat\.com/[^/]+/(?:0|devtools)/page-frame\.html")


class EventRefused(Exception):
    """One event cannot be read; ``reason`` is a stable word. Never leaves the ear."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_all(items: Iterable[Any], read: Callable[[Mapping[str, Any]], Event | None]) -> Parsed:
    """
    Read a batch so that one bad event never sinks it.

    Args:
        items: The batch as it came.
        read: Returns the event, None for a kind that enters no number; raises EventRefused.

    Raises:
        CollectRejected: 413 for more than :data:`MAX_EVENTS`.
    """
    events: list[tuple[int, Event]] = []
    rejected: list[Rejection] = []
    index = -1
    for index, item in enumerate(items):
        if index >= MAX_EVENTS:
            raise CollectRejected(413, "too_many_events")
        try:
            if not isinstance(item, dict):
                raise EventRefused("not_an_object")
            event = read(item)
        except EventRefused as refused:
            rejected.append(Rejection(index, refused.reason))
            continue
        if event is not None:
            events.append((index, event))
    return Parsed(tuple(events), tuple(rejected), index + 1 - len(events) - len(rejected))


def clean(text: str) -> str:
    """Return the text without control characters and lone surrogates."""
    if text.isprintable():
        return text
    return "".join(c for c in text if unicodedata.category(c) not in ("Cc", "Cs"))


def text(value: Any, limit: int) -> str:
    """Return a text or number as clean text, "" for anything else: for fields that may be missing."""
    if isinstance(value, str):
        return clean(value[:limit])
    return str(value) if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= MAX_TIME_MS else ""


def required(value: Any, field: str, limit: int) -> str:
    """
    Return an id as text. It is only hashed, so it is not cleaned: two ids never become one.

    Raises:
        EventRefused: ``<field>_missing`` or ``<field>_invalid`` (not text or integer, or too long).
    """
    if isinstance(value, str) and 0 < len(value) <= limit:
        return value
    if value is None or value == "":
        raise EventRefused(f"{field}_missing")
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > MAX_TIME_MS:
        raise EventRefused(f"{field}_invalid")
    return str(value)


def optional(value: Any, limit: int) -> str | None:
    """Return an id that may be missing, as :func:`required` would; None for what is no id."""
    try:
        return required(value, "id", limit)
    except EventRefused:
        return None


def event_name(value: Any) -> str:
    """
    Return a custom event's name, normalised.

    Raises:
        EventRefused: ``name_missing``, ``name_invalid``, ``name_too_long`` or ``name_reserved`` (begins with ``$``).
    """
    if value is None or value == "":
        raise EventRefused("name_missing")
    if not isinstance(value, str):
        raise EventRefused("name_invalid")
    name = normalise(value)
    # Both: normalising cuts very long texts, and makes some short ones longer.
    if max(len(value), len(name)) > MAX_NAME_CHARACTERS:
        raise EventRefused("name_too_long")
    if not name:
        raise EventRefused("name_invalid")
    if name.startswith("$"):
        raise EventRefused("name_reserved")
    return name


def time_ms(value: Any) -> int:
    """
    Return Unix milliseconds.

    Raises:
        EventRefused: ``time_missing`` or ``time_invalid`` (not a whole number, not positive, beyond 2**53).
    """
    if value is None:
        raise EventRefused("time_missing")
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_TIME_MS:
        raise EventRefused("time_invalid")
    return value


def is_test_referer(headers: Mapping[str, str]) -> bool:
    """Tell whether the request comes from a develop, trial or review version, or from the developer tools."""
    return _TEST_REFERER.match(headers.get("Referer") or "") is not None


def is_test_version(env_version: Any) -> bool:
    """Tell whether WeChat's ``envVersion`` is given and names anything but the release."""
    return isinstance(env_version, str) and env_version not in ("", "release")


def identity(*parts: object) -> str:
    """Return one text for a tuple, different for different tuples: each part with its length before it."""
    return "".join(f"{len(part)}:{part}" for part in map(str, parts))
