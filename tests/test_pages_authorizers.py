"""The pages of mini programs, WeChat being the sandbox over HTTP, on both databases."""

from __future__ import annotations

import json
from typing import ClassVar

import pytest
from flask_appbuilder.models.sqla.filters import FilterEqual
from sqlalchemy import select, update

from fab_minicode.errors import ComponentRejected, SecretRejected, WeChatError
from fab_minicode.models import Authorizer, Token
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.sandbox.faults import Switch
from fab_minicode.views.authorizers import MinicodeAuthorizersView
from tests import hosts
from tests.pages import AUTHORIZERS, CODES, Page, read, send

PROGRAM = SAMPLE_APPS[0]
TYPED = {"appid": PROGRAM.appid, "secret": PROGRAM.secret, "nick_name": "山间咖啡"}
TOKEN = "/cgi-bin/stable_token"


@pytest.fixture
def manager(app, client):
    """A manager's browser; no mini program is connected yet."""
    return hosts.login(client, "manager")


def connect(client, **changed):
    return send(client, f"{AUTHORIZERS}/connect", **{**TYPED, **changed})


def programs(app):
    with hosts.database(app) as session:
        found = session.execute(select(Authorizer).order_by(Authorizer.id)).scalars().all()
        session.expunge_all()
        return found


# -------------------------------------------------------------------------------------------------------- connect


def test_appid_and_secret_connect_a_mini_program_and_show_what_comes_next(app, manager):
    answer = connect(manager)
    one = programs(app)[0]
    page = read(manager, answer.location)

    assert answer.status_code == 302
    assert f"{AUTHORIZERS}/show/{one.id}" == answer.location
    assert ("authorized", "secret", "山间咖啡") == (one.status, one.credential, one.nick_name)
    assert "Manager Test" == one.created_by
    assert "“山间咖啡” is connected." in page.text
    assert f"{CODES}/add?appid={PROGRAM.appid}" in page.links
    assert one.collect_key in page.text


def test_the_secret_stands_in_no_page(app, manager):
    refused = connect(manager, appid="wx0000000000000000")
    connect(manager)
    one = programs(app)[0]

    routes = ("list/", f"show/{one.id}", "connect", f"revoke/{one.id}", f"connect?appid={PROGRAM.appid}")
    answers = [refused, *(manager.get(f"{AUTHORIZERS}/{route}") for route in routes)]
    pages = [answer.get_data(as_text=True) for answer in answers]

    assert not [html for html in pages if PROGRAM.secret in html or one.sealed_secret in html]
    assert PROGRAM.secret not in one.sealed_secret


def test_a_wrong_secret_is_explained_beside_its_field_and_nothing_is_kept(app, manager):
    page = Page(connect(manager, secret="0" * 32).get_data(as_text=True))

    assert "AppID and AppSecret do not belong together" in page.text
    assert "errcode 40125" in page.text
    assert {"secret"} == {tag["name"] for tag in page.of("input") if tag.get("aria-invalid") == "true"}
    assert (PROGRAM.appid, "山间咖啡", "") == tuple(page.values[name] for name in ("appid", "nick_name", "secret"))
    assert [] == programs(app)


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("appid", "", "Enter the mini program's AppID."),
        ("appid", "gh_123", "An AppID begins with wx"),
        ("appid", "wx\x00", "An AppID begins with wx"),
        ("secret", "", "Enter the mini program's AppSecret."),
        ("secret", "a b", "An AppSecret has no spaces"),
        ("secret", "密" * 3, "An AppSecret has no spaces"),
        ("secret", "a" * 500, "This is 500 characters long; 128 are possible."),
        ("nick_name", "n" * 129, "This is 129 characters long; 128 are possible."),
        ("nick_name", "a\x00b", "invisible control character"),
    ],
)
def test_bad_values_are_refused_in_words(app, manager, field, value, sentence):
    answer = connect(manager, **{field: value})

    assert answer.status_code == 200
    assert sentence in Page(answer.get_data(as_text=True)).text
    assert [] == programs(app)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (("errcode", 40164), "does not know the network address of this server"),
        (("errcode", 45011), "asked too often within one minute"),
        (("html", 502), "could not be reached"),
    ],
    ids=["address", "too often", "down"],
)
def test_other_answers_of_wechat_are_explained_with_what_to_do(app, manager, sandbox, fault, sentence):
    name, value = fault
    sandbox.faults.on(Switch(name, TOKEN, times=9, value=value))

    page = Page(connect(manager).get_data(as_text=True))

    assert sentence in page.text
    assert PROGRAM.appid == page.values["appid"]
    assert [] == programs(app)


def test_connecting_again_keeps_keys_and_quota(app, manager):
    connect(manager)
    before = programs(app)[0]

    connect(manager, nick_name="")
    after = programs(app)[0]

    assert 1 == len(programs(app))
    assert (before.collect_key, before.nick_name, before.id) == (after.collect_key, after.nick_name, after.id)


