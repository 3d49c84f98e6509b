"""Planning, renaming and deleting codes, and the quota ledger, on both databases."""

import datetime as dt
import threading

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fab_minicode import codes
from fab_minicode.errors import InvalidInput, Missing, NameTaken, NotAuthorized, QuotaUsedUp
from fab_minicode.kinds import Options
from fab_minicode.models import Authorizer, Code, CodeHistory
from fab_minicode.scene import compose_scene
from fab_minicode.utm import Utm, match_key
from tests.stories import APPID, CHEN, NOW, WANG, authorizer, draft

LATER = NOW + dt.timedelta(hours=1)


@pytest.fixture
def shop(session):
    row = authorizer()
    session.add(row)
    session.commit()
    return row


def planned(session, **changed):
    return codes.plan(session, draft(**changed), actor=WANG, now=NOW)


def used(session):
    return codes.quota(session, APPID).used


def history(session, code):
    rows = session.execute(select(CodeHistory).where(CodeHistory.code_id == code.id).order_by(CodeHistory.id)).scalars()
    return [(row.action, row.at, row.by_id, row.by, row.detail) for row in rows]


def test_a_planned_code_is_a_visible_row_with_the_exact_path(session, shop):
    code = planned(session, name=" 海报 1 ", utm=Utm("微信", "100% & more"), remark="by the door")
    session.commit()
    code = session.execute(select(Code)).scalar_one()

    assert "planned" == code.state
    assert "海报 1" == code.name
    assert "pages/index/index?shop=3&utm_source=微信&utm_campaign=100%25%20%26%20more" == code.path
    assert len(code.path.encode()) == code.path_bytes
    assert ("pages/index/index", None) == (code.page, code.scene)
    assert match_key("pages/index/index", "shop=3", Utm("微信", "100% & more")) == code.match_key
    assert (NOW, "7", "Wang Li") == (code.created_at, code.created_by_id, code.created_by)
    assert (NOW, "7", "Wang Li") == (code.changed_at, code.changed_by_id, code.changed_by)
    assert [("created", NOW, "7", "Wang Li", "")] == history(session, code)
    assert 1 == used(session)


def test_a_code_of_interface_b_carries_its_key_in_the_scene_and_costs_no_quota(session, shop):
    code = planned(session, kind="wxacode_unlimited", landing_page="pages/index/index")

    assert (None, None, compose_scene(code.short_key), "") == (code.path, code.path_bytes, code.scene, code.match_key)
    assert 0 == used(session)


def test_a_code_is_asked_for_as_it_was_planned(session, shop):
    options = Options(640, line_color="#a0b1c2", is_hyaline=True)
    code = planned(session, options=options, utm=Utm("s", "c", "m", "n", "t"))

    plan = codes.plan_of(code)

    assert (code.landing_page, Utm("s", "c", "m", "n", "t"), options) == (plan.landing_page, plan.utm, plan.options)


def test_a_name_is_taken_while_its_code_lives(session, shop):
    code = planned(session, name="Poster")
    session.commit()
    with pytest.raises(NameTaken):
        planned(session, name="Poster ")

    assert 1 == used(session)

    codes.delete(session, code, actor=WANG, now=LATER)

    assert "Poster" == planned(session, name="Poster").name


def test_the_same_name_may_stand_in_two_mini_programs(session, shop):
    session.add(authorizer("wx2"))
    planned(session, name="Poster")

    assert "Poster" == planned(session, name="Poster", appid="wx2").name


def racing(engine, act):
    """Start ``act(session)`` in a thread and wait until it stands before the other session's lock."""
    errors = []

    def run():
        with Session(engine, future=True) as loser:
            try:
                act(loser)
            except NameTaken as error:
                errors.append(error)
            loser.commit()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(0.3)

    assert thread.is_alive(), "the second did not wait for the first"
    return thread, errors


def test_who_loses_the_race_for_a_name_gets_its_reservation_back(engine, session, shop):
    planned(session, name="Poster")
    thread, errors = racing(engine, lambda loser: planned(loser, name="Poster"))
    session.commit()
    thread.join()

    assert 1 == len(errors)
    assert 1 == used(session)
    assert 1 == session.execute(select(func.count()).select_from(Code)).scalar_one()


def test_a_short_key_that_exists_is_minted_again(session, shop, monkeypatch):
    first = planned(session, name="one").short_key
    keys = iter([first, "fresh123"])
    monkeypatch.setattr(codes, "mint_key", lambda: next(keys))

    assert "fresh123" == planned(session, name="two").short_key
    assert 2 == used(session)


