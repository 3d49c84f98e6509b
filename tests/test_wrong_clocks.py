"""
A clock that is an hour wrong, in a phone, in one of our servers, or for a while: nothing is lost or counted twice,
nobody is locked out for the hour, and all is well when the clock is.
"""

import datetime as dt

import pytest
from sqlalchemy import delete, select, update

from fab_minicode import authorization, codes
from fab_minicode.acquisition.accept import ACTIVE_SECONDS
from fab_minicode.actor import Actor
from fab_minicode.authorization import Completion
from fab_minicode.clocks import TOLERANCE
from fab_minicode.component_tokens import ComponentWay
from fab_minicode.errors import CodeBusy, InvitationRefused
from fab_minicode.models import AuthCode, Authorizer, Code, Component, Token
from fab_minicode.pushes import DONE, WAITING, note_code
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.vault import Secret, Vault
from fab_minicode.views import callbacks, collect
from fab_minicode.views.collect_gate import KNOWN_SECONDS
from tests import collect_app, databases, hosts, third_party
from tests.collect_app import KEY, stored
from tests.stories import NOW, WANG
from tests.test_generate import IMAGE_A, World
from tests.third_party import COMPONENT, PLATFORM, SHOP, push_ticket

HOUR = dt.timedelta(hours=1)
JUMPS = pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["ahead", "behind"])
NATIVE = f"/minicode/collect/v1/{KEY}"
THEN = dt.datetime(2026, 11, 22, 10, 30, 20, tzinfo=dt.timezone.utc)


def ms(instant):
    return int(instant.timestamp() * 1000)


# --------------------------------------------------------------------------------------------------------- collecting


class Phones:
    """Phones before a host whose clock can be set."""

    def __init__(self, app, monkeypatch):
        self._client, self._monkeypatch = app.test_client(), monkeypatch
        self.engine = hosts.engine_of(app)

    def send(self, *, at, told, identity="a"):
        """Send a visit at ``at`` on the server's clock whose phone says that it is ``told``."""
        self._monkeypatch.setattr(collect, "now", lambda: at)
        event = {"id": identity, "type": "visit", "visitor": "device", "time_ms": ms(told), "path": "pages/a"}
        answer = self._client.post(NATIVE, json={"events": [event]})

        assert 202 == answer.status_code, answer.get_data(as_text=True)
        return answer.get_json()["accepted"], answer.get_json()["duplicate"]


@pytest.fixture(params=databases.KINDS)
def phones(request, tmp_path, monkeypatch):
    app = collect_app.make(request.param, tmp_path)
    yield Phones(app, monkeypatch)
    hosts.close(app)


@JUMPS
def test_a_phone_s_wrong_clock_stores_its_visit_once(phones, jump):
    told = THEN + jump

    assert [(1, 0), (0, 1)] == [phones.send(at=THEN, told=told), phones.send(at=THEN + HOUR / 60, told=told)]
    # Ahead of us cannot be true, behind us can: phones send later what they could not send at once.
    assert [ms(min(told, THEN))] == [row.time_ms for row in stored(phones.engine)]


@JUMPS
def test_a_retry_across_a_jump_of_the_server_s_clock_is_no_second_visit(phones, jump):
    sent = [phones.send(at=at, told=THEN) for at in (THEN, THEN + jump, THEN)]

    assert [(1, 0), (0, 1), (0, 1)] == sent
    assert 1 == len(stored(phones.engine))


@JUMPS
def test_a_server_whose_clock_is_wrong_refuses_nobody(phones, jump):
    assert (1, 0) == phones.send(at=THEN + jump, told=THEN)
    assert [(ms(min(THEN, THEN + jump)), ms(THEN + jump))] == [
        (row.time_ms, row.received_ms) for row in stored(phones.engine)
    ]


def test_a_replaced_key_is_not_believed_for_an_hour_because_the_clock_went_back(phones):
    phones.send(at=THEN + HOUR, told=THEN)
    with phones.engine.begin() as connection:
        connection.execute(update(Authorizer.__table__).values(collect_key="another-key-" + Authorizer.appid))
    with pytest.raises(AssertionError, match="unknown_key"):
        phones.send(at=THEN + HOUR - dt.timedelta(seconds=KNOWN_SECONDS + 1), told=THEN, identity="b")


def test_when_events_came_last_is_noted_again_after_the_clock_went_back(phones):
    later = THEN + dt.timedelta(seconds=ACTIVE_SECONDS)
    for identity, at in (("a", THEN + HOUR), ("b", THEN), ("c", later)):
        phones.send(at=at, told=THEN, identity=identity)
    with phones.engine.connect() as connection:
        noted = connection.execute(select(Authorizer.last_event_at).where(Authorizer.collect_key == KEY)).scalar_one()

    assert later == noted


# ------------------------------------------------------------------------------------------------------ tokens, leases


@pytest.fixture
def world(engine, sandbox):
    return World(engine, sandbox)


@JUMPS
def test_a_token_that_a_wrong_clock_noted_costs_one_more_refresh_at_most(world, session, sandbox, jump):
    session.execute(delete(Token))
    session.commit()
    world.tokens.of(SAMPLE_APPS[0].appid, now=NOW + jump)
    before = sandbox.count("/cgi-bin/stable_token")
    sandbox.clock.advance(7300)
    code = world.plan(session)

    assert world.generate(session, code, now=NOW + dt.timedelta(seconds=7300)) is None
    assert (codes.READY, 1) == (code.state, sandbox.app(SAMPLE_APPS[0].appid).ac_used)
    assert before + 1 == sandbox.count("/cgi-bin/stable_token")


