"""
WeChat goes wrong in every way we know of, and a code ends in the right state: how often WeChat was asked, whether the
reservation stays, that no secret is told. By the mini program's own AppID and AppSecret and by what it granted to the
third-party platform, on both databases.
"""

import logging
import time
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, text

from fab_minicode import authorizers, codes
from fab_minicode.authorization import Completion
from fab_minicode.component_tokens import place_of_ticket, take_ticket
from fab_minicode.models import Authorizer, Base, Code
from fab_minicode.pushes import note_code
from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.component import AUTHORIZER_LIST, AUTHORIZER_TOKEN, Platform
from fab_minicode.wechat.component import TOKEN as COMPONENT_TOKEN
from tests.stories import NOW, WANG, draft
from tests.third_party import COMPONENT, PLATFORM

APP = SAMPLE_APPS[0]
STABLE = "/cgi-bin/stable_token"
ENDPOINTS = {
    "wxacode": "/wxa/getwxacode",
    "wxaqrcode": "/cgi-bin/wxaapp/createwxaqrcode",
    "wxacode_unlimited": "/wxa/getwxacodeunlimit",
}


class Desk:
    """One person with one mini program: makes codes and looks at what came of them."""

    credential, token_endpoint = "secret", STABLE
    # WeChat hands out the same token first; only by force another one.
    renewals_of_a_refused_token = 2

    def __init__(self, session, sandbox):
        self.session, self.sandbox = session, sandbox
        self.vault = Vault([Fernet.generate_key().decode()])
        self.client = WeChatClient(
            sandbox.url, connect_seconds=2, read_seconds=2, total_seconds=4, sleep=lambda _: None
        )
        platform = Platform(COMPONENT, Secret(PLATFORM.secret))
        self.tokens = Tokens(session.get_bind(), self.vault, self.client, platform=platform)
        self.connect()
        self.token = self.tokens.of(APP.appid, now=NOW)
        self.tokens_before = sandbox.count(self.token_endpoint)

    def connect(self):
        authorizers.connect_with_secret(
            self.session,
            appid=APP.appid,
            secret=Secret(APP.secret),
            nick_name="山间咖啡",
            actor=WANG,
            now=NOW,
            client=self.client,
            vault=self.vault,
        )
        self.session.commit()

    def secrets(self):
        """What no log and no row may hold."""
        return [APP.secret, self.token.reveal()]

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
        return self.sandbox.count(self.token_endpoint) - self.tokens_before

    def reserved(self):
        return codes.quota(self.session, APP.appid).used


class PlatformDesk(Desk):
    """The same for a mini program that authorised the third-party platform: its tokens are the platform's to renew."""

    credential, token_endpoint = "component", AUTHORIZER_TOKEN
    renewals_of_a_refused_token = 1

    def connect(self):
        engine, world = self.session.get_bind(), self.sandbox.platform
        sealed = self.vault.seal(Secret(world.next_ticket()), place_of_ticket(COMPONENT))
        with engine.begin() as connection:
            take_ticket(connection, COMPONENT, sealed, created_at=NOW, now=NOW)
            code = Secret(self.sandbox.world.authorize(APP.appid, (17,)))
            digest = note_code(connection, code, vault=self.vault, now=NOW, appid=APP.appid)
        Completion(engine, self.vault, self.client, self.tokens).complete(digest, now=NOW, wait=True)

    def secrets(self):
        world = self.sandbox.platform
        granted = [one.refresh_token for one in world.granted.values()]
        return [PLATFORM.secret, self.token.reveal(), world.ticket, *world.tokens, *granted]


DESKS = (Desk, PlatformDesk)


@pytest.fixture
def sandbox():
    with Sandbox(SAMPLE_APPS, platform=replace(PLATFORM)) as sandbox:
        yield sandbox


@pytest.fixture(params=DESKS, ids=lambda desk: desk.credential)
def desk(request, session, sandbox):
    return request.param(session, sandbox)


