"""
The roll-up as a thread of the web process, for hosts that run nothing else (``FAB_MINICODE_ROLLUP = "thread"``).

Every process has one; the lease inside ``roll_up`` lets one of them count at a time.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading

from sqlalchemy.engine import Engine

from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.settings import Settings

log = logging.getLogger(__name__)

MAX_BACK_OFF_SECONDS = 10.0
_FIRST_BACK_OFF_SECONDS = 1.0
_LEAST_PAUSE_SECONDS = 0.5


class RollUpThread:
    """Counts accepted events until the process ends; started by the first request of each process."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._kicked = threading.Event()
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._pid = 0

    @property
    def is_started(self) -> bool:
        """Whether this process has the thread; a forked worker has not, whatever its parent had."""
        return self._pid == os.getpid()

    def start(self, engine: Engine) -> None:
        """Start the thread unless this process has it."""
        with self._lock:
            if self.is_started:
                return
            self._pid = os.getpid()
            self._kicked, self._stopped = threading.Event(), threading.Event()
            threading.Thread(target=self._run, args=(engine,), name="fab-minicode-roll-up", daemon=True).start()

    def kick(self) -> None:
        """Say that there is something to count."""
        self._kicked.set()

    def stop(self) -> None:
        """End the thread after what it is doing."""
        self._stopped.set()
        self._kicked.set()

    def _run(self, engine: Engine) -> None:
        back_off = 0.0
        while not self._stopped.is_set():
            try:
                while roll_up(engine, settings=self._settings, now=dt.datetime.now(dt.timezone.utc)):
                    if self._stopped.is_set():
                        return
                back_off = 0.0
            except Exception as error:  # noqa: BLE001
                # Whatever it was, a dead thread would stop all numbers until somebody restarts the host. The type
                # only: a database's message may hold visitors' data.
                back_off = min(max(_FIRST_BACK_OFF_SECONDS, 2 * back_off), MAX_BACK_OFF_SECONDS)
                log.warning("the roll-up failed and waits %.0f s: %s", back_off, type(error).__name__)
            self._pause(back_off)

    def _pause(self, back_off: float) -> None:
        # A kick ends the long pause only: under load the thread must not take the processor from the collector.
        self._stopped.wait(back_off or min(_LEAST_PAUSE_SECONDS, self._settings.rollup_seconds))
        self._kicked.wait(self._settings.rollup_seconds)
        self._kicked.clear()
