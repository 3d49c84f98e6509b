"""Saved questions and boards: who sees and changes what, and what happens when two people change the same."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode import boards, questions
from fab_minicode.actor import Actor
from fab_minicode.errors import InvalidInput, Missing, NotYours, QuestionLocked, StaleCopy
from fab_minicode.models import AuditEntry, BoardItem, QuestionRole, SavedQuestion
from fab_minicode.questions import Person, Saving, Search
from tests import stories
from tests.stories import CHEN, NOW, WANG

LATER = NOW + dt.timedelta(minutes=1)
LATEST = NOW + dt.timedelta(minutes=2)
EVA = Actor("9", "Eva")


@pytest.fixture
def programs(session):
    """Ids of two mini programs."""
    rows = [stories.authorizer("wx1"), stories.authorizer("wx2")]
    session.add_all(rows)
    session.commit()
    return [row.id for row in rows]


@pytest.fixture
def wang(programs):
    return Person(WANG, frozenset({"Sales", "Minicode Creator"}), frozenset(programs))


@pytest.fixture
def chen(programs):
    return Person(CHEN, frozenset({"Sales"}), frozenset(programs))


@pytest.fixture
def eva(programs):
    return Person(EVA, frozenset({"Finance"}), frozenset(programs))


@pytest.fixture
def boss(programs):
    return Person(Actor("1", "Boss"), frozenset(), frozenset(programs), manages=True)


@pytest.fixture
def people(wang, chen, eva, boss):
    return wang, chen, eva, boss


def saving(programs, **changed):
    return Saving(**{"authorizer_id": programs[0], "kind": "events", "question": "{}", "name": "Posters", **changed})


def names(session, person, **search):
    return [row.name for row in questions.find(session, Search(order="name", **search), person).rows]


# ------------------------------------------------------------------------------------------------------ who sees what


def test_each_visibility_is_seen_by_those_it_names(session, programs, people):
    wang, chen, eva, boss = people
    for name, seen in (("mine", {}), ("ours", {"roles": ("Sales",)}), ("all", {})):
        visibility = {"mine": "owner", "ours": "roles", "all": "readers"}[name]
        questions.save(session, saving(programs, name=name, visibility=visibility, **seen), wang, now=NOW)

    assert ["all", "mine", "ours"] == names(session, wang) == names(session, boss)
    assert ["all", "ours"] == names(session, chen)
    assert ["all"] == names(session, eva)
    for person in (wang, chen, eva, boss):
        ids = {row.id for row in questions.find(session, Search(), person).rows}
        for (wanted,) in session.execute(select(SavedQuestion.id)).all():
            if wanted in ids:
                assert wanted == questions.question_of(session, wanted, person).id
            else:
                with pytest.raises(Missing):
                    questions.question_of(session, wanted, person)


def test_nobody_sees_a_question_about_a_mini_program_they_do_not_know(session, programs, wang, boss):
    questions.save(session, saving(programs, visibility="readers"), wang, now=NOW)

    for person in (wang, boss):
        assert [] == names(session, dataclasses.replace(person, programs=frozenset(programs[1:])))
        assert [] == names(session, dataclasses.replace(person, programs=frozenset()))


def test_somebody_without_an_id_owns_nothing(session, programs, wang):
    guest = Person(Actor("", "anonymous"), frozenset(), frozenset(programs))
    row = questions.save(session, saving(programs), guest, now=NOW)

    assert [] == names(session, guest)
    assert not questions.may_change(row, guest)


def test_the_list_is_searched_in_name_description_and_owner_in_any_case(session, programs, wang, chen):
    questions.save(session, saving(programs, name="Straße 100%"), wang, now=NOW)
    questions.save(session, saving(programs, name="b", description="海报 Autumn_1"), wang, now=NOW)
    questions.save(session, saving(programs, name="c", visibility="readers"), chen, now=NOW)

    for text, found in (
        ("STRASSE", ["Straße 100%"]), ("0%", ["Straße 100%"]), ("海报", ["b"]), ("autumn_", ["b"]), ("n_1", ["b"]),
        ("chen j", ["c"]), ("wang", ["Straße 100%", "b"]), ("_", ["b"]), ("%", ["Straße 100%"]), ("nobody", []),
        ("\x00", ["Straße 100%", "b", "c"]),
    ):  # fmt: skip
        assert found == names(session, wang, q=text), text


def test_the_list_is_filtered_ordered_and_paged(session, programs, wang, chen):
    for number in range(5):
        other = {"authorizer_id": programs[1], "kind": "funnel"} if number == 4 else {}
        wanted = saving(programs, name=f"n{number}", visibility="readers", **other)
        questions.save(session, wanted, (wang, chen)[number % 2], now=NOW + dt.timedelta(seconds=number))

    assert ["n4"] == names(session, wang, authorizer_id=programs[1]) == names(session, wang, kind="funnel")
    assert ["n0", "n2", "n4"] == names(session, wang, owned="mine")
    assert ["n1", "n3"] == names(session, wang, owned="others")
    assert [] == names(session, wang, visibility="owner")
    page = questions.find(session, Search(page=1, page_size=2), wang)
    assert (["n2", "n1"], 5) == ([row.name for row in page.rows], page.count)
    with pytest.raises(InvalidInput):
        questions.find(session, Search(order="colour"), wang)


# --------------------------------------------------------------------------------------------------- who changes what


def test_the_owner_and_managers_change_a_question_and_nobody_else(session, programs, wang, chen, boss):
    row = questions.save(session, saving(programs, visibility="readers"), wang, now=NOW)
    wanted = saving(programs, name="Flyers", visibility="roles", roles=("Sales",), question='{"a": 1}', chart="bar")
    for act in (
        lambda: questions.change(session, row, wanted, chen, seen_at=NOW, now=LATER),
        lambda: questions.lock(session, row, chen, is_locked=True, seen_at=NOW, now=LATER),
        lambda: questions.hand_over(session, row, CHEN, chen, seen_at=NOW, now=LATER),
        lambda: questions.remove(session, row, chen, seen_at=NOW, now=LATER),
    ):
        with pytest.raises(NotYours):
            act()
    questions.change(session, row, wanted, wang, seen_at=NOW, now=LATER)
    session.commit()
    session.expire_all()

    assert ("Flyers", "roles", ["Sales"], '{"a": 1}', "bar", LATER, "Wang Li") == (
        row.name, row.visibility, [one.role for one in row.roles], row.question, row.chart, row.changed_at,
        row.changed_by,
    )  # fmt: skip
    questions.change(session, row, dataclasses.replace(wanted, name="Boss's"), boss, seen_at=LATER, now=LATEST)
    assert ("Boss's", "Wang Li", "Boss") == (row.name, row.owner, row.changed_by)
    assert ["Boss's"] == names(session, wang, q="boss")


def test_a_locked_question_is_changed_by_nobody_until_it_is_unlocked(session, programs, wang, boss):
    row = questions.save(session, saving(programs), wang, now=NOW)
    questions.lock(session, row, wang, is_locked=True, seen_at=NOW, now=LATER)
    for person in (wang, boss):
        for act in (
            lambda who: questions.change(session, row, saving(programs), who, seen_at=LATER, now=LATEST),
            lambda who: questions.hand_over(session, row, CHEN, who, seen_at=LATER, now=LATEST),
            lambda who: questions.remove(session, row, who, seen_at=LATER, now=LATEST),
        ):
            with pytest.raises(QuestionLocked):
                act(person)
    questions.lock(session, row, boss, is_locked=False, seen_at=LATER, now=LATEST)

    assert questions.may_change(row, wang)


def test_what_is_handed_over_belongs_to_the_other(session, programs, wang, chen):
    row = questions.save(session, saving(programs), wang, now=NOW)
    questions.hand_over(session, row, CHEN, wang, seen_at=NOW, now=LATER)

    assert ("8", "Chen Jun", "7") == (row.owner_id, row.owner, row.created_by_id)
    assert ["Posters"] == names(session, chen, q="chen")
    assert [] == names(session, wang)


def test_a_change_on_a_stale_copy_is_refused_and_changes_nothing(engine, session, programs, wang, boss):
    row = questions.save(session, saving(programs, visibility="readers"), wang, now=NOW)
    session.commit()
    with Session(engine, future=True) as other:
        theirs = questions.question_of(other, row.id, boss)
        questions.change(other, theirs, saving(programs, name="theirs"), boss, seen_at=NOW, now=LATER)
        other.commit()
    with pytest.raises(StaleCopy):
        questions.change(session, row, saving(programs, name="mine"), wang, seen_at=NOW, now=LATEST)
    session.rollback()

    assert "theirs" == session.execute(select(SavedQuestion.name)).scalar_one()


def test_what_cannot_be_stored_names_its_field(session, programs, wang):
    for changed, field in (
        ({"name": " "}, "name"), ({"name": "x" * 81}, "name"), ({"name": "a\x00"}, "name"),
        ({"description": "x" * 501}, "description"), ({"kind": "poem"}, "kind"), ({"visibility": "all"}, "visibility"),
        ({"visibility": "roles"}, "roles"), ({"visibility": "roles", "roles": ("Finance",)}, "roles"),
        ({"question": "x" * 100_001}, "question"),
    ):  # fmt: skip
        with pytest.raises(InvalidInput) as caught:
            questions.save(session, saving(programs, **changed), wang, now=NOW)
        assert field == caught.value.field, changed
    with pytest.raises(Missing):
        questions.save(session, saving([0]), wang, now=NOW)


def test_a_manager_keeps_the_roles_that_a_question_has(session, programs, wang, boss):
    wanted = saving(programs, visibility="roles", roles=("Sales",))
    row = questions.save(session, wanted, wang, now=NOW)
    questions.change(session, row, dataclasses.replace(wanted, name="x"), boss, seen_at=NOW, now=LATER)

    assert ["Sales"] == [one.role for one in row.roles]


def test_what_is_removed_leaves_nothing_behind(session, programs, wang):
    row = questions.save(session, saving(programs, visibility="roles", roles=("Sales",)), wang, now=NOW)
    board = boards.make(session, "Monday", wang, now=NOW)
    boards.add(session, board, row, wang, now=NOW)
    questions.remove(session, row, wang, seen_at=NOW, now=LATER)
    session.commit()

    for model in (SavedQuestion, QuestionRole, BoardItem):
        assert [] == session.execute(select(model)).scalars().all()
    acts = session.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars().all()
    assert ["question saved", "board saved", "board changed", "question deleted"] == [
        f"{act.subject_type} {act.action}" for act in acts
    ]


# ------------------------------------------------------------------------------------------------------------- boards


def on(session, board, person):
    return [item.question.name if item.question else item.builtin for item in boards.items_of(session, board, person)]


@pytest.fixture
def board(session, programs, wang):
    """Wang's board: a question of his own, one for Sales, one for everybody."""
    board = boards.make(session, "Monday", wang, now=NOW)
    for name, visibility in (("own", "owner"), ("sales", "roles"), ("all", "readers")):
        roles = ("Sales",) if visibility == "roles" else ()
        row = questions.save(session, saving(programs, name=name, visibility=visibility, roles=roles), wang, now=NOW)
        boards.add(session, board, row, wang, now=NOW)
    session.commit()
    return board


