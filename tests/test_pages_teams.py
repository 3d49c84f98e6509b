"""Teams in pages: the roles that know a mini program, and everything of a leaver handed over in one step."""

import datetime as dt
import json

import pytest
from sqlalchemy import select

from fab_minicode import codes, handing_over, questions
from fab_minicode.actor import Actor
from fab_minicode.cli import minicode
from fab_minicode.models import AuditEntry, Authorizer, AuthorizerRole, Board, Code, SavedQuestion
from fab_minicode.permissions import CREATOR, MANAGER, VIEWER
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.pages import read, send
from tests.stories import CHEN, NOW, WANG, draft
from tests.traffic import Visit, bring

SHOP, OTHER, _ = SAMPLE_APPS
LIST, HAND_OVER = "/minicode/authorizers/list/", "/minicode/authorizers/hand_over"


@pytest.fixture
def house(app):
    for program in (SHOP, OTHER):
        hosts.connect(app, program)
    return app


def rows(app, model, *conditions):
    with hosts.database(app) as session:
        return session.execute(select(model).where(*conditions).order_by(model.id)).unique().scalars().all()


def key_of(app, program):
    return rows(app, Authorizer, Authorizer.appid == program.appid)[0].id


def choose(client, app, program, *roles):
    hosts.csrf_token(client)
    token = hosts.csrf_token(client)
    address = f"/minicode/authorizers/roles/{key_of(app, program)}"
    return client.post(address, data={"role": list(roles), "csrf_token": token}, follow_redirects=True)


def test_a_manager_chooses_who_knows_a_mini_program_and_takes_it_back(house, client):
    manager, viewer = hosts.login(client, "manager"), hosts.login(house.test_client(), "viewer")
    said = choose(manager, house, SHOP, MANAGER.name).get_data(as_text=True)

    assert "is now known to: Minicode Manager." in said
    assert SHOP.appid not in read(viewer, LIST).text
    assert OTHER.appid in read(viewer, LIST).text
    assert SHOP.appid in read(manager, LIST).text

    choose(manager, house, SHOP)

    assert SHOP.appid in read(viewer, LIST).text
    told = [json.loads(row.detail) for row in rows(house, AuditEntry, AuditEntry.action == "changed_roles")]
    assert [{"before": [], "after": [MANAGER.name]}, {"before": [MANAGER.name], "after": []}] == told


def test_a_choice_that_would_lock_the_chooser_out_or_is_unknown_changes_nothing(house, client):
    hosts.login(client, "manager")
    for roles in ([VIEWER.name], ["No such role"], ["\ufffd"], [MANAGER.name, "x" * 100]):
        answer = choose(client, house, SHOP, *roles)

        assert 200 == answer.status_code
        assert 'id="roles-error"' in answer.get_data(as_text=True)
    with hosts.database(house) as session:
        assert [] == session.execute(select(AuthorizerRole.role)).all()


def test_an_admin_may_choose_roles_of_others_only(house, client):
    hosts.login(client, "admin")

    assert "is now known to: Minicode Viewer." in choose(client, house, SHOP, VIEWER.name).get_data(as_text=True)


def test_the_page_of_a_mini_program_says_who_knows_it(house, client):
    hosts.login(client, "manager")
    address = f"/minicode/authorizers/show/{key_of(house, SHOP)}"

    assert "Everybody who may see mini programs." in read(client, address).text
    choose(client, house, SHOP, MANAGER.name, CREATOR.name)
    assert "Minicode Creator Minicode Manager" in read(client, address).text


# ---------------------------------------------------------------------------------------------------- hand over


def belongings(app, person):
    """One live and one deleted code, a locked question and a board of somebody; the id of the live code."""
    with hosts.database(app) as session:
        wanted = {"appid": SHOP.appid, "kind": "wxacode_unlimited", "landing_page": "pages/a"}
        gone = codes.plan(session, draft(name=f"gone {person.id}", **wanted), actor=person, now=NOW)
        codes.delete(session, gone, actor=person, now=NOW)
        live = codes.plan(session, draft(name=f"live {person.id}", **wanted), actor=person, now=NOW)
        programs = frozenset(session.execute(select(Authorizer.id)).scalars())
        who = questions.Person(person, frozenset(), programs)
        saving = questions.Saving(live.authorizer_id, "events", "{}", f"question {person.id}")
        saved = questions.save(session, saving, who, now=NOW)
        questions.lock(session, saved, who, is_locked=True, seen_at=saved.changed_at, now=NOW)
        session.add(
            Board(
                name="Board", owner_id=person.id, owner=person.name, created_at=NOW, created_by_id=person.id,
                created_by=person.name, changed_at=NOW, changed_by_id=person.id, changed_by=person.name,
            )
        )  # fmt: skip
        session.commit()
        return live.id


def test_everything_of_a_leaver_goes_to_another_person_and_who_made_it_stays(house, client):
    code_id = belongings(house, WANG)
    other_id = belongings(house, CHEN)
    hosts.login(client, "manager")
    page = read(client, HAND_OVER)

    assert "Wang Li · 1 codes, 1 questions, 1 boards" in page.text
    answer = send(client, HAND_OVER, leaver=WANG.id, to="creator")
    assert 302 == answer.status_code
    assert "1 codes, 1 questions and 1 boards of Wang Li now belong to Creator Test." in read(client, LIST).text

    heir = hosts.user_id(house, "creator")
    code, other = rows(house, Code, Code.id.in_((code_id, other_id)))
    assert (heir, "Creator Test", "Wang Li", NOW) == (code.owner_id, code.owner, code.created_by, code.changed_at)
    assert "creator test" in code.search_text
    assert other.owner_id is None
    assert [heir, CHEN.id] == [one.owner_id for one in rows(house, SavedQuestion)]
    assert ["Wang Li", "Chen Jun"] == [one.created_by for one in rows(house, SavedQuestion)]
    assert [heir, CHEN.id] == [one.owner_id for one in rows(house, Board)]
    (told,) = rows(house, AuditEntry, AuditEntry.action == "handed_over")
    assert ("person", WANG.id, "Wang Li", "page") == (told.subject_type, told.subject_id, told.subject, told.way)
    assert {"to": "Creator Test", "to_id": heir, "codes": 1, "questions": 1, "boards": 1} == json.loads(told.detail)
    shown = read(client, f"/minicode/codes/show/{code_id}").text
    assert "Owner Creator Test" in shown
    assert "Code handed over" in shown


