"""The documentation says what the code does: tables, names, links, examples."""

from __future__ import annotations

import pathlib
import re

import pytest

from fab_minicode import errors, kinds, settings, trackers
from fab_minicode.acquisition.dimensions import DIMENSIONS
from fab_minicode.acquisition.funnel_question import DEFINITION as FUNNEL_DEFINITION
from fab_minicode.acquisition.metrics import (
    ATTRIBUTIONS,
    EVENT_DEFINITIONS,
    MEASURES,
    METRICS,
    SAVED_SEGMENT,
    SEGMENTS,
)
from fab_minicode.acquisition.question_fields import WINDOW_NAMES
from fab_minicode.acquisition.retention_question import RETURN_DEFINITION, STARTS
from fab_minicode.acquisition.windows import COMPARISONS
from fab_minicode.demo.seed import USERS
from fab_minicode.signals import SIGNALS
from fab_minicode.utm import Utm, compose_path
from tests import hosts, reference

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
_LINK = re.compile(r"\]\((?!https?://|mailto:)([^)#\s]+)?(?:#([^)\s]+))?\)")


def _name(path):
    return path.name


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", reference.BLOCKS)
def test_tables_say_what_the_code_says(name):
    _, render = reference.BLOCKS[name]

    assert render() == reference.in_document(name), "run: python -m tests.reference"


@pytest.mark.parametrize("document", DOCUMENTS, ids=_name)
def test_links_lead_somewhere(document):
    for target, anchor in _LINK.findall(document.read_text(encoding="utf-8")):
        path = (document.parent / target).resolve() if target else document

        assert path.exists(), target
        if anchor:
            heads = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def test_every_document_can_be_found_from_the_index():
    linked = {target for target, _ in _LINK.findall(read("docs/index.md"))}

    assert {path.name for path in (ROOT / "docs").glob("*.md")} - {"index.md"} <= linked


@pytest.mark.parametrize("dimension", [dimension.name for dimension in DIMENSIONS])
def test_every_dimension_is_explained(dimension):
    assert f"`{dimension}`" in read("docs/numbers.md")


@pytest.mark.parametrize("metric", [*(metric.name for metric in METRICS), *WINDOW_NAMES, *COMPARISONS])
def test_every_metric_window_and_comparison_is_explained(metric):
    assert re.search(f'`"?{metric}"?`', read("docs/numbers.md"))


DEFINITIONS = {
    *(metric.definition for metric in METRICS), *EVENT_DEFINITIONS.values(), *ATTRIBUTIONS.values(),
    *SEGMENTS.values(), SAVED_SEGMENT, FUNNEL_DEFINITION, *STARTS.values(), RETURN_DEFINITION,
}  # fmt: skip


@pytest.mark.parametrize("sentence", sorted(DEFINITIONS))
def test_every_definition_of_an_answer_stands_in_the_documentation_word_for_word(sentence):
    assert f"| {sentence} |" in read("docs/numbers.md")


def test_answers_define_their_numbers_by_these_sentences_and_no_others(app, client):
    body, headers = {"appid": hosts.connect(app)}, hosts.bearer(client, "creator")
    segment = {**body, "name": "New people", "conditions": [{"kind": "new"}]}
    made = client.post("/api/v1/minicode/segments/", json=segment, headers=headers).get_json()
    wanted = {
        "metrics": [
            *(metric.name for metric in METRICS),
            *({"event": "order_paid", "as": measure} for measure in MEASURES),
        ],
        "segments": [*SEGMENTS, f"segment:{made['id']}"],
    }
    asks = [("attributions", wanted), *(("query", {**wanted, "attribution": name}) for name in ATTRIBUTIONS)]
    for name in ATTRIBUTIONS:
        asks.append(("funnel", {"steps": ["visit", "visit"], "attribution": name}))
        asks += [("retention", {"start": start, "attribution": name}) for start in STARTS]
    said = set()
    for what, question in asks:
        answer = client.post(f"/api/v1/minicode/analysis/{what}", json={**body, **question}, headers=headers)
        assert 200 == answer.status_code, answer.get_data(as_text=True)
        said |= set(answer.get_json()["definitions"].values())

    assert DEFINITIONS == said


def test_no_other_answer_carries_definitions():
    """A new one is asked for in the test above."""
    answers = (ROOT / "fab_minicode/acquisition").glob("*.py")
    found = {path.stem for path in answers if '"definitions"' in path.read_text(encoding="utf-8")}

    assert {"answer", "attributions", "funnel", "retention"} == found


