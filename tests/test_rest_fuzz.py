"""Odd JSON to every writing address of REST, on both databases: refused or done, never a 5xx, never a page of HTML."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fab_minicode.sandbox import Sandbox
from tests import databases, hosts
from tests.people import World, filled
from tests.routes import FREE, MACHINES, ROUTES
from tests.test_collect_fuzz import ODD

REQUESTS = 400
"""Per database."""

HOLE = "@@hole@@"
WRITES = [one for one in ROUTES if one.is_rest and one.sent is not None and one.statuses not in (MACHINES, FREE)]


@pytest.fixture(scope="module", params=databases.KINDS)
def world(request, tmp_path_factory):
    with Sandbox() as sandbox:
        url = hosts.copy_of_template(request.param, tmp_path_factory.mktemp("odd"))
        app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
        yield World(app)
        hosts.close(app)


def holes(shape):
    """Yield the document once for each of its values, with a hole in that value's place."""
    yield HOLE
    children = shape.items() if isinstance(shape, dict) else enumerate(shape) if isinstance(shape, list) else ()
    for key, value in children:
        for inner in holes(value):
            copy = dict(shape) if isinstance(shape, dict) else list(shape)
            copy[key] = inner
            yield copy


def text_with(document, odd, twice):
    """Return the JSON text with ``odd`` in the hole; ``twice`` repeats the first key with it."""
    text = json.dumps(document).replace(json.dumps(HOLE), odd)
    if twice and isinstance(document, dict) and document:
        return f"{text[:-1]},{json.dumps(next(iter(document)))}:{odd}}}"
    return text


@settings(max_examples=REQUESTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(
    route=st.sampled_from(WRITES),
    place=st.integers(0, 40),
    odd=st.tuples(st.sampled_from(ODD), st.booleans()),
    written=st.tuples(
        st.sampled_from(["", "", "", "\ufeff", "\x00"]), st.sampled_from(["utf-8", "utf-8", "utf-16", "utf-7"])
    ),
)
def test_no_body_is_our_fault(world, route, place, odd, written):
    mark, way = written
    shapes = list(holes(filled(route.sent, world.own)))
    body = mark + text_with(shapes[place % len(shapes)], *odd)
    headers = hosts.bearer(world.client("anonymous"), "admin")
    address = filled(route.address, world.own)
    sent = {"data": body.encode(way), "content_type": "application/json", "headers": headers}
    answer = world.client("anonymous").open(address, method=route.method, **sent)

    assert answer.status_code < 500, (address, body[:300])
    assert "application/json" == answer.mimetype or answer.status_code < 300, (address, body[:300])


def test_there_are_many_addresses_to_try():
    assert len(WRITES) > 8
