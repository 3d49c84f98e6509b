"""Numbers are kept while their days stay as they are, and never a moment longer."""

from __future__ import annotations

import random

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.orm import Session

from fab_minicode import upkeep
from fab_minicode.acquisition import aliases, erasure, query, segment_rules, segment_store
from fab_minicode.acquisition.accept import pseudonym_of
from fab_minicode.acquisition.kept import MAX_KEPT, MAX_ROWS, Kept, kept_of
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models import Authorizer, Base, Code
from tests import databases, stories
from tests.events import Told, store
from tests.shop import DAY, FLYER, NOW, POSTER, SETTINGS, THEN


def rolled(engine, *told):
    store(engine, told)
    roll_up_all(engine, settings=SETTINGS, now=NOW)


def answer(engine, **changed):
    asked = {"appid": stories.APPID, "metrics": ["users", "visits"], "dimensions": ["utm_source"]} | changed
    with engine.connect() as connection:
        return query.answer(connection, parse(asked), settings=SETTINGS, now=NOW)


def code_row(number, name):
    by = {f"{what}_by{end}": one for what in ("created", "changed") for end, one in (("_id", "7"), ("", "Wang Li"))}
    return Code(
        authorizer_id=1, name=name, kind="wxacode_unlimited", state="ready", search_text="", page="pages/a",
        landing_page="pages/a", short_key=f"key{number}", match_key="0" * 32, utm_source="poster",
        created_at=stories.NOW, changed_at=stories.NOW, **by,
    )  # fmt: skip


def users(engine, **changed):
    rows = answer(engine, **changed).counted.rows
    return {row["utm_source"]: row["users"] for row in rows}


def reads(engine, ask):
    """Return how often asking reads facts."""
    seen = []

    def note(_connection, _cursor, statement, *_):
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return sum("minicode_facts" in one or "minicode_fact_pages" in one for one in seen)


def test_what_was_counted_is_not_read_again(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER))
    first = reads(engine, lambda: users(engine))

    assert first > 0
    assert 0 == reads(engine, lambda: users(engine))
    assert {"poster": 1} == users(engine)


@pytest.mark.parametrize("changed", [
    {"metrics": ["users"]}, {"dimensions": ["utm_source", "landing_page"]}, {"attribution": "entry"}, {"limit": 1},
    {"granularity": "day"}, {"window": {"last_days": 14}}, {"segments": ["new"]}, {"segments": ["all", "new"]},
    {"filters": [{"dimension": "utm_source", "op": "eq", "value": "poster"}]},
    {"filters": [{"dimension": "utm_source", "op": "ne", "value": "poster"}]}, {"attribution": "first"},
])  # fmt: skip
def test_another_question_is_counted_itself(engine, shop, changed):
    rolled(engine, Told("a", THEN, utm=POSTER), Told("b", THEN, utm=FLYER), Told("b", THEN - 9 * DAY, number=2))
    users(engine)

    assert 0 < reads(engine, lambda: users(engine, **changed))
    kept = answer(engine, **changed).counted
    with engine.connect() as connection:
        kept_of(connection).clear()
    assert answer(engine, **changed).counted == kept


def test_an_event_of_one_of_the_days_is_in_the_next_answer(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER))

    assert {"poster": 1} == users(engine)
    rolled(engine, Told("b", THEN + 5, utm=POSTER), Told("c", THEN - 3 * DAY, utm=FLYER))
    assert {"poster": 2, "flyer": 1} == users(engine)


def test_an_event_of_another_day_leaves_what_is_kept(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER))
    users(engine)
    rolled(engine, Told("b", THEN - 20 * DAY, utm=FLYER), Told("d", int(NOW.timestamp() * 1000), utm=FLYER))

    assert 0 == reads(engine, lambda: users(engine))


def test_by_first_touch_earlier_days_matter_as_well(engine, shop):
    rolled(engine, Told("a", THEN - 10 * DAY, utm=POSTER), Told("a", THEN, number=2))

    assert {"poster": 1} == users(engine, attribution="first")
    rolled(engine, Told("a", THEN - 20 * DAY, utm=FLYER, number=3))
    assert {"flyer": 1} == users(engine, attribution="first")


def test_a_late_first_visit_takes_a_new_user_out_of_the_window(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER))

    assert 1 == answer(engine, metrics=["new_users"]).counted.totals["new_users"]
    rolled(engine, Told("a", THEN - 20 * DAY, utm=FLYER, number=2))
    assert 0 == answer(engine, metrics=["new_users"]).counted.totals["new_users"]


