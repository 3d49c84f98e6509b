"""The page that makes a code, WeChat being the sandbox over HTTP, on both databases."""

from __future__ import annotations

import dataclasses

import pytest
from sqlalchemy import update

from fab_minicode.kinds import KINDS
from fab_minicode.models import Authorizer, Code
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.sandbox.faults import Switch
from fab_minicode.utm import byte_length
from fab_minicode.wechat.client import WeChatClient
from tests import hosts
from tests.pages import CODES, FIELDS, Page, make, only_code, read, rows, send

APPID = SAMPLE_APPS[0].appid
IMAGE_A = "/wxa/getwxacode"


@pytest.fixture
def manager(app, client):
    """A manager's browser; the first mini program of the sandbox is connected."""
    hosts.connect(app)
    return hosts.login(client, "manager")


def refuse_once(sandbox, errcode):
    """Let WeChat refuse the next code of interface A."""
    sandbox.faults.on(Switch("errcode", IMAGE_A, value=errcode))


def change(app, **values):
    with hosts.database(app) as session:
        session.execute(update(Authorizer).where(Authorizer.appid == APPID).values(**values))
        session.commit()


# --------------------------------------------------------------------------------------------------------- create


def test_the_form_makes_a_code_and_leads_to_its_page(app, manager, sandbox):
    answer = make(manager)
    code = only_code(app)
    page = read(manager, answer.location)

    assert answer.status_code == 302
    assert answer.location == f"{CODES}/show/{code.id}"
    assert "ready" == code.state
    assert "pages/lists/lists?listID=123&utm_source=poster&utm_campaign=秋天%2050%25" == code.path
    assert byte_length(code.path) == code.path_bytes
    assert [code.path] == [asked.json()["path"] for asked in sandbox.world.asked if asked.endpoint == IMAGE_A]
    assert "for 小王\nsecond line" == code.remark
    assert ("Manager Test", hosts.user_id(app, "manager")) == (code.created_by, code.created_by_id)
    assert "“Poster at gate 1” is ready." in page.text
    assert code.path in page.text
    assert f"{code.path_bytes} bytes" in page.text
    assert f"{CODES}/image/{code.id}" in page.links
    assert f"{CODES}/add?appid={APPID}&like={code.id}" in page.links


@pytest.mark.parametrize("kind", [kind.name for kind in KINDS])
def test_every_kind_can_be_made(app, manager, kind):
    answer = make(manager, kind=kind, landing_page="pages/index/index")

    assert answer.status_code == 302
    assert ("ready", kind) == (only_code(app).state, only_code(app).kind)


def test_the_look_is_what_was_chosen_and_nothing_where_the_kind_has_none(app, manager):
    make(manager, name="own", colour="own", line_color="#1463c9", is_hyaline="y", width="600")
    make(manager, name="auto", colour="auto")
    make(
        manager, name="square", kind="wxaqrcode", colour="own", is_hyaline="y", landing_page="pages/a", utm_campaign=""
    )

    looks = dict(rows(app, Code.name, Code.options))

    assert '{"is_hyaline": true, "line_color": "#1463c9", "width": 600}' == looks["own"]
    assert '{"auto_color": true, "width": 430}' == looks["auto"]
    assert '{"width": 430}' == looks["square"]


def test_a_refused_form_says_why_beside_each_field_and_loses_nothing(app, manager):
    sent = {"name": "", "landing_page": "/pages/a?b=1", "utm_source": " ", "width": "12", "utm_term": "k" * 129}

    answer = make(manager, **sent, colour="own", line_color="#123456", is_hyaline="y")
    page = Page(answer.get_data(as_text=True))

    assert answer.status_code == 200
    for sentence in (
        "Give the code a name.",
        "must not begin with “/”",
        "Say where the code will be seen",
        "This is 129 characters long; 128 are possible.",
    ):
        assert 2 == page.text.count(sentence), sentence
    assert {name: FIELDS[name] for name in ("kind", "utm_campaign")}.items() <= page.values.items()
    assert ("/pages/a?b=1", "12", "own", "#123456", "k" * 129) == tuple(
        page.values[name] for name in ("landing_page", "width", "colour", "line_color", "utm_term")
    )
    assert "for 小王\nsecond line" == page.values["remark"].replace("\r\n", "\n")
    assert "is_hyaline" in page.values
    assert {"name", "landing_page", "utm_source", "utm_term"} == {
        tag["name"] for tag in page.of("input") if tag.get("aria-invalid") == "true"
    }
    assert [] == rows(app, Code.id)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("landing_page", "pages/a?b=1?c=2", "one “?” only; this one has 2"),
        ("landing_page", "pages/a b", "must not contain spaces"),
        ("landing_page", "/pages/a b", "must not contain spaces. The landing page must not begin with “/”"),
        ("landing_page", "pages/a?scancode_time=1", "“scancode_time” must not stand"),
        ("landing_page", "pages/a?utm_source=1", "“utm_source” must not stand"),
        ("landing_page", "p" * 2000, "this kind allows 1,024"),
        ("landing_page", "pages/\x00a", "invisible control character"),
        ("width", "9" * 30, "whole number of pixels"),
        ("width", "281.5", "whole number of pixels"),
        ("width", "1281", "280 to 1280 px"),
        ("kind", "poster", "Choose one of the kinds."),
        ("remark", "x" * 501, "This is 501 characters long; 500 are possible."),
        ("name", "名" * 51, "This is 51 characters long; 50 are possible."),
        ("name", "a\u202eb", "invisible control character"),
    ],
)
def test_bad_values_are_refused_in_words(app, manager, field, value, sentence):
    answer = make(manager, **{field: value})

    assert answer.status_code == 200
    assert sentence in Page(answer.get_data(as_text=True)).text
    assert [] == rows(app, Code.id)


