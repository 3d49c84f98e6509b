"""The code pages as the server renders them, WeChat being the sandbox over HTTP, on both databases."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import io
from typing import ClassVar

import pytest
from flask_appbuilder.models.sqla.filters import FilterEqual, FilterStartsWith
from PIL import Image
from sqlalchemy import select, update

from fab_minicode.code_list import ORDERS
from fab_minicode.kinds import KINDS
from fab_minicode.models import Authorizer, Code, CodeHistory, CodeImage
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.sandbox.faults import Switch
from fab_minicode.utm import byte_length
from fab_minicode.views.codes import MinicodeCodesView
from fab_minicode.wechat.client import WeChatClient
from tests import hosts
from tests.pages import CODES, FIELDS, Page, make, read, send

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


def rows(app, *columns):
    with hosts.database(app) as session:
        return session.execute(select(*columns).order_by(*columns[:1])).all()


def only_code(app):
    with hosts.database(app) as session:
        code = session.execute(select(Code)).scalar_one()
        session.expunge_all()
        return code


def change(app, **values):
    with hosts.database(app) as session:
        session.execute(update(Authorizer).where(Authorizer.appid == APPID).values(**values))
        session.commit()


# --------------------------------------------------------------------------------------------------- empty states


def test_without_a_mini_program_the_list_leads_those_who_may_to_connecting_one(client):
    page = read(hosts.login(client, "manager"), f"{CODES}/list/")
    viewer = read(hosts.login(client, "viewer"), f"{CODES}/list/")

    assert "No mini program yet" in page.text
    assert "/minicode/authorizers/connect" in page.links
    assert "No mini program yet" in viewer.text
    assert "/minicode/authorizers/connect" not in viewer.links


def test_without_a_code_the_list_leads_to_the_first(manager):
    page = read(manager, f"{CODES}/list/")

    assert "No code yet" in page.text
    assert f"{CODES}/add?appid={APPID}" in page.links


def test_a_search_without_result_offers_to_clear_it(manager):
    make(manager)

    page = read(manager, f"{CODES}/list/?q=nowhere")

    assert "Nothing found" in page.text
    assert f"{CODES}/list/?appid={APPID}" in page.links


def test_a_page_behind_the_last_leads_back(manager):
    make(manager)

    page = read(manager, f"{CODES}/list/?page=7")

    assert "The list is not that long" in page.text


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


# ----------------------------------------------------------------------------------------------------------- list


@pytest.fixture
def filled(app, manager):
    """Three codes of different days, kinds, sources and people."""
    for name, kind, source, campaign, creator, day in (
        ("Alpha", "wxacode", "poster", "autumn", "Wang Li", 1),
        ("Beta", "wxaqrcode", "海报", "双十一", "Chen Jun", 5),
        ("Gamma 100%", "wxacode_unlimited", "poster", "spring", "Wang Li", 9),
    ):
        make(manager, name=name, kind=kind, utm_source=source, utm_campaign=campaign, landing_page="pages/index/index")
        at = dt.datetime(2026, 10, day, 12, tzinfo=dt.timezone.utc)
        with hosts.database(app) as session:
            code = session.execute(select(Code).where(Code.name == name)).scalar_one()
            code.created_by = creator
            code.created_at = code.changed_at = at
            code.search_text = f"{name} {creator}".casefold()
            session.commit()
    return manager


def names(page):
    return [text for address, text in page.links.items() if address.startswith(f"{CODES}/show/")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Gamma 100%", "Beta", "Alpha"]),
        ("q=alp", ["Alpha"]),
        ("q=wang", ["Gamma 100%", "Alpha"]),
        ("q=100%25", ["Gamma 100%"]),
        ("kind=wxaqrcode", ["Beta"]),
        ("source=海报", ["Beta"]),
        ("campaign=spring", ["Gamma 100%"]),
        ("creator=Chen Jun", ["Beta"]),
        ("since=2026-10-05", ["Gamma 100%", "Beta"]),
        ("until=2026-10-05", ["Beta", "Alpha"]),
        ("since=2026-10-02&until=2026-10-08", ["Beta"]),
        ("source=poster&q=gam", ["Gamma 100%"]),
        ("order=name", ["Alpha", "Beta", "Gamma 100%"]),
        ("order=-name", ["Gamma 100%", "Beta", "Alpha"]),
        ("order=created_at", ["Alpha", "Beta", "Gamma 100%"]),
        ("page_size=10&page=0", ["Gamma 100%", "Beta", "Alpha"]),
    ],
)
def test_the_list_is_searched_filtered_and_sorted(filled, query, expected):
    assert expected == names(read(filled, f"{CODES}/list/?{query}"))


@pytest.mark.parametrize("order", sorted(ORDERS))
def test_every_order_has_a_direction_that_can_be_turned(filled, order):
    page = read(filled, f"{CODES}/list/?order={order}")

    assert ["ascending"] == [tag["aria-sort"] for tag in page.of("th") if tag.get("aria-sort")]
    assert f"{CODES}/list/?appid={APPID}&order=-{order}" in page.links


def test_pages_of_a_long_list_lead_to_each_other_and_keep_what_was_asked(app, manager):
    make(manager, name="first")
    with hosts.database(app) as session:
        model = session.execute(select(Code)).scalar_one()
        columns = {column.name: getattr(model, column.name) for column in Code.__table__.columns if column.name != "id"}
        session.add_all(Code(**{**columns, "name": f"copy {n:02}", "short_key": f"copy{n:04}"}) for n in range(24))
        session.commit()

    one = read(manager, f"{CODES}/list/?page_size=10&source=poster")
    last = read(manager, f"{CODES}/list/?page_size=10&source=poster&page=2")

    assert "1–10 of 25" in one.text
    assert f"{CODES}/list/?appid={APPID}&source=poster&page_size=10&page=1" in one.links
    assert "21–25 of 25" in last.text
    assert f"{CODES}/list/?appid={APPID}&source=poster&page_size=10&page=1" in last.links


@pytest.mark.parametrize(
    "query",
    [
        "page=abc", "page=-1", "page=99999999999999999999999", "page_size=0", "page_size=1e9", "order=sealed_secret",
        "order=-", "order=;drop", "kind=%00", "since=2026-13-99", "until=9999-12-31", "since=0001-01-01", "q=%ff%fe",
        "q=%00", "q=" + "x" * 5000, "creator=%ED%A0%80", "_flt_0_name=a", "_oc_MinicodeCodesView=nothing&_od_x=1",
        "page_MinicodeCodesView=abc", "psize_MinicodeCodesView=-5", "q='%22--", "source=&campaign=&q=",
    ],
)  # fmt: skip
def test_odd_addresses_show_the_list_all_the_same(manager, query):
    assert 200 == manager.get(f"{CODES}/list/?{query}").status_code


def test_an_unknown_mini_program_is_not_replaced_by_another(manager):
    assert 404 == manager.get(f"{CODES}/list/?appid=wxffffffffffffffff").status_code


def test_the_mini_program_looked_at_last_is_kept(app, manager):
    other = hosts.connect(app, SAMPLE_APPS[1])

    read(manager, f"{CODES}/list/?appid={other}")
    page = read(manager, f"{CODES}/add")

    assert other == page.values["appid"]


# ------------------------------------------------------------------------------------------------------- pictures


def test_a_download_is_the_stored_picture_under_the_name_of_the_code(app, manager):
    make(manager, name="双十一 A/B: 50%")
    code = only_code(app)
    content, sha256, mime = rows(app, CodeImage.content, CodeImage.sha256, CodeImage.mime)[0]

    answer = manager.get(f"{CODES}/image/{code.id}")

    assert content == answer.data
    assert sha256 == hashlib.sha256(answer.data).hexdigest()
    assert mime == answer.mimetype
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "filename*=UTF-8''%E5%8F%8C%E5%8D%81%E4%B8%80%20A_B_%2050%25.jpg" in answer.headers["Content-Disposition"]
    assert "private, no-cache" == answer.headers["Cache-Control"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]


def test_a_transparent_code_is_downloaded_as_png(app, manager):
    make(manager, is_hyaline="y")

    answer = manager.get(f"{CODES}/image/{only_code(app).id}")

    assert "image/png" == answer.mimetype
    assert ".png" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(("query", "edge_px"), [("", 96), ("?size=large", 430), ("?size=huge", 96)])
def test_thumbnails_are_small_private_and_sent_once(app, manager, query, edge_px):
    make(manager)
    address = f"{CODES}/thumbnail/{only_code(app).id}{query}"

    answer = hosts.login(manager, "viewer").get(address)
    again = manager.get(address, headers={"If-None-Match": answer.headers["ETag"]})

    assert (edge_px, edge_px) == Image.open(io.BytesIO(answer.data)).size
    assert "private, no-cache" == answer.headers["Cache-Control"]
    assert "Content-Disposition" not in answer.headers or "inline" in answer.headers["Content-Disposition"]
    assert 304 == again.status_code


def test_a_code_without_picture_has_none_to_show(app, manager, sandbox):
    refuse_once(sandbox, 41030)
    make(manager)
    code = only_code(app)

    assert 404 == manager.get(f"{CODES}/image/{code.id}").status_code
    assert 404 == manager.get(f"{CODES}/thumbnail/{code.id}").status_code
    assert f"{CODES}/thumbnail/" not in manager.get(f"{CODES}/list/").get_data(as_text=True)


# ------------------------------------------------------------------------------------------------- rename, delete


def test_renaming_changes_the_name_and_nothing_else(app, manager):
    make(manager)
    before = only_code(app)

    answer = send(manager, f"{CODES}/edit/{before.id}", name="Gate 2", kind="wxaqrcode", utm_source="x", state="failed")
    after = only_code(app)
    page = read(manager, answer.location)

    assert "Gate 2" == after.name
    unchanged = ("kind", "state", "path", "landing_page", "utm_source", "options", "created_at", "short_key")
    assert [getattr(before, name) for name in unchanged] == [getattr(after, name) for name in unchanged]
    assert "Poster at gate 1 → Gate 2" in page.text
    assert "The code is now called “Gate 2”." in page.text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("", "Give the code a name."), ("x" * 51, "51 characters"), ("taken", "already called “taken”")],
)
def test_a_refused_name_is_explained_and_kept(app, manager, name, sentence):
    make(manager)
    code = only_code(app)
    make(manager, name="taken")

    page = Page(send(manager, f"{CODES}/edit/{code.id}", name=name).get_data(as_text=True))

    assert sentence in page.text
    assert name == page.values["name"]
    assert {"Poster at gate 1", "taken"} == {found for (found,) in rows(app, Code.name)}


def test_deleting_asks_first_and_says_that_the_print_lives_on(app, manager):
    make(manager)
    code = only_code(app)

    page = read(manager, f"{CODES}/ask_delete/{code.id}")

    assert "The printed code keeps working, and the data it brought and still brings stay." in page.text
    assert f"{CODES}/delete/{code.id}" in {tag.get("action") for tag in page.of("form")}
    assert only_code(app).deleted_at is None


def test_a_deleted_code_is_gone_from_the_pages_but_not_from_the_database(app, manager):
    make(manager)
    code = only_code(app)

    answer = send(manager, f"{CODES}/delete/{code.id}")
    gone = {
        route: manager.get(f"{CODES}/{route}/{code.id}").status_code
        for route in ("image", "thumbnail", "edit", "ask_delete")
    }

    assert "was deleted. Its print keeps working" in read(manager, answer.location).text
    assert {404} == set(gone.values())
    assert 404 == send(manager, f"{CODES}/delete/{code.id}").status_code
    assert "Manager Test" == only_code(app).deleted_by
    assert ["created", "generated", "deleted"] == [
        action for _, action in rows(app, CodeHistory.id, CodeHistory.action)
    ]


@pytest.mark.parametrize("is_ready", [True, False])
def test_the_page_of_a_deleted_code_tells_who_deleted_it_and_offers_nothing(app, manager, sandbox, is_ready):
    if not is_ready:
        refuse_once(sandbox, 41030)
    make(manager)
    code = only_code(app)
    send(manager, f"{CODES}/delete/{code.id}")
    read(manager, f"{CODES}/list/")

    page = read(manager, f"{CODES}/show/{code.id}")
    ours = [link for link in page.links if link.startswith(f"{CODES}/")]

    assert "Manager Test deleted this code." in page.text
    assert "Code deleted" in page.text
    assert "Deleted" in page.text
    assert [f"{CODES}/list/?appid={APPID}"] == [link for link in ours if link != f"{CODES}/list/"]
    assert not [tag for tag in page.of("img") if f"{CODES}/" in (tag.get("src") or "")]
    assert not [tag for tag in page.of("form") if f"{CODES}/" in (tag.get("action") or "")]
    assert not [tag for tag in page.of("button") if "mc-button" in (tag.get("class") or "")]
    assert 200 == hosts.login(manager, "viewer").get(f"{CODES}/show/{code.id}").status_code
    assert hosts.DENIED == hosts.login(manager, "nobody").get(f"{CODES}/show/{code.id}").status_code


@pytest.mark.parametrize("route", ["delete", "retry"])
def test_what_changes_something_takes_post_with_a_token_only(app, manager, route):
    make(manager)
    code = only_code(app)

    assert 405 == manager.get(f"{CODES}/{route}/{code.id}").status_code
    assert 400 == manager.post(f"{CODES}/{route}/{code.id}").status_code
    assert only_code(app).deleted_at is None


def test_tokens_are_asked_for_on_a_host_without_csrf_protection_too(app, manager):
    make(manager)
    code = only_code(app)
    del app.extensions["csrf"]
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False

    refused = Page(manager.post(f"{CODES}/add", data=FIELDS | {"name": "forged"}).get_data(as_text=True))

    assert 400 == manager.post(f"{CODES}/delete/{code.id}").status_code
    assert "This page was open for too long" in refused.text
    assert "forged" == refused.values["name"]
    assert 1 == len(rows(app, Code.id))


# ------------------------------------------------------------------------------------------------------ who may


BUTTONS = {
    "viewer": set(),
    "creator": {"add", "image"},
    "manager": {"add", "image", "edit", "ask_delete"},
}


@pytest.mark.parametrize("user", sorted(BUTTONS))
def test_people_see_the_buttons_they_may_use(app, manager, user):
    make(manager)
    code = only_code(app)
    browser = hosts.login(manager, user)

    for address in (f"{CODES}/list/", f"{CODES}/show/{code.id}"):
        links = {link.split("?")[0].rsplit(f"/{code.id}")[0] for link in read(browser, address).links}
        offered = {link.removeprefix(f"{CODES}/") for link in links if link.startswith(f"{CODES}/")}

        assert BUTTONS[user] == offered - {"list/", "show", "ghosts/"}


ALLOWED = {
    "list/": {"viewer", "creator", "manager"},
    "show/{id}": {"viewer", "creator", "manager"},
    "thumbnail/{id}": {"viewer", "creator", "manager"},
    "image/{id}": {"creator", "manager"},
    "add": {"creator", "manager"},
    "edit/{id}": {"manager"},
    "ask_delete/{id}": {"manager"},
}


@pytest.mark.parametrize("route", sorted(ALLOWED))
def test_every_page_is_open_to_those_it_is_for(app, manager, route):
    make(manager)
    address = f"{CODES}/{route.format(id=only_code(app).id)}"

    for user in ("viewer", "creator", "manager", "nobody"):
        expected = 200 if user in ALLOWED[route] else hosts.DENIED

        assert expected == hosts.login(manager, user).get(address).status_code, user
    assert "/login/" in app.test_client().get(address).location


@pytest.mark.parametrize(("route", "allowed"), [("delete", {"manager"}), ("retry", {"creator", "manager"})])
def test_what_is_sent_is_taken_from_those_who_may(app, manager, route, allowed):
    make(manager)
    address = f"{CODES}/{route}/{only_code(app).id}"

    for user in ("nobody", "viewer", "creator"):
        expected = 302 if user in allowed else hosts.DENIED

        assert expected == send(hosts.login(manager, user), address).status_code, user


@pytest.mark.parametrize("pk", ["0", "999", "9" * 23, "-1", "1.5", "abc", "%00", "１", "1%27", "01" * 8])
@pytest.mark.parametrize("route", ["show", "image", "thumbnail", "edit", "ask_delete"])
def test_odd_numbers_of_codes_are_not_found(manager, route, pk):
    assert 404 == manager.get(f"{CODES}/{route}/{pk}").status_code


@pytest.mark.parametrize(
    "route", ["action/delete/1", "action/nothing/1", "action_post", "download/x.png", "api", "api/read", "api/get/1"]
)
def test_routes_that_would_pass_by_the_checks_do_not_exist(manager, route):
    assert 404 == manager.get(f"{CODES}/{route}").status_code
    assert 404 == send(manager, f"{CODES}/{route}", action="delete", rowid="1").status_code


def test_the_short_address_leads_to_the_list(manager):
    assert f"{CODES}/list/" == manager.get("/minicode/").location


# ------------------------------------------------------------------------------------------------- how pages are


def every_page(client, code_id):
    for route in ("list/", "add", f"show/{code_id}", f"edit/{code_id}", f"ask_delete/{code_id}"):
        yield client.get(f"{CODES}/{route}")


def test_pages_have_no_inline_script_or_style_and_are_kept_by_nobody(app, manager):
    app.jinja_env.globals["csp_nonce"] = lambda: "n0nce"
    make(manager)

    for answer in every_page(manager, only_code(app).id):
        html = answer.get_data(as_text=True)
        ours = Page(html[html.index('<div class="minicode"') : html.index("<footer")])
        scripts = [tag for tag in Page(html).of("script") if tag.get("type") != "application/json"]

        assert not [tag for _, tag in ours.tags if "style" in tag or any(name.startswith("on") for name in tag)]
        assert not ours.of("style")
        assert all(tag.get("src") and tag.get("nonce") == "n0nce" for tag in scripts)
        assert all(tag["src"].startswith("/") for tag in scripts)
        assert "no-store" in answer.headers["Cache-Control"]
        assert "nosniff" == answer.headers["X-Content-Type-Options"]


def test_what_people_type_is_text_and_never_markup(app, manager):
    probe = '"><img src=x onerror=alert(1)>{{7*7}}</script>'
    make(manager, name=probe, utm_source=probe, utm_campaign=probe, remark=probe, landing_page="pages/a")

    for answer in every_page(manager, only_code(app).id):
        html = answer.get_data(as_text=True)

        assert "<img src=x" not in html
        assert "&lt;img src=x" in html or "add" in answer.request.path


def test_chinese_pages_are_chinese(app, manager):
    with manager.session_transaction() as session:
        session["locale"] = "zh"
    make(manager)

    answers = [Page(answer.get_data(as_text=True)) for answer in every_page(manager, only_code(app).id)]
    texts = [page.text for page in answers]

    assert all(any(tag.get("lang") == "zh-Hans" for tag in page.of("div")) for page in answers)
    expected = ("过去7天广告获客量", "生成小程序码", "操作记录", "只修改名称", "已印出的码仍可使用")
    assert [True] * 5 == [words in text for text, words in zip(texts, expected, strict=True)]


def test_relative_times_say_the_exact_one_on_hover(app, manager):
    make(manager)
    with hosts.database(app) as session:
        code = session.execute(select(Code)).scalar_one()
        code.created_at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone.utc)
        session.commit()

    shown = {tag["datetime"]: tag.get("title") for tag in read(manager, f"{CODES}/list/").of("time")}

    # Shown in the mini program's time zone, eight hours ahead.
    assert "11:04:05" in shown["2026-01-02T03:04:05+00:00"]


# ------------------------------------------------------------------------------------------------------- subclass


class PosterCodesView(MinicodeCodesView):
    """A host's own view: only posters, its own address."""

    route_base = "/posters"
    base_filters: ClassVar = [["utm_source", FilterStartsWith, "poster"]]


