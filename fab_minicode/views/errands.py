"""
Errands: what a push leaves behind that asks WeChat, done by a short-lived thread after the push was answered.

The work itself stands in the database. A thread that dies with its process is no loss: the next push (a ticket comes
every ten minutes) or the next visit to the mini programs' page starts another.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading

from sqlalchemy.engine import Engine

from fab_minicode.authorization import Completion
from fab_minicode.runtime import Runtime

log = logging.getLogger(__name__)


class Errands:
    """One thread per process at most; asked again meanwhile, it looks once more before it ends."""

    def __init__(self, known: Runtime) -> None:
        self._known = known
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._pid, self._again = 0, False

    def run(self, engine: Engine) -> None:
        """Start the thread, or let the running one look once more."""
        if self._known.platform is None:
            return
        with self._lock:
            self._again = True
            if self._thread is not None and self._pid == os.getpid():
                return
            self._pid = os.getpid()
            self._thread = threading.Thread(target=self._work, args=(engine,), name="fab-minicode-errands", daemon=True)
            self._thread.start()

    def join(self, seconds: float = 60.0) -> None:
        """Wait for the running thread."""
        thread = self._thread
        if thread is not None and self._pid == os.getpid():
            thread.join(seconds)

    def _work(self, engine: Engine) -> None:
        while True:
            with self._lock:
                if not self._again:
                    self._thread = None
                    return
                self._again = False
            try:
                now = dt.datetime.now(dt.timezone.utc)
                self._known.tokens(engine).way.look_after_ticket(now)
                self.completion(engine).work_off(now=now)
            except Exception as error:  # noqa: BLE001
                # Whatever it was, the work stays stored and the next push tries again. The type only: a database's
                # message may hold what was to be stored.
                log.warning("authorisations wait: %s", type(error).__name__)

    def completion(self, engine: Engine) -> Completion:
        """Return what completes authorisations in this database."""
        known = self._known
        return Completion(engine, known.vault, known.client, known.tokens(engine))
