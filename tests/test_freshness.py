"""Until when events are counted: the newest counted arrival, and what waits."""

import datetime as dt
from dataclasses import replace

from sqlalchemy import update

from fab_minicode.acquisition import freshness as fresh
from fab_minicode.acquisition.freshness import freshness
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.models import StoredEvent
from fab_minicode.models.acquisition import TEST
from tests import worlds
from tests.events import Told, store
from tests.test_numbers import NOW

SETTINGS = worlds.settings_in("UTC")
AT = int(NOW.timestamp() * 1000)


def test_counting_moves_on_with_arrivals_and_never_back(engine):
    visit = Told("v", AT - 5_000, authorizer_id=1)
    with engine.connect() as connection:
        assert {"until": None, "pending": 0} == freshness(connection, 1).as_json()

    store(engine, [visit, replace(visit, authorizer_id=2, time_ms=AT - 1_000)])
    with engine.connect() as connection:
        assert (None, 1) == (freshness(connection, 1).until, freshness(connection, 1).pending)

    roll_up(engine, settings=SETTINGS, now=NOW)
    # What happened long ago and arrives now.
    late = replace(visit, number=2, time_ms=AT - 90_000)
    store(engine, [late])
    with engine.begin() as connection:
        connection.execute(update(StoredEvent).where(StoredEvent.key == late.key).values(received_ms=AT - 6_000))
    store(engine, [replace(visit, number=3)], state=TEST)
    with engine.connect() as connection:
        found = freshness(connection, 1)

        assert (NOW - dt.timedelta(seconds=5), 1) == (found.until, found.pending)
        assert NOW - dt.timedelta(seconds=1) == freshness(connection, 2).until

    roll_up(engine, settings=SETTINGS, now=NOW)
    with engine.connect() as connection:
        expected = {"until": (NOW - dt.timedelta(seconds=5)).isoformat(timespec="milliseconds"), "pending": 0}

        assert expected == freshness(connection, 1).as_json()


def test_a_long_queue_is_not_counted_to_its_end(engine, monkeypatch):
    monkeypatch.setattr(fresh, "MAX_PENDING", 3)
    store(engine, [Told("v", AT, number=n) for n in range(5)])
    with engine.connect() as connection:
        assert 3 == freshness(connection, 1).pending
