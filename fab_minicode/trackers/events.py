"""What the ear hears: the values that leave a tracker's parser, the same for every tracker. Pure, no behaviour."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import astuple, dataclass
from functools import cached_property
from typing import NamedTuple

from fab_minicode.utm import Utm, match_key, read_utm

MAX_STORED_PAGE_CHARACTERS = 256
HEADERS = ("Referer", "X-Compress-Codec")
"""The headers that parsers look at, spelled so."""


@dataclass(frozen=True, slots=True)
class TrackerRequest:
    """
    One HTTP request of a tracker, as far as parsers need it.

    Attributes:
        method: ``"GET"`` or ``"POST"``.
        query: The raw query string, without ``?``.
        headers: Those of :data:`HEADERS` that came.
        body: The raw body, already no longer than ``max_bytes``.
        max_bytes: What the body unpacks to must not be longer either.
    """

    method: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    max_bytes: int


@dataclass(frozen=True)
class Entry:
    """
    What one visit carried.

    Attributes:
        landing_page: Page path without query and without leading slash; "" when not told.
        scene: WeChat's number of how the mini program was opened, as text (``"1047"``), None when not told.
        utm: The UTM values of the query, or else of an ordinary link in it.
        short_key: The short key of a ``scene`` of interface B. It goes before ``utm``; ``utm`` stands in when no code
            has this key.
        query: The raw query, values encoded at most once.
        other_scene: A ``scene`` of interface B that is none of ours, decoded: 1 to 32 visible ASCII characters.
    """

    landing_page: str
    scene: str | None
    utm: Utm
    short_key: str | None
    query: str
    other_scene: str | None = None

    @cached_property
    def stored(self) -> str:
        """
        What is stored of it and the roll-up reads: a JSON array of landing page (at most 256 characters), WeChat's
        scene, source, campaign, medium, content, term, the short key of a B code, the match key of an A or C code
        (``utm.match_key``); null or "" where there is none. What an ordinary link carried matches no code. A scene of
        others follows, where there is one.
        """
        match = match_key(self.landing_page, self.query, self.utm) if self.utm and read_utm(self.query) else None
        page = self.landing_page[:MAX_STORED_PAGE_CHARACTERS] or None
        values = (page, self.scene, *astuple(self.utm), self.short_key, match)
        values += () if self.other_scene is None else (self.other_scene,)
        return json.dumps(values, ensure_ascii=False, separators=(",", ":"))


class Event(NamedTuple):
    """
    One thing that happened. A tuple, because a frozen dataclass takes five times as long to make (bench/collect.py).

    Attributes:
        identity: What is the same when the tracker sends this event again, and different for any other event.
        visitor: The tracker's device id. Never stored as it is.
        name: None for a visit, else the custom event's name, 1 to 100 characters.
        time_ms: When it happened by the device's clock, Unix milliseconds.
        entry: For visits only.
        is_test: Sent by a develop, trial or review version, or by the developer tools.
        user: Who had logged in, as the tracker tells; never stored. Only ``FAB_MINICODE_VISITOR_ID`` looks at it.
    """

    identity: str
    visitor: str
    name: str | None
    time_ms: int
    entry: Entry | None
    is_test: bool
    user: str | None = None


@dataclass(frozen=True, slots=True)
class Rejection:
    """An event that was refused: its place in the batch and why, as a stable word."""

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """
    One request's events.

    Attributes:
        events: ``(place in the batch, event)``.
        rejected: What should have been an event and is not.
        ignored: How many events there were of a kind that enters no number (page views, profiles ...).
    """

    events: tuple[tuple[int, Event], ...]
    rejected: tuple[Rejection, ...] = ()
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Tracker:
    """
    One protocol.

    Attributes:
        name: Part of an event's identity, so never change it.
        parse: Raises CollectRejected when the request as a whole cannot be read.
        success_status: The HTTP status that this protocol's senders take as success.
    """

    name: str
    parse: Callable[[TrackerRequest], Parsed]
    success_status: int
