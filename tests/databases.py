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
import getpass
import itertools
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Iterator

import pytest
from sqlalchemy import create_engine, event, text
from sqlalchemy.engine import Engine, make_url

KINDS = ("sqlite", "postgresql")
_numbers = itertools.count(1)
_cluster: dict[str, str] = {}
_made: list[str] = []
"""Names of PostgreSQL's databases, the latest last."""


def missing(what: str, how: str) -> None:
    """Skip with a printed reason on a workstation, fail in CI: a silent skip would be a false green."""
    reason = f"{what} is not here: {how}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


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
    server = _postgresql()
    name = f"t{os.getpid()}_{next(_numbers)}"
    source = f" TEMPLATE {make_url(template).database}" if template else ""
    _administer(f"CREATE DATABASE {name}{source}")
    if not stays:
        _made.append(name)
    return f"{server}/{name}{_socket_query()}"


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
    engine = create_engine(
        f"{_postgresql()}/postgres{_socket_query()}", isolation_level="AUTOCOMMIT", pool_size=1, pool_pre_ping=True
    )
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


def _socket_query() -> str:
    return f"?host={_cluster['socket']}"


def _binaries() -> str | None:
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    known = found[-1] if found else shutil.which("pg_ctl")
    return str(pathlib.Path(known).parent) if known else None


def _postgresql() -> str:
    if not _cluster:
        binaries = _binaries()
        if binaries is None:
            missing("PostgreSQL's server", "install the package postgresql")
        _start(str(binaries))
    return "postgresql+psycopg2://postgres@"


def _start(binaries: str) -> None:
    folder = tempfile.mkdtemp(prefix="minicode-pg-")
    # The server refuses to run as root; the Debian package brings the user postgres.
    become = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
    if become:
        shutil.chown(folder, "postgres")
    run = lambda *command: subprocess.run([*become, *command], check=True, stdout=subprocess.DEVNULL, cwd="/")  # noqa: E731
    run(f"{binaries}/initdb", "-D", f"{folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-k {folder} -c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=200"
    run(f"{binaries}/pg_ctl", "-D", f"{folder}/data", "-o", options, "-l", f"{folder}/log", "-w", "start")
    _cluster.update(socket=folder)

    def stop() -> None:
        with contextlib.suppress(subprocess.CalledProcessError):
            run(f"{binaries}/pg_ctl", "-D", f"{folder}/data", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(stop)
