"""
The documentation as web pages: ``make docs`` (every warning is an error) writes them to ``build/docs/``.

The pages are plain Markdown that reads well in a repository browser, too: the table of contents is not written a second
time but taken from the links of ``docs/index.md``.
"""

from __future__ import annotations

import posixpath
import re

project = "fab_minicode"
author = copyright = "the fab_minicode authors"  # noqa: A001 - Sphinx's name
extensions = ["myst_parser"]
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**.md"]
root_doc = "docs/index"
myst_heading_anchors = 4
html_theme = "furo"
html_title = "fab_minicode"
html_show_sphinx = html_show_copyright = html_copy_source = False
# No page asks another host for anything.
html_theme_options = {"top_of_page_buttons": []}

_LINK = re.compile(r"\]\(((?:\.\./)?[\w/-]+\.md)\)")


def _with_contents(_app: object, name: str, source: list[str]) -> None:
    """Give the index the hidden table of contents that makes the side bar."""
    if name != root_doc:
        return
    linked = dict.fromkeys(posixpath.normpath(f"docs/{path}") for path in _LINK.findall(source[0]))
    pages = "\n".join(f"/{path}" for path in (*linked, "CHANGELOG.md", "README.md"))
    source[0] += f"\n\n```{{toctree}}\n:hidden:\n\n{pages}\n```\n"


def setup(app: object) -> None:
    """Register the hook (Sphinx calls this)."""
    app.connect("source-read", _with_contents)  # type: ignore[attr-defined]
