"""Access tokens from one row, refreshed by one at a time, against the sandbox, on both databases."""

import contextlib
import datetime as dt
import sqlite3
import threading
import time

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import create_engine, delete, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from fab_minicode.errors import (
    AddressRefused,
    NotAuthorized,
    SecretRejected,
    SecretUnreadable,
    TokenRejected,
    WeChatUnavailable,
)
from fab_minicode.kinds import KINDS, CodePlan
from fab_minicode.models import Authorizer, Base, Token
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.tokens import Tokens
from fab_minicode.utm import Utm
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from tests.stories import NOW, authorizer
from tests.waiting import until

APP = SAMPLE_APPS[0]
STABLE = "/cgi-bin/stable_token"
SUBJECT = f"secret:{APP.appid}"


@pytest.fixture
def vault():
    return Vault([Fernet.generate_key().decode()])


@pytest.fixture
def phone(sandbox):
    return WeChatClient(sandbox.url, read_seconds=2, total_seconds=3, sleep=lambda _: None)


@pytest.fixture
def tokens(engine, vault, phone):
    with Session(engine, future=True) as session:
        sealed = vault.seal(Secret(APP.secret), f"authorizers:sealed_secret:{APP.appid}")
        session.add(authorizer(APP.appid, sealed_secret=sealed))
        session.commit()
    return Tokens(engine, vault, phone, lease_seconds=1.0)


def after(seconds):
    return NOW + dt.timedelta(seconds=seconds)


def stored(engine):
    with engine.connect() as connection:
        return connection.execute(select(Token.__table__).where(Token.subject == SUBJECT)).one()


def change(engine, **values):
    with engine.begin() as connection:
        connection.execute(update(Token.__table__).where(Token.subject == SUBJECT).values(**values))


def status(engine):
    columns = (Authorizer.status, Authorizer.last_error)
    with engine.connect() as connection:
        return tuple(connection.execute(select(*columns).where(Authorizer.appid == APP.appid)).one())


def test_a_token_is_fetched_once_and_kept_sealed(sandbox, engine, vault, tokens):
    token = tokens.of(APP.appid, now=NOW)

    assert token == tokens.of(APP.appid, now=after(6899))
    assert 1 == sandbox.count(STABLE)
    row = stored(engine)
    assert token == vault.open(row.sealed_token, f"tokens:sealed_token:{SUBJECT}")
    assert (1, None, None) == (row.version, row.lease_holder, row.lease_until)
    assert 7199 < (row.expires_at.replace(tzinfo=dt.timezone.utc) - NOW).total_seconds() < 7205


def test_a_token_is_renewed_when_fewer_than_five_minutes_are_left(sandbox, tokens):
    old = tokens.of(APP.appid, now=NOW)
    sandbox.clock.advance(6950)
    new = tokens.of(APP.appid, now=after(6950))

    assert (True, 2) == (old != new, sandbox.count(STABLE))
    assert new == tokens.of(APP.appid, now=after(6951))


def test_while_somebody_renews_it_the_old_token_is_used_as_long_as_it_works(sandbox, engine, tokens):
    old = tokens.of(APP.appid, now=NOW)
    change(engine, lease_holder="somebody", lease_until=after(6960))

    assert old == tokens.of(APP.appid, now=after(6950))
    assert 1 == sandbox.count(STABLE)


def test_an_old_token_that_works_bridges_an_outage(sandbox, tokens):
    old = tokens.of(APP.appid, now=NOW)
    sandbox.fault("html", STABLE, times=None)

    assert old == tokens.of(APP.appid, now=after(7000))
    with pytest.raises(WeChatUnavailable):
        tokens.of(APP.appid, now=after(7300))


@pytest.mark.parametrize("expires_in", [None, 0, -1, "7200", "soon", 1e300])
def test_an_odd_expires_in_neither_fails_nor_asks_at_each_call(sandbox, tokens, expires_in):
    sandbox.fault("expires_in", STABLE, value=expires_in, times=None)
    token = tokens.of(APP.appid, now=NOW)

    assert token == tokens.of(APP.appid, now=after(200))
    assert 1 == sandbox.count(STABLE)


@pytest.mark.parametrize(
    "changed", [{"status": "revoked"}, {"status": "not_authorized"}, {"appid": "wx0000000000000009"}]
)
def test_without_authorisation_there_is_no_token(sandbox, engine, tokens, changed):
    with engine.begin() as connection:
        connection.execute(update(Authorizer.__table__).values(**changed))

    with pytest.raises(NotAuthorized):
        tokens.of(APP.appid, now=NOW)
    assert 0 == sandbox.count(STABLE)


def test_a_secret_that_our_keys_do_not_open_is_told(engine, phone, tokens):
    with pytest.raises(SecretUnreadable):
        Tokens(engine, Vault([Fernet.generate_key().decode()]), phone).of(APP.appid, now=NOW)