@pytest.mark.parametrize("field", sorted(FIELDS))
def test_bytes_that_are_no_text_never_break_the_form(manager, field):
    answer = make(manager, **{field: b"a\xff\xed\xa0\x80"})

    assert answer.status_code in {200, 302}


def test_a_path_that_is_too_long_says_by_how_much_and_which_kind_fits(manager):
    page = Page(make(manager, kind="wxaqrcode", utm_content="大促" * 20).get_data(as_text=True))

    assert "this kind allows 128." in page.text
    assert "Suggested" in page.text
    assert "bytes too long" in page.text


def test_a_name_can_be_used_once(app, manager):
    make(manager)

    page = Page(make(manager).get_data(as_text=True))

    assert "already called “Poster at gate 1”" in page.text
    assert 1 == len(rows(app, Code.id))


def test_the_next_of_a_series_keeps_everything_but_the_name(app, manager):
    make(manager, colour="own", line_color="#1463c9", is_hyaline="y", utm_term="k & b")
    code = only_code(app)

    values = read(manager, f"{CODES}/add?appid={APPID}&like={code.id}").values

    kept = ("landing_page", "kind", "utm_source", "utm_campaign", "width")
    assert {name: FIELDS[name] for name in kept}.items() <= values.items()
    assert ("", "own", "#1463c9", "k & b") == tuple(values[n] for n in ("name", "colour", "line_color", "utm_term"))
    assert "is_hyaline" in values


def test_values_used_before_are_suggested(manager):
    make(manager)

    page = read(manager, f"{CODES}/add")

    assert {"poster", "秋天 50%", "pages/lists/lists?listID=123"} <= {tag.get("value") for tag in page.of("option")}


def test_for_a_mini_program_that_is_not_authorised_nothing_can_be_made(app, manager):
    change(app, status="not_authorized")

    page = read(manager, f"{CODES}/add?appid={APPID}")
    sent = Page(make(manager).get_data(as_text=True))

    buttons = [tag for tag in page.of("button") if tag.get("type") == "submit" and tag.get("form") is None]

    assert [True] == ["disabled" in tag for tag in buttons if "mc-button-primary" in (tag.get("class") or "")]
    assert ["/minicode/authorizers/leave"] == [tag["formaction"] for tag in page.of("button") if "formaction" in tag]
    assert "This mini program is not authorised." in sent.text
    assert [] == rows(app, Code.id)


def test_the_last_codes_of_the_quota_are_announced_and_the_end_is_refused(app, manager):
    pages = {}
    for used in (79_999, 80_000, 95_000):
        change(app, quota_used=used)
        pages[used] = read(manager, f"{CODES}/list/").text
    change(app, quota_used=100_000)
    refused = Page(make(manager).get_data(as_text=True))

    assert "79,999 of 100,000" in pages[79_999]
    assert "More than four fifths" not in pages[79_999]
    assert "More than four fifths" in pages[80_000]
    assert "Almost used up" in pages[95_000]
    assert "All 100,000 codes" in refused.text
    assert [] == rows(app, Code.id)


# ---------------------------------------------------------------------------------------------- when WeChat says no


def test_a_refusal_of_wechat_is_explained_and_can_be_tried_again(app, manager, sandbox):
    refuse_once(sandbox, 41030)

    failed = read(manager, make(manager).location)
    code = only_code(app)
    again = send(manager, f"{CODES}/retry/{code.id}")

    assert "does not find the landing page in the published version" in failed.text
    assert f"errcode 41030: {code.error_message} · rid {code.error_rid}" in failed.text
    assert f"{CODES}/add?appid={APPID}&instead_of={code.id}" in failed.links
    assert "Not made" in failed.text
    assert f"{CODES}/show/{code.id}" == again.location
    assert "ready" == only_code(app).state
    assert "There is no picture yet" not in read(manager, again.location).text


def test_a_code_that_was_not_made_can_be_corrected_under_its_name(app, manager, sandbox):
    refuse_once(sandbox, 41030)
    make(manager)
    failed = only_code(app)

    form = read(manager, f"{CODES}/add?appid={APPID}&instead_of={failed.id}").values
    made = make(manager, instead_of=str(failed.id), landing_page="pages/index/index")

    assert ("Poster at gate 1", str(failed.id)) == (form["name"], form["instead_of"])
    assert made.status_code == 302
    assert [("failed", True), ("ready", False)] == [
        (state, deleted is not None) for _, state, deleted in rows(app, Code.id, Code.state, Code.deleted_at)
    ]


def test_only_a_code_that_was_not_made_gives_its_name_away(app, manager):
    make(manager)
    code = only_code(app)

    assert make(manager, instead_of=str(code.id)).status_code == 404
    assert only_code(app).deleted_at is None


def test_an_answer_that_never_came_is_said_to_be_unknown(app, manager, sandbox):
    here = app.extensions[EXTENSION]
    impatient = WeChatClient(sandbox.url, read_seconds=0.3, total_seconds=5.0)
    app.extensions[EXTENSION] = dataclasses.replace(here, client=impatient)
    sandbox.faults.on(Switch("timeout", IMAGE_A, value=2.0))

    page = read(manager, make(manager).location)

    assert "unknown" == only_code(app).state
    assert "its answer did not arrive in time" in page.text
    assert 1 == rows(app, Authorizer.quota_used)[0][0]
