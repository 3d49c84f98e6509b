"""
WeChat goes wrong in every way we know of, and a code ends in the right state: how often WeChat was asked, whether the
reservation stays, that no secret is told. Own AppID and AppSecret, both databases.
"""

import logging
import time

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import text

from fab_minicode import authorizers, codes
from fab_minicode.models import Base, Code
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from tests.stories import NOW, WANG, draft

APP = SAMPLE_APPS[0]
STABLE = "/cgi-bin/stable_token"
ENDPOINTS = {
    "wxacode": "/wxa/getwxacode",
    "wxaqrcode": "/cgi-bin/wxaapp/createwxaqrcode",
    "wxacode_unlimited": "/wxa/getwxacodeunlimit",
}


class Desk:
    """One person with one mini program: makes codes and looks at what came of them."""

    def __init__(self, session, sandbox):
        self.session, self.sandbox = session, sandbox
        vault = Vault([Fernet.generate_key().decode()])
        self.client = WeChatClient(
            sandbox.url, connect_seconds=2, read_seconds=2, total_seconds=4, sleep=lambda _: None
        )
        self.tokens = Tokens(session.get_bind(), vault, self.client)
        authorizers.connect_with_secret(
            session,
            appid=APP.appid,
            secret=Secret(APP.secret),
            nick_name="山间咖啡",
            actor=WANG,
            now=NOW,
            client=self.client,
            vault=vault,
        )
        session.commit()
        self.token = self.tokens.of(APP.appid, now=NOW)
        self.tokens_before = sandbox.count(STABLE)

    def make(self, kind="wxacode", name="a"):
        code = codes.plan(
            self.session, draft(appid=APP.appid, kind=kind, name=name, landing_page="p"), actor=WANG, now=NOW
        )
        self.session.commit()
        self.error = self.generate(code)
        return code

    def generate(self, code):
        error = codes.generate(self.session, code, tokens=self.tokens, client=self.client, actor=WANG, now=NOW)
        self.session.commit()
        return error

    def asked(self, kind="wxacode"):
        return self.sandbox.count(ENDPOINTS[kind])

    def asked_tokens(self):
        return self.sandbox.count(STABLE) - self.tokens_before

    def reserved(self):
        return codes.quota(self.session, APP.appid).used


@pytest.fixture
def desk(session, sandbox):
    return Desk(session, sandbox)


# After these WeChat may have made the code: (fault, value).
UNKNOWN = [
    ("timeout", 30),
    ("slow_body", 30),
    ("slow_headers", 30),
    ("reset", None),
    ("cut_off", None),
    ("truncated", None),
    ("huge", None),
    ("empty", None),
    ("gif", None),
    ("pixel_bomb", None),
    ("html", 500),
    ("html", 502),
    ("html", 503),
    ("html", 504),
    ("redirect", "/elsewhere"),
]


@pytest.mark.parametrize("fault, value", UNKNOWN, ids=str)
def test_after_a_lost_answer_to_a_the_outcome_is_unknown_and_stays_reserved(desk, sandbox, fault, value):
    sandbox.fault(fault, ENDPOINTS["wxacode"], value=value)
    code = desk.make()

    assert ("unknown", 1, 1, 0) == (code.state, desk.reserved(), desk.asked(), sandbox.count("/elsewhere"))
    assert desk.reserved() >= sandbox.app(APP.appid).ac_used


@pytest.mark.parametrize("kind, state, reserved", [("wxaqrcode", "unknown", 1), ("wxacode_unlimited", "failed", 0)])
def test_a_lost_answer_matters_where_quota_is_spent(desk, sandbox, kind, state, reserved):
    sandbox.fault("timeout", ENDPOINTS[kind])
    code = desk.make(kind)

    assert (state, reserved, 1) == (code.state, desk.reserved(), desk.asked(kind))


@pytest.mark.parametrize("errcode", [45009, 45029, 48001, 41030, 40159, 40097, 50002, 61003])
@pytest.mark.parametrize("content_type", [None, "image/jpeg"])
def test_a_definite_no_fails_with_its_number_and_frees_the_reservation(desk, sandbox, errcode, content_type):
    sandbox.fault("errcode", ENDPOINTS["wxacode"], value=errcode)
    if content_type:
        sandbox.fault("content_type", ENDPOINTS["wxacode"], value=content_type)
    code = desk.make()

    assert ("failed", errcode, 0, 1) == (code.state, code.error_code, desk.reserved(), desk.asked())
    assert code.error_rid
    assert None is desk.generate(code)
    assert ("ready", 1) == (code.state, desk.reserved())


