"""
Funnel of three steps and 30-day retention over one million events.

    python -m bench.funnel [--events 1000000] [--databases sqlite,postgresql]

The events are a stream over 30 days (bench/generate.py) of 200 000 visitors, so that many come again. Wall time and
processor time of this process are both printed: on a busy machine the second says what one core could do (what
PostgreSQL's own process does is in the first only). Best of five.
"""

from __future__ import annotations

import argparse
import pathlib
import tempfile
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.engine import Engine

from bench.generate import DAYS, fill
from bench.results import note
from bench.rollup import NOW
from fab_minicode.acquisition import funnel, funnel_question, retention, retention_question
from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models import Base
from fab_minicode.settings import read_settings
from tests import databases

VISITORS = 200_000
SETTINGS = read_settings({"FAB_MINICODE_TIMEZONE": "UTC"})
ORDER = {"event": "order_paid"}
FUNNELS: dict[str, dict[str, Any]] = {
    "funnel visit, order, order within 30 days": {},
    "… by source": {"dimensions": ["utm_source"]},
    "… by source, attribution first, one medium": {
        "dimensions": ["utm_source"],
        "attribution": "first",
        "filters": [{"dimension": "utm_medium", "op": "eq", "value": "medium-1"}],
    },
}
RETENTIONS: dict[str, dict[str, Any]] = {
    "retention 30 x 30 days of new visitors": {},
    "… of every visit": {"start": "visit"},
    "… of every visit, by source": {"start": "visit", "dimensions": ["utm_source"]},
    "… of every visit, by campaign, one source": {
        "start": "visit",
        "dimensions": ["utm_campaign"],
        "filters": [{"dimension": "utm_source", "op": "eq", "value": "source-1"}],
    },
}


def best(ask: Callable[[], Any], times: int = 5) -> tuple[float, float]:
    """Return the least wall and processor seconds."""
    found = []
    for _ in range(times):
        wall, processor = time.perf_counter(), time.process_time()
        ask()
        found.append((time.perf_counter() - wall, time.process_time() - processor))
    return min(found)


def measure(engine: Engine) -> None:
    """Ask everything and print what it took."""
    window = {"appid": "wx1", "window": {"last_days": DAYS}}
    for name, more in FUNNELS.items():
        asked = funnel_question.parse({**window, "steps": ["visit", ORDER, ORDER], "within_days": 30, **more})
        show(
            engine, name, lambda connection, asked=asked: funnel.count(connection, 1, asked, settings=SETTINGS, now=NOW)
        )
    for name, more in RETENTIONS.items():
        kept = retention_question.parse({**window, **more})
        show(
            engine, name, lambda connection, kept=kept: retention.count(connection, 1, kept, settings=SETTINGS, now=NOW)
        )


def show(engine: Engine, name: str, ask: Callable[[Any], Any]) -> None:
    """Print one line."""
    with engine.connect() as connection:
        wall, processor = best(lambda: ask(connection))
    took = processor if engine.dialect.name == "sqlite" else wall
    note(f"{name}, 1 M events, {engine.dialect.name}", ours=f"{1000 * took:.0f} ms", goal="< 1 000 ms")
    print(f"  {name:45} {1000 * wall:7.0f} ms wall {1000 * processor:7.0f} ms processor")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    asked = parser.parse_args()
    for kind in asked.databases.split(","):
        with tempfile.TemporaryDirectory() as folder:
            engine = databases.engine_for(databases.fresh(kind, pathlib.Path(folder)))
            Base.metadata.create_all(engine)
            fill(engine, asked.events, until_ms=int(NOW.timestamp() * 1000), visitors=VISITORS)
            roll_up_all(engine, settings=SETTINGS, now=NOW)
            print(f"{kind}: {asked.events:,} events of {VISITORS:,} visitors in {DAYS} days")
            measure(engine)
            engine.dispose()


if __name__ == "__main__":
    main()
