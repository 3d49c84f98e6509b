"""
Every route of ours x everybody who may knock, with rows of their own team and of a foreign one (``routes.ROUTES``).

What is sent is always valid and carries the session's CSRF token, so that only the permission decides.
"""

import difflib
import re

import pytest
from sqlalchemy import delete

from fab_minicode import permissions
from fab_minicode.models import AuthorizerRole
from fab_minicode.permissions import ROLES, menus_of
from tests import hosts
from tests.people import FOREIGN, FOREIGN_WORD, NOWHERE, World, filled, names_something, text_of, told
from tests.routes import FREE, MACHINES, PEOPLE, ROUTES

TEAM = ("viewer", "creator", "manager")
HAS_PEOPLE = [route for route in ROUTES if route.statuses not in (MACHINES, FREE)]
SECRETS_OF_THE_FOREIGN_TEAM = (FOREIGN_WORD, FOREIGN.appid, "Foreign Person")


@pytest.fixture
def world(app):
    return World(app)


def routes(app):
    """Return ``(method, rule)`` of everything we registered."""
    manager = app.extensions["appbuilder"].addon_managers["fab_minicode.manager.MinicodeManager"]
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.endpoint.rpartition(".")[0] in {*manager.blueprints, "fab_minicode_collect", "fab_minicode_wechat"}
        for method in rule.methods - {"HEAD", "OPTIONS"}
    }


def test_every_route_of_ours_has_a_row_and_every_row_a_route(app):
    assert {(route.method, route.rule) for route in ROUTES} == routes(app)


def test_everybody_gets_in_where_the_table_says_and_nowhere_else_and_reads_nothing_foreign(world):
    assert [] == wrong_answers(world, [person for person in PEOPLE if person != "public"])


def test_who_has_not_logged_in_gets_in_where_the_hosts_public_role_may_and_nowhere_else(app):
    assert [] == wrong_answers(World(app, is_public=True), ["public"])


def wrong_answers(world, people):
    """Say where these people are answered otherwise than the table says, or read something foreign."""
    wrong = []
    for route in ROUTES:
        for person in people:
            expected = route.expected()[person]
            things = world.own if route.method == "GET" else world.fresh()
            answer = world.knock(person, route, things)
            is_page = not route.rule.startswith(("/api/", "/minicode/collect", "/minicode/wechat"))
            found_as = (answer.status_code, expected)
            if answer.status_code != expected and not (is_page and found_as == (hosts.DENIED, 403)):
                wrong.append(f"{route.method} {route.rule} as {person}: {answer.status_code}, expected {expected}")
            if person != "admin" and any(word in text_of(answer) for word in SECRETS_OF_THE_FOREIGN_TEAM):
                wrong.append(f"{route.method} {route.rule} tells {person} of the foreign team")
            if route.method != "GET" and expected < 400:
                world.settle()
    return wrong


def test_what_is_foreign_is_answered_like_what_does_not_exist(world):
    wrong = []
    for route in filter(names_something, HAS_PEOPLE):
        for person in (person for person in TEAM if route.expected()[person] < 400):
            answers = [told(world.knock(person, route, things), things) for things in (world.foreign, NOWHERE)]
            if answers[0] != answers[1] and not route.is_proved:
                wrong.append(f"{route.method} {route.rule} as {person}: {difference(*answers)}")

    assert [] == wrong


def test_an_admin_knows_every_team(world):
    wrong = []
    for route in (one for one in HAS_PEOPLE if one.method == "GET" and names_something(one)):
        found = world.knock("admin", route, world.foreign).status_code
        if found != route.expected()["admin"]:
            wrong.append(f"{route.rule}: {found}")

    assert [] == wrong


def difference(one, other):
    lines = difflib.unified_diff(one[1].splitlines(), other[1].splitlines(), lineterm="", n=0)
    return f"{one[0]} and {other[0]}: " + "; ".join(list(lines)[2:8])


def variants(address):
    """Other ways to write an address, that proxies and servers may or may not read as the same."""
    path, question, query = address.partition("?")
    rest = question + query
    yield from (f"{path}/{rest}", f"/%2f{path[1:]}{rest}", path.replace("/minicode/", "/minicode//", 1) + rest)
    yield from (path.replace("/minicode/", "/minicode/%2e/", 1) + rest, f"{path}/%2e%2e/{rest}", f"{path}%2f{rest}")
    yield from (
        path.replace("minicode", "MINICODE", 1) + rest,
        f"{path};a=b{rest}",
        f"{path}%00{rest}",
        f"{path}.{rest}",
    )


