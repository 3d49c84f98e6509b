"""
The code list at 100 000 codes against the same list at 100, in the same run, alternating.

    python -m bench.code_list [--rounds 200]

Two hosts per kind of database differ only in how many codes they hold. ``page`` is the whole answer of
``/minicode/codes/list/`` to a viewer, through the host's WSGI interface: the 95th percentiles are compared, and the
goal is 1.5. ``find`` is its query and count alone. A search reads every code of the mini program.
"""

from __future__ import annotations

import argparse
import gc
import pathlib
import statistics
import tempfile
import time
from collections.abc import Callable

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from bench.results import note
from fab_minicode.code_list import CodeFilter, find
from tests import databases, hosts
from tests.stories import APPID, many_codes

GOAL = 1.5
FEW, MANY = 100, 100_000

QUESTIONS: tuple[tuple[str, CodeFilter], ...] = (
    ("find", CodeFilter(APPID)),
    ("find, second page", CodeFilter(APPID, page=1)),
    ("find, by name", CodeFilter(APPID, order="name")),
    ("find, one source", CodeFilter(APPID, source="source 7")),
    ("find, one kind", CodeFilter(APPID, kind="wxaqrcode")),
    ("find, search", CodeFilter(APPID, q="code 00")),
)


def make(kind: str, folder: pathlib.Path, codes: int) -> Flask:
    """Return a host whose one mini program has so many codes."""
    app = hosts.make_host(hosts.copy_of_template(kind, folder), SQLALCHEMY_ENGINE_OPTIONS={})
    many_codes(hosts.engine_of(app), codes)
    return app


def asking(engine: Engine, wanted: CodeFilter) -> Callable[[], None]:
    """Return what asks for one page, in a session of its own as a request has one."""

    def ask() -> None:
        with Session(engine, future=True) as session:
            find(session, wanted)

    return ask


def opening(client: FlaskClient) -> Callable[[], None]:
    """Return what opens the list as a viewer."""
    hosts.login(client, "viewer")

    def open_list() -> None:
        answer = client.get("/minicode/codes/list/")
        if answer.status_code != 200:
            raise SystemExit(f"the list answered {answer.status_code}")

    return open_list


def percentile(few: Callable[[], None], many: Callable[[], None], rounds: int) -> tuple[float, float]:
    """Return both sides' 95th percentile in milliseconds; they take turns, so that a slow moment hits both."""
    spent: tuple[list[float], list[float]] = ([], [])
    gc.collect()
    for turn in range(rounds + 5):
        for side in (0, 1) if turn % 2 else (1, 0):
            begun = time.perf_counter()
            (few, many)[side]()
            spent[side].append((time.perf_counter() - begun) * 1000)
    # The first turns fill caches.
    return tuple(statistics.quantiles(times[5:], n=20)[-1] for times in spent)  # type: ignore[return-value]


def measure(kind: str, folder: pathlib.Path, rounds: int) -> None:
    """Print every question's two percentiles and their ratio on one kind of database."""
    apps = [make(kind, folder, codes) for codes in (FEW, MANY)]
    sides = {name: [asking(hosts.engine_of(app), wanted) for app in apps] for name, wanted in QUESTIONS}
    sides["page"] = [opening(app.test_client()) for app in apps]
    for name, (few, many) in sides.items():
        few_ms, many_ms = percentile(few, many, rounds)
        goal = f" (goal {GOAL:.1f})" if name == "page" else ""
        print(f"{kind:<11} {name:<18} p95 at {FEW}: {few_ms:7.2f} ms   at {MANY:,}: {many_ms:7.2f} ms   "
              f"ratio {many_ms / few_ms:.2f}{goal}")  # fmt: skip
        if goal:
            note(
                f"code list, p95 at {MANY:,} codes, {kind}",
                ours=f"{many_ms:.1f} ms",
                baseline=f"{few_ms:.1f} ms at {FEW}",
                ratio=many_ms / few_ms,
                goal=f"<= {GOAL}",
            )
    for app in apps:
        hosts.close(app)


def main() -> None:
    """Measure SQLite and PostgreSQL."""
    parser = argparse.ArgumentParser(description="the code list at 100 000 codes against 100")
    parser.add_argument("--rounds", type=int, default=200, help="times each page is asked for, per side")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for kind in databases.KINDS:
            measure(kind, pathlib.Path(folder), options.rounds)


if __name__ == "__main__":
    main()
