"""
Answers: the headline and questions of the analysis page against the same counts by SQL, in the same run.

    python -m bench.headline [--events 10000000] [--databases sqlite,postgresql] [--keep FOLDER]

SQL counts a table of one row per visit in which the attribution is already decided (day, source, campaign, visitor),
with a covering index for each question: more than any host has. Both sides must give the same numbers. Medians of
``--rounds`` in milliseconds: of this process's processor time on SQLite, where both sides run in it and the machine may
be busy, of wall time on PostgreSQL. Ours is asked for the first time, with nothing kept (``acquisition.kept``), and
again, while nothing has changed; SQL is as quick again as the first time. With ``--keep`` the SQLite file stays in the
folder and is used again.
"""

from __future__ import annotations

import argparse
import pathlib
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from bench.results import note
from bench.rollup import NOW, build, bytes_on_disk, clock_of
from fab_minicode.acquisition import query
from fab_minicode.acquisition.kept import kept_of
from fab_minicode.acquisition.question import parse
from fab_minicode.settings import read_settings
from tests import databases, stories

SETTINGS = read_settings({})
DAYS = (NOW.astimezone(SETTINGS.zone).date().toordinal() - 7, NOW.astimezone(SETTINGS.zone).date().toordinal() - 1)
_PLAIN = """
CREATE TABLE plain_visits AS
SELECT a.day AS day, c.utm_source AS source, c.utm_campaign AS campaign, c.utm_medium AS medium, a.visitor_id AS visitor
FROM minicode_attributions a JOIN minicode_contexts c ON c.id = a.context_id WHERE a.event_id = 0
"""
_INDEXES = (
    "source, day, visitor",
    "day, source, visitor",
    "campaign, day, source, visitor",
    "medium, source, campaign, day, visitor",
)
_MEDIUM = "(SELECT id FROM minicode_values WHERE dimension = 'utm_medium' AND value = 'medium-0')"
_WHERE = f"FROM plain_visits WHERE day BETWEEN {DAYS[0]} AND {DAYS[1]} AND source > 0"
_BEFORE = f"FROM plain_visits WHERE day BETWEEN {DAYS[0] - 7} AND {DAYS[1] - 7} AND source > 0"

Rows = list[tuple[Any, ...]]


def asked(**changed: Any) -> Callable[[Connection], Rows]:
    """Return a question to our numbers, its rows as tuples without the names of values."""
    base = {"appid": stories.APPID, "metrics": ["users"], "filters": [{"dimension": "utm_source", "op": "set"}]}
    question = parse(base | {"limit": 1000} | changed)

    def run(connection: Connection) -> Rows:
        return [
            tuple(row.values()) for row in query.answer(connection, question, settings=SETTINGS, now=NOW).counted.rows
        ]

    return run


def headline(connection: Connection) -> Rows:
    """Return 过去7天广告获客量: this window's and the one's before."""
    found = query.headline(connection, stories.APPID, settings=SETTINGS, now=NOW)
    return [(found.previous,), (found.value,)]


@dataclass(frozen=True)
class Compared:
    """A question, the SQL that counts the same, and how many times quicker the goal wants ours to be."""

    name: str
    ours: Callable[[Connection], Rows]
    sql: str
    goal: int | None = None


_FIRST_VISITS = """
SELECT day, source, count(*) FROM ({first}) AS firsts
WHERE day BETWEEN {since} AND {until} AND source > 0 GROUP BY day, source
"""
_FIRST = {
    # A bare column beside min() is of the row with the minimum: documented, and SQLite's quickest way.
    "sqlite": "SELECT a.day AS day, c.utm_source AS source, min(a.time_ms) {rows} GROUP BY a.visitor_id",
    "postgresql": (
        "SELECT DISTINCT ON (a.visitor_id) a.day, c.utm_source AS source {rows} ORDER BY a.visitor_id, a.time_ms"
    ),
}
_ROWS = (
    "FROM minicode_attributions a JOIN minicode_contexts c ON c.id = a.context_id"
    " WHERE a.authorizer_id = 1 AND a.event_id = 0"
)
_ONE_MEDIUM = [{"dimension": "utm_source", "op": "set"}, {"dimension": "utm_medium", "op": "eq", "value": "medium-0"}]


def new_users_by_sql(dialect: str) -> str:
    """Return the SQL that finds first visits among single events, whose contexts are decided already."""
    return _FIRST_VISITS.format(first=_FIRST[dialect].format(rows=_ROWS), since=DAYS[0], until=DAYS[1])


