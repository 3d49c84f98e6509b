"""The doors of trackers, through a whole host with CSRF protection, on both databases."""

import base64
import datetime as dt
import gzip
import io
import json
import logging
from urllib.parse import quote

import pytest
from flask import Flask
from flask_limiter import Limiter
from sqlalchemy import text

from fab_minicode import runtime
from fab_minicode.models import Authorizer
from fab_minicode.models.acquisition import REAL, TEST
from fab_minicode.views import collect
from tests import collect_app, databases, hosts
from tests.collect_app import KEY, OTHER_KEY, stored
from tests.lzpack import compress_to_utf16
from tests.recordings import FILES, lines, visits

NATIVE = f"/minicode/collect/v1/{KEY}"
GROWINGIO = f"/minicode/collect/growingio/v3/projects/{KEY}/collect"
SENSORS = f"/minicode/collect/sensors?project={KEY}"


def now_ms():
    return int(dt.datetime.now(dt.timezone.utc).timestamp() * 1000)


def visit(identity="a", **more):
    return {"id": identity, "type": "visit", "visitor": "device", "time_ms": now_ms(), "path": "pages/a", **more}


def show(number=1):
    return {"type": "track", "event": "$MPShow", "anonymous_id": "d", "_track_id": number, "time": now_ms()}


def gio(number=1, kind="VISIT"):
    return {"eventType": kind, "deviceId": "d", "sessionId": "s", "timestamp": now_ms(), "eventSequenceId": number}


def packed(value):
    return quote(base64.b64encode(json.dumps(value).encode()).decode(), safe="")


@pytest.fixture(params=databases.KINDS)
def make(request, tmp_path):
    """Return a function that makes a host with the given settings."""
    made: list[Flask] = []

    def host(**config):
        made.append(collect_app.make(request.param, tmp_path, **config))
        return made[-1]

    yield host
    for app in made:
        hosts.close(app)


@pytest.fixture
def app(make):
    return make()


@pytest.fixture
def engine(app):
    return hosts.engine_of(app)


@pytest.fixture
def client(app):
    return app.test_client()


@pytest.mark.parametrize("name, tracker", FILES)
def test_every_recording_is_stored_once_however_often_it_is_sent(client, engine, monkeypatch, name, tracker):
    monkeypatch.setattr(collect, "now", lambda: dt.datetime(2026, 9, 23, tzinfo=dt.timezone.utc))
    expected = len(visits(tracker)), sum(visit.custom is not None for visit in visits(tracker))
    for accepted in (sum(expected), 0):
        answers = [replay(client, tracker.name, line) for line in lines(name)]

        assert {200} == {answer.status_code for answer in answers}
        assert accepted == sum(answer.get_json()["accepted"] for answer in answers)
        assert sum(expected) - accepted == sum(answer.get_json()["duplicate"] for answer in answers)
        assert [] == [rejection for answer in answers for rejection in answer.get_json()["rejected"]]
    rows = stored(engine)

    assert expected == (sum(row.name is None for row in rows), sum(row.name == "order_paid" for row in rows))
    found = [json.loads(row.entry) for row in rows if row.name is None]
    assert sorted(visit.utm[0] for visit in visits(tracker)) == sorted(entry[2] for entry in found)
    assert ["8F3kQ2"] == [entry[7] for entry in found if entry[7]]
    assert 7 == len({bytes(row.visitor) for row in rows})


def replay(client, tracker, line):
    """Send a recorded request as a mini program with our settings would."""
    _, _, query = line["target"].partition("?")
    address = GROWINGIO if tracker == "growingio" else "/minicode/collect/sensors"
    query = query.replace("project=default", f"project={KEY}")
    headers = {**line["headers"], "Referer": "https://servicewechat.com/wx0123456789abcdef/57/page-frame.html"}
    return client.open(f"{address}?{query}", method=line["method"], headers=headers, data=line["body"])


def test_the_native_door_answers_202_with_three_counts(client, engine):
    once = visit()
    answer = client.post(NATIVE, json={"events": [once, once, {"type": "visit"}, visit("old", time_ms=1)]})

    assert 202 == answer.status_code
    rejected = [{"index": 2, "reason": "id_missing"}, {"index": 3, "reason": "too_old"}]
    assert {"accepted": 1, "duplicate": 1, "rejected": rejected} == answer.get_json()
    assert 1 == len(stored(engine))


