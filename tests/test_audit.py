"""Who did what: every act leaves one row, in the same transaction, and no row is ever changed."""

import datetime as dt
import json

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from fab_minicode import audit, codes
from fab_minicode.actor import WAYS, Actor
from fab_minicode.models import AuditEntry
from fab_minicode.vault import Secret
from tests.stories import NOW, WANG, authorizer, draft

PERSON = Actor("7", "Wang Li", "page")
CODE = audit.Subject("code", "12", "Poster at gate 1")


def rows(session):
    return session.execute(select(AuditEntry).order_by(AuditEntry.id)).scalars().all()


def test_a_row_says_who_did_what_to_what_when_and_from_which_way_in(session):
    audit.record(session, "renamed", CODE, actor=PERSON, now=NOW, authorizer_id=3, detail={"before": "海报"})
    session.commit()
    (row,) = rows(session)

    assert ("7", "Wang Li", "page") == (row.actor_id, row.actor, row.way)
    assert ("renamed", "code", "12", "Poster at gate 1") == (row.action, row.subject_type, row.subject_id, row.subject)
    assert (NOW, 3, {"before": "海报"}) == (row.at, row.authorizer_id, json.loads(row.detail))


def test_an_act_that_is_rolled_back_leaves_no_row(session):
    audit.record(session, "created", CODE, actor=PERSON, now=NOW)
    session.rollback()

    assert [] == rows(session)


@pytest.mark.parametrize("subject, action, way", [("code", "painted", "page"), ("moon", "created", "page")])
def test_an_act_that_is_not_listed_is_refused(session, subject, action, way):
    with pytest.raises(ValueError, match="not an act"):
        audit.record(session, action, audit.Subject(subject), actor=Actor("7", "Wang", way), now=NOW)


def test_a_way_that_is_not_listed_is_refused(session):
    with pytest.raises(ValueError, match="not an act"):
        audit.record(session, "created", CODE, actor=Actor("7", "Wang", "window"), now=NOW)


def test_a_secret_does_not_fit_into_a_row(session):
    with pytest.raises(TypeError):
        audit.record(session, "created", CODE, actor=PERSON, now=NOW, detail={"secret": Secret("s3cret")})


@pytest.mark.parametrize("name", ["a\x00b", "half \ud83d", "x" * 500, "名" * 500])
def test_every_name_can_be_stored(session, name):
    subject = audit.Subject("code", "12", name)
    audit.record(session, "created", subject, actor=Actor("7", name), now=NOW, detail={"before": name * 9})
    session.commit()

    assert 1 == len(rows(session))


@pytest.mark.parametrize("statement", ["UPDATE minicode_audit SET actor = 'nobody'", "DELETE FROM minicode_audit"])
def test_the_database_refuses_to_change_a_row(engine, statement):
    with engine.begin() as connection:
        audit.record(connection, "created", CODE, actor=PERSON, now=NOW)
    with pytest.raises(DBAPIError, match="only added to"), engine.begin() as connection:
        connection.execute(text(statement))
    with Session(engine, future=True) as session:
        assert ["Wang Li"] == [row.actor for row in rows(session)]


def test_the_life_of_a_code_stands_in_the_audit(session):
    session.add(authorizer())
    session.flush()
    code = codes.plan(session, draft(name="first"), actor=WANG, now=NOW)
    codes.rename(session, code, "first", actor=WANG, now=NOW)
    codes.rename(session, code, "second", actor=WANG, now=NOW + dt.timedelta(seconds=1))
    codes.note_download(session, code, actor=WANG, now=NOW + dt.timedelta(seconds=2))
    codes.delete(session, code, actor=WANG, now=NOW + dt.timedelta(seconds=3))
    session.commit()
    found = rows(session)

    assert ["created", "renamed", "downloaded", "deleted"] == [row.action for row in found]
    assert ["first", "second", "second", "second"] == [row.subject for row in found]
    assert {(str(code.id), code.authorizer_id)} == {(row.subject_id, row.authorizer_id) for row in found}
    assert {"before": "first"} == json.loads(found[1].detail)


def test_names_of_acts_fit_into_their_columns():
    for subject, actions in audit.ACTIONS:
        assert all(0 < len(word) <= 32 for word in (subject, *actions))

    assert all(len(way) <= 16 for way in WAYS)
