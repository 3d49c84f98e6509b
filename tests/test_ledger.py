"""Pages of short tallies and the ledger's merging: every operation against ``collections.Counter``."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fab_minicode.acquisition.ledger import merged
from fab_minicode.acquisition.pages import grouped, ids_of, pack_pages, pairs_of, unpack_pages, values_of, without
from fab_minicode.acquisition.tally import FEW, Tally

VALUES = st.integers(0, 3) | st.integers(0, 20_000)
VISITORS = st.integers(0, 5) | st.integers(0, 200_000) | st.integers(0, 2**32 - 1)
EVENTS = st.lists(st.tuples(VALUES, VISITORS), max_size=100) | st.integers(1, 3 * FEW).map(
    lambda count: [(7, one % 200) for one in range(count)]
)


def pairs(events):
    values, visitors = (np.array([event[place] for event in events], np.int64) for place in (0, 1))
    return pairs_of(values, visitors)


def told(found):
    return Counter(zip(values_of(found).tolist(), ids_of(found).tolist(), strict=True))


def short(events):
    often = Counter(value for value, _ in events)
    return [event for event in events if often[event[0]] <= FEW]


@given(EVENTS)
def test_pages_are_read_back(events):
    events = short(events)
    pages = pack_pages(pairs(events))

    assert sorted(events) == sorted(told(unpack_pages(sorted(pages.items())).pairs()).elements())
    assert {value >> 12 for value, _ in events} == set(pages)


@given(EVENTS)
def test_events_are_grouped_by_value(events):
    expected = {value: sorted(who for at, who in events if at == value) for value, _ in events}

    assert expected == {value: ids.tolist() for value, ids in grouped(pairs(events)).by_value()}


@given(EVENTS, EVENTS)
def test_only_what_is_there_is_taken_out(events, gone):
    assert Counter(events) == told(without(pairs(events + gone), pairs(gone)))
    if Counter(gone) - Counter(events):
        with pytest.raises(ValueError):
            without(pairs(events), pairs(gone))


@given(EVENTS, EVENTS, st.randoms())
def test_events_are_merged_into_tallies_and_taken_out_again(before, added, dice):
    together = before + added
    gone = dice.sample(together, dice.randint(0, len(together)))
    long, events = merged({}, pairs([]), pairs(before), pairs([]))
    changed, events = merged(long, events, pairs(added), pairs(gone))
    found = told(events)
    for value, stored in (long | changed).items():
        for visitor in () if stored is None else Tally.unpack(stored).ids().tolist():
            found[value, visitor] += 1
    often = Counter(value for value, _ in (Counter(together) - Counter(gone)).elements())

    assert Counter(together) - Counter(gone) == found
    assert {value for value in often if often[value] > FEW} == {
        value for value, stored in (long | changed).items() if stored is not None
    }
