"""The roll-up: each event once, whatever happens around it; late events leave the same facts as timely ones."""

from __future__ import annotations

import datetime as dt
import random
import threading

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from fab_minicode.acquisition import query
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up, roll_up_all
from fab_minicode.acquisition.tally import FEW
from fab_minicode.errors import EventsNotCounted, InvalidInput, Missing
from fab_minicode.models import Attribution, StoredEvent
from fab_minicode.models.acquisition import TEST
from tests import databases, stories, worlds
from tests.events import Told, store
from tests.facts_state import entry_and_first, state_of
from tests.recount import in_order
from tests.shop import DAY, FLYER, HOUR, MINUTE, NOW, POSTER, SETTINGS, THEN


def rolled(engine, *batches):
    """Store and count batches."""
    for batch in batches:
        store(engine, batch)
        roll_up(engine, settings=SETTINGS, now=NOW)


def ask(engine, **changed):
    """Answer a question about the last 30 days."""
    asked = {"appid": stories.APPID, "metrics": ["users", "visits"], "window": {"last_days": 30}} | changed
    with engine.connect() as connection:
        return query.answer(connection, parse(asked), settings=SETTINGS, now=NOW).as_json()


def by_source(engine, attribution, metric="visits"):
    """Source -> number."""
    rows = ask(engine, metrics=[metric], dimensions=["utm_source"], attribution=attribution)["rows"]
    return {row["utm_source"]: next(value for name, value in row.items() if name != "utm_source") for row in rows}


ORDERS = {"event": "order_paid", "as": "times"}


# -------------------------------------------------------------------------------------------------------- attributions


def test_a_direct_visit_goes_to_the_latest_touch_of_the_last_thirty_days(engine, shop):
    rolled(
        engine,
        [
            Told("a", THEN - 20 * DAY, utm=POSTER),
            Told("a", THEN),
            Told("b", THEN - 30 * DAY, utm=FLYER),
            Told("b", THEN),
            Told("c", THEN - 30 * DAY - 1, utm=FLYER),
            Told("c", THEN),
        ],
    )

    assert {"poster": 2, "flyer": 1, None: 1} == by_source(engine, "last")
    assert {"poster": 1, None: 3} == by_source(engine, "entry")
    assert {"poster": 2, "flyer": 2} == by_source(engine, "first")


def test_a_custom_event_goes_where_its_latest_visit_went(engine, shop):
    rolled(
        engine,
        [
            Told("a", THEN, utm=POSTER),
            Told("a", THEN, "order_paid"),
            Told("a", THEN + HOUR),
            Told("a", THEN + 2 * HOUR, "order_paid"),
            Told("b", THEN - 1, "order_paid"),
            Told("b", THEN, utm=FLYER),
        ],
    )

    assert {"poster": 2, None: 1} == by_source(engine, "last", ORDERS)
    assert {"poster": 1, None: 2} == by_source(engine, "entry", ORDERS)
    assert {"poster": 2, None: 1} == by_source(engine, "first", ORDERS)


def test_a_custom_event_finds_its_visit_many_days_before(engine, shop):
    rolled(engine, [Told("a", THEN - 20 * DAY, utm=POSTER)], [Told("a", THEN, "order_paid")])

    for attribution in ("last", "entry", "first"):
        assert {"poster": 1} == by_source(engine, attribution, ORDERS)


def test_what_was_counted_as_last_touch_is_never_rewritten(engine, shop):
    late = [Told("a", THEN - HOUR, utm=POSTER)]
    rolled(engine, [Told("a", THEN), Told("a", THEN + 1, "order_paid")], late)

    assert {None: 1, "poster": 1} == by_source(engine, "last")
    assert {None: 1, "poster": 1} == by_source(engine, "entry")
    # The late visit is the first one ever.
    assert {"poster": 2} == by_source(engine, "first")
    assert {"poster": 1} == by_source(engine, "last", "new_users")