def test_a_comparison_shows_the_groups_of_now(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER), Told("b", THEN - 7 * DAY, utm=FLYER))
    for _ in range(2):
        compared = answer(engine, compare="previous")

        assert [("poster", 1)] == [(row["utm_source"], row["users"]) for row in compared.counted.rows]
        assert 1 == compared.previous.totals["users"]
        assert [] == [row for row in compared.previous.rows if row["users"]]


def test_the_headline_follows_its_days(engine, shop):
    def headline():
        with engine.connect() as connection:
            found = query.headline(connection, shop, settings=SETTINGS, now=NOW)
        return found.value, found.previous

    rolled(engine, Told("a", THEN, utm=POSTER))

    assert (1, 0) == headline()
    assert 0 == reads(engine, headline)
    rolled(engine, Told("b", THEN, utm=POSTER), Told("c", THEN - 7 * DAY, utm=POSTER))
    assert (2, 1) == headline()


def test_an_alias_and_its_end_count_at_once(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER), Told("b", THEN, utm=FLYER))
    before = users(engine)
    with Session(engine, future=True) as session:
        aliases.merge(session, 1, "utm_source", "flyer", "poster", actor=stories.WANG, now=NOW)
        session.commit()

    assert {"poster": 2} == users(engine)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM minicode_aliases"))
    assert before == users(engine) == {"poster": 1, "flyer": 1}


def test_an_erased_visitor_is_out_of_the_next_answer(engine, shop):
    gone = pseudonym_of(b"key", "phone")
    rolled(engine, Told("a", THEN, utm=POSTER), Told("b", THEN, utm=POSTER, pseudonym=gone))

    assert {"poster": 2} == users(engine)
    erasure.erase_visitor(engine, 1, gone, actor=stories.WANG, now=NOW)
    assert {"poster": 1} == users(engine)


def test_a_renamed_code_stands_where_its_new_name_belongs(engine, shop):
    with Session(engine, future=True) as session:
        session.add_all(code_row(number, name) for number, name in enumerate(("Anna", "Berta")))
        session.commit()
    rolled(engine, *(Told(f"v{number}", THEN, short_key=f"key{number}") for number in range(2)))

    def names():
        return [row["code"] for row in answer(engine, dimensions=["code"]).counted.rows]

    assert ["Anna", "Berta"] == names()
    with engine.begin() as connection:
        connection.execute(text("UPDATE minicode_codes SET name = 'Zoe' WHERE name = 'Anna'"))
    assert ["Berta", "Zoe"] == names()
    with engine.begin() as connection:
        connection.execute(text("UPDATE minicode_codes SET name = 'Ada' WHERE name = 'Berta'"))
    assert ["Ada", "Zoe"] == names()


@pytest.mark.parametrize("asked", [
    {"granularity": "hour", "window": {"last_days": 2}},
    {"segments": ["segment:1"]}, {"segments": ["all", "segment:1"]},
])  # fmt: skip
def test_hours_and_saved_segments_are_counted_every_time(engine, shop, asked):
    rule = segment_rules.parse({"conditions": [{"kind": "did"}]})
    with Session(engine, future=True) as session:
        program = session.execute(select(Authorizer)).scalar_one()
        assert 1 == segment_store.save(session, program, "Somebody", rule, actor=stories.WANG, now=NOW).id
        session.commit()
    rolled(engine, Told("a", THEN, utm=POSTER))
    answer(engine, **asked)

    assert 0 < len(answer(engine, **asked).counted.rows)
    with engine.connect() as connection:
        assert 0 == len(kept_of(connection))


def test_a_purge_leaves_what_is_counted(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER))
    before = users(engine)
    upkeep.purge(engine, retention_days=1, now=NOW)
    with engine.connect() as connection:
        assert 0 == connection.execute(text("SELECT count(*) FROM minicode_events")).scalar()
        assert 1 == len(kept_of(connection))
        kept_of(connection).clear()

    assert before == users(engine)


def test_a_filter_of_many_values_takes_no_more_room_than_one_of_few(engine, shop):
    rolled(engine, *(Told(f"v{n}", THEN + n, number=n, utm=(f"source-{n:04}", "", "", "", "")) for n in range(600)))
    asked = {"filters": [{"dimension": "utm_source", "op": "contains", "value": "source"}], "dimensions": []}

    assert 600 == answer(engine, **asked).counted.totals["users"]
    with engine.connect() as connection:
        assert {16} == {len(key) for key in kept_of(connection)._found}


