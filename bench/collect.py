"""
Collector events per second against a bare Flask view, in the same run, alternating.

    python -m bench.collect [--batches 400] [--size 50] [--rounds 9]

Both sides get the same bytes through their WSGI interface in this process, on a fresh database of each kind. The bare
view is what one writes without any of our promises: parse the JSON, one ``executemany`` with the same unique key that
leaves out what is there, commit, answer. No check, no pseudonym, no touch, no limit, no key, no rejected list.

Ours runs in a whole Flask-AppBuilder host with CSRF protection. Queries follow a Zipf law over 2 000 prints; a quarter
of the events are custom events. Medians of the rounds are printed, and their ratio; the goal is 0.70.
"""

from __future__ import annotations

import argparse
import gc
import hashlib
import io
import json
import pathlib
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask, jsonify, request
from flask.wrappers import Response
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, String, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Engine

from bench.results import note
from tests import collect_app, databases, hosts

GOAL = 0.70
PRINTS = 2_000

bare_events = Table(
    "bare_events",
    MetaData(),
    Column("key", LargeBinary(16), primary_key=True),
    Column("name", String(100)),
    Column("time_ms", BigInteger, nullable=False),
    Column("visitor", Text, nullable=False),
    Column("path", Text),
    Column("query", Text),
    Column("scene", Integer),
    sqlite_with_rowid=False,
)


def bare_app(engine: Engine) -> Flask:
    """Return a plain Flask application with the bare view."""
    app = Flask("bare")
    dialect = postgresql if engine.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(bare_events).on_conflict_do_nothing(index_elements=["key"])
    bare_events.metadata.create_all(engine)

    def key(event: dict[str, Any]) -> bytes:
        return event["time_ms"].to_bytes(6, "big") + hashlib.blake2b(event["id"].encode(), digest_size=10).digest()

    @app.post("/collect")
    def collect() -> tuple[Response, int]:
        rows = [
            {
                "key": key(event),
                "name": event.get("name"),
                "time_ms": event["time_ms"],
                "visitor": event["visitor"],
                "path": event.get("path"),
                "query": event.get("query"),
                "scene": event.get("scene"),
            }
            for event in request.get_json()["events"]
        ]
        with engine.begin() as connection:
            connection.execute(insert, rows)
        return jsonify({"accepted": len(rows)}), 202

    return app


def batches(count: int, size: int, seed: int) -> Iterator[bytes]:
    """Yield request bodies; no event comes twice, and time goes on from batch to batch and from round to round."""
    dice = random.Random(seed)
    weights = [1 / rank for rank in range(1, PRINTS + 1)]
    begun_ms = int(time.time() * 1000) - 3_600_000 + seed * count * size
    for batch in range(count):
        prints = dice.choices(range(PRINTS), weights, k=size)
        events = [_event(dice, begun_ms + batch * size + n, of) for n, of in enumerate(prints)]
        yield json.dumps({"events": events}).encode()


def _event(dice: random.Random, time_ms: int, of: int) -> dict[str, Any]:
    event: dict[str, Any] = {"id": f"{dice.getrandbits(96):024x}", "visitor": f"{dice.getrandbits(20):032x}"}
    event["time_ms"] = time_ms
    if dice.random() < 0.25:
        return {**event, "type": "custom", "name": "order_paid"}
    query = f"listID={of}&utm_source=source{of % 50}&utm_campaign=campaign{of % 200}&utm_medium=poster"
    return {**event, "type": "visit", "path": "pages/list/list", "query": query, "scene": 1047}


def send(app: Flask, path: str, body: bytes) -> None:
    """Send one request through the application's WSGI interface; anything but 202 ends the run."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
    answer = app(environ, lambda status, *_: statuses.append(status))  # type: ignore[arg-type, return-value]
    text = b"".join(answer)
    if not statuses[0].startswith("202"):
        raise SystemExit(f"{path}: {statuses[0]} {text!r}")


def measure(kind: str, folder: pathlib.Path, options: argparse.Namespace) -> float:
    """Print both sides' events per second on one kind of database and return their ratio."""
    ours = collect_app.make(kind, folder, COLLECT_RATE="")
    bare = bare_app(hosts.engine_of(ours))
    sides: tuple[tuple[str, Callable[[bytes], None]], ...] = (
        ("bare", lambda body: send(bare, "/collect", body)),
        ("ours", lambda body: send(ours, f"/minicode/collect/v1/{collect_app.KEY}", body)),
    )
    seconds = [_round(sides, list(batches(options.batches, options.size, turn))) for turn in range(options.rounds + 1)]
    # The first round fills caches and pools. Ratios are of sums within one round, so that a slow minute hits both.
    events = options.batches * options.size
    rates = {name: statistics.median(events / spent[name] for spent in seconds[1:]) for name, _ in sides}
    ratio = statistics.median(spent["bare"] / spent["ours"] for spent in seconds[1:])
    shown = "   ".join(f"{name} {rates[name]:>8,.0f}/s" for name, _ in sides)
    print(f"{kind:<11} {shown}   ratio {ratio:.2f} (goal {GOAL:.2f})")
    note(
        f"collecting, batches of {options.size}, {kind}",
        ours=f"{rates['ours']:,.0f}/s",
        baseline=f"{rates['bare']:,.0f}/s",
        ratio=ratio,
        goal=f">= {GOAL}",
    )
    hosts.close(ours)
    return ratio


def _round(sides: tuple[tuple[str, Callable[[bytes], None]], ...], bodies: list[bytes]) -> dict[str, float]:
    """Send every body to both sides in turn, who is first alternating, and return the seconds each side took."""
    spent = dict.fromkeys((name for name, _ in sides), 0.0)
    gc.collect()
    for number, body in enumerate(bodies):
        for name, post in sides if number % 2 else sides[::-1]:
            begun = time.perf_counter()
            post(body)
            spent[name] += time.perf_counter() - begun
    return spent


def main() -> None:
    """Measure SQLite and PostgreSQL."""
    parser = argparse.ArgumentParser(description="collector events per second against a bare Flask view")
    parser.add_argument("--batches", type=int, default=100, help="requests per round and side")
    parser.add_argument("--size", type=int, default=50, help="events per request")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind in databases.KINDS:
            measure(kind, pathlib.Path(folder), options)


if __name__ == "__main__":
    main()
