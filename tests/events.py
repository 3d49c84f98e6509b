"""Events for tests of numbers: told as plain values, stored as ``acquisition.accept`` stores them."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.engine import Connection, Engine

from fab_minicode.models import Pending, StoredEvent
from fab_minicode.models.acquisition import REAL


@dataclass(frozen=True)
class Told:
    """
    One event.

    ``name``: None for a visit. ``utm``: source, campaign, medium, content, term. ``number``: tells two events apart.
    """

    visitor: str
    time_ms: int
    name: str | None = None
    page: str | None = "pages/index/index"
    scene: str | None = "1001"
    utm: tuple[str, str, str, str, str] = ("", "", "", "", "")
    short_key: str | None = None
    match_key: str | None = None
    number: int = 0
    authorizer_id: int = 1
    pseudonym: bytes | None = None

    @property
    def key(self) -> bytes:
        """What the unique key of this event is."""
        identity = hashlib.sha256(f"{self.authorizer_id}/{self.visitor}/{self.number}/{self.name}".encode()).digest()
        return self.time_ms.to_bytes(6, "big") + identity[:10]

    @property
    def entry(self) -> str | None:
        """What the visit carried, as the roll-up reads it; None for a custom event."""
        if self.name is not None:
            return None
        return json.dumps([self.page, self.scene, *self.utm, self.short_key, self.match_key], ensure_ascii=False)


def store(engine: Engine | Connection, told: Iterable[Told], *, state: int = REAL) -> None:
    """Store events as pending, like an accepted request."""
    rows = [
        {
            "key": event.key,
            "authorizer_id": event.authorizer_id,
            "name": event.name,
            "time_ms": event.time_ms,
            "received_ms": event.time_ms,
            "visitor": event.pseudonym or hashlib.sha256(event.visitor.encode()).digest()[:16],
            "entry": event.entry,
            "state": state,
        }
        for event in told
    ]
    with contextlib.nullcontext(engine) if isinstance(engine, Connection) else engine.begin() as connection:
        connection.execute(insert(StoredEvent.__table__), rows)
        if state == REAL:
            waiting = [{name: row[name] for name in ("key", "authorizer_id")} for row in rows]
            connection.execute(insert(Pending.__table__), waiting)
