"""
Who may send to the collector, and how fast: what each process remembers so that a request costs no extra query.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import math
import threading
from dataclasses import dataclass

from limits import parse_many
from sqlalchemy.engine import Engine

from fab_minicode.acquisition.accept import ACTIVE_SECONDS
from fab_minicode.authorizers import by_collect_key, visitor_key
from fab_minicode.errors import CollectRejected
from fab_minicode.vault import Vault

KNOWN_SECONDS = 10.0
"""How long a process remembers whose a collect key is; a changed key is refused after that."""

MOST_COUNTED = 10_000
"""Of how many keys or addresses a process counts requests."""

_MAX_KNOWN = 10_000
_NETWORK_BITS = 64


@dataclass
class Source:
    """
    The mini program behind a collect key.

    Attributes:
        authorizer_id: Its row.
        appid: Its AppID.
        visitor_key: Its own key for visitor ids, opened.
        fresh_until: Unix seconds until which this is believed.
        active_until: Unix seconds until which ``last_event_at`` need not be written again.
    """

    authorizer_id: int
    appid: str
    visitor_key: bytes
    fresh_until: float
    active_until: float = 0.0

    def is_due(self, now: dt.datetime) -> bool:
        """Tell whether ``last_event_at`` should be written, and take it that it will be."""
        # Either way: a clock that was set back must not stop it for an hour.
        if self.active_until - ACTIVE_SECONDS <= now.timestamp() < self.active_until:
            return False
        self.active_until = now.timestamp() + ACTIVE_SECONDS
        return True


class KnownKeys:
    """Finds the mini program behind a collect key; only keys that exist are remembered, so strangers fill nothing."""

    def __init__(self, vault: Vault) -> None:
        self._vault = vault
        self._known: dict[str, Source] = {}

    def find(self, engine: Engine, key: str, now: dt.datetime) -> Source:
        """
        Return the source.

        Raises:
            CollectRejected: 403 for a key that is not there.
            SecretUnreadable: If the visitor key cannot be opened.
        """
        known = self._known.get(key)
        if known is not None and known.fresh_until - KNOWN_SECONDS <= now.timestamp() < known.fresh_until:
            return known
        with engine.connect() as connection:
            row = by_collect_key(connection, key, now)
        if row is None:
            self._known.pop(key, None)
            raise CollectRejected(403, "unknown_key")
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        opened = visitor_key(self._vault, row.appid, row.sealed_visitor_key)
        active_until = known.active_until if known else 0.0
        source = self._known[key] = Source(row.id, row.appid, opened, now.timestamp() + KNOWN_SECONDS, active_until)
        return source


class RateLimit:
    """
    Requests per key, or per address, in fixed windows, counted in this process.

    The ``limits`` package reads the notation; its in-memory storage starts a thread for nearly every request, which
    costs more than the request's own work, so the counting is ours.
    """

    def __init__(self, rate: str) -> None:
        items = parse_many(rate) if rate else []
        self._windows = tuple((item.get_expiry(), item.amount) for item in items)
        self._counts: dict[str, list[tuple[int, int]]] = {}
        self._lock = threading.Lock()

    def check(self, key: str, now: dt.datetime) -> None:
        """
        Count one request.

        Raises:
            CollectRejected: 429 with the seconds until the window ends.
        """
        if not self._windows:
            return
        seconds = now.timestamp()
        with self._lock:
            if len(self._counts) >= MOST_COUNTED and key not in self._counts:
                self._forget(seconds)
            before = self._counts.get(key) or [(0, 0)] * len(self._windows)
            after = [_next(count, seconds, length) for count, (length, _) in zip(before, self._windows, strict=True)]
            self._counts[key] = after
        full = [length for (_, n), (length, most) in zip(after, self._windows, strict=True) if n > most]
        if full:
            wait = max(math.ceil(length - seconds % length) for length in full)
            raise CollectRejected(429, "too_fast", retry_after_seconds=max(wait, 1))

    def _forget(self, seconds: float) -> None:
        """Forget who was not seen in any present window; everybody, if that makes no room."""
        present = [int(seconds // length) for length, _ in self._windows]
        seen = {
            key: counts
            for key, counts in self._counts.items()
            if any(window == now for (window, _), now in zip(counts, present, strict=True))
        }
        self._counts = seen if len(seen) < MOST_COUNTED else {}


def _next(count: tuple[int, int], seconds: float, length_seconds: int) -> tuple[int, int]:
    """Return ``(window, requests in it)`` after one more request."""
    window = int(seconds // length_seconds)
    return window, count[1] + 1 if count[0] == window else 1


def bounded_address(text: str | None) -> str | None:
    """
    Return what is counted of the address that a request came from; None for one that is not bounded.

    Only public addresses are: any other is a proxy's that the host was not told of (``ProxyFix``), or in-house. Of an
    IPv6 address it is the network, because a single subscriber has all addresses in one.
    """
    try:
        found = ipaddress.ip_address(text or "")
    except ValueError:  # a Unix socket, or a server that knows no address
        return None
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found.packed, _NETWORK_BITS), strict=False)) if found.is_global else None
        found = found.ipv4_mapped
    return str(found) if found.is_global else None
