"""The recount of stored numbers: no difference whatever came in whatever order, and every one that is made by hand."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import replace

import numpy as np
import pytest
from sqlalchemy import delete, select, text, update
from sqlalchemy.orm import Session

from fab_minicode import upkeep
from fab_minicode.acquisition import ledger, query, tally
from fab_minicode.acquisition.facts import SeriesKey
from fab_minicode.acquisition.ledger import Ledger
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up, roll_up_all
from fab_minicode.acquisition.tally import Tally
from fab_minicode.acquisition.verify import snapshot, verify
from fab_minicode.acquisition.windows import Period, Window
from fab_minicode.models import Attribution, Authorizer, Context, StoredEvent, Value, Visitor
from tests import stories, worlds
from tests.events import Told, store
from tests.test_numbers import NOW, counted_world

DAY = 86_400_000
SETTINGS = worlds.settings_in("Asia/Shanghai")
THEN = int(NOW.timestamp() * 1000) - 2 * DAY
THAT_DAY = dt.date(2026, 11, 18)
POSTER = ("poster", "autumn", "", "", "")


def differences(engine, settings=SETTINGS, **asked):
    """Everything that differs, of all verifiable days."""
    return [one for day in verify(engine, settings=settings, now=NOW, **asked) for one in day.differences]


@pytest.fixture
def shop(engine):
    """A mini program with three visits and an order."""
    with Session(engine, future=True) as session:
        session.add(stories.authorizer())
        session.commit()
    told = [
        Told("a", THEN, utm=POSTER),
        Told("a", THEN + 1, "order_paid"),
        Told("a", THEN + 2),
        Told("b", THEN + 3, utm=POSTER),
    ]
    store(engine, told)
    roll_up(engine, settings=SETTINGS, now=NOW)
    return stories.APPID


def stand(connection, dimension, tallies):
    """Put tallies of visits in the place of the stored ones."""
    authorizer_id = connection.execute(select(Authorizer.id)).scalar()
    book = Ledger(connection, authorizer_id)
    book.replace(SeriesKey("visit", "own", dimension), THAT_DAY.toordinal(), tallies)
    book.write()


@pytest.mark.parametrize("number", range(501, 509))
def test_whatever_came_in_whatever_order_there_is_no_difference(engine, number):
    _, _, settings, _ = counted_world(engine, random.Random(number), number)
    found = list(verify(engine, settings=settings, now=NOW))

    assert [] == [str(one) for day in found for one in day.differences]
    assert all(day.is_verifiable and day.facts for day in found)
    assert found


@pytest.mark.parametrize("number", [511, 512])
def test_long_tallies_are_counted_as_short_ones_are(engine, number, monkeypatch):
    for room in (tally, ledger):
        monkeypatch.setattr(room, "FEW", 1)
    _, _, settings, _ = counted_world(engine, random.Random(number), number)

    assert [] == [str(one) for day in verify(engine, settings=settings, now=NOW) for one in day.differences]


def test_a_tally_that_is_wrong_is_named(engine, shop):
    with engine.begin() as connection:
        source = connection.execute(select(Value.id).where(Value.value == "poster")).scalar()
        stand(connection, "utm_source", {source: Tally.of(np.array([7, 7], np.uint32))})
    (found,) = differences(engine)

    assert (shop, THAT_DAY, "visit", "own", "utm_source", "poster") == (
        found.appid, found.day, found.event, found.route, found.dimension, found.value,
    )  # fmt: skip
    assert "1 visitors, 2 times" == found.stored
    assert "2 visitors, 2 times (3 visitors differ)" == found.recounted


@pytest.mark.parametrize("dimension", ["touch", "context", "utm_campaign", "landing_page"])
def test_a_tally_that_is_gone_and_one_too_many_are_named(engine, shop, dimension):
    with engine.begin() as connection:
        stand(connection, dimension, {999: Tally.of(np.array([1, 2], np.uint32))})
    found = differences(engine)

    assert {"0 visitors, 0 times", "2 visitors, 2 times"} == {one.stored for one in found}
    assert {("visit", "own", dimension)} == {(one.event, one.route, one.dimension) for one in found}


WRONGS = (
    ("an event without a decision", delete(Attribution.__table__).where(Attribution.event_id > 0), "no decision"),
    ("a decision without an event", delete(StoredEvent.__table__).where(StoredEvent.name.is_not(None)), "4 decisions"),
    (
        "a first visit that is too late",
        update(Visitor.__table__).values(first_ms=THEN + 2).where(Visitor.first_ms == THEN),
        "a later first visit of its visitor",
    ),
    (
        "a page that nobody opened",
        update(Value.__table__).values(value="pages/wrong").where(Value.dimension == "landing_page"),
        "'pages/wrong', '1001'",
    ),
    (
        "a source that nobody carried",
        update(Context.__table__).values(utm_medium=Context.utm_source).where(Context.utm_source > 0),
        "('poster', 'autumn', 'poster', '', '')",
    ),
)


@pytest.mark.parametrize("what, wrong, stored", WRONGS, ids=[what for what, *_ in WRONGS])
def test_decisions_are_compared_with_raw_events(engine, shop, what, wrong, stored):
    with engine.begin() as connection:
        connection.execute(wrong)

    assert stored in {one.stored for one in differences(engine) if one.dimension == "decision"}


def test_days_without_raw_events_cannot_be_verified_and_are_no_difference(engine, shop):
    later = NOW + dt.timedelta(days=400)
    upkeep.purge(engine, retention_days=180, now=later)
    found = list(verify(engine, settings=SETTINGS, now=later, since=THAT_DAY, until=THAT_DAY))

    assert [(THAT_DAY, False, ())] == [(day.day, day.is_verifiable, day.differences) for day in found]


def test_only_the_days_and_the_mini_program_asked_for_are_recounted(engine, shop):
    days = [day.day for day in verify(engine, settings=SETTINGS, now=NOW)]

    assert [THAT_DAY] == days
    assert [] == list(verify(engine, settings=SETTINGS, now=NOW, appid="wx-another"))
    assert [] == list(verify(engine, settings=SETTINGS, now=NOW, since=THAT_DAY + dt.timedelta(days=1)))


def test_events_of_clocks_that_were_ahead_and_pending_ones_are_no_difference(engine, shop):
    ahead = Told("c", THEN + 400 * DAY, utm=POSTER)
    store(engine, [ahead])
    with engine.begin() as connection:
        arrival = {"time_ms": THEN + 5, "received_ms": THEN + 5}
        connection.execute(update(StoredEvent.__table__).where(StoredEvent.key == ahead.key).values(**arrival))
    roll_up(engine, settings=SETTINGS, now=NOW)
    store(engine, [Told("d", THEN + 9)])

    assert [] == differences(engine)


def test_a_roll_up_beside_the_recount_does_not_matter(engine, shop):
    with snapshot(engine) as connection:
        counts = text("SELECT COUNT(*) FROM minicode_attributions")
        before = connection.execute(counts).scalar()
        store(engine, [Told("late", THEN + 9)])
        roll_up_all(engine, settings=SETTINGS, now=NOW)

        assert before == connection.execute(counts).scalar()
    assert [] == differences(engine)


def test_a_purge_takes_raw_events_and_leaves_every_number(engine, shop):
    asked = parse({"appid": shop, "metrics": ["users", "new_users", "visits"], "dimensions": ["utm_source"]})
    asked = replace(asked, period=Period(window=Window(THAT_DAY, THAT_DAY)))

    def answer():
        with engine.connect() as connection:
            return query.answer(connection, asked, settings=SETTINGS, now=NOW).as_json()["rows"]

    before = answer()
    upkeep.purge(engine, retention_days=180, now=NOW + dt.timedelta(days=400))
    with engine.connect() as connection:
        counts = ("SELECT COUNT(*) FROM minicode_events", "SELECT COUNT(*) FROM minicode_attributions")
        left = [connection.execute(text(statement)).scalar() for statement in counts]

    assert [0, 0] == left
    assert before == answer() != []
