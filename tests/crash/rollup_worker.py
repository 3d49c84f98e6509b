"""Counts for ever in small batches until it is killed: ``python -m tests.crash.rollup_worker <database url>``."""

import sys

from fab_minicode.acquisition.rollup import roll_up
from tests import databases
from tests.test_rollup import NOW, SETTINGS

engine = databases.engine_for(sys.argv[1])
while True:
    counted = roll_up(engine, settings=SETTINGS, now=NOW, limit=100)
    sys.stdout.write(f"{counted}\n")
    sys.stdout.flush()
