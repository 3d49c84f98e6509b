"""Killed in the middle of an authorisation, and many at once: one mini program, one set of tokens, nothing lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from dataclasses import replace

import pytest
from cryptography.fernet import Fernet
from sqlalchemy import select, update

from fab_minicode import upkeep
from fab_minicode.authorization import Completion
from fab_minicode.component_tokens import place_of_ticket, take_ticket
from fab_minicode.models import AuthCode, Authorizer, Token
from fab_minicode.pushes import note_code
from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.component import Platform
from tests import databases, third_party
from tests.third_party import COMPONENT, PLATFORM, SHOP
from tests.waiting import until

KILLS = 5
"""At each of two points, per database."""

SPAWN = multiprocessing.get_context("spawn")
# The server that these are forked from has imported everything: a process begins at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
QUERY, INFO = "/cgi-bin/component/api_query_auth", "/cgi-bin/component/api_get_authorizer_info"
TOKEN = "/cgi-bin/component/api_authorizer_token"


@pytest.fixture
def wechat():
    with Sandbox(SAMPLE_APPS, platform=replace(PLATFORM)) as sandbox:
        yield sandbox


@pytest.fixture
def place(engine, database_url, wechat):
    """``(database, vault's key, WeChat)``; a ticket is there."""
    key = Fernet.generate_key().decode()
    sealed = Vault([key]).seal(Secret(wechat.platform.next_ticket()), place_of_ticket(COMPONENT))
    with engine.begin() as connection:
        take_ticket(connection, COMPONENT, sealed, created_at=third_party.now(), now=third_party.now())
    return database_url, key, wechat.url


def parts(place):
    url, key, address = place
    engine, vault, client = databases.engine_for(url), Vault([key]), WeChatClient(address)
    return engine, vault, client, Tokens(engine, vault, client, platform=Platform(COMPONENT, Secret(PLATFORM.secret)))


def completion(place):
    engine, vault, client, tokens = parts(place)
    return Completion(engine, vault, client, tokens)


def complete(place, digest, gate=None, out=None):
    worker = completion(place)
    if gate is not None:
        gate.wait(60)
    outcome = worker.complete(digest, now=third_party.now(), wait=True)
    if out is not None:
        out.put((outcome.state, outcome.authorizer_id))


def noted(engine, place, wechat, sets=(17,)):
    code = wechat.world.authorize(SHOP.appid, sets)
    with engine.begin() as connection:
        return note_code(connection, Secret(code), vault=Vault([place[1]]), now=third_party.now(), appid=SHOP.appid)


def test_eight_at_once_ask_wechat_once_and_find_the_same(engine, place, wechat):
    digest = noted(engine, place, wechat)
    gate, out = SPAWN.Barrier(9), SPAWN.Queue()
    workers = [SPAWN.Process(daemon=True, target=complete, args=(place, digest, gate, out)) for _ in range(8)]
    for worker in workers:
        worker.start()
    gate.wait(60)
    found = {out.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(30)

    assert 1 == len(found)
    assert "done" == next(iter(found))[0]
    assert (1, 1) == (wechat.count(QUERY), wechat.count(INFO))


@pytest.mark.parametrize("endpoint", [QUERY, INFO])
def test_killed_in_the_middle_the_next_one_finishes(engine, place, wechat, endpoint):
    for _ in range(KILLS):
        assert_finished_by_the_next(engine, place, wechat, endpoint)


def assert_finished_by_the_next(engine, place, wechat, endpoint):
    digest, before = noted(engine, place, wechat), wechat.count(endpoint)
    wechat.fault("timeout", endpoint, value=30)  # the work is done at WeChat, the answer never comes
    worker = FORKS.Process(daemon=True, target=complete, args=(place, digest))
    worker.start()
    until(lambda: wechat.count(endpoint) > before, f"a call of {endpoint}")
    time.sleep(0.2)
    os.kill(worker.pid, signal.SIGKILL)
    worker.join(10)
    with engine.begin() as connection:
        connection.execute(update(AuthCode).values(claimed_until=third_party.now()))
    outcome = completion(place).complete(digest, now=third_party.now())
    with engine.connect() as connection:
        rows = connection.execute(select(Authorizer.status, Authorizer.granted_sets, Authorizer.nick_name)).all()
        tokens = connection.execute(select(Token.subject, Token.sealed_refresh_token)).all()

    assert -signal.SIGKILL == worker.exitcode
    assert "done" == outcome.state
    assert [("authorized", "17", SHOP.nick_name)] == [tuple(row) for row in rows]
    assert {f"authorizer:{SHOP.appid}"} == {row.subject for row in tokens if row.sealed_refresh_token}


def ask(place, gate, out):
    tokens = parts(place)[3]
    gate.wait(60)
    out.put(tokens.of(SHOP.appid, now=third_party.now()).reveal())


def test_eight_processes_renew_an_authorizers_token_once(engine, place, wechat):
    digest = noted(engine, place, wechat)
    complete(place, digest)
    wechat.platform.app.rotates = True
    wechat.fault("latency", TOKEN, value=0.3, times=None)
    with engine.begin() as connection:
        connection.execute(update(Token).values(expires_at=third_party.now()))
    gate, out = SPAWN.Barrier(9), SPAWN.Queue()
    workers = [SPAWN.Process(daemon=True, target=ask, args=(place, gate, out)) for _ in range(8)]
    for worker in workers:
        worker.start()
    gate.wait(60)
    found = {out.get(timeout=60) for _ in workers}
    for worker in workers:
        worker.join(30)

    assert (1, 1) == (len(found), wechat.count(TOKEN))
    with engine.connect() as connection:
        sealed = connection.execute(
            select(Token.sealed_refresh_token).where(Token.subject == f"authorizer:{SHOP.appid}")
        ).scalar_one()
    opened = Vault([place[1]]).open(sealed, f"tokens:sealed_refresh_token:authorizer:{SHOP.appid}")
    assert wechat.platform.granted[SHOP.appid].refresh_token == opened.reveal()


# ---------------------------------------------------------------------------------------------- rotating the keys


SECRETS = 120


def rotate(url, keys, gate=None):
    engine, vault = databases.engine_for(url), Vault(keys)
    if gate is not None:
        gate.wait(60)
    upkeep._BATCH_ROWS = 7  # of this process: a few commits to be killed between
    upkeep.rotate_keys(engine, vault, now=third_party.now())


def many_secrets(engine, vault):
    with engine.begin() as connection:
        for number in range(SECRETS):
            subject = f"secret:wx{number:016d}"
            sealed = vault.seal(Secret(f"canary-{number}"), f"tokens:sealed_token:{subject}")
            connection.execute(Token.__table__.insert().values(subject=subject, sealed_token=sealed, version=1))


def readable(engine, vault):
    with engine.connect() as connection:
        rows = connection.execute(select(Token.subject, Token.sealed_token).order_by(Token.subject)).all()
    return [vault.open(row.sealed_token, f"tokens:sealed_token:{row.subject}").reveal() for row in rows]


def test_a_rotation_killed_at_twenty_points_can_be_run_again(engine, database_url):
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    many_secrets(engine, Vault([old]))
    expected = [f"canary-{number}" for number in range(SECRETS)]
    for point in range(20):
        worker = SPAWN.Process(daemon=True, target=rotate, args=(database_url, [new, old]))
        worker.start()
        worker.join(0.35 + point * 0.02)
        if worker.is_alive():
            os.kill(worker.pid, signal.SIGKILL)
        worker.join(10)

        assert expected == readable(engine, Vault([new, old]))
    upkeep.rotate_keys(engine, Vault([new, old]), now=third_party.now())

    assert expected == readable(engine, Vault([new]))


def test_two_rotations_at_once_do_not_harm_each_other(engine, database_url):
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    many_secrets(engine, Vault([old]))
    gate = SPAWN.Barrier(3)
    workers = [SPAWN.Process(daemon=True, target=rotate, args=(database_url, [new, old], gate)) for _ in range(2)]
    for worker in workers:
        worker.start()
    gate.wait(60)
    for worker in workers:
        worker.join(60)

    assert [0, 0] == [worker.exitcode for worker in workers]
    assert [f"canary-{number}" for number in range(SECRETS)] == readable(engine, Vault([new]))
