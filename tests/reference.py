"""
Tables of the documentation that are written from the code: ``python -m tests.reference`` refreshes them.

A document holds each table between two comment lines, ``<!-- begin: NAME -->`` and ``<!-- end: NAME -->``;
``test_docs`` fails when one of them differs from the code.
"""

from __future__ import annotations

import ast
import pathlib
import re

import click

from fab_minicode.acquisition.funnel_question import DEFINITION as FUNNEL
from fab_minicode.acquisition.metrics import SAVED_SEGMENT, SEGMENTS
from fab_minicode.acquisition.retention_question import RETURN_DEFINITION, STARTS
from fab_minicode.acquisition.segment_rules import KIND_DEFINITIONS
from fab_minicode.audit import ACTIONS
from fab_minicode.kinds import KINDS
from fab_minicode.permissions import ROLES, VIEW_MENUS
from fab_minicode.settings import PREFIX, SETTINGS
from fab_minicode.signals import SIGNALS
from tests.routes import PEOPLE, ROUTES

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
EXAMPLE = DOCS.parent / "examples/signals.py"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)


def settings() -> str:
    """One row per setting, in the order of ``SETTINGS``."""
    rows = [(f"`{PREFIX}{row.name}`", _default(row.default), row.help) for row in SETTINGS]
    return table(("Name", "Default", "What it does"), rows)


def _default(value: object) -> str:
    return "–" if value in ("", ()) else f"`{value!r}`"


def permissions() -> str:
    """One row per permission, a column per role."""
    rows = [
        (f"`{menu}`", f"`{name}`", *("✓" if name in dict(role.grants).get(menu, ()) else "" for role in ROLES))
        for menu, names in VIEW_MENUS
        for name in names
    ]
    return table(("View menu", "Permission", *(role.name for role in ROLES)), rows)


def kinds() -> str:
    """One row per kind of code."""
    rows = [
        (
            f"`{kind.name}`",
            kind.interface,
            f"`{kind.endpoint}`",
            f"path ≤ {kind.max_path_bytes} bytes" if kind.max_path_bytes else "no limit: the UTM stay with us",
            "yes" if kind.uses_quota else "no",
            "yes" if kind.colours else "no",
        )
        for kind in KINDS
    ]
    head = ("Kind", "WeChat's letter", "Interface", "Length", "Counts against the 100 000", "Colour, transparency")
    return table(head, rows)


def commands() -> str:
    """One row per command of ``flask minicode``."""
    from fab_minicode.cli import minicode

    context = click.Context(minicode)
    found = [minicode.get_command(context, name) for name in minicode.list_commands(context)]
    rows = [(f"`{command.name}{_options(command)}`", command.get_short_help_str(200)) for command in found if command]
    return table(("Command", "What it does"), rows)


def _options(command: click.Command) -> str:
    longest = [max(parameter.opts, key=len) for parameter in command.params if isinstance(parameter, click.Option)]
    return "".join(f" [{option}]" for option in longest)


def routes() -> str:
    """One row per method of a route: what everybody is answered."""
    rows = [(route.method, f"`{route.rule}`", *map(str, route.expected().values())) for route in ROUTES]
    return table(("Method", "Address", *PEOPLE), rows)


def signals() -> str:
    """One row per signal."""
    rows = [(f"`{name}`", str(signal.__doc__)) for name, signal in sorted(SIGNALS.items())]
    return table(("Signal", "When, and what it carries beside the AppID"), rows)


def receivers() -> str:
    """The receivers of ``examples/signals.py``, as they stand there."""
    tree = ast.parse(text := EXAMPLE.read_text(encoding="utf-8"))
    lines = text.splitlines()
    found = [
        "\n".join(lines[node.decorator_list[0].lineno - 1 : node.end_lineno])
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.decorator_list
    ]
    return "```python\n" + "\n\n\n".join(found) + "\n```"


def audit() -> str:
    """One row per kind of thing whose acts are recorded."""
    rows = [(f"`{subject}`", ", ".join(f"`{action}`" for action in actions)) for subject, actions in ACTIONS]
    return table(("What it was about", "Acts"), rows)


def segments() -> str:
    """The segments that a question may name, and the sentence that an answer says of each."""
    rows = [(f"`{name}`", sentence) for name, sentence in SEGMENTS.items()]
    return table(("Segment", "Who"), [*rows, ("`segment:<id>`", SAVED_SEGMENT)])


def segment_kinds() -> str:
    """What a condition of a saved segment says."""
    return table(("`kind`", "Who"), [(f"`{kind}`", sentence) for kind, sentence in KIND_DEFINITIONS.items()])


def funnel() -> str:
    """What an answer says of a funnel's numbers."""
    return table(("Name", "Counts"), [("`users`", FUNNEL)])


def retention() -> str:
    """What an answer says of a retention's numbers."""
    rows = [(f"`starts` of `{start}`", sentence) for start, sentence in STARTS.items()]
    return table(("Name", "Counts"), [*rows, ("`returned`", RETURN_DEFINITION)])


BLOCKS = {
    "segments": ("numbers.md", segments),
    "segment-kinds": ("numbers.md", segment_kinds),
    "funnel": ("numbers.md", funnel),
    "retention": ("numbers.md", retention),
    "audit": ("permissions.md", audit),
    "signals": ("extending.md", signals),
    "receivers": ("extending.md", receivers),
    "routes": ("routes.md", routes),
    "settings": ("settings.md", settings),
    "permissions": ("permissions.md", permissions),
    "kinds": ("codes.md", kinds),
    "commands": ("cli.md", commands),
}


def in_document(name: str) -> str:
    """Return what a document holds between the two comment lines of a block."""
    found = _pattern(name).search(_document(name).read_text(encoding="utf-8"))
    return found[2].rstrip("\n") if found else ""


def _document(name: str) -> pathlib.Path:
    return DOCS / BLOCKS[name][0]


def _pattern(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- begin: {name} -->\n)(.*?)(<!-- end: {name} -->)", re.DOTALL)


def main() -> None:
    """Write every table into its document."""
    for name, (_, render) in BLOCKS.items():
        path, text = _document(name), render() + "\n"
        written = _pattern(name).sub(
            lambda match, text=text: match[1] + text + match[3], path.read_text(encoding="utf-8")
        )  # type: ignore[misc]
        path.write_text(written, encoding="utf-8")


if __name__ == "__main__":
    main()
