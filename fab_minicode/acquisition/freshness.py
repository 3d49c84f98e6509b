"""
How fresh the numbers of a mini program are: the arrival of the newest counted event, and what waits to be counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from sqlalchemy.engine import Connection

from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.answer import Freshness
from fab_minicode.models.acquisition import Pending, Progress

MAX_PENDING = 1_000
"""So many waiting events are looked at, of all mini programs; an answer shall not wait for a long queue's count."""


def freshness(connection: Connection, authorizer_id: int) -> Freshness:
    """Return how fresh a mini program's numbers are; two small look-ups."""
    mark = bulk.mark(connection)
    counted = f"SELECT received_ms FROM {Progress.__tablename__} WHERE authorizer_id = {mark}"  # noqa: S608
    waiting = (
        f"SELECT count(*) FROM (SELECT authorizer_id FROM {Pending.__tablename__}"  # noqa: S608
        f" ORDER BY key LIMIT {MAX_PENDING}) AS w WHERE w.authorizer_id = {mark}"
    )
    found = bulk.rows(connection, counted, (authorizer_id,))
    pending = int(bulk.rows(connection, waiting, (authorizer_id,))[0][0])
    until = dt.datetime.fromtimestamp(found[0][0] / 1000, dt.timezone.utc) if found else None
    return Freshness(until, pending)


def remember(connection: Connection, received_ms: Mapping[int, int]) -> None:
    """Remember the newest arrivals of a batch, by mini program; inside the roll-up, which is alone."""
    ids = sorted(received_ms)
    before = dict(bulk.find(connection, Progress.authorizer_id, ids, (Progress.authorizer_id, Progress.received_ms)))
    newest = [max(received_ms[number], before.get(number, 0)) for number in ids]
    bulk.insert(connection, Progress, {"authorizer_id": ids, "received_ms": newest}, update=("received_ms",))
