"""
Who is behind the numbers of funnels and retentions: in random worlds exactly whom the number counts, on both databases.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import os
import random

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from fab_minicode.acquisition import behind, funnel, journey_cell, retention, segments
from fab_minicode.acquisition import funnel_question as funnels
from fab_minicode.acquisition import retention_question as retentions
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.acquisition.segment_rules import parse
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer, Visitor
from fab_minicode.models.vocabulary import Alias
from tests import worlds
from tests.events import Told, store
from tests.recount_visitors import People
from tests.test_funnel_retention import recounted, scope, united
from tests.test_numbers import NOW, SEED, counted_world

ASKED = int(os.environ.get("MINICODE_FUNNELS", "30"))
PER_WORLD = 10
MOST = 8
"""Numbers of one answer that are looked behind."""


class Clicking:
    """One world, and who is behind the numbers of its answers."""

    def __init__(self, engine, number):
        self.engine, self.chance = engine, random.Random(number)
        self.appid, self.codes, self.settings, self.world = counted_world(engine, self.chance, number)
        with engine.connect() as connection:
            row = select(Authorizer.id).where(Authorizer.appid == self.appid)
            self.program = connection.execute(row).scalar()
        self.world.aliases.update(worlds.aliases(engine, self.chance, self.program))
        self.saved = worlds.segments(engine, self.program)

    def scope(self):
        asked = scope(self.chance, self.appid, self.codes, self.settings.zone)
        return {**asked, "segment": self.chance.choice((asked["segment"], asked["segment"], *self.saved))}

    def answer(self, count, question):
        with self.engine.connect() as connection:
            return count(connection, self.program, question, settings=self.settings, now=NOW).as_json()

    def people(self, sent):
        """Who is behind a number, named as REST does; the same as a segment, None if there is no such segment."""
        number = behind.parse(sent)
        with self.engine.connect() as connection:
            crowd = number.crowd(connection, self.program, settings=self.settings, now=NOW)
            try:
                rule = number.rule(
                    {name: parse(one) for name, one in self.saved.items()}, now=NOW, zone=self.settings.zone
                )
            except InvalidInput:
                return crowd, None
            return crowd, segments.crowd_of(connection, self.program, rule, settings=self.settings, now=NOW).crowd

    def names(self, crowd):
        """The visitors of a bitmap as the world calls them."""
        with self.engine.connect() as connection:
            heads = dict(connection.execute(select(Visitor.id, Visitor.head)).all())
        found = {heads[number] for number in crowd}
        return {event.visitor for event in self.world.last if _head(event.visitor) in found}


def _head(name):
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)


def address_of(number, row, **place):
    """The same number, read from the address that leads to it."""
    module = funnels if number.kind == behind.FUNNEL else retentions
    args = {**module.to_args(number.question), **journey_cell.row_to_args(number.question.scope, row), **place}
    return behind.from_args(MultiDict({"kind": number.kind, **args}))


WORLDS = range(SEED, SEED + max(1, ASKED // PER_WORLD))


def lines(answer):
    """The lines of an answer: what names each of them, and its numbers."""
    yield {}, answer["totals"]
    yield from (({"row": row}, row) for row in answer["rows"])
    if answer["others"]:
        yield {"others": True}, answer["others"]


@pytest.mark.parametrize("number", WORLDS)
def test_as_many_people_are_behind_a_step_of_a_funnel_as_it_says(engine, number):
    here = Clicking(engine, number)
    for _ in range(PER_WORLD):
        some = ["visit", "visit", *({"event": name} for name in worlds.EVENTS)]
        steps = here.chance.choices(some, k=here.chance.choice((2, 3, 4)))
        asked = {**here.scope(), "steps": steps, "within_days": here.chance.choice((1, 7, 30))}
        found = list(lines(here.answer(funnel.count, funnels.parse(asked))))
        for place, numbers in here.chance.sample(found, min(MOST, len(found))):
            users = [step["users"] for step in numbers["steps"]]
            took = [here.people({"funnel": asked, "cell": {**place, "step": n}}) for n in range(1, len(steps) + 1)]
            lost = [here.people({"funnel": asked, "cell": {**place, "lost_after": n}}) for n in range(1, len(steps))]

            assert users == [len(crowd) for crowd, _ in took], (asked, place)
            for before, (gone, segment), after in zip(took[:-1], lost, took[1:], strict=True):
                assert before[0] - after[0] == gone, (asked, place)
                assert segment is None
            assert [place != {}] + [True] * (len(steps) - 1) == [segment is None for _, segment in took]
            assert took[0][1] in (None, took[0][0]), (asked, place)


@pytest.mark.parametrize("number", WORLDS)
def test_the_people_behind_a_retention_are_those_whom_a_recount_finds(engine, number):
    here = Clicking(engine, number)
    people = People(here.world, NOW)
    people.recount.segments.update({name: people.segment(rule) for name, rule in here.saved.items()})
    for _ in range(PER_WORLD):
        asked = {
            **here.scope(),
            "start": here.chance.choice(("first_visit", "visit")),
            "return": here.chance.choice(("visit", {"event": "order_paid"})),
            "days": here.chance.choice((1, 7)),
        }
        answer = here.answer(retention.count, retentions.parse(asked))
        starts = people.retention(asked)

        assert recounted(here.world, people, asked)[1] == answer["totals"]
        whose = here.names(here.people({"retention": asked})[0])
        assert {one for days in united(starts.values()).values() for one in days} == whose, asked
        found = list(lines(answer))
        for place, numbers in here.chance.sample(found, min(MOST, len(found))):
            check(here, asked, place, numbers)


def check(here, asked, place, numbers):
    """A line's numbers count people, each once; where several days stand together, once for each day of the start."""
    started, segment = here.people({"retention": asked, "cell": place})
    is_each_once = asked["start"] == "first_visit" or "day" in place.get("row", {})

    assert len(started) == numbers["starts"] if is_each_once else 0 <= len(started) <= numbers["starts"], asked
    assert bool(started) is bool(numbers["starts"])
    assert ("others" in place) is (segment is None)
    assert segment in (None, started), (asked, place)
    for after, cell in enumerate(numbers["returned"], 1):
        back, segment = here.people({"retention": asked, "cell": {**place, "returned": after}})
        users = cell["users"] if cell else 0

        assert len(back) == users if is_each_once else 0 <= len(back) <= users, (asked, place, after)
        assert bool(back) is bool(users)
        assert back <= started
        assert segment in (None, back), (asked, place, after)
        assert segment is not None or "row" not in place or "day" not in place["row"] or cell is None


