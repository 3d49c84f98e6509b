"""
Who is behind a number: for random worlds and questions exactly as many visitors as the number says, and the right ones.
"""

from __future__ import annotations

import hashlib
import os
import random

import pytest
from sqlalchemy import select

from fab_minicode.acquisition import query, segments, who
from fab_minicode.acquisition.cell import parse_cell, rule_of
from fab_minicode.acquisition.pseudonyms import pseudonym_of, visitor_named
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Authorizer, Visitor
from tests import worlds
from tests.events import Told, store
from tests.recount import World
from tests.test_numbers import NOW, SEED, counted_world

CELLS = int(os.environ.get("MINICODE_CELLS", "60"))
PER_WORLD = 15


def cells(answer, question):
    """Some numbers of an answer as a person would click them: rows, totals, what is left over."""
    names = [metric.name for metric in question.metrics]
    several = len(question.segments) > 1
    for row in answer["rows"]:
        yield {"metric": names[0], "row": row}, row[names[0]]
    for part, more in (("totals", {}), ("others", {"others": True})):
        if answer[part]:
            for segment in question.segments:
                numbers = answer[part][segment] if several else answer[part]
                yield {"metric": names[-1], "segment": segment, **more}, numbers[names[-1]]


@pytest.mark.parametrize("number", range(SEED, SEED + max(1, CELLS // PER_WORLD)))
def test_as_many_people_are_behind_a_number_as_it_says(engine, number):
    chance = random.Random(number)
    appid, codes, settings, _ = counted_world(engine, chance, number)
    with engine.connect() as connection:
        authorizer_id = connection.execute(select(Authorizer.id).where(Authorizer.appid == appid)).scalar()
        for _ in range(PER_WORLD):
            asked = worlds.question(chance, appid, codes, NOW, settings.zone)
            people = [{"event": "order_paid", "as": "users"}, "users", "new_users"]
            asked["metrics"] = chance.sample(people, chance.choice((1, 2)))
            question = parse(asked)
            answer = query.answer(connection, question, settings=settings, now=NOW).as_json()
            found = list(cells(answer, question))
            for sent, expected in chance.sample(found, min(8, len(found))):
                cell = parse_cell(question, sent)
                crowd = who.crowd_behind(connection, authorizer_id, question, cell, settings=settings, now=NOW)

                assert expected == len(crowd), (asked, sent)
                if cell.is_others or (cell.bucket and question.granularity == "hour"):
                    with pytest.raises(InvalidInput):
                        rule_of(question, cell, {}, now=NOW, zone=settings.zone)
                    continue
                rule = rule_of(question, cell, {}, now=NOW, zone=settings.zone)
                saved = segments.crowd_of(connection, authorizer_id, rule, settings=settings, now=NOW)

                assert crowd == saved.crowd, (asked, sent)


DAY = 86_400_000
NOON = int(NOW.timestamp() * 1000) - 5 * DAY
POSTER, FLYER = ("poster", "autumn", "", "", ""), ("flyer", "", "", "", "")


@pytest.fixture
def wang(engine):
    """Three events of one visitor and one of another, counted; returns what asks about them."""
    settings = worlds.settings_in("UTC")
    authorizer_id, appid, codes = worlds.mini_program(engine, 1)
    told = [
        Told("wang", NOON, utm=POSTER, number=1, authorizer_id=authorizer_id),
        Told("wang", NOON + DAY, utm=FLYER, number=2, authorizer_id=authorizer_id),
        Told("wang", NOON + 2 * DAY, number=3, authorizer_id=authorizer_id),
        Told("wang", NOON + 2 * DAY + 1000, "order_paid", number=4, authorizer_id=authorizer_id),
        Told("chen", NOON, number=5, authorizer_id=authorizer_id),
    ]
    world = World(codes, settings.zone)
    world.arrive(told)
    store(engine, told)
    roll_up(engine, settings=settings, now=NOW)
    return authorizer_id, appid, settings


def test_a_visitor_is_told_by_first_and_last_touch_visits_and_events(engine, wang):
    authorizer_id, appid, settings = wang
    question = parse({"appid": appid, "filters": [{"dimension": "utm_source", "op": "eq", "value": "poster"}]})
    with engine.connect() as connection:
        cell = parse_cell(question, {})
        crowd = who.crowd_behind(connection, authorizer_id, question, cell, settings=settings, now=NOW)
        found = who.people(connection, authorizer_id, crowd, page=0, settings=settings, now=NOW).as_json()
        person = found["result"][0]
        story = who.story(connection, authorizer_id, person["pseudonym"], page=0, settings=settings, now=NOW).as_json()

    assert (1, 0, 50) == (found["count"], found["page"], found["page_size"])
    assert "2026-11-15T09:30:00.000+00:00" == person["first_seen"]
    assert ("poster", "autumn") == (person["first_touch"]["utm_source"], person["first_touch"]["utm_campaign"])
    assert "flyer" == person["last_touch"]["utm_source"]
    assert "2026-11-16T09:30:00.000+00:00" == person["last_touch_at"]
    assert (3, 1) == (person["visits"], person["events"])
    told = [(one["event"], one["touch"]["utm_source"], one["touch_is_own"]) for one in story["timeline"]["result"]]

    assert [
        ("order_paid", "flyer", False),
        (None, "flyer", False),
        (None, "flyer", True),
        (None, "poster", True),
    ] == told
    assert person == {name: story[name] for name in person}
    assert hashlib.sha256(b"wang").hexdigest()[:32] not in str(story)


def test_a_pseudonym_is_short_stable_and_found_again(engine, wang):
    authorizer_id, _, _ = wang
    with engine.connect() as connection:
        for number, head in connection.execute(select(Visitor.id, Visitor.head)).all():
            pseudonym = pseudonym_of(head)

            assert 14 == len(pseudonym)
            assert number == visitor_named(connection, authorizer_id, pseudonym).id
            assert number == visitor_named(connection, authorizer_id, pseudonym.upper().replace("-", "")).id
        for nobody in ("", "0000-0000-0000", "x" * 40, "墙" * 12, "u" * 12):
            with pytest.raises(Missing):
                visitor_named(connection, authorizer_id, nobody)


def test_people_stand_page_by_page_the_newest_first(engine):
    settings = worlds.settings_in("UTC")
    authorizer_id, appid, _ = worlds.mini_program(engine, 1)
    store(engine, [Told(f"v{n}", NOON + n, number=n, authorizer_id=authorizer_id) for n in range(120)])
    roll_up(engine, settings=settings, now=NOW)
    question = parse({"appid": appid})
    with engine.connect() as connection:
        cell = parse_cell(question, {})
        crowd = who.crowd_behind(connection, authorizer_id, question, cell, settings=settings, now=NOW)
        pages = [
            who.people(connection, authorizer_id, crowd, page=page, settings=settings, now=NOW) for page in range(4)
        ]

    assert [50, 50, 20, 0] == [len(page.people) for page in pages]
    assert 120 == len({one.pseudonym for page in pages for one in page.people})
    assert {120} == {page.count for page in pages}


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({"metric": "visits"}, "metric", "unknown"),
        ({"row": []}, "row", "invalid"),
        ({"row": {"utm_medium": "x"}}, "row.utm_medium", "unknown_field"),
        ({"row": {"utm_source": 7}}, "row.utm_source", "invalid"),
        ({"row": {"day": "x" * 17}}, "row.day", "too_long"),
        ({"others": 1}, "others", "invalid"),
        ({"segment": "new"}, "segment", "unknown"),
        ({"page": 1}, "page", "unknown_field"),
    ],
)
def test_a_cell_that_is_not_in_the_answer_is_refused(sent, field, code):
    question = parse({"appid": "wx1", "dimensions": ["utm_source"], "granularity": "day"})
    with pytest.raises(InvalidInput) as refused:
        parse_cell(question, sent)

    assert (field, code) == (refused.value.field, refused.value.code)
