"""Saved questions as the server renders them: save, list, open, change, lock, hand over, remove."""

from __future__ import annotations

import datetime as dt
import html
import json

import pytest
from sqlalchemy import select

from fab_minicode import runtime
from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models import AuditEntry, Authorizer, AuthorizerRole, SavedQuestion
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.settings import read_settings
from tests import hosts
from tests.events import Told, store
from tests.pages import read, send

ANALYSIS, SAVED, SAVE = "/minicode/analysis", "/minicode/analysis/saved/", "/minicode/analysis/save"
APPID = SAMPLE_APPS[0].appid
ASKS = f"?appid={APPID}&metric=visits&by=utm_source&where=utm_source:set&window=last_30"


@pytest.fixture
def creator(app):
    hosts.connect(app)
    return hosts.login(app.test_client(), "creator")


@pytest.fixture
def manager(app, creator):
    return hosts.login(app.test_client(), "manager")


@pytest.fixture
def viewer(app, creator):
    return hosts.login(app.test_client(), "viewer")


def stored(app):
    with hosts.database(app) as session:
        return session.execute(select(SavedQuestion).order_by(SavedQuestion.id)).unique().scalars().all()


def save(client, name="Posters", asks=ASKS, **fields):
    """Send the form that saves; returns the number of the question."""
    answer = send(client, SAVE + asks, **{"name": name, "visibility": "readers", **fields})

    assert 302 == answer.status_code, html.unescape(answer.get_data(as_text=True))
    return int(answer.location.rpartition("/")[2])


def fields_of(client, address):
    page = read(client, address)
    return {name: value for name, value in page.values.items() if name in ("name", "description", "seen_at")}


def press(client, pk, what, **fields):
    """Press a button of the question's page, as it stands now."""
    seen_at = fields_of(client, f"{SAVED}{pk}/edit")["seen_at"]
    return send(client, f"{SAVED}{pk}/{what}", **{"seen_at": seen_at, **fields})


def test_a_question_is_saved_and_opened_under_its_address(app, creator, viewer):
    pk = save(creator, "海报 <b>", description="two\nlines")
    page = read(viewer, f"{ANALYSIS}/{pk}")
    row = stored(app)[0]

    assert "海报 <b>" in page.text
    assert ("events", "Creator Test", "readers", False) == (row.kind, row.owner, row.visibility, row.is_locked)
    asks = json.loads(row.question)
    assert (["visits"], ["utm_source"], {"last_days": 30}) == (asks["metrics"], asks["dimensions"], asks["window"])
    assert page.values["saved"] == str(pk)
    assert "Ad source" in page.text
    assert f"/minicode/analysis/{pk}" in read(viewer, SAVED).links


def test_the_page_without_a_saved_question_offers_to_save_it(creator, viewer):
    links = read(creator, f"{ANALYSIS}/{ASKS}").links

    assert ["Save …"] == [text for address, text in links.items() if address.startswith(f"{SAVE}?")]
    assert [] == [address for address in read(viewer, f"{ANALYSIS}/{ASKS}").links if address.startswith(f"{SAVE}?")]


def test_a_name_that_is_missing_or_taken_too_long_is_told_beside_its_field(creator):
    for name, told in (("", "Give it a name"), ("x" * 81, "81")):
        answer = send(creator, SAVE + ASKS, name=name, visibility="owner", description="kept")

        assert 200 == answer.status_code
        assert told in answer.get_data(as_text=True)
        assert "kept" in answer.get_data(as_text=True)


def test_roles_are_ones_own(app, creator, viewer):
    answer = send(creator, SAVE + ASKS, name="x", visibility="roles", role="Admin")
    assert 200 == answer.status_code
    assert "“Admin” is none of your roles" in answer.get_data(as_text=True)
    assert 200 == send(creator, SAVE + ASKS, name="x", visibility="roles").status_code
    pk = save(creator, visibility="roles", role="Minicode Creator")

    assert 404 == viewer.get(f"{ANALYSIS}/{pk}").status_code
    assert ["Minicode Creator"] == [one.role for one in stored(app)[0].roles]


