"""Why an answer is empty: the filter or the pair that empties it, the window, or that there is nothing at all."""

import itertools
import random

import pytest

from fab_minicode.acquisition import query
from fab_minicode.acquisition.empties import Emptiness, empties
from fab_minicode.acquisition.question import parse
from tests import worlds
from tests.recount import Recount
from tests.test_numbers import NOW, counted_world


@pytest.mark.parametrize("number", [4, 5, 6])
def test_the_filters_that_empty_an_answer_are_those_without_which_a_recount_finds_something(engine, number):
    chance = random.Random(number)
    appid, codes, settings, world = counted_world(engine, chance, number)
    world.aliases.update(worlds.aliases(engine, chance, next(iter(world.last)).authorizer_id))
    recount, seen = Recount(world, NOW), 0
    for _ in range(60):
        asked = worlds.question(chance, appid, codes, NOW, settings.zone)
        asked["filters"] = [worlds._filter(chance, codes) for _ in range(chance.choice((1, 2, 3, 4)))]
        asked |= {"granularity": "total", "dimensions": [], "compare": None}
        with engine.connect() as connection:
            found = empties(connection, parse(asked), settings=settings, now=NOW)
            totals = query.answer(connection, parse(asked), settings=settings, now=NOW).as_json()["totals"]
        sets = [totals] if len(asked["segments"]) == 1 else totals.values()

        # A ratio of nothing by something is 0 but not empty: somebody came.
        if any(any(one.values()) for one in sets):
            assert Emptiness(is_empty=False) == found
        if not found.is_empty:
            continue
        seen += 1
        expected = {}
        for size in (1, 2):
            for left_out in itertools.combinations(range(len(asked["filters"])), size) if not expected else ():
                users, something = counted(recount, asked, left_out)
                expected |= {left_out: users} if something else {}

        assert expected == {relief.filters: relief.users for relief in found.reliefs}, asked
        assert found.without_segments in (None, counted(recount, {**asked, "segments": ["all"]}, ())[0])
        assert found.has_ever
        assert found.in_window == counted(recount, {**asked, "segments": ["all"]}, range(9))[0]
    assert seen


def counted(recount, asked, left_out):
    """Users, and whether the metrics count anything, without some filters; of several segments the highest."""
    filters = [one for place, one in enumerate(asked["filters"]) if place not in left_out]
    metrics = recount.parts(asked)
    totals = recount.answer({**asked, "filters": filters, "metrics": [*metrics, "users"]})["totals"]
    sets = [totals] if len(asked["segments"]) == 1 else list(totals.values())
    own = recount.numbers({"metrics": metrics}, []).keys()
    return max(one["users"] for one in sets), any(one[name] for one in sets for name in own)


def test_a_mini_program_without_events_says_so(engine):
    settings = worlds.settings_in("UTC")
    _, appid, _ = worlds.mini_program(engine, 1)
    asked = parse({"appid": appid, "filters": [{"dimension": "scene", "op": "set"}], "segments": ["new"]})
    with engine.connect() as connection:
        found = empties(connection, asked, settings=settings, now=NOW)

    assert Emptiness(True, False, 0, False, (), 0) == found
