"""The telephone over real HTTP: what is sent, how long it waits, how often it tries, what it never tells."""

import contextlib
import datetime as dt
import ipaddress
import logging
import socket
import ssl
import threading
import time
import traceback

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fab_minicode import kinds
from fab_minicode.errors import (
    ERRCODES,
    ArgumentRefused,
    QuotaExceeded,
    SecretRejected,
    TokenRejected,
    WeChatError,
    WeChatUnavailable,
)
from fab_minicode.kinds import CodePlan, Options
from fab_minicode.sandbox import SAMPLE_APPS, Sandbox, read_dial
from fab_minicode.utm import Utm
from fab_minicode.vault import Secret
from fab_minicode.wechat.client import WeChatClient

APP = SAMPLE_APPS[0]
SECRET = Secret(APP.secret)
STABLE = "/cgi-bin/stable_token"
PLAN = CodePlan("pages/index/index", Utm("海报", "双十一"), "abcdEFGH")
KINDS = {kind.interface: kind for kind in kinds.KINDS}


class Pauses(list):
    """A sleep that remembers and does not sleep."""

    def __call__(self, seconds):
        self.append(seconds)


@pytest.fixture
def pauses():
    return Pauses()


@pytest.fixture
def phone(sandbox, pauses):
    return WeChatClient(sandbox.url, connect_seconds=2, read_seconds=2, total_seconds=4, sleep=pauses)


@pytest.fixture
def token(phone):
    return phone.stable_token(APP.appid, SECRET).token


def ask(phone, token, interface="A"):
    return phone.image(KINDS[interface].request(PLAN), token)


def refused(phone, token, interface="A"):
    with pytest.raises(WeChatError) as caught:
        ask(phone, token, interface)
    return caught.value


def calls(sandbox, interface="A"):
    return sandbox.count(KINDS[interface].endpoint)


# ------------------------------------------------------------------------------------------------- what is sent


def test_a_token_is_fetched_with_the_secret_in_the_body_only(sandbox, phone):
    found = phone.stable_token(APP.appid, SECRET)
    asked = sandbox.asked(STABLE)[0]

    assert ({}, 7200) == (asked.query, found.expires_in_seconds)
    assert {"grant_type": "client_credential", "appid": APP.appid, "secret": APP.secret} == asked.json()


def test_force_refresh_gives_another_token(phone, token):
    assert token == phone.stable_token(APP.appid, SECRET).token
    assert token != phone.stable_token(APP.appid, SECRET, force_refresh=True).token


@pytest.mark.parametrize("interface", "ABC")
def test_a_picture_is_fetched_with_the_token_in_the_query_and_an_unescaped_body(sandbox, phone, token, interface):
    picture = ask(phone, token, interface)
    asked = sandbox.asked(KINDS[interface].endpoint)[0]

    assert "image/jpeg" == picture.mime
    assert {"access_token": token.reveal()} == asked.query
    assert KINDS[interface].request(PLAN).body == asked.json()
    assert b"\\u" not in asked.body
    assert token.reveal().encode() not in asked.body


def test_a_transparent_picture_is_a_png(phone, token):
    plan = CodePlan("pages/index", Utm("poster"), "abcd", Options(is_hyaline=True, line_color="#07c160"))
    picture = phone.image(KINDS["A"].request(plan), token)

    assert ("image/png", b"pages/index?utm_source=poster") == (picture.mime, read_dial(picture.content))