def test_a_token_sealed_with_a_lost_key_is_fetched_again(sandbox, engine, vault, tokens):
    token = tokens.of(APP.appid, now=NOW)
    change(
        engine, sealed_token=Vault([Fernet.generate_key().decode()]).seal(Secret("x"), f"tokens:sealed_token:{SUBJECT}")
    )

    assert token == tokens.of(APP.appid, now=NOW)
    assert 2 == sandbox.count(STABLE)


# ------------------------------------------------------------------------------------------------------ rejected


def test_a_refused_token_is_replaced_once_without_force_when_wechat_has_another(sandbox, tokens):
    old = tokens.of(APP.appid, now=NOW)
    sandbox.world.clocks.end(APP.appid)
    new = tokens.rejected(APP.appid, old, now=NOW)

    assert (True, 2) == (old != new, sandbox.count(STABLE))
    assert new == tokens.of(APP.appid, now=NOW)


def test_force_is_used_only_when_wechat_hands_out_the_refused_token_again(sandbox, tokens):
    old = tokens.of(APP.appid, now=NOW)
    new = tokens.rejected(APP.appid, old, now=NOW)
    forced = [asked.json().get("force_refresh") for asked in sandbox.asked(STABLE)]

    assert (True, [None, None, True]) == (old != new, forced)


def test_who_comes_late_with_a_refused_token_gets_the_stored_one(sandbox, tokens):
    old = tokens.of(APP.appid, now=NOW)
    new = tokens.rejected(APP.appid, old, now=NOW)
    count = sandbox.count(STABLE)

    assert new == tokens.rejected(APP.appid, old, now=NOW)
    assert count == sandbox.count(STABLE)


def test_when_wechat_has_no_other_token_to_give_it_says_so(sandbox, tokens):
    old = tokens.of(APP.appid, now=NOW)
    new = tokens.rejected(APP.appid, old, now=NOW)

    with pytest.raises(TokenRejected):  # the second force within half a minute is not granted
        tokens.rejected(APP.appid, new, now=NOW)
    assert 5 == sandbox.count(STABLE)


def test_many_with_the_same_refused_token_make_one_refresh(sandbox, tokens):
    old = tokens.of(APP.appid, now=NOW)
    sandbox.world.clocks.end(APP.appid)
    sandbox.fault("latency", STABLE, value=0.2, times=None)

    assert 1 == len(together(12, lambda: tokens.rejected(APP.appid, old, now=NOW).reveal()))
    assert 2 == sandbox.count(STABLE)


# --------------------------------------------------------------------------------------------------------- lease


def together(count, work):
    """Return the set of what ``work`` gave in this many threads at once; a failure is shown by its text."""
    gate, found = threading.Barrier(count), []

    def run():
        gate.wait()
        try:
            found.append(work())
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            found.append(repr(error))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert count == len(found)
    return set(found)


@pytest.mark.parametrize("expires_in", [7200, 100])
def test_threads_that_come_together_make_one_refresh(sandbox, tokens, expires_in):
    tokens._lease_seconds = 30.0
    sandbox.fault("latency", STABLE, value=0.3, times=None)
    sandbox.fault("expires_in", STABLE, value=expires_in, times=None)

    assert 1 == len(together(12, lambda: tokens.of(APP.appid, now=NOW).reveal()))
    assert 1 == sandbox.count(STABLE)


def test_a_lease_of_a_dead_holder_runs_out(sandbox, engine, tokens):
    tokens.of(APP.appid, now=NOW)
    change(engine, expires_at=NOW, lease_holder="dead", lease_until=after(0.5))
    started = time.monotonic()

    assert tokens.of(APP.appid, now=NOW)
    assert 0.4 < time.monotonic() - started < 3
    assert 2 == sandbox.count(STABLE)


def test_a_lease_from_a_clock_that_is_an_hour_ahead_holds_nobody_up(sandbox, engine, tokens):
    tokens.of(APP.appid, now=NOW)
    change(engine, expires_at=NOW, lease_holder="ahead", lease_until=after(3600))

    assert tokens.of(APP.appid, now=NOW)
    assert 2 == sandbox.count(STABLE)


def test_a_wait_is_bounded(engine, sandbox, tokens, monkeypatch):
    tokens.of(APP.appid, now=NOW)
    # A lease that is renewed for ever: the holder of a process that never comes to an end.
    change(engine, expires_at=NOW, lease_holder="slow", lease_until=after(40))
    monkeypatch.setattr("fab_minicode.tokens._GRACE_SECONDS", 0.2)

    with pytest.raises(WeChatUnavailable):
        tokens.of(APP.appid, now=NOW)
    assert 1 == sandbox.count(STABLE)


def test_a_late_writer_is_fenced_off(sandbox, engine, vault, phone, tokens):
    slow = Tokens(engine, vault, phone, lease_seconds=0.3)
    sandbox.fault("latency", STABLE, value=1.0)
    late = []
    thread = threading.Thread(target=lambda: late.append(slow.of(APP.appid, now=NOW)), daemon=True)
    thread.start()
    until(lambda: sandbox.count(STABLE), f"a call of {STABLE}")
    sandbox.world.clocks.end(APP.appid)
    quick = slow.of(APP.appid, now=NOW)
    version = stored(engine).version
    thread.join()

    assert (1, 1) == (version, stored(engine).version)
    assert quick == vault.open(stored(engine).sealed_token, f"tokens:sealed_token:{SUBJECT}")
    assert [quick] == late


