"""Contexts as numbers: one for each combination, the same one every time, whatever their fingerprints say."""

from __future__ import annotations

import numpy as np
import pytest
from sqlalchemy import text

from fab_minicode.acquisition.contexts import NOTHING, Contexts
from fab_minicode.acquisition.dimensions import NAMES

ROWS = np.array([[n, 0, 0, n % 3, 0, 0, 7, n % 5] for n in range(40)] + [[1, 2, 3, 4, 5, 6, 7, 8]], np.int64)


@pytest.fixture
def connection(engine):
    with engine.begin() as connection:
        yield connection


def test_a_combination_has_one_number_in_every_batch(connection):
    first = Contexts(connection, 1).numbered(np.concatenate((ROWS, ROWS[::-1])))
    again = Contexts(connection, 1).numbered(ROWS)

    assert len(ROWS) == len(set(first.tolist()))
    assert first[: len(ROWS)].tolist() == first[len(ROWS) :][::-1].tolist() == again.tolist()
    assert len(ROWS) == connection.execute(text("SELECT count(*) FROM minicode_contexts")).scalar()


def test_mini_programs_have_contexts_of_their_own(connection):
    one, two = Contexts(connection, 1).numbered(ROWS), Contexts(connection, 2).numbered(ROWS)

    assert set() == set(one.tolist()) & set(two.tolist())


def test_what_a_number_stands_for_is_read_back(connection):
    numbers = Contexts(connection, 1).numbered(ROWS)
    contexts = Contexts(connection, 1)
    wanted = np.concatenate((numbers[5:], numbers[:9], numbers[:1]))

    assert np.concatenate((ROWS[5:], ROWS[:9], ROWS[:1])).tolist() == contexts.values(wanted).tolist()
    assert (ROWS[:, 0] > 0).tolist() == contexts.touched(numbers).tolist()
    assert [] == contexts.values(np.zeros(0, np.int64)).tolist()


def test_a_number_of_nothing_is_an_error_and_no_other_context(connection):
    contexts = Contexts(connection, 1)
    contexts.numbered(ROWS)
    with pytest.raises(LookupError):
        contexts.values(np.array([10**6]))


def test_a_touch_goes_on_ones_own_page_and_scene(connection):
    contexts = Contexts(connection, 1)
    touch, own = contexts.numbered(ROWS[-1:]), contexts.numbered(np.array([[0, 0, 0, 0, 0, 0, 20, 30]]))
    page, scene = NAMES.index("landing_page"), NAMES.index("scene")

    (carried,) = contexts.values(contexts.carried(touch, own)).tolist()
    assert (20, 30) == (carried[page], carried[scene])
    assert ROWS[-1].tolist()[:page] == carried[:page]
    (blank,) = contexts.values(contexts.blank(touch)).tolist()
    assert (7, 8) == (blank[page], blank[scene])
    assert [0] * page == blank[:page]
    assert 1 == len(set(contexts.numbered(np.concatenate((NOTHING, NOTHING))).tolist()))


@pytest.mark.parametrize("fingerprints", [1, 3])
def test_combinations_of_one_fingerprint_are_told_apart(connection, monkeypatch, fingerprints):
    monkeypatch.setattr(Contexts, "_fingerprints", lambda _self, rows: rows.sum(axis=1) % fingerprints)
    first = Contexts(connection, 1).numbered(np.concatenate((ROWS, ROWS)))
    later = Contexts(connection, 1)

    assert len(ROWS) == len(set(first.tolist()))
    assert first.tolist() == later.numbered(np.concatenate((ROWS, ROWS))).tolist()
    assert ROWS.tolist() == later.values(first[: len(ROWS)]).tolist()
    assert len(ROWS) == connection.execute(text("SELECT count(*) FROM minicode_contexts")).scalar()
