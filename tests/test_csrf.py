"""Every route that may change something refuses a browser's request without the session's CSRF token, on every host."""

from __future__ import annotations

import pytest

from tests import databases, hosts
from tests.people import World, filled, text_of
from tests.routes import FREE, MACHINES, ROUTES

CHANGING = [route for route in ROUTES if route.method != "GET" and route.statuses not in (MACHINES, FREE)]


@pytest.fixture(params=[(kind, csrf) for kind in databases.KINDS for csrf in ("before", "none")], ids=" ".join)
def world(request, tmp_path, sandbox):
    """A host with the ``CSRFProtect`` of most, and one that has none: nothing but ours asks for the token there."""
    kind, csrf = request.param
    url = hosts.copy_of_template(kind, tmp_path)
    app = hosts.make_host(url, csrf=csrf, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
    yield World(app)
    hosts.close(app)


def sent_with(world, route, things, token):
    """Send what the route wants as somebody who may do everything, with this token or (None) without any."""
    admin = world.client("admin")
    headers = {} if token is None else {"X-CSRFToken": token}
    sent = filled(route.sent, things) or {}
    if not route.is_rest and token is not None:
        sent["csrf_token"] = token
    body = {"json" if route.is_rest else "data": sent}
    return admin.open(filled(route.address, things), method=route.method, headers=headers, buffered=True, **body)


def is_refusal(answer, route):
    """400; a page may also come back with what was typed, and say that it was open for too long."""
    if route.is_rest:
        return (400, "csrf") == (answer.status_code, answer.get_json().get("error", {}).get("code"))
    return answer.status_code == 400 or (answer.status_code == 200 and "open for too long" in text_of(answer))


def test_no_route_changes_anything_without_the_sessions_token(world):
    somebody_elses = hosts.csrf_token(hosts.login(world.app.test_client(), "manager"))
    hosts.csrf_token(world.client("admin"))  # so that the session holds a token that could be missed
    wrong = []
    for route in CHANGING:
        things = world.fresh()
        before = world.contents()
        for token in (None, "", "nonsense", somebody_elses):
            answer = sent_with(world, route, things, token)
            if not is_refusal(answer, route):
                wrong.append(f"{route.method} {route.rule} with {token!r}: {answer.status_code}")
        if before != world.contents():
            wrong.append(f"{route.method} {route.rule} changed something")

    assert [] == wrong, "\n".join(wrong)


def test_the_same_requests_are_answered_with_the_token(world):
    wrong = []
    for route in CHANGING:
        answer = sent_with(world, route, world.fresh(), hosts.csrf_token(world.client("admin")))
        if answer.status_code != route.expected()["admin"]:
            wrong.append(f"{route.method} {route.rule}: {answer.status_code}")
        world.settle()

    assert [] == wrong, "\n".join(wrong)


def test_there_are_many_routes_to_try():
    assert 20 < len([one for one in CHANGING if not one.is_rest])
    assert 15 < len([one for one in CHANGING if one.is_rest])
