"""The order of events, by the quick way and by the one for numbers that do not fit into one word."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fab_minicode.acquisition.moments import Moments, key_tails

EVENTS = st.lists(
    st.tuples(st.integers(1, 5), st.integers(0, 20), st.integers(0, 2), st.integers(-3, 3)), min_size=1, max_size=60
)


def moments(events, *, visitor_factor=1, time_factor=1):
    visitor, time, event, tail = (np.array(column, np.int64) for column in zip(*events, strict=True))
    none = np.zeros(len(events), np.int64)
    place = np.arange(len(events))
    visitor, time = visitor * visitor_factor, time * time_factor
    return Moments(visitor, time, tail, none, event, place, none, none, none.astype(bool))


def expected(events):
    places = range(len(events))
    order = sorted(places, key=lambda n: (events[n][0], events[n][1], events[n][2] != 0, events[n][3], n))
    return [events[place] for place in order]


@given(EVENTS)
def test_events_stand_by_visitor_time_kind_and_key(events):
    for factors in ({}, {"visitor_factor": 2**31, "time_factor": 2**35}):
        ordered = moments(events, **factors).ordered()

        assert expected(events) == [events[place] for place in ordered.context.tolist()]


@given(EVENTS)
def test_the_latest_event_of_a_kind_is_the_visitors_own(events):
    ordered = moments(events).ordered()
    found = ordered.latest(ordered.visit).tolist()
    rows = list(zip(ordered.visitor.tolist(), ordered.visit.tolist(), strict=True))
    for place, (visitor, _) in enumerate(rows):
        earlier = [n for n in range(place + 1) if rows[n] == (visitor, True)]

        assert (earlier[-1] if earlier else -1) == found[place]


def test_the_tail_of_a_key_is_its_last_half():
    assert [-1, 1] == key_tails([bytes(8) + b"\xff" * 8, bytes(15) + b"\x01"]).tolist()


def test_no_events_are_in_order():
    empty = moments([(1, 1, 1, 1)]).take(np.zeros(1, bool))

    assert 0 == len(empty.ordered()) == len(empty.starts())
