"""
One visit's query -> what it carried: the short key of a B code, or UTM values, never mixed from two sources. Pure.

Order (docs/trackers.md): a ``scene`` of ours, else ``utm_*`` in the query, else ``utm_*`` inside an ordinary link's
``q``. The UTM values are read even beside a short key: they stand in when no code has that key.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from fab_minicode.scene import read_scene
from fab_minicode.trackers.events import Entry
from fab_minicode.trackers.fields import clean, text
from fab_minicode.utm import Utm, read_utm, split_query, unescape

MAX_PAGE_CHARACTERS = 1024
MAX_QUERY_CHARACTERS = 2048
_MAX_SCENE_CHARACTERS = 64
_ENTRY_SCENE = re.compile(r"(?:scn:|wx-)?([0-9]{1,8})", re.ASCII)
# What interface B takes: docs/wechat.md.
_SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}", re.ASCII)
# WeChat hands a link over encoded, which leaves no ":" in it. Where it came decoded, its own "&" run into the query's;
# WeChat's scancode_time ends it.
_DECODED_LINK = re.compile(r"(?:^|&)q=(https?://[^&]*\?.*?)(?=&scancode_time=|$)", re.IGNORECASE | re.DOTALL)


def read_entry(path: Any, query: Any, scene: Any, utm: Utm | None = None) -> Entry:
    """
    Return what a visit carried, from fields as they came; anything but text and numbers counts as not given.

    Args:
        path: Page path; a leading slash is dropped, and a query behind it stands in for an empty ``query``.
        query: Raw query, with or without ``?``; values encoded or decoded, as WeChat handed them over.
        scene: WeChat's entry scene number: ``1047``, ``"1047"``, ``"scn:1047"`` or ``"wx-1047"``. The word has two
            meanings at WeChat: interface B's scene of ours is taken as if it stood in the query.
        utm: UTM values that the tracker read itself; they go before those in the query.
    """
    page = path[:MAX_PAGE_CHARACTERS] if isinstance(path, str) else text(path, MAX_PAGE_CHARACTERS)
    query = query[:MAX_QUERY_CHARACTERS] if isinstance(query, str) else text(query, MAX_QUERY_CHARACTERS)
    return _read(page, query, text(scene, _MAX_SCENE_CHARACTERS), utm)


# Visitors of one print send the same page and query, and reading one is a third of a request's work (bench/collect.py).
# Bounded in number and, by the limits above, in bytes, so that strangers cannot fill the memory.
@lru_cache(maxsize=2048)
def _read(path: str, query: str, scene: str, utm: Utm | None) -> Entry:
    page, _, own = clean(path).lstrip("/").partition("?")
    query, link = _take_link(clean(query).removeprefix("?") or own)
    opened = _ENTRY_SCENE.fullmatch(scene)
    short_key = _short_key(query) or (None if opened else _key_in(scene))
    return Entry(
        landing_page=page,
        scene=opened.group(1) if opened else None,
        utm=utm or read_utm(query) or read_utm(link),
        short_key=short_key,
        query=query,
        other_scene=None if short_key else _other_scene(query),
    )


def _take_link(query: str) -> tuple[str, str]:
    """Return the query without an ordinary link's ``q``, and the query inside that link."""
    decoded = _DECODED_LINK.search(query)
    if decoded:
        return query[: decoded.start()] + query[decoded.end() :], _query_of(decoded.group(1))
    for key, value in split_query(query):
        if key.lower() == "q":
            link = unescape(value)
            return query, _query_of(link if "://" in link else unescape(link))
    return query, ""


def _query_of(link: str) -> str:
    return link.partition("?")[2].partition("#")[0]


def _short_key(query: str) -> str | None:
    for key, value in split_query(query):
        if unescape(key).lower() == "scene":
            return _key_in(value)
    return None


def _other_scene(query: str) -> str | None:
    """Return a scene that is none of ours, as its print carries it; None for what WeChat would not have taken."""
    for key, value in split_query(query):
        if unescape(key).lower() == "scene":
            return next((text for text in (unescape(value), unescape(unescape(value))) if _SCENE.fullmatch(text)), None)
    return None


def _key_in(scene: str) -> str | None:
    # WeChat hands a scene over encoded, SDKs decode it or encode it once more; a key of ours has no "%".
    once = unescape(scene)
    return read_scene(scene) or read_scene(once) or read_scene(unescape(once))
