"""Teams: whoever does not know a mini program finds nothing of it, and is told nothing that would give it away."""

import pytest
from sqlalchemy import select

from fab_minicode import codes
from fab_minicode.models import Authorizer, AuthorizerRole
from fab_minicode.permissions import VIEWER
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.stories import NOW, WANG, draft

SHOP, OTHER, THIRD = SAMPLE_APPS
NOWHERE = "wx0000000000000000"


def limit(app, program, *roles):
    with hosts.database(app) as session:
        one = session.execute(select(Authorizer).where(Authorizer.appid == program.appid)).scalar_one()
        for role in roles:
            session.add(AuthorizerRole(authorizer_id=one.id, role=role))
        session.commit()
        return one.id


def code_of(app, program, name="hidden code"):
    with hosts.database(app) as session:
        wanted = draft(appid=program.appid, name=name, kind="wxacode_unlimited", landing_page="pages/a")
        code = codes.plan(session, wanted, actor=WANG, now=NOW)
        session.commit()
        return code.id


def appids(client, name):
    answer = client.get("/api/v1/minicode/authorizers/", headers=hosts.bearer(client, name))
    return {one["appid"] for one in answer.json["result"]}


@pytest.fixture
def two_teams(app):
    """A host with a mini program that viewers know, and one that they do not."""
    for program in (SHOP, OTHER):
        hosts.connect(app, program)
    limit(app, SHOP, VIEWER.name, "Another role")
    limit(app, OTHER, "Another role")
    return app


def test_a_mini_program_without_roles_is_known_to_everybody(app, client):
    hosts.connect(app, SHOP)

    assert {SHOP.appid} == appids(client, "viewer")


def test_a_person_knows_the_mini_programs_of_their_roles_and_an_admin_all(two_teams, client):
    assert {SHOP.appid} == appids(client, "viewer")
    assert set() == appids(client, "creator")
    assert {SHOP.appid, OTHER.appid} == appids(client, "admin")


def test_the_list_of_codes_leaves_foreign_ones_out(two_teams, client):
    mine, foreign = code_of(two_teams, SHOP, "mine"), code_of(two_teams, OTHER, "foreign")
    header = hosts.bearer(client, "viewer")

    assert [mine] == [code["id"] for code in client.get("/api/v1/minicode/codes/", headers=header).json["result"]]
    asked = {
        appid: client.get(f"/api/v1/minicode/codes/?appid={appid}", headers=header) for appid in (OTHER.appid, NOWHERE)
    }
    assert asked[NOWHERE].json == asked[OTHER.appid].json
    assert {mine, foreign} == {
        code["id"]
        for code in client.get("/api/v1/minicode/codes/", headers=hosts.bearer(client, "admin")).json["result"]
    }


def test_making_a_code_of_a_foreign_mini_program_is_refused_like_one_that_is_nowhere(two_teams, client):
    limit(two_teams, SHOP, "Minicode Creator")
    header = hosts.bearer(client, "creator")

    def made(appid):
        sent = {"appid": appid, "name": "a", "landing_page": "pages/a", "kind": "wxacode", "utm_source": "poster"}
        answer = client.post("/api/v1/minicode/codes/", json=sent, headers=header)
        return answer.status_code, answer.get_data(as_text=True).replace(appid, "")

    assert made(NOWHERE) == made(OTHER.appid)
    assert 422 == made(OTHER.appid)[0]


def test_a_code_that_was_made_before_its_maker_left_the_team_is_gone_for_them(app, client):
    hosts.connect(app, SHOP)
    header = hosts.bearer(client, "creator") | {"Idempotency-Key": "once"}
    sent = {
        "appid": SHOP.appid,
        "name": "a",
        "landing_page": "pages/a",
        "kind": "wxacode_unlimited",
        "utm_source": "poster",
    }

    assert 201 == client.post("/api/v1/minicode/codes/", json=sent, headers=header).status_code
    limit(app, SHOP, "Another role")
    assert 404 == client.post("/api/v1/minicode/codes/", json=sent, headers=header).status_code


def test_connecting_a_foreign_mini_program_again_changes_nothing(two_teams, client):
    hosts.login(client, "manager")
    token = hosts.csrf_token(client)
    sent = {"appid": OTHER.appid, "secret": OTHER.secret, "nick_name": "mine now", "csrf_token": token}
    answer = client.post("/minicode/authorizers/connect", data=sent)

    assert 200 == answer.status_code
    assert "belongs to another team" in answer.get_data(as_text=True)
    with hosts.database(two_teams) as session:
        names = session.execute(select(Authorizer.nick_name).where(Authorizer.appid == OTHER.appid)).scalars().all()
        assert "mine now" not in names


def test_who_changes_roles_in_mid_session_knows_less_with_the_next_request(two_teams, client):
    hosts.login(client, "viewer")
    address = "/api/v1/minicode/authorizers/"

    assert 1 == client.get(address).json["count"]
    with hosts.database(two_teams) as session:
        session.execute(AuthorizerRole.__table__.delete().where(AuthorizerRole.role == VIEWER.name))
        session.commit()
    assert 0 == client.get(address).json["count"]


def only_shop(user, appids):
    return [SHOP.appid, NOWHERE] if user.username != "admin" else []


def failing(user, appids):
    raise RuntimeError(f"secrets of {user}")


@pytest.mark.parametrize(
    "rule, known", [("only_shop", ({SHOP.appid}, set())), ("failing", (set(), set()))], ids=["rule", "failing"]
)
def test_a_function_of_the_host_takes_the_place_of_the_roles(tmp_path, sandbox, caplog, rule, known):
    app = hosts.make_host(
        hosts.copy_of_template("sqlite", tmp_path),
        FAB_MINICODE_WECHAT_API_URL=sandbox.url,
        FAB_MINICODE_AUTHORIZER_SCOPE=f"tests.test_scope:{rule}",
    )
    for program in (SHOP, OTHER):
        hosts.connect(app, program)
    limit(app, SHOP, "Another role")
    client = app.test_client()

    assert known == (appids(client, "viewer"), appids(client, "admin"))
    assert "secrets of" not in caplog.text
    hosts.close(app)