def test_what_is_not_for_somebody_is_not_there_for_them(creator, manager, viewer):
    pk = save(creator, visibility="owner")

    for address in (f"{ANALYSIS}/{pk}", f"{ANALYSIS}/{pk + 1}", f"{ANALYSIS}/{2**40}"):
        assert 404 == viewer.get(address).status_code
    assert "Posters" not in read(viewer, SAVED).text
    assert "Posters" in read(manager, SAVED).text
    assert 200 == manager.get(f"{ANALYSIS}/{pk}").status_code


def test_a_changed_question_is_saved_over_the_old_one_or_under_a_new_name(app, creator):
    pk = save(creator)
    changed = f"?appid={APPID}&metric=users&chart=bar&by=scene&saved={pk}"
    page = read(creator, f"{ANALYSIS}/{changed}")

    assert "differs from what is saved" in page.text
    seen_at = page.values["seen_at"]
    assert 302 == send(creator, f"{SAVED}{pk}/keep{changed}", seen_at=seen_at).status_code
    assert ["scene"] == json.loads(stored(app)[0].question)["dimensions"]
    assert ("Posters", "bar") == (stored(app)[0].name, stored(app)[0].chart)
    assert "differs from" not in read(creator, f"{ANALYSIS}/{pk}").text
    other = save(creator, "Another", f"{changed}&kind=events")
    assert other != pk


def test_the_order_of_the_table_is_saved_as_well(app, creator, viewer):
    engine, at = hosts.engine_of(app), dt.datetime.now(dt.timezone.utc)
    store(
        engine, [Told(f"v{n}", int(at.timestamp() * 1000) - 2 * 86_400_000, scene="1047", number=n) for n in range(3)]
    )
    roll_up_all(engine, settings=read_settings({}), now=at)
    pk = save(creator, "Ascending", f"?appid={APPID}&metric=users&by=scene&sort=users&kind=events")

    assert "users" == stored(app)[0].sort
    assert 'aria-sort="ascending"' in viewer.get(f"{ANALYSIS}/{pk}").get_data(as_text=True)
    assert "differs from" not in read(creator, f"{ANALYSIS}/{pk}").text
    turned = f"?appid={APPID}&metric=users&by=scene&sort=-users&saved={pk}"
    page = read(creator, f"{ANALYSIS}/{turned}")
    assert "differs from what is saved" in page.text
    send(creator, f"{SAVED}{pk}/keep{turned}&kind=events", seen_at=page.values["seen_at"])
    assert "-users" == stored(app)[0].sort
    press(creator, pk, "edit", name="Still", visibility="readers", description="")
    assert ("Still", "-users") == (stored(app)[0].name, stored(app)[0].sort)


def test_what_somebody_else_changed_meanwhile_is_not_overwritten(app, creator, manager):
    pk = save(creator)
    seen = fields_of(creator, f"{SAVED}{pk}/edit")
    press(manager, pk, "edit", name="Manager's", visibility="readers", description="")
    answer = send(creator, f"{SAVED}{pk}/edit", **{**seen, "name": "Mine", "visibility": "readers"})

    assert "Manager Test has changed this meanwhile" in answer.get_data(as_text=True)
    assert "Mine" in answer.get_data(as_text=True)
    assert "Manager's" == stored(app)[0].name
    send(creator, f"{SAVED}{pk}/lock", is_locked="1", seen_at="nonsense")
    assert not stored(app)[0].is_locked


def test_a_locked_question_offers_to_unlock_it_and_nothing_else(app, creator):
    pk = save(creator)
    press(creator, pk, "lock", is_locked="1")
    page = read(creator, f"{ANALYSIS}/{pk}")

    assert stored(app)[0].is_locked
    assert {"locked", "Unlock"} <= set(page.text.split())
    assert not [address for address in page.links if address.startswith(f"{SAVED}{pk}/")]
    press(creator, pk, "remove")
    assert 1 == len(stored(app))
    press(creator, pk, "lock", is_locked="0")
    press(creator, pk, "remove")
    assert [] == stored(app)


