"""The roll-up thread of the web process."""

import datetime as dt
import logging
import os
import threading
import time

import pytest
from sqlalchemy import exists, func, select, text

from fab_minicode.models import Authorizer, Pending, StoredEvent
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.settings import SETTINGS as SETTINGS_TABLE
from fab_minicode.settings import read_settings
from fab_minicode.views.background import RollUpThread
from fab_minicode.views.collect import ROLL_UP
from tests import collect_app, databases, hosts

SETTINGS = read_settings({"FAB_MINICODE_ROLLUP_SECONDS": 0.1})
PROMISED_SECONDS = 10
NATIVE = f"/minicode/collect/v1/{collect_app.KEY}"


def visit(identity):
    now_ms = int(dt.datetime.now(dt.timezone.utc).timestamp() * 1000)
    return {"id": identity, "type": "visit", "visitor": identity, "time_ms": now_ms, "query": "utm_source=poster"}


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "fab-minicode-roll-up"]


def counted(engine):
    """Return how many events do not wait."""
    waits = exists().where(Pending.key == StoredEvent.key)
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(StoredEvent).where(~waits)).scalar_one()


def put(connection, **event):
    row = {"key": b"k" * 16, "authorizer_id": 1, "time_ms": 1, "received_ms": 1, "visitor": b"v" * 16, **event}
    connection.execute(StoredEvent.__table__.insert(), row)
    connection.execute(Pending.__table__.insert(), {name: row[name] for name in ("key", "authorizer_id")})


def wait(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.02)


@pytest.fixture(params=databases.KINDS)
def app(request, tmp_path):
    app = collect_app.make(request.param, tmp_path, ROLLUP="thread", ROLLUP_SECONDS=0.2)
    yield app
    app.extensions[ROLL_UP].stop()
    wait(lambda: not threads())
    hosts.close(app)


def test_an_accepted_event_is_counted_soon(app):
    assert not threads()
    client = app.test_client()

    assert 1 == client.post(NATIVE, json={"events": [visit("a")]}).get_json()["accepted"]
    wait(lambda: counted(hosts.engine_of(app)) == 1)
    assert 1 == client.post(NATIVE, json={"events": [visit("b")]}).get_json()["accepted"]
    wait(lambda: counted(hosts.engine_of(app)) == 2)


@pytest.fixture(params=databases.KINDS)
def ready_made(request, tmp_path, sandbox):
    """A host that sets nothing about counting."""
    app = hosts.make_host(
        hosts.copy_of_template(request.param, tmp_path),
        FAB_MINICODE_WECHAT_API_URL=sandbox.url,
        FAB_MINICODE_ROLLUP=default_of("ROLLUP"),
    )
    hosts.connect(app)
    yield app
    app.extensions[ROLL_UP].stop()
    wait(lambda: not threads())
    hosts.close(app)


def default_of(name):
    return next(setting.default for setting in SETTINGS_TABLE if setting.name == name)


def test_with_the_default_settings_an_accepted_event_is_in_the_numbers_within_ten_seconds(ready_made):
    client, appid = ready_made.test_client(), SAMPLE_APPS[0].appid
    headers, zone = hosts.bearer(client, "viewer"), ready_made.extensions[EXTENSION].settings.zone
    with hosts.database(ready_made) as session:
        key = session.execute(select(Authorizer.collect_key)).scalar_one()

    def users():
        today = dt.datetime.now(zone).date()
        # Midnight may pass meanwhile.
        window = {"since": str(today - dt.timedelta(days=1)), "until": str(today)}
        asks = {"appid": appid, "metrics": ["users"], "window": window}
        return client.post("/api/v1/minicode/analysis/query", json=asks, headers=headers).get_json()["totals"]["users"]

    # The first one starts the thread, the others find it at any point of its pause.
    for number in range(1, 4):
        sent = client.post(f"/minicode/collect/v1/{key}", json={"events": [visit(f"device-{number}")]})
        accepted = time.monotonic()

        assert 1 == sent.get_json()["accepted"]
        while users() < number:
            assert time.monotonic() - accepted < PROMISED_SECONDS
            time.sleep(0.1)


def test_any_first_request_starts_one_thread(app):
    for _ in range(5):
        app.test_client().get("/")

    assert 1 == len(threads())


def test_the_thread_outlives_a_failing_database_and_says_so_without_data(app, caplog):
    engine = hosts.engine_of(app)
    client = app.test_client()
    with caplog.at_level(logging.WARNING):
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE minicode_pending RENAME TO away"))
        client.get("/")
        wait(lambda: "the roll-up failed" in caplog.text)
        with engine.begin() as connection:
            connection.execute(text("ALTER TABLE away RENAME TO minicode_pending"))
    assert 1 == client.post(NATIVE, json={"events": [visit("canary")]}).get_json()["accepted"]

    wait(lambda: counted(engine) == 1)
    assert "canary" not in caplog.text
    assert "SELECT" not in caplog.text


def test_a_host_that_rolls_up_elsewhere_has_no_thread(tmp_path):
    app = collect_app.make("sqlite", tmp_path, ROLLUP="external")
    app.test_client().get("/")

    assert ROLL_UP not in app.extensions
    assert not threads()
    hosts.close(app)


def test_a_kick_ends_the_pause(engine):
    roll_up = RollUpThread(read_settings({"FAB_MINICODE_ROLLUP_SECONDS": 3600}))
    roll_up.start(engine)
    time.sleep(0.7)
    with engine.begin() as connection:
        put(connection, name="order_paid")
    roll_up.kick()
    wait(lambda: counted(engine) == 1)
    roll_up.stop()
    wait(lambda: not threads())


def test_a_forked_worker_starts_its_own_thread(engine):
    roll_up = RollUpThread(SETTINGS)
    roll_up.start(engine)

    assert roll_up.is_started
    roll_up._pid = os.getpid() - 1  # what a worker forked from here would find
    assert not roll_up.is_started
    roll_up.stop()
    wait(lambda: not threads())


def test_in_memory_the_request_that_brought_events_counts_them_for_there_is_one_connection(tmp_path):
    app = collect_app.make_in_memory(ROLLUP="thread")
    client = app.test_client()
    for number in range(20):
        answer = client.post(NATIVE, json={"events": [visit(f"v{number}")]})

        assert (202, 1) == (answer.status_code, answer.get_json()["accepted"])
        assert number + 1 == counted(hosts.engine_of(app))
    assert not threads()


def test_what_cannot_be_counted_is_left_out_for_a_while_and_slows_nobody(app, caplog):
    client, engine = app.test_client(), hosts.engine_of(app)
    other = f"/minicode/collect/v1/{collect_app.OTHER_KEY}"
    with caplog.at_level(logging.WARNING), engine.begin() as connection:
        put(connection, authorizer_id=2, entry="no JSON")
    assert 1 == client.post(NATIVE, json={"events": [visit("a")]}).get_json()["accepted"]
    wait(lambda: "cannot be counted" in caplog.text)
    for number in range(3):
        began = time.monotonic()
        assert 1 == client.post(NATIVE, json={"events": [visit(f"b{number}")]}).get_json()["accepted"]
        wait(lambda number=number: counted(engine) == 2 + number)
        assert time.monotonic() - began < 5
    assert 1 == caplog.text.count("cannot be counted")
    assert 1 == client.post(other, json={"events": [visit("c")]}).get_json()["accepted"]