@pytest.mark.parametrize("number", WORLDS)
def test_an_address_names_the_number_that_was_clicked(engine, number):
    here = Clicking(engine, number)
    for _ in range(PER_WORLD):
        steps = {**here.scope(), "steps": ["visit", {"event": "order_paid"}]}
        for place, _ in lines(here.answer(funnel.count, funnels.parse(steps))):
            others = {"others": "1"} if "others" in place else {}
            one = behind.parse({"funnel": steps, "cell": {**place, "step": 2}})

            assert one == address_of(one, place.get("row"), took="2", **others)
        days = {**here.scope(), "start": "visit", "days": 7}
        for place, _ in lines(here.answer(retention.count, retentions.parse(days))):
            others = {"others": "1"} if "others" in place else {}
            one = behind.parse({"retention": days, "cell": {**place, "returned": 3}})

            assert one == address_of(one, place.get("row"), back="3", **others)


def test_a_group_that_several_values_count_as_is_behind_its_number_although_nobody_carried_its_name(engine):
    settings = worlds.settings_in("UTC")
    program, appid, _ = worlds.mini_program(engine, 1)
    at = int(NOW.timestamp() * 1000) - 5 * 86_400_000
    carried = [("wang", "poster"), ("chen", "Poster"), ("li", "flyer")]
    told = [
        Told(name, at + place, utm=(source, "", "", "", ""), number=place, authorizer_id=program)
        for place, (name, source) in enumerate(carried)
    ]
    store(engine, told)
    roll_up(engine, settings=settings, now=NOW)
    with Session(engine) as session:
        by = {f"{what}_{name}": value for what in ("created", "changed") for name, value in worlds._BY.items()}
        for value in ("poster", "Poster"):
            alias = Alias(authorizer_id=program, dimension="utm_source", value=value, target="Print", **by)
            session.add(alias)
        session.commit()
    asked = {"appid": appid, "steps": ["visit", "visit"], "dimensions": ["utm_source"], "limit": 1}
    with engine.connect() as connection:
        rows = funnel.count(connection, program, funnels.parse(asked), settings=settings, now=NOW).as_json()["rows"]
        number = behind.parse({"funnel": asked, "cell": {"row": rows[0]}})
        print_people = number.crowd(connection, program, settings=settings, now=NOW)
        left = behind.parse({"funnel": asked, "cell": {"others": True}}).crowd(
            connection, program, settings=settings, now=NOW
        )

    assert ["Print"] == [row["utm_source"] for row in rows]
    assert (2, 1) == (len(print_people), len(left))
    assert not print_people & left


