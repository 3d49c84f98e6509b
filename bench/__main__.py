"""
All measurements of docs/performance.md, one after the other, or the named ones: ``python -m bench [name ...]``.

Each prints ratios against a baseline of the same run; one table of all of them comes last.
For their options run them alone: ``python -m bench.collect -h``.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile

from bench.results import environment, table

BENCHES = ("collect", "rollup", "headline", "large", "chart_view", "funnel", "code_list")


def main() -> None:
    """Run them in processes of their own, so that none inherits another's memory or connections."""
    names = sys.argv[1:] or BENCHES
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; there are {', '.join(BENCHES)}")
    with tempfile.TemporaryDirectory() as folder:
        notes = pathlib.Path(folder, "notes")
        for name in names:
            print(f"\n== {name}", flush=True)
            subprocess.run([sys.executable, "-m", f"bench.{name}"], check=True, env=environment(notes))
        print(f"\n{table(notes)}")


if __name__ == "__main__":
    main()
