"""The command line inside a host, and without one."""

import datetime as dt
import json
import os
import pathlib
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner
from cryptography.fernet import Fernet
from sqlalchemy import inspect, select, text, update
from sqlalchemy.orm import Session

from fab_minicode import audit, migrations, upkeep
from fab_minicode.acquisition.facts import SeriesKey
from fab_minicode.acquisition.ledger import Ledger
from fab_minicode.acquisition.tally import Tally
from fab_minicode.cli import minicode
from fab_minicode.errors import SecretUnreadable
from fab_minicode.models import (
    Attribution,
    AuditEntry,
    Authorizer,
    Ghost,
    IdempotencyKey,
    Pending,
    StoredEvent,
    Token,
    Value,
)
from fab_minicode.models.acquisition import REAL, TEST
from fab_minicode.permissions import ROLES
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.settings import PREFIX, SETTINGS
from fab_minicode.vault import Secret, Vault
from tests import hosts
from tests.events import Told, store
from tests.stories import NOW, authorizer

ROOT = pathlib.Path(__file__).resolve().parent.parent
KEYS = [Fernet.generate_key().decode("ascii") for _ in range(3)]


def run(app, *words):
    answer = app.test_cli_runner().invoke(minicode, words, catch_exceptions=False)
    return answer.exit_code, answer.output


@pytest.fixture
def bare(database_url, tmp_path):
    """A host whose database has the host's tables and none of ours."""
    kind = "sqlite" if database_url.startswith("sqlite") else "postgresql"
    app = hosts.make_host(hosts.copy_of_template(kind, tmp_path))
    engine = hosts.engine_of(app)
    with engine.begin() as connection:
        for table in reversed(migrations_tables()):
            connection.execute(text(f"DROP TABLE {table.name}"))
    yield app
    hosts.close(app)


def migrations_tables():
    return Authorizer.metadata.sorted_tables


def test_upgrade_makes_our_tables_in_the_hosts_database(bare):
    assert (0, f"minicode tables: none -> {migrations.head()}\n") == run(bare, "upgrade")
    assert (0, f"minicode tables: {migrations.head()} -> {migrations.head()}\n") == run(bare, "upgrade")
    assert {table.name for table in migrations_tables()} <= set(inspect(hosts.engine_of(bare)).get_table_names())


def test_upgrade_needs_no_host_when_it_is_told_the_address(database_url):
    answer = CliRunner().invoke(minicode, ["upgrade", "--url", database_url])

    assert (0, f"minicode tables: none -> {migrations.head()}\n") == (answer.exit_code, answer.output)


@pytest.mark.parametrize("url", ["nonsense", "sqlite:////no/such/folder/x.db", "mysql+nodriver://a:secret@b/c"])
def test_upgrade_says_what_is_wrong_with_an_address(url):
    answer = CliRunner().invoke(minicode, ["upgrade", "--url", url])

    assert 1 == answer.exit_code
    assert answer.output.startswith("Error: ")
    assert "secret" not in answer.output


def test_roles_can_be_run_twice_and_takes_nothing_away(app):
    with app.app_context():
        security = app.extensions["appbuilder"].sm
        viewer = security.find_role("Minicode Viewer")
        security.add_permission_role(viewer, security.find_permission_view_menu("can_download", "MinicodeCodes"))
    expected = "".join(f"{role.name}\n" for role in ROLES)

    assert (0, expected) == run(app, "roles")
    assert (0, expected) == run(app, "roles")

    with app.app_context():
        granted = {(p.permission.name, p.view_menu.name) for p in security.find_role("Minicode Viewer").permissions}
    assert {
        ("can_list", "MinicodeCodes"),
        ("can_show", "MinicodeCodes"),
        ("can_download", "MinicodeCodes"),
        ("can_list", "MinicodeAuthorizers"),
        ("can_show", "MinicodeAuthorizers"),
        ("can_read", "MinicodeAcquisition"),
        ("menu_access", "Mini program codes"),
        ("menu_access", "Minicode Code List"),
        ("menu_access", "Minicode Mini Programs"),
        ("menu_access", "Minicode Analysis"),
    } == granted


# ---------------------------------------------------------------------------------------------------------- check


def test_check_names_every_setting_and_no_secret(app):
    _, output = run(app, "check")

    for setting in SETTINGS:
        assert PREFIX + setting.name in output
    assert not any(key in output for key in hosts.SECRET_KEYS)


def test_check_fails_where_the_tables_are_missing(bare):
    status, output = run(bare, "check")

    assert 1 == status
    assert "migrations" in output
    assert "run `flask minicode upgrade`" in output