def test_everybody_sees_of_a_board_what_they_see_of_its_questions(session, board, people):
    wang, chen, eva, boss = people

    assert ["own", "sales", "all"] == on(session, board, wang) == on(session, board, boss)
    assert ["sales", "all"] == on(session, board, chen)
    assert ["all"] == on(session, board, eva)
    assert [("Monday", 3)] == [(one.board.name, one.count) for one in boards.listed(session, wang)]
    assert [("Monday", 1)] == [(one.board.name, one.count) for one in boards.listed(session, eva)]


def test_a_board_without_a_question_for_somebody_is_not_there_for_them(session, board, wang, eva):
    stranger = dataclasses.replace(eva, programs=frozenset())
    boards.make(session, "Empty", wang, now=NOW)

    assert [] == boards.listed(session, stranger)
    with pytest.raises(Missing):
        boards.board_of(session, board.id, stranger)
    assert ["Empty", "Monday"] == [one.board.name for one in boards.listed(session, wang)]
    assert ["Monday"] == [one.board.name for one in boards.listed(session, eva)]


def test_questions_are_moved_and_taken_off_in_the_order_that_is_seen(session, board, wang, boss):
    def act(what, place, **more):
        seen_at = board.changed_at
        what(session, board, place, wang, seen_at=seen_at, now=seen_at + dt.timedelta(seconds=1), **more)
        session.commit()

    act(boards.move, 2, up=True)
    assert ["own", "all", "sales"] == on(session, board, wang)
    act(boards.move, 0, up=True)
    act(boards.move, 0, up=False)
    assert ["all", "own", "sales"] == on(session, board, wang)
    act(boards.take_off, 1)
    assert ["all", "sales"] == on(session, board, boss)
    with pytest.raises(Missing):
        act(boards.take_off, 7)


