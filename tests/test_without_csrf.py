"""A host that switches tokens off (``WTF_CSRF_ENABLED = False``, as many test configurations do): everything works."""

import pytest

from tests import hosts
from tests.people import World, text_of
from tests.routes import FREE, MACHINES, ROUTES


@pytest.fixture
def world(request, tmp_path, sandbox):
    app = hosts.make_host(
        hosts.copy_of_template("sqlite", tmp_path),
        csrf="none",
        WTF_CSRF_ENABLED=False,
        FAB_MINICODE_WECHAT_API_URL=sandbox.url,
    )
    yield World(app)
    hosts.close(app)


def test_every_page_and_every_change_works_where_the_host_wants_no_tokens(world):
    wrong = []
    for route in ROUTES:
        if route.statuses in (MACHINES, FREE):
            continue
        expected = route.expected()["manager"]
        answer = world.knock("manager", route, world.own if route.method == "GET" else world.fresh())
        if answer.status_code != expected and (answer.status_code, expected) != (hosts.DENIED, 403):
            wrong.append(f"{route.method} {route.rule}: {answer.status_code}, expected {expected}")
        if "object at 0x" in text_of(answer):
            wrong.append(f"{route.method} {route.rule} shows an object")
        if route.method != "GET" and expected < 400:
            world.settle()

    assert [] == wrong
