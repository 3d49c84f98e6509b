"""
SIGKILL of the whole web server during collection, ten times: nothing acknowledged is lost, nothing is stored twice.

A set check as of Jepsen: clients write down what they sent and what was acknowledged; what got neither answer nor error
may or may not be there. Clients retry, split and mix their batches as SDKs do. Repeat a run with CRASH_SEED=<seed>.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine

from fab_minicode.models.acquisition import COUNTED
from tests import collect_app, databases, hosts

CLIENTS, KILLS = 8, 10
PATH = f"/minicode/collect/v1/{collect_app.KEY}"


class Server:
    """Gunicorn with two workers of four threads in a process group of its own."""

    def __init__(self, url: str, log: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._environ = {**os.environ, "COLLECT_HOST_URL": url, "COLLECT_HOST_KEY": hosts.SECRET_KEYS[0]}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", "2", "--threads", "4", "--preload"]
        command += ["-b", f"127.0.0.1:{self.port}", "--log-level", "warning", "tests.crash.collect_host:app"]
        with open(self._log, "ab") as log:  # noqa: PTH123
            self._process = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log, start_new_session=True)
        until = time.monotonic() + 120
        while True:
            with contextlib.suppress(OSError, http.client.HTTPException):
                if post(self.port, []) == 202:
                    return
            assert time.monotonic() < until, pathlib.Path(self._log).read_text("utf-8")[-2000:]
            time.sleep(0.05)

    def kill(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


def post(port: int, events: list[dict[str, object]]) -> int:
    """Send one batch and return the status; a success is believed only when every event is accounted for."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("POST", PATH, json.dumps({"events": events}), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status == 202:
        assert len(events) == body["accepted"] + body["duplicate"]
        assert [] == body["rejected"]
    return answer.status


class Client(threading.Thread):
    """Sends new events and those without an answer, in batches of any mixture, until told to stop."""

    def __init__(self, number: int, port: int, seed: int, stop: threading.Event) -> None:
        super().__init__(name=f"client-{number}", daemon=True)
        self._number, self._port, self._dice, self._stop_now = number, port, random.Random(f"{seed}-{number}"), stop
        self._made = 0
        self._open: list[dict[str, object]] = []
        self.sent: set[bytes] = set()
        self.acknowledged: set[bytes] = set()
        self.retries = 0
        self.failures: list[BaseException] = []

    def run(self) -> None:
        try:
            while not self._stop_now.is_set():
                self._step()
        except AssertionError as failure:
            self.failures.append(failure)

    def _step(self) -> None:
        self._open += [self._new() for _ in range(self._dice.randint(0, 15))]
        self._dice.shuffle(self._open)
        batch = self._open[: self._dice.randint(1, 30)]
        self.sent |= set(map(key_of, batch))
        try:
            status = post(self._port, batch)
        except (OSError, http.client.HTTPException, ValueError):
            status = 0
        if status != 202:
            self.retries += 1
            time.sleep(0.05)
            return
        self.acknowledged |= set(map(key_of, batch))
        # Now and then an answer is lost on its way: the same events come once more.
        if self._dice.random() < 0.9:
            self._open = self._open[len(batch) :]

    def _new(self) -> dict[str, object]:
        self._made += 1
        identity = f"{self._number}-{self._made}"
        now_ms = int(time.time() * 1000)
        event: dict[str, object] = {"id": identity, "visitor": f"v{self._dice.randint(1, 500)}", "time_ms": now_ms}
        if self._dice.random() < 0.2:
            return {**event, "type": "custom", "name": "order_paid"}
        return {**event, "type": "visit", "path": "pages/a", "query": f"utm_source=s{self._dice.randint(1, 9)}"}


def key_of(event: dict[str, object]) -> bytes:
    """The unique key under which an event of the first mini program is stored."""
    digest = hashlib.blake2b(f"1:native\n{event['id']}".encode(), digest_size=10).digest()
    return int(str(event["time_ms"])).to_bytes(6, "big") + digest


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
    dice, stop = random.Random(seed), threading.Event()
    clients = [Client(number, gunicorn.port, seed, stop) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for _ in range(KILLS):
            time.sleep(dice.uniform(0.1, 1.2))
            gunicorn.kill()
            gunicorn.start()
        time.sleep(0.5)
    finally:
        stop.set()
        for client in clients:
            client.join(60)
    sent, acknowledged = (
        set.union(*(getattr(client, name) for client in clients)) for name in ("sent", "acknowledged")
    )
    keys = stored_keys(url)
    retries = sum(client.retries for client in clients)
    with capsys.disabled():
        counts = f"{len(sent)} sent, {len(acknowledged)} acknowledged, {len(keys)} stored, {retries} retries"
        print(f"\n{KILLS} kills, seed {seed}: {counts}")  # noqa: T201

    assert [] == [failure for client in clients for failure in client.failures]
    assert retries > 0
    assert acknowledged
    assert set() == acknowledged - set(keys), f"seed {seed}"
    assert len(keys) == len(set(keys)), f"seed {seed}"
    assert set() == set(keys) - sent, f"seed {seed}"
    assert_all_are_counted_once(url, len(keys))


def stored_keys(url: str) -> list[bytes]:
    engine = create_engine(url)
    with engine.connect() as connection:
        keys = [bytes(row[0]) for row in connection.execute(text("SELECT key FROM minicode_events"))]
    engine.dispose()
    return keys


def assert_all_are_counted_once(url: str, events: int) -> None:
    """The roll-up, which was killed as often, ends with one attribution for each event."""
    engine = create_engine(url)
    until = time.monotonic() + 60
    try:
        while count(engine, f"minicode_events WHERE state <> {COUNTED}"):
            assert time.monotonic() < until, "the roll-up does not end"
            time.sleep(0.2)

        assert events == count(engine, "minicode_attributions")
    finally:
        engine.dispose()


def count(engine: Engine, rows: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {rows}")).scalar_one())
