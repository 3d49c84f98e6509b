"""The chart bundle: made of what the lock file names, free of addresses, fit for a strict content security policy."""

from __future__ import annotations

import importlib.util
import json
import pathlib
import re

import pytest

from tests import databases

ROOT = pathlib.Path(__file__).resolve().parent.parent
FRONTEND = ROOT / "frontend"


@pytest.fixture(scope="module")
def build():
    """The build program, as a module."""
    spec = importlib.util.spec_from_file_location("frontend_build", FRONTEND / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(build):
    if not build.BUNDLE.is_file():
        databases.missing("The chart bundle", "python frontend/build.py")
    return build.BUNDLE.read_text(encoding="utf-8")


def test_the_bundle_was_made_of_these_inputs(build, bundle):
    assert build.fingerprint() in bundle.partition("\n")[0]


def test_the_bundle_needs_no_eval_and_knows_no_address(bundle):
    assert not re.search(r"\beval\s*\(|new Function\b", bundle)
    assert [] == re.findall(r"https?://(?!www\.w3\.org/)[^\s\"'`]+", bundle)


def test_the_licences_of_what_is_in_the_bundle_stand_beside_it(build, bundle):
    texts = build.LICENSES.read_text(encoding="utf-8")

    for name in build.LICENSE_FILES:
        assert f"=== {name} ===" in texts


def test_the_lock_file_names_versions_and_checksums_but_no_download_address():
    lock = json.loads((FRONTEND / "package-lock.json").read_text(encoding="utf-8"))
    packages = {name: package for name, package in lock["packages"].items() if name}

    assert packages
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert not any("resolved" in package for package in packages.values())


def test_every_version_is_exact():
    package = json.loads((FRONTEND / "package.json").read_text(encoding="utf-8"))

    for version in (package["dependencies"] | package["devDependencies"]).values():
        assert re.fullmatch(r"\d+\.\d+\.\d+", version)
