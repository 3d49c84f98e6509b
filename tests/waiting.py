"""Waiting that ends: a test that would wait for ever says what it waits for and fails."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

SECONDS = 60.0


def until(what: Callable[[], Any], told: str) -> None:
    """Look every hundredth of a second until ``what()`` is true; ``told`` names it when it never is."""
    end = time.monotonic() + SECONDS
    while not what():
        assert time.monotonic() < end, f"not within {SECONDS:.0f} s: {told}"
        time.sleep(0.01)
