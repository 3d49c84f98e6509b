"""
The database goes away three times while phones send to a real web server: every acknowledged event is stored once, and
the web server, which nobody restarts, goes on by itself. Repeat a run with CRASH_SEED=<seed>.
"""

from __future__ import annotations

import os
import random
import time

import pytest
from sqlalchemy import create_engine

from tests import collect_app, hosts
from tests.crash import faults
from tests.crash.phones import Phones, Server
from tests.postgresql import Cluster
from tests.waiting import until

TIMES = 3


@pytest.fixture(params=["postgresql-killed", "postgresql-stopped", "sqlite-locked"])
def place(request, tmp_path):
    """``(a collecting web server, its database's URL, what happens to the database)``."""
    kind, what = request.param.split("-")
    cluster = None
    if kind == "sqlite":
        url = hosts.copy_of_template(kind, tmp_path)
        fault = faults.Locked(url)
    else:
        cluster = Cluster()
        cluster.start()
        faults.furnish(cluster)
        url = cluster.url("furnished")
        fault = faults.Down(cluster, cluster.kill if what == "killed" else cluster.stop)
    engine = create_engine(url)
    with engine.begin() as connection:
        collect_app.add_authorizers(connection)
    engine.dispose()
    server = Server(url, str(tmp_path / "server.log"), lock_seconds=0.3)
    try:
        server.start()
        yield server, url, fault
    finally:
        server.kill()
        if cluster is not None:
            cluster.remove()


def test_nothing_acknowledged_is_lost_when_the_database_goes_away(place):
    server, url, fault = place
    seed = int(os.environ.get("CRASH_SEED") or time.time_ns() % 10**9)
    dice = random.Random(seed)
    with Phones(server.port, seed) as phones:
        for _ in range(TIMES):
            time.sleep(dice.uniform(0.2, 1.0))
            before = phones.retries
            fault.begin()
            until(lambda before=before: phones.retries > before, "somebody is refused")
            fault.end()
            until(server.collects, "the server collects again")
            acknowledged = len(phones.acknowledged)
            until(lambda known=acknowledged: len(phones.acknowledged) > known, "events are stored again")

    phones.assert_kept(url, seed)
