"""Canary secrets through every failure with everything logged: they show up nowhere."""

from __future__ import annotations

import base64
import logging
import re
import time
import traceback

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import inspect, select, text, update

from fab_minicode.errors import MinicodeError
from fab_minicode.models import Authorizer, Token
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts, third_party
from tests.pages import AUTHORIZERS, CODES, make, send
from tests.test_authorising import authorize, latest_code, scan, way
from tests.third_party import PLATFORM, SHOP, authorized_fields, push, push_ticket, settle

COMPONENT_FAULTS = [
    ("errcode", -1), ("errcode", 40001), ("errcode", 40125), ("errcode", 42001), ("errcode", 45009), ("errcode", 48001),
    ("errcode", 61003), ("errcode", 61004), ("errcode", 61005), ("errcode", 61006), ("errcode", 61007),
    ("errcode", 61009), ("errcode", 61011), ("errcode", 61023), ("errcode", 99999), ("html", 502),
    ("redirect", "/elsewhere?secret=1"), ("reset", None), ("cut_off", None), ("truncated", None), ("empty", None),
    ("errcode_text", None), ("bom", None), ("expires_in", None), ("content_type", "image/jpeg"),
]  # fmt: skip
OWN = "/cgi-bin/component/api_component_token"
ENDPOINTS = tuple(
    f"/cgi-bin/component/api_{name}"
    for name in ("component_token", "create_preauthcode", "query_auth", "get_authorizer_info", "authorizer_token")
)


class Ears(logging.Handler):
    """Keeps whatever any logger says, arguments and tracebacks included."""

    def __init__(self):
        super().__init__(logging.NOTSET)
        self.heard: list[str] = []

    def emit(self, record):
        text_ = f"{record.name} {record.getMessage()} {record.args!r}"
        if record.exc_info:
            text_ += "".join(traceback.format_exception(*record.exc_info))
        self.heard.append(text_)


@pytest.fixture
def ears():
    root, handler = logging.getLogger(), Ears()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    loggers = [logging.getLogger(name) for name in ("urllib3", "urllib3.connectionpool", "requests", "fab_minicode")]
    levels = [one.level for one in loggers]
    for one in loggers:
        one.setLevel(logging.DEBUG)
    yield handler
    for one, before in zip(loggers, levels, strict=True):
        one.setLevel(before)
    root.setLevel(level)
    root.removeHandler(handler)


def canaries(sandbox):
    """Every secret that was ever about."""
    platform, clocks = sandbox.platform, sandbox.world.clocks
    found = {PLATFORM.secret, *PLATFORM.tokens, *PLATFORM.aes_keys, SAMPLE_APPS[1].secret, platform.ticket}
    found |= set(platform.tokens) | set(clocks.issued) | set(platform.codes)
    found |= {granted.refresh_token for granted in platform.granted.values()}
    for endpoint in ENDPOINTS:
        for asked in sandbox.asked(endpoint):
            for name in ("ticket", "authorization_code", "refresh_token", "appsecret"):
                found |= set(re.findall(rf'"[a-z_]*{name}":"([^"]+)"', asked.body.decode()))
    return found - {""}


