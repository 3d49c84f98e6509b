"""Every act that the audit lists is done once, through its door; the rows are those acts and no others."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import func, select

from fab_minicode import audit
from fab_minicode.acquisition.pseudonyms import pseudonym_of
from fab_minicode.cli import minicode
from fab_minicode.models import AuditEntry, Authorizer, Board, Code, SavedQuestion, Visitor
from tests import hosts
from tests.pages import send
from tests.people import SHOP, World
from tests.routes import FREE, MACHINES, ROUTES
from tests.traffic import Visit, bring

ADDRESSES = {"question": "/minicode/analysis/saved", "board": "/minicode/boards"}
LISTED = {(subject, action) for subject, actions in audit.ACTIONS for action in actions}
DOORS = [route for route in ROUTES if route.statuses not in (MACHINES, FREE)]


def test_every_act_of_the_list_is_written_by_something_that_is_done(app):
    world = World(app)
    with hosts.database(app) as session:
        last = session.execute(select(func.max(AuditEntry.id))).scalar_one()
    for route in DOORS:
        things = world.own if route.method == "GET" else world.fresh()
        world.knock("admin", route, things)
        if route.method != "GET":
            world.settle()
    press_what_asks_for_the_present_state(world)
    adopt_a_scene_and_give_it_back(world)
    run_the_commands(world)
    with hosts.database(app) as session:
        acts = select(AuditEntry.subject_type, AuditEntry.action).where(AuditEntry.id > last)
        written = {tuple(row) for row in session.execute(acts)}

    assert LISTED == written


def press_what_asks_for_the_present_state(world):
    """Questions and boards are changed only by who saw them as they are."""
    things = world.fresh()
    for model, thing, presses in (
        (SavedQuestion, "question", (("lock", "1"), ("lock", "0"), ("hand_over", ""))),
        (Board, "board", (("remove", ""),)),
    ):
        for what, is_locked in presses:
            with hosts.database(world.app) as session:
                seen_at = session.get(model, int(things[thing])).changed_at.isoformat()
            address = f"{ADDRESSES[thing]}/{things[thing]}/{what}"
            sent = send(world.client("admin"), address, seen_at=seen_at, is_locked=is_locked, owner="creator")

            assert 302 == sent.status_code, address


def adopt_a_scene_and_give_it_back(world):
    things, admin = world.fresh(), world.client("admin")
    with hosts.database(world.app) as session:
        name = session.get(Code, int(things["code"])).name
    for address, fields in (
        (f"adopt/{things['ghost']}", {"name": name}),
        (f"release/{things['code']}", {"ghost": things["ghost"]}),
    ):
        assert 302 == send(admin, f"/minicode/codes/{address}", **fields).status_code, address


def run_the_commands(world):
    run, now = world.app.test_cli_runner(), dt.datetime.now(dt.timezone.utc)
    with hosts.database(world.app) as session:
        program = session.execute(select(Authorizer.id).where(Authorizer.appid == SHOP.appid)).scalar_one()
        settings = world.app.extensions["fab_minicode"].settings
        bring(hosts.engine_of(world.app), [Visit("somebody", 1)], authorizer_id=program, settings=settings, now=now)
        whose = ["--appid", SHOP.appid, "--pseudonym", pseudonym_of(session.execute(select(Visitor.head)).scalar_one())]
    for words in (
        ["roles"], ["rotate-keys"], ["purge"], ["visitor", "export", *whose], ["visitor", "erase", "--yes", *whose]
    ):  # fmt: skip
        assert 0 == run.invoke(minicode, words, catch_exceptions=False).exit_code, words
