"""The code pages: who may do what, how they are written, and what a host makes of them."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

import pytest
from flask_appbuilder.models.sqla.filters import FilterEqual, FilterStartsWith
from sqlalchemy import select

from fab_minicode.models import Code
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.views.codes import MinicodeCodesView
from tests import hosts
from tests.pages import CODES, Page, make, only_code, read, rows, send

APPID = SAMPLE_APPS[0].appid


@pytest.fixture
def manager(app, client):
    """A manager's browser; the first mini program of the sandbox is connected."""
    hosts.connect(app)
    return hosts.login(client, "manager")


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