def test_a_board_holds_twelve_questions_each_once(session, board, programs, wang):
    boards.add_builtin(session, board, "headline", programs[0], wang, now=LATER)
    boards.add_builtin(session, board, "headline", programs[0], wang, now=LATER)
    assert ["own", "sales", "all", "headline"] == on(session, board, wang)
    for number in range(8):
        row = questions.save(session, saving(programs, name=f"n{number}"), wang, now=NOW)
        boards.add(session, board, row, wang, now=LATER)
    with pytest.raises(InvalidInput) as caught:
        boards.add_builtin(session, board, "headline", programs[1], wang, now=LATER)

    assert ("items", "too_many") == (caught.value.field, caught.value.code)


def test_a_board_is_changed_by_its_owner_and_managers_on_a_fresh_copy(session, board, wang, chen, boss):
    with pytest.raises(NotYours):
        boards.rename(session, board, "Mine", chen, seen_at=NOW, now=LATER)
    boards.rename(session, board, "Tuesday", boss, seen_at=NOW, now=LATER)
    with pytest.raises(StaleCopy):
        boards.take_off(session, board, 0, wang, seen_at=NOW, now=LATEST)
    with pytest.raises(InvalidInput):
        boards.rename(session, board, "", wang, seen_at=LATER, now=LATEST)
    boards.remove(session, board, wang, seen_at=LATER, now=LATEST)
    session.commit()

    assert [] == session.execute(select(BoardItem)).scalars().all()
    assert [] == boards.listed(session, boss)


def test_what_no_board_can_hold_is_refused(session, board, wang):
    with pytest.raises(InvalidInput):
        boards.add_builtin(session, board, "weather", 1, wang, now=LATER)
    with pytest.raises(Missing):
        boards.add_builtin(session, board, "headline", 0, wang, now=LATER)