class FirstShopCodesView(MinicodeCodesView):
    """A host's own view: the codes of one mini program."""

    route_base = "/first"
    authorizer_filters: ClassVar = [["appid", FilterEqual, APPID]]


def test_a_host_can_subclass_the_view_and_its_filters_hold_for_every_row(app, client):
    with app.app_context():
        app.extensions["appbuilder"].add_view_no_menu(PosterCodesView)
    hosts.connect(app)
    manager = hosts.login(client, "manager")
    make(manager, name="mine", utm_source="poster")
    make(manager, name="theirs", utm_source="partner")
    (mine, _), (theirs, _) = rows(app, Code.id, Code.name)

    page = read(manager, "/posters/list/")

    assert {f"/posters/show/{mine}"} == {link for link in page.links if link.startswith("/posters/show/")}
    assert 200 == manager.get(f"/posters/show/{mine}").status_code
    for route in ("show", "image", "thumbnail", "edit", "ask_delete"):
        assert 404 == manager.get(f"/posters/{route}/{theirs}").status_code
    assert 404 == send(manager, f"/posters/delete/{theirs}").status_code


def test_what_hidden_codes_used_before_is_not_suggested(app, client):
    with app.app_context():
        app.extensions["appbuilder"].add_view_no_menu(PosterCodesView)
    hosts.connect(app)
    manager = hosts.login(client, "manager")
    make(manager, name="mine", utm_source="poster", utm_campaign="ours-2026")
    make(manager, name="theirs", utm_source="partner", utm_campaign="secret-2026")

    for route in ("list/", "add"):
        html = manager.get(f"/posters/{route}").get_data(as_text=True)

        assert "ours-2026" in html
        assert "secret-2026" not in html


