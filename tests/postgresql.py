"""A PostgreSQL server of the tests' own, on a Unix socket in a folder of its own: to start, to stop and to kill."""

from __future__ import annotations

import contextlib
import getpass
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import psycopg2
import pytest

from tests.waiting import until

_OPTIONS = "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c max_connections=200 -c max_wal_size=256MB"


def missing(what: str, how: str) -> None:
    """Skip with a printed reason on a workstation, fail in CI: a silent skip would be a false green."""
    reason = f"{what} is not here: {how}"
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


class Cluster:
    """Created, but not started."""

    def __init__(self) -> None:
        self._binaries = _binaries()
        self.folder = tempfile.mkdtemp(prefix="minicode-pg-")
        # The server refuses to run as root; the Debian package brings the user postgres.
        self._become = ["runuser", "-u", "postgres", "--"] if getpass.getuser() == "root" else []
        self.give(self.folder)
        self._run("initdb", "-D", f"{self.folder}/data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")

    def url(self, name: str) -> str:
        """Return the URL of a database of this name."""
        return f"postgresql+psycopg2://postgres@/{name}?host={self.folder}"

    def give(self, folder: str) -> None:
        """Let the server's user have a folder."""
        if self._become:
            shutil.chown(folder, "postgres")

    def start(self) -> None:
        """Start, and return when it answers."""
        options = f"-k {self.folder} {_OPTIONS}"
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-o", options, "-l", f"{self.folder}/log", "-w", "start")

    def stop(self) -> None:
        """Stop as a crash does: without a checkpoint, all connections cut."""
        self._run("pg_ctl", "-D", f"{self.folder}/data", "-m", "immediate", "-w", "stop")

    def kill(self) -> None:
        """SIGKILL the server; return when its processes have noticed and are gone."""
        note = pathlib.Path(self.folder, "data/postmaster.pid")
        pid = int(note.read_text("utf-8").split()[0])
        children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False).stdout.split()
        os.kill(pid, signal.SIGKILL)
        until(lambda: not any(map(_is_running, [str(pid), *children])), "the end of a killed PostgreSQL")
        # In a container nobody may collect the dead process; its number then looks alive to the next server.
        note.unlink()
        pathlib.Path(self.folder, ".s.PGSQL.5432.lock").unlink()

    def answers(self) -> bool:
        """Whether somebody can connect."""
        try:
            psycopg2.connect(user="postgres", host=self.folder, dbname="postgres").close()
        except psycopg2.OperationalError:
            return False
        return True

    def remove(self) -> None:
        """Stop it if it runs, and remove its files."""
        with contextlib.suppress(subprocess.CalledProcessError):
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *words: str) -> None:
        command = [*self._become, f"{self._binaries}/{program}", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd="/")


def _binaries() -> str:
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"))
    known = found[-1] if found else shutil.which("pg_ctl")
    if not known:
        missing("PostgreSQL's server", "install the package postgresql")
    return str(pathlib.Path(str(known)).parent)


def _is_running(pid: str) -> bool:
    """Whether the process is there, and no zombie that nobody waits for."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
