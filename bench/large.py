"""
Answers over generated facts: as many events as no other bench waits for, and a usual team's few touches.

    python -m bench.large [--databases sqlite]

A week of days is counted straight from arrays through the roll-up's own ledger, without raw events: 100 M events in 30
days of the hard case (bench/generate.py), 10 M in 30 days of it, and 10 M with 2 000 touches. Milliseconds of this
process's processor time on SQLite, medians; the file is in the cache.
"""

from __future__ import annotations

import argparse
import datetime as dt
import pathlib
import tempfile
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from bench.generate import DAYS, VISITORS, zipf
from bench.headline import SETTINGS, asked, first_and_again, headline
from bench.results import note
from bench.rollup import NOW, bytes_on_disk, clock_of
from fab_minicode.acquisition.contexts import NOTHING, Contexts
from fab_minicode.acquisition.counting import Change, apply
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.ledger import Ledger
from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT
from fab_minicode.models import Base, Value
from tests import databases, stories

WEEK = 7


@dataclass(frozen=True)
class Case:
    """A team: events in 30 days, and how many sources, media and campaigns they come from."""

    name: str
    events: int
    spread: tuple[int, int, int]


CASES = (
    Case("10 M events, 2 000 touches", 10_000_000, (10, 5, 40)),
    Case("10 M events, 100 000 touches", 10_000_000, (50, 10, 200)),
    Case("100 M events, 100 000 touches", 100_000_000, (50, 10, 200)),
)

_ONE_MEDIUM = [{"dimension": "utm_source", "op": "set"}, {"dimension": "utm_medium", "op": "eq", "value": "medium-0"}]
QUESTIONS = {
    "headline (two windows)": headline,
    "users by day": asked(granularity="day"),
    "users by source": asked(dimensions=["utm_source"]),
    "users by campaign": asked(dimensions=["utm_campaign"]),
    "users by landing page": asked(dimensions=["landing_page"], filters=[]),
    "users by source and campaign": asked(dimensions=["utm_source", "utm_campaign"]),
    "users by source and campaign, one medium": asked(dimensions=["utm_source", "utm_campaign"], filters=_ONE_MEDIUM),
    "new users by day and source": asked(metrics=["new_users"], dimensions=["utm_source"], granularity="day"),
}
_GOALS = {
    "10 M events, 2 000 touches": {"users by source and campaign, one medium": "< 100 ms"},
    "10 M events, 100 000 touches": {"users by source and campaign, one medium": "< 1 000 ms"},
    "100 M events, 100 000 touches": dict.fromkeys(list(QUESTIONS)[:5], "< 40 ms"),
}


def build(engine: Engine, case: Case) -> None:
    """Make the facts of the week before today, and of the week before that for the headline."""
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add(stories.authorizer())
        session.commit()
    today = NOW.astimezone(SETTINGS.zone).date()
    random = np.random.default_rng(1)
    with engine.begin() as connection:
        contexts = Contexts(connection, 1)
        touches = _touches(connection, contexts, case.spread)
        bare = contexts.numbered(NOTHING)
        for back in range(2 * WEEK, 0, -1):
            ledger = Ledger(connection, 1)
            apply(ledger, _day(case, random, touches, (bare, (today - dt.timedelta(days=back)).toordinal())), contexts)
            ledger.write()


def _touches(connection: Connection, contexts: Contexts, spread: tuple[int, int, int]) -> Any:
    """Make the values and the contexts of every source, medium and campaign; returns contexts in that shape."""
    numbers: dict[str, list[int]] = {}
    names = ("utm_source", "utm_medium", "utm_campaign", "landing_page")
    with Session(connection) as session:
        for name, count in zip(names, (*spread, 10), strict=True):
            word = name.removeprefix("utm_").replace("_", "-")
            rows = [Value(authorizer_id=1, dimension=name, value=f"{word}-{number}") for number in range(count)]
            session.add_all(rows)
            session.flush()
            numbers[name] = [row.id for row in rows]
    places = [NAMES.index(name) for name in names]
    wanted = []
    for source, medium, (number, campaign) in product(
        numbers["utm_source"], numbers["utm_medium"], enumerate(numbers["utm_campaign"])
    ):
        values = NOTHING[0].tolist()
        for place, value in zip(places, (source, medium, campaign, numbers["landing_page"][number % 10]), strict=True):
            values[place] = value
        wanted.append(tuple(values))
    return contexts.numbered(np.array(wanted, np.int64)).reshape(spread)


def _day(case: Case, random: np.random.Generator, touches: Any, rest: tuple[Any, int]) -> list[Change]:
    """Return one day's visits: 54 % carry a touch, 18 % one from before, 18 % none; a tenth of the first are new."""
    bare, day = rest
    visits = case.events // DAYS

    def change(event: str, route: str, contexts: Any, visitors: Any) -> Change:
        return Change(event, route, False, np.full(len(contexts), day), contexts, visitors)

    def some(count: int) -> tuple[Any, Any]:
        of_touch = tuple(zipf(random, choices, count) for choices in case.spread)
        return touches[of_touch], random.integers(1, VISITORS, count)

    own, carried = some(int(0.54 * visits)), some(int(0.18 * visits))
    without = np.repeat(bare, int(0.18 * visits))
    new = len(own[0]) // 10
    return [
        change(VISIT, "own", *own),
        change(VISIT, "carried", np.concatenate((carried[0], without)),
               np.concatenate((carried[1], random.integers(1, VISITORS, len(without))))),
        change(FIRST_VISIT, "own", own[0][:new], own[1][:new]),
    ]  # fmt: skip


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--databases", default="sqlite")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--keep", type=pathlib.Path)
    given = parser.parse_args()
    for kind, (number, case) in product(given.databases.split(","), enumerate(CASES)):
        with tempfile.TemporaryDirectory() as folder:
            kept = given.keep / f"large-{number}.db" if given.keep and kind == "sqlite" else None
            is_there = kept is not None and kept.exists()
            engine = databases.engine_for(f"sqlite:///{kept}" if kept else databases.fresh(kind, pathlib.Path(folder)))
            if not is_there:
                build(engine, case)
            size = bytes_on_disk(engine)["facts"] / (case.events * 2 * WEEK / DAYS)
            print(f"{kind}: {case.name}: {size:.1f} bytes an event of visits", flush=True)
            with engine.connect() as connection:
                for name, ask in QUESTIONS.items():
                    first, again = first_and_again(connection, ask, clock_of(engine), given.rounds)
                    print(f"  {name:42} first {first:7.1f} ms, again {again:5.2f} ms", flush=True)
                    goal = _GOALS[case.name].get(name, "")
                    for when, took in (("", first), (", again", again)):
                        note(f"{name}{when}, {case.name}, {kind}", ours=f"{took:.2f} ms", goal=goal)
            engine.dispose()


if __name__ == "__main__":
    main()
