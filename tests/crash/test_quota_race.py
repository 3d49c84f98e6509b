"""The last fifty codes of a life's quota, wanted by eight processes at once."""

import multiprocessing

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fab_minicode import codes
from fab_minicode.errors import QuotaUsedUp
from fab_minicode.models import Code
from tests import databases
from tests.stories import APPID, NOW, WANG, authorizer, draft

PROCESSES, TRIES = 8, 60


def want(url, process):
    """Try to plan sixty codes; return how many were planned."""
    engine = databases.engine_for(url)
    planned = 0
    for number in range(TRIES):
        with Session(engine, future=True) as session:
            try:
                codes.plan(session, draft(name=f"{process}-{number}"), actor=WANG, now=NOW)
            except QuotaUsedUp:
                session.rollback()
            else:
                session.commit()
                planned += 1
    engine.dispose()
    return planned


def test_480_parallel_tries_make_exactly_the_50_codes_that_are_left(database_url, engine, session):
    session.add(authorizer(quota_used=99_950))
    session.commit()
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        planned = pool.starmap(want, [(database_url, process) for process in range(PROCESSES)], chunksize=1)

    assert 50 == sum(planned)
    assert 50 == session.execute(select(func.count()).select_from(Code)).scalar_one()
    assert codes.Quota(100_000, 100_000) == codes.quota(session, APPID)
