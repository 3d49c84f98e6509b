"""Connecting, listing and revoking mini programs, against the sandbox, on both databases."""

import datetime as dt
import re
import threading

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode import authorizers
from fab_minicode.errors import (
    AddressRefused,
    InvalidInput,
    Missing,
    SecretRejected,
    SecretUnreadable,
    WeChatUnavailable,
)
from fab_minicode.kinds import QUOTA_LIMIT
from fab_minicode.models import Authorizer, Token
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from tests.stories import CHEN, NOW, WANG

APP = SAMPLE_APPS[0]
STABLE = "/cgi-bin/stable_token"
LATER = NOW + dt.timedelta(days=1)


@pytest.fixture
def vault():
    return Vault([Fernet.generate_key().decode()])


@pytest.fixture
def phone(sandbox):
    return WeChatClient(sandbox.url, sleep=lambda _: None)


@pytest.fixture
def connect(session, phone, vault):
    def connect(**changed):
        values = {"appid": APP.appid, "secret": Secret(APP.secret), "nick_name": "山间咖啡", "actor": WANG, "now": NOW}
        row = authorizers.connect_with_secret(session, **(values | changed), client=phone, vault=vault)
        session.commit()
        return row

    return connect


def test_a_connected_mini_program_is_authorised_and_holds_its_secret_sealed(connect, vault):
    row = connect()

    assert ("authorized", "secret", "山间咖啡", 0, QUOTA_LIMIT) == (
        row.status,
        row.credential,
        row.nick_name,
        row.quota_used,
        row.quota_limit,
    )
    assert (NOW, WANG.id, WANG.name, NOW, WANG.id, WANG.name) == (
        row.created_at,
        row.created_by_id,
        row.created_by,
        row.changed_at,
        row.changed_by_id,
        row.changed_by,
    )
    assert re.fullmatch(r"[A-Za-z0-9_-]{32}", row.collect_key)
    assert APP.secret not in row.sealed_secret
    assert APP.secret == vault.open(row.sealed_secret, f"authorizers:sealed_secret:{APP.appid}").reveal()
    assert 32 == len(authorizers.visitor_key(vault, APP.appid, row.sealed_visitor_key))


def test_white_space_around_a_pasted_pair_is_dropped(connect):
    row = connect(appid=f" {APP.appid}\n", secret=Secret(f"\t{APP.secret} "), nick_name="  店 ")

    assert (APP.appid, "店") == (row.appid, row.nick_name)


def test_without_a_name_the_appid_stands_in(connect):
    assert APP.appid == connect(nick_name=" ").nick_name
    assert "店" == connect(nick_name="店").nick_name
    assert "店" == connect(nick_name="").nick_name


@pytest.mark.parametrize("changed", [{"secret": Secret("wrong")}, {"appid": "wx0000000000000000"}])
def test_a_pair_that_wechat_refuses_leaves_nothing_behind(connect, session, changed):
    with pytest.raises(SecretRejected):
        connect(**changed)

    assert [] == authorizers.listed(session)


@pytest.mark.parametrize("errcode, error", [(40164, AddressRefused), (-1, WeChatUnavailable)])
def test_why_wechat_refuses_is_told(sandbox, connect, session, errcode, error):
    sandbox.fault("errcode", value=errcode, times=None)

    with pytest.raises(error):
        connect()
    assert [] == authorizers.listed(session)


@pytest.mark.parametrize(
    "changed, field, code",
    [
        ({"appid": ""}, "appid", "required"),
        ({"appid": "gh_0123456789ab"}, "appid", "invalid_appid"),
        ({"appid": "wx12345"}, "appid", "invalid_appid"),
        ({"appid": "wx" + "1" * 31}, "appid", "invalid_appid"),
        ({"appid": "wx123456\x00"}, "appid", "invalid_appid"),
        ({"appid": "wx12345\ud800"}, "appid", "invalid_appid"),
        ({"appid": "wx12345é"}, "appid", "invalid_appid"),
        ({"secret": Secret("")}, "secret", "required"),
        ({"secret": Secret("canary" * 30)}, "secret", "too_long"),
        ({"secret": Secret("canary key")}, "secret", "invalid_secret"),
        ({"secret": Secret("canary\x00")}, "secret", "invalid_secret"),
        ({"secret": Secret("canary\ud800")}, "secret", "invalid_secret"),
        ({"nick_name": "x" * 129}, "nick_name", "too_long"),
        ({"nick_name": "a\x00b"}, "nick_name", "control_character"),
        ({"nick_name": "a\ud800b"}, "nick_name", "control_character"),
    ],
)
def test_bad_input_names_its_field_before_wechat_is_asked(sandbox, connect, changed, field, code):
    with pytest.raises(InvalidInput) as caught:
        connect(**changed)

    assert (field, code) == (caught.value.field, caught.value.code)
    assert "canary" not in f"{caught.value} {caught.value.detail}"
    assert 0 == sandbox.count(STABLE)
    caught.value.detail.encode("utf-8")


