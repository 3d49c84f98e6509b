"""Saved questions over REST."""

from __future__ import annotations

import pytest

from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts

ADDRESS = "/api/v1/minicode/questions/"
APPID = SAMPLE_APPS[0].appid
ASKS = {"appid": APPID, "metrics": ["visits"], "dimensions": ["utm_source"]}


@pytest.fixture
def people(app):
    """Headers by user name."""
    hosts.connect(app)
    client = app.test_client()
    return {name: hosts.bearer(client, name) for name in ("viewer", "creator", "manager")}


def call(client, headers, method, pk="", **sent):
    answer = client.open(f"{ADDRESS}{pk}", method=method, headers=headers, **({"json": sent} if sent else {}))
    return answer.status_code, answer.get_json()


def made(client, headers, **changed):
    status, found = call(client, headers, "POST", **{"name": "Posters", "question": ASKS, **changed})

    assert 201 == status, found
    return found


def test_a_question_is_saved_listed_answered_changed_and_removed(client, people):
    saved = made(client, people["creator"], visibility="readers", description="d", chart="bar")
    pk = saved["id"]

    assert ("events", APPID, ["visits"], "bar", True) == (
        saved["kind"], saved["appid"], saved["question"]["metrics"], saved["chart"], saved["may_change"],
    )  # fmt: skip
    status, found = call(client, people["viewer"], "GET")
    assert (200, 1, False) == (status, found["count"], found["result"][0]["may_change"])
    assert (200, f"/minicode/analysis/{pk}") == (status, call(client, people["viewer"], "GET", pk)[1]["url"])
    assert "totals" in call(client, people["viewer"], "GET", f"{pk}/answer")[1]
    status, changed = call(client, people["creator"], "PUT", pk, name="Flyers", question={**ASKS, "limit": 5})
    assert (200, "Flyers", 5, "d") == (status, changed["name"], changed["question"]["limit"], changed["description"])
    assert (200, {"id": pk}) == call(client, people["creator"], "DELETE", pk)
    assert 404 == call(client, people["creator"], "GET", pk)[0]


def test_the_order_of_a_table_is_read_and_written(client, people):
    saved = made(client, people["creator"], sort="-visits")
    pk = saved["id"]

    assert "-visits" == saved["sort"]
    assert "-visits" == call(client, people["creator"], "PUT", pk, name="Flyers")[1]["sort"]
    assert "" == call(client, people["creator"], "PUT", pk, sort="")[1]["sort"]
    status, refused = call(client, people["creator"], "PUT", pk, sort="x" * 129)
    assert (422, "sort", 128, 129) == (
        status, refused["error"]["field"], refused["error"]["limit"], refused["error"]["actual"],
    )  # fmt: skip


def test_a_stale_change_a_locked_question_and_somebody_elses_are_refused(client, people):
    saved = made(client, people["creator"], visibility="readers")
    pk = saved["id"]
    call(client, people["manager"], "PUT", pk, description="by a manager")
    status, refused = call(client, people["creator"], "PUT", pk, name="x", changed_at=saved["changed_at"])
    assert (409, "stale") == (status, refused["error"]["code"])
    assert 200 == call(client, people["creator"], "PUT", pk, name="x", is_locked=True)[0]
    status, refused = call(client, people["manager"], "PUT", pk, name="y")
    assert (409, "locked") == (status, refused["error"]["code"])
    assert 200 == call(client, people["creator"], "PUT", pk, is_locked=False, name="z", owner="manager")[0]
    status, refused = call(client, people["creator"], "DELETE", pk)
    assert (403, "not_yours") == (status, refused["error"]["code"])


def test_what_cannot_be_saved_names_its_field(client, people):
    pk = made(client, people["creator"])["id"]
    for sent, field in (
        ({"name": ""}, "name"), ({"name": 7}, "name"), ({"visibility": "all"}, "visibility"),
        ({"kind": "poem"}, "kind"),
        ({"roles": "x"}, "roles"), ({"visibility": "roles", "roles": ["Admin"]}, "roles"), ({"chart": "a b"}, "chart"),
        ({"question": {"appid": APPID, "limit": 0}}, "limit"), ({"question": []}, "question"),
        ({"colour": 1}, "colour"),
        ({"question": None}, "question"),
    ):  # fmt: skip
        status, refused = call(client, people["creator"], "POST", **{"name": "n", "question": ASKS, **sent})
        assert status in (400, 422), sent
        assert field == refused["error"]["field"]
    for sent, field in (({"is_locked": 1}, "is_locked"), ({"owner": "viewer"}, "owner"), ({"kind": "events"}, "kind")):
        assert field == call(client, people["creator"], "PUT", pk, **sent)[1]["error"]["field"], sent
    assert 422 == call(client, people["creator"], "POST", name="without a question")[0]
    assert 404 == call(client, people["creator"], "POST", name="n", question={"appid": "wx-unknown"})[0]
    for query in ("kind=poem", "visibility=x", "owned=x", "order=x"):
        assert 422 == call(client, people["creator"], "GET", f"?{query}")[0], query
