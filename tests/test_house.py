"""The bar of size and words: small files, small functions, few parameters, everything public documented."""

from __future__ import annotations

import ast
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "fab_minicode"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)
MOST_LINES_OF_A_FILE, MOST_LINES_OF_A_FUNCTION, MOST_POSITIONAL_PARAMETERS = 400, 40, 5
# Flask-AppBuilder calls its add-on class a manager.
REFUSED = re.compile(r"(^|_)(utils?|helpers?|common|base|service|handler|processor)(_|$)")


def _name(path):
    return str(path.relative_to(ROOT))


def functions(path):
    """Every function of a file, with the name of the class around it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def body_lines(function):
    """Lines of a function's body without its docstring."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return function.end_lineno - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_a_file_holds_one_idea(path):
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert lines <= MOST_LINES_OF_A_FILE


# A revision lists tables, as long as the list may be.
@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.name != "versions"], ids=_name)
def test_functions_are_short_and_take_few_positional_parameters(path):
    long = {f"{f.name}: {body_lines(f)} lines" for f in functions(path) if body_lines(f) > MOST_LINES_OF_A_FUNCTION}
    wide = {
        f"{f.name}: {len(f.args.args)}" for f in functions(path) if len(f.args.args) > MOST_POSITIONAL_PARAMETERS + 1
    }

    assert set() == long
    assert set() == wide


@pytest.mark.parametrize("path", [*MODULES, *sorted((ROOT / "tests").rglob("*.py"))], ids=_name)
def test_names_say_what_they_hold(path):
    assert not any(REFUSED.search(part) for part in path.relative_to(ROOT).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=_name)
def test_nothing_is_left_for_later(path):
    assert not re.search(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError", path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__main__.py"], ids=_name)
def test_every_module_says_which_room_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
