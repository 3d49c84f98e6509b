"""The ratios of a run in one table: benches note them, ``python -m bench`` prints them at its end."""

from __future__ import annotations

import json
import os
import pathlib

_PLACE = "MINICODE_BENCH_RESULTS"
"""Environment variable: the file that gathers what the processes of one run noted."""


def note(what: str, *, ours: str, baseline: str = "", ratio: float | None = None, goal: str = "") -> None:
    """Remember a line of the table; ``ours`` and ``baseline`` with their units, ``ratio`` as the goal counts it."""
    place = os.environ.get(_PLACE)
    if place:
        line = [what, ours, baseline, "" if ratio is None else f"{ratio:,.2f}" if ratio < 10 else f"{ratio:,.0f}", goal]
        with pathlib.Path(place).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def environment(place: pathlib.Path) -> dict[str, str]:
    """Return the environment of a process whose notes go to a file."""
    return {**os.environ, _PLACE: str(place)}


def table(place: pathlib.Path) -> str:
    """Return everything that was noted, as a table in Markdown."""
    noted = [json.loads(line) for line in place.read_text(encoding="utf-8").splitlines()] if place.exists() else []
    rows = [["What", "Ours", "Baseline", "Ratio", "Goal"], *noted]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
