"""Laws that numbers obey whatever happened: days unite to windows, new and returning visitors are everybody."""

import random
from dataclasses import replace

import pytest

from fab_minicode.acquisition import query
from fab_minicode.acquisition.asked import Asked
from fab_minicode.acquisition.crowds import EVERYBODY, everybody
from fab_minicode.acquisition.question import parse
from tests import worlds
from tests.test_numbers import NOW, counted_world

QUESTIONS = 60


@pytest.mark.parametrize("number", [11, 12])
def test_days_unite_to_their_window_and_new_and_returning_visitors_are_all(engine, number):
    chance = random.Random(number)
    appid, codes, settings, _ = counted_world(engine, chance, number)
    for _ in range(QUESTIONS):
        asked = worlds.question(chance, appid, codes, NOW, settings.zone) | {"compare": None, "segments": ["all"]}
        # How often is read only where it is asked for.
        asked["metrics"] = [*(one for one in asked["metrics"] if one != "visits"), "visits"]
        question = replace(parse(asked), granularity="total")
        window = question.period.resolve(NOW, settings.zone)
        with engine.connect() as connection:
            authorizer_id = query.authorizer_id(connection, appid)
            total, *parts = (
                Asked(connection, authorizer_id, replace(question, granularity=name), settings=settings, now=NOW).read(
                    window
                )
                for name in ("total", "day", "week", "month", *(["hour"] if asked["granularity"] == "hour" else []))
            )
            segments = replace(question, segments=("all", "new", "returning"))
            totals = query.answer(connection, segments, settings=settings, now=NOW).counted.totals
        for one in parts:
            for counts, groups in total.cells.items():
                assert set(groups) == set(one.cells[counts]), asked
                for group, buckets in groups.items():
                    (whole,), pieces = buckets.values(), list(one.cells[counts][group].values())

                    assert whole.visitors() == everybody(pieces), asked
                    assert whole.times(EVERYBODY) == sum(piece.times(EVERYBODY) for piece in pieces), asked
        for metric in question.metrics:
            if not metric.parts:
                both = totals["new"][metric.name] + totals["returning"][metric.name]

                assert totals["all"][metric.name] == both, asked