FUNNEL = {"funnel": {"appid": "wx1", "steps": ["visit", {"event": "order_paid"}]}}
SPLIT = {"funnel": {**FUNNEL["funnel"], "dimensions": ["utm_source"]}}
RETENTION = {"retention": {"appid": "wx1", "days": 7}}


@pytest.mark.parametrize(
    ("sent", "field", "code"),
    [
        ({**FUNNEL, "cell": {"step": 3}}, "cell.step", "out_of_range"),
        ({**FUNNEL, "cell": {"step": "2"}}, "cell.step", "invalid"),
        ({**FUNNEL, "cell": {"lost_after": 2}}, "cell.lost_after", "out_of_range"),
        ({**FUNNEL, "cell": {"step": 1, "lost_after": 1}}, "cell.step", "not_wanted"),
        ({**FUNNEL, "cell": {"returned": 1}}, "cell.returned", "unknown_field"),
        ({**FUNNEL, "cell": {"others": True}}, "cell.others", "not_wanted"),
        ({**FUNNEL, "cell": {"row": {"day": "2026-11-20"}}}, "cell.row.day", "unknown_field"),
        ({**FUNNEL, "cell": []}, "cell", "invalid"),
        ({**FUNNEL, "metric": "users"}, "metric", "unknown_field"),
        ({**SPLIT, "cell": {"others": 1}}, "cell.others", "invalid"),
        ({**SPLIT, "cell": {"others": True, "row": {}}}, "cell.others", "not_wanted"),
        ({**SPLIT, "cell": {"row": "poster"}}, "cell.row", "invalid"),
        ({**SPLIT, "cell": {"row": {"utm_source": 7}}}, "cell.row.utm_source", "invalid"),
        ({**RETENTION, "cell": {"returned": 8}}, "cell.returned", "out_of_range"),
        ({**RETENTION, "cell": {"row": {}}}, "cell.row.day", "invalid"),
        ({**RETENTION, "cell": {"row": {"day": "yesterday"}}}, "cell.row.day", "invalid"),
        ({**RETENTION, **FUNNEL}, "retention", "unknown_field"),
    ],
)
def test_a_number_that_is_not_in_the_answer_is_refused_by_the_name_of_its_field(sent, field, code):
    with pytest.raises(InvalidInput) as refused:
        behind.parse(sent)

    assert (field, code) == (refused.value.field, refused.value.code)


@pytest.mark.parametrize(
    ("args", "field"),
    [
        ({"kind": "heatmap"}, "kind"),
        ({"kind": "funnel", "took": "x"}, "cell.step"),
        ({"kind": "funnel", "took": "1", "by": "utm_source", "row": "utm_source:ne:poster"}, "cell.row"),
        ({"kind": "funnel", "took": "1", "by": "utm_source", "row": "utm_medium:eq:x"}, "cell.row.utm_medium"),
        ({"kind": "retention", "day": "x"}, "cell.row.day"),
    ],
)
def test_an_address_that_names_no_number_is_refused(args, field):
    with pytest.raises(InvalidInput) as refused:
        behind.from_args(MultiDict([("appid", "wx1"), ("step", "visit"), ("step", "visit"), *args.items()]))

    assert field == refused.value.field


def test_who_comes_back_on_a_day_that_is_not_over_is_no_segment_yet():
    day = (NOW - dt.timedelta(days=2)).date().isoformat()
    sent = {"retention": {"appid": "wx1", "window": {"since": day, "until": day}}}
    over, open_ = ({**sent, "cell": {"row": {"day": day}, "returned": after}} for after in (1, 2))
    zone = worlds.settings_in("UTC").zone
    rule = behind.parse(over).rule({}, now=NOW, zone=zone)
    with pytest.raises(InvalidInput) as refused:
        behind.parse(open_).rule({}, now=NOW, zone=zone)

    assert ["new", "did"] == [one.kind for one in rule.conditions]
    assert "not_a_segment" == refused.value.code
