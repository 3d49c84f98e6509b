"""The demo's web server: werkzeug's, with threads, on the loopback address, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from types import TracebackType

from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

HOST = "127.0.0.1"


class _Handler(WSGIRequestHandler):
    # Browsers and the seed keep their connections.
    protocol_version = "HTTP/1.1"


class Serving:
    """``with Serving(app, port):`` answers requests until the block ends."""

    def __init__(self, app: Flask, port: int) -> None:
        """
        Bind the port.

        Raises:
            SystemExit: If it is taken; werkzeug prints why.
        """
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        self._server = make_server(HOST, port, app, threaded=True, request_handler=_Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, name="demo-web", daemon=True)

    @property
    def address(self) -> str:
        """Where it answers; tells the port that ``port=0`` picked."""
        return f"http://{HOST}:{self._server.server_port}"

    def __enter__(self) -> Serving:  # noqa: PYI034 - typing.Self came with Python 3.11
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
