"""A host that knows better who a visitor is gives the id that is hashed."""

from __future__ import annotations

import datetime as dt

import pytest

from fab_minicode.acquisition.accept import pseudonym_of
from fab_minicode.errors import ConfigurationError
from tests import collect_app, databases, hosts
from tests.collect_app import APPID, KEY, VISITOR_KEY, stored

NATIVE = f"/minicode/collect/v1/{KEY}"


def person(appid, tracker, device, user):
    assert (APPID, "native") == (appid, tracker)
    if device == "broken":
        raise RuntimeError(f"no such person: {user}")
    return {"number": 7, "empty": "", "long": "x" * 257, "longest": "x" * 256}.get(device, user)


@pytest.fixture(params=databases.KINDS)
def app(request, tmp_path):
    app = collect_app.make(request.param, tmp_path, VISITOR_ID="tests.test_visitor_id:person")
    yield app
    hosts.close(app)


def send(app, *visits):
    now = int(dt.datetime.now(dt.timezone.utc).timestamp() * 1000)
    events = [
        {
            "id": number,
            "type": "visit",
            "visitor": device,
            "time_ms": now,
            "path": "a",
            **({"user": user} if user else {}),
        }
        for number, (device, user) in enumerate(visits)
    ]
    return app.test_client().post(NATIVE, json={"events": events}).json


def hashed(name):
    return pseudonym_of(bytes.fromhex(VISITOR_KEY), name)


def test_two_devices_of_one_person_are_one_visitor(app):
    assert 3 == send(app, ("phone", "wang"), ("tablet", "wang"), ("kiosk", None))["accepted"]
    assert {hashed("wang"), hashed("kiosk")} == {bytes(row.visitor) for row in stored(hosts.engine_of(app))}


def test_an_event_whose_id_fails_is_rejected_and_no_other_one(app, caplog):
    answer = send(
        app, ("number", None), ("broken", "secret"), ("good", None), ("empty", None), ("long", None), ("longest", 0)
    )

    assert 2 == answer["accepted"]
    invalid = "visitor_id_invalid"
    assert [(0, invalid), (1, "visitor_id_failed"), (3, invalid), (4, invalid)] == [
        (one["index"], one["reason"]) for one in answer["rejected"]
    ]
    assert "RuntimeError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize("user", [True, 1.5, {}, ["a"], "x" * 257, None, ""])
def test_a_user_that_is_no_id_is_none(app, user):
    assert 1 == send(app, ("phone", user))["accepted"]
    assert {hashed("phone")} == {bytes(row.visitor) for row in stored(hosts.engine_of(app))}


def test_a_name_that_leads_nowhere_stops_the_host(tmp_path):
    with pytest.raises(ConfigurationError, match="FAB_MINICODE_VISITOR_ID"):
        collect_app.make("sqlite", tmp_path, VISITOR_ID="tests.test_visitor_id:nobody")