def test_no_other_spelling_of_an_address_opens_what_the_plain_one_does_not(world):
    wrong = []
    for route in (one for one in HAS_PEOPLE if one.method == "GET"):
        for person in ("anonymous", "nobody"):
            for address in variants(route.address):
                answer = world.knock(person, route, world.own, address=address)
                if answer.status_code < 300 or answer.status_code >= 500:
                    wrong.append(f"{address} as {person}: {answer.status_code}")

    assert [] == wrong


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PATCH"])
def test_no_other_method_says_more_than_the_plain_one(world, method):
    wrong = []
    for route in HAS_PEOPLE:
        for person in ("anonymous", "nobody"):
            answer = world.knock(person, route, world.own, method=method)
            opened = answer.status_code < 300 and (method != "OPTIONS" or answer.get_data())
            if opened or answer.status_code >= 500:
                wrong.append(f"{method} {route.rule} as {person}: {answer.status_code}")

    assert [] == wrong


def test_no_other_spelling_of_an_address_changes_anything_for_who_may_not(world):
    wrong = []
    before = world.contents()
    for route in (one for one in HAS_PEOPLE if one.method != "GET"):
        for person in ("anonymous", "nobody"):
            for address in variants(route.address):
                answer = world.knock(person, route, world.own, address=address)
                if answer.status_code < 300 or answer.status_code >= 500:
                    wrong.append(f"{route.method} {address} as {person}: {answer.status_code}")

    assert [] == wrong
    assert before == world.contents()


def test_no_other_spelling_and_no_other_method_shows_a_team_what_is_foreign(world):
    wrong = []
    for route in (one for one in filter(names_something, HAS_PEOPLE) if one.method == "GET" and not one.is_proved):
        ways = [("GET", address) for address in variants(route.address)]
        for method, address in (*ways, ("HEAD", route.address), ("OPTIONS", route.address)):
            answer = world.knock("viewer", route, world.foreign, method=method, address=address)
            # A list of what somebody may know is empty for a foreign name, as for an unknown one.
            nowhere = world.knock("viewer", route, NOWHERE, method=method, address=address)
            if (308, 308) == (answer.status_code, nowhere.status_code):
                continue  # led to the plain address, before anybody looked for anything
            if told(answer, world.foreign) != told(nowhere, NOWHERE) or answer.status_code >= 500:
                wrong.append(f"{method} {address}: {answer.status_code}, of nothing {nowhere.status_code}")

    assert [] == wrong


def test_head_and_options_say_what_get_would_and_change_nothing(world):
    wrong = []
    before = world.contents()
    for route in (one for one in HAS_PEOPLE if one.method == "GET"):
        for person in ("viewer", "manager"):
            head = world.knock(person, route, world.own, method="HEAD")
            options = world.knock(person, route, world.own, method="OPTIONS")
            if head.get_data() or options.get_data() or options.status_code >= 500:
                wrong.append(f"{route.rule} as {person}: a body, or {options.status_code}")
            found = (head.status_code, route.expected()[person])
            if found[0] != found[1] and found != (hosts.DENIED, 403):
                wrong.append(f"HEAD {route.rule} as {person}: {found[0]}, GET {found[1]}")

    assert [] == wrong
    assert before == world.contents()


@pytest.mark.parametrize("header", ["X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"])
def test_no_header_makes_another_method_of_a_request(world, header):
    before = world.contents()
    manager = world.client("manager")
    for method in ("DELETE", "PUT", "POST"):
        asked = {header: method, "X-CSRFToken": hosts.csrf_token(manager)}
        assert 200 == manager.get(f"/api/v1/minicode/codes/{world.own['code']}", headers=asked).status_code
        assert 405 == manager.get(f"/minicode/codes/delete/{world.own['code']}", headers=asked).status_code

    assert before == world.contents()


def test_the_hosts_own_actions_and_downloads_do_not_reach_our_rows(world):
    admin = world.client("admin")
    headers = {"X-CSRFToken": hosts.csrf_token(admin)}
    for view, key in (("codes", world.own["code"]), ("authorizers", world.own["program"])):
        for address in (f"action/delete/{key}", f"action/no_such_action/{key}", "download/code.png", f"api/read/{key}"):
            assert 404 == admin.get(f"/minicode/{view}/{address}").status_code
        for address in ("action_post", f"action/muldelete/{key}"):
            body = {"action": "muldelete", "rowid": key}
            assert 404 == admin.post(f"/minicode/{view}/{address}", data=body, headers=headers).status_code


def make_inactive(app, name):
    with app.app_context():
        security = app.extensions["appbuilder"].sm
        user = security.find_user(username=name)
        user.active = False
        security.update_user(user)


def test_a_person_who_is_made_inactive_is_a_stranger_with_the_next_request(world):
    world.client("manager")
    make_inactive(world.app, "manager")
    wrong = []
    for route in HAS_PEOPLE:
        expected, found = route.expected()["inactive"], world.knock("manager", route, world.own).status_code
        if found != expected:
            wrong.append(f"{route.method} {route.rule}: {found}, expected {expected}")

    assert [] == wrong


