"""
Real databases for tests: SQLite files and a PostgreSQL cluster of our own on a Unix socket.

``fresh(kind, folder)`` gives the URL of an empty database that nobody else uses; it goes with the test or the module
that made it (:func:`dropping`). PostgreSQL is started on first use and stopped at the end of the run; where no server
is installed, tests are skipped with a reason, or fail with CI=true.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import itertools
import os
import pathlib
from collections.abc import Iterator

from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine, make_url

from tests import postgresql
from tests.postgresql import Cluster

KINDS = ("sqlite", "postgresql")
missing = postgresql.missing
_numbers = itertools.count(1)
_made: list[str] = []
"""Names of PostgreSQL's databases, the latest last."""


def fresh(kind: str, folder: pathlib.Path, *, template: str | None = None, stays: bool = False) -> str:
    """
    Return the URL of a new database of this kind: empty, or (PostgreSQL) a copy of the one at URL ``template``.

    Args:
        kind: Of :data:`KINDS`.
        folder: Where SQLite's file lies.
        template: What is copied.
        stays: Until the end of the run, whoever made it.
    """
    if kind == "sqlite":
        return f"sqlite:///{folder}/minicode-{next(_numbers)}.db"
    name = f"t{os.getpid()}_{next(_numbers)}"
    source = f" TEMPLATE {make_url(template).database}" if template else ""
    _administer(f"CREATE DATABASE {name}{source}")
    if not stays:
        _made.append(name)
    return _postgresql().url(name)


@contextlib.contextmanager
def dropping() -> Iterator[None]:
    """
    Drop PostgreSQL's databases that are made meanwhile, whoever still is connected; SQLite's lie in the test's folder.

    A run makes about a thousand of 8 MB each.
    """
    before = len(_made)
    yield
    while len(_made) > before:
        _administer(f"DROP DATABASE IF EXISTS {_made.pop()} WITH (FORCE)")


def _administer(statement: str) -> None:
    # Connecting costs as much as half of what is done: one connection for all.
    with _administrator().connect() as connection:
        connection.execute(text(statement))


@functools.cache
def _administrator() -> Engine:
    url = _postgresql().url("postgres")
    engine = create_engine(url, isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True)
    atexit.register(engine.dispose)
    return engine


def engine_for(url: str) -> Engine:
    """Return an engine as a careful host configures it: SQLite in WAL mode with a busy time-out."""
    engine = create_engine(url, future=True)
    if url.startswith("sqlite"):

        @event.listens_for(engine, "connect")
        def _tune(connection, record):  # type: ignore[no-untyped-def]
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA busy_timeout=20000")
            connection.execute("PRAGMA foreign_keys=ON")

    return engine


@functools.cache
def _postgresql() -> Cluster:
    cluster = Cluster()
    cluster.start()
    atexit.register(cluster.remove)
    return cluster