def test_an_unknown_mini_program_is_a_wrong_field(session):
    with pytest.raises(InvalidInput) as caught:
        planned(session, appid="wx-unknown")

    assert ("appid", "unknown") == (caught.value.field, caught.value.code)


@pytest.mark.parametrize("status", ["not_authorized", "revoked"])
@pytest.mark.parametrize("kind", ["wxacode", "wxacode_unlimited"])
def test_a_mini_program_must_be_authorised(session, status, kind):
    session.add(authorizer(status=status))
    with pytest.raises(NotAuthorized):
        planned(session, kind=kind, landing_page="pages/index/index")

    assert 0 == used(session)


def test_the_last_code_of_the_quota_is_made_and_no_further_one(session):
    session.add(authorizer(quota_used=99_999))
    planned(session, name="last")
    with pytest.raises(QuotaUsedUp) as caught:
        planned(session, name="one too many")

    assert (100_000, 100_000) == (caught.value.used, caught.value.limit)
    assert "no limit" == planned(session, name="no limit", kind="wxacode_unlimited", landing_page="pages/a").name
    assert codes.Quota(100_000, 100_000) == codes.quota(session, APPID)


def test_the_quota_of_an_unknown_mini_program_is_missing(session):
    with pytest.raises(Missing):
        codes.quota(session, "wx-unknown")


def test_rename_changes_the_name_only(session, shop):
    code = planned(session, name="old")
    session.commit()
    before = {c.name: getattr(code, c.name) for c in Code.__table__.columns}
    codes.rename(session, code, " new ", actor=CHEN, now=LATER)
    session.commit()
    after = {c.name: getattr(code, c.name) for c in Code.__table__.columns}

    changed = {name: value for name, value in after.items() if before[name] != value}
    assert {
        "name": "new",
        "search_text": "new\nwang li",
        "changed_at": LATER,
        "changed_by_id": "8",
        "changed_by": "Chen Jun",
    } == changed
    assert ("renamed", LATER, "8", "Chen Jun", "old → new") == history(session, code)[-1]


def test_rename_to_the_same_name_changes_nothing(session, shop):
    code = planned(session, name="same")
    codes.rename(session, code, "same", actor=CHEN, now=LATER)

    assert NOW == code.changed_at
    assert 1 == len(history(session, code))


def test_rename_refuses_a_taken_name_and_a_bad_one(session, shop):
    planned(session, name="taken")
    code = planned(session, name="mine")
    with pytest.raises(NameTaken):
        codes.rename(session, code, "taken", actor=WANG, now=LATER)
    with pytest.raises(InvalidInput):
        codes.rename(session, code, "n" * 51, actor=WANG, now=LATER)

    assert "mine" == code.name


def test_who_loses_the_race_for_a_new_name_is_told_so(engine, session, shop):
    first, second = planned(session, name="one"), planned(session, name="two")
    session.commit()
    second_id = second.id
    codes.rename(session, first, "wanted", actor=WANG, now=LATER)
    thread, errors = racing(
        engine, lambda loser: codes.rename(loser, loser.get(Code, second_id), "wanted", actor=CHEN, now=LATER)
    )
    session.commit()
    thread.join()

    assert 1 == len(errors)
    assert ["two", "wanted"] == sorted(session.execute(select(Code.name)).scalars())


def test_delete_keeps_the_row_and_remembers_who(session, shop):
    code = planned(session)
    codes.delete(session, code, actor=CHEN, now=LATER)
    session.commit()

    assert (LATER, "8", "Chen Jun") == (code.deleted_at, code.deleted_by_id, code.deleted_by)
    assert ("deleted", LATER, "8", "Chen Jun", "") == history(session, code)[-1]
    assert 1 == used(session)


def test_a_deleted_code_can_neither_be_deleted_nor_renamed(session, shop):
    code = planned(session)
    codes.delete(session, code, actor=CHEN, now=LATER)
    with pytest.raises(Missing):
        codes.delete(session, code, actor=CHEN, now=LATER)
    with pytest.raises(Missing):
        codes.rename(session, code, "again", actor=CHEN, now=LATER)


def test_a_rolled_back_plan_leaves_nothing_behind(session, shop):
    planned(session)
    session.rollback()

    assert 0 == used(session)
    assert [] == session.execute(select(Code)).scalars().all()
    assert APPID == session.execute(select(Authorizer)).scalar_one().appid
