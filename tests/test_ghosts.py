"""Prints that no live code stands for: remembered, counted, given to a code."""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass, replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode import upkeep
from fab_minicode.acquisition import erasure, ghost_list, ghosts, query
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.acquisition.verify import verify
from fab_minicode.errors import Missing
from fab_minicode.models import AuditEntry, Code, Ghost
from fab_minicode.scene import compose_scene
from fab_minicode.trackers.entry import read_entry
from tests import worlds
from tests.events import Told, store
from tests.stories import WANG

NOW = dt.datetime(2026, 11, 20, 9, 30, tzinfo=dt.timezone.utc)
SETTINGS = worlds.settings_in("Asia/Shanghai")
THEN = int(NOW.timestamp() * 1000) - 2 * 86_400_000


@dataclass(frozen=True)
class Scanned(Told):
    """A visit with a scene that is none of ours."""

    other_scene: str = ""

    @property
    def entry(self):
        return f'{super().entry[:-1]}, "{self.other_scene}"]'


def rolled(engine, *batches):
    """Store and count batches."""
    for batch in batches:
        store(engine, batch)
        roll_up(engine, settings=SETTINGS, now=NOW)


@pytest.mark.parametrize(
    "query, expected",
    [
        ("scene=shop%3D3", "shop=3"),
        ("scene=shop=3", "shop=3"),
        ("scene=shop%253D3", "shop=3"),
        ("scene=c%3DAbcd2345", None),
        ("scene=", None),
        ("scene=" + "x" * 33, None),
        ("scene=%E6%B5%B7", None),
        ("utm_source=poster", None),
    ],
)
def test_a_scene_of_others_is_kept_as_its_print_carries_it(query, expected):
    entry = read_entry("pages/index/index", query, "1047")

    assert expected == entry.other_scene
    assert entry.stored.endswith(f',"{expected}"]' if expected else "]")


def test_scenes_that_no_code_has_are_remembered_with_their_pages(engine):
    owner, _, codes = worlds.mini_program(engine, 7)
    told = [
        Scanned("a", THEN, authorizer_id=owner, other_scene="shop=3"),
        Scanned("b", THEN + 1, authorizer_id=owner, other_scene="shop=3"),
        Scanned("b", THEN + 2, authorizer_id=owner, other_scene="shop=3", page="pages/other"),
        Told("c", THEN + 3, short_key="Nobody22", authorizer_id=owner),
        Told("c", THEN + 4, short_key=codes[3].short_key, authorizer_id=owner),
        Told("c", THEN + 5, authorizer_id=owner),
    ]
    rolled(engine, told[:1], told[1:])
    with Session(engine, future=True) as session:
        rows = session.execute(select(Ghost).order_by(Ghost.id)).scalars().all()
        found = [(row.scene, row.page, row.first_ms - THEN, row.last_ms - THEN) for row in rows]

    assert [
        ("shop=3", "pages/index/index", 0, 1),
        ("shop=3", "pages/other", 2, 2),
        ("c=Nobody22", "pages/index/index", 3, 3),
    ] == found
    assert [] == [one for day in verify(engine, settings=SETTINGS, now=NOW) for one in day.differences]


def test_a_stranger_cannot_fill_the_table(engine, monkeypatch):
    monkeypatch.setattr(ghosts, "MOST_GHOSTS", 5)
    owner, _, _ = worlds.mini_program(engine, 7)
    told = [Scanned("a", THEN + n, authorizer_id=owner, other_scene=f"n={n}", number=n) for n in range(9)]
    rolled(engine, told[:3], told[3:])
    with Session(engine, future=True) as session:
        scenes = session.execute(select(Ghost.scene).order_by(Ghost.id)).scalars().all()

    assert [f"n={n}" for n in range(5)] == scenes


# ---------------------------------------------------------------------------------------------------- list and adoption


def ghosts_of(engine, owner):
    """What the page lists, shortly: (kind, page, scene or source, visits, users)."""
    today = NOW.astimezone(SETTINGS.zone).date()
    with engine.connect() as connection:
        found = ghost_list.found(connection, owner, today=today, zone=SETTINGS.zone)
    return [(one.kind, one.page, one.scene or one.utm.source, one.visits, one.users) for one in found]