def test_what_was_handed_over_can_be_handed_on(house):
    belongings(house, WANG)
    with hosts.database(house) as session:
        handing_over.hand_over(session, WANG.id, CHEN, actor=CHEN, now=NOW)
        again = handing_over.hand_over(session, CHEN.id, WANG, actor=CHEN, now=NOW)
        session.commit()

        assert (1, 1, 1) == (again.codes, again.questions, again.boards)
        assert [WANG.id] == [one.id for one in handing_over.holders(session)]


def test_a_hand_over_that_makes_no_sense_is_refused(house, client):
    belongings(house, WANG)
    hosts.login(client, "manager")
    for leaver, to, told in (
        ("", "creator", "Choose who leaves."),
        (WANG.id, "", "Enter the user name"),
        (WANG.id, "no-such-user", "no active user"),
        ("nobody-of-this-id", "creator", "nothing of theirs"),
    ):
        assert told in send(client, HAND_OVER, leaver=leaver, to=to).get_data(as_text=True)
    assert [] == rows(house, AuditEntry, AuditEntry.action == "handed_over")


def test_a_manager_hands_over_only_what_they_know(house, client):
    code_id = belongings(house, WANG)
    with hosts.database(house) as session:
        session.add(AuthorizerRole(authorizer_id=key_of(house, SHOP), role="Another role"))
        session.commit()
    hosts.login(client, "manager")
    send(client, HAND_OVER, leaver=WANG.id, to="creator")

    assert [None] == [one.owner_id for one in rows(house, Code, Code.id == code_id)]
    assert [WANG.id] == [one.owner_id for one in rows(house, SavedQuestion)]


def test_nothing_is_handed_to_somebody_who_could_not_find_it(house, client):
    code_id = belongings(house, WANG)
    with hosts.database(house) as session:
        session.add(AuthorizerRole(authorizer_id=key_of(house, SHOP), role=MANAGER.name))
        session.commit()
    hosts.login(client, "manager")
    told = send(client, HAND_OVER, leaver=WANG.id, to="creator").get_data(as_text=True)
    run = house.test_cli_runner().invoke(minicode, ["hand-over", "--from", WANG.id, "--to", "creator"])

    assert f"They do not know: {SHOP.nick_name}." in told
    assert (1, True) == (run.exit_code, SHOP.nick_name in run.output)
    assert [None] == [one.owner_id for one in rows(house, Code, Code.id == code_id)]
    assert [WANG.id] == [one.owner_id for one in rows(house, Board)]
    assert 302 == send(client, HAND_OVER, leaver=WANG.id, to="manager").status_code


def test_the_command_line_hands_over_too_even_of_who_is_gone_from_the_host(house):
    belongings(house, WANG)
    belongings(house, Actor(hosts.user_id(house, "viewer"), "Viewer Test"))
    run = house.test_cli_runner()
    told = [run.invoke(minicode, ["hand-over", "--from", leaver, "--to", "creator"]) for leaver in (WANG.id, "viewer")]

    assert ["codes: 1\nsaved questions: 1\nboards: 1\n"] * 2 == [one.output for one in told]
    assert {"cli"} == {row.way for row in rows(house, AuditEntry, AuditEntry.action == "handed_over")}
    refused = run.invoke(minicode, ["hand-over", "--from", "7", "--to", "nobody-here"])
    assert 1 == refused.exit_code
    assert "no active user" in refused.output


@pytest.mark.parametrize(
    "page", ["", "funnel/", "retention/", "visitors", "export", "save"], ids=lambda page: page.strip("/") or "events"
)
def test_an_address_that_names_two_mini_programs_tells_nothing_of_the_foreign_one(house, client, page):
    settings, now = house.extensions[EXTENSION].settings, dt.datetime.now(dt.timezone.utc)
    for program, source in ((SHOP, "zz-foreign"), (OTHER, "our-own")):
        visits = [Visit(f"{source} {number}", 2, source) for number in range(3 if program is SHOP else 1)]
        engine, number = hosts.engine_of(house), key_of(house, program)
        bring(engine, visits, authorizer_id=number, settings=settings, now=now)
    choose(hosts.login(client, "admin"), house, SHOP, VIEWER.name)
    manager = hosts.login(house.test_client(), "manager")
    asks = "by=utm_source&step=visit&step=visit&start=visit&window=last_7&metric=users&number=users&format=csv&name=x"
    for one, two in ((OTHER, SHOP), (SHOP, OTHER)):
        answer = manager.get(f"/minicode/analysis/{page}?appid={one.appid}&appid={two.appid}&{asks}")

        assert answer.status_code < 500
        assert "zz-foreign" not in answer.get_data(as_text=True), one
    alone = manager.get(f"/minicode/analysis/{page}?appid={OTHER.appid}&{asks}")
    assert 200 == alone.status_code
    assert page in ("visitors", "save") or "our-own" in alone.get_data(as_text=True)
