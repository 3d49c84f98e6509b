"""Teams in pages: the roles that know a mini program, and everything of a leaver handed over in one step."""

import csv
import datetime as dt
import io
import json

import pytest
from sqlalchemy import select

from fab_minicode import boards, codes, handing_over, questions
from fab_minicode.actor import Actor
from fab_minicode.cli import minicode
from fab_minicode.errors import InvalidInput
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
    told = rows(house, AuditEntry, AuditEntry.action == "handed_over")
    assert {("person", WANG.id, "Wang Li", "page")} == {
        (row.subject_type, row.subject_id, row.subject, row.way) for row in told
    }
    heirs = {"to": "Creator Test", "to_id": heir}
    assert [
        (key_of(house, SHOP), {**heirs, "codes": 1, "questions": 1, "boards": 0}),
        (None, {**heirs, "codes": 0, "questions": 0, "boards": 1}),
    ] == [(row.authorizer_id, json.loads(row.detail)) for row in told]
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


def boards_of(app, person, **shown):
    """Make boards of somebody by name, each with the headlines of mini programs."""
    with hosts.database(app) as session:
        keys = dict(session.execute(select(Authorizer.appid, Authorizer.id)).all())
        who = questions.Person(person, frozenset(), frozenset(keys.values()))
        for name, programs in shown.items():
            board = boards.make(session, name, who, now=NOW)
            for program in programs:
                boards.add_builtin(session, board, boards.HEADLINE, keys[program.appid], who, now=NOW)
        session.commit()


def handed_over_as_seen_by(app, name):
    text = hosts.login(app.test_client(), name).get("/minicode/audit/export?what=person.handed_over").get_data()
    read_by = csv.DictReader(io.StringIO(text.decode("utf-8-sig")))
    return {row["Mini program"]: json.loads(row["Details"]) for row in read_by}


def test_whoever_manages_a_mini_program_learns_that_its_things_were_handed_over(house):
    belongings(house, WANG)
    boards_of(house, WANG, shop=(SHOP,), other=(OTHER,), both=(SHOP, OTHER))
    with hosts.database(house) as session:
        session.add(AuthorizerRole(authorizer_id=key_of(house, OTHER), role="Another role"))
        handing_over.hand_over(session, WANG.id, CHEN, actor=CHEN, now=NOW)
        session.commit()
    heirs = {"to": CHEN.name, "to_id": CHEN.id}
    of_shop = {SHOP.appid: {**heirs, "codes": 1, "questions": 1, "boards": 1}}
    of_other = {OTHER.appid: {**heirs, "codes": 0, "questions": 0, "boards": 1}}

    assert of_shop == handed_over_as_seen_by(house, "manager")
    # One board is about both, one about nothing yet.
    of_none = {"": {**heirs, "codes": 0, "questions": 0, "boards": 2}}
    assert {**of_shop, **of_other, **of_none} == handed_over_as_seen_by(house, "admin")


@pytest.mark.parametrize("shown", [(OTHER,), (SHOP, OTHER)], ids=["foreign only", "also foreign"])
def test_a_board_of_a_mini_program_that_the_heir_does_not_know_is_not_handed_over(house, shown):
    boards_of(house, WANG, board=shown)
    with hosts.database(house) as session:
        known = frozenset((key_of(house, SHOP),))
        with pytest.raises(InvalidInput) as refused:
            handing_over.hand_over(session, WANG.id, CHEN, actor=CHEN, now=NOW, known_to_heir=known)

        assert ("to", "not_of_the_team", OTHER.nick_name) == (
            refused.value.field, refused.value.code, refused.value.detail,
        )  # fmt: skip
        everything = known | {key_of(house, OTHER)}
        had = handing_over.hand_over(session, WANG.id, CHEN, actor=CHEN, now=NOW, known_to_heir=everything)
        assert 1 == had.boards


def test_a_board_that_shows_a_saved_question_is_handed_over_as_its_question_is(house):
    belongings(house, CHEN)
    (question,) = rows(house, SavedQuestion)
    boards_of(house, WANG, board=())
    with hosts.database(house) as session:
        who = questions.Person(WANG, frozenset(), frozenset((key_of(house, SHOP),)))
        board = session.execute(select(Board).where(Board.owner_id == WANG.id)).scalar_one()
        boards.add(session, board, question, who, now=NOW)
        session.commit()
        for foreign in (frozenset(), frozenset((key_of(house, OTHER),))):
            with pytest.raises(InvalidInput, match="not_of_the_team"):
                handing_over.hand_over(session, WANG.id, CHEN, actor=CHEN, now=NOW, known_to_heir=foreign)
        handing_over.hand_over(session, WANG.id, CHEN, actor=CHEN, now=NOW)
        session.commit()
    (told,) = rows(house, AuditEntry, AuditEntry.action == "handed_over")

    assert (key_of(house, SHOP), 1) == (told.authorizer_id, json.loads(told.detail)["boards"])


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
