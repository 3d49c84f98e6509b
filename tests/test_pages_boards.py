"""Boards as the server renders them."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from fab_minicode.models import AuditEntry, Authorizer, Board
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.pages import read, send
from tests.test_pages_saved import save
from tests.traffic import Visit, bring

BOARDS = "/minicode/boards/"
APPID = SAMPLE_APPS[0].appid
HEADLINE = f"headline:{APPID}"


@pytest.fixture
def creator(app):
    """A creator's browser; 7 people came by posters, 3 by a flyer."""
    hosts.connect(app)
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    visits = [Visit(f"v{n}", 1 + n % 5, "poster" if n < 7 else "flyer") for n in range(10)]
    now, settings = dt.datetime.now(dt.timezone.utc), app.extensions[EXTENSION].settings
    bring(hosts.engine_of(app), visits, authorizer_id=row, settings=settings, now=now)
    return hosts.login(app.test_client(), "creator")


@pytest.fixture
def viewer(app, creator):
    return hosts.login(app.test_client(), "viewer")


def made(client, name="Monday", **fields):
    answer = send(client, f"{BOARDS}add", name=name, **fields)

    assert 302 == answer.status_code
    return int(answer.location.rpartition("/")[2])


def press(client, pk, what, **fields):
    return send(client, f"{BOARDS}{pk}/{what}", **{"seen_at": changed_at(client), **fields})


def changed_at(client):
    with hosts.database(client.application) as session:
        return session.execute(select(Board.changed_at)).scalars().first().isoformat()


def names(client, pk):
    page = read(client, f"{BOARDS}{pk}?all=1")
    return [page.links[address] for address in page.links if address.startswith("/minicode/analysis/")][-3:]


def test_a_board_shows_the_headline_a_number_and_a_table(creator, viewer):
    pk = made(creator, question=HEADLINE)
    by_source = save(creator, "By source", f"?appid={APPID}&metric=users&by=utm_source")
    number = save(creator, "Visits", f"?appid={APPID}&metric=visits&granularity=total&window=last_30")
    for question in (by_source, number):
        press(creator, pk, "put", question=str(question))
    page = read(viewer, f"{BOARDS}{pk}?all=1")

    assert "Users acquired by ads, last 7 days" in page.text
    assert "poster 7 flyer 3 All, counted once 10" in page.text
    assert {f"/minicode/analysis/{by_source}", f"/minicode/analysis/{number}"} <= set(page.links)
    assert 2 == page.text.count("2026 10")
    assert not [attrs for attrs in page.of("form") if "take_off" in (attrs.get("action") or "")]
    assert "10" in read(creator, f"{BOARDS}{pk}/card/2").text.split()
    assert 404 == viewer.get(f"{BOARDS}{pk}/card/7").status_code


def test_a_person_sees_of_a_board_what_they_may_see_of_its_questions(creator, viewer):
    pk = made(creator, question=str(save(creator, "Mine alone", visibility="owner")))
    assert 404 == viewer.get(f"{BOARDS}{pk}").status_code
    press(creator, pk, "put", question=str(save(creator, "For all")))
    page = read(viewer, f"{BOARDS}{pk}")

    assert "For all" in page.text
    assert "Mine alone" not in page.text
    assert "1 questions" in read(viewer, BOARDS).text
    assert "Mine alone" in read(creator, f"{BOARDS}{pk}").text
    assert 404 == viewer.get(f"{BOARDS}{pk}/card/0").status_code


def test_questions_are_moved_and_taken_off(creator):
    pk = made(creator)
    for name in ("A", "B", "C"):
        press(creator, pk, "put", question=str(save(creator, name)))
    assert ["A", "B", "C"] == names(creator, pk)
    press(creator, pk, "move", place="2", to="up")
    assert ["A", "C", "B"] == names(creator, pk)
    press(creator, pk, "move", place="0", to="down")
    assert ["C", "A", "B"] == names(creator, pk)
    press(creator, pk, "take_off", place="1")
    assert ["C", "B"] == names(creator, pk)[-2:]
    press(creator, pk, "take_off", place="0", seen_at="2026-01-01T00:00:00+00:00")
    assert ["C", "B"] == names(creator, pk)[-2:]
    assert 404 == press(creator, pk, "take_off", place="9").status_code
    assert 404 == press(creator, pk, "put", question="99").status_code


def test_the_audit_tells_which_mini_program_a_change_of_a_board_was_about(app, creator):
    pk = made(creator)
    press(creator, pk, "edit", name="Empty")
    press(creator, pk, "put", question=HEADLINE)
    press(creator, pk, "put", question=str(save(creator)))
    press(creator, pk, "move", place="1", to="up")
    press(creator, pk, "take_off", place="0")
    press(creator, pk, "edit", name="Not empty")
    press(creator, pk, "remove")
    with hosts.database(app) as session:
        wanted = select(AuditEntry.authorizer_id).where(AuditEntry.subject_type == "board").order_by(AuditEntry.id)
        told = session.execute(wanted).scalars().all()
        program = session.execute(select(Authorizer.id)).scalar_one()

    assert [None, None, *[program] * 6] == told


def test_a_board_is_named_renamed_and_removed(app, creator):
    assert "Give it a name" in send(creator, f"{BOARDS}add", name=" ").get_data(as_text=True)
    pk = made(creator)
    press(creator, pk, "edit", name="Tuesday <b>")
    assert "Tuesday <b>" in read(creator, f"{BOARDS}{pk}").text
    assert "Give it a name" in press(creator, pk, "edit", name="").get_data(as_text=True)
    assert 400 == creator.post(f"{BOARDS}{pk}/remove").status_code
    press(creator, pk, "remove")
    with hosts.database(app) as session:
        assert [] == session.execute(select(Board)).scalars().all()


def test_a_saved_question_leads_to_the_boards_it_can_be_put_on(creator):
    pk, question = made(creator), save(creator, "Posters")
    page = read(creator, f"{BOARDS}?question={question}")

    assert f"{BOARDS}?question={question}" in read(creator, f"/minicode/analysis/{question}").links
    assert "Put it here" in page.text
    press(creator, pk, "put", question=str(question))
    assert "Posters" in read(creator, f"{BOARDS}{pk}").text
    assert "Put it here" not in read(creator, f"{BOARDS}?question=x").text


def test_a_card_that_cannot_be_counted_says_why(creator):
    for asks, said in (
        ("metric=users&granularity=hour&window=2026-01-01..2026-01-02", "Hours are counted for the last 14 days"),
        ("metric=users&where=utm_source:eq:nobody", "Nothing was counted"),
    ):
        pk = made(creator, question=str(save(creator, "x", f"?appid={APPID}&{asks}")))
        assert said in read(creator, f"{BOARDS}{pk}/card/0").text
        press(creator, pk, "remove")
