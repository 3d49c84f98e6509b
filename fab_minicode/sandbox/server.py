"""The sandbox as a running server: in a thread for tests and demos, in the foreground for ``__main__``."""

from __future__ import annotations

import pathlib
import socket
import struct
import threading
from types import TracebackType
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from fab_minicode.sandbox.answers import Asked
from fab_minicode.sandbox.app import create_app
from fab_minicode.sandbox.faults import Switch, Switchboard
from fab_minicode.sandbox.platform import Platform, PlatformApp, TicketPusher
from fab_minicode.sandbox.world import SAMPLE_APPS, App, Clock, World


class _Silent(WSGIRequestHandler):
    """No access log: its lines would hold the tokens."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


class _Server(ThreadedWSGIServer):
    def shutdown_request(self, request: Any) -> None:
        """Close at once what was marked for a reset; the orderly end would send a FIN first."""
        linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        if struct.unpack("ii", linger) == (1, 0):
            self.close_request(request)
        else:
            super().shutdown_request(request)


class Sandbox:
    """
    A local WeChat on ``url``. ``with Sandbox() as sandbox:`` starts and stops it.

    Args:
        apps: The mini programs it knows.
        host: Address it listens on.
        port: 0 takes a free one.
        clock: The sandbox's time.
        state: File that keeps quotas and tokens over a restart; None: nothing is kept.
        platform: The third-party platform it knows; None: none.
    """

    def __init__(
        self,
        apps: tuple[App, ...] = SAMPLE_APPS,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Clock | None = None,
        state: pathlib.Path | None = None,
        platform: PlatformApp | None = None,
    ) -> None:
        self.world = World(apps, clock=clock, state=state, platform=platform)
        self.faults = Switchboard()
        self._server = _Server(host, port, create_app(self.world, self.faults), handler=_Silent)
        self.url = self.world.url = f"http://{host}:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def clock(self) -> Clock:
        """The sandbox's time; ``sandbox.clock.advance(7200)``."""
        return self.world.clock

    def start(self) -> None:
        """Serve in a thread; returns at once, the port is open already."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the port. Answers under way are broken off."""
        self.world.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self) -> None:
        """Serve in this thread until it is interrupted."""
        try:
            self._server.serve_forever()
        finally:
            self._server.server_close()

    def __enter__(self) -> Sandbox:  # noqa: PYI034 - typing.Self came with Python 3.11
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def platform(self) -> Platform:
        """The third-party platform's live state. Raises LookupError when there is none."""
        if self.world.platform is None:
            raise LookupError("this sandbox knows no third-party platform")
        return self.world.platform

    def push_tickets(self) -> None:
        """Push a ticket now and every ten minutes, until the sandbox stops."""
        TicketPusher(self.platform, self.world.stopping).start()

    def app(self, appid: str) -> App:
        """Return a mini program's live state; tests set ``ac_used`` and the like on it."""
        return self.world.apps[appid]

    def fault(
        self, name: str, endpoint: str = "*", *, appid: str = "*", times: int | None = 1, value: Any = None
    ) -> None:
        """Switch a fault on for the next ``times`` calls; None: until :meth:`clear_faults`."""
        self.faults.on(Switch(name, endpoint, appid, times, value))

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.faults.clear()

    def count(self, endpoint: str, appid: str | None = None) -> int:
        """Return how many calls of an interface came, of one mini program or of all."""
        with self.world.lock:
            found = [n for (e, a), n in self.world.calls.items() if e == endpoint and appid in (None, a)]
        return sum(found)

    def asked(self, endpoint: str) -> list[Asked]:
        """Return the latest calls of an interface as they came, oldest first (the last thousand of all are kept)."""
        with self.world.lock:
            return [asked for asked in self.world.asked if asked.endpoint == endpoint]