def test_after_a_renaming_the_new_order_is_kept(engine, shop):
    with Session(engine, future=True) as session:
        session.add_all(code_row(number, name) for number, name in enumerate(("Anna", "Berta")))
        session.commit()
    rolled(engine, *(Told(f"v{number}", THEN, short_key=f"key{number}") for number in range(2)))
    answer(engine, dimensions=["code"])
    with engine.begin() as connection:
        connection.execute(text("UPDATE minicode_codes SET name = 'Zoe' WHERE name = 'Anna'"))

    assert 0 < reads(engine, lambda: answer(engine, dimensions=["code"]))
    assert 0 == reads(engine, lambda: answer(engine, dimensions=["code"]))


def test_what_is_rolled_back_is_in_no_answer(engine, shop):
    rolled(engine, Told("a", THEN, utm=POSTER))
    store(engine, [Told("b", THEN, utm=POSTER)])
    before = users(engine)

    class Stop(Exception):
        pass

    def stop(_connection):
        raise Stop

    event.listen(engine, "commit", stop)
    with pytest.raises(Stop):
        roll_up_all(engine, settings=SETTINGS, now=NOW)
    event.remove(engine, "commit", stop)

    assert before == users(engine)
    roll_up_all(engine, settings=SETTINGS, now=NOW)
    assert {"poster": 2} == users(engine)


def test_two_databases_keep_to_themselves(engine, shop, tmp_path):
    rolled(engine, Told("a", THEN, utm=POSTER))
    other = databases.engine_for(databases.fresh(engine.dialect.name, tmp_path))
    Base.metadata.create_all(other)
    with Session(other, future=True) as session:
        session.add(stories.authorizer())
        session.commit()
    rolled(other, Told("a", THEN, utm=FLYER), Told("b", THEN, utm=FLYER))
    with engine.connect() as one, other.begin() as two:
        # As if both had been written by chance at the same versions.
        days = one.execute(text("SELECT day, version FROM minicode_fact_days")).all()
        for day, version in days:
            two.execute(text(f"UPDATE minicode_fact_days SET version = {version} WHERE day = {day}"))

    assert ({"poster": 1}, {"flyer": 2}) == (users(engine), users(other))
    other.dispose()


@pytest.mark.parametrize("seed", range(6))
def test_kept_answers_equal_counted_ones_while_events_come(engine, shop, seed):
    chance = random.Random(seed)
    asked = [
        {}, {"granularity": "day"}, {"attribution": "first"}, {"attribution": "entry", "dimensions": []},
        {"segments": ["new", "returning"]}, {"metrics": ["new_users", "visits_per_user"], "compare": "previous"},
    ]  # fmt: skip
    for step in range(12):
        told = [
            Told(
                f"v{chance.randrange(8)}",
                THEN - chance.randrange(16) * DAY + chance.randrange(DAY),
                number=step * 10 + place,
                utm=chance.choice([POSTER, FLYER, ("", "", "", "", "")]),
            )
            for place in range(chance.randrange(1, 4))
        ]
        rolled(engine, *told)
        for one in chance.sample(asked, 3):
            kept = answer(engine, **one)
            with engine.connect() as connection:
                kept_of(connection).clear()
            fresh = answer(engine, **one)

            assert (fresh.counted, fresh.previous) == (kept.counted, kept.previous)


def test_the_longest_unused_goes_first():
    kept = Kept()
    for number in range(MAX_KEPT):
        kept.keep(number, str(number), 1)
    assert "0" == kept.get(0)
    kept.keep("one more", "!", 1)

    assert ("0", None, "!") == (kept.get(0), kept.get(1), kept.get("one more"))
    assert MAX_KEPT == len(kept)


def test_rows_are_bounded_and_what_is_too_long_is_not_kept():
    kept = Kept()
    kept.keep("a", "a", MAX_ROWS // 2)
    kept.keep("b", "b", MAX_ROWS // 2)
    kept.keep("a", "A", MAX_ROWS // 2)
    kept.keep("c", "c", MAX_ROWS // 2)

    assert ("A", None, "c") == (kept.get("a"), kept.get("b"), kept.get("c"))
    kept.keep("d", "d", MAX_ROWS + 1)
    assert (None, "A", "c") == (kept.get("d"), kept.get("a"), kept.get("c"))
