"""Events in: stored once, under a key that is ordered by time, on both databases."""

import datetime as dt
import hashlib
import hmac
import itertools
import json
import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from fab_minicode.acquisition.accept import MAX_FUTURE_MS, accept, mark_active
from fab_minicode.models.acquisition import REAL, TEST
from fab_minicode.models.authorizers import Authorizer
from fab_minicode.models.types import UtcDateTime
from fab_minicode.settings import read_settings
from fab_minicode.trackers import Entry, Event, Rejection
from fab_minicode.utm import Utm, match_key
from tests.collect_app import add_authorizers, stored

NOW = dt.datetime(2026, 11, 22, 10, 30, tzinfo=dt.timezone.utc)
NOW_MS = int(NOW.timestamp() * 1000)
DAY_MS = 24 * 60 * 60 * 1000
VISITOR_KEY = bytes(range(32))
SETTINGS = read_settings({"FAB_MINICODE_EVENT_MAX_AGE_DAYS": 7})
ENTRY = Entry("pages/a", "1047", Utm("poster", "spring", term="metro"), None, "id=1&utm_source=poster")
_numbers = itertools.count(1000)


def event(identity="a", *, visitor="device", name=None, time_ms=NOW_MS, entry=ENTRY, is_test=False):
    return Event(identity, visitor, name, time_ms, entry if name is None else None, is_test)


def take(engine, *events, authorizer_id=1, tracker="native", now=NOW):
    with engine.begin() as connection:
        return accept(
            connection,
            list(enumerate(events)),
            authorizer_id=authorizer_id,
            tracker=tracker,
            visitor_key=VISITOR_KEY,
            now=now,
            settings=SETTINGS,
        )


def counts(acceptance):
    return acceptance.accepted, acceptance.duplicate, len(acceptance.rejected)


def test_an_event_is_stored_as_it_happened(engine):
    time_ms = NOW_MS - 5000

    assert (2, 0, 0) == counts(take(engine, event("a", time_ms=time_ms), event("b", name="order_paid")))
    visit, custom = stored(engine)
    assert (None, 1, time_ms, NOW_MS, REAL) == (
        visit.name,
        visit.authorizer_id,
        visit.time_ms,
        visit.received_ms,
        visit.state,
    )
    assert ("order_paid", None) == (custom.name, custom.entry)


def test_the_key_is_the_time_and_a_hash_of_who_and_what(engine):
    take(engine, event("a", time_ms=NOW_MS - 5000))
    key = stored(engine)[0].key

    assert 16 == len(key)
    assert NOW_MS - 5000 == int.from_bytes(key[:6], "big")
    assert hashlib.blake2b(b"1:native\na", digest_size=10).digest() == bytes(key[6:])


def test_keys_are_ordered_by_time(engine):
    times = random.Random(4).sample(range(NOW_MS - DAY_MS, NOW_MS), 40)
    take(engine, *(event(str(time_ms), time_ms=time_ms) for time_ms in times))

    assert sorted(times) == [row.time_ms for row in stored(engine)]


