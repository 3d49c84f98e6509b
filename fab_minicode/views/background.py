"""
The roll-up as a thread of the web process, for hosts that run nothing else (``FAB_MINICODE_ROLLUP = "thread"``).

Every process has one; the lease inside ``roll_up`` lets one of them count at a time. A database in memory has one
connection for everybody, which a thread would tear apart: there the request that brought events counts them.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import threading
import time

from sqlalchemy.engine import Engine
from sqlalchemy.pool import StaticPool

from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.errors import EventsNotCounted
from fab_minicode.settings import Settings

log = logging.getLogger(__name__)

MAX_BACK_OFF_SECONDS = 10.0
LEFT_OUT_SECONDS = 300.0
"""So long a mini program is left alone after its events could not be counted; all others are counted as always."""

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
        self._in_memory: Engine | None = None
        self._left_out: dict[int, float] = {}

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
            if _is_in_memory(engine):
                self._in_memory = engine
                return
            threading.Thread(target=self._run, args=(engine,), name="fab-minicode-roll-up", daemon=True).start()

    def kick(self) -> None:
        """Say that there is something to count; of a database in memory, count it."""
        self._kicked.set()
        if self._in_memory is not None:
            self._count(self._in_memory, 0.0)

    def stop(self) -> None:
        """End the thread after what it is doing."""
        self._stopped.set()
        self._kicked.set()

    def _run(self, engine: Engine) -> None:
        back_off = 0.0
        while not self._stopped.is_set():
            back_off = self._count(engine, back_off)
            self._pause(back_off)

    def _count(self, engine: Engine, back_off: float) -> float:
        """Count what waits; returns the seconds to wait because it failed, longer each time."""
        try:
            while self._roll_up(engine) and not self._stopped.is_set():
                pass
        except EventsNotCounted as error:
            log.warning("%s; it is tried again in %.0f s", error, LEFT_OUT_SECONDS)
            self._left_out |= dict.fromkeys(error.authorizer_ids, time.monotonic() + LEFT_OUT_SECONDS)
        except Exception as error:  # noqa: BLE001
            # Whatever it was, a dead thread would stop all numbers until somebody restarts the host. The type only: a
            # database's message may hold visitors' data.
            back_off = min(max(_FIRST_BACK_OFF_SECONDS, 2 * back_off), MAX_BACK_OFF_SECONDS)
            log.warning("the roll-up failed and waits %.0f s: %s", back_off, type(error).__name__)
            return back_off
        return 0.0

    def _roll_up(self, engine: Engine) -> int:
        self._left_out = {number: until for number, until in self._left_out.items() if until > time.monotonic()}
        now = dt.datetime.now(dt.timezone.utc)
        return roll_up(engine, settings=self._settings, now=now, but=self._left_out)

    def _pause(self, back_off: float) -> None:
        # A kick ends the long pause only: under load the thread must not take the processor from the collector.
        self._stopped.wait(back_off or min(_LEAST_PAUSE_SECONDS, self._settings.rollup_seconds))
        self._kicked.wait(self._settings.rollup_seconds)
        self._kicked.clear()


def _is_in_memory(engine: Engine) -> bool:
    if engine.dialect.name != "sqlite":
        return False
    name = engine.url.database or ""
    return isinstance(engine.pool, StaticPool) or name in ("", ":memory:") or "mode=memory" in str(engine.url)