@pytest.mark.parametrize("tracker", [tracker.name for tracker in trackers.TRACKERS])
def test_every_tracker_has_its_address_in_the_documentation(tracker):
    text = read("docs/trackers.md")

    assert "/minicode/collect/" + {"native": "v1"}.get(tracker, tracker) in text


def explained_errcodes():
    """Errcode -> class, of the table's rows whose every cell says something."""
    row = re.compile(r"^\| (-?\d+) \| [^|]*\w[^|]* \| `(\w+)` \| [^|]*\w[^|]* \|$", re.MULTILINE)
    rows = row.findall(read("docs/wechat.md"))
    numbers = [int(number) for number, _ in rows]

    assert len(numbers) == len(set(numbers))
    return {int(number): name for number, name in rows}


@pytest.mark.parametrize("errcode", sorted(errors.ERRCODES))
def test_every_errcode_is_explained_with_the_class_that_says_who_must_act(errcode):
    assert errors.ERRCODES[errcode].__name__ == explained_errcodes().get(errcode)


def test_no_errcode_is_explained_that_the_code_does_not_know():
    assert set() == set(explained_errcodes()) - set(errors.ERRCODES)


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_every_interface_is_explained(kind):
    assert kind.endpoint.rpartition("/")[2] in read("docs/wechat.md")


def test_every_error_class_stands_in_the_drawing_of_the_tree():
    classes = {name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)}

    assert set() == {name for name in classes if not re.search(rf"\b{name}\b", str(errors.__doc__))}


def test_settings_that_examples_use_exist():
    known = {settings.PREFIX + setting.name for setting in settings.SETTINGS}
    used = {
        name
        for path in DOCUMENTS
        for name in re.findall(r"FAB_MINICODE_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))
    }

    assert used
    assert set() == used - known


def test_every_example_and_every_function_of_a_hosts_own_stands_in_the_table_of_extensions():
    table, manager = read("docs/extending.md"), read("fab_minicode/manager.py") + read("fab_minicode/token_provider.py")
    hooked = re.findall(r"hooks\.load\(f?\"(?:{PREFIX}|FAB_MINICODE_)(\w+)\"", manager)

    assert 3 == len(hooked)
    assert [] == [name for name in hooked if f"`FAB_MINICODE_{name}`" not in table]
    assert [] == [path.name for path in (ROOT / "examples").glob("*.py") if f"(../examples/{path.name})" not in table]


@pytest.mark.parametrize("signal", sorted(SIGNALS))
def test_every_signal_has_a_receiver_among_the_examples_and_in_the_documentation(signal):
    """``test_examples`` runs them; what they heard is compared there line by line."""
    pattern = rf"^@{signal}\.connect\ndef \w+\(appid: str, \*, [^)]*\*\*_: Any\) -> None:$"

    assert re.search(pattern, read("examples/signals.py"), re.MULTILINE)
    assert re.search(pattern, read("docs/extending.md"), re.MULTILINE)


def test_the_example_paths_are_the_paths_that_are_sent():
    text = read("docs/codes.md")

    assert f"`{compose_path('pages/menu/index', Utm('poster', 'autumn menu'))}`" in text
    assert f"`{compose_path('pages/coupon/get?id=18', Utm('小票'))}`" in text


def test_the_readme_begins_with_a_picture_and_names_both_commands_and_the_users():
    text = read("README.md")

    assert re.search(r"\A# .+\n\n!\[[^]]+\]\(docs/images/\S+\.png\)\n", text)
    assert "make demo" in text
    assert "make test" in text
    assert all(f"`{name}/{name}`" in text for name, *_ in USERS)


def test_the_package_says_its_version_in_the_changelog():
    text = read("CHANGELOG.md")

    assert re.search(r"^## \[(Unreleased|\d+\.\d+\.\d+)\]", text, re.MULTILINE)


def test_every_rest_route_is_explained(app):
    rules = {str(rule) for rule in app.url_map.iter_rules() if str(rule).startswith("/api/v1/minicode/")}
    text = read("docs/api.md")
    written = {re.sub(r"<\w+:", "<", rule).replace("<pk>", "<id>") for rule in rules} - {
        f"/api/v1/minicode/{name}/_info" for name in ("codes", "authorizers", "analysis", "aliases", "segments")
    }

    assert written
    assert set() == {rule for rule in written if rule not in text}
