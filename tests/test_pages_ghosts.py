"""The pages of ghost codes: what is listed for whom, and the ways to adopt."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from sqlalchemy import select

from fab_minicode import codes
from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.models import Code, Ghost
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts, worlds
from tests.events import Told, store
from tests.stories import NOW, WANG, draft
from tests.test_ghosts import Scanned

SHOP = SAMPLE_APPS[0].appid
SETTINGS = worlds.settings_in("Asia/Shanghai")


@pytest.fixture
def host(app):
    """A host with a live code, and a deleted one of interface B that visits came from; a scene nobody knows."""
    hosts.connect(app)
    with hosts.database(app) as session:
        same = {"appid": SHOP, "kind": "wxacode_unlimited", "landing_page": "pages/a"}
        wanted = [draft(name=name, **same) for name in ("Gate", "Old")]
        _live, old = (codes.plan(session, one, actor=WANG, now=NOW) for one in wanted)
        session.flush()
        codes.delete(session, old, actor=WANG, now=NOW)
        session.commit()
        owner, key = old.authorizer_id, old.short_key
    arrive(app, Scanned("a", 0, page="pages/a", other_scene="shop=3", number=1, authorizer_id=owner))
    arrive(app, Told("b", 0, page="pages/a", short_key=key, number=2, authorizer_id=owner))
    return app


def arrive(app, told):
    """Count a visit that happens now."""
    now = dt.datetime.now(dt.timezone.utc)
    engine = hosts.engine_of(app)
    store(engine, [replace(told, time_ms=int(now.timestamp() * 1000) - 5_000 + told.number)])
    roll_up(engine, settings=SETTINGS, now=now)


def ghosts(client):
    return client.get("/minicode/codes/ghosts/").get_data(as_text=True)


def sent(client, **fields):
    return {"csrf_token": hosts.csrf_token(client), **fields}


def the_ghost(app):
    with hosts.database(app) as session:
        return session.execute(select(Ghost.id).where(Ghost.id > 0)).scalar_one()


def test_a_scene_is_given_to_a_code_that_is_there(host, client):
    hosts.login(client, "creator")
    number = the_ghost(host)
    address = f"/minicode/codes/adopt/{number}"

    assert "scene: shop=3" in ghosts(client)
    assert "There is no code of this name." in client.post(address, data=sent(client, name="x")).get_data(as_text=True)

    done = client.post(address, data=sent(client, name="Gate"), follow_redirects=True).get_data(as_text=True)

    assert "From now on visits with the scene shop=3 count for “Gate”." in done
    assert "shop=3" not in ghosts(client)
    assert 404 == client.get(address).status_code


def test_days_and_colons_are_written_in_the_readers_language(host, client):
    hosts.login(client, "creator")
    today = dt.datetime.now(SETTINGS.zone).date()
    english = ghosts(client)
    client.get("/lang/zh")
    chinese = ghosts(client)

    assert "scene: shop=3" in english
    assert f"{today:%b} {today.day}, {today.year}" in english
    assert "scene：shop=3" in chinese
    assert f"{today.year}年{today.month}月{today.day}日" in chinese
    assert today.isoformat() not in english + chinese


def test_a_new_code_takes_a_scene_or_a_deleted_code_over(host, client):
    hosts.login(client, "creator")
    number = the_ghost(host)
    form = client.get(f"/minicode/codes/add?ghost={number}").get_data(as_text=True)

    assert f'name="adopts" value="scene-{number}"' in form
    assert 'value="pages/a"' in form

    with hosts.database(host) as session:
        old = session.execute(select(Code.id).where(Code.name == "Old")).scalar_one()
    fields = {
        "appid": SHOP, "landing_page": "pages/a", "kind": "wxacode_unlimited", "utm_source": "poster", "width": "430",
        "colour": "black",
    }  # fmt: skip
    for name, adopts in (("New", f"scene-{number}"), ("Heir", f"code-{old}")):
        made = client.post("/minicode/codes/add", data=sent(client, name=name, adopts=adopts, **fields))

        assert 302 == made.status_code
    with hosts.database(host) as session:
        taken = dict(session.execute(select(Ghost.scene, Code.name).join(Code, Code.id == Ghost.code_id)).all())

    assert {"New", "Heir"} == set(taken.values())
    assert "No ghosts" in ghosts(client)

    gone = sent(client, name="X", adopts="scene-999", **fields)

    assert 404 == client.post("/minicode/codes/add", data=gone).status_code


def test_values_that_no_code_carries_fill_the_form(host, client):
    hosts.login(client, "creator")
    address = "/minicode/codes/add?landing_page=pages/b&utm_source=radio&utm_campaign=%22spot%22"
    form = client.get(address).get_data(as_text=True)

    assert 'value="pages/b"' in form
    assert 'value="radio"' in form
    assert 'value="&#34;spot&#34;"' in form


def test_who_may_only_look_adopts_nothing(host, client):
    hosts.login(client, "viewer")

    assert "Unknown scene" in ghosts(client)
    assert "Adopt" not in ghosts(client).replace("Adopt one, and", "")


def test_a_manager_takes_an_adopted_scene_back(host, client):
    hosts.login(client, "creator")
    number = the_ghost(host)
    shown = client.post(f"/minicode/codes/adopt/{number}", data=sent(client, name="Gate")).location
    release = shown.replace("show", "release")

    assert "Adopted scenes" in client.get(shown).get_data(as_text=True)
    assert "Take back" not in client.get(shown).get_data(as_text=True)
    assert hosts.DENIED == client.post(release, data=sent(client, ghost=str(number))).status_code
    hosts.login(client, "manager")
    assert "Take back" in client.get(shown).get_data(as_text=True)
    for odd in ("", "x", "-", "-1", "999", str(2**40)):
        assert 404 == client.post(release, data=sent(client, ghost=odd)).status_code, odd
    assert 400 == client.post(release, data={"ghost": str(number)}).status_code
    done = client.post(release, data=sent(client, ghost=str(number)), follow_redirects=True).get_data(as_text=True)

    assert "no longer count for “Gate”" in done
    assert "Adopted scenes" not in done
    assert "scene: shop=3" in ghosts(client)
    assert 404 == client.post(release, data=sent(client, ghost=str(number))).status_code