def by_code(engine, appid):
    """Code -> visits, source -> visits."""
    asked = {"appid": appid, "metrics": ["visits"], "window": {"last_days": 7}, "dimensions": ["code", "utm_source"]}
    with engine.connect() as connection:
        rows = query.answer(connection, parse(asked), settings=SETTINGS, now=NOW).as_json()["rows"]
    return {(row["code"], row["utm_source"]): row["visits"] for row in rows}


def test_scenes_deleted_codes_and_unknown_values_are_listed_with_their_counts(engine):
    owner, _, codes = worlds.mini_program(engine, 7)
    home = "pages/index/index"
    with Session(engine, future=True) as session:
        session.get(Code, codes[3].id).deleted_at = NOW
        session.commit()
    told = [
        *(Scanned(f"v{n % 2}", THEN + n, authorizer_id=owner, other_scene="shop=3", number=n) for n in range(5)),
        *(Told(f"v{n}", THEN + 10 + n, authorizer_id=owner, short_key=codes[3].short_key) for n in range(3)),
        Told("a", THEN + 20, authorizer_id=owner, utm=("radio", "spot", "", "", "")),
        Told("b", THEN + 21, authorizer_id=owner, utm=codes[0].utm),
        Told("c", THEN + 22, authorizer_id=owner, utm=codes[0].utm, match_key=codes[0].match_key),
        Scanned("z", THEN - 40 * 86_400_000, authorizer_id=owner, other_scene="long=ago"),
    ]
    rolled(engine, told)

    assert [
        ("scene", home, "shop=3", 5, 2),
        ("deleted", home, "gate", 3, 3),
        ("values", home, "radio", 1, 1),
    ] == ghosts_of(engine, owner)


def test_an_adopted_scene_counts_for_its_code_from_then_on(engine):
    owner, appid, codes = worlds.mini_program(engine, 7)
    scanned = [Scanned("a", THEN + n, authorizer_id=owner, other_scene="shop=3", number=n) for n in range(3)]
    rolled(engine, scanned[:1])
    with Session(engine, future=True) as session:
        ghost = session.execute(select(Ghost)).scalar_one()
        ghost_list.adopt_scene(session, ghost, session.get(Code, codes[3].id), actor=WANG, now=NOW)
        session.commit()

        assert "adopted" == session.execute(select(AuditEntry.action)).scalar_one()
        with pytest.raises(Missing):
            ghost_list.adopt_scene(session, ghost, session.get(Code, codes[0].id), actor=WANG, now=NOW)
    rolled(engine, scanned[1:], [replace(scanned[0], page="pages/other", number=9)])

    assert {("Gate", "gate"): 2, (None, None): 2} == by_code(engine, appid)
    assert [("scene", "pages/other", "shop=3", 1, 1)] == ghosts_of(engine, owner)
    assert [] == [one for day in verify(engine, settings=SETTINGS, now=NOW) for one in day.differences]


def test_a_code_that_follows_a_deleted_one_takes_over_its_scenes(engine):
    owner, appid, codes = worlds.mini_program(engine, 7)
    gate, new, last = (code.id for code in (codes[3], codes[0], codes[1]))

    def visit(number):
        return Told("a", THEN + number, authorizer_id=owner, short_key=codes[3].short_key, number=number)

    rolled(engine, [visit(1)])
    with Session(engine, future=True) as session:
        session.get(Code, gate).scene = compose_scene(codes[3].short_key)
        with pytest.raises(Missing):
            ghost_list.adopt_deleted(session, session.get(Code, gate), session.get(Code, new), actor=WANG, now=NOW)
        for old, following in ((gate, new), (new, last)):
            session.get(Code, old).deleted_at = NOW
            session.flush()
            heir = session.get(Code, following)
            ghost_list.adopt_deleted(session, session.get(Code, old), heir, actor=WANG, now=NOW)
        session.commit()
    rolled(engine, [visit(2), visit(3)])

    assert {("Gate", "gate"): 1, ("C", "poster"): 2} == by_code(engine, appid)
    assert [] == [one for day in verify(engine, settings=SETTINGS, now=NOW) for one in day.differences]


