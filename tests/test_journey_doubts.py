"""The SQL for whoever doubts a funnel or a retention: on random worlds it finds what the answer says."""

from __future__ import annotations

import datetime as dt
import os

import pytest
from sqlalchemy import select

from fab_minicode import sandbox, upkeep
from fab_minicode.acquisition import doubts, funnel, funnel_question, journey_doubts, retention, retention_question
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from tests import hosts, worlds
from tests.events import Told, store
from tests.test_doubts import saved_segment
from tests.test_funnel_retention import counted, scope
from tests.test_numbers import NOW, SEED
from tests.traffic import Visit, bring

ASKED = int(os.environ.get("MINICODE_JOURNEYS_BY_SQL", "60"))
PER_WORLD = 20
SETTINGS = worlds.settings_in("Asia/Shanghai")
AT = int(NOW.timestamp() * 1000) - 10 * worlds.DAY_MS
HOUR_MS = 3_600_000
TODAY = NOW.astimezone(SETTINGS.zone).date()


def found_by(connection, statement):
    """The rows of a statement, run as psql and sqlite3 would: the text as it is, nothing to fill in."""
    cursor = connection.connection.cursor()
    cursor.execute(getattr(statement, connection.dialect.name))
    rows = [tuple(row) for row in cursor.fetchall()]
    cursor.close()
    return rows


def as_told(connection, recount):
    """What each statement finds; the raw events and the decisions are the same."""
    raw, decided = connection.exec_driver_sql(recount.raw).all()

    assert ("raw", "decided") == (raw[0], decided[0])
    assert tuple(raw[1:]) == tuple(decided[1:])
    assert all(one.is_complete for one in recount.statements)
    return {one.metric: found_by(connection, one) for one in recount.statements}


def totals_of(answer):
    """The totals of a funnel's or a retention's answer as the SQL finds them, and the groups of a funnel."""
    totals = answer["totals"]
    if "steps" in totals:
        steps = {"steps": [(place, step["users"]) for place, step in enumerate(totals["steps"], 1)]}
        return {**steps, **({"groups": groups_of(answer)} if answer["rows"] else {})}
    over = [(day, cell["users"], cell["of"]) for day, cell in enumerate(totals["returned"], 1) if cell is not None]
    return {"starts": [(totals["starts"],)], **({"returned": over} if over else {})}


def groups_of(answer):
    """What each group of a funnel's answer has of each step, as far as there is anybody."""
    names = [name for name in answer["rows"][0] if name in NAMES]
    name = "code_id" if "code" in names else names[0]
    taken = {(place, row[name], step["users"]) for row in answer["rows"] for place, step in enumerate(row["steps"], 1)}
    return {one for one in taken if one[2]}


def both(engine, asked, settings=SETTINGS):
    """What the answer says, and what the SQL finds."""
    is_funnel = "steps" in asked
    question = (funnel_question if is_funnel else retention_question).parse(asked)
    write = journey_doubts.funnel_sql if is_funnel else journey_doubts.retention_sql
    with engine.connect() as connection:
        number = doubts.authorizer_id(connection, asked["appid"])
        count = funnel.count if is_funnel else retention.count
        answer = count(connection, number, question, settings=settings, now=NOW).as_json()
        found = as_told(connection, write(connection, question, settings=settings, now=NOW))
    if "groups" in found:
        assert sorted((step, -users) for step, _, users in found["groups"]) == [
            (step, -users) for step, _, users in found["groups"]
        ]
        found["groups"] = set(found["groups"])
    return totals_of(answer), {name: rows for name, rows in found.items() if rows}


