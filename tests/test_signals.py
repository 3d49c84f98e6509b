"""Signals: after COMMIT, once, with plain values; nothing of an act that was rolled back; receivers harm nothing."""

from __future__ import annotations

import datetime as dt
import threading
from contextlib import contextmanager, suppress
from functools import partial

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from fab_minicode import authorizers, codes, signals
from fab_minicode.acquisition import firsts
from fab_minicode.acquisition.rollup import roll_up, roll_up_all
from fab_minicode.models import Authorizer, Code
from fab_minicode.models.acquisition import TEST
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts, stories, third_party, worlds
from tests.events import Told, store
from tests.pages import make, send
from tests.stories import NOW, WANG, draft

SETTINGS = worlds.settings_in("Asia/Shanghai")
THEN = int(NOW.timestamp() * 1000) - 3_600_000
PLAIN = (str, int, dt.datetime)


def _hear(heard, signal_name, appid, /, **values):
    heard.append((signal_name, appid, values))


@contextmanager
def hearing(*names):
    """Collect ``(name, sender, values)`` of what is sent."""
    heard = []
    receivers = []
    for name in names or signals.SIGNALS:
        receive = partial(_hear, heard, name)
        receivers.append((name, receive))
        signals.SIGNALS[name].connect(receive)
    yield heard
    for name, receive in receivers:
        signals.SIGNALS[name].disconnect(receive)


@pytest.fixture
def shop(session):
    """A mini program that may be acted for."""
    session.add(stories.authorizer())
    session.commit()
    return stories.APPID


def names_of(heard):
    return [name for name, *_ in heard]


def plan(session, **changed):
    return codes.plan(session, draft(**changed), actor=WANG, now=NOW)


def test_a_code_is_told_after_the_commit_and_only_then(session, shop):
    with hearing() as heard:
        code = plan(session)
        assert [] == heard
        session.commit()
        session.commit()

    ((name, appid, values),) = heard
    assert ("code_created", shop) == (name, appid)
    assert {
        "code_id": code.id,
        "name": code.name,
        "actor_id": "7",
        "actor": "Wang Li",
        "at": NOW,
    }.items() <= values.items()
    assert all(isinstance(value, PLAIN) for value in values.values())


@pytest.mark.parametrize("end", ["rollback", "close"])
def test_what_is_rolled_back_is_not_told_and_neither_is_it_later(session, shop, end):
    with hearing() as heard:
        plan(session)
        getattr(session, end)()
        plan(session, name="Another")
        session.commit()

    assert ["Another"] == [values["name"] for _, _, values in heard]


def test_a_savepoint_that_is_rolled_back_takes_its_own_with_it(session, shop):
    with hearing() as heard:
        plan(session, name="Kept")
        savepoint = session.begin_nested()
        plan(session, name="Dropped")
        savepoint.rollback()
        with session.begin_nested():
            plan(session, name="Kept too")
        assert [] == heard
        session.commit()

    assert ["Kept", "Kept too"] == [values["name"] for _, _, values in heard]


def test_a_registry_of_sessions_tells_as_well(engine, session, shop):
    registry = scoped_session(sessionmaker(engine, future=True))
    with hearing() as heard:
        plan(registry)
        registry.commit()
        registry.remove()

    assert ["code_created"] == names_of(heard)


def test_a_receiver_that_fails_harms_nothing_and_its_words_are_not_logged(session, shop, caplog):
    def fails(appid, **values):
        raise RuntimeError("a password")

    signals.code_created.connect(fails)
    with hearing() as heard:
        plan(session)
        session.commit()
    signals.code_created.disconnect(fails)

    assert ["code_created"] == names_of(heard)
    assert "RuntimeError" in caplog.text
    assert "a password" not in caplog.text
    assert 1 == len(session.execute(select(Code.id)).all())