def test_the_sdks_get_200_and_hear_what_was_ignored(client, engine):
    first = client.post(GROWINGIO, json=[gio(), gio(2, "APP_CLOSED"), gio(3, "VISIT") | {"deviceId": ""}])
    second = client.get(f"{SENSORS}&data={packed(show())}")
    third = client.post(SENSORS, data=f"data_list={packed([show(2), show(2) | {'event': '$MPHide'}])}")

    assert [200, 200, 200] == [answer.status_code for answer in (first, second, third)]
    refused = [{"index": 2, "reason": "visitor_missing"}]
    assert {"accepted": 1, "duplicate": 0, "rejected": refused, "ignored": 1} == first.get_json()
    assert {"accepted": 1, "duplicate": 0, "rejected": [], "ignored": 0} == second.get_json()
    assert {"accepted": 1, "duplicate": 0, "rejected": [], "ignored": 1} == third.get_json()
    assert 3 == len(stored(engine))


def test_a_batch_of_nothing_but_bad_events_is_answered_like_any_other(client):
    """An SDK that heard of failure would send the same batch for ever."""
    answer = client.post(GROWINGIO, json=[gio() | {"timestamp": 5}, None])

    assert 200 == answer.status_code
    assert ["too_old", "not_an_object"] == [rejection["reason"] for rejection in answer.get_json()["rejected"]]


def test_each_mini_program_has_its_own_events_and_its_own_visitors(client, engine):
    for key in (KEY, OTHER_KEY):
        assert 1 == client.post(f"/minicode/collect/v1/{key}", json={"events": [visit()]}).get_json()["accepted"]
    one, other = stored(engine)

    assert {1, 2} == {one.authorizer_id, other.authorizer_id}
    assert one.visitor != other.visitor


@pytest.mark.parametrize(
    "key", ["nobody", KEY.lower() + "x", KEY.upper(), "x" * 500, "%00", "%ED%A0%80", "'--", "%F0%9F%98%80"]
)
def test_every_unknown_key_is_403_with_the_same_body(client, engine, key):
    body = json.dumps({"events": [visit()]})
    doors = [
        client.post(f"/minicode/collect/v1/{key}", data=body),
        client.post(f"/minicode/collect/growingio/v3/projects/{key}/collect", data=body),
        client.post(f"/minicode/collect/sensors?project={key}", data=body),
        client.get(f"/minicode/collect/sensors?project={key}&data=x"),
        client.get("/minicode/collect/sensors"),
    ]

    assert {(403, '{"error":"unknown_key"}')} == {
        (answer.status_code, answer.get_data(as_text=True)) for answer in doors
    }
    assert [] == stored(engine)


def test_a_changed_key_is_refused_after_a_while_and_a_new_one_taken_at_once(client, engine, monkeypatch):
    then = dt.datetime.now(dt.timezone.utc)
    monkeypatch.setattr(collect, "now", lambda: then)

    assert 202 == client.post(NATIVE, json={"events": [visit()]}).status_code
    with engine.begin() as connection:
        table = Authorizer.__table__
        connection.execute(table.update().where(table.c.id == 1).values(collect_key="a-new-key"))
    assert 202 == client.post("/minicode/collect/v1/a-new-key", json={"events": [visit("b")]}).status_code
    monkeypatch.setattr(collect, "now", lambda: then + dt.timedelta(seconds=11))
    assert 403 == client.post(NATIVE, json={"events": [visit("c")]}).status_code


@pytest.mark.parametrize(
    "address, body",
    [
        (NATIVE, b"{"),
        (NATIVE, b""),
        (NATIVE, b"[]"),
        (NATIVE, b'{"events": 5}'),
        (NATIVE, json.dumps({"events": []}).encode("utf-16")),
        (NATIVE, b'{"events":' + b"[" * 200_000 + b"]" * 200_000 + b"}"),
        (GROWINGIO, b"{}"),
        (GROWINGIO + "?compress=1", b"[]"),
        (GROWINGIO + "?compress=1", b"\xff"),
        (SENSORS, b"data_list=%%%"),
        (SENSORS, b"\xff\xfe"),
        (SENSORS, b""),
    ],
)
def test_a_body_that_cannot_be_read_is_400(make, address, body):
    app = make(COLLECT_MAX_BYTES=1024 * 1024)
    answer = app.test_client().post(address, data=body)

    assert 400 == answer.status_code
    assert answer.get_json()["error"] in {"malformed", "too_deep"}
    assert [] == stored(hosts.engine_of(app))


