"""
A seeded stream of events like a busy team's: visits of many visitors with touches by Zipf's law, and some orders.

60 % of the visits carry a touch (50 sources x 10 media x 200 campaigns), the others none; one event in ten is a custom
event of the visitor of an earlier one. Same arguments, same events.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from sqlalchemy import insert
from sqlalchemy.engine import Connection, Engine

from fab_minicode.models.acquisition import Pending, StoredEvent

SOURCES, MEDIA, CAMPAIGNS = 50, 10, 200
VISITORS = 2_000_000
DAYS = 30
_DAY_MS = 86_400_000
_CHUNK = 50_000
_SCENES = ("1047", "1048", "1011", "1012")
_OTHER_SCENES = ("1001", "1089", "1007", "1008")


def zipf(random: np.random.Generator, choices: int, count: int) -> Any:
    """Return numbers below ``choices``, the small ones more often."""
    weights = 1 / np.arange(1, choices + 1)
    return random.choice(choices, count, p=weights / weights.sum())


def rows(
    events: int,
    *,
    until_ms: int,
    authorizer_id: int = 1,
    visitors: int = VISITORS,
    days: float = DAYS,
    seed: int = 1,
    spread: tuple[int, int, int] = (SOURCES, MEDIA, CAMPAIGNS),
) -> Iterator[list[tuple[Any, ...]]]:
    """
    Return rows of ``minicode_events`` in chunks, in the order of time.

    ``spread`` says of how many sources, media and campaigns the touches are made.

    Columns: key, authorizer_id, name, time_ms, received_ms, visitor, entry, state.
    """
    random = np.random.default_rng(seed)
    pseudonyms = random.bytes(16 * visitors)
    step = days * _DAY_MS / events
    for begin in range(0, events, _CHUNK):
        count = min(_CHUNK, events - begin)
        who = random.integers(0, visitors, count)
        custom = random.random(count) < 0.1
        custom[0] = False
        # An order belongs to somebody who came just before.
        who[1:][custom[1:]] = who[:-1][custom[1:]]
        touched = random.random(count) < 0.6
        source, medium, campaign = (zipf(random, choices, count) for choices in spread)
        hashes = random.bytes(10 * count)
        chunk = []
        columns = zip(who.tolist(), custom.tolist(), touched.tolist(), source.tolist(), medium.tolist(),
                      campaign.tolist(), strict=True)  # fmt: skip
        for place, (visitor, is_custom, has_touch, s, m, c) in enumerate(columns):
            at = until_ms - int((events - begin - place) * step)
            entry = None if is_custom else touch_entry(s, m, c) if has_touch else bare_entry(visitor)
            key = at.to_bytes(6, "big") + hashes[10 * place : 10 * place + 10]
            name = "order_paid" if is_custom else None
            pseudonym = pseudonyms[16 * visitor : 16 * visitor + 16]
            chunk.append((key, authorizer_id, name, at, at, pseudonym, entry, 1))
        yield chunk


def touch_entry(source: int, medium: int, campaign: int) -> str:
    """Return what a visit from an advertisement carried, as ``acquisition.accept`` stores it."""
    page, scene = f"pages/offer/{campaign % 10}", _SCENES[source % 4]
    utm = (f"source-{source}", f"campaign-{campaign}", f"medium-{medium}", "", "")
    return json.dumps((page, scene, *utm, None, "0" * 32), separators=(",", ":"))


def bare_entry(visitor: int) -> str:
    """Return what a visit without a touch carried."""
    return json.dumps(("pages/index/index", _OTHER_SCENES[visitor % 4], "", "", "", "", "", None, None))


def fill(engine: Engine, events: int, *, until_ms: int, **options: Any) -> None:
    """Store generated events as pending, in the order of time."""
    for chunk in rows(events, until_ms=until_ms, **options):
        with engine.begin() as connection:
            store(connection, chunk)


def store(connection: Connection, chunk: list[tuple[Any, ...]]) -> None:
    """Store rows of :func:`rows`."""
    names = ("key", "authorizer_id", "name", "time_ms", "received_ms", "visitor", "entry", "state")
    waiting = [row[:2] for row in chunk]
    if connection.dialect.name == "sqlite":
        places = ",".join("?" * len(names))
        connection.exec_driver_sql(f"INSERT INTO minicode_events ({','.join(names)}) VALUES ({places})", chunk)
        connection.exec_driver_sql("INSERT INTO minicode_pending (key, authorizer_id) VALUES (?, ?)", waiting)
        return
    for model, rows in ((StoredEvent, chunk), (Pending, waiting)):
        connection.execute(insert(model.__table__), [dict(zip(names, row, strict=False)) for row in rows])
