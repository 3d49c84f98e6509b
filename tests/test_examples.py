"""Every example under ``examples/`` runs and does what it says."""

from __future__ import annotations

import datetime as dt
import importlib
import pathlib
import re
import sys

import pytest
from sqlalchemy import select

from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models import Authorizer, Code, StoredEvent
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.pages import make, read, send

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
TRIED = {"signals", "token_provider", "visitor_id", "authorizer_scope", "subclass_views"}
PROGRAM, OTHER = SAMPLE_APPS[0], SAMPLE_APPS[1]


@pytest.fixture
def example(tmp_path, sandbox, monkeypatch):
    """Return a function that imports an example and makes its host, which speaks to ``sandbox``."""
    monkeypatch.syspath_prepend(str(EXAMPLES))
    made = []

    def start(name):
        module = importlib.import_module(name)
        app = module.create_app(
            SQLALCHEMY_DATABASE_URI=hosts.copy_of_template("sqlite", tmp_path),
            SECRET_KEY="a host's secret key for tests, long enough for HS256",
            FAB_MINICODE_SECRET_KEYS=hosts.SECRET_KEYS,
            FAB_MINICODE_WECHAT_API_URL=sandbox.url,
            FAB_MINICODE_ROLLUP="external",
            FAB_UPDATE_PERMS=False,
        )
        made.append(app)
        return module, app

    yield start
    for app in made:
        hosts.close(app)
    for name in (*TRIED, "plain_host"):
        sys.modules.pop(name, None)


def all_of(app, *columns):
    with hosts.database(app) as session:
        return session.execute(select(*columns)).all()


def collect(app, **visit):
    ((key,),) = all_of(app, Authorizer.collect_key)
    now = int(dt.datetime.now(dt.timezone.utc).timestamp() * 1000)
    event = {"id": "1", "type": "visit", "visitor": "device", "time_ms": now, **visit}
    return app.test_client().post(f"/minicode/collect/v1/{key}", json={"events": [event]}).json


def test_every_example_is_tried_here():
    assert TRIED | {"plain_host"} == {path.stem for path in EXAMPLES.glob("*.py")}


@pytest.mark.parametrize("name", sorted(TRIED))
def test_every_example_says_how_it_is_run(name):
    text = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")

    assert re.search(rf'\A"""\n[^"]+Run: ``flask --app examples/{name}\.py minicode upgrade``', text)


def test_signals_tells_of_each_signal(example):
    module, app = example("signals")
    hosts.connect(app)
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer)).scalar_one()
        row.quota_limit, row.quota_used = 5, 3
        session.commit()
    manager = hosts.login(app.test_client(), "manager")
    make(manager, appid=PROGRAM.appid, kind="wxacode_unlimited", landing_page="pages/a")
    ((scene,),) = all_of(app, Code.scene)
    for number in range(2):
        assert 1 == collect(app, id=number, path="pages/a", query={"scene": scene})["accepted"]
        settings = app.extensions["fab_minicode"].settings
        roll_up_all(hosts.engine_of(app), settings=settings, now=dt.datetime.now(dt.timezone.utc))
    make(manager, appid=PROGRAM.appid, name="By interface A")
    send(manager, "/minicode/codes/delete/1")
    send(manager, "/minicode/authorizers/revoke/1", confirmation=PROGRAM.appid)

    now, appid, named = dt.datetime.now(dt.timezone.utc), PROGRAM.appid, f"{PROGRAM.nick_name} ({PROGRAM.appid})"
    connected, made, visited, made_too, low, deleted, revoked = module.HEARD
    assert f"system connected {named} by its secret" == connected
    assert f"Manager Test made code 1 (Poster at gate 1) of {appid}" == made
    assert visited.startswith(f"code 1 (Poster at gate 1) of {appid} was first visited at {now:%Y}-")
    assert f"Manager Test made code 2 (By interface A) of {appid}" == made_too
    assert f"4 of 5 codes of {appid} are made: 80 % or more" == low
    assert f"Manager Test deleted code 1 (Poster at gate 1) of {appid}" == deleted
    assert f"Manager Test disconnected {named} in {now:%Y}" == revoked


def test_token_provider_makes_a_code_with_the_token_that_is_handed_in(example, sandbox, monkeypatch):
    _, app = example("token_provider")
    token = sandbox.world.clocks.plain_token(PROGRAM.appid, now=sandbox.clock.now())[0]
    monkeypatch.setenv(f"TOKEN_{PROGRAM.appid}", token)
    manager = hosts.login(app.test_client(), "manager")
    send(manager, "/minicode/authorizers/connect", appid=PROGRAM.appid, nick_name="Shop")
    make(manager, appid=PROGRAM.appid)

    assert [("ready",)] == all_of(app, Code.state)
    assert 0 == sandbox.count("/cgi-bin/stable_token")


def test_visitor_id_makes_two_devices_of_one_person_one_visitor(example):
    _, app = example("visitor_id")
    hosts.connect(app)
    for number, (device, user) in enumerate((("phone", "wang"), ("tablet", "wang"), ("kiosk", None))):
        assert 1 == collect(app, id=number, visitor=device, user=user)["accepted"]

    assert 2 == len({bytes(visitor) for (visitor,) in all_of(app, StoredEvent.visitor)})


def test_authorizer_scope_hides_a_mini_program_from_another_domain(example, monkeypatch):
    module, app = example("authorizer_scope")
    for program in (PROGRAM, OTHER):
        hosts.connect(app, program)
    manager = hosts.login(app.test_client(), "manager")
    address = "/minicode/authorizers/list/"
    everything = read(manager, address).text
    monkeypatch.setattr(module, "HEADQUARTERS", "elsewhere.example.com")
    monkeypatch.setitem(module.TEAMS, "example.org", {OTHER.appid})
    limited = read(manager, address).text

    assert (True, True) == (PROGRAM.appid in everything, OTHER.appid in everything)
    assert (False, True) == (PROGRAM.appid in limited, OTHER.appid in limited)


def test_subclass_views_shows_posters_only(example):
    _, app = example("subclass_views")
    hosts.connect(app)
    manager = hosts.login(app.test_client(), "manager")
    make(manager, appid=PROGRAM.appid, name="A poster")
    make(manager, appid=PROGRAM.appid, name="A flyer", utm_source="flyer")
    address = f"/minicode/codes/list/?appid={PROGRAM.appid}"
    read(manager, address)  # says what was just made, once
    text = read(manager, address).text

    assert (True, False) == ("A poster" in text, "A flyer" in text)
    with hosts.database(app) as session:
        found = {code.name: code.id for code in session.execute(select(Code)).scalars()}
    assert 200 == manager.get(f"/minicode/codes/show/{found['A poster']}").status_code
    assert 404 == manager.get(f"/minicode/codes/show/{found['A flyer']}").status_code