def test_odd_texts_are_stored_on_every_database(client, engine):
    odd = "\x00a\ud800名" + "x" * 3000
    raw = json.dumps(
        {
            "events": [
                visit("i\x00\ud800", visitor="v\x00\ud800", path=odd, query=f"utm_source={odd}&x={odd}", scene=odd),
                visit("2", type="custom", name="n\x00\ud800\u2028😀"),
                visit("3", time_ms=2**53),
                visit("4", time_ms=2**63),
                visit("5", query="utm_source=%00%ED%A0%80&utm_term=%00b"),
            ]
        }
    )
    answer = client.post(NATIVE, data=raw)

    assert (202, 4) == (answer.status_code, answer.get_json()["accepted"])
    assert [{"index": 3, "reason": "time_invalid"}] == answer.get_json()["rejected"]
    rows = {row.name: row for row in stored(engine)}
    assert "n\u2028😀" in rows
    assert all("\x00" not in (row.entry or "") for row in rows.values())


def test_a_body_over_the_limit_is_413_whatever_it_says_of_its_length(make):
    app = make(COLLECT_MAX_BYTES=2048)
    client = app.test_client()
    fits = json.dumps({"events": [visit()]}).encode().ljust(2048)

    assert 202 == client.post(NATIVE, data=fits).status_code
    assert 413 == client.post(NATIVE, data=fits + b" ").status_code

    def sent(body, **environ):
        return client.post(NATIVE, input_stream=io.BytesIO(body), environ_overrides=environ).status_code

    chunked = {"HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
    assert 202 == sent(fits, **chunked)
    assert 413 == sent(fits + b" ", **chunked)
    assert 413 == sent(fits, CONTENT_LENGTH="10000000000")
    assert 400 == sent(fits[:50], CONTENT_LENGTH="60")
    assert 400 == sent(fits, CONTENT_LENGTH="-5")


@pytest.mark.parametrize(
    "address, body",
    [
        (GROWINGIO + "?compress=1", compress_to_utf16("[" + " " * 500_000 + "]").encode()),
        (SENSORS, b"gzip=1&data_list=" + quote(base64.b64encode(gzip.compress(b" " * 20_000_000)).decode()).encode()),
        (NATIVE, json.dumps({"events": [{}] * 1001}).encode()),
    ],
)
def test_what_unpacks_to_too_much_is_413(client, address, body):
    assert len(body) < 256 * 1024
    assert 413 == client.post(address, data=body).status_code


@pytest.mark.parametrize("encoding, status", [("gzip", 415), ("br", 415), ("GZIP", 415), ("identity", 202), ("", 202)])
def test_content_encodings_are_refused(client, encoding, status):
    answer = client.post(NATIVE, json={"events": [visit()]}, headers={"Content-Encoding": encoding})

    assert status == answer.status_code


def test_too_many_requests_are_429_with_the_seconds_to_wait(make, monkeypatch):
    app = make(COLLECT_RATE="3/minute;100/hour")
    client = app.test_client()
    then = dt.datetime(2026, 11, 22, 10, 30, 20, tzinfo=dt.timezone.utc)
    monkeypatch.setattr(collect, "now", lambda: then)
    statuses = [client.post(NATIVE, json={"events": []}).status_code for _ in range(4)]
    refused = client.post(GROWINGIO, json=[])

    assert [202, 202, 202, 429] == statuses
    assert (429, "40") == (refused.status_code, refused.headers["Retry-After"])
    assert 202 == client.post(f"/minicode/collect/v1/{OTHER_KEY}", json={"events": []}).status_code
    monkeypatch.setattr(collect, "now", lambda: then + dt.timedelta(seconds=40))
    assert 202 == client.post(NATIVE, json={"events": []}).status_code


def test_without_a_rate_there_is_no_limit(make):
    client = make(COLLECT_RATE="").test_client()

    assert {202} == {client.post(NATIVE, json={"events": []}).status_code for _ in range(50)}


def test_a_host_s_own_request_limit_does_not_count_phones_behind_one_address(make):
    app = make()
    Limiter(lambda: "one address", app=app, default_limits=["1/day"], application_limits=["1/day"])
    client = app.test_client()

    assert {202} == {client.post(NATIVE, json={"events": []}).status_code for _ in range(5)}


@pytest.mark.parametrize("version, state", [("0", TEST), ("devtools", TEST), ("57", REAL)])
def test_test_traffic_is_set_apart_by_its_referer(client, engine, version, state):
    headers = {"Referer": f"https://servicewechat.com/wx0123456789abcdef/{version}/page-frame.html"}
    client.post(NATIVE, json={"events": [visit()]}, headers=headers)
    client.post(GROWINGIO, json=[gio()], headers=headers)
    client.get(f"{SENSORS}&data={packed(show())}", headers=headers)

    assert [state] * 3 == [row.state for row in stored(engine)]


def test_every_answer_carries_the_headers_of_a_machine_door_and_no_cookie(client):
    answers = [
        client.post(NATIVE, json={"events": []}),
        client.post(NATIVE, data=b"x"),
        client.post("/minicode/collect/v1/nobody", data=b"x"),
        client.head(SENSORS),
    ]

    assert [202, 400, 403, 405] == [answer.status_code for answer in answers]
    for answer in answers:
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
        assert "no-store" == answer.headers["Cache-Control"]
        assert "default-src 'none'" == answer.headers["Content-Security-Policy"]
        assert "Set-Cookie" not in answer.headers
        assert not [name for name, _ in answer.headers if name.startswith("Access-Control-")]


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"])
def test_other_methods_never_write(client, engine, method):
    for address in (NATIVE, GROWINGIO, f"{SENSORS}&data={packed(show())}"):
        answer = client.open(address, method=method, json={"events": [visit()]})

        assert answer.status_code in ({200} if method == "OPTIONS" else {405})
    assert [] == stored(engine)


def test_pages_of_the_host_stay_protected(app):
    client = hosts.login(app.test_client(), "manager")

    assert 202 == client.post(NATIVE, json={"events": []}).status_code
    assert 400 == client.post("/minicode/codes/add", data={"name": "x"}).status_code


def test_the_time_of_the_last_event_is_kept(client, engine):
    client.post(NATIVE, json={"events": [visit()]})

    with engine.connect() as connection:
        rows = dict(connection.execute(text("SELECT id, last_event_at FROM minicode_authorizers")).fetchall())
    assert rows[1] is not None
    assert rows[2] is None


def test_a_database_that_is_away_is_503_and_never_success(app, client, engine, caplog):
    assert 202 == client.post(NATIVE, json={"events": [visit()]}).status_code
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE minicode_events RENAME TO away"))
    with caplog.at_level(logging.WARNING):
        answers = [
            client.post(NATIVE, json={"events": [visit("b", visitor="canary")]}),
            client.post(GROWINGIO, json=[gio()]),
            client.get(f"{SENSORS}&data={packed(show())}"),
        ]

    assert {503} == {answer.status_code for answer in answers}
    assert {"error": "unavailable"} == answers[0].get_json()
    assert int(answers[0].headers["Retry-After"]) > 0
    assert "canary" not in caplog.text
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE away RENAME TO minicode_events"))
    assert {"accepted": 1, "duplicate": 0, "rejected": []} == client.post(
        NATIVE, json={"events": [visit("b")]}
    ).get_json()


def test_a_visitor_key_that_cannot_be_opened_is_503(client, engine):
    with engine.begin() as connection:
        connection.execute(text("UPDATE minicode_authorizers SET sealed_visitor_key = 'f1:lost' WHERE id = 1"))

    assert 503 == client.post(NATIVE, json={"events": [visit()]}).status_code
    assert [] == stored(engine)


def test_the_door_reads_the_clock_of_the_runtime():
    assert collect.now is runtime.now