def test_a_receiver_may_use_the_database_in_a_session_of_its_own(engine, session, shop):
    found = []

    def looks(appid, code_id, **values):
        with Session(engine, future=True) as own:
            own.get(Code, code_id).remark = "seen"
            own.commit()
            found.append(code_id)

    with signals.code_created.connected_to(looks):
        code = plan(session)
        session.commit()

    assert [code.id] == found
    assert "seen" == code.remark


def test_a_deleted_code_is_told_once(session, shop):
    code = plan(session)
    session.commit()
    with hearing() as heard:
        codes.delete(session, code, actor=WANG, now=NOW)
        session.commit()

    assert [("code_deleted", code.id)] == [(name, values["code_id"]) for name, _, values in heard]


def test_a_quota_that_runs_low_is_told_at_its_two_shares_and_not_between(session, shop):
    row = session.execute(select(Authorizer)).scalar_one()
    row.quota_limit, row.quota_used = 20, 14
    session.commit()
    with hearing("quota_low") as heard:
        for number in range(6):
            plan(session, name=f"Code {number}")
            session.commit()

    assert [(80, 16, 20), (95, 19, 20)] == [(v["percent"], v["used"], v["limit"]) for _, _, v in heard]


def test_codes_without_quota_never_run_it_low(session, shop):
    row = session.execute(select(Authorizer)).scalar_one()
    row.quota_limit, row.quota_used = 20, 16
    session.commit()
    with hearing("quota_low") as heard:
        plan(session, kind="wxacode_unlimited", landing_page="pages/index/index")
        session.commit()

    assert [] == heard


@pytest.mark.parametrize("limit", [1, 2, 7, 20, 100_000])
def test_each_share_is_crossed_exactly_once_on_the_way_up(limit):
    crossed = [percent for used in range(1, limit + 1) for percent in signals.crossed(used, limit)]

    assert sorted(crossed) == sorted(signals.QUOTA_PERCENTS)


def told(event_id, code, at=0, **more):
    return Told(f"visitor {event_id}", THEN + at, short_key=code.short_key, **more)


def test_the_first_visit_of_a_code_is_told_once_and_a_late_one_only_moves_the_time(engine, session, shop):
    code = plan(session, kind="wxacode_unlimited", landing_page="pages/index/index")
    session.commit()
    with hearing() as heard:
        store(engine, [told(1, code)], state=TEST)
        roll_up(engine, settings=SETTINGS, now=NOW)
        assert [] == heard
        store(engine, [told(2, code, 5_000), told(3, code, 9_000)])
        roll_up(engine, settings=SETTINGS, now=NOW)
        store(engine, [told(4, code, 1_000), told(5, code, 7_000)])
        roll_up(engine, settings=SETTINGS, now=NOW)

    ((name, appid, values),) = heard
    assert ("first_visit_of_code", shop, code.id) == (name, appid, values["code_id"])
    assert THEN + 5_000 == values["at"].timestamp() * 1000
    session.expire_all()
    assert THEN + 1_000 == code.first_visit_at.timestamp() * 1000


def test_several_workers_tell_a_first_visit_once(engine, session, shop):
    made = [plan(session, name=f"B{n}", kind="wxacode_unlimited", landing_page="pages/index/index") for n in range(5)]
    session.commit()
    session.refresh(made[0])
    store(engine, [told(10 * n + i, code, i) for n, code in enumerate(made) for i in range(4)])
    ids = sorted(code.id for code in made)
    session.commit()
    with hearing() as heard:
        work = [
            threading.Thread(target=roll_up_all, args=(engine,), kwargs={"settings": SETTINGS, "now": NOW, "limit": 3})
            for _ in range(4)
        ]
        for one in work:
            one.start()
        for one in work:
            one.join()
        roll_up_all(engine, settings=SETTINGS, now=NOW)

    assert ids == sorted(values["code_id"] for _, _, values in heard)


def _begin_and_fail(engine, code):
    with signals.begin(engine) as connection:
        firsts.note_first_visits(connection, code.authorizer_id, np.array([code.id]), np.array([THEN]))
        raise RuntimeError


