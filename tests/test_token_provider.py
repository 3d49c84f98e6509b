"""A host that keeps WeChat's tokens itself hands them in."""

from __future__ import annotations

import sys
import types

import pytest
from sqlalchemy import select

from fab_minicode.errors import ConfigurationError, TokenRejected, WeChatUnavailable
from fab_minicode.models import Code, Token
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.token_provider import load_provider
from fab_minicode.vault import Secret
from tests import databases, hosts
from tests.pages import AUTHORIZERS, make, read, send

PROGRAM = SAMPLE_APPS[0]


@pytest.fixture
def module(monkeypatch):
    """A module of the host's, to be imported by name."""
    made = types.ModuleType("hosts_own_tokens")
    monkeypatch.setitem(sys.modules, "hosts_own_tokens", made)
    return made


@pytest.fixture(params=databases.KINDS)
def app(request, tmp_path, sandbox, module):
    module.provide = lambda appid: sandbox.world.clocks.plain_token(appid, now=sandbox.clock.now())[0]
    url = hosts.copy_of_template(request.param, tmp_path)
    provider = {"FAB_MINICODE_TOKEN_PROVIDER": "hosts_own_tokens:provide"}
    app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url, **provider)
    yield app
    hosts.close(app)


def tokens(app):
    return app.extensions["fab_minicode"].tokens(hosts.engine_of(app))


def test_codes_are_made_with_the_hosts_token_and_none_is_fetched(app, sandbox, client):
    hosts.connect(app)
    asked = sandbox.count("/cgi-bin/stable_token")
    make(hosts.login(client, "manager"), appid=PROGRAM.appid)
    with hosts.database(app) as session:
        assert "ready" == session.execute(select(Code.state)).scalar_one()
        assert [] == session.execute(select(Token)).all()
    assert asked == sandbox.count("/cgi-bin/stable_token")


def test_an_appid_is_enough_where_the_host_keeps_the_token(app, sandbox, client):
    manager = hosts.login(client, "manager")
    answer = send(manager, f"{AUTHORIZERS}/connect", appid=PROGRAM.appid, nick_name="Shop")

    assert "token service of this host" in read(manager, answer.location).text
    assert 302 == make(manager, appid=PROGRAM.appid).status_code
    assert 0 == sandbox.count("/cgi-bin/stable_token")
    with hosts.database(app) as session:
        assert "ready" == session.execute(select(Code.state)).scalar_one()


def test_a_mini_program_that_the_host_does_not_keep_needs_its_secret(app, client, module):
    module.provide = None
    app.extensions["fab_minicode"].__dict__["provider"] = lambda *_: None
    page = send(hosts.login(client, "manager"), f"{AUTHORIZERS}/connect", appid=PROGRAM.appid)

    assert "Enter the mini program's AppSecret." in page.get_data(as_text=True).replace("&#39;", "'")


def test_a_mini_program_that_the_host_does_not_keep_is_asked_for_as_ever(app, sandbox, client, module):
    hosts.connect(app)
    module.keep = lambda _: None
    here = app.extensions["fab_minicode"]
    none = load_provider("hosts_own_tokens:keep")
    asked = sandbox.count("/cgi-bin/stable_token")
    from fab_minicode.tokens import Tokens

    assert Tokens(hosts.engine_of(app), here.vault, here.client, provider=none).of(PROGRAM.appid, now=now())
    assert asked + 1 == sandbox.count("/cgi-bin/stable_token")


def now():
    from tests.third_party import now as clock

    return clock()


def test_a_refused_token_is_told_and_the_same_one_again_is_an_error(app, module):
    hosts.connect(app)
    heard = []

    def provide(appid, rejected=None):
        heard.append((appid, rejected))
        return "token-1"

    module.hearing = provide
    here = app.extensions["fab_minicode"]
    from fab_minicode.tokens import Tokens

    kept = Tokens(hosts.engine_of(app), here.vault, here.client, provider=load_provider("hosts_own_tokens:hearing"))
    with pytest.raises(TokenRejected):
        kept.rejected(PROGRAM.appid, Secret("token-1"), now=now())

    assert [(PROGRAM.appid, "token-1")] == heard
    assert Secret("token-1") == kept.rejected(PROGRAM.appid, Secret("token-0"), now=now())


@pytest.mark.parametrize("handed", [7, "", "two words\n", "tökén", b"bytes", "t" * 3000])
def test_what_is_no_token_is_refused(module, handed):
    module.wrong = lambda _: handed
    with pytest.raises(WeChatUnavailable, match="no token"):
        load_provider("hosts_own_tokens:wrong")(PROGRAM.appid, None)


def test_a_failure_of_the_hosts_is_told_without_its_words(module):
    def fails(appid):
        raise RuntimeError("token=canary")

    module.fails = fails
    with pytest.raises(WeChatUnavailable) as caught:
        load_provider("hosts_own_tokens:fails")(PROGRAM.appid, None)

    assert "RuntimeError" in str(caught.value)
    assert "canary" not in repr(caught.value) + repr(caught.value.__context__)


@pytest.mark.parametrize(
    "name", ["no_such_module:f", "hosts_own_tokens:missing", "hosts_own_tokens:number", "json:dumps.x"]
)
def test_a_name_that_leads_nowhere_stops_the_host(module, name):
    module.number = 7
    with pytest.raises(ConfigurationError):
        load_provider(name)


def test_no_name_is_no_provider():
    assert load_provider("") is None
