"""The manager on hosts of several kinds: what it registers, what it refuses, what it says on every answer."""

import logging
import pathlib
import re

import pytest
from flask import session
from flask_appbuilder.security.sqla.manager import SecurityManager
from flask_babel import gettext

from fab_minicode import permissions, words
from fab_minicode.errors import ConfigurationError
from fab_minicode.vault import Secret
from tests import hosts

PACKAGE = pathlib.Path(words.__file__).parent
TEMPLATES = PACKAGE / "templates"
MANAGER = "fab_minicode.manager.MinicodeManager"
REST = "/api/v1/minicode/codes/"
COMPONENT = {
    "FAB_MINICODE_COMPONENT_APPID": "wxcomponent",
    "FAB_MINICODE_COMPONENT_APPSECRET": "component secret",
    "FAB_MINICODE_COMPONENT_TOKEN": "component token",
    "FAB_MINICODE_COMPONENT_ENCODING_AES_KEYS": ["a" * 43],
}


@pytest.fixture
def host(tmp_path):
    """Make hosts of the test's own on SQLite: ``host(FAB_MINICODE_...=...)``."""
    made = []

    def make(**config):
        made.append(hosts.make_host(hosts.copy_of_template("sqlite", tmp_path), **config))
        return made[-1]

    yield make
    for app in made:
        hosts.close(app)


def test_the_manager_is_registered(app):
    assert [MANAGER] == list(app.extensions["appbuilder"].addon_managers)


# --------------------------------------------------------------------------------------------------- permissions


def test_the_documented_permissions_stand_in_the_role_tables_and_no_others(app):
    with app.app_context():
        security = app.extensions["appbuilder"].sm
        stored = {
            name: {row.permission.name for row in security.find_permissions_view_menu(security.find_view_menu(name))}
            for name, _ in permissions.VIEW_MENUS
        }
        admin = {(row.permission.name, row.view_menu.name) for row in security.find_role("Admin").permissions}

    assert {name: set(granted) for name, granted in permissions.VIEW_MENUS} == stored
    assert {(one, name) for name, granted in permissions.VIEW_MENUS for one in granted} <= admin


def test_views_that_share_a_view_menu_carry_the_same_permissions(app):
    expected = dict(permissions.VIEW_MENUS)
    views = [view for view in app.extensions["appbuilder"].baseviews if view.class_permission_name in expected]

    assert {name for name, _ in permissions.VIEW_MENUS} == {view.class_permission_name for view in views}
    for view in views:
        assert set(expected[view.class_permission_name]) == set(view.base_permissions), view


def test_every_guarded_method_maps_to_a_permission_of_its_view_menu(app):
    expected = dict(permissions.VIEW_MENUS)
    for view in app.extensions["appbuilder"].baseviews:
        if view.class_permission_name not in expected:
            continue
        for rule in app.url_map.iter_rules():
            name, _, method = rule.endpoint.rpartition(".")
            if name == view.endpoint:
                permission = view.method_permission_name[method]

                assert f"can_{permission}" in expected[view.class_permission_name], rule.endpoint


def test_the_menu_has_our_entries_in_one_category(app):
    with app.app_context():
        menu = app.extensions["appbuilder"].menu
        (category,) = [item for item in menu.get_list() if item.name == "Mini program codes"]

    assert {name for name, _ in permissions.MENUS} == {item.name for item in category.childs}
    assert {name for name, _ in permissions.MENUS} == {item.name for item in category.childs}
    assert not {item.name for item in [category, *category.childs]} & {name for name, _ in permissions.VIEW_MENUS}


def test_the_category_can_be_renamed(host):
    app = host(FAB_MINICODE_MENU_CATEGORY="获客分析")
    names = [item.name for item in app.extensions["appbuilder"].menu.get_list()]

    assert "获客分析" in names
    assert "Mini program codes" not in names


# ------------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    "config",
    [
        {"FAB_MINICODE_TIMEZON": "UTC"},
        {"FAB_MINICODE_TIMEZONE": "Mars/Olympus"},
        {"FAB_MINICODE_SECRET_KEYS": ["short"]},
        {"FAB_MINICODE_MENU_CATEGORY": "MinicodeCodes"},
        {"FAB_MINICODE_SECRET_KEYS": [], **COMPONENT},
        {"FAB_MINICODE_COMPONENT_APPID": "wxcomponent"},
    ],
)
def test_a_bad_setting_stops_the_host(host, config):
    with pytest.raises(ConfigurationError):
        host(**config)


def test_without_keys_a_development_key_is_derived_and_said_loudly(host, caplog):
    with caplog.at_level(logging.WARNING, logger="fab_minicode"):
        first, second = host(FAB_MINICODE_SECRET_KEYS=[]), host(FAB_MINICODE_SECRET_KEYS=None)
    other = host(FAB_MINICODE_SECRET_KEYS=[], SECRET_KEY="another secret key of at least 32 bytes")
    sealed = first.extensions["fab_minicode"].vault.seal(Secret("s"), "place")

    assert any("FAB_MINICODE_SECRET_KEYS is empty" in record.getMessage() for record in caplog.records)
    assert not any(first.config["SECRET_KEY"] in record.getMessage() for record in caplog.records)
    assert "s" == second.extensions["fab_minicode"].vault.open(sealed, "place").reveal()
    with pytest.raises(Exception, match="no configured key"):
        other.extensions["fab_minicode"].vault.open(sealed, "place")


# --------------------------------------------------------------------------------------------- other hosts' habits


