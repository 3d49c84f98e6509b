"""
What is shipped: a source archive, a wheel built from it without node, and everything the package needs inside.

The tree is copied first, so that a build never leaves its traces in the checkout.
"""

from __future__ import annotations

import ast
import configparser
import importlib.metadata
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "fab_minicode"
SOURCES = ("fab_minicode", "build_backend", "frontend", "docs")
FILES = ("setup.cfg", "pyproject.toml", "MANIFEST.in", "LICENSE", "README.md", "CHANGELOG.md", "Makefile")
LEFT_OUT = shutil.ignore_patterns("node_modules", "__pycache__", "*.pyc")


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """The source archive and the wheel that was built from it on a PATH where there is no node."""
    tree = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        shutil.copytree(ROOT / name, tree / name, ignore=LEFT_OUT)
    for name in FILES:
        shutil.copy2(ROOT / name, tree / name)
    out = tree / "out"
    _build("--sdist", tree, out)
    (sdist,) = out.glob("*.tar.gz")
    unpacked = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(unpacked, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    (source,) = unpacked.iterdir()
    _build("--wheel", source, out, PATH=str(pathlib.Path(sys.executable).parent))
    (wheel,) = out.glob("*.whl")
    return sdist, wheel


def _build(what, tree, out, **environment):
    command = [sys.executable, "-m", "build", "--no-isolation", what, "--outdir", str(out), str(tree)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="module")
def installed(archives, tmp_path_factory):
    """A new virtual environment that holds the wheel and nothing else; returns its python and its packages' folder."""
    home = tmp_path_factory.mktemp("venv")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    purelib = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet"]
    subprocess.run([*install, str(archives[1])], check=True)
    return python, pathlib.Path(purelib)


def wanted_files():
    """Everything in the package that is not Python: templates, static files, translations, migrations' template."""
    folders = ("templates", "static", "translations", "migrations")
    files = (path for folder in folders for path in (PACKAGE / folder).rglob("*") if path.is_file())
    return {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}


def test_wheel_and_source_archive_carry_every_file_of_the_package(archives):
    sdist, wheel = archives
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in PACKAGE.rglob("*.py")}
    wanted = wanted_files() | modules | {"fab_minicode/py.typed"}

    assert set() == wanted - in_wheel
    assert set() == wanted - in_sdist


@pytest.mark.parametrize(
    "pattern",
    [
        "static/dist/charts.js",
        "static/dist/charts.LICENSES.txt",
        "templates/fab_minicode/*.html",
        "translations/zh/LC_MESSAGES/*.po",
        "translations/zh/LC_MESSAGES/*.mo",
        "migrations/env.py",
        "migrations/versions/*.py",
    ],
)
def test_an_empty_virtual_environment_finds_what_the_wheel_brought(installed, pattern):
    _, purelib = installed

    assert list((purelib / "fab_minicode").glob(pattern))


def test_the_wheel_brings_nothing_beside_the_package(installed):
    _, purelib = installed

    names = {path.name for path in purelib.iterdir() if not path.name.startswith("__")}

    assert {"fab_minicode", f"fab_minicode-{importlib.metadata.version('fab-minicode')}.dist-info"} == names


def test_entry_points_lead_to_functions_of_the_wheel(installed):
    python, _ = installed
    # The dependencies come from the environment that runs the tests, the package only from the wheel.
    ours = os.pathsep.join(path for path in sys.path if path.endswith("site-packages"))
    program = (
        "import sys, importlib.metadata as m\n"
        f"sys.path += {ours.split(os.pathsep)!r}\n"
        "d = m.distribution('fab-minicode')\n"
        "ours = [e for e in d.entry_points if e.group != 'airflow.plugins']\n"  # loaded in tests/real_hosts
        "print(sorted((e.group, e.name, callable(e.load())) for e in ours))\n"
        "import fab_minicode; print(fab_minicode.__file__)\n"
    )
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, check=True)

    entries, where = done.stdout.splitlines()

    assert "[('console_scripts', 'minicode', True), ('flask.commands', 'minicode', True)]" == entries
    assert where.startswith(str(installed[1]))


def test_every_imported_distribution_is_declared():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    # What only an extra brings is imported with care: tests/test_export.py has it without.
    lists = (config["options"]["install_requires"], config["options.extras_require"]["picture"])
    declared = {
        re.split(r"[<>=!;\[ ]", line, maxsplit=1)[0].lower() for text in lists for line in text.split("\n") if line
    }
    owners = importlib.metadata.packages_distributions()
    imported = {name for path in PACKAGE.rglob("*.py") for name in _imports(path)}
    # What airflow_plugin imports is there wherever Airflow loads it, and nowhere else.
    foreign = imported - set(sys.stdlib_module_names) - {"airflow", "fab_minicode"}

    undeclared = {name for name in foreign if not {owner.lower() for owner in owners[name]} & declared}

    # Flask-AppBuilder and requests cannot be without these, and decide which of their versions a host has.
    theirs = {"babel", "flask_jwt_extended", "flask_login", "jwt", "markupsafe", "urllib3", "werkzeug", "wtforms"}
    assert undeclared <= theirs


def _imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]
