"""
What our OpenAPI document promises is what the REST doors do: generated requests, right and wrong, on both databases.

No request may end in a server error, and every answer must be of a status, type and shape that the document names. Each
operation is done once with what stands in the table of routes, so that the shape of its success is checked, too.
Repeatable with ``CI=true``; by hand each run draws other requests.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from typing import Any
from urllib.parse import parse_qsl

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks as openapi
from sqlalchemy import select

from fab_minicode.acquisition.pseudonyms import pseudonym_of
from fab_minicode.models import Authorizer, Visitor
from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from tests import databases, hosts
from tests.people import World, filled
from tests.routes import ROUTES
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid
NOUNS = (("codes", "code"), ("aliases", "alias"), ("segments", "segment"), ("questions", "question"))
REQUESTS = 1000
"""Per database, shared by the operations."""

CHECKS = [
    schemathesis.checks.not_a_server_error,
    openapi.status_code_conformance,
    openapi.content_type_conformance,
    openapi.response_schema_conformance,
]
HOUSE = hypothesis.settings(
    deadline=None,
    database=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=list(hypothesis.HealthCheck),
)


@pytest.fixture(scope="module", params=databases.KINDS)
def door(request, tmp_path_factory):
    """``(our operations, a world with one of everything)``; visitors came to its first mini program."""
    with Sandbox() as sandbox:
        url = hosts.copy_of_template(request.param, tmp_path_factory.mktemp("openapi"))
        app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
        world = World(app)
        let_visitors_come(world)
        headers = hosts.bearer(world.client("anonymous"), "admin")
        whole = schemathesis.openapi.from_wsgi("/api/v1/_openapi", app, headers=headers)
        yield whole.include(path_regex="^/api/v1/minicode/"), world, headers
        hosts.close(app)


def let_visitors_come(world: World) -> None:
    """Give the first mini program numbers, also under a value that is spelled in two ways."""
    engine, now = hosts.engine_of(world.app), dt.datetime.now(dt.timezone.utc)
    sources = ("s", "weixin", "wei xin", "")
    visits = [Visit(f"visitor {number}", 1 + number % 5, sources[number % 4], "autumn") for number in range(40)]
    paid = [Visit(f"visitor {number}", 1, event="order_paid") for number in range(9)]
    with hosts.database(world.app) as session:
        program = session.execute(select(Authorizer.id).where(Authorizer.appid == APPID)).scalar_one()
        settings = world.app.extensions["fab_minicode"].settings
        bring(engine, [*visits, *paid], authorizer_id=program, settings=settings, now=now)
        world.own["pseudonym"] = pseudonym_of(session.execute(select(Visitor.head)).scalars().first())


def test_every_operation_succeeds_with_what_the_table_of_routes_sends(door):
    operations, world, headers = door
    wrong = []
    for result in operations.get_all_operations():
        case = done_well(result.ok(), world)
        answer = case.call_and_validate(headers=headers, checks=CHECKS)
        if not 200 <= answer.status_code < 300:
            wrong.append(f"{case.method} {case.path}: {answer.status_code} {answer.text[:200]}")

    assert [] == wrong


def done_well(operation: Any, world: World) -> Any:
    """Return the request to an operation as its row in ``ROUTES`` has it."""
    rule = re.sub(r"{(\w+)}", r"<\1>", operation.path)
    route = next(one for one in ROUTES if (one.method, one.rule) == (operation.method.upper(), rule))
    things = world.fresh()
    address, _, query = filled(route.address.replace("0000-0000-0000", "{pseudonym}"), things).partition("?")
    places = re.fullmatch(re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", operation.path), address)
    sent = {} if route.sent is None else {"body": filled(route.sent, things), "media_type": "application/json"}
    return operation.Case(path_parameters=places.groupdict(), query=dict(parse_qsl(query)), **sent)


def test_every_operation_does_what_the_document_says(door):
    operations, world, headers = door
    asked = [result.ok() for result in operations.get_all_operations()]

    assert len(asked) > 30
    made = 0
    for operation in asked:
        world.fresh()
        made += check(operation, world, headers, 1 + REQUESTS // len(asked))

    assert made >= REQUESTS


def check(operation: Any, world: World, headers: dict[str, str], requests: int) -> int:
    """Draw requests and look at their answers; returns how many there were: few, where little can be said."""
    made = 0

    @hypothesis.settings(HOUSE, max_examples=requests)
    @hypothesis.given(case=operation.as_strategy(), meant=st.booleans())
    def run(case: Any, meant: bool) -> None:
        nonlocal made
        made += 1
        if meant:
            aim(case, world.own)
        case.call_and_validate(headers=headers, checks=CHECKS)

    run()
    return made


def aim(case: Any, things: dict[str, str]) -> None:
    """Point a request at what is there: a stranger's AppID alone would never come past the first check."""
    known = {"appid": APPID, "landing_page": "pages/a", "utm_source": "s", "window": "last_7", "dimension": "code"}
    known["pseudonym"] = things["pseudonym"]
    if case.method != "DELETE":
        thing = next((thing for noun, thing in NOUNS if f"/{noun}/" in case.path), "")
        known["pk"] = things.get(thing, "1")
    for place in (case.query, case.body, case.path_parameters):
        if isinstance(place, dict):
            place.update({name: value for name, value in known.items() if name in place})
