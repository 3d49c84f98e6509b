"""Tallies are multisets: every operation against ``collections.Counter``."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from fab_minicode.acquisition.tally import (
    FEW,
    Tally,
    bitmap,
    is_few,
    pack_fews,
    parted,
    people,
    stored_times,
    stored_visitors,
    unpack_few,
    unpack_fews,
)

# Few distinct visitors make repeated ones likely; the wide ones do not fit into three bytes.
NARROW = st.integers(0, 40)
VISITORS = NARROW | st.integers(0, 200_000) | st.integers(0, 2**32 - 1)
MANY = st.builds(
    lambda count, step, wide: [(step * one % 701) + wide for one in range(count)],
    st.integers(FEW, 2 * FEW), st.integers(1, 700), st.sampled_from((0, 2**24)),
)  # fmt: skip
EVENTS = st.lists(NARROW, max_size=300) | st.lists(VISITORS, max_size=300) | MANY


def tally(events):
    return Tally.of(np.sort(np.array(events, np.uint32)))


def counted(one):
    return Counter(one.ids().tolist())


@given(EVENTS)
def test_a_tally_holds_each_visitor_as_often_as_it_occurs(events):
    one = tally(events)

    assert Counter(events) == counted(one)
    assert len(events) == one.times()
    assert set(events) == set(one.visitors)


@given(EVENTS)
def test_what_is_stored_is_read_back(events):
    stored = tally(events).pack()

    assert tally(events) == Tally.unpack(stored)
    assert (len(events) <= FEW) == is_few(stored)
    assert len(events) == stored_times(stored)
    assert is_few(stored) or set(events) == set(stored_visitors(stored))


@given(EVENTS, EVENTS)
def test_adding_counts_both(one, other):
    together = tally(one)
    together.add(tally(other))

    assert Counter(one) + Counter(other) == counted(together)
    assert tally(one + other) == together


@given(EVENTS, EVENTS)
def test_what_was_added_can_be_taken_out_again(one, other):
    together = tally(one + other)
    together.subtract(tally(other))

    assert tally(one) == together


@given(EVENTS, EVENTS)
def test_more_than_there_is_cannot_be_taken_out(one, other):
    if Counter(other) - Counter(one):
        with pytest.raises(ValueError):
            tally(one).subtract(tally(other))


@given(EVENTS, st.sets(VISITORS, max_size=100))
def test_a_crowd_divides_a_tally(events, crowd):
    one, inside = tally(events), BitMap(crowd)
    expected = Counter({visitor: times for visitor, times in Counter(events).items() if visitor in crowd})

    assert expected.total() == one.times(inside)
    assert expected == counted(one.within(inside))
    assert Counter(events) - expected == counted(one.without(inside))


@given(st.lists(st.lists(VISITORS, max_size=20), max_size=20))
def test_many_short_tallies_are_packed_and_read_at_once(lists):
    lists = [sorted(events) for events in lists]
    ids = np.array([visitor for events in lists for visitor in events], np.uint32)
    packed = pack_fews(ids, np.cumsum([len(events) for events in lists], dtype=np.int64))

    assert lists == [unpack_few(stored).tolist() for stored in packed]
    assert [len(events) for events in lists] == [stored_times(stored) for stored in packed]
    if packed:
        assert ids.tolist() == unpack_fews(packed).tolist()


def test_neighbours_take_little_room():
    assert len(tally(range(50_000)).pack()) < 50


def test_a_bitmap_is_made_of_any_part_of_an_array():
    ids = np.arange(10, dtype=np.uint32)

    assert BitMap([0, 2, 4, 6, 8]) == bitmap(ids[::2])


@given(EVENTS)
def test_who_and_how_often_are_read_apart(events):
    stored = tally(events).pack()
    if is_few(stored):
        return
    who, again = parted(stored)

    assert stored == who + again
    assert set(events) == set(people(who)) == set(people(stored))
    if again:
        with pytest.raises(ValueError):
            Tally.unpack(who)