def test_a_late_visit_takes_its_events_for_entry_but_not_for_last(engine, shop):
    first = [Told("a", THEN, utm=POSTER), Told("a", THEN + 2 * HOUR, "order_paid")]
    rolled(engine, first, [Told("a", THEN + HOUR, utm=FLYER, number=1)])

    assert {"poster": 1} == by_source(engine, "last", ORDERS)
    assert {"flyer": 1} == by_source(engine, "entry", ORDERS)
    assert {"poster": 1} == by_source(engine, "first", ORDERS)

    # Another one, nearer still: the event moves once more.
    rolled(engine, [Told("a", THEN + 90 * MINUTE, number=2)])

    assert {"poster": 1} == by_source(engine, "last", ORDERS)
    assert {None: 1} == by_source(engine, "entry", ORDERS)


def test_a_late_visit_looks_for_touches_before_itself(engine, shop):
    timely = [Told("a", THEN - 5 * DAY, utm=POSTER), Told("a", THEN, utm=FLYER)]
    rolled(engine, timely, [Told("a", THEN - DAY)])

    assert {"poster": 2, "flyer": 1} == by_source(engine, "last")


def test_visitors_whose_pseudonyms_begin_alike_are_two(engine, shop):
    one, other, third = (bytes(8) + bytes([n]) * 8 for n in (1, 2, 255))
    rolled(engine, [Told("a", THEN, utm=POSTER, pseudonym=one)])
    rolled(engine, [Told(name, THEN + 1, pseudonym=key) for name, key in (("b", other), ("a", one), ("c", third))])
    rolled(engine, [Told("c", THEN + 2, utm=FLYER, pseudonym=third), Told("b", THEN + 3, pseudonym=other)])

    assert {"users": 3, "visits": 6} == ask(engine)["totals"]
    assert {"poster": 2, "flyer": 1, None: 3} == by_source(engine, "last")


def test_two_mini_programs_share_nothing(engine, shop):
    with Session(engine, future=True) as session:
        session.add(stories.authorizer("wx00000000000000aa"))
        session.commit()
    rolled(engine, [Told("a", THEN, utm=POSTER), Told("a", THEN + 1, utm=FLYER, authorizer_id=2)])

    assert {"poster": 1} == by_source(engine, "last")
    with engine.connect() as connection:
        other = parse({"appid": "wx00000000000000aa", "metrics": ["users", "new_users"]})
        answer = query.answer(connection, other, settings=SETTINGS, now=NOW)

    assert {"users": 1, "new_users": 1} == answer.as_json()["totals"]


# ---------------------------------------------------------------------------------------------------------------- laws


@pytest.mark.parametrize("number", range(3))
def test_any_order_and_any_batching_leave_the_same_facts_of_entry_and_first(engine, shop, number, tmp_path):
    chance = random.Random(number)
    told = worlds.stream(chance, [_PRINT] * 4, authorizer_id=1, now=NOW, count=150)
    rolled(engine, sorted(told, key=in_order))
    expected = entry_and_first(state_of(engine))
    for way in range(2):
        other = _again(engine, tmp_path, way)
        chance.shuffle(told)
        cuts = sorted(chance.sample(range(1, len(told)), 4))
        rolled(other, *(told[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(told)], strict=True)))

        assert expected == entry_and_first(state_of(other))
        other.dispose()


def _again(engine, tmp_path, way):
    """Another empty database of the same kind."""
    folder = tmp_path / f"way-{way}"
    folder.mkdir()
    other = databases.engine_for(databases.fresh(engine.dialect.name, folder))
    Attribution.metadata.create_all(other)
    return other


_PRINT = worlds.Print(0, "nobody", "wxacode", "nobodys", "x" * 32, POSTER)


@pytest.mark.parametrize("number", range(2))
def test_the_same_events_in_order_leave_the_same_facts_in_any_batches(engine, shop, number, tmp_path):
    told = sorted(worlds.stream(random.Random(number), [_PRINT] * 4, authorizer_id=1, now=NOW, count=150), key=in_order)
    rolled(engine, told)
    other = _again(engine, tmp_path, 0)
    rolled(other, *(told[begin : begin + 17] for begin in range(0, len(told), 17)))

    assert state_of(engine) == state_of(other)
    other.dispose()


def test_rolling_up_twice_is_rolling_up_once(engine, shop):
    rolled(engine, [Told("a", THEN, utm=POSTER)])
    before = state_of(engine)

    assert 0 == roll_up(engine, settings=SETTINGS, now=NOW)
    assert before == state_of(engine)


