"""
SIGKILL of the whole web server during collection, ten times: nothing acknowledged is lost, nothing is stored twice.

Repeat a run with CRASH_SEED=<seed>.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine

from tests import collect_app, databases, hosts
from tests.crash.phones import Phones, Server

KILLS = 10


@pytest.fixture(params=databases.KINDS)
def server(request, tmp_path) -> Iterator[tuple[Server, str]]:
    url = hosts.copy_of_template(request.param, tmp_path)
    engine = create_engine(url)
    with engine.begin() as connection:
        collect_app.add_authorizers(connection)
    engine.dispose()
    server = Server(url, str(tmp_path / "server.log"))
    try:
        server.start()
        yield server, url
    finally:
        server.kill()


def test_nothing_acknowledged_is_lost_and_nothing_is_doubled(server, capsys):
    gunicorn, url = server
    seed = int(os.environ.get("CRASH_SEED") or time.time_ns() % 10**9)
    dice = random.Random(seed)
    with Phones(gunicorn.port, seed) as phones:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.1, 1.2))
            gunicorn.kill()
            gunicorn.start()
        time.sleep(0.5)
    with capsys.disabled():
        counts = f"{len(phones.sent)} sent, {len(phones.acknowledged)} acknowledged, {phones.retries} retries"
        print(f"\n{KILLS} kills, seed {seed}: {counts}")  # noqa: T201

    assert phones.retries > 0
    phones.assert_kept(url, seed)
