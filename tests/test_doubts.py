"""The SQL for whoever doubts a number: any text is safe in it, and it says what it cannot find any more."""

import datetime as dt
import itertools
import json

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from fab_minicode import upkeep
from fab_minicode.acquisition import doubts, query
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.acquisition.statements import literal
from fab_minicode.errors import InvalidInput
from fab_minicode.models import SavedSegment
from tests import worlds
from tests.events import Told, store
from tests.test_numbers import NOW, recounted_by_sql

SETTINGS = worlds.settings_in("Asia/Shanghai")
TRICKY = (
    "a:b",
    "a,b",
    "a|b",
    "it's",
    '"q"',
    "100%",
    "%s",
    "a\\b",
    "\\",
    "🎋 a",
    "-- x",
    "'; DROP TABLE x; --",
    "#12",
    "?",
    "$1",
)


@pytest.fixture
def appid(engine):
    """A mini program with one visit and one event for each tricky text, a day ago, and a visit long ago."""
    authorizer_id, appid, _ = worlds.mini_program(engine, 1)
    at = int(NOW.timestamp() * 1000) - worlds.DAY_MS
    numbers = itertools.count()
    told = [Told("old", at - 60 * worlds.DAY_MS, number=next(numbers), authorizer_id=authorizer_id)]
    for value in TRICKY:
        utm = (value,) * 5
        told.append(Told("v" + value, at, utm=utm, page=value, number=next(numbers), authorizer_id=authorizer_id))
        told.append(Told("v" + value, at + 1, value, number=next(numbers), authorizer_id=authorizer_id))
    store(engine, told)
    roll_up(engine, settings=SETTINGS, now=NOW)
    return appid


@pytest.mark.parametrize("op", ["eq", "ne", "in", "not_in", "contains"])
@pytest.mark.parametrize("dimension", ["utm_source", "utm_term", "landing_page", "code"])
def test_any_text_may_stand_in_a_filter_and_in_its_sql(engine, appid, dimension, op):
    for value in TRICKY:
        filters = [{"dimension": dimension, "op": op, "value": [value] if "in" in op.split("_") else value}]
        metrics = ["users", "new_users", {"event": value, "as": "times"}, {"event": value, "as": "conversion"}]
        question = parse({"appid": appid, "filters": filters, "metrics": metrics, "attribution": "first"})
        with engine.connect() as connection:
            totals = query.answer(connection, question, settings=SETTINGS, now=NOW).as_json()["totals"]

            assert totals == recounted_by_sql(connection, question, SETTINGS), value
        if (dimension, op) == ("landing_page", "eq"):
            assert {"users": 1, "new_users": 1, f"{value}.times": 1, f"{value}.conversion": 1.0} == totals


def test_sql_says_from_which_day_on_single_events_are_there(engine, appid):
    question = parse({"appid": appid, "metrics": ["visits", "new_users"], "window": {"last_days": 90}})
    with engine.connect() as connection:
        whole = doubts.recount_sql(connection, question, settings=SETTINGS, now=NOW).as_json()
    upkeep.purge(engine, retention_days=30, now=NOW)
    with engine.connect() as connection:
        part = doubts.recount_sql(connection, question, settings=SETTINGS, now=NOW)
        visits = connection.execute(text(getattr(part.statements[0], engine.dialect.name))).scalar()

    assert (None, [True, True]) == (whole["raw_since"], [one["complete"] for one in whole["statements"]])
    assert dt.date(2026, 11, 19) == part.raw_since
    assert [False, True] == [one.is_complete for one in part.statements]
    assert len(TRICKY) == visits


def test_a_segment_of_too_many_visitors_is_not_written_out(engine, appid, monkeypatch):
    monkeypatch.setattr(doubts, "MAX_VISITORS", 3)
    question = question_about_a_segment(engine, appid)
    with engine.connect() as connection:
        found = doubts.recount_sql(connection, question, settings=SETTINGS, now=NOW).as_json()["statements"]

    assert [("all", True), (question.segments[1], False)] == [(one["segment"], bool(one["sqlite"])) for one in found]


def test_the_answer_names_its_saved_segments(engine, appid):
    question = question_about_a_segment(engine, appid)
    with engine.connect() as connection:
        found = query.answer(connection, question, settings=SETTINGS, now=NOW).as_json()

    assert {"segment": {question.segments[1]: "People of 11-19"}} == found["names"]
    assert {"all", question.segments[1]} == set(found["totals"])


@pytest.mark.parametrize("name", ["segment:999", "foreign"])
def test_a_segment_that_is_not_there_is_refused_by_the_name_of_its_field(engine, appid, name):
    foreign = saved_segment(engine, worlds.mini_program(engine, 2)[0])
    asked = {"appid": appid, "segments": ["all", foreign if name == "foreign" else name]}
    for ask in (query.answer, doubts.recount_sql):
        with engine.connect() as connection, pytest.raises(InvalidInput) as refused:
            ask(connection, parse(asked), settings=SETTINGS, now=NOW)

        assert ("segments[1]", "unknown", 422) == (refused.value.field, refused.value.code, refused.value.status)


def question_about_a_segment(engine, appid):
    return parse({"appid": appid, "segments": ["all", saved_segment(engine, 1)]})


def saved_segment(engine, authorizer_id):
    condition = {"kind": "did", "window": {"since": "2026-11-19", "until": "2026-11-19"}}
    conditions = json.dumps({"conditions": [condition]})
    by = {f"{what}_{name}": value for what in ("created", "changed") for name, value in worlds._BY.items()}
    with Session(engine, future=True) as session:
        row = SavedSegment(authorizer_id=authorizer_id, name="People of 11-19", conditions=conditions, **by)
        session.add(row)
        session.commit()
        return f"segment:{row.id}"


def test_a_literal_doubles_quotes_and_leaves_backslashes():
    assert r"'it''s \n'" == literal(r"it's \n")
