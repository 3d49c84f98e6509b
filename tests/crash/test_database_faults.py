"""
The database dies, is locked or its disk is full under a running host, and comes back: 503 meanwhile, never a success
that is none, nothing acknowledged lost, and everything works again without a restart of the host.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select, update

from fab_minicode import codes
from fab_minicode.models import Authorizer, Code, Pending, StoredEvent
from fab_minicode.runtime import now
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.views.collect import ROLL_UP
from tests import hosts
from tests.crash import faults
from tests.pages import FIELDS
from tests.postgresql import Cluster
from tests.waiting import until

APPID = SAMPLE_APPS[0].appid
IMAGE_A = "/wxa/getwxacode"
PAGES = ("/minicode/codes/list/", "/minicode/authorizers/list/", "/minicode/analysis/", "/minicode/audit/list/")
BODY = {"appid": APPID, "name": "by REST", "landing_page": "pages/a", "kind": "wxacode", "utm_source": "s"}
ENOUGH_TO_GROW_A_TABLE = 900
TIMES = {"sqlite": {"connect_args": {"timeout": 0.3}}, "postgresql": {"connect_args": {"connect_timeout": 5}}}
FAULTS = ("postgresql-killed", "postgresql-stopped", "postgresql-full", "sqlite-locked", "sqlite-full")


@dataclass
class Place:
    """A running host with a person's browser, a program with a JWT, phones, and what will happen to its database."""

    app: Flask
    browser: FlaskClient
    token: str
    jwt: dict[str, str]
    fault: Any
    collect: str
    _sent = 0

    def page(self, address: str = PAGES[0]) -> Any:
        return self.browser.get(address)

    def rest(self) -> Any:
        return self.app.test_client().get("/api/v1/minicode/codes/", headers=self.jwt)

    def make_by_page(self, name: str) -> Any:
        fields = {**FIELDS, "name": name, "csrf_token": self.token}
        return self.browser.post("/minicode/codes/add", data=fields)

    def make_by_rest(self, name: str) -> Any:
        return self.app.test_client().post("/api/v1/minicode/codes/", json={**BODY, "name": name}, headers=self.jwt)

    def phones(self, count: int = 1) -> Any:
        """Send new visits in one request."""
        now_ms = int(now().timestamp() * 1000)
        self._sent += 1
        visits = [
            {"id": f"{self._sent}-{n}", "type": "visit", "visitor": "v" * 40, "time_ms": now_ms, "path": f"pages/{n}"}
            for n in range(count)
        ]
        return self.app.test_client().post(self.collect, json={"events": visits})

    def rows(self, *columns: Any) -> list[tuple[Any, ...]]:
        with hosts.database(self.app) as session:
            return [tuple(row) for row in session.execute(select(*columns).order_by(*columns[:1]))]

    @contextlib.contextmanager
    def trouble(self) -> Iterator[None]:
        self.fault.begin()
        try:
            yield
        finally:
            self.fault.end()


@pytest.fixture(scope="module")
def cluster():
    """A PostgreSQL server that may be killed; nobody else's tests are on it."""
    cluster = Cluster()
    cluster.start()
    faults.furnish(cluster)
    yield cluster
    cluster.remove()


@pytest.fixture(params=FAULTS)
def place(request, tmp_path, sandbox):
    kind, what = request.param.split("-")
    with contextlib.ExitStack() as stack:
        disk = stack.enter_context(faults.small_disk()) if what == "full" else tmp_path
        if kind == "sqlite":
            url = hosts.copy_of_template(kind, disk)
            fault = faults.Full(disk) if what == "full" else faults.Locked(url)
        else:
            cluster = request.getfixturevalue("cluster")
            url = stack.enter_context(postgresql(cluster, disk if what == "full" else None))
            take_down = cluster.kill if what == "killed" else cluster.stop
            fault = faults.Full(disk) if what == "full" else faults.Down(cluster, take_down)
        yield from running(url, kind, sandbox, fault)


@contextlib.contextmanager
def postgresql(cluster, disk):
    if disk is not None:
        with faults.database_on(cluster, disk) as url:
            yield url
        return
    faults.administer(cluster, "CREATE DATABASE perishing TEMPLATE furnished")
    yield cluster.url("perishing")
    faults.administer(cluster, "DROP DATABASE perishing WITH (FORCE)")


def running(url, kind, sandbox, fault):
    app = hosts.make_host(
        url,
        FAB_MINICODE_WECHAT_API_URL=sandbox.url,
        FAB_MINICODE_ROLLUP="thread",
        FAB_MINICODE_ROLLUP_SECONDS=0.2,
        SQLALCHEMY_ENGINE_OPTIONS=TIMES[kind],
    )
    hosts.connect(app)
    browser = hosts.login(app.test_client(), "manager")
    with hosts.database(app) as session:
        key = session.execute(select(Authorizer.collect_key)).scalar_one()
    token, jwt = hosts.csrf_token(browser), hosts.bearer(browser, "manager")
    place = Place(app, browser, token, jwt, fault, f"/minicode/collect/v1/{key}")

    assert [200, 200, 202] == [place.page().status_code, place.rest().status_code, place.phones().status_code]
    yield place
    app.extensions[ROLL_UP].stop()
    until(lambda: not roll_up_threads(), "the end of the roll-up thread")
    hosts.close(app)


