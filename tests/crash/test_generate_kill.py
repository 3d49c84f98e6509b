"""
SIGKILL between a code's reservation and WeChat's answer, ten times: every code that WeChat may have made is reserved
and visible, none is said to be ready that is not, and all can be asked for again. CRASH_SEED=<seed> repeats a run.
"""

import datetime as dt
import multiprocessing
import os
import random
import signal
import time

from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode import codes
from fab_minicode.models import Code, CodeImage
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Vault
from fab_minicode.wechat.client import WeChatClient
from tests import databases
from tests.hosts import SECRET_KEYS
from tests.stories import NOW, WANG, draft
from tests.test_generate import IMAGE_A, PROGRAM, World
from tests.waiting import until

KILLS = 10
# The server that the workers are forked from has imported everything: a worker begins at once.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])


def make(place, number, begun):
    """Make one code as a web process does: plan, commit, ask, commit."""
    url, keys, wechat = place
    engine, client = databases.engine_for(url), WeChatClient(wechat)
    tokens = Tokens(engine, Vault(keys), client)
    begun.set()
    with Session(engine, future=True) as session:
        code = codes.plan(session, draft(appid=PROGRAM.appid, name=f"code {number}"), actor=WANG, now=NOW)
        session.commit()
        codes.generate(session, code, tokens=tokens, client=client, actor=WANG, now=NOW)
        session.commit()


def killed(place, number, sandbox, chance):
    """Kill a worker: after WeChat made the code, while WeChat makes it, or at any moment."""
    fault, before = ("timeout", "latency", None)[number % 3], sandbox.count(IMAGE_A)
    sandbox.clear_faults()
    if fault:
        sandbox.fault(fault, IMAGE_A, value={"timeout": 30, "latency": 0.3}[fault])
    begun = FORKS.Event()
    worker = FORKS.Process(daemon=True, target=make, args=(place, number, begun))
    worker.start()
    assert begun.wait(60)
    if fault:
        until(lambda: sandbox.count(IMAGE_A) > before, "WeChat is asked for the picture")
    else:
        time.sleep(chance.uniform(0, 0.2))
    # On a quick machine it may be done by now.
    worker.kill()
    worker.join(60)
    return worker.exitcode


def test_a_killed_process_leaves_every_code_reserved_visible_and_to_be_had(database_url, engine, sandbox):
    seed = int(os.environ.get("CRASH_SEED") or time.time_ns() % 10**9)
    chance, world = random.Random(seed), World(engine, sandbox)
    world.tokens.of(PROGRAM.appid, now=NOW)
    place = (database_url, SECRET_KEYS, sandbox.url)
    ends = [killed(place, number, sandbox, chance) for number in range(KILLS)]
    sandbox.clear_faults()
    until(lambda: sandbox.app(PROGRAM.appid).ac_used >= 7, "WeChat has made what it was asked for")

    assert ends.count(-signal.SIGKILL) >= 7, seed
    with Session(engine, future=True) as session:
        found = session.execute(select(Code)).scalars().all()
        pictures = set(session.execute(select(CodeImage.code_id)).scalars())
        used = codes.quota(session, PROGRAM.appid).used

        assert {code.id for code in found if code.state == codes.READY} == pictures, seed
        assert {code.state for code in found} <= {codes.PLANNED, codes.READY}, seed
        assert sandbox.app(PROGRAM.appid).ac_used <= used == len(found), seed

        later = NOW + dt.timedelta(seconds=codes.ASK_SECONDS + 1)
        assert [None] * len(found) == [world.generate(session, code, now=later) for code in found], seed
        assert {codes.READY} == {code.state for code in found}
        assert sandbox.app(PROGRAM.appid).ac_used <= codes.quota(session, PROGRAM.appid).used, seed
