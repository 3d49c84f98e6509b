"""Many processes, one token: exactly one refresh; the refresher killed, exactly one more."""

import multiprocessing
import os
import signal
import threading

import pytest
from cryptography.fernet import Fernet
from sqlalchemy.orm import Session

from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from tests import databases
from tests.stories import NOW, authorizer
from tests.waiting import until

APP = SAMPLE_APPS[0]
STABLE = "/cgi-bin/stable_token"
PROCESSES, THREADS = 8, 10
ROUNDS = 3
KILLS = 10
SPAWN = multiprocessing.get_context("spawn")
# The server that these are forked from has imported everything: a process begins at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


@pytest.fixture
def key(engine):
    """The vault's key; the database holds a mini program without a token."""
    key = Fernet.generate_key().decode()
    with Session(engine, future=True) as session:
        sealed = Vault([key]).seal(Secret(APP.secret), f"authorizers:sealed_secret:{APP.appid}")
        session.add(authorizer(APP.appid, sealed_secret=sealed))
        session.commit()
    return key


def tokens_of(place, lease_seconds=30.0):
    url, key, wechat = place
    return Tokens(databases.engine_for(url), Vault([key]), WeChatClient(wechat), lease_seconds=lease_seconds)


def ask_in_threads(place, gates, out):
    """One process: at each gate all threads of all processes ask for the token at once."""
    tokens = tokens_of(place)

    def run():
        for number, gate in enumerate(gates):
            gate.wait(60)
            try:
                out.put((number, tokens.of(APP.appid, now=NOW.__class__.now(NOW.tzinfo)).reveal()))
            except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
                out.put((number, repr(error)))

    threads = [threading.Thread(target=run, daemon=True) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def ask_once(place, lease_seconds, out):
    out.put(tokens_of(place, lease_seconds).of(APP.appid, now=NOW).reveal())


def test_eight_processes_of_ten_threads_make_exactly_one_refresh(database_url, engine, key, sandbox):
    sandbox.fault("latency", STABLE, value=0.2, times=None)
    place = (database_url, key, sandbox.url)
    gates, out = [SPAWN.Barrier(PROCESSES * THREADS + 1) for _ in range(ROUNDS)], SPAWN.Queue()
    workers = [SPAWN.Process(daemon=True, target=ask_in_threads, args=(place, gates, out)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    counts, found = [], []
    for gate in gates:
        forget_token(engine)
        sandbox.world.clocks.end(APP.appid)
        gate.wait(60)
        found.append({out.get(timeout=60) for _ in range(PROCESSES * THREADS)})
        counts.append(sandbox.count(STABLE))
    for worker in workers:
        worker.join(30)

    assert [1] * ROUNDS == [len(tokens) for tokens in found]
    assert list(range(1, ROUNDS + 1)) == counts


def forget_token(engine):
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE minicode_tokens SET expires_at = '2020-01-01 00:00:00.000000'")


def test_a_refresher_killed_in_the_middle_is_replaced_exactly_once(database_url, engine, key, sandbox):
    place = (database_url, key, sandbox.url)
    for kill in range(KILLS):
        before = sandbox.count(STABLE)
        if kill:
            forget_token(engine)
            sandbox.world.clocks.end(APP.appid)
        ends, found = killed_and_replaced(place, sandbox)

        assert -signal.SIGKILL == ends
        assert (10, 1) == (len(found), len(set(found)))
        assert before + 2 == sandbox.count(STABLE)


def killed_and_replaced(place, sandbox):
    """Kill who refreshes the token; return its exit code and what ten threads are given then."""
    sandbox.fault("latency", STABLE, value=30, times=1)
    out, before = FORKS.Queue(), sandbox.count(STABLE)
    holder = FORKS.Process(daemon=True, target=ask_once, args=(place, 1.0, out))
    holder.start()
    until(lambda: sandbox.count(STABLE) > before, f"a call of {STABLE}")
    os.kill(holder.pid, signal.SIGKILL)
    holder.join(10)
    tokens, found = tokens_of(place, 1.0), []
    threads = [
        threading.Thread(target=lambda: found.append(tokens.of(APP.appid, now=NOW)), daemon=True) for _ in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return holder.exitcode, found
