"""What can happen to a database under a running host, each for real and with an end."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import create_engine, text

from tests import databases, hosts
from tests.postgresql import Cluster

_DISK_BYTES = 24 * 1024 * 1024


class Down:
    """PostgreSQL is gone, by ``take_down``, and started again."""

    can_read = False

    def __init__(self, cluster: Cluster, take_down: Callable[[], None]) -> None:
        self._cluster, self.begin = cluster, take_down

    def end(self) -> None:
        self._cluster.start()


class Locked:
    """Another program holds SQLite's only write lock, for longer than the host waits."""

    can_read = True

    def __init__(self, url: str) -> None:
        self._engine = create_engine(url)
        self._connection: Any = None

    def begin(self) -> None:
        self._connection = self._engine.connect()
        self._connection.exec_driver_sql("BEGIN IMMEDIATE")

    def end(self) -> None:
        self._connection.close()
        self._engine.dispose()


class Full:
    """The disk that holds the database has no byte left; somebody then makes room."""

    can_read = True

    def __init__(self, disk: pathlib.Path) -> None:
        self._filler = disk / "filler"

    def begin(self) -> None:
        for piece_bytes in (65536, 512):
            with self._filler.open("ab", buffering=0) as out:
                _write_until_full(out, bytes(piece_bytes))

    def end(self) -> None:
        self._filler.unlink()


def _write_until_full(out: Any, piece: bytes) -> None:
    while True:
        try:
            written = out.write(piece)
        except OSError:
            return
        if written < len(piece):
            return


@contextmanager
def small_disk() -> Iterator[pathlib.Path]:
    """A file system of some megabytes; where this user may not mount one, that is missing."""
    disk = pathlib.Path(tempfile.mkdtemp(prefix="minicode-disk-"))
    command = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(disk)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            databases.missing("a disk that can be filled", f"run as root, who may mount one ({done.stderr.strip()})")
        yield disk
        subprocess.run(["umount", "--lazy", str(disk)], check=False)
    finally:
        shutil.rmtree(disk, ignore_errors=True)


@contextmanager
def database_on(cluster: Cluster, disk: pathlib.Path) -> Iterator[str]:
    """Yield the URL of a host's database whose tables lie on ``disk``."""
    cluster.give(str(disk))
    administer(cluster, f"CREATE TABLESPACE small LOCATION '{disk}'")
    administer(cluster, "CREATE DATABASE on_small TEMPLATE furnished TABLESPACE small")
    yield cluster.url("on_small")
    administer(cluster, "DROP DATABASE on_small WITH (FORCE)")
    administer(cluster, "DROP TABLESPACE small")


def administer(cluster: Cluster, statement: str) -> None:
    """Run a statement that must stand outside of a transaction."""
    engine = create_engine(cluster.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def furnish(cluster: Cluster) -> None:
    """Make the database ``furnished``, with a host's tables and people."""
    administer(cluster, "CREATE DATABASE furnished")
    hosts.furnish(cluster.url("furnished"))
