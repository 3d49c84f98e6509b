"""A host that leaves some of our views out: what is left works, and nothing leads to what is not there."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from fab_minicode import questions
from fab_minicode.acquisition import funnel_question
from fab_minicode.acquisition import question as event_question
from fab_minicode.actor import Actor
from fab_minicode.manager import MinicodeManager
from fab_minicode.models import Authorizer
from fab_minicode.questions import Person, Saving
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.views import VIEWS
from fab_minicode.views.saved_questions import stored
from tests import hosts
from tests.pages import read, send
from tests.stories import NOW
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid
CORE = {"MinicodeCodesView", "MinicodeAnalysisView", "MinicodeAuthorizersView", "MinicodeHomeView"}
OPTIONAL = sorted({row.view.__name__ for row in VIEWS} - CORE)
ANALYSIS = "/minicode/analysis"
PAGES = (
    "/minicode/codes/list/",
    "/minicode/authorizers/list/",
    f"{ANALYSIS}/?appid={APPID}&metric=users&saved=1",
    f"{ANALYSIS}/funnel/?appid={APPID}&step=visit&step=visit&saved=2",
    f"{ANALYSIS}/retention/?appid={APPID}",
    f"{ANALYSIS}/segments/?appid={APPID}",
    f"{ANALYSIS}/visitors?appid={APPID}&metric=users&window=last_30",
    f"{ANALYSIS}/vocabulary?appid={APPID}",
    f"{ANALYSIS}/saved/",
    f"{ANALYSIS}/save?appid={APPID}&kind=funnel&step=visit&step=visit",
    f"{ANALYSIS}/export?appid={APPID}&kind=funnel&step=visit&step=visit&format=csv",
    f"{ANALYSIS}/1",
    f"{ANALYSIS}/2",
    "/minicode/boards/",
    "/minicode/boards/1?all=1",
    "/minicode/audit/list/",
)


@pytest.fixture
def manager(request, tmp_path, monkeypatch, sandbox):
    """A manager's browser at a host without one view; an event analysis and a funnel are saved, both on a board."""
    kept = tuple(row for row in VIEWS if row.view.__name__ != request.param)
    url = hosts.copy_of_template("sqlite", tmp_path)
    whole = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
    furnish(whole)
    hosts.close(whole)
    monkeypatch.setattr(MinicodeManager, "views", kept)
    app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url)
    yield hosts.login(app.test_client(), "manager")
    hosts.close(app)


def furnish(app):
    hosts.connect(app)
    with hosts.database(app) as session:
        program = session.execute(select(Authorizer.id)).scalar_one()
        who = Person(Actor(hosts.user_id(app, "manager"), "Manager Test"), frozenset(), frozenset({program}))
        asked = (
            (questions.EVENTS, event_question.parse({"appid": APPID})),
            (questions.FUNNEL, funnel_question.parse({"appid": APPID, "steps": ["visit", "visit"]})),
        )
        for kind, question in asked:
            saving = Saving(program, kind, stored(question), kind, visibility="readers")
            questions.save(session, saving, who, now=NOW)
        session.commit()
    now, settings = dt.datetime.now(dt.timezone.utc), app.extensions["fab_minicode"].settings
    bring(hosts.engine_of(app), [Visit("v1", 3, "poster")], authorizer_id=program, settings=settings, now=now)
    client = hosts.login(app.test_client(), "manager")
    send(client, "/minicode/boards/add", name="Board", question="1")
    send(client, "/minicode/boards/1/put", question="2")


@pytest.mark.parametrize("manager", OPTIONAL, indirect=True, ids=str)
def test_what_is_left_of_our_pages_works(manager):
    gone = set()
    for address in PAGES:
        answer = manager.get(address)
        if answer.status_code == 404:
            gone.add(address)
            continue

        assert answer.status_code in (200, 302), address
        if answer.status_code == 200 and answer.mimetype == "text/html":
            for link in read(manager, address).links:
                if link.startswith("/minicode/"):
                    assert 404 != manager.get(link).status_code, (address, link)

    assert len(gone) <= 4, gone