def test_a_roll_up_that_fails_tells_nothing_and_the_next_one_does(engine, session, shop):
    code = plan(session, kind="wxacode_unlimited", landing_page="pages/index/index")
    session.commit()
    store(engine, [told(1, code)])
    with hearing() as heard:
        with pytest.raises(RuntimeError):
            _begin_and_fail(engine, code)
        assert [] == heard
        roll_up(engine, settings=SETTINGS, now=NOW)

    assert ["first_visit_of_code"] == names_of(heard)


def test_the_doors_tell_who_did_it(app, client):
    with hearing() as heard:
        hosts.connect(app)
        manager = hosts.login(client, "manager")
        make(manager, appid=SAMPLE_APPS[0].appid)
        with hosts.database(app) as session:
            number = session.execute(select(Code.id)).scalar_one()
        send(manager, f"/minicode/codes/delete/{number}")

    assert ["authorizer_authorized", "code_created", "code_deleted"] == names_of(heard)
    assert {hosts.user_id(app, "manager")} == {values["actor_id"] for _, _, values in heard[1:]}
    assert {SAMPLE_APPS[0].appid} == {appid for _, appid, _ in heard}


def test_a_code_says_when_it_was_first_visited(app, client):
    hosts.connect(app)
    make(hosts.login(client, "manager"), appid=SAMPLE_APPS[0].appid)
    with hosts.database(app) as session:
        code = session.execute(select(Code)).scalar_one()
        address = f"/minicode/codes/show/{code.id}"
        before = client.get(address).get_data(as_text=True)
        rest = f"/api/v1/minicode/codes/{code.id}"
        assert client.get(rest, headers=hosts.bearer(client, "manager")).json["first_visit_at"] is None
        code.first_visit_at = NOW
        session.commit()

    assert "First visit</dt><dd>None yet" in before
    assert "First visit</dt><dd>None yet" not in client.get(address).get_data(as_text=True)
    shown = client.get(rest, headers=hosts.bearer(client, "manager")).json
    assert "2026-11-22T04:00:00.000Z" == shown["first_visit_at"]


def test_a_mini_program_that_is_disconnected_is_told(app):
    hosts.connect(app)
    with hearing() as heard, hosts.database(app) as session:
        row = authorizers.authorizer_of(session, SAMPLE_APPS[0].appid)
        authorizers.rotate_collect_key(session, row, actor=WANG, now=NOW)
        authorizers.revoke(session, row, actor=WANG, now=NOW)
        session.commit()

    assert ["authorizer_revoked"] == names_of(heard)


def test_what_wechat_pushes_is_told(platform_app, platform_sandbox):
    client = platform_app.test_client()
    with hearing() as heard:
        third_party.push_ticket(client, platform_sandbox)
        code = platform_sandbox.platform.authorize(third_party.SHOP.appid, (17, 88))
        third_party.push(client, "authorized", **third_party.authorized_fields(platform_sandbox, code))
        third_party.settle(platform_app)
        for _ in range(2):
            third_party.push(client, "unauthorized", AuthorizerAppid=third_party.SHOP.appid)

    assert "authorizer_authorized" == heard[0][0]
    assert {"authorizer_revoked"} == set(names_of(heard[1:]))
    assert {third_party.SHOP.appid} == {appid for _, appid, _ in heard}
    assert {"component"} == {values["credential"] for *_, values in heard}


def test_what_was_announced_in_a_savepoint_goes_with_it(engine):
    with hearing("first_visit_of_code") as heard, signals.begin(engine) as connection:
        signals.announce(connection, signals.first_visit_of_code, "wx-before")
        with suppress(ValueError), signals.savepoint(connection):
            signals.announce(connection, signals.first_visit_of_code, "wx-gone")
            raise ValueError("away")
        with signals.savepoint(connection):
            signals.announce(connection, signals.first_visit_of_code, "wx-kept")

    assert ["wx-before", "wx-kept"] == [sender for _, sender, _ in heard]