def test_a_late_writer_does_not_touch_the_row_of_a_new_connection(sandbox, engine, tokens):
    sandbox.fault("latency", STABLE, value=0.5)
    thread = threading.Thread(target=lambda: tokens.of(APP.appid, now=NOW), daemon=True)
    thread.start()
    until(lambda: sandbox.count(STABLE), f"a call of {STABLE}")
    with engine.begin() as connection:  # the mini program was connected again: its row began anew
        connection.execute(delete(Token.__table__))
        row = {"subject": SUBJECT, "version": 0, "lease_holder": "another", "lease_until": after(30)}
        connection.execute(insert(Token.__table__).values(**row))
    thread.join()

    assert (0, "another", None) == (stored(engine).version, stored(engine).lease_holder, stored(engine).sealed_token)


def test_a_failed_refresh_frees_the_lease(sandbox, engine, tokens):
    sandbox.fault("html", STABLE)
    with pytest.raises(WeChatUnavailable):
        tokens.of(APP.appid, now=NOW)

    assert (None, 0) == (stored(engine).lease_holder, stored(engine).version)
    assert tokens.of(APP.appid, now=NOW)


# --------------------------------------------------------------------------------------------------------- notes


def test_a_rejected_secret_takes_the_authorisation_away_and_says_why(sandbox, engine, tokens):
    sandbox.app(APP.appid).secret = "reset-at-wechat"
    with pytest.raises(SecretRejected):
        tokens.of(APP.appid, now=NOW)

    word, error = status(engine)
    assert "not_authorized" == word
    assert "40125 invalid appsecret" in error
    assert APP.secret not in error


def test_another_refusal_leaves_a_note_until_it_works_again(sandbox, engine, tokens):
    sandbox.fault("errcode", STABLE, value=40164)
    with pytest.raises(AddressRefused):
        tokens.of(APP.appid, now=NOW)

    assert ("authorized", True) == (status(engine)[0], "40164" in status(engine)[1])

    tokens.of(APP.appid, now=NOW)

    assert ("authorized", None) == status(engine)


def test_an_outage_leaves_no_note(sandbox, engine, tokens):
    sandbox.fault("errcode", STABLE, value=-1, times=None)
    with pytest.raises(WeChatUnavailable):
        tokens.of(APP.appid, now=NOW)

    assert ("authorized", None) == status(engine)


def test_a_secret_entered_meanwhile_is_not_blamed_for_the_old_one(sandbox, engine, vault, tokens):
    sandbox.fault("latency", STABLE, value=0.5)
    sandbox.app(APP.appid).secret = "new"
    failed = []

    def run():
        try:
            tokens.of(APP.appid, now=NOW)
        except SecretRejected as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    until(lambda: sandbox.count(STABLE), f"a call of {STABLE}")
    sealed = vault.seal(Secret("new"), f"authorizers:sealed_secret:{APP.appid}")
    with engine.begin() as connection:
        connection.execute(update(Authorizer.__table__).values(sealed_secret=sealed))
    thread.join()

    assert 1 == len(failed)
    assert ("authorized", None) == status(engine)
    assert tokens.of(APP.appid, now=NOW)


def test_a_cached_token_makes_pictures(phone, tokens):
    request = KINDS[0].request(CodePlan("pages/index", Utm("poster")))

    assert phone.image(request, tokens.of(APP.appid, now=NOW)).content


# -------------------------------------------------------------------------------------------------- locked database


@pytest.fixture
def hasty(tmp_path, phone, vault):
    """Tokens on a SQLite file whose connections do not wait for a lock at all."""
    engine = create_engine(f"sqlite:///{tmp_path}/hasty.db", future=True, connect_args={"timeout": 0})
    Base.metadata.create_all(engine)
    with Session(engine, future=True) as session:
        sealed = vault.seal(Secret(APP.secret), f"authorizers:sealed_secret:{APP.appid}")
        session.add(authorizer(APP.appid, sealed_secret=sealed))
        session.commit()
    yield Tokens(engine, vault, phone), tmp_path / "hasty.db"
    engine.dispose()


def test_a_database_that_is_locked_for_a_moment_is_waited_for(hasty):
    tokens, path = hasty
    with contextlib.closing(sqlite3.connect(path, check_same_thread=False, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.2, lambda: writer.execute("ROLLBACK"))
        timer.start()

        assert tokens.of(APP.appid, now=NOW)
        timer.join()


def test_a_database_that_stays_locked_is_not_waited_for_for_ever(hasty):
    tokens, path = hasty
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        started = time.monotonic()

        with pytest.raises(OperationalError):
            tokens.of(APP.appid, now=NOW)
        assert time.monotonic() - started < 5