def test_a_question_is_handed_over_to_somebody_who_can_keep_it(app, creator, manager):
    pk = save(creator, visibility="owner")
    for nobody in ("viewer", "nobody", "no such", "x" * 300, "", "a\x00"):
        answer = press(creator, pk, "hand_over", owner=nobody)
        assert 200 == answer.status_code, nobody
    press(creator, pk, "hand_over", owner="admin")

    assert "Admin Test" == stored(app)[0].owner
    assert 404 == creator.get(f"{ANALYSIS}/{pk}").status_code
    with hosts.database(app) as session:
        acts = session.execute(select(AuditEntry.action).where(AuditEntry.subject_type == "question")).scalars().all()
    assert ["saved", "handed_over"] == acts


def test_a_question_is_not_handed_over_to_another_team(app, manager):
    pk = save(manager, visibility="owner")
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
        session.add(AuthorizerRole(authorizer_id=row, role="Minicode Manager"))
        session.commit()
    answer = press(manager, pk, "hand_over", owner="creator")

    assert "does not know this mini program" in answer.get_data(as_text=True)
    press(manager, pk, "hand_over", owner="admin")
    assert "Admin Test" == stored(app)[0].owner


def test_the_question_of_somebody_who_has_left_is_taken_over(app, creator, manager):
    pk = save(creator, visibility="owner")
    with app.app_context():
        session = runtime.session()
        session.delete(app.extensions["appbuilder"].sm.find_user(username="creator"))
        session.commit()

    assert "has left" in read(manager, SAVED).text
    assert "who has left this host" in read(manager, f"{SAVED}{pk}/hand_over").text
    press(manager, pk, "hand_over", owner="manager")
    assert "Manager Test" == stored(app)[0].owner


def test_the_list_is_searched_and_filtered(app, creator, viewer):
    for name in ("Alpha", "Beta", "Gamma"):
        save(creator, name, description=f"about {name.lower()}s")

    assert "Beta" in read(viewer, f"{SAVED}?q=BETAS").text
    assert "Alpha" not in read(viewer, f"{SAVED}?q=BETAS").text
    assert "Nothing found" in read(viewer, f"{SAVED}?owned=mine").text
    assert "Nothing found" in read(viewer, f"{SAVED}?q=zzz").text
    page = read(viewer, f"{SAVED}?order=name&appid={APPID}&visibility=readers&page=0&kind=events")
    assert page.text.index("Alpha") < page.text.index("Beta") < page.text.index("Gamma")
    for odd in ("page=999999", "page=-1", "order=x", "kind=%00", "appid=%ff", "q=%00%ed%a0%80", "visibility=x"):
        assert 200 == viewer.get(f"{SAVED}?{odd}").status_code, odd


def test_a_broken_question_is_told_on_the_analysis_page(creator):
    for asks in (f"?appid={APPID}&metric=likes", f"?appid={APPID}&kind=poem"):
        assert creator.get(SAVE + asks).location.startswith(f"{ANALYSIS}/?"), asks
    assert 404 == creator.get(f"{SAVE}?appid=wx-unknown").status_code


def test_what_another_version_saved_can_still_be_renamed(app, creator):
    pk = save(creator)
    with hosts.database(app) as session:
        session.get(SavedQuestion, pk).question = '{"appid": "x", "colour": "red"}'
        session.commit()

    assert "can no longer be read" in read(creator, SAVED).text
    assert f"{SAVED}{pk}/edit" in creator.get(f"{ANALYSIS}/{pk}").location
    assert 302 == press(creator, pk, "edit", name="Old", visibility="owner").status_code
    assert "Old" == stored(app)[0].name


def test_a_form_without_its_token_changes_nothing(app, creator):
    pk = save(creator)

    assert 400 == creator.post(f"{SAVED}{pk}/remove").status_code
    assert 1 == len(stored(app))
    assert dt.timezone.utc == stored(app)[0].changed_at.tzinfo