# ----------------------------------------------------------------------------------------------------------- list


@pytest.mark.parametrize(
    ("error", "sentence", "small"),
    [
        (
            SecretRejected(40125, "invalid appsecret", rid="8b59-7c", endpoint=TOKEN),
            "Copy the AppSecret from mp.weixin.qq.com and connect the mini program again.",
            "errcode 40125: invalid appsecret · rid 8b59-7c",
        ),
        (
            ComponentRejected(40125, "invalid appsecret", endpoint="/cgi-bin/component/api_component_token"),
            "WeChat does not know our third-party platform",
            "errcode 40125: invalid appsecret",
        ),
        (WeChatError(987_654, "", rid="r"), "a reason that is not known here", "errcode 987654 · rid r"),
        ("something else", "a reason that is not known here", "something else"),
    ],
    ids=["secret", "platform", "unknown", "no error of WeChat's"],
)
def test_the_last_error_of_a_mini_program_is_said_in_words(app, manager, error, sentence, small):
    connect(manager)
    with hosts.database(app) as session:
        session.execute(update(Authorizer).values(last_error=str(error)))
        session.commit()

    for route in ("list/", f"show/{programs(app)[0].id}"):
        page = read(manager, f"{AUTHORIZERS}/{route}")

        assert sentence in page.text
        assert small in page.text
        assert "WeChat /cgi-bin" not in page.text


def test_without_any_the_list_leads_those_who_may_to_connecting_one(manager):
    page = read(manager, f"{AUTHORIZERS}/list/")
    viewer = read(hosts.login(manager, "viewer"), f"{AUTHORIZERS}/list/")

    assert "No mini program yet" in page.text
    assert f"{AUTHORIZERS}/connect" in page.links
    assert f"{AUTHORIZERS}/connect" not in viewer.links


def test_the_list_shows_state_quota_and_what_trackers_must_be_told(app, manager):
    connect(manager)
    one = programs(app)[0]
    with hosts.database(app) as session:
        session.execute(update(Authorizer).values(quota_used=96_001))
        session.commit()

    page = read(manager, f"{AUTHORIZERS}/list/")

    assert "Authorised" in page.text
    assert "96,001 of 100,000" in page.text
    assert "Almost used up." in page.text
    assert f"gdp('init', '{one.collect_key}'" in page.text
    assert "serverUrl: 'http://localhost/minicode/collect/growingio'" in page.text
    assert f"server_url: 'http://localhost/minicode/collect/sensors?project={one.collect_key}'" in page.text
    assert "Phones send to HTTPS addresses only" in page.text


def test_the_sample_event_can_be_sent_as_it_stands(app, manager):
    connect(manager)
    one = programs(app)[0]
    text = read(manager, f"{AUTHORIZERS}/show/{one.id}").text
    body = text[text.index("-d '") + 4 :].partition("'")[0]

    answer = app.test_client().post(f"/minicode/collect/v1/{one.collect_key}", json=json.loads(body))

    assert 202 == answer.status_code
    assert (1, []) == (answer.get_json()["accepted"], answer.get_json()["rejected"])


def test_the_public_address_stands_in_what_trackers_are_told(tmp_path, sandbox):
    url = hosts.copy_of_template("sqlite", tmp_path)
    app = hosts.make_host(
        url, FAB_MINICODE_WECHAT_API_URL=sandbox.url, FAB_MINICODE_PUBLIC_URL="https://bi.example.com/tools/"
    )
    hosts.connect(app)

    page = read(hosts.login(app.test_client(), "manager"), f"{AUTHORIZERS}/list/")
    hosts.close(app)

    assert "'https://bi.example.com/tools/minicode/collect/growingio'" in page.text
    assert "Phones send to HTTPS addresses only" not in page.text


# --------------------------------------------------------------------------------------------------------- revoke


def test_revoking_wants_the_appid_typed(app, manager):
    connect(manager)
    one = programs(app)[0]

    page = Page(send(manager, f"{AUTHORIZERS}/revoke/{one.id}", confirmation="wx").get_data(as_text=True))

    assert f"Type {PROGRAM.appid} exactly as it stands above." in page.text
    assert "authorized" == programs(app)[0].status


def test_revoking_forgets_the_secret_and_keeps_the_rest(app, manager):
    connect(manager)
    one = programs(app)[0]

    answer = send(manager, f"{AUTHORIZERS}/revoke/{one.id}", confirmation=f" {PROGRAM.appid} ")
    page = read(manager, answer.location)
    after = programs(app)[0]

    assert ("revoked", None, one.collect_key) == (after.status, after.sealed_secret, after.collect_key)
    assert "Revoked" in page.text
    assert f"{AUTHORIZERS}/connect?appid={PROGRAM.appid}" in page.links
    with hosts.database(app) as session:
        assert [] == session.execute(select(Token)).all()