def test_check_fails_where_wechat_is_not_reached(tmp_path):
    app = hosts.make_host(hosts.copy_of_template("sqlite", tmp_path), FAB_MINICODE_WECHAT_API_URL="http://127.0.0.1:9")
    status, output = run(app, "check")
    hosts.close(app)

    assert 1 == status
    assert "WeChat" in output
    assert "http://127.0.0.1:9" in output


@pytest.mark.parametrize("days, said", [(20, True), ("20", True), (30, False), (None, False)])
def test_check_says_where_raw_events_are_kept_longer_than_asked_for(tmp_path, days, said):
    app = hosts.make_host(hosts.copy_of_template("sqlite", tmp_path), FAB_MINICODE_EVENT_RETENTION_DAYS=days)
    _, output = run(app, "check")
    hosts.close(app)

    assert said == bool(re.search(r"raw events +warn +kept 30 days, not 20: ", output))


def test_check_makes_a_key_where_there_is_none(tmp_path):
    app = hosts.make_host(hosts.copy_of_template("sqlite", tmp_path), FAB_MINICODE_SECRET_KEYS=None)
    _, output = run(app, "check")
    hosts.close(app)

    assert Vault([output.split('["')[1].split('"]')[0]])


# ---------------------------------------------------------------------------------------------------- rotate-keys


def seal_everything(engine, vault):
    with Session(engine, future=True) as session:
        for number in range(3):
            appid = f"wx{number}"
            session.add(
                authorizer(
                    appid,
                    sealed_secret=vault.seal(Secret(f"secret {number}"), f"authorizers:sealed_secret:{appid}"),
                    sealed_visitor_key=vault.seal(Secret("aa" * 32), f"authorizers:sealed_visitor_key:{appid}"),
                )
            )
        session.add(Token(subject="secret:wx0", sealed_token=vault.seal(Secret("t"), "tokens:sealed_token:secret:wx0")))
        session.commit()


def test_sealed_columns_are_found_by_their_name():
    found = {str(column) for column in upkeep.sealed_columns()}

    assert {
        "minicode_authorizers.sealed_secret",
        "minicode_authorizers.sealed_visitor_key",
        "minicode_tokens.sealed_token",
        "minicode_tokens.sealed_refresh_token",
    } <= found
    assert found == {str(c) for t in Authorizer.metadata.sorted_tables for c in t.columns if "sealed" in c.name}


def test_rotation_seals_everything_anew_and_the_old_key_may_go(engine, monkeypatch):
    monkeypatch.setattr(upkeep, "_BATCH_ROWS", 2)
    seal_everything(engine, Vault(KEYS[:1]))
    both = Vault([KEYS[1], KEYS[0]])

    assert upkeep.Rotation(0, 7, 0) == upkeep.sealed_texts(engine, both)
    assert upkeep.Rotation(0, 7, 0) == upkeep.rotate_keys(engine, both, now=NOW)
    assert upkeep.Rotation(7, 0, 0) == upkeep.rotate_keys(engine, both, now=NOW)

    with Session(engine, future=True) as session:
        sealed = session.execute(select(Authorizer.sealed_secret).where(Authorizer.appid == "wx2")).scalar_one()
    assert "secret 2" == Vault(KEYS[1:2]).open(sealed, "authorizers:sealed_secret:wx2").reveal()
    with pytest.raises(SecretUnreadable):
        Vault(KEYS[:1]).open(sealed, "authorizers:sealed_secret:wx2")


@pytest.fixture
def refusing(monkeypatch):
    """An audit that takes no rows."""

    def refuse(*_, **__):
        raise RuntimeError("no room for a row")

    monkeypatch.setattr(audit, "record", refuse)


def test_the_last_secret_is_not_sealed_anew_without_its_row_in_the_audit(engine, refusing, monkeypatch):
    monkeypatch.setattr(upkeep, "_BATCH_ROWS", 2)
    seal_everything(engine, Vault(KEYS[:1]))
    both = Vault([KEYS[1], KEYS[0]])
    with pytest.raises(RuntimeError):
        upkeep.rotate_keys(engine, both, now=NOW)

    # Batches are of one column and at most two rows; all but the last stay done.
    found = upkeep.sealed_texts(engine, both)
    assert found.newest > 0 < found.older <= 2