def everything_stored(app):
    engine = hosts.engine_of(app)
    with engine.connect() as connection:
        names = [name for name in inspect(engine).get_table_names() if name.startswith("minicode_")]
        return "".join(str(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in names)


def expire(app):
    with hosts.database(app) as session:
        session.execute(update(Token).values(expires_at=third_party.now()))
        session.execute(update(Authorizer).values(status="authorized"))
        session.commit()


def go_through(app, manager, sandbox, shown):
    """Everything that asks WeChat, while something fails; keeps what people and callers are shown."""
    shown.append(manager.get(f"{AUTHORIZERS}/connect").get_data(as_text=True))
    expire(app)
    with app.app_context():
        here = app.extensions["fab_minicode"]
        try:
            shown.append(repr(here.tokens(hosts.engine_of(app)).of(SHOP.appid, now=third_party.now())))
        except MinicodeError as error:
            shown.append("".join(traceback.format_exception(error)) + repr(error) + str(vars(error)))
    shown.append(make(manager, appid=SHOP.appid, name=f"n{time.monotonic_ns()}").get_data(as_text=True))
    code = sandbox.world.authorize(SHOP.appid, (17,))
    shown.append(push(manager, "authorized", **authorized_fields(sandbox, code)).get_data(as_text=True))
    settle(app)
    shown.extend(manager.get(f"{address}/list/").get_data(as_text=True) for address in (AUTHORIZERS, CODES))


def test_no_secret_shows_up_anywhere(platform_app, platform_sandbox, ears):
    manager, sandbox, shown = hosts.login(platform_app.test_client(), "manager"), platform_sandbox, []
    push_ticket(manager, sandbox)
    authorize(manager, sandbox)
    secret = {"appid": SAMPLE_APPS[1].appid, "secret": SAMPLE_APPS[1].secret}
    for name, value in COMPONENT_FAULTS:
        for endpoint in ENDPOINTS:
            sandbox.fault(name, endpoint, value=value, times=1)
        sandbox.fault(name, "/cgi-bin/stable_token", value=value, times=1)
        shown.append(send(manager, f"{AUTHORIZERS}/connect", **secret).get_data(as_text=True))
        go_through(platform_app, manager, sandbox, shown)
        sandbox.clear_faults()
    shown.append(manager.get(f"{AUTHORIZERS}/back/x?auth_code={latest_code(sandbox)}").get_data(as_text=True))
    back = scan(sandbox, way(manager))
    shown.append(manager.get(back).get_data(as_text=True))
    manager.post(
        "/minicode/wechat/events?msg_signature=x", data=f"<xml><Encrypt>{sandbox.platform.ticket}</Encrypt></xml>"
    )
    shown.append(repr(platform_app.extensions["fab_minicode"]))

    found = canaries(sandbox)
    stored, said, seen = everything_stored(platform_app), "\n".join(ears.heard), "\n".join(shown)
    # The pre-authorisation code belongs into the link, and nowhere else.
    assert len(found) > 50
    for canary in found:
        shapes = {canary, base64.b64encode(canary.encode()).decode(), canary.encode().hex()}

        assert not [canary for shape in shapes if shape in stored], "in the database"
        assert not [line for line in ears.heard for shape in shapes if shape in line], "in a log"
        assert canary not in seen, "on a page or in an exception"
    assert said


def test_a_host_that_cannot_be_reached_leaks_nothing_either(platform_app, platform_sandbox, ears):
    manager = hosts.login(platform_app.test_client(), "manager")
    push_ticket(manager, platform_sandbox)
    authorize(manager, platform_sandbox)
    expire(platform_app)
    found = canaries(platform_sandbox)
    platform_sandbox.world.stopping.set()
    platform_sandbox._server.shutdown()
    platform_sandbox._server.server_close()
    page = manager.get(f"{AUTHORIZERS}/connect").get_data(as_text=True)

    assert "could not be reached" in page
    assert not [canary for canary in found for line in [*ears.heard, page] if canary in line]


def test_what_was_stored_for_another_row_does_not_open(platform_app, platform_sandbox):
    from fab_minicode.errors import SecretUnreadable

    manager = hosts.login(platform_app.test_client(), "manager")
    push_ticket(manager, platform_sandbox)
    authorize(manager, platform_sandbox)
    vault = platform_app.extensions["fab_minicode"].vault
    with hosts.database(platform_app) as session:
        rows = session.execute(select(Token.subject, Token.sealed_token, Token.sealed_refresh_token)).all()
    sealed = {row.subject: row for row in rows}
    mine, other = f"authorizer:{SHOP.appid}", next(subject for subject in sealed if subject.startswith("component:"))

    assert vault.open(sealed[mine].sealed_token, f"tokens:sealed_token:{mine}")
    for text_ in (sealed[other].sealed_token, sealed[mine].sealed_refresh_token):
        with pytest.raises(SecretUnreadable):
            vault.open(text_, f"tokens:sealed_token:{mine}")


def test_with_the_keys_gone_pages_load_and_say_what_to_do(platform_app, platform_sandbox):
    from fab_minicode.vault import Vault

    manager = hosts.login(platform_app.test_client(), "manager")
    push_ticket(manager, platform_sandbox)
    authorize(manager, platform_sandbox)
    secret = {"appid": SAMPLE_APPS[1].appid, "secret": SAMPLE_APPS[1].secret}
    send(manager, f"{AUTHORIZERS}/connect", **secret)
    platform_app.extensions["fab_minicode"].__dict__["vault"] = Vault([Fernet.generate_key().decode()])
    pages = [manager.get(f"{AUTHORIZERS}/{place}") for place in ("list/", "show/1", "show/2", "connect")]
    code = manager.get(f"{CODES}/add?appid={SHOP.appid}")

    assert [200] * 5 == [page.status_code for page in (*pages, code)]
    assert [2, 1, 1] == [page.get_data(as_text=True).count("can no longer be read") for page in pages[:3]]