# --------------------------------------------------------------------------------------------------------- who may


ALLOWED = {
    "list/": {"viewer", "creator", "manager"},
    "show/{id}": {"viewer", "creator", "manager"},
    "connect": {"manager"},
    "revoke/{id}": {"manager"},
}


@pytest.mark.parametrize("route", sorted(ALLOWED))
def test_every_page_is_open_to_those_it_is_for(app, manager, route):
    connect(manager)
    address = f"{AUTHORIZERS}/{route.format(id=programs(app)[0].id)}"

    for user in ("viewer", "creator", "manager", "nobody"):
        expected = 200 if user in ALLOWED[route] else hosts.DENIED

        assert expected == hosts.login(manager, user).get(address).status_code, user
    assert "/login/" in app.test_client().get(address).location


@pytest.mark.parametrize("user", ["viewer", "creator"])
def test_who_may_not_connect_or_revoke_sees_no_button_and_is_refused(app, manager, user):
    connect(manager)
    one = programs(app)[0]
    browser = hosts.login(manager, user)

    pages = [read(browser, f"{AUTHORIZERS}/{route}") for route in ("list/", f"show/{one.id}")]
    links = " ".join(link for page in pages for link in page.links)

    assert "/connect" not in links
    assert "/revoke" not in links
    assert hosts.DENIED == connect(browser).status_code
    assert hosts.DENIED == send(browser, f"{AUTHORIZERS}/revoke/{one.id}", confirmation=PROGRAM.appid).status_code


def test_forms_without_token_change_nothing(app, manager):
    connect(manager)
    one = programs(app)[0]

    answer = manager.post(f"{AUTHORIZERS}/revoke/{one.id}", data={"confirmation": PROGRAM.appid})

    assert 400 == answer.status_code
    assert "authorized" == programs(app)[0].status


@pytest.mark.parametrize("route", ["show", "revoke"])
@pytest.mark.parametrize("pk", ["0", "999", "9" * 23, "-1", "abc", "%00"])
def test_odd_numbers_are_not_found(manager, route, pk):
    assert 404 == manager.get(f"{AUTHORIZERS}/{route}/{pk}").status_code


@pytest.mark.parametrize("route", ["add", "edit/1", "delete/1", "action/x/1", "action_post", "download/x"])
def test_stock_routes_do_not_exist(manager, route):
    assert 404 == manager.get(f"{AUTHORIZERS}/{route}").status_code
    assert 404 == send(manager, f"{AUTHORIZERS}/{route}").status_code


@pytest.mark.parametrize("query", ["_flt_0_sealed_secret=f1", "_oc_MinicodeAuthorizersView=sealed_secret&_od_x=asc"])
def test_no_address_filters_or_sorts_by_a_secret(app, manager, query):
    connect(manager)

    assert PROGRAM.appid in read(manager, f"{AUTHORIZERS}/list/?{query}").text


def test_chinese_pages_are_chinese(app, manager):
    with manager.session_transaction() as session:
        session["locale"] = "zh"
    connect(manager)
    one = programs(app)[0]

    texts = [read(manager, f"{AUTHORIZERS}/{route}").text for route in ("list/", f"show/{one.id}", f"revoke/{one.id}")]

    assert all("已授权" in text for text in texts[:2])
    assert "取消“山间咖啡”的授权？" in texts[2]


class OneShopView(MinicodeAuthorizersView):
    """A host's own view: one mini program, its own address."""

    route_base = "/one"
    base_filters: ClassVar = [["appid", FilterEqual, PROGRAM.appid]]


def test_row_filters_of_a_hosts_view_hide_name_and_keys_of_every_other(app, manager):
    with app.app_context():
        app.extensions["appbuilder"].add_view_no_menu(OneShopView)
    for program in SAMPLE_APPS[:2]:
        hosts.connect(app, program)
    shown, hidden = programs(app)

    html = manager.get("/one/list/").get_data(as_text=True)

    assert shown.collect_key in html
    assert not [one for one in (hidden.appid, hidden.nick_name, hidden.collect_key) if one in html]
    assert 200 == manager.get(f"/one/show/{shown.id}").status_code
    assert 404 == manager.get(f"/one/show/{hidden.id}").status_code


def test_the_request_domain_has_no_path_and_the_trackers_addresses_have_it(tmp_path, sandbox):
    app = hosts.make_host(
        hosts.copy_of_template("sqlite", tmp_path),
        FAB_MINICODE_WECHAT_API_URL=sandbox.url,
        FAB_MINICODE_PUBLIC_URL="https://airflow.example.com/pluginsv2",
    )
    hosts.connect(app)
    page = read(hosts.login(app.test_client(), "manager"), f"{AUTHORIZERS}/list/")
    hosts.close(app)

    assert "Request domain to add at mp.weixin.qq.com: https://airflow.example.com " in page.text
    assert "https://airflow.example.com/pluginsv2/minicode/collect/growingio" in page.text