@pytest.mark.parametrize("number", range(3))
def test_laws_that_tie_answers_together(engine, shop, number):
    chance = random.Random(number)
    rolled(engine, worlds.stream(chance, [_PRINT] * 4, authorizer_id=1, now=NOW, count=200))
    for attribution in ("last", "entry", "first"):
        asked = {"attribution": attribution, "dimensions": ["utm_source", "scene"], "limit": 3}
        answer = ask(engine, segments=["all", "new", "returning"], **asked)
        plain = ask(engine, granularity="day", **asked)
        totals = answer["totals"]

        assert totals["all"]["users"] == totals["new"]["users"] + totals["returning"]["users"]
        assert totals["all"]["visits"] == totals["new"]["visits"] + totals["returning"]["visits"]
        assert totals["all"] == plain["totals"]
        assert plain["totals"]["visits"] == sum(row["visits"] for row in plain["rows"]) + plain["others"]["visits"]
        assert max(row["users"] for row in plain["rows"]) <= plain["totals"]["users"]
        assert plain["totals"] == ask(engine, attribution="last")["totals"]


# ------------------------------------------------------------------------------------------- claimed once, never lost


def test_test_traffic_is_never_counted(engine, shop):
    store(engine, [Told("a", THEN)], state=TEST)

    assert 0 == roll_up(engine, settings=SETTINGS, now=NOW)
    assert {"users": 0, "visits": 0} == ask(engine)["totals"]


def test_a_limit_leaves_the_rest_for_the_next_time(engine, shop):
    store(engine, [Told(f"v{n}", THEN + n) for n in range(10)])

    assert [4, 4, 2, 0] == [roll_up(engine, settings=SETTINGS, now=NOW, limit=4) for _ in range(4)]
    assert {"users": 10, "visits": 10} == ask(engine)["totals"]


def test_events_that_commit_out_of_order_are_all_counted(engine, shop):
    early, late = [Told("a", THEN)], [Told("b", THEN + HOUR)]
    if engine.dialect.name == "sqlite":
        # One writer at a time: an earlier event can only be written later.
        rolled(engine, late)
        store(engine, early)
    else:
        with engine.connect() as slow, slow.begin():
            store(slow, early)
            rolled(engine, late)

            assert {"users": 1, "visits": 1} == ask(engine)["totals"]

    assert 1 == roll_up(engine, settings=SETTINGS, now=NOW)
    assert {"users": 2, "visits": 2} == ask(engine)["totals"]


def test_many_events_are_marked_whatever_their_age(engine, shop):
    told = [Told(f"v{n % 700}", THEN + n * 1000, number=n) for n in range(12_000)]
    old = [Told(f"v{n}", THEN - 20 * DAY + n, number=n) for n in range(300)]
    rolled(engine, told[:6000])
    rolled(engine, told[6000:] + old)

    with engine.connect() as connection:
        waiting = connection.execute(text("SELECT count(*) FROM minicode_pending")).scalar()

    assert 0 == waiting
    assert 12_300 == ask(engine)["totals"]["visits"]


def test_roll_ups_at_once_count_each_event_once(engine, shop):
    store(engine, [Told(f"v{n % 50}", THEN + n, number=n) for n in range(2000)])
    start, counted = threading.Barrier(4), []

    def work():
        start.wait()
        counted.append(roll_up_all(engine, settings=SETTINGS, now=NOW, limit=97))

    threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 2000 == sum(counted)
    assert {"users": 50, "visits": 2000} == ask(engine)["totals"]


def test_a_database_that_stays_locked_is_tried_again_later(engine, shop):
    if engine.dialect.name != "sqlite":
        return
    store(engine, [Told("a", THEN)])
    impatient = create_engine(engine.url, connect_args={"timeout": 0.05}, future=True)
    with engine.begin() as writer:
        writer.execute(text("UPDATE minicode_leases SET holder = holder"))

        assert 0 == roll_up(impatient, settings=SETTINGS, now=NOW)
    assert 1 == roll_up(impatient, settings=SETTINGS, now=NOW)
    impatient.dispose()