def claimed_at(session, code, at):
    session.execute(update(Code).where(Code.id == code.id).values(asked_at=at))
    session.commit()


def test_a_code_that_a_clock_ahead_has_claimed_is_not_locked_for_an_hour(world, session, sandbox):
    code = world.plan(session)
    claimed_at(session, code, NOW + HOUR)

    assert world.generate(session, code) is None
    assert codes.READY == code.state


def test_a_claim_by_a_clock_that_is_a_little_ahead_stands(world, session, sandbox):
    code = world.plan(session)
    claimed_at(session, code, NOW + TOLERANCE / 2)

    with pytest.raises(CodeBusy):
        world.generate(session, code)
    assert 0 == sandbox.count(IMAGE_A)


# ------------------------------------------------------------------------------------------- authorising, WeChat's door


def test_an_authorisation_that_a_clock_ahead_has_claimed_or_put_off_goes_on(platform_app, platform_sandbox):
    push_ticket(platform_app.test_client(), platform_sandbox)
    here, engine = platform_app.extensions["fab_minicode"], hosts.engine_of(platform_app)
    now = third_party.now()
    code = Secret(platform_sandbox.world.authorize(SHOP.appid, (17,)))
    with engine.begin() as connection:
        note_code(connection, code, vault=here.vault, now=now, appid=SHOP.appid)
        # Longer than a claim and a pause may last.
        wrong = {"claimed_until": now + HOUR, "next_at": now + HOUR, "holder": "ahead"}
        connection.execute(update(AuthCode.__table__).values(**wrong))
    tried = Completion(engine, here.vault, here.client, here.tokens(engine)).work_off(now=now)

    assert 1 == tried
    assert [DONE] == states(engine)


def test_an_honest_claim_is_left_alone(platform_app, platform_sandbox):
    here, engine = platform_app.extensions["fab_minicode"], hosts.engine_of(platform_app)
    now = third_party.now()
    with engine.begin() as connection:
        note_code(connection, Secret("code"), vault=here.vault, now=now, appid=SHOP.appid)
        until = now + authorization._CLAIM
        connection.execute(update(AuthCode.__table__).values(claimed_until=until, holder="honest"))
    tried = Completion(engine, here.vault, here.client, here.tokens(engine)).work_off(now=now)

    assert (0, [WAITING]) == (tried, states(engine))


def states(engine):
    with engine.connect() as connection:
        return list(connection.execute(select(AuthCode.state)).scalars())


def test_tickets_are_asked_for_although_a_clock_ahead_asked_last(platform_app, platform_sandbox):
    here, engine = platform_app.extensions["fab_minicode"], hosts.engine_of(platform_app)
    way = ComponentWay(engine, here.vault, here.client, here.platform)

    assert way.ask_for_tickets(third_party.now() + HOUR)
    assert way.ask_for_tickets(third_party.now())
    assert not way.ask_for_tickets(third_party.now())
    with engine.connect() as connection:
        asked_at = connection.execute(select(Component.asked_at).where(Component.appid == COMPONENT)).scalar_one()

    assert abs(asked_at - third_party.now()) < HOUR / 2


@JUMPS
def test_the_way_back_from_wechat_works_once_and_never_longer_than_its_time(engine, jump):
    bound = {"actor": WANG, "binding": "a browser's own", "now": NOW}
    with engine.begin() as connection:
        nonce = authorization.invite(connection, **bound)
    with engine.begin() as connection:
        later = {**bound, "now": NOW + jump}
        if jump > dt.timedelta():
            with pytest.raises(InvitationRefused):
                authorization.invited(connection, nonce, **later)
            return
        vault = Vault(hosts.SECRET_KEYS)
        back = authorization.come_back(connection, nonce, Secret("code"), vault=vault, **later)

        assert back == authorization.come_back(connection, nonce, Secret("code"), vault=vault, **later)
        for stolen in ({"actor": Actor("8", "Chen")}, {"binding": "another's"}):
            with pytest.raises(InvitationRefused):
                authorization.come_back(connection, nonce, Secret("code"), vault=vault, **{**later, **stolen})
        with pytest.raises(InvitationRefused):
            authorization.come_back(connection, nonce, Secret("another"), vault=vault, **later)


@JUMPS
def test_a_push_is_refused_and_counted_while_our_clock_is_wrong_and_taken_when_it_is_right(
    platform_app, platform_sandbox, monkeypatch, jump
):
    door = platform_app.test_client()
    with monkeypatch.context() as wrong:
        wrong.setattr(callbacks, "now", lambda: third_party.now() + jump)
        refused = push_ticket(door, platform_sandbox)
    taken = push_ticket(door, platform_sandbox)
    third_party.settle(platform_app)

    assert (403, b"") == (refused.status_code, refused.data)
    assert (200, b"success") == (taken.status_code, taken.data)
    with hosts.engine_of(platform_app).connect() as connection:
        told = [(one.reason, one.count) for one in callbacks.pushes.refusals(connection)]
    assert [("timestamp is outside the window", 1)] == told
    assert PLATFORM.appid == COMPONENT