def test_a_visitor_is_an_hmac_under_the_mini_program_s_key(engine):
    take(
        engine, event("a", visitor="openid-of-a-person"), event("b", visitor="v" * 300), event("c", visitor="人\ud800")
    )
    expected = {
        hmac.new(VISITOR_KEY, text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()[:16]
        for text in ("openid-of-a-person", "v" * 300, "人\ud800")
    }

    assert expected == {bytes(row.visitor) for row in stored(engine)}


@pytest.mark.parametrize("length", [1, 32, 64, 65, 200])
def test_a_key_of_any_length_gives_the_hmac_of_rfc_2104(engine, length):
    key = bytes(range(length))
    with engine.begin() as connection:
        options = {"authorizer_id": 1, "tracker": "native", "now": NOW, "settings": SETTINGS}
        accept(connection, [(0, event())], visitor_key=key, **options)

    assert hmac.new(key, b"device", hashlib.sha256).digest()[:16] == bytes(stored(engine)[0].visitor)


def test_what_a_visit_carried_is_stored_as_the_roll_up_reads_it(engine):
    long_page = Entry("p" * 1000, None, Utm(), "8F3kQ2", "scene=c%3D8F3kQ2")
    take(
        engine,
        event("a", time_ms=NOW_MS - 1),
        event("b", entry=long_page),
        event("c", entry=Entry("", None, Utm(), None, ""), time_ms=NOW_MS + 1),
    )
    full, key_only, empty = (json.loads(row.entry) for row in stored(engine))

    match = match_key("pages/a", "id=1&utm_source=poster", ENTRY.utm)
    assert ["pages/a", "1047", "poster", "spring", "", "", "metro", None, match] == full
    assert ["p" * 256, None, "", "", "", "", "", "8F3kQ2", None] == key_only
    assert [None, None, "", "", "", "", "", None, None] == empty


def test_test_traffic_is_stored_apart(engine):
    take(engine, event("a", time_ms=NOW_MS - 1, is_test=True), event("b"))

    assert [TEST, REAL] == [row.state for row in stored(engine)]


def test_a_retry_is_a_duplicate(engine):
    batch = [event(str(number)) for number in range(5)]

    assert (5, 0, 0) == counts(take(engine, *batch))
    before = stored(engine)
    assert (0, 5, 0) == counts(take(engine, *batch, now=NOW + dt.timedelta(hours=1)))
    assert (2, 5, 0) == counts(take(engine, *reversed(batch), event("x"), event("y")))
    assert before == [row for row in stored(engine) if row in before]
    assert 7 == len(stored(engine))


def test_an_event_twice_in_one_batch_is_stored_once_as_it_came_first(engine):
    assert (1, 2, 0) == counts(take(engine, event(name="first"), event(name="second"), event(name="third")))
    assert ["first"] == [row.name for row in stored(engine)]


def test_the_same_identity_of_another_mini_program_tracker_or_time_is_another_event(engine):
    assert (1, 0, 0) == counts(take(engine, event()))
    assert (1, 0, 0) == counts(take(engine, event(), authorizer_id=2))
    assert (1, 0, 0) == counts(take(engine, event(), tracker="sensors"))
    assert (1, 0, 0) == counts(take(engine, event(time_ms=NOW_MS - 1)))


def test_an_event_that_is_too_old_is_refused_with_its_place(engine):
    oldest = NOW_MS - 7 * DAY_MS
    taken = take(engine, event("a", time_ms=oldest - 1), event("b", time_ms=oldest), event("c", time_ms=1))

    assert (1, 0) == (taken.accepted, taken.duplicate)
    assert (Rejection(0, "too_old"), Rejection(2, "too_old")) == taken.rejected


def test_a_clock_ahead_is_believed_for_five_minutes(engine):
    take(engine, event("a", time_ms=NOW_MS + MAX_FUTURE_MS), event("b", time_ms=NOW_MS + MAX_FUTURE_MS + 1))

    assert {NOW_MS + MAX_FUTURE_MS, NOW_MS} == {row.time_ms for row in stored(engine)}


def test_a_retry_of_an_event_from_the_future_is_a_duplicate_all_the_same(engine):
    ahead = event(time_ms=NOW_MS + DAY_MS)

    assert (1, 0, 0) == counts(take(engine, ahead))
    assert (0, 1, 0) == counts(take(engine, ahead, now=NOW + dt.timedelta(minutes=3)))


@pytest.mark.parametrize("time_ms", [2**48 - 1, 2**48, 2**53])
def test_times_beyond_the_key_s_range_are_stored(engine, time_ms):
    assert (1, 0, 0) == counts(take(engine, event(time_ms=time_ms)))
    assert (0, 1, 0) == counts(take(engine, event(time_ms=time_ms)))


@pytest.mark.parametrize("size", [1, 99, 100, 101, 1000])
def test_batches_of_any_size_are_counted_exactly(engine, size):
    batch = [event(str(number)) for number in range(size)]

    assert (size, 0, 0) == counts(take(engine, *batch))
    assert (1, size, 0) == counts(take(engine, *batch, event("new")))


def test_nothing_is_nothing(engine):
    assert (0, 0, 0) == counts(take(engine))


def test_texts_of_every_kind_are_stored_as_they_are(engine):
    names = ["'; DROP TABLE minicode_events; --", "%s %(a)s ? :x", "订单😀", "\u2028\u202e", "\\", '"', "名" * 100]
    take(engine, *(event(name, name=name, time_ms=NOW_MS + at) for at, name in enumerate(names)))

    assert names == [row.name for row in stored(engine)]


def test_a_transaction_that_is_rolled_back_leaves_nothing(engine):
    with engine.connect() as connection, connection.begin() as transaction:
        options = {"authorizer_id": 1, "tracker": "native", "now": NOW, "settings": SETTINGS}
        taken = accept(connection, [(0, event())], visitor_key=VISITOR_KEY, **options)
        transaction.rollback()

    assert 1 == taken.accepted
    assert [] == stored(engine)


def test_eight_writers_of_the_same_events_in_any_order_store_each_once_and_never_deadlock(engine):
    events = [event(str(number), time_ms=NOW_MS - number) for number in range(120)]
    accepted, failures = [], []

    def write(seed):
        dice = random.Random(seed)
        try:
            accepted.extend(take(engine, *dice.sample(events, 60)).accepted for _ in range(6))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test's thread must report it
            failures.append(error)

    threads = [threading.Thread(target=write, args=(seed,), daemon=True) for seed in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [] == failures
    assert len(stored(engine)) == sum(accepted)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 30), max_size=12), max_size=8))
def test_sending_resending_splitting_and_reordering_stores_each_event_once(engine, batches):
    """The model is a set: an event is accepted when it comes for the first time, and is a duplicate ever after."""
    known, whose = set(), next(_numbers)
    for batch in batches:
        new = set(batch) - known
        known |= new
        found = counts(take(engine, *(event(str(n), time_ms=NOW_MS + n) for n in batch), authorizer_id=whose))

        assert (len(new), len(batch) - len(new), 0) == found
    mine = [row.time_ms - NOW_MS for row in stored(engine) if row.authorizer_id == whose]
    assert sorted(known) == mine


def test_the_time_of_the_last_event_is_noted_once_a_minute(engine):
    def last():
        with engine.connect() as connection:
            column = func.max(Authorizer.__table__.c.last_event_at, type_=UtcDateTime)
            return connection.execute(select(column).where(Authorizer.__table__.c.id == 1)).scalar()

    with engine.begin() as connection:
        add_authorizers(connection)
    for seconds, expected in ((0, 0), (59, 0), (61, 61), (30, 61)):
        with engine.begin() as connection:
            mark_active(connection, 1, NOW + dt.timedelta(seconds=seconds))

        assert NOW + dt.timedelta(seconds=expected) == last()