def test_a_hosts_view_of_one_mini_program_knows_no_other(app, client):
    with app.app_context():
        app.extensions["appbuilder"].add_view_no_menu(FirstShopCodesView)
    hosts.connect(app)
    other = hosts.connect(app, SAMPLE_APPS[1])
    manager = hosts.login(client, "manager")
    make(manager, name="mine", appid=APPID)
    make(manager, name="theirs", appid=other)
    (mine, _), (theirs, _) = rows(app, Code.id, Code.name)

    for route in ("list/", "add", f"show/{mine}"):
        html = manager.get(f"/first/{route}").get_data(as_text=True)

        assert APPID in html
        assert other not in html
        assert SAMPLE_APPS[1].nick_name not in html
    for route in (f"list/?appid={other}", f"add?appid={other}", f"show/{theirs}", f"image/{theirs}", f"edit/{theirs}"):
        assert 404 == manager.get(f"/first/{route}").status_code, route


def test_who_may_not_read_numbers_sees_the_codes_without_them(app, manager):
    make(manager)
    with app.app_context():
        security = app.extensions["appbuilder"].sm
        role = security.find_role("Minicode Viewer")
        security.del_permission_role(role, security.find_permission_view_menu("can_read", "MinicodeAcquisition"))
    browser = hosts.login(manager, "viewer")

    pages = [read(browser, f"{CODES}/list/"), read(browser, f"{CODES}/show/{only_code(app).id}")]

    assert not [page for page in pages if "7 days" in page.text or "last 7" in page.text]