def test_events_that_arrive_while_others_are_counted_are_all_counted(engine, shop):
    done = threading.Event()

    def send():
        for n in range(40):
            store(engine, [Told(f"v{n}", THEN + n * 10 + place, number=place) for place in range(10)])
        done.set()

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    counted = 0
    while not done.is_set() and thread.is_alive():
        counted += roll_up(engine, settings=SETTINGS, now=NOW)
    thread.join()
    counted += roll_up_all(engine, settings=SETTINGS, now=NOW)

    assert 400 == counted
    assert {"users": 40, "visits": 400} == ask(engine)["totals"]


# ----------------------------------------------------------------------------------------------------------- refusals


def test_a_mini_program_that_is_not_there_has_no_numbers(engine, shop):
    with engine.connect() as connection:
        with pytest.raises(Missing):
            query.answer(connection, parse({"appid": "wx1"}), settings=SETTINGS, now=NOW)
        with pytest.raises(Missing):
            query.headline(connection, "wx1", settings=SETTINGS, now=NOW)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"granularity": "hour", "window": {"last_days": 15}}, ("granularity", 14, 15)),
        ({"granularity": "day", "window": {"last_days": 366}, "limit": 1000}, ("limit", 100_000, 366_000)),
    ],
)
def test_what_would_take_too_long_is_refused(engine, shop, changed, expected):
    with pytest.raises(InvalidInput) as refused:
        ask(engine, dimensions=["utm_source"], **changed)

    assert expected == (refused.value.field, refused.value.limit, refused.value.actual)


# ---------------------------------------------------------------------------------------- events that cannot be counted


def test_events_that_cannot_be_counted_hold_up_nobody_else_and_wait_until_they_can(engine, shop):
    with Session(engine, future=True) as session:
        session.add(stories.authorizer("wx2"))
        session.commit()
    broken = [Told(f"b{n}", THEN + n, authorizer_id=2) for n in range(7)]
    store(engine, broken)
    entries = StoredEvent.__table__.c.entry
    with engine.begin() as connection:
        connection.execute(StoredEvent.__table__.update().values(entry="no JSON"))
    store(engine, [Told(f"v{n}", THEN + 10 + n, utm=POSTER) for n in range(9)])

    assert [5, 4] == [roll_up(engine, settings=SETTINGS, now=NOW, limit=5) for _ in range(2)]
    with pytest.raises(EventsNotCounted) as refused:
        roll_up(engine, settings=SETTINGS, now=NOW, limit=5)
    assert [2] == refused.value.authorizer_ids
    assert "no JSON" not in str(refused.value)
    assert {"poster": 9} == by_source(engine, "last")

    store(engine, [Told("late", THEN + 5, utm=POSTER)])
    assert 1 == roll_up(engine, settings=SETTINGS, now=NOW)
    with engine.begin() as connection:
        connection.execute(StoredEvent.__table__.update().where(entries == "no JSON").values(entry=broken[0].entry))
    assert 7 == roll_up_all(engine, settings=SETTINGS, now=NOW)
    assert 7 == ask(engine, appid="wx2")["totals"]["visits"]
    assert {"poster": 10} == by_source(engine, "last")


def test_several_that_cannot_be_counted_hold_up_nobody_and_can_be_left_out(engine, shop):
    with Session(engine, future=True) as session:
        session.add_all(stories.authorizer(f"wx{number}") for number in (2, 3, 4))
        session.commit()
    for number in (2, 3, 4):
        store(engine, [Told(f"b{n}", THEN + n, authorizer_id=number) for n in range(6)])
    with engine.begin() as connection:
        connection.execute(StoredEvent.__table__.update().values(entry="no JSON"))
    store(engine, [Told(f"v{n}", THEN + 10 + n, utm=POSTER) for n in range(6)])

    assert 5 == roll_up(engine, settings=SETTINGS, now=NOW, limit=5)
    assert 1 == roll_up(engine, settings=SETTINGS, now=NOW, limit=5, but=(2, 4))
    with pytest.raises(EventsNotCounted) as refused:
        roll_up(engine, settings=SETTINGS, now=NOW, limit=5, but=(2,))
    assert [3, 4] == refused.value.authorizer_ids
    assert 0 == roll_up(engine, settings=SETTINGS, now=NOW, but=(2, 3, 4))
    assert {"poster": 6} == by_source(engine, "last")