@pytest.mark.parametrize("spoil", [("errcode_text", None), ("bom", None), ("content_type", "text/plain")], ids=str)
def test_a_no_in_odd_clothes_is_a_no(desk, sandbox, spoil):
    sandbox.fault("errcode", ENDPOINTS["wxacode"], value=45029)
    sandbox.fault(spoil[0], ENDPOINTS["wxacode"], value=spoil[1])

    assert ("failed", 45029) == ((code := desk.make()).state, code.error_code)


def test_a_picture_that_calls_itself_text_is_a_picture(desk, sandbox):
    sandbox.fault("content_type", ENDPOINTS["wxacode"], value="text/plain")

    assert "ready" == desk.make().state


@pytest.mark.parametrize("times, outcome", [(1, ("ready", 2, 1)), (None, ("failed", 2, 0))])
def test_busy_is_borne_once(desk, sandbox, times, outcome):
    sandbox.fault("errcode", ENDPOINTS["wxacode"], value=-1, times=times)

    assert outcome == (desk.make().state, desk.asked(), desk.reserved())


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_a_token_refused_once_is_refreshed_once_and_the_code_is_made(desk, sandbox, errcode):
    sandbox.fault("errcode", ENDPOINTS["wxacode"], value=errcode)

    assert ("ready", 2, 1) == (desk.make().state, desk.asked(), sandbox.app(APP.appid).ac_used)
    assert 2 == desk.asked_tokens()  # the same token again, then another by force


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_tokens_refused_for_ever_end_after_one_refresh_and_one_retry(desk, sandbox, errcode):
    sandbox.fault("errcode", ENDPOINTS["wxacode"], value=errcode, times=None)
    code = desk.make()

    assert ("failed", errcode, 2, 0) == (code.state, code.error_code, desk.asked(), desk.reserved())
    assert 2 == desk.asked_tokens()


def test_a_token_that_really_died_is_replaced_without_force(desk, sandbox):
    sandbox.world.clocks.end(APP.appid)

    assert ("ready", 2, 1) == (desk.make().state, desk.asked(), desk.asked_tokens())


def test_wechat_away_makes_nothing(desk):
    desk.client = WeChatClient("http://127.0.0.1:9", sleep=lambda _: None)
    code = desk.make()

    assert ("failed", 0) == (code.state, desk.reserved())
    assert code.error_message


@pytest.mark.parametrize("spoil", [("timeout", 30), ("html", 500), ("empty", None), ("errcode", 40164)], ids=str)
def test_without_a_token_nothing_is_asked_for(desk, sandbox, session, spoil):
    session.execute(text("DELETE FROM minicode_tokens"))
    session.commit()
    sandbox.fault(spoil[0], STABLE, value=spoil[1])
    code = desk.make()

    assert ("failed", 0, 0) == (code.state, desk.asked(), desk.reserved())


@pytest.mark.parametrize("spoil", [*UNKNOWN, ("errcode", 40001), ("errcode", 40013), ("errcode", 45009)], ids=str)
def test_no_failure_tells_a_secret_in_a_log_or_a_row(desk, sandbox, session, caplog, spoil):
    fault, value = spoil
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")
    sandbox.fault(fault, ENDPOINTS["wxacode"], value=value, times=None)
    desk.make()
    session.execute(text("DELETE FROM minicode_tokens"))
    session.commit()
    sandbox.clear_faults()
    sandbox.fault(fault, STABLE, value=value, times=None)
    desk.make(name="b")
    tables = [table for table in Base.metadata.sorted_tables if table.name.startswith("minicode_")]
    told = caplog.text + str([list(session.execute(table.select())) for table in tables])
    told += "".join(f"{record.msg} {record.args}" for record in caplog.records)

    assert APP.secret not in told
    assert desk.token.reveal() not in told
    assert session.get(Code, 1).error_message


def test_no_call_outlasts_its_deadline(desk, sandbox):
    sandbox.fault("slow_body", value=0.05, times=None)
    started = time.monotonic()
    desk.make()

    assert time.monotonic() - started < 9
