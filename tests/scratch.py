"""
Where tests keep what they throw away: in memory where there is room.

Each warm test copies a whole database; on a disk that takes PostgreSQL ten times as long as in memory, and SQLite waits
for the disk at every commit. ``TMPDIR`` chooses another place.
"""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import tempfile

MEMORY = pathlib.Path("/dev/shm")
_ROOM_BYTES = 6 * 2**30
"""Several times what a run holds at once, an installed wheel and two servers among it."""


def use_memory() -> None:
    """Let this process and those it starts keep temporary files in memory, unless ``TMPDIR`` is set or it is short."""
    if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK | os.X_OK) and _free_bytes() > _ROOM_BYTES:
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None


def _free_bytes() -> int:
    told = pathlib.Path("/proc/meminfo").read_text("ascii")
    available = re.search(r"^MemAvailable: +(\d+) kB$", told, re.MULTILINE)
    return min(shutil.disk_usage(MEMORY).free, int(available[1]) * 1024 if available else 0)
