"""
What our OpenAPI document promises is what the REST doors do: generated requests, right and wrong, on both databases.

No request may end in a server error, and every answer must be of a status, type and shape that the document names.
Repeatable with ``CI=true``; by hand each run draws other requests.
"""

from __future__ import annotations

import os
from typing import Any

import hypothesis
import pytest
import schemathesis
from hypothesis import strategies as st
from schemathesis.specs.openapi import checks as openapi

from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from tests import databases, hosts

APPID = SAMPLE_APPS[0].appid
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
    """``(our operations, headers of somebody who may do everything)``; a mini program with a code is there."""
    with Sandbox() as sandbox:
        url = hosts.copy_of_template(request.param, tmp_path_factory.mktemp("openapi"))
        app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
        hosts.connect(app)
        headers = hosts.bearer(app.test_client(), "admin")
        body = {"appid": APPID, "name": "first", "landing_page": "pages/a", "kind": "wxacode", "utm_source": "s"}
        made = app.test_client().post("/api/v1/minicode/codes/", json=body, headers=headers)
        whole = schemathesis.openapi.from_wsgi("/api/v1/_openapi", app, headers=headers)
        yield whole.include(path_regex="^/api/v1/minicode/"), headers
        hosts.close(app)

    assert 201 == made.status_code


def test_every_operation_does_what_the_document_says(door):
    operations, headers = door
    asked = [result.ok() for result in operations.get_all_operations()]

    assert len(asked) > 15
    for operation in asked:
        check(operation, headers, 1 + REQUESTS // len(asked))


def check(operation: Any, headers: dict[str, str], requests: int) -> None:
    @hypothesis.settings(HOUSE, max_examples=requests)
    @hypothesis.given(case=operation.as_strategy(), meant=st.booleans())
    def run(case: Any, meant: bool) -> None:
        if meant:
            aim(case)
        case.call_and_validate(headers=headers, checks=CHECKS)

    run()


def aim(case: Any) -> None:
    """Point a request at what is there: a stranger's AppID alone would never come past the first check."""
    known = {"appid": APPID, "landing_page": "pages/a", "utm_source": "s", "window": "last_7", "dimension": "code"}
    if case.method != "DELETE":
        known["pk"] = 1
    for place in (case.query, case.body, case.path_parameters):
        if isinstance(place, dict):
            place.update({name: value for name, value in known.items() if name in place})