@pytest.mark.parametrize("kind", ["funnel", "retention"])
@pytest.mark.parametrize("number", range(SEED, SEED + max(1, ASKED // PER_WORLD)))
def test_the_sql_finds_what_the_answer_says(engine, number, kind):
    chance, appid, codes, settings, _, authorizer_id = counted(engine, number)
    worlds.aliases(engine, chance, authorizer_id)
    saved = list(worlds.segments(engine, authorizer_id))
    counts = set()
    for place in range(PER_WORLD):
        # All groups in one answer: the SQL leaves none out.
        asked = {**scope(chance, appid, codes, settings.zone), **own(chance, kind), "limit": 500}
        asked["dimensions"] = [name for name in [("", *NAMES)[place % (1 + len(NAMES))]] if name]
        if chance.random() < 0.3:
            asked["segment"] = chance.choice(saved)
        if chance.random() < 0.3:
            asked["window"] = {"last_days": 60}
        said, found = both(engine, asked, settings)

        assert said == found, asked
        counts.add(str(found))

    assert len(counts) > 1, "every question counts the same: this world tells nothing apart"


@pytest.mark.parametrize("attribution", ["last", "entry", "first"])
def test_the_sql_finds_the_groups_of_every_dimension(engine, attribution):
    chance, appid, _, settings, _, authorizer_id = counted(engine, 3)
    worlds.aliases(engine, chance, authorizer_id)
    shared = {"appid": appid, "window": {"last_days": 60}, "attribution": attribution, "steps": ["visit", "visit"]}
    for name in NAMES:
        said, found = both(engine, {**shared, "dimensions": [name]}, settings)

        assert said == found, name
        # No visit carries a content.
        assert (1 if name == "utm_content" else 2) <= len({value for _, value, _ in found["groups"]}), name


@pytest.mark.parametrize("number", range(SEED, SEED + max(1, ASKED // PER_WORLD)))
def test_a_group_of_a_retention_is_what_its_value_as_a_filter_counts(engine, number):
    chance, appid, codes, settings, _, authorizer_id = counted(engine, number)
    worlds.aliases(engine, chance, authorizer_id)
    seen = 0
    for name in NAMES:
        shared = {**scope(chance, appid, codes, settings.zone), "window": {"last_days": 60}, "limit": 500}
        asked = {**shared, **own(chance, "retention"), "dimensions": [name]}
        with engine.connect() as connection:
            question = retention_question.parse(asked)
            rows = retention.count(connection, authorizer_id, question, settings=settings, now=NOW).as_json()["rows"]
        for row in rows[:4]:
            value = row["code_id" if name == "code" else name]
            one = {"op": "not_set"} if value is None else {"op": "eq", "value": value}
            narrowed = {**asked, "dimensions": [], "filters": [*asked["filters"], {"dimension": name, **one}]}

            assert totals_of({"totals": row}) == both(engine, narrowed, settings)[1], asked
            seen += 1

    assert seen


def own(chance, kind):
    """Random fields of one kind of question."""
    some = ["visit", "visit", *({"event": name} for name in worlds.EVENTS), {"event": "never"}]
    if kind == "funnel":
        return {
            "steps": chance.choices(some, k=chance.choice((2, 2, 3, 4, 6))),
            "within_days": chance.choice((1, 7, 90)),
        }
    return {
        "start": chance.choice(("first_visit", "visit")),
        "return": chance.choice(some),
        "days": chance.choice((1, 7, 30)),
    }


@pytest.fixture
def crowd(engine):
    """Of 300 visitors each has up to six events in two milliseconds of one day, and some on the days after."""
    authorizer_id, appid, _ = worlds.mini_program(engine, 1)
    told = []
    for place in range(300):
        names = [(None, "order_paid")[int(bit)] for bit in f"{place:b}"[-6:]]
        for number, name in enumerate(names):
            at = AT + (place // 7 + number * place) % 2
            told.append(Told(f"v{place}", at, name, number=number, authorizer_id=authorizer_id))
        for after in {place % 3, place % 5, place % 10}:
            at = AT + after * worlds.DAY_MS + (place % 4 - 1) * HOUR_MS
            told.append(
                Told(f"v{place}", at, (None, "order_paid")[place // 2 % 2], number=10, authorizer_id=authorizer_id)
            )
    store(engine, told)
    roll_up(engine, settings=SETTINGS, now=NOW)
    return appid


@pytest.mark.parametrize(
    "steps", [["visit", "order"], ["order", "visit"], ["visit"] * 3, ["order", "order", "visit", "visit", "order"]]
)
def test_steps_at_the_same_millisecond_stand_in_one_order(engine, crowd, steps):
    named = {"visit": "visit", "order": {"event": "order_paid"}}
    asked = {"appid": crowd, "steps": [named[one] for one in steps], "within_days": 1}

    said, found = both(engine, asked)

    assert said == found
    users = [users for _, users in found["steps"]]
    assert sorted(set(users), reverse=True) == users, "steps that lose nobody tell no order apart"
    assert users[-1] > 0


@pytest.mark.parametrize("start", ["visit", "first_visit"])
def test_a_retention_has_no_row_for_a_day_that_is_not_over(engine, crowd, start):
    for since, days in (("2026-11-10", 30), ("2026-11-18", 30), ("2026-11-20", 7), ("2026-11-01", 3)):
        window = {"since": since, "until": str(TODAY)}
        asked = {"appid": crowd, "start": start, "return": "visit", "days": days, "window": window}

        said, found = both(engine, asked)

        assert said == found
        over = min(days, (TODAY - dt.date.fromisoformat(since)).days - 1)
        assert list(range(1, over + 1)) == [day for day, _, _ in found.get("returned", ())]


def journeys(appid, **more):
    """A funnel and a retention of the same people, and what writes their SQL."""
    of_funnel = funnel_question.parse({"appid": appid, "steps": ["visit", {"event": "order_paid"}], **more})
    of_retention = retention_question.parse({"appid": appid, **more})
    return ((journey_doubts.funnel_sql, of_funnel), (journey_doubts.retention_sql, of_retention))


def test_what_was_purged_is_said_and_a_funnel_of_it_is_refused(engine, crowd):
    months = {"since": "2026-06-01", "until": str(TODAY)}
    upkeep.purge(engine, retention_days=5, now=NOW)
    for write, question in journeys(crowd, window=months):
        with engine.connect() as connection:
            found = write(connection, question, settings=SETTINGS, now=NOW).as_json()

        assert "2026-11-14" == found["raw_since"]
        assert {False} == {one["complete"] for one in found["statements"]}
    (write, question), _ = journeys(crowd, window={"since": "2025-01-01", "until": "2025-01-31"})
    with engine.connect() as connection, pytest.raises(InvalidInput) as refused:
        write(connection, question, settings=SETTINGS, now=NOW)

    assert ("window", "events_purged") == (refused.value.field, refused.value.code)


def test_a_segment_of_too_many_visitors_is_not_written_out(engine, crowd, monkeypatch):
    monkeypatch.setattr(doubts, "MAX_VISITORS", 3)
    for write, question in journeys(crowd, segment=saved_segment(engine, 1)):
        with engine.connect() as connection:
            found = write(connection, question, settings=SETTINGS, now=NOW).as_json()["statements"]

        assert {(None, None)} == {(one["sqlite"], one["postgresql"]) for one in found}


def test_a_segment_that_is_not_there_is_refused_by_the_name_of_its_field(engine, crowd):
    for write, question in journeys(crowd, segment="segment:999"):
        with engine.connect() as connection, pytest.raises(InvalidInput) as refused:
            write(connection, question, settings=SETTINGS, now=NOW)

        assert ("segment", "unknown", 422) == (refused.value.field, refused.value.code, refused.value.status)


REST = "/api/v1/minicode/analysis"
SHOP = sandbox.SAMPLE_APPS[0].appid
ASKED_OVER_REST = {
    "funnel": {"appid": SHOP, "steps": ["visit", {"event": "it's"}], "window": {"last_days": 14}},
    "retention": {"appid": SHOP, "start": "visit", "days": 7, "window": {"last_days": 14}},
}


@pytest.mark.parametrize("kind", list(ASKED_OVER_REST))
def test_rest_tells_the_sql_and_the_sql_finds_what_rest_answers(app, client, kind):
    hosts.connect(app)
    with hosts.database(app) as session:
        number = session.execute(select(Authorizer.id)).scalar_one()
    visits = [Visit("v1", 9), Visit("v1", 8, event="it's"), Visit("v2", 9), Visit("v2", 8), Visit("v3", 5)]
    settings = app.extensions["fab_minicode"].settings
    at = dt.datetime.now(dt.timezone.utc)
    bring(hosts.engine_of(app), visits, authorizer_id=number, settings=settings, now=at)
    headers, asked = hosts.bearer(client, "viewer"), ASKED_OVER_REST[kind]
    answer = client.post(f"{REST}/{kind}", json=asked, headers=headers).get_json()
    told = client.post(f"{REST}/{kind}/sql", json=asked, headers=headers).get_json()
    with hosts.engine_of(app).connect() as connection:
        dialect = connection.dialect.name
        cursor = connection.connection.cursor()
        found = {}
        for one in told["statements"]:
            cursor.execute(one[dialect])
            found[one["metric"]] = [tuple(row) for row in cursor.fetchall()]

    assert totals_of(answer) == found
    assert answer["window"] == told["window"]
    assert {("all", True)} == {(one["segment"], one["complete"]) for one in told["statements"]}
    assert told["raw_since"] is None
    for wrong, status, field in (
        ({"days": 0, "steps": ["visit"]}, 422, "days" if kind == "retention" else "steps"),
        ({"segment": "segment:99"}, 422, "segment"),
        ({"appid": "wx0"}, 404, None),
    ):
        changed = {**asked, **{name: value for name, value in wrong.items() if name in (*asked, "segment")}}
        refused = client.post(f"{REST}/{kind}/sql", json=changed, headers=headers)

        assert status == refused.status_code
        assert field is None or field == refused.get_json()["error"]["field"]
