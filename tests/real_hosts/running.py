"""A host as an operator runs it: commands of its virtual environment, and its web server on a free port."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
START_SECONDS, COMMAND_SECONDS = 180, 300


def free_port() -> int:
    """Return a port of the loopback address that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@dataclass
class Site:
    """
    A host that serves.

    Attributes:
        origin: Scheme, host and port.
        url: What our addresses begin with.
        wechat: The local WeChat's world.
        noise: Pieces of the host's own complaints in the console.
        login: Path of the host's login page.
        sessions: Who logged in already, with their cookies.
    """

    origin: str
    url: str
    wechat: Any
    noise: tuple[str, ...] = ()
    login: str = "/login/"
    sessions: dict[str, Any] = field(default_factory=dict)


class Installed:
    """A host that ``make`` installed into ``.venv-host-<name>``, working in a folder of the test's own."""

    def __init__(self, name: str, folder: pathlib.Path, environment: Mapping[str, str]) -> None:
        self.bin = ROOT / f".venv-host-{name}" / "bin"
        assert self.bin.is_dir(), f"run: make host-{name}"
        self.folder = folder
        # Nothing of the checkout may be found beside the wheel.
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_"))},
            **environment,
            "PATH": f"{self.bin}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, *command: str) -> str:
        """Run a command of the host; returns what it printed."""
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

        assert 0 == done.returncode, f"{' '.join(command)}\n{done.stdout[-4000:]}"
        return done.stdout

    @contextmanager
    def serving(self, *command: str, health: str) -> Iterator[None]:
        """Keep a server running; it is up when ``health`` answers."""
        log = self.folder / "server.log"
        with log.open("wb") as out:
            server = subprocess.Popen(
                [str(self.bin / command[0]), *command[1:]],
                cwd=self.folder,
                env=self.environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                self._wait_for(server, health, log)
                yield
            finally:
                os.killpg(server.pid, signal.SIGTERM)
                server.wait(30)

    @staticmethod
    def _wait_for(server: subprocess.Popen[bytes], health: str, log: pathlib.Path) -> None:
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and server.poll() is None:
            try:
                with urllib.request.urlopen(health, timeout=5):
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.5)
        raise AssertionError(f"the server did not start\n{log.read_text(errors='replace')[-4000:]}")
