"""
A web server that collects, in processes of its own, and phones that send to it, for set checks as of Jepsen.

Clients write down what they sent and what was acknowledged; what got neither answer nor error may or may not be there.
They retry, split and mix their batches as SDKs do.
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

from sqlalchemy import create_engine, text
from sqlalchemy.engine import Engine

from tests import collect_app, hosts
from tests.waiting import until

CLIENTS = 8
PATH = f"/minicode/collect/v1/{collect_app.KEY}"


class Server:
    """Gunicorn with two workers of four threads in a process group of its own."""

    def __init__(self, url: str, log: str, *, lock_seconds: float = 20) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._environ = {**os.environ, "COLLECT_HOST_URL": url, "COLLECT_HOST_KEY": hosts.SECRET_KEYS[0]}
        self._environ["COLLECT_HOST_LOCK_SECONDS"] = str(lock_seconds)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "gunicorn", "-k", "gthread", "-w", "2", "--threads", "4", "--preload"]
        command += ["-b", f"127.0.0.1:{self.port}", "--log-level", "warning", "tests.crash.collect_host:app"]
        with open(self._log, "ab") as log:  # noqa: PTH123
            self._process = subprocess.Popen(command, env=self._environ, stdout=log, stderr=log, start_new_session=True)
        try:
            until(self.collects, "the server collects")
        except AssertionError:
            raise AssertionError(pathlib.Path(self._log).read_text("utf-8")[-2000:]) from None

    def collects(self) -> bool:
        """Whether it answers as it should."""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            return post(self.port, []) == 202
        return False

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


class Phones:
    """Eight clients at once; what they sent and heard, together."""

    def __init__(self, port: int, seed: int) -> None:
        self._stop = threading.Event()
        self._clients = [Client(number, port, seed, self._stop) for number in range(CLIENTS)]

    def __enter__(self) -> Phones:  # noqa: PYI034 - typing.Self came with Python 3.11
        for client in self._clients:
            client.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for client in self._clients:
            client.join(60)

    @property
    def sent(self) -> set[bytes]:
        return set.union(*(client.sent for client in self._clients))

    @property
    def acknowledged(self) -> set[bytes]:
        return set.union(*(client.acknowledged for client in self._clients))

    @property
    def retries(self) -> int:
        return sum(client.retries for client in self._clients)

    def assert_kept(self, url: str, seed: int) -> None:
        """What was acknowledged is stored, nothing twice, nothing that nobody sent; each is counted once."""
        keys = stored_keys(url)

        assert [] == [failure for client in self._clients for failure in client.failures]
        assert self.acknowledged
        assert set() == self.acknowledged - set(keys), f"seed {seed}"
        assert len(keys) == len(set(keys)), f"seed {seed}"
        assert set() == set(keys) - self.sent, f"seed {seed}"
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
    try:
        until(lambda: not count(engine, "minicode_pending"), "the roll-up ends")

        assert events == count(engine, "minicode_attributions")
    finally:
        engine.dispose()


def count(engine: Engine, rows: str) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {rows}")).scalar_one())
