"""
Whatever a page is asked or sent, it answers: odd values in every field and parameter of every route, on both databases.

The fields are those of the pages' own forms; a route that is registered tomorrow is tried tomorrow.
"""

from __future__ import annotations

import os
import re
from urllib.parse import quote, urlencode

import hypothesis
import pytest
from hypothesis import strategies as st

from fab_minicode.manager import BLUEPRINT, MinicodeManager
from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from tests import databases, hosts
from tests.pages import Page

REQUESTS = 750
"""Per database."""

APPID = SAMPLE_APPS[0].appid
FORM = "application/x-www-form-urlencoded"
PARAMETERS = (
    "appid",
    "q",
    "page",
    "page_size",
    "order",
    "by",
    "metric",
    "where",
    "window",
    "since",
    "until",
    "kept",
    "recount",
)
ODD = (
    "", " ", "0", "-1", "1", "1e400", "NaN", "9" * 400, "9" * 5000, str(2**31), str(2**63), "\x00", "a\x00b", "\ud800",
    "\ufeff", "\u202e", "🀄" * 300, "٣", "2026-02-30", "0000-00-00", "9999-12-31", "../../etc", "%2e%2e", "{{7*7}}",
    "[]", "{}", "<script>alert(1)</script>", "';--", "null", "true", "=1+1", "utm_source:set", "utm_source:eq:", "::::",
    "segment:1", "last_7", "[" * 2000, '{"a":1,"a":2}', "Infinity", "18446744073709551616", APPID,
)  # fmt: skip
VALUES = st.one_of(st.sampled_from(ODD), st.text(max_size=12))


@pytest.fixture(scope="module", params=databases.KINDS)
def door(request, tmp_path_factory):
    """``(a manager's browser, routes as (method, path with <arguments>), path -> names of its form's fields)``."""
    with Sandbox() as sandbox:
        url = hosts.copy_of_template(request.param, tmp_path_factory.mktemp("odd"))
        app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
        hosts.connect(app)
        client = hosts.login(app.test_client(), "admin")
        routes = sorted(routes_of(app))
        yield client, routes, {path: fields_of(client, path) for _, path in routes}
        hosts.close(app)


def routes_of(app):
    manager = next(one for one in app.appbuilder.addon_managers.values() if isinstance(one, MinicodeManager))
    for rule in app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[0] in manager.blueprints - {BLUEPRINT} and not rule.rule.startswith("/api/"):
            yield from ((method, rule.rule) for method in rule.methods & {"GET", "POST"})


def fields_of(client, path):
    """Return the fields of a page's forms and their values, the CSRF token among them."""
    answer = client.get(filled(path, ["1"]))
    return Page(answer.get_data(as_text=True)).values if answer.mimetype == "text/html" else {}


def filled(path, arguments):
    texts = iter([*arguments, *["1"] * 9])
    return re.sub(r"<[^>]+>", lambda _: quote(next(texts), safe="", errors="surrogatepass") or "1", path)


def test_no_page_fails_whatever_it_is_asked(door):
    client, routes, fields = door
    seen = set()

    @hypothesis.settings(
        max_examples=REQUESTS,
        deadline=None,
        database=None,
        derandomize=bool(os.environ.get("CI")),
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        route=st.sampled_from(routes),
        arguments=st.lists(st.one_of(st.just("1"), VALUES), max_size=2),
        odd=st.lists(st.tuples(st.integers(0, 50), VALUES), max_size=4),
    )
    def run(route, arguments, odd):
        method, path = route
        names = sorted({*fields[path], *PARAMETERS} - {"csrf_token"})
        given = {"appid": APPID, **{names[place % len(names)]: text for place, text in odd}}
        if method == "POST":
            given = {**fields[path], **given}
        # What is odd stands a second time, too: the same name twice.
        pairs = [*given.items(), *((names[place % len(names)], text) for place, text in odd[:1])]
        text = urlencode(pairs, errors="surrogatepass")
        asked = {"query_string": text} if method == "GET" else {"data": text, "content_type": FORM}
        answer = client.open(filled(path, arguments), method=method, **asked)
        seen.add((method, path, answer.status_code))

        assert answer.status_code < 500, (method, path, given)

    run()

    assert len({path for _, path, status in seen if status == 200}) > 8, seen
