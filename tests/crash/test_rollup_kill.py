"""
SIGKILL in the middle of counting, several times: what was half-way is as if it had never begun.

A process that counts is killed at a random moment. Repeat a run with CRASH_SEED=<seed>.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time

from sqlalchemy import create_engine, text

from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models import Base
from tests import databases, worlds
from tests.events import store
from tests.facts_state import state_of
from tests.recount import in_order
from tests.test_rollup import NOW, SETTINGS

KILLS = 10


def killed(url, chance):
    """Start a process that counts and kill it some time after its first batch; returns how many batches it counted."""
    command = [sys.executable, "-m", "tests.crash.rollup_worker", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        line = worker.stdout.readline()

        assert line, worker.stderr and worker.stderr.read()
        time.sleep(chance.uniform(0, 0.05))
        worker.send_signal(signal.SIGKILL)
        with contextlib.suppress(ValueError):
            worker.communicate()


def test_a_killed_roll_up_leaves_nothing_half_counted(database_url, tmp_path):
    seed = int(os.environ.get("CRASH_SEED", str(random.randrange(10**6))))
    chance = random.Random(seed)
    engine = databases.engine_for(database_url)
    Base.metadata.create_all(engine)
    told = worlds.stream(chance, [_PRINT] * 4, authorizer_id=1, now=NOW, count=4000)
    store(engine, told)
    for _ in range(KILLS):
        killed(database_url, chance)
    left = _pending(database_url)
    counted = roll_up_all(engine, settings=SETTINGS, now=NOW)

    assert left == counted, seed
    assert 4000 == _count(engine, "SELECT count(*) FROM minicode_attributions")

    clean = databases.engine_for(databases.fresh(engine.dialect.name, tmp_path))
    Base.metadata.create_all(clean)
    store(clean, sorted(told, key=in_order))
    roll_up_all(clean, settings=SETTINGS, now=NOW)

    assert state_of(clean) == state_of(engine), seed
    for one in (clean, engine):
        one.dispose()


_PRINT = worlds.Print(0, "nobody", "wxacode", "nobodys", "x" * 32, ("poster", "", "", "", ""))


def _pending(url):
    engine = create_engine(url)
    try:
        return _count(engine, "SELECT count(*) FROM minicode_pending")
    finally:
        engine.dispose()


def _count(engine, query):
    with engine.connect() as connection:
        return connection.execute(text(query)).scalar_one()