def roll_up_threads():
    return [thread for thread in threading.enumerate() if thread.name == "fab-minicode-roll-up"]


def assert_says_come_again(answer):
    text = answer.get_data(as_text=True)

    assert 503 == answer.status_code, text
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert not [
        word for word in ("Traceback", "sqlalchemy", "psycopg2", "minicode_", "INSERT", "SELECT") if word in text
    ]


def assert_works_again(place):
    """Each way in, within seconds and without a restart; the first ones may still meet a dead connection."""
    until(lambda: place.phones().status_code == 202, "the collector stores again")
    until(lambda: place.page().status_code == 200, "a page shows again")
    until(lambda: place.rest().status_code == 200, "REST answers again")
    until(lambda: [] == place.rows(Pending.key), "everything is counted")

    assert 1 == len(roll_up_threads())


def test_everybody_is_told_to_come_again_and_it_works_again(place, sandbox):
    before = place.rows(StoredEvent.key)
    with place.trouble():
        refused = [place.phones(ENOUGH_TO_GROW_A_TABLE) for _ in range(3)]
        pages = [place.page(address) for address in PAGES]
        listed = place.rest()
        stored = None if not place.fault.can_read else place.rows(StoredEvent.key)
    for answer in refused:
        assert_says_come_again(answer)
    for answer in (*pages, listed):
        if place.fault.can_read:
            assert 200 == answer.status_code
        else:
            assert_says_come_again(answer)
    assert stored in (None, before)
    assert_works_again(place)
    again = place.phones(ENOUGH_TO_GROW_A_TABLE)

    assert (202, ENOUGH_TO_GROW_A_TABLE) == (again.status_code, again.get_json()["accepted"])
    assert 0 == sandbox.count(IMAGE_A)


@pytest.mark.parametrize("ci, outcome", [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_disk_that_cannot_be_mounted_is_passed_over_by_hand_only(monkeypatch, ci, outcome):
    refused = subprocess.CompletedProcess((), 32, "", "mount: permission denied")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: refused)
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="permission denied"), faults.small_disk():
        pass


# ------------------------------------------------------------------------------------------------- making a code


def quota_used(place):
    return place.rows(Authorizer.quota_used)[0][0]


def begins_when_wechat_is_asked(place, sandbox):
    """Return a thread that waits for WeChat to be asked for a picture, and then lets the fault begin."""
    sandbox.fault("latency", IMAGE_A, value=2.0)
    before = sandbox.count(IMAGE_A)

    def work():
        until(lambda: sandbox.count(IMAGE_A) > before, "WeChat is asked")
        place.fault.begin()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("way", ["page", "rest"])
def test_no_code_is_made_while_nothing_can_be_stored(place, sandbox, way):
    make = place.make_by_page if way == "page" else place.make_by_rest
    with place.trouble():
        answer = make("in vain")
    assert_works_again(place)

    assert_says_come_again(answer)
    assert [] == place.rows(Code.id, Code.state)
    assert (0, 0) == (quota_used(place), sandbox.count(IMAGE_A))

    made = make("at last")

    assert made.status_code in {201, 302}
    assert [("at last", codes.READY)] == place.rows(Code.name, Code.state)
    assert 1 == quota_used(place) == sandbox.app(APPID).ac_used


@pytest.mark.parametrize("way", ["page", "rest"])
def test_what_wechat_made_and_nobody_could_store_is_reserved_and_can_be_asked_again(place, sandbox, way):
    make = place.make_by_page if way == "page" else place.make_by_rest
    waiting = begins_when_wechat_is_asked(place, sandbox)
    try:
        answer = make("half made")
        waiting.join(60)
    finally:
        place.fault.end()
    assert_works_again(place)

    assert_says_come_again(answer)
    ((code_id, state),) = place.rows(Code.id, Code.state)
    assert codes.PLANNED == state
    assert 1 == quota_used(place) == sandbox.app(APPID).ac_used

    retry = f"/api/v1/minicode/codes/{code_id}/retry"
    client = place.app.test_client()
    assert 409 == client.post(retry, headers=place.jwt).status_code
    with hosts.database(place.app) as session:
        session.execute(update(Code).values(asked_at=now() - dt.timedelta(seconds=codes.ASK_SECONDS + 1)))
        session.commit()
    again = client.post(retry, headers=place.jwt)

    assert (200, codes.READY) == (again.status_code, again.get_json()["state"])
    assert 2 == quota_used(place) == sandbox.app(APPID).ac_used
