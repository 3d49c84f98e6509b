"""The words of the pages: every refusal and every answer of WeChat's has a sentence, in English and in Chinese."""

from __future__ import annotations

import ast
import datetime as dt
import pathlib
import re
from zoneinfo import ZoneInfo

import pytest
from babel import Locale
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from fab_minicode import errors
from fab_minicode.codes import FAILED, PLANNED, READY, UNKNOWN
from fab_minicode.errors import ERRCODES, InvalidInput, WeChatError
from fab_minicode.kinds import KINDS, PAGE_FAULTS
from fab_minicode.utm import UTM_FIELDS
from fab_minicode.views import code_words, messages
from fab_minicode.views.shown import Shown

PACKAGE = pathlib.Path(errors.__file__).parent
CATALOGUE = PACKAGE / "translations/zh/LC_MESSAGES/messages.po"
PLACEHOLDER = re.compile(r"%\((\w+)\)[sd]|\{(\w+)\}")


def raised():
    """Field and code of every refusal that the package raises; None for a field that is not written out."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            name = getattr(node.func, "id", getattr(node.func, "attr", "")) if isinstance(node, ast.Call) else ""
            if name in ("InvalidInput", "malformed"):
                yield tuple(arg.value if isinstance(arg, ast.Constant) else None for arg in node.args[:2])
    yield from (("landing_page", code) for code in PAGE_FAULTS)


@pytest.mark.parametrize(("field", "code"), sorted({pair for pair in raised() if pair[1]}, key=str), ids=str)
def test_every_refusal_has_a_sentence_of_its_own(app_context, field, code):
    known = (field, code) in messages.REFUSALS or code in messages.REFUSALS_OF_ANY_FIELD
    said = messages.refusal(InvalidInput(field or "name", code, limit=1, actual=2, detail="x"))

    assert known
    assert "%(" not in said
    assert code == "malformed" or messages.REFUSALS_OF_ANY_FIELD["malformed"] != said


def test_the_walk_over_the_package_finds_refusals_of_every_room():
    codes = {code for _, code in raised()}

    assert {"unknown_field", "not_json", "too_many_rows", "hours_too_far_back", "twice", "leading_slash"} <= codes


def test_a_refusal_without_a_sentence_of_its_own_is_said_all_the_same(app_context):
    assert messages.refusal(InvalidInput("field", "new_code"))


@pytest.mark.parametrize("kind", sorted(set(ERRCODES.values()), key=lambda kind: kind.__name__))
def test_every_class_of_wechats_answers_says_what_to_do(app_context, kind):
    errcode = next(number for number, known in ERRCODES.items() if known is kind)
    found = messages.explained_error(kind(errcode, "words"))

    assert str(found.what)
    assert str(found.advice)
    assert found is not messages.explained(999_999)
    assert messages.explained(errcode) == found


def test_an_unknown_number_shows_wechats_own_words(app_context):
    assert "is not known here" in messages.sentence(WeChatError(999_999, "words"))


@pytest.mark.parametrize(
    "error",
    [
        errors.NotAuthorized("wx1"),
        errors.QuotaUsedUp(100_000, 100_000),
        errors.CodeBusy("1"),
        errors.SecretUnreadable("place"),
        errors.NameTaken("x"),
        errors.Missing("1"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_other_error_has_a_sentence_without_its_inner_text(app_context, error):
    assert messages.sentence(error).endswith(".")
    assert "did not work" not in messages.sentence(error)
    assert "place" not in messages.sentence(error)


def test_kinds_fields_and_states_have_words():
    assert {kind.name for kind in KINDS} == set(code_words.KINDS)
    assert set(UTM_FIELDS) == set(code_words.FIELDS)
    assert {PLANNED, READY, FAILED, UNKNOWN} == set(code_words.STATES)


# -------------------------------------------------------------------------------------------------------- Chinese


def extracted():
    """Every text of the package that is marked for translation."""
    methods = [("views/**.py", "python"), ("templates/**.html", "jinja2")]
    keywords = {"_": None, "_l": None, "gettext": None, "lazy_gettext": None, "ngettext": (1, 2)}
    for _file, _line, message, _comments, _context in extract_from_dir(str(PACKAGE), methods, keywords=keywords):
        yield message if isinstance(message, str) else message[0]


def catalogue():
    with CATALOGUE.open("rb") as file:
        return read_po(file, locale="zh")


def test_every_text_is_translated():
    known = catalogue()

    assert [] == sorted({text for text in extracted() if text and not (known.get(text) and known.get(text).string)})


def test_the_catalogue_holds_nothing_that_no_page_says():
    assert [] == sorted({str(message.id) for message in catalogue() if message.id} - set(extracted()))


def test_no_text_stands_twice_in_the_catalogue():
    told = re.findall(r'^msgid ((?:"[^\n]*"\n)+)', CATALOGUE.read_text(encoding="utf-8"), re.MULTILINE)
    texts = [text.replace('"\n"', "") for text in told]

    assert [] == sorted({text for text in texts if texts.count(text) > 1})


def test_translations_keep_what_is_filled_in():
    for message in catalogue():
        kept = sorted(PLACEHOLDER.findall(str(message.string)))

        assert sorted(PLACEHOLDER.findall(str(message.id))) == kept, message.id


def test_no_text_is_a_plural():
    """Flask-Babel merges catalogues without their plural rules; a Chinese plural would stay English."""
    assert not [message.id for message in catalogue() if isinstance(message.id, tuple)]


# ---------------------------------------------------------------------------------------------------------- shown


NOW = dt.datetime(2026, 11, 22, 4, 0, tzinfo=dt.timezone.utc)


@pytest.mark.parametrize(
    ("language", "tag", "ago", "exact"),
    [
        ("en", "en", "2 days ago", "Nov 20, 2026"),
        ("zh", "zh-Hans", "2天前", "2026年11月20日"),
        ("zh_Hant_TW", "zh-Hant-TW", "2 天前", "2026年11月20日"),
    ],
)
def test_numbers_and_instants_are_in_the_readers_language(app_context, language, tag, ago, exact):
    shown = Shown(NOW, ZoneInfo("Asia/Shanghai"), Locale.parse(language))

    assert (tag, "82,445") == (shown.language, shown.number(82_445))
    assert ago == shown.ago(NOW - dt.timedelta(days=2))
    assert shown.exact(NOW - dt.timedelta(days=2)).startswith(exact)


def test_an_instant_of_this_minute_is_just_now(app_context):
    shown = Shown(NOW, ZoneInfo("Asia/Shanghai"), Locale("en"))

    assert "just now" == shown.ago(NOW - dt.timedelta(seconds=44))


@pytest.fixture
def app_context():
    """Lazy texts need an application that knows a language."""
    from flask import Flask
    from flask_babel import Babel

    app = Flask("words")
    Babel(app)
    with app.test_request_context():
        yield
