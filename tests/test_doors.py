"""The one-way doors of setup.cfg, and what a stranger may import."""

from __future__ import annotations

import importlib
import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent


def test_rooms_import_only_from_rooms_below_them():
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    done = subprocess.run(
        [*command, "--config", "setup.cfg", "--no-cache"],
        cwd=ROOT,
        env=os.environ | {"NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert "0 broken" in done.stdout, done.stdout + done.stderr
    assert 0 == done.returncode


def test_importing_the_package_alone_brings_no_framework():
    program = "import sys, fab_minicode; print(sorted({'flask', 'sqlalchemy', 'requests'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()


@pytest.mark.parametrize("name", ["fab_minicode.models", "fab_minicode.manager", "fab_minicode.permissions"])
def test_what_hosts_import_is_exported(name):
    module = importlib.import_module(name)

    assert all(hasattr(module, word) for word in getattr(module, "__all__", ()))


def test_the_names_that_hosts_rely_on_exist():
    from fab_minicode.cli import main, minicode
    from fab_minicode.manager import MinicodeManager

    assert callable(main)
    assert callable(minicode)
    assert "fab_minicode.manager.MinicodeManager" == f"{MinicodeManager.__module__}.{MinicodeManager.__qualname__}"