def test_no_row_says_that_a_purge_ended_which_did_not(engine, session, refusing):
    session.add(authorizer())
    session.flush()
    owner = session.execute(select(Authorizer.id)).scalar_one()
    session.add(Ghost(authorizer_id=owner, scene="old", page="p", first_ms=1, last_ms=1))
    session.commit()
    with pytest.raises(RuntimeError):
        upkeep.purge(engine, retention_days=180, now=NOW)

    assert ["old"] == session.execute(select(Ghost.scene)).scalars().all()


def test_the_commands_of_upkeep_leave_one_row_each_and_a_count_leaves_none(app):
    for words in (["rotate-keys", "--check"], ["rotate-keys"], ["purge"]):
        run(app, *words)
    with hosts.database(app) as session:
        told = session.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars().all()

    assert [
        ("secrets", "rotated", "cli", {"sealed_anew": 0, "unreadable": 0}),
        ("events", "purged", "cli", {"days": 180, "events": 0}),
    ] == [(row.subject_type, row.action, row.way, json.loads(row.detail)) for row in told]


def test_rotation_leaves_what_no_key_opens_alone(engine):
    seal_everything(engine, Vault(KEYS[:1]))
    with engine.connect() as connection:
        before = connection.execute(select(Authorizer.sealed_secret).order_by(Authorizer.id)).all()

    assert upkeep.Rotation(0, 0, 7) == upkeep.rotate_keys(engine, Vault(KEYS[1:]), now=NOW)
    with engine.connect() as connection:
        assert before == connection.execute(select(Authorizer.sealed_secret).order_by(Authorizer.id)).all()


def test_a_secret_that_changes_during_the_rotation_is_not_overwritten(engine):
    seal_everything(engine, Vault(KEYS[:1]))
    both = Vault([KEYS[1], KEYS[0]])
    entered = both.seal(Secret("entered meanwhile"), "authorizers:sealed_secret:wx1")

    class Slow(Vault):
        def rotate(self, sealed):
            with engine.begin() as connection:
                connection.execute(
                    update(Authorizer).where(Authorizer.appid == "wx1").values(sealed_secret=entered),
                    execution_options={"synchronize_session": False},
                )
            return super().rotate(sealed)

    upkeep.rotate_keys(engine, Slow([KEYS[1], KEYS[0]]), now=NOW)

    with engine.connect() as connection:
        kept = connection.execute(select(Authorizer.sealed_secret).where(Authorizer.appid == "wx1")).scalar_one()
    assert entered == kept


def test_the_command_counts_and_says_with_its_status_whether_something_is_left(tmp_path):
    url = hosts.copy_of_template("sqlite", tmp_path)
    app = hosts.make_host(url, FAB_MINICODE_SECRET_KEYS=[KEYS[1], KEYS[0]])
    seal_everything(hosts.engine_of(app), Vault(KEYS[:1]))
    counts = "sealed with the newest key before: {}\n{}: {}\nopened by no key (enter these secrets again): {}\n"

    assert (1, counts.format(0, "still to be sealed anew", 7, 0)) == run(app, "rotate-keys", "--check")
    assert (0, counts.format(0, "sealed anew", 7, 0)) == run(app, "rotate-keys")
    assert (0, counts.format(7, "still to be sealed anew", 0, 0)) == run(app, "rotate-keys", "--check")
    hosts.close(app)


# -------------------------------------------------------------------------------------------------------- rollup


def test_rollup_counts_what_the_collector_accepted(app, client):
    hosts.connect(app)
    with hosts.database(app) as session:
        key = session.execute(select(Authorizer.collect_key)).scalar_one()
    time_ms = int(dt.datetime.now(dt.timezone.utc).timestamp() * 1000)
    events = [
        {"id": f"event-{number:016d}", "type": "visit", "visitor": f"v{number}", "time_ms": time_ms, "path": "pages/a"}
        for number in range(3)
    ]

    assert 3 == client.post(f"/minicode/collect/v1/{key}", json={"events": events}).get_json()["accepted"]
    assert (0, "events counted: 3\n") == run(app, "rollup")
    assert (0, "events counted: 0\n") == run(app, "rollup", "--all")


# ---------------------------------------------------------------------------------------------------------- purge


def event(number, days_ago, state):
    time_ms = int((NOW - dt.timedelta(days=days_ago)).timestamp() * 1000)
    return StoredEvent(
        key=time_ms.to_bytes(6, "big") + number.to_bytes(10, "big"),
        authorizer_id=1,
        time_ms=time_ms,
        received_ms=time_ms,
        visitor=b"v" * 16,
        state=state,
    )