class SupersetsManager(SecurityManager):
    """Like Superset's: what is not on this list is granted to Alpha and Gamma."""

    ADMIN_ONLY_VIEW_MENUS = {"Access Requests"}  # noqa: RUF012 - as Superset writes it


class AirflowsManager(SecurityManager):
    """Like Airflow's: it lacks what Flask-AppBuilder's ``@protect`` asks."""

    @property
    def is_item_public(self):
        raise AttributeError("is_item_public")


def test_superset_is_told_that_our_view_menus_are_not_for_everybody(host):
    app = host(FAB_SECURITY_MANAGER_CLASS=f"{__name__}.SupersetsManager")

    closed = app.extensions["appbuilder"].sm.ADMIN_ONLY_VIEW_MENUS

    assert {"Access Requests", "Mini program codes", *dict(permissions.VIEW_MENUS), *dict(permissions.MENUS)} == closed


def test_rest_is_left_out_where_the_host_cannot_protect_it(host):
    app = host(FAB_SECURITY_MANAGER_CLASS=f"{__name__}.AirflowsManager")
    rules = {rule.rule for rule in app.url_map.iter_rules()}

    assert [MANAGER] == list(app.extensions["appbuilder"].addon_managers)
    assert not any(rule.startswith("/api/v1/minicode") for rule in rules)
    assert "/minicode/codes/list/" in rules


@pytest.mark.parametrize("csrf", ["before", "after", "none"])
def test_csrf_protection_may_come_before_or_after_or_not_at_all(host, sandbox, csrf):
    app = host(csrf=csrf, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
    appid = hosts.connect(app)
    body = {"appid": appid, "name": "one", "landing_page": "pages/a", "kind": "wxacode", "utm_source": "s"}
    client = app.test_client()
    collected = client.post("/minicode/collect/v1/unknown", json={"events": []})
    by_token = client.post(REST, json=body, headers=hosts.bearer(client, "creator"))
    hosts.login(client, "creator")
    foreign = client.post(REST, json={**body, "name": "two"})
    client.post("/minicode/codes/add", data={**body, "name": "foreign form"})
    token = hosts.csrf_token(client)
    own = client.post(REST, json={**body, "name": "two"}, headers={"X-CSRFToken": token})

    assert 403 == collected.status_code
    assert 201 == by_token.status_code
    assert (400, "csrf") == (foreign.status_code, foreign.get_json()["error"]["code"])
    assert 201 == own.status_code
    assert ["two", "one"] == [code["name"] for code in client.get(REST).get_json()["result"]]


def test_tokens_over_https_need_our_own_address_as_referrer(host):
    client = hosts.login(host().test_client(), "creator")
    headers = {"X-CSRFToken": hosts.csrf_token(client)}
    https = {"base_url": "https://localhost"}
    with client.session_transaction(**https) as kept, client.session_transaction() as known:
        kept.update(known)
    foreign = client.post(REST, json={}, headers={**headers, "Referer": "https://evil.example/"}, **https)
    own = client.post(REST, json={}, headers={**headers, "Referer": "https://localhost/"}, **https)

    assert "csrf" == foreign.get_json()["error"]["code"]
    assert "kind" == own.get_json()["error"]["field"]


# -------------------------------------------------------------------------------------------------------- answers


def test_our_answers_carry_headers_and_the_hosts_own_do_not(app, client):
    hosts.login(client, "viewer")
    page, api = client.get("/minicode/codes/list/"), client.get(REST)
    static, foreign = client.get("/static/fab_minicode/minicode.css"), client.get("/login/")

    for answer in (page, api):
        assert 200 == answer.status_code
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
        assert "same-origin" == answer.headers["Referrer-Policy"]
        assert "no-store" == answer.headers["Cache-Control"]
        assert "Cookie" in answer.headers["Vary"]
    assert (200, "nosniff") == (static.status_code, static.headers["X-Content-Type-Options"])
    assert "no-store" not in static.headers.get("Cache-Control", "")
    assert "Referrer-Policy" not in foreign.headers
    static.close()


def test_refusals_carry_the_headers_too(app, client):
    for answer in (client.get("/minicode/codes/list/"), client.get(REST)):
        assert answer.status_code in {302, 401}
        assert "nosniff" == answer.headers["X-Content-Type-Options"]


def test_what_the_host_says_is_left_alone(host):
    app = host()
    app.after_request_funcs.setdefault(None, []).append(_hosts_own)
    answer = hosts.login(app.test_client(), "viewer").get("/minicode/codes/list/")

    assert "no-referrer" == answer.headers["Referrer-Policy"]


def _hosts_own(response):
    # Flask runs these in reverse order of registration: this one comes before ours.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


# --------------------------------------------------------------------------------------------------- translations


@pytest.mark.parametrize("language, expected", [("zh", "小程序"), ("en", "Mini programs")])
def test_our_texts_are_translated(app, language, expected):
    with app.test_request_context():
        session["locale"] = language

        assert expected == words.gettext("Mini programs")


def test_a_host_s_own_words_change_none_of_ours_and_ours_none_of_its(app):
    with app.test_request_context():
        session["locale"] = "zh"

        assert "访问用户" == words.gettext("Users")
        assert "Event analysis" == gettext("Event analysis")


def test_no_module_takes_the_host_s_words():
    modules = [
        path for path in PACKAGE.rglob("*.py") if re.search(r"from flask_babel import .*gettext", path.read_text())
    ]

    assert [] == modules


@pytest.mark.parametrize("template", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_every_template_speaks_our_words(template):
    text = template.read_text(encoding="utf-8")

    assert ("_(" in text) == ("{% set _ = minicode_gettext %}" in text)