def test_the_surroundings_do_not_reroute_a_call(sandbox, phone, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password else\n")
    for name, value in (
        ("http_proxy", "http://127.0.0.1:9"),
        ("ALL_PROXY", "http://127.0.0.1:9"),
        ("NETRC", str(netrc)),
    ):
        monkeypatch.setenv(name, value)

    assert phone.stable_token(APP.appid, SECRET).token


def test_many_threads_share_a_client(sandbox, phone):
    failures = []

    def work():
        try:
            phone.stable_token(APP.appid, SECRET)
        except WeChatError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ([], 20) == (failures, sandbox.count(STABLE))


def test_reach_is_content_with_a_definite_no(sandbox, phone):
    phone.reach()

    sandbox.fault("html")
    with pytest.raises(WeChatUnavailable):
        phone.reach()


# ---------------------------------------------------------------------------------------------------- definite no


@pytest.mark.parametrize("errcode", sorted(set(ERRCODES) - {-1}))
@pytest.mark.parametrize("interface", "AB")
def test_a_definite_no_is_asked_once_and_nothing_was_made(sandbox, phone, token, interface, errcode):
    sandbox.fault("errcode", KINDS[interface].endpoint, value=errcode)
    error = refused(phone, token, interface)

    assert (ERRCODES[errcode], errcode, 26) == (type(error), error.errcode, len(error.rid))
    assert (1, 0) == (calls(sandbox, interface), sandbox.app(APP.appid).ac_used)


@pytest.mark.parametrize("content_type", ["image/jpeg", "text/plain", "application/octet-stream"])
def test_a_content_type_is_not_trusted(sandbox, phone, token, content_type):
    endpoint = KINDS["A"].endpoint
    sandbox.fault("content_type", endpoint, value=content_type, times=3)
    sandbox.fault("errcode", endpoint, value=45009)

    assert QuotaExceeded is type(refused(phone, token))
    assert "image/jpeg" == ask(phone, token).mime

    sandbox.fault("bom", endpoint)
    sandbox.fault("errcode_text", endpoint)
    sandbox.fault("errcode", endpoint, value=41030)

    assert ArgumentRefused is type(refused(phone, token))


def test_a_wrong_pair_is_told_apart_from_a_dead_token(sandbox, phone):
    sandbox.fault("errcode", STABLE, value=40001)

    for secret in (SECRET, Secret("wrong")):
        with pytest.raises(SecretRejected):
            phone.stable_token(APP.appid, secret)


def test_a_dead_token_is_not_refreshed_here(sandbox, phone, token):
    sandbox.world.clocks.end(APP.appid)

    assert TokenRejected is type(refused(phone, token))
    assert 1 == sandbox.count(STABLE)


# ------------------------------------------------------------------------------------------------- trying again


@pytest.mark.parametrize("interface", "ABC")
def test_busy_is_tried_once_more_after_a_pause(sandbox, phone, token, pauses, interface):
    sandbox.fault("errcode", KINDS[interface].endpoint, value=-1)

    assert ask(phone, token, interface).content
    assert (2, 1) == (calls(sandbox, interface), len(pauses))
    assert 0.2 < pauses[0] < 1


@pytest.mark.parametrize("interface", "ABC")
def test_busy_for_ever_ends_after_two_tries_with_nothing_made(sandbox, phone, token, interface):
    sandbox.fault("errcode", KINDS[interface].endpoint, value=-1, times=None)
    error = refused(phone, token, interface)

    assert (WeChatUnavailable, -1, False) == (type(error), error.errcode, error.outcome_unknown)
    assert 2 == calls(sandbox, interface)


def test_a_busy_token_call_is_tried_once_more(sandbox, phone):
    sandbox.fault("errcode", STABLE, value=-1)

    assert phone.stable_token(APP.appid, SECRET).token
    assert 2 == sandbox.count(STABLE)


def test_no_pause_is_begun_that_would_outlast_the_call(sandbox, token):
    pauses = Pauses()
    phone = WeChatClient(sandbox.url, total_seconds=0.2, sleep=pauses)
    sandbox.fault("errcode", KINDS["A"].endpoint, value=-1, times=None)
    refused(phone, token)

    assert ([], 1) == (pauses, calls(sandbox))


BROKEN = [
    ("html", 500),
    ("html", 502),
    ("html", 504),
    ("redirect", "/elsewhere"),
    ("timeout", 30),
    ("reset", None),
    ("cut_off", None),
    ("slow_body", 30),
    ("slow_headers", 30),
    ("truncated", None),
    ("huge", None),
    ("empty", None),
    ("gif", None),
    ("pixel_bomb", None),
]


@pytest.mark.parametrize("spoil", BROKEN, ids=str)
@pytest.mark.parametrize("interface", "ABC")
def test_a_broken_answer_is_never_asked_for_again(sandbox, phone, token, interface, spoil):
    sandbox.fault(spoil[0], KINDS[interface].endpoint, value=spoil[1])
    error = refused(phone, token, interface)

    assert (WeChatUnavailable, interface != "B") == (type(error), error.outcome_unknown)
    assert (1, 0) == (calls(sandbox, interface), sandbox.count("/elsewhere"))


@pytest.mark.parametrize("fault, value", [f for f in BROKEN if f[0] not in ("truncated", "gif", "pixel_bomb")], ids=str)
def test_a_broken_answer_to_a_token_call_is_unavailable(sandbox, phone, fault, value):
    sandbox.fault(fault, STABLE, value=value)
    with pytest.raises(WeChatUnavailable) as caught:
        phone.stable_token(APP.appid, SECRET)

    assert (False, 1) == (caught.value.outcome_unknown, sandbox.count(STABLE))


# ----------------------------------------------------------------------------------------------------- deadlines


@pytest.mark.parametrize("fault", ["slow_body", "slow_headers"])
def test_an_answer_that_drips_ends_at_the_deadline_of_the_whole_call(sandbox, token, fault):
    phone = WeChatClient(sandbox.url, read_seconds=5, total_seconds=0.6)
    sandbox.fault(fault, KINDS["A"].endpoint, value=0.05)
    started = time.monotonic()
    error = refused(phone, token)

    assert error.outcome_unknown
    assert 0.5 < time.monotonic() - started < 4


def test_a_silence_ends_after_the_longest_silence(sandbox, token):
    phone = WeChatClient(sandbox.url, read_seconds=0.3, total_seconds=20)
    sandbox.fault("timeout", KINDS["A"].endpoint)
    started = time.monotonic()

    assert refused(phone, token).outcome_unknown
    assert 0.25 < time.monotonic() - started < 4
    assert 1 == sandbox.app(APP.appid).ac_used


def test_latency_within_the_limits_is_borne(sandbox, phone, token):
    sandbox.fault("latency", value=0.3)

    assert ask(phone, token).content


@contextlib.contextmanager
def deaf_port():
    """Yield the address of a port whose queue is full: connections to it neither open nor fail."""
    with socket.socket() as listener, contextlib.ExitStack() as queue:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(8):
            waiting = queue.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def unreached(url, pauses, **limits):
    phone = WeChatClient(url, sleep=pauses, **limits)
    return refused(phone, Secret("90_canary-token"))


def test_a_refused_connection_is_tried_three_times_and_nothing_was_made(sandbox, pauses):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        error = unreached(f"http://127.0.0.1:{unused.getsockname()[1]}", pauses)

    assert (WeChatUnavailable, False, 2) == (type(error), error.outcome_unknown, len(pauses))


def test_a_connection_that_does_not_open_ends_in_time(pauses):
    started = time.monotonic()
    with deaf_port() as url:
        error = unreached(url, pauses, connect_seconds=0.2)

    assert (False, 2) == (error.outcome_unknown, len(pauses))
    assert 0.5 < time.monotonic() - started < 4


def test_a_failed_handshake_made_nothing(sandbox, pauses):
    error = unreached(sandbox.url.replace("http:", "https:"), pauses)

    assert (False, 2, 0) == (error.outcome_unknown, len(pauses), calls(sandbox))


@pytest.mark.parametrize("url", ["http://nowhere.invalid", "http://[", "gopher://127.0.0.1"])
def test_an_address_that_leads_nowhere_made_nothing(url, pauses):
    assert unreached(url, pauses).outcome_unknown is False


# ------------------------------------------------------------------------------------------------------------ TLS


@pytest.fixture
def tls_sandbox(tmp_path, monkeypatch):
    """A sandbox behind TLS whose certificate this process trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    today = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "tls.pem"
    public = certificate.public_bytes(serialization.Encoding.PEM)
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem.write_bytes(public + key.private_bytes(serialization.Encoding.PEM, *plain))
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    sandbox = Sandbox()
    sandbox._server.socket = context.wrap_socket(sandbox._server.socket, server_side=True)
    sandbox.url = sandbox.url.replace("http:", "https:")
    with sandbox:
        yield sandbox


def test_everything_holds_over_tls(tls_sandbox):
    phone = WeChatClient(tls_sandbox.url, read_seconds=5, total_seconds=1)
    token = phone.stable_token(APP.appid, SECRET).token

    assert ask(phone, token).content
    for fault in ("slow_body", "slow_headers", "reset"):
        tls_sandbox.fault(fault, KINDS["A"].endpoint, value=0.05)
        started = time.monotonic()

        assert refused(phone, token).outcome_unknown
        assert time.monotonic() - started < 2


def test_a_certificate_that_is_not_trusted_ends_the_call_before_anything_is_sent(tls_sandbox, monkeypatch, pauses):
    monkeypatch.undo()

    assert unreached(tls_sandbox.url, pauses).outcome_unknown is False
    assert 0 == calls(tls_sandbox)


# -------------------------------------------------------------------------------------------------------- secrecy


def everything(error):
    """Return all text that hangs on an exception: its trace, its repr, its attributes, what it was raised from."""
    linked = [everything(other) for other in (error.__cause__, error.__context__) if other is not None]
    return "\n".join(["".join(traceback.format_exception(error)), repr(error), str(vars(error)), *linked])


@pytest.mark.parametrize("spoil", [*BROKEN, ("errcode", 40013), ("errcode", 40001), ("errcode", -1), None], ids=str)
def test_neither_token_nor_secret_is_told_with_the_root_logger_at_debug(sandbox, phone, token, caplog, spoil):
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, "urllib3.connectionpool")
    if spoil:
        sandbox.fault(spoil[0], value=spoil[1], times=None)
    told = ""
    for work in (lambda: ask(phone, token), lambda: phone.stable_token(APP.appid, SECRET)):
        try:
            work()
        except WeChatError as error:
            told += everything(error)
    told += caplog.text + "".join(f"{record.msg} {record.args}" for record in caplog.records)

    assert token.reveal() not in told
    assert APP.secret not in told


def test_no_token_is_told_when_nobody_answers(pauses, caplog):
    caplog.set_level(logging.DEBUG)
    with deaf_port() as url:
        told = everything(unreached(url, pauses, connect_seconds=0.1)) + caplog.text
    told += everything(unreached("http://nowhere.invalid", pauses)) + caplog.text

    assert "canary" not in told


def test_what_others_log_about_their_calls_stays(sandbox, phone, token, caplog):
    caplog.set_level(logging.DEBUG)
    ask(phone, token)
    requests.get(f"{sandbox.url}/sandbox/state", timeout=5).close()

    assert "/sandbox/state" in caplog.text
    assert "/wxa/getwxacode" not in caplog.text