def questions(dialect: str) -> tuple[Compared, ...]:
    """Return what is compared on a kind of database."""
    by_source, by_both = ["utm_source"], ["utm_source", "utm_campaign"]
    twice = f"SELECT count(DISTINCT visitor) {_BEFORE} UNION ALL SELECT count(DISTINCT visitor) {_WHERE}"
    top = "GROUP BY 1, 2 ORDER BY n DESC LIMIT 1000"
    return (
        Compared("headline (two windows)", headline, twice, 200),
        Compared(
            "users by day", asked(granularity="day"), f"SELECT day, count(DISTINCT visitor) {_WHERE} GROUP BY 1", 200
        ),
        Compared(
            "users by source",
            asked(dimensions=by_source),
            f"SELECT source, count(DISTINCT visitor) {_WHERE} GROUP BY 1",
            200,
        ),
        Compared(
            "users by campaign",
            asked(dimensions=["utm_campaign"]),
            f"SELECT campaign, count(DISTINCT visitor) {_WHERE} GROUP BY 1",
            200,
        ),
        Compared(
            "users by day and source",
            asked(dimensions=by_source, granularity="day"),
            f"SELECT day, source, count(DISTINCT visitor) {_WHERE} GROUP BY 1, 2",
        ),
        Compared(
            "users by source and campaign (top 1 000)",
            asked(dimensions=by_both),
            f"SELECT source, campaign, count(DISTINCT visitor) AS n {_WHERE} {top}",
        ),
        Compared(
            "… of one medium",
            asked(dimensions=by_both, filters=_ONE_MEDIUM),
            f"SELECT source, campaign, count(DISTINCT visitor) AS n {_WHERE} AND medium = {_MEDIUM} {top}",
        ),
        Compared(
            "new users by day and source",
            asked(metrics=["new_users"], dimensions=by_source, granularity="day"),
            new_users_by_sql(dialect),
            1000,
        ),
        Compared("users by source, first touch", asked(dimensions=by_source, attribution="first"), ""),
        Compared("users by source, entry", asked(dimensions=by_source, attribution="entry"), ""),
    )


def prepare(engine: Engine) -> None:
    """Make the table that SQL counts."""
    with engine.begin() as connection:
        connection.execute(text(_PLAIN))
        for number, columns in enumerate(_INDEXES):
            connection.execute(text(f"CREATE INDEX plain_{number} ON plain_visits ({columns})"))
        connection.execute(text("ANALYZE plain_visits"))


def milliseconds(clock: Callable[[], float], run: Callable[[], Any], rounds: int) -> float:
    """Return the median time of a call."""
    times = []
    for _ in range(rounds):
        begin = clock()
        run()
        times.append(1000 * (clock() - begin))
    return statistics.median(times)


def first_and_again(
    connection: Connection, ask: Callable[[Connection], Any], clock: Callable[[], float], rounds: int
) -> tuple[float, float]:
    """Return how long a question takes with nothing kept, and when it was asked before."""

    def first() -> None:
        kept_of(connection).clear()
        ask(connection)

    return milliseconds(clock, first, rounds), milliseconds(clock, lambda: ask(connection), 3 * rounds)


def compare(engine: Engine, events: int, rounds: int) -> None:
    """Print a table; stop where the two sides do not agree."""
    clock = clock_of(engine)
    with engine.connect() as connection:
        for one in questions(engine.dialect.name):
            first, again = first_and_again(connection, one.ours, clock, rounds)
            mine = f"  {one.name:42} first {first:7.1f} ms, again {again:5.2f} ms"
            if not one.sql:
                print(mine, flush=True)
                continue
            numbers: list[int] = []

            def count(sql: str = one.sql, found: list[int] = numbers) -> None:
                found[:] = sorted(row[-1] for row in connection.execute(text(sql)))

            theirs = milliseconds(clock, count, max(1, rounds // 4))
            if numbers != sorted(row[-1] for row in one.ours(connection)):
                raise SystemExit(f"{one.name}: not the same numbers")
            print(f"{mine}   SQL {theirs:7.1f} ms   x {theirs / first:7.1f}, x {theirs / again:7.0f}", flush=True)
            for when, ours in (("", first), (", again", again)):
                note(
                    f"{one.name}{when}, {events:,} events, {engine.dialect.name}",
                    ours=f"{ours:.2f} ms",
                    baseline=f"{theirs:,.0f} ms",
                    ratio=theirs / ours,
                    goal="" if one.goal is None else f">= {one.goal}",
                )


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--keep", type=pathlib.Path)
    given = parser.parse_args()
    for kind in given.databases.split(","):
        with tempfile.TemporaryDirectory() as folder:
            kept = given.keep / f"headline-{given.events}.db" if given.keep and kind == "sqlite" else None
            url = f"sqlite:///{kept}" if kept else databases.fresh(kind, pathlib.Path(folder))
            engine = databases.engine_for(url)
            if not inspect(engine).has_table("plain_visits"):
                seconds = build(engine, given.events, of=given.events)
                print(f"{kind}: rolled up at {50_000 * len(seconds) / sum(wall for wall, _ in seconds):,.0f} events/s")
                with Session(engine) as session:
                    session.add(stories.authorizer())
                    session.commit()
                prepare(engine)
            facts = bytes_on_disk(engine)["facts"]
            size = f"facts {facts / 1e6:,.0f} MB, {facts / given.events:.1f} bytes an event"
            print(f"{kind}: {given.events:,} events, {size}", flush=True)
            note(
                f"facts on disk, {given.events:,} events, {kind}",
                ours=f"{facts / given.events:.1f} bytes an event",
                goal="<= 8",
            )
            compare(engine, given.events, given.rounds)
            engine.dispose()


if __name__ == "__main__":
    main()