def test_a_scene_that_is_taken_back_is_nobodys_from_then_on(engine):
    owner, appid, codes = worlds.mini_program(engine, 7)
    # Who came by the adopted scene keeps it as last touch: somebody else comes afterwards.
    scanned = [Scanned("aaabbb"[n], THEN + n, authorizer_id=owner, other_scene="shop=3", number=n) for n in range(6)]
    rolled(engine, scanned[:1])
    with Session(engine, future=True) as session:
        ghost = session.execute(select(Ghost)).scalar_one()
        gate, other = (session.get(Code, code.id) for code in (codes[3], codes[0]))
        ghost_list.adopt_scene(session, ghost, gate, actor=WANG, now=NOW)
        session.commit()
        rolled(engine, scanned[1:3])
        for code, number in ((other, ghost.id), (gate, ghost.id + 1)):
            with pytest.raises(Missing):
                ghost_list.release_scene(session, code, number, actor=WANG, now=NOW)
        number = ghost.id

        assert [number] == [one.id for one in ghost_list.adopted_by(session, gate)]
        ghost_list.release_scene(session, gate, number, actor=WANG, now=NOW)
        session.commit()
        assert [] == ghost_list.adopted_by(session, gate)
        assert ["adopted", "released"] == session.execute(select(AuditEntry.action)).scalars().all()
    rolled(engine, scanned[3:])

    assert {("Gate", "gate"): 2, (None, None): 4} == by_code(engine, appid)
    assert [("scene", "pages/index/index", "shop=3", 4, 2)] == ghosts_of(engine, owner)
    assert [] == [one for day in verify(engine, settings=SETTINGS, now=NOW) for one in day.differences]
    with Session(engine, future=True) as session:
        again = ghost_list.ghost_of(session, number)
        ghost_list.adopt_scene(session, again, session.get(Code, codes[0].id), actor=WANG, now=NOW)
        session.commit()


def test_the_scene_of_a_deleted_code_is_its_own_again_when_its_heir_gives_it_back(engine):
    owner, appid, codes = worlds.mini_program(engine, 7)
    old, new = codes[3].id, codes[0].id
    visits = [
        Told("a", THEN + n, authorizer_id=owner, short_key=codes[3].short_key, number=n) for n in range(1, 6)
    ]  # fmt: skip
    with Session(engine, future=True) as session:
        deleted, heir = session.get(Code, old), session.get(Code, new)
        deleted.scene, deleted.deleted_at = compose_scene(codes[3].short_key), NOW
        session.flush()
        ghost_list.adopt_deleted(session, deleted, heir, actor=WANG, now=NOW)
        session.commit()
        rolled(engine, visits[:2])
        ghost_list.release_scene(session, heir, -old, actor=WANG, now=NOW)
        session.commit()
        rolled(engine, visits[2:])
        assert {("A", "poster"): 2, ("Gate", "gate"): 3} == by_code(engine, appid)
        ghost_list.adopt_deleted(session, deleted, heir, actor=WANG, now=NOW)
        session.commit()


def test_old_scenes_are_forgotten_with_their_facts_and_adopted_ones_stay(engine):
    owner, _, codes = worlds.mini_program(engine, 7)
    told = [Scanned("a", THEN + n, authorizer_id=owner, other_scene=f"n={n}", number=n) for n in range(3)]
    rolled(engine, told)
    with Session(engine, future=True) as session:
        first = session.execute(select(Ghost).order_by(Ghost.id)).scalars().first()
        ghost_list.adopt_scene(session, first, session.get(Code, codes[0].id), actor=WANG, now=NOW)
        session.commit()
    upkeep.purge(engine, retention_days=180, now=NOW + dt.timedelta(days=60))
    with Session(engine, future=True) as session:
        left = session.execute(select(Ghost.scene)).scalars().all()

    assert ["n=0"] == left
    assert [] == ghosts_of(engine, owner)


def test_whoever_is_erased_is_no_ghosts_visitor_either(engine):
    owner, _, _ = worlds.mini_program(engine, 7)
    told = [Scanned(who, THEN + n, authorizer_id=owner, other_scene="shop=3", number=n) for n, who in enumerate("aab")]
    rolled(engine, told)
    whom = hashlib.sha256(b"a").digest()[:16]
    with engine.connect() as connection:
        counted = erasure.export_visitor(connection, owner, whom)["counted_in"]

    assert [2] == [row["times"] for row in counted if row["dimension"] == "ghost"]

    erasure.erase_visitor(engine, owner, whom, actor=WANG, now=NOW)

    assert [("scene", "pages/index/index", "shop=3", 1, 1)] == ghosts_of(engine, owner)
    assert [] == [one for day in verify(engine, settings=SETTINGS, now=NOW) for one in day.differences]
