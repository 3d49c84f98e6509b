"""Merging values: flattened, never in a circle, undone for the past as well; near-duplicates suggested with counts."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode.acquisition import aliases
from fab_minicode.acquisition.aliases import Usage
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Alias, AuditEntry, Authorizer
from tests import stories, worlds
from tests.events import Told, store
from tests.stories import NOW, WANG

SETTINGS = worlds.settings_in("Asia/Shanghai")
TODAY = NOW.astimezone(SETTINGS.zone).date()
THEN = int((NOW - dt.timedelta(days=2)).timestamp() * 1000)


@pytest.fixture
def shop(session):
    """The id of a mini program."""
    row = stories.authorizer()
    session.add(row)
    session.commit()
    return row.id


def merge(session, shop, value, target, dimension="utm_source"):
    """Merge and commit."""
    row = aliases.merge(session, shop, dimension, value, target, actor=WANG, now=NOW)
    session.commit()
    return row


def stored(session):
    """Value -> target."""
    return dict(session.execute(select(Alias.value, Alias.target)).all())


def test_a_chain_is_flattened_whichever_end_came_first(session, shop):
    merge(session, shop, "b", "c")
    merge(session, shop, "a", "b")
    merge(session, shop, "c", "d")

    assert {"a": "d", "b": "d", "c": "d"} == stored(session)


@pytest.mark.parametrize(
    "words, dimension, expected",
    [
        (("x", "x"), "utm_source", ("target", "same_value")),
        (("x", " x "), "utm_source", ("target", "same_value")),
        (("b", "a"), "utm_source", ("target", "circle")),
        (("a", "z"), "utm_source", ("value", "merged_before")),
        (("", "z"), "utm_source", ("value", "required")),
        (("z", " "), "utm_source", ("target", "required")),
        (("z", "y" * 257), "utm_source", ("target", "too_long")),
        (("z\x00", "y"), "utm_source", ("value", "control_character")),
        (("z", "y"), "landing_page", ("dimension", "unknown")),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_field(session, shop, words, dimension, expected):
    merge(session, shop, "a", "b")
    with pytest.raises(InvalidInput) as refused:
        aliases.merge(session, shop, dimension, *words, actor=WANG, now=NOW)

    assert expected == (refused.value.field, refused.value.code)


def test_a_circle_by_a_detour_is_refused(session, shop):
    merge(session, shop, "a", "b")
    merge(session, shop, "b", "c")
    for target in ("a", "b"):
        with pytest.raises(InvalidInput) as refused:
            aliases.merge(session, shop, "utm_source", "c", target, actor=WANG, now=NOW)

        assert "circle" == refused.value.code


def test_dimensions_and_mini_programs_have_words_of_their_own(session, shop):
    other = stories.authorizer("wx00000000000000aa")
    session.add(other)
    session.commit()
    merge(session, shop, "a", "b")
    merge(session, shop, "b", "a", "utm_medium")
    merge(session, other.id, "b", "a")

    assert [("utm_medium", "b", "a"), ("utm_source", "a", "b")] == [
        (row.dimension, row.value, row.target) for row in aliases.listed(session, shop)
    ]


def test_undoing_takes_the_row_away_and_both_stand_in_the_audit(session, shop):
    row = merge(session, shop, "a", "b")
    aliases.undo(session, aliases.alias_of(session, row.id), actor=WANG, now=NOW)
    session.commit()

    assert {} == stored(session)
    assert ["merged", "undone"] == list(
        session.execute(select(AuditEntry.action).where(AuditEntry.subject_type == "alias")).scalars()
    )
    with pytest.raises(Missing):
        aliases.alias_of(session, row.id)


def test_near_duplicates_are_suggested_with_their_counts(engine, session, shop):
    sources = ["Weixin"] * 5 + ["weixin"] * 3 + ["poster-01", "poster-02", "Wei xin"]
    told = [Told(f"v{n % 2}", THEN + n, utm=(one, "", "", "", ""), number=n) for n, one in enumerate(sources)]
    long_ago = Told("x", THEN - 40 * 86_400_000, utm=("WEIXIN", "", "", "", ""))
    store(engine, [*told, long_ago])
    roll_up(engine, settings=SETTINGS, now=NOW)
    with engine.connect() as connection:
        found = aliases.suggestions(connection, shop, today=TODAY)

    assert [("weixin", Usage(3, 2)), ("Wei xin", Usage(1, 1))] == [(one.value, one.usage) for one in found]
    assert {("utm_source", "Weixin", "spelling", Usage(5, 2))} == {
        (one.dimension, one.target, one.reason, one.target_usage) for one in found
    }

    merge(session, shop, "weixin", "Weixin")
    with engine.connect() as connection:
        found = aliases.suggestions(connection, shop, today=TODAY)

    assert ["Wei xin"] == [one.value for one in found]


def test_a_mini_program_has_no_end_of_aliases(session, shop, monkeypatch):
    monkeypatch.setattr(aliases, "MOST_ALIASES", 2)
    merge(session, shop, "a", "z")
    merge(session, shop, "b", "z")
    with pytest.raises(InvalidInput) as refused:
        merge(session, shop, "c", "z")

    assert ("too_many_aliases", 2) == (refused.value.code, refused.value.limit)
    assert session.execute(select(Authorizer.id)).scalar() == shop


def test_two_who_merge_at_once_make_no_circle(engine, shop):
    with Session(engine, future=True) as one, Session(engine, future=True) as other:
        merge(one, shop, "a", "b")
        with pytest.raises(InvalidInput):
            merge(other, shop, "b", "a")