def test_the_token_of_a_person_who_is_made_inactive_opens_nothing_from_the_next_request_on(world):
    client = world.app.test_client()
    headers = hosts.bearer(client, "manager")

    assert 200 == client.get("/api/v1/minicode/codes/", headers=headers).status_code

    make_inactive(world.app, "manager")
    before, wrong = world.contents(), []
    for route in (one for one in HAS_PEOPLE if one.is_rest):
        sent = {} if route.sent is None else {"json": filled(route.sent, world.own)}
        answer = client.open(filled(route.address, world.own), method=route.method, headers=headers, **sent)
        if (401, "not_logged_in") != (answer.status_code, answer.get_json().get("error", {}).get("code")):
            wrong.append(f"{route.method} {route.rule}: {answer.status_code} {answer.get_json()}")

    assert [] == wrong
    assert before == world.contents()


def test_a_role_that_ends_in_mid_session_ends_its_rights(app, client):
    hosts.login(client, "manager")

    assert 200 == client.get("/api/v1/minicode/codes/").status_code

    with app.app_context():
        security = app.extensions["appbuilder"].sm
        user = security.find_user(username="manager")
        user.roles = [security.find_role("Nothing")]
        security.update_user(user)

    assert 403 == client.get("/api/v1/minicode/codes/").status_code


def test_rights_of_the_public_role_open_no_more_than_they_say(world):
    with world.app.app_context():
        security = world.app.extensions["appbuilder"].sm
        public = security.find_role("Public")
        for view_menu, names in ROLES[0].grants:
            for name in names:
                security.add_permission_role(public, security.find_permission_view_menu(name, view_menu))
    opened = {route.rule for route in HAS_PEOPLE if world.knock("anonymous", route, world.own).status_code == 200}

    # What a viewer may read, as far as no team is asked for: a stranger holds the role Public only.
    assert opened
    assert opened <= {route.rule for route in HAS_PEOPLE if route.expected()["viewer"] == 200}
    assert not {rule for rule in opened if "<" in rule}


def test_secrets_teams_and_the_audit_are_nobodys_without_a_name_whatever_the_public_role_holds(world):
    with world.app.app_context():
        security = world.app.extensions["appbuilder"].sm
        public = security.find_role("Public")
        for view_menu, names in ROLES[2].grants:
            for name in names:
                security.add_permission_role(public, security.find_permission_view_menu(name, view_menu))
    with hosts.database(world.app) as session:
        session.execute(delete(AuthorizerRole))  # no team: a stranger knows every mini program
        session.commit()
    asked = [route for route in HAS_PEOPLE if re.search(r"/authorizers/(?!list|show|head)|/audit/", route.rule)]
    pages = [route for route in asked if not route.is_rest and route.rule != "/minicode/authorizers/back/<nonce>"]
    before, wrong = world.contents(), []
    for route in pages:
        answer = world.knock("anonymous", route, world.own)
        if (answer.status_code, answer.headers.get("Location", "").startswith("/login/")) != (302, True):
            wrong.append((route.method, route.rule, answer.status_code))

    assert [] == wrong
    assert len(pages) >= 12
    assert before == world.contents()
    codes = world.client("anonymous").get("/minicode/codes/list/")
    assert 200 == codes.status_code
    assert "/authorizers/connect" not in codes.text


# --------------------------------------------------------------------------------------------------- the pure data


def test_the_roles_are_the_documented_ones():
    granted = {role.name: {(v, p) for v, names in role.grants for p in names} for role in ROLES}
    viewer, creator, manager = (granted[f"Minicode {name}"] for name in ("Viewer", "Creator", "Manager"))
    codes_, acquisition = permissions.CODES, permissions.ACQUISITION

    assert 3 == len(granted)
    assert {(codes_, "can_download"), (codes_, "can_create"), (acquisition, "can_save")} == creator - viewer
    assert viewer < creator < manager
    assert {(view_menu, one) for view_menu, names in permissions.VIEW_MENUS for one in names} == manager
    assert {"can_list", "can_show", "can_read"} == {one for _, one in viewer}


def test_a_role_is_led_to_what_it_may_see():
    everything = [name for name, _ in permissions.MENUS]
    led = {role.name: set(menus_of(role)) for role in ROLES}

    assert set(everything) == led["Minicode Manager"]
    assert set(everything) - {permissions.MENU_AUDIT} == led["Minicode Viewer"] == led["Minicode Creator"]


@pytest.mark.parametrize(
    "methods, granted",
    [
        (permissions.CODES_METHODS, permissions.CODES_PERMISSIONS),
        (permissions.AUTHORIZERS_METHODS, permissions.AUTHORIZERS_PERMISSIONS),
        (permissions.ACQUISITION_METHODS, permissions.ACQUISITION_PERMISSIONS),
        (permissions.AUDIT_METHODS, permissions.AUDIT_PERMISSIONS),
    ],
)
def test_every_method_maps_to_a_permission_that_exists(methods, granted):
    assert {f"can_{name}" for name in methods.values()} <= set(granted)


def test_the_table_names_everybody():
    assert all(len(PEOPLE) == len(route.expected()) for route in ROUTES)