def test_each_desk_works_by_its_own_credential(desk, sandbox, session):
    assert desk.credential == session.execute(select(Authorizer.credential)).scalar_one()
    assert "ready" == desk.make().state
    # A secret proves itself by one fetch and is asked again for the first token; an authorisation brings one along.
    assert {"secret": (2, 0), "component": (0, 0)}[desk.credential] == (
        sandbox.count(STABLE), sandbox.count(AUTHORIZER_TOKEN),
    )  # fmt: skip


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
    assert desk.renewals_of_a_refused_token == desk.asked_tokens()


@pytest.mark.parametrize("errcode", [40001, 40014, 42001])
def test_tokens_refused_for_ever_end_after_one_refresh_and_one_retry(desk, sandbox, errcode):
    sandbox.fault("errcode", ENDPOINTS["wxacode"], value=errcode, times=None)
    code = desk.make()

    assert ("failed", errcode, 2, 0) == (code.state, code.error_code, desk.asked(), desk.reserved())
    assert desk.renewals_of_a_refused_token == desk.asked_tokens()


def test_a_token_that_really_died_is_replaced_without_force(desk, sandbox):
    sandbox.world.clocks.end(APP.appid)

    assert ("ready", 2, 1) == (desk.make().state, desk.asked(), desk.asked_tokens())


def test_wechat_away_makes_nothing(desk):
    desk.client = WeChatClient("http://127.0.0.1:9", sleep=lambda _: None)
    code = desk.make()

    assert ("failed", 0) == (code.state, desk.reserved())
    assert code.error_message


WAYS_TO_A_TOKEN = [
    (Desk, STABLE),
    *((PlatformDesk, path) for path in (COMPONENT_TOKEN, AUTHORIZER_LIST, AUTHORIZER_TOKEN)),
]


@pytest.mark.parametrize("desk, endpoint", WAYS_TO_A_TOKEN, indirect=["desk"], ids=str)
@pytest.mark.parametrize("spoil", [("timeout", 30), ("html", 500), ("empty", None), ("errcode", 40164)], ids=str)
def test_without_a_token_nothing_is_asked_for(desk, sandbox, session, endpoint, spoil):
    forget_tokens(session)
    before = sandbox.count(endpoint)
    sandbox.fault(spoil[0], endpoint, value=spoil[1])
    code = desk.make()

    assert ("failed", 0, 0) == (code.state, desk.asked(), desk.reserved())
    assert sandbox.count(endpoint) > before


def forget_tokens(session):
    """A platform then finds the refresh token in WeChat's list."""
    session.execute(text("DELETE FROM minicode_tokens"))
    session.commit()


@pytest.mark.parametrize("spoil", [*UNKNOWN, ("errcode", 40001), ("errcode", 40013), ("errcode", 45009)], ids=str)
def test_no_failure_tells_a_secret_in_a_log_or_a_row(desk, sandbox, session, caplog, spoil):
    fault, value = spoil
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    caplog.set_level(logging.DEBUG, "sqlalchemy.engine")
    sandbox.fault(fault, ENDPOINTS["wxacode"], value=value, times=None)
    desk.make()
    forget_tokens(session)
    sandbox.clear_faults()
    for endpoint in (STABLE, AUTHORIZER_TOKEN):
        sandbox.fault(fault, endpoint, value=value, times=None)
    desk.make(name="b")
    tables = [table for table in Base.metadata.sorted_tables if table.name.startswith("minicode_")]
    told = caplog.text + str([list(session.execute(table.select())) for table in tables])
    told += "".join(f"{record.msg} {record.args}" for record in caplog.records)

    assert not [secret for secret in desk.secrets() if secret in told]
    assert session.get(Code, 1).error_message


def test_no_call_outlasts_its_deadline(desk, sandbox):
    sandbox.fault("slow_body", value=0.05, times=None)
    started = time.monotonic()
    desk.make()

    assert time.monotonic() - started < 9
