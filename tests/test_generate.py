"""Asking WeChat for a code's picture, over HTTP against the sandbox, on both databases."""

import datetime as dt
import hashlib
import json
import threading

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from fab_minicode import authorizers, code_list, codes
from fab_minicode.errors import CodeBusy, Missing, NotAuthorized, QuotaUsedUp, WeChatError, WeChatUnavailable
from fab_minicode.models import Authorizer, Code, CodeImage
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from tests.hosts import SECRET_KEYS
from tests.stories import CHEN, NOW, WANG, draft
from tests.waiting import until

PROGRAM = SAMPLE_APPS[0]
IMAGE_A, IMAGE_B = "/wxa/getwxacode", "/wxa/getwxacodeunlimit"
LATER = NOW + dt.timedelta(seconds=1)


class World:
    """One engine, a connected mini program and the telephone."""

    def __init__(self, engine, sandbox):
        self.engine = engine
        self.vault = Vault(SECRET_KEYS)
        self.client = WeChatClient(sandbox.url, read_seconds=4, sleep=lambda _: None)
        self.tokens = Tokens(engine, self.vault, self.client)
        with Session(engine, future=True) as session:
            authorizers.connect_with_secret(
                session,
                appid=PROGRAM.appid,
                secret=Secret(PROGRAM.secret),
                nick_name="Tea house",
                actor=WANG,
                now=NOW,
                client=self.client,
                vault=self.vault,
            )
            session.commit()

    def plan(self, session, **changed):
        code = codes.plan(session, draft(appid=PROGRAM.appid, **changed), actor=WANG, now=NOW)
        session.commit()
        return code

    def generate(self, session, code, now=NOW):
        error = codes.generate(session, code, tokens=self.tokens, client=self.client, actor=CHEN, now=now)
        session.commit()
        return error


@pytest.fixture
def world(engine, sandbox):
    return World(engine, sandbox)


def ledger(session):
    return codes.quota(session, PROGRAM.appid).used


def actions(session, code):
    return [(row.action, row.by) for row in code_list.history_of(session, code)]


def test_the_picture_is_stored_once_with_its_sha256(world, session, sandbox):
    code = world.plan(session)

    assert world.generate(session, code) is None

    image = code_list.image_of(session, code)
    assert ("ready", None, None) == (code.state, code.asked_at, code.error_message)
    assert hashlib.sha256(image.content).hexdigest() == image.sha256
    assert ("image/jpeg", NOW) == (image.mime, image.fetched_at)
    assert [("created", "Wang Li"), ("generated", "Chen Jun")] == actions(session, code)
    assert (1, 1) == (ledger(session), sandbox.app(PROGRAM.appid).ac_used)
    assert code.path == json.loads(sandbox.asked(IMAGE_A)[-1].body)["path"]
    assert NOW == code.changed_at


def test_a_code_that_has_its_picture_is_not_asked_for_again(world, session, sandbox):
    code = world.plan(session)
    world.generate(session, code)

    assert world.generate(session, code, LATER) is None
    assert 1 == sandbox.count(IMAGE_A)
    assert 1 == session.execute(select(func.count()).select_from(CodeImage)).scalar_one()


def test_the_row_is_there_before_wechat_is_asked(world, engine, session, sandbox):
    # As after a crash between plan and generate: what is left is a planned row, and another process goes on with it.
    code_id = world.plan(session).id
    session.close()
    with Session(engine, future=True) as another:
        code = another.get(Code, code_id)

        assert ("planned", 1, 0) == (code.state, ledger(another), sandbox.count(IMAGE_A))
        assert world.generate(another, code) is None
        assert ("ready", 1) == (code.state, ledger(another))


def test_a_definite_no_fails_the_code_and_gives_the_reservation_back(world, session, sandbox):
    sandbox.fault("errcode", IMAGE_A, value=50002)
    code = world.plan(session)
    error = world.generate(session, code)

    assert isinstance(error, WeChatError)
    assert ("failed", 50002, None) == (code.state, code.error_code, code.asked_at)
    assert code.error_rid
    assert "rid" not in code.error_message
    assert 0 == ledger(session)
    assert ("failed", "Chen Jun") == actions(session, code)[-1]


def test_a_failed_code_can_be_tried_again_and_reserves_again(world, session, sandbox):
    sandbox.fault("errcode", IMAGE_A, value=50002)
    code = world.plan(session)
    world.generate(session, code)

    assert world.generate(session, code, LATER) is None
    assert ("ready", None, None, None) == (code.state, code.error_code, code.error_message, code.error_rid)
    assert 1 == ledger(session)
    assert ["created", "failed", "generated"] == [action for action, _ in actions(session, code)]


def test_no_quota_is_left_for_the_second_try(world, session, sandbox):
    sandbox.fault("errcode", IMAGE_A, value=50002)
    code = world.plan(session)
    world.generate(session, code)
    session.execute(update(Authorizer).values(quota_used=Authorizer.quota_limit))
    session.commit()
    with pytest.raises(QuotaUsedUp):
        world.generate(session, code, LATER)
    session.rollback()

    assert ("failed", 50002, None) == (code.state, code.error_code, code.asked_at)