def test_connecting_again_keeps_keys_and_quota_and_changes_the_secret(sandbox, connect, session, vault):
    first = connect()
    kept = (first.id, first.collect_key, first.sealed_visitor_key, first.created_by)
    first.quota_used, first.status, first.last_error = 7, "not_authorized", "x"
    session.commit()
    sandbox.app(APP.appid).secret = "another-secret"
    again = connect(secret=Secret("another-secret"), nick_name="", actor=CHEN, now=LATER)

    assert kept == (again.id, again.collect_key, again.sealed_visitor_key, again.created_by)
    assert (7, "authorized", None, "山间咖啡", CHEN.name, LATER) == (
        again.quota_used,
        again.status,
        again.last_error,
        again.nick_name,
        again.changed_by,
        again.changed_at,
    )
    assert "another-secret" == vault.open(again.sealed_secret, f"authorizers:sealed_secret:{APP.appid}").reveal()


def test_connecting_again_forgets_the_cached_token(sandbox, connect, engine, vault, phone):
    connect()
    tokens = Tokens(engine, vault, phone)
    old = tokens.of(APP.appid, now=NOW)
    sandbox.world.clocks.end(APP.appid)
    connect()

    assert old != tokens.of(APP.appid, now=NOW)


def test_two_people_who_connect_the_same_one_both_succeed(engine, phone, vault):
    gate, keys, failures = threading.Barrier(4), set(), []

    def work():
        with Session(engine, future=True) as session:
            gate.wait()
            try:
                row = authorizers.connect_with_secret(
                    session,
                    appid=APP.appid,
                    secret=Secret(APP.secret),
                    nick_name="店",
                    actor=WANG,
                    now=NOW,
                    client=phone,
                    vault=vault,
                )
                session.commit()
                keys.add(row.collect_key)
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                failures.append(error)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert ([], 1) == (failures, len(keys))


def test_revoking_deletes_what_lets_us_act_and_keeps_what_was_counted(connect, session, engine, vault, phone):
    row = connect()
    row.quota_used = 5
    session.commit()
    kept = (row.collect_key, row.sealed_visitor_key)
    Tokens(engine, vault, phone).of(APP.appid, now=NOW)
    authorizers.revoke(session, row, actor=CHEN, now=LATER)
    session.commit()

    assert ("revoked", None, CHEN.name, 5) == (row.status, row.sealed_secret, row.changed_by, row.quota_used)
    assert [] == list(session.execute(select(Token.subject)))
    assert (row.id, APP.appid, kept[1]) == tuple(authorizers.by_collect_key(session, kept[0]))

    again = connect()

    assert ("authorized", 5, kept) == (again.status, again.quota_used, (again.collect_key, again.sealed_visitor_key))


def test_all_are_listed_by_name(connect, session):
    connect(nick_name="b")
    connect(appid=SAMPLE_APPS[1].appid, secret=Secret(SAMPLE_APPS[1].secret), nick_name="a")

    assert ["a", "b"] == [row.nick_name for row in authorizers.listed(session)]
    assert "b" == authorizers.authorizer_of(session, APP.appid).nick_name


@pytest.mark.parametrize("appid", ["", "wx0000000000000000", "nonsense", "wx\x00", "\ud800", "wx" * 500])
def test_an_unknown_mini_program_is_missing(session, appid):
    with pytest.raises(Missing):
        authorizers.authorizer_of(session, appid)


@pytest.mark.parametrize("key", ["", "unknown", "a\x00", "\ud800", "x" * 500, "' OR 1=1 --", "海报"])
def test_any_text_may_be_asked_for_as_a_collect_key(engine, key):
    with engine.connect() as connection:
        assert None is authorizers.by_collect_key(connection, key)


def test_the_collector_finds_a_mini_program_by_its_key(connect, engine):
    row = connect()
    with engine.connect() as connection:
        found = authorizers.by_collect_key(connection, row.collect_key)

    assert (row.id, APP.appid, row.sealed_visitor_key) == (found.id, found.appid, found.sealed_visitor_key)


def test_a_visitor_key_opens_with_our_keys_only(connect):
    row = connect()

    with pytest.raises(SecretUnreadable):
        authorizers.visitor_key(Vault([Fernet.generate_key().decode()]), APP.appid, row.sealed_visitor_key)


def test_no_plain_secret_or_token_is_in_the_database(connect, engine, session, vault, phone):
    connect()
    token = Tokens(engine, vault, phone).of(APP.appid, now=NOW).reveal()
    rows = [tuple(row) for model in (Authorizer, Token) for row in session.execute(select(model.__table__))]

    assert APP.secret not in str(rows)
    assert token not in str(rows)
    assert APP.secret.encode().hex() not in str(rows)
