"""
Roll-up: events per second in batches of 50 000, and what the numbers take on disk.

    python -m bench.rollup [--events 1000000] [--of 10000000] [--databases sqlite,postgresql]

The events are the first ``--events`` of a stream of ``--of`` over 30 days (bench/generate.py): as dense in time as the
whole, so that a batch spans as many days; once with its 100 000 touches, once with a usual team's 2 000. Wall time and
processor time (of this process, and of PostgreSQL's that works for it) are both printed: on a busy machine the second
says what one core could do. A loop of plain Python says how fast that core is.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable
from itertools import product

from sqlalchemy import text
from sqlalchemy.engine import Engine

from bench.generate import CAMPAIGNS, DAYS, MEDIA, SOURCES, fill
from bench.results import note
from fab_minicode.acquisition.rollup import BATCH_EVENTS, roll_up
from fab_minicode.models import Base
from fab_minicode.settings import read_settings
from tests import databases

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.timezone.utc)
_TABLES = ("events", "attributions", "visitors", "contexts", "values", "series", "facts", "fact_pages")


TOUCHES = {"100 000 touches": (SOURCES, MEDIA, CAMPAIGNS), "2 000 touches": (10, 5, 40)}


def build(
    engine: Engine, events: int, *, of: int, spread: tuple[int, int, int] = (SOURCES, MEDIA, CAMPAIGNS)
) -> list[tuple[float, float]]:
    """Store and count events; returns wall and processor seconds of each full batch."""
    settings = read_settings({})
    Base.metadata.create_all(engine)
    fill(engine, events, until_ms=int(NOW.timestamp() * 1000), days=DAYS * events / of, spread=spread)
    if engine.dialect.name == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    seconds = []
    while True:
        wall, processor = time.perf_counter(), processor_seconds(engine)
        counted = roll_up(engine, settings=settings, now=NOW)
        if not counted:
            return seconds
        if counted == BATCH_EVENTS:
            seconds.append((time.perf_counter() - wall, processor_seconds(engine) - processor))


def processor_seconds(engine: Engine) -> float:
    """Return the processor time of this process, and of the server's process at the other end of the connection."""
    if engine.dialect.name != "postgresql":
        return time.process_time()
    with engine.connect() as connection:
        server = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    # Fields 14 and 15 of Linux's /proc/<pid>/stat, in ticks; the name before them ends with a bracket.
    fields = pathlib.Path(f"/proc/{server}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def clock_of(engine: Engine) -> Callable[[], float]:
    """Return processor time of this process on SQLite, where everything happens in it, else wall time."""
    return time.process_time if engine.dialect.name == "sqlite" else time.perf_counter


def bytes_on_disk(engine: Engine) -> dict[str, int]:
    """Return the size of our tables with their indexes; the facts with their pages."""
    sizes: dict[str, int] = {}
    with engine.connect() as connection:
        for name in _TABLES:
            table = f"minicode_{name}"
            if engine.dialect.name == "postgresql":
                statement = f"SELECT pg_total_relation_size('{table}')"
            else:
                statement = (
                    "SELECT sum(pgsize) FROM dbstat WHERE name IN"
                    f" (SELECT name FROM sqlite_master WHERE tbl_name = '{table}')"
                )
            sizes[name] = int(connection.execute(text(statement)).scalar() or 0)
    sizes["facts"] += sizes.pop("fact_pages")
    return sizes


def python_seconds() -> float:
    """Return what a fixed loop takes now."""
    begin = time.process_time()
    sum(number for number in range(5_000_000))
    return time.process_time() - begin


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--of", type=int, default=10_000_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    asked = parser.parse_args()
    for kind, (name, spread) in product(asked.databases.split(","), TOUCHES.items()):
        with tempfile.TemporaryDirectory() as folder:
            engine = databases.engine_for(databases.fresh(kind, pathlib.Path(folder)))
            seconds = build(engine, asked.events, of=asked.of, spread=spread)
            wall, processor = (BATCH_EVENTS / statistics.median(one) for one in zip(*seconds, strict=True))
            print(f"{kind}, {name}: {wall:,.0f} events/s wall, {processor:,.0f} per second of processor")
            print(f"  {len(seconds)} batches; a loop of 5 M takes {python_seconds():.3f} s")
            goal = ">= 100 000" if kind == "sqlite" else ">= 50 000"
            note(f"roll-up, {name}, {kind}", ours=f"{processor:,.0f} events/s of processor", goal=goal)
            for table, size in bytes_on_disk(engine).items():
                print(f"  {table:13} {size / 1e6:9.1f} MB  {size / asked.events:7.2f} bytes an event")
            engine.dispose()


if __name__ == "__main__":
    main()