@pytest.mark.parametrize("fault", ["timeout", "reset", "cut_off", "truncated", "empty"])
def test_an_answer_that_is_lost_keeps_the_reservation(world, session, sandbox, fault):
    sandbox.fault(fault, IMAGE_A)
    code = world.plan(session)
    error = world.generate(session, code)

    assert isinstance(error, WeChatUnavailable)
    assert "unknown" == code.state
    assert (1, 1, 1) == (ledger(session), sandbox.app(PROGRAM.appid).ac_used, sandbox.count(IMAGE_A))
    assert "unknown" == actions(session, code)[-1][0]


def test_an_unknown_code_that_is_tried_again_reserves_one_more(world, session, sandbox):
    sandbox.fault("reset", IMAGE_A)
    code = world.plan(session)
    world.generate(session, code)

    assert world.generate(session, code, LATER) is None
    assert ("ready", 2, 2) == (code.state, ledger(session), sandbox.app(PROGRAM.appid).ac_used)


def test_wechat_that_is_not_reached_at_all_is_a_definite_no(world, session, sandbox):
    code = world.plan(session)
    world.tokens.of(PROGRAM.appid, now=NOW)
    world.client = WeChatClient("http://127.0.0.1:9", sleep=lambda _: None)
    error = world.generate(session, code)

    assert isinstance(error, WeChatUnavailable)
    assert ("failed", 0) == (code.state, ledger(session))


def test_b_fails_without_an_answer_and_may_be_tried_again(world, session, sandbox):
    sandbox.fault("reset", IMAGE_B, times=None)
    code = world.plan(session, kind="wxacode_unlimited", landing_page="pages/index/index")
    world.generate(session, code)

    assert ("failed", 0) == (code.state, ledger(session))

    sandbox.clear_faults()

    assert world.generate(session, code, LATER) is None
    assert code.scene == json.loads(sandbox.asked(IMAGE_B)[-1].body)["scene"]


def test_a_mini_program_that_was_revoked_meanwhile_fails_the_code(world, session, sandbox):
    code = world.plan(session)
    authorizers.revoke(session, code.authorizer, actor=WANG, now=NOW)
    session.commit()
    error = world.generate(session, code)

    assert isinstance(error, NotAuthorized)
    assert ("failed", None, "not_authorized", 0) == (code.state, code.error_code, code.error_message, ledger(session))
    with pytest.raises(NotAuthorized):
        world.generate(session, code, LATER)


def test_a_deleted_code_is_not_asked_for(world, session, sandbox):
    code = world.plan(session)
    codes.delete(session, code, actor=WANG, now=NOW)
    session.commit()
    with pytest.raises(Missing):
        world.generate(session, code)

    assert 0 == sandbox.count(IMAGE_A)


def test_two_clicks_at_once_ask_once(world, engine, session, sandbox):
    sandbox.fault("latency", IMAGE_A, value=1.5)
    code_id = world.plan(session).id
    session.close()
    outcomes = []

    def click(seconds):
        with Session(engine, future=True) as own:
            try:
                outcomes.append(world.generate(own, own.get(Code, code_id), NOW + dt.timedelta(seconds=seconds)))
            except CodeBusy:
                outcomes.append("busy")

    threads = [threading.Thread(target=click, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 3 == outcomes.count("busy")
    assert 1 == outcomes.count(None)
    assert (1, 1) == (sandbox.count(IMAGE_A), ledger(session))


def test_a_claim_that_a_crash_left_behind_runs_out_and_counts_as_spent(world, session, sandbox):
    code = world.plan(session)
    # What a process leaves behind that was killed while WeChat was drawing.
    session.execute(update(Code).values(asked_at=NOW))
    session.commit()
    with pytest.raises(CodeBusy):
        world.generate(session, code, NOW + dt.timedelta(seconds=codes.ASK_SECONDS - 1))
    session.rollback()

    assert world.generate(session, code, NOW + dt.timedelta(seconds=codes.ASK_SECONDS + 1)) is None
    assert ("ready", 2) == (code.state, ledger(session))


def test_who_comes_late_with_an_answer_changes_nothing(world, engine, session, sandbox):
    sandbox.fault("latency", IMAGE_A, value=1.5)
    sandbox.fault("errcode", IMAGE_A, value=50002)
    code_id = world.plan(session).id
    session.close()

    def slow():
        with Session(engine, future=True) as own:
            world.generate(own, own.get(Code, code_id), NOW)

    thread = threading.Thread(target=slow, daemon=True)
    thread.start()
    until(lambda: sandbox.count(IMAGE_A), f"a call of {IMAGE_A}")
    sandbox.clear_faults()
    with Session(engine, future=True) as own:
        world.generate(own, own.get(Code, code_id), NOW + dt.timedelta(seconds=codes.ASK_SECONDS + 1))
    thread.join()

    code = session.get(Code, code_id)
    assert ("ready", 2) == (code.state, ledger(session))
    assert ["created", "generated"] == [action for action, _ in actions(session, code)]


def test_no_transaction_is_open_while_wechat_thinks(world, session, sandbox):
    code = world.plan(session)
    sandbox.fault("latency", IMAGE_A, value=1)
    thread = threading.Thread(target=world.generate, args=(session, code), daemon=True)
    thread.start()
    until(lambda: sandbox.count(IMAGE_A), f"a call of {IMAGE_A}")
    is_open = session.in_transaction()
    thread.join()

    assert is_open is False
    assert "ready" == code.state