def test_purge_removes_counted_and_test_events_that_are_too_old(engine, session, monkeypatch):
    monkeypatch.setattr(upkeep, "_BATCH_EVENTS", 2)
    session.add_all(event(number, 181, REAL) for number in range(5))
    waiting = event(6, 181, REAL)
    session.add_all([event(5, 181, TEST), waiting, Pending(key=waiting.key, authorizer_id=1), event(7, 179, REAL)])
    session.commit()

    assert upkeep.Purged(6, 0) == upkeep.purge(engine, retention_days=180, now=NOW)
    assert [6, 7] == sorted(
        int.from_bytes(key[6:], "big") for key in session.execute(select(StoredEvent.key)).scalars()
    )
    assert upkeep.Purged(0, 0) == upkeep.purge(engine, retention_days=180, now=NOW)


def test_purge_removes_events_of_clocks_that_were_ahead(engine, session):
    ahead = event(1, 181, REAL)
    ahead.key = (ahead.time_ms + 400 * 86_400_000).to_bytes(6, "big") + b"0123456789"
    session.add(ahead)
    session.commit()

    assert upkeep.Purged(1, 0) == upkeep.purge(engine, retention_days=180, now=NOW)


def test_purge_removes_what_was_decided_about_events_that_are_gone(engine, session):
    session.add(authorizer())
    session.flush()
    owner = session.execute(select(Authorizer.id)).scalar_one()
    today = NOW.date().toordinal()
    for place, day in enumerate((today - 300, today - 182, today - 180, today)):
        session.add(decided(owner, day, place))
    session.commit()
    upkeep.purge(engine, retention_days=180, now=NOW)

    assert [today - 180, today] == sorted(session.execute(select(Attribution.day)).scalars())


def decided(owner, day, place):
    numbers = {"visitor_id": 1, "time_ms": place, "key_tail": place, "event_id": 0, "context_id": 1, "route": 0}
    return Attribution(authorizer_id=owner, day=day, **numbers)


def test_purge_forgets_idempotency_keys_after_30_days(engine, session):
    for key, days in (("old", 31), ("young", 29)):
        at = NOW - dt.timedelta(days=days)
        session.add(IdempotencyKey(user_id="7", key=key, body_sha256="", created_at=at))
    session.commit()

    assert upkeep.Purged(0, 1) == upkeep.purge(engine, retention_days=180, now=NOW)
    assert ["young"] == session.execute(select(IdempotencyKey.key)).scalars().all()


def test_the_command_says_what_it_removed(app):
    removed = "events older than 180 days: 0\nidempotency keys older than 30 days: 0\n"

    assert (0, f"{removed}unknown scenes not seen for 32 days: 0\n") == run(app, "purge")


def test_the_recount_says_that_nothing_differs_or_what(app):
    hosts.connect(app)
    with hosts.database(app) as session:
        owner = session.execute(select(Authorizer.id)).scalar_one()
        yesterday = dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=1)
        told = Told("a", int(yesterday.timestamp() * 1000), utm=("poster", "", "", "", ""))
        store(session.connection(), [replace(told, authorizer_id=owner)])
        session.commit()
    run(app, "rollup")

    status, said = run(app, "verify")

    assert 0 == status
    assert re.fullmatch(r"days recounted: 1, facts compared: [1-9]\d*, differences: 0\n", said)

    with hosts.database(app) as session:
        source = session.execute(select(Value.id).where(Value.value == "poster")).scalar_one()
        ledger = Ledger(session.connection(), owner)
        day = session.execute(select(Attribution.day)).scalar_one()
        ledger.replace(SeriesKey("visit", "own", "utm_source"), day, {source: Tally.of(np.array([9], np.uint32))})
        ledger.write()
        session.commit()
    status, said = run(app, "verify", "--appid", SAMPLE_APPS[0].appid)

    assert 1 == status
    assert "visit (own) by utm_source, 'poster': stored 1 visitors, 1 times; recounted 1 visitors, 1 times" in said
    assert 2 == run(app, "verify", "--appid", "wx-nobody")[0]


def test_without_an_application_the_commands_say_so(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLASK_APP", raising=False)
    answer = CliRunner().invoke(minicode, ["purge"])

    assert 2 == answer.exit_code
    assert "Could not locate a Flask application" in answer.output


def test_the_console_command_loads_the_host_that_flask_app_names(tmp_path):
    url = hosts.copy_of_template("sqlite", tmp_path)
    (tmp_path / "portal.py").write_text(f"from tests import hosts\napp = hosts.make_host({url!r})\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", "from fab_minicode.cli import main; main()", "roles"],
        env=os.environ | {"FLASK_APP": f"{tmp_path}/portal.py:app", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert [role.name for role in ROLES] == done.stdout.splitlines()[-3:]