# -------------------------------------------------------------------------------------------------------------- codes


def test_the_list_shows_the_users_of_each_code(engine):
    authorizer_id, _, codes = worlds.mini_program(engine, 7)
    gate = Told("a", THEN, short_key=codes[3].short_key, authorizer_id=authorizer_id)
    twin = Told("b", THEN, utm=codes[0].utm, match_key=codes[0].match_key, scene="1011", authorizer_id=authorizer_id)
    rolled(engine, [gate, twin, Told("a", THEN + HOUR, authorizer_id=authorizer_id)])
    ids = [code.id for code in codes]
    with engine.connect() as connection:
        users = query.users_by_code(connection, authorizer_id, ids, settings=SETTINGS, now=NOW)
        nothing = query.users_by_code(connection, authorizer_id, [], settings=SETTINGS, now=NOW)

        brought = query.users_of_codes(connection, authorizer_id, settings=SETTINGS, now=NOW)

    assert dict(zip(ids, (0, 1, 0, 1), strict=True)) == users
    assert {} == nothing
    assert {codes[1].id: 1, codes[3].id: 1} == brought


def test_users_of_every_code_are_people_not_visits_whether_few_or_many_came_on_a_day(engine):
    authorizer_id, _, codes = worlds.mini_program(engine, 7)
    crowd, few, both = (code.short_key for code in (codes[1], codes[2], codes[3]))
    told = [Told(f"v{n}", THEN, short_key=crowd, authorizer_id=authorizer_id) for n in range(FEW + 40)]
    told += [Told(f"v{n}", THEN - DAY, short_key=crowd, authorizer_id=authorizer_id) for n in range(3)]
    told += [Told(f"v{n % 2}", THEN + MINUTE - n * HOUR, short_key=few, authorizer_id=authorizer_id) for n in range(9)]
    told += [Told(f"w{n}", THEN - DAY, short_key=both, authorizer_id=authorizer_id) for n in range(FEW + 9)]
    told += [Told(f"w{n}", THEN - 2 * DAY, short_key=both, authorizer_id=authorizer_id) for n in range(4, FEW + 11, 9)]
    told += [Told("long ago", THEN - 9 * DAY, short_key=few, authorizer_id=authorizer_id)]
    rolled(engine, told)
    with engine.connect() as connection:
        brought = query.users_of_codes(connection, authorizer_id, settings=SETTINGS, now=NOW)
        one_by_one = query.users_by_code(
            connection, authorizer_id, [code.id for code in codes], settings=SETTINGS, now=NOW
        )

    late = {f"w{n}" for n in range(4, FEW + 11, 9)} - {f"w{n}" for n in range(FEW + 9)}
    assert {codes[1].id: FEW + 40, codes[2].id: 2, codes[3].id: FEW + 9 + len(late)} == brought
    assert one_by_one == {code.id: brought.get(code.id, 0) for code in codes}


def test_the_headline_counts_people_whom_advertising_brought(engine, shop):
    midnight = dt.datetime(2026, 11, 20, tzinfo=SETTINGS.zone)
    week = int((midnight - dt.timedelta(days=7)).timestamp() * 1000)
    told = [
        *(Told(f"v{n}", week + n, utm=POSTER) for n in range(3)),
        Told("v0", week + 6 * DAY),
        Told("direct", week),
        Told("today", int(midnight.timestamp() * 1000), utm=POSTER),
        Told("yesterday", int(midnight.timestamp() * 1000) - 1, utm=POSTER),
        Told("before", week - 1, utm=POSTER),
        Told("long ago", week - 7 * DAY - 1, utm=POSTER),
    ]
    rolled(engine, told)
    with engine.connect() as connection:
        headline = query.headline(connection, shop, settings=SETTINGS, now=NOW)

    assert (4, 1) == (headline.value, headline.previous)
    assert (dt.date(2026, 11, 13), dt.date(2026, 11, 19)) == (headline.window.since, headline.window.until)
    assert dt.date(2026, 11, 12) == headline.previous_window.until
