"""The person's way to WeChat's page and back, and what an authorisation does afterwards, on both databases."""

from __future__ import annotations

import re
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from sqlalchemy import select, update

from fab_minicode.component_tokens import TICKET_LIVES
from fab_minicode.models import AuthCode, Authorizer, Code, Component, Invitation, Token
from fab_minicode.sandbox.platform import deliver, fields_of
from tests import hosts, third_party
from tests.pages import AUTHORIZERS, CODES, FIELDS, Page, make, read, send
from tests.third_party import COMPONENT, OFFICIAL, PLATFORM, SHOP, authorized_fields, push, push_ticket, settle

QUERY, TOKEN, INFO = (
    f"/cgi-bin/component/api_{name}" for name in ("query_auth", "authorizer_token", "get_authorizer_info")
)
LIST, START, OWN = (
    f"/cgi-bin/component/api_{name}" for name in ("get_authorizer_list", "start_push_ticket", "component_token")
)


@pytest.fixture
def manager(platform_app, platform_sandbox):
    """A manager's browser; the first ticket is there."""
    client = hosts.login(platform_app.test_client(), "manager")
    push_ticket(client, platform_sandbox)
    return client


def way(client, query=""):
    """Open the page and return the address of WeChat's, for computers."""
    page = read(client, f"{AUTHORIZERS}/connect{query}")
    return next(link for link in page.links if "/componentloginpage" in link)


def scan(sandbox, address, appid=SHOP.appid, sets=(17,), order="no_push"):
    """Do on WeChat's page what an administrator does; return where the browser is led, from the host on."""
    sandbox.platform.app.order = order
    answer = requests.get(address, headers={"Referer": "http://localhost/"}, timeout=20)
    fields = dict(re.findall(r'name="(pre_auth_code|redirect_uri)" value="([^"]*)"', answer.text))

    assert 200 == answer.status_code, answer.text
    assert appid in answer.text, answer.text
    led = requests.post(
        f"{sandbox.url}/sandbox/scan", data={**fields, "appid": appid, "set": sets}, allow_redirects=False, timeout=20
    )
    return led.headers["Location"].removeprefix("http://localhost")


def latest_code(sandbox):
    return list(sandbox.platform.codes)[-1]


def programs(app):
    with hosts.database(app) as session:
        found = session.execute(select(Authorizer).order_by(Authorizer.id)).scalars().all()
        for one in found:
            assert one.head_image is None or one.head_image  # loaded while there is a session
        session.expunge_all()
        return found


def result(app):
    """What an authorisation left behind, without what differs by chance."""
    shown = ("appid", "nick_name", "principal_name", "status", "credential", "granted_sets", "created_by")
    more = ("changed_by", "head_image_mime", "last_error")
    with hosts.database(app) as session:
        rows = session.execute(select(Authorizer)).scalars().all()
        tokens = session.execute(select(Token.subject, Token.authorizer_id, Token.version)).all()
        states = session.execute(select(AuthCode.state, AuthCode.sealed_code, AuthCode.sealed_grant)).all()
        return (
            [tuple(getattr(one, name) for name in (*shown, *more)) for one in rows],
            sorted(map(tuple, tokens)),
            sorted(map(tuple, states)),
        )


def authorize(client, sandbox, **options):
    answer = client.get(scan(sandbox, way(client), **options))
    settle(client.application)
    return answer


# ---------------------------------------------------------------------------------------------------------------- there


def test_the_page_says_what_is_asked_for_and_carries_real_links(manager):
    answer = manager.get(f"{AUTHORIZERS}/connect")
    page = Page(answer.get_data(as_text=True))
    links = [urlsplit(link) for link in page.links if link.startswith("http")]
    asked = [parse_qs(link.query) for link in links]

    assert "strict-origin-when-cross-origin" == answer.headers["Referrer-Policy"]
    assert {"/cgi-bin/componentloginpage", "/wxaopen/safe/bindcomponent"} == {link.path for link in links}
    assert [["17"], ["17"], ["17|88"], ["17|88"]] == [one["category_id_list"] for one in asked]
    assert all(one["auth_type"] == ["2"] and one["component_appid"] == [COMPONENT] for one in asked)
    assert all(one["redirect_uri"][0].startswith("http://localhost/minicode/authorizers/back/") for one in asked)
    assert "wechat_redirect" == links[1].fragment
    assert not [tag for tag in page.of("a") if "noreferrer" in (tag.get("rel") or "")]
    assert "Permission set 17" in page.text


def test_a_mini_program_can_be_named(manager):
    assert [SHOP.appid] == parse_qs(urlsplit(way(manager, f"?appid={SHOP.appid}")).query)["biz_appid"]


def test_wechat_refuses_who_does_not_come_from_our_page(manager, platform_sandbox):
    address = way(manager)

    assert "请确认授权入口页所在域名" in requests.get(address, timeout=20).text
    assert "扫码授权" in requests.get(address, headers={"Referer": "http://localhost/x"}, timeout=20).text


def test_without_a_ticket_the_page_says_so_and_wechat_is_asked_to_push(platform_app, platform_sandbox):
    client = hosts.login(platform_app.test_client(), "manager")
    page = read(client, f"{AUTHORIZERS}/connect")
    read(client, f"{AUTHORIZERS}/connect")

    assert "ticket for our platform has not arrived" in page.text
    assert (1, 0) == (platform_sandbox.count(START), platform_sandbox.count(OWN))
    assert "None yet" in read(client, f"{AUTHORIZERS}/list/").text


def test_a_ticket_older_than_twelve_hours_is_renewed(platform_app, manager, platform_sandbox):
    with hosts.database(platform_app) as session:
        old = third_party.now() - TICKET_LIVES
        session.execute(update(Component).values(ticket_at=old, received_at=old))
        session.commit()
    page = read(manager, f"{AUTHORIZERS}/connect")

    assert "has not arrived" in page.text
    assert (1, 0) == (platform_sandbox.count(START), platform_sandbox.count(OWN))
    assert "Too old" in read(manager, f"{AUTHORIZERS}/list/").text
    push_ticket(manager, platform_sandbox)
    assert way(manager)
    assert "Fresh" in read(manager, f"{AUTHORIZERS}/list/").text


def test_a_ticket_that_says_it_is_old_is_tried_while_another_is_asked_for(platform_app, platform_sandbox):
    client = hosts.login(platform_app.test_client(), "manager")
    push_ticket(client, platform_sandbox, at=1413192605)

    assert way(client)
    assert (1, 1) == (platform_sandbox.count(START), platform_sandbox.count(OWN))


def test_operators_see_what_was_refused_at_the_door(platform_app, manager):
    from fab_minicode.cli import minicode

    for _ in range(3):
        manager.post("/minicode/wechat/events", data=b"<xml/>")
    page = read(manager, f"{AUTHORIZERS}/list/")
    viewer = read(hosts.login(platform_app.test_client(), "viewer"), f"{AUTHORIZERS}/list/")
    told = platform_app.test_cli_runner().invoke(minicode, ["check"]).output

    assert "no Encrypt element : 3" in page.text
    assert "no Encrypt element" not in viewer.text
    assert re.search(r"refused pushes +warn +no Encrypt element: 3", told)
    assert re.search(r"WeChat's ticket +ok +pushed at ", told)


@pytest.mark.parametrize(
    "errcode, words",
    [
        (61004, ("does not know the network address", "203.0.113.7", "open.weixin.qq.com")),
        (45009, ("third-party platform has asked WeChat too often",)),
        (40125, ("its secret is wrong",)),
        (61006, ("has not arrived",)),
        (48001, ("does not let this account",)),
        (-1, ("could not be reached",)),
    ],
)
def test_refusals_on_the_way_are_explained(manager, platform_sandbox, errcode, words):
    platform_sandbox.fault("errcode", OWN, value=errcode, times=9)
    page = read(manager, f"{AUTHORIZERS}/connect")

    assert [] == [word for word in words if word not in page.text]
    assert "rid" in page.text


# ----------------------------------------------------------------------------------------------------------------- back


def test_the_whole_way(platform_app, manager, platform_sandbox):
    answer = authorize(manager, platform_sandbox)
    one = programs(platform_app)[0]
    page = read(manager, answer.location)

    assert f"{AUTHORIZERS}/show/{one.id}" == answer.location
    assert (SHOP.appid, SHOP.nick_name, SHOP.principal_name) == (one.appid, one.nick_name, one.principal_name)
    assert ("authorized", "component", "17", None) == (one.status, one.credential, one.granted_sets, one.sealed_secret)
    assert "Manager Test" == one.created_by
    assert "17 Codes" in page.text
    assert SHOP.principal_name in page.text
    picture = manager.get(f"{AUTHORIZERS}/head_image/{one.id}")
    assert (200, one.head_image_mime) == (picture.status_code, picture.mimetype)


def test_a_code_is_made_with_the_authorizers_token(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    made = make(manager, appid=SHOP.appid)

    assert 302 == made.status_code
    with hosts.database(platform_app) as session:
        code = session.execute(select(Code)).scalar_one()
        assert ("ready", None) == (code.state, code.error_message)
    asked = platform_sandbox.asked("/wxa/getwxacode")[-1]
    assert platform_sandbox.world.clocks.issued[asked.query["access_token"]].is_granted


@pytest.mark.parametrize(
    "order", ["push, return", "return, push", "push", "push, push, return", "return, return, push"]
)
def test_whatever_comes_first_or_twice_the_result_is_the_same(platform_app, manager, platform_sandbox, order):
    back = scan(platform_sandbox, way(manager))
    code = latest_code(platform_sandbox)
    pre_auth = list(platform_sandbox.platform.pre_auth_codes)[-1]
    for step in order.split(", "):
        if step == "push":
            assert b"success" == push(manager, "authorized", **authorized_fields(platform_sandbox, code, pre_auth)).data
            settle(platform_app)
        else:
            assert f"{AUTHORIZERS}/show/" in manager.get(back).location
    rows, tokens, states = result(platform_app)

    shown = (SHOP.appid, SHOP.nick_name, SHOP.principal_name, "authorized", "component", "17", "Manager Test")
    assert [(*shown, "Manager Test", "image/png", None)] == [(*row[:8], "image/png", row[9]) for row in rows]
    assert [(f"authorizer:{SHOP.appid}", 1), (f"component:{COMPONENT}", 1)] == [(one[0], one[2]) for one in tokens]
    assert [("done", None, None)] == states
    assert 1 == platform_sandbox.count(QUERY)


def test_the_way_back_works_once_and_for_this_session_only(platform_app, manager, platform_sandbox):
    back = scan(platform_sandbox, way(manager))
    stranger = hosts.login(platform_app.test_client(), "admin")
    same_person_elsewhere = hosts.login(platform_app.test_client(), "manager")

    for client in (stranger, same_person_elsewhere):
        assert 403 == client.get(back).status_code
    assert [] == programs(platform_app)
    assert 302 == manager.get(back).status_code
    another = platform_sandbox.world.authorize(OFFICIAL, (17,))
    changed = re.sub(r"auth_code=[^&]+", urlencode({"auth_code": another}), back)
    refused = manager.get(changed)
    assert 403 == refused.status_code
    assert "Nothing was changed" in refused.get_data(as_text=True)
    assert 1 == len(programs(platform_app))
    assert 403 == manager.get(f"{AUTHORIZERS}/back/no-such-nonce?auth_code=x").status_code


def test_who_was_logged_out_meanwhile_logs_in_without_the_code_in_any_address(platform_app, manager, platform_sandbox):
    back = scan(platform_sandbox, way(manager))
    code = latest_code(platform_sandbox)
    stranger = platform_app.test_client()
    locations = []
    answer = stranger.get(back)
    while answer.status_code == 302:
        locations.append(answer.location)
        answer = stranger.get(answer.location)

    assert "/login/" in locations[-1]
    assert [] == [one for one in locations if "auth_code" in one or code in one]
    assert code not in answer.get_data(as_text=True)
    assert [] == programs(platform_app)


def test_the_way_back_ends_after_thirty_minutes(platform_app, manager, platform_sandbox):
    back = scan(platform_sandbox, way(manager))
    with hosts.database(platform_app) as session:
        session.execute(update(Invitation).values(expires_at=third_party.now()))
        session.commit()

    assert 403 == manager.get(back).status_code
    assert [] == programs(platform_app)


def test_a_return_without_a_code_changes_nothing(platform_app, manager, platform_sandbox):
    back = scan(platform_sandbox, way(manager))

    for query in ("", "?auth_code=", "?auth_code=a&auth_code=b", "?auth_code=%00", f"?auth_code={'a' * 600}"):
        assert f"{AUTHORIZERS}/connect" == manager.get(back.partition("?")[0] + query).location
    assert f"{AUTHORIZERS}/show/" in manager.get(back).location


def test_without_set_17_it_is_connected_but_not_usable(platform_app, manager, platform_sandbox):
    page = read(manager, authorize(manager, platform_sandbox, sets=(88,)).location)

    assert ("not_authorized", "88") == (programs(platform_app)[0].status, programs(platform_app)[0].granted_sets)
    assert "did not tick permission set 17" in page.text
    authorize(manager, platform_sandbox, sets=(17, 88))
    assert ("authorized", "17,88") == (programs(platform_app)[0].status, programs(platform_app)[0].granted_sets)


def test_an_official_account_is_refused(platform_app, manager, platform_sandbox):
    code = platform_sandbox.world.authorize(OFFICIAL, (17,))
    back = scan(platform_sandbox, way(manager))
    changed = re.sub(r"auth_code=[^&]+", urlencode({"auth_code": code}), back)
    answer = manager.get(changed)

    assert f"{AUTHORIZERS}/connect" == answer.location
    assert [] == programs(platform_app)
    assert "official account" in read(manager, answer.location).text


def test_a_code_that_wechat_does_not_take_is_told(platform_app, manager, platform_sandbox):
    back = scan(platform_sandbox, way(manager))
    platform_sandbox.clock.advance(3601)
    push_ticket(manager, platform_sandbox, at=time.time() + 1)
    answer = manager.get(back)

    assert "scan again" in read(manager, answer.location).text
    assert [] == programs(platform_app)


def test_wechat_away_in_between_loses_nothing(platform_app, manager, platform_sandbox):
    back = scan(platform_sandbox, way(manager))
    platform_sandbox.fault("html", INFO, times=1)
    answer = manager.get(back)
    settle(platform_app)

    assert f"{AUTHORIZERS}/list/" == answer.location
    assert [] == programs(platform_app)
    with hosts.database(platform_app) as session:
        session.execute(update(AuthCode).values(next_at=None))
        session.commit()
    read(manager, f"{AUTHORIZERS}/list/")
    settle(platform_app)
    assert "authorized" == programs(platform_app)[0].status
    assert 1 == platform_sandbox.count(QUERY)


def test_a_crash_after_the_code_was_used_is_mended_by_the_list(platform_app, manager, platform_sandbox):
    code = platform_sandbox.world.authorize(SHOP.appid, (17,))
    platform_sandbox.platform.use_code(code)
    push(manager, "authorized", **authorized_fields(platform_sandbox, code))
    settle(platform_app)

    assert ("authorized", "17") == (programs(platform_app)[0].status, programs(platform_app)[0].granted_sets)


def test_the_person_comes_back_to_what_was_typed(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    push(manager, "unauthorized", at=time.time() + 5, AuthorizerAppid=SHOP.appid)
    page = read(manager, f"{CODES}/add?appid={SHOP.appid}")

    assert "not authorised" in page.text
    typed = {**FIELDS, "appid": SHOP.appid, "name": "海报 “1” <b>", "kind": "wxaqrcode"}
    left = send(manager, f"{AUTHORIZERS}/leave", **typed)
    assert left.location.startswith(f"{AUTHORIZERS}/connect?appid={SHOP.appid}&kept=")
    address = way(manager, left.location.removeprefix(f"{AUTHORIZERS}/connect"))
    back = manager.get(scan(platform_sandbox, address)).location
    assert f"{CODES}/add?appid={SHOP.appid}" in back
    values = read(manager, back).values
    names = set(FIELDS) - {"remark", "colour"}
    assert {name: typed[name] for name in names} == {name: values[name] for name in names}


# ----------------------------------------------------------------------------------------------------------- afterwards


def expire_tokens(app):
    with hosts.database(app) as session:
        session.execute(update(Token).values(expires_at=third_party.now()))
        session.commit()


def ask_for_token(app, at=None):
    with app.app_context():
        here = app.extensions["fab_minicode"]
        return here.tokens(hosts.engine_of(app)).of(SHOP.appid, now=at or third_party.now())


def refresh_token(app):
    with hosts.database(app) as session:
        sealed = session.execute(
            select(Token.sealed_refresh_token).where(Token.subject == f"authorizer:{SHOP.appid}")
        ).scalar_one()
    return (
        app.extensions["fab_minicode"]
        .vault.open(sealed, f"tokens:sealed_refresh_token:authorizer:{SHOP.appid}")
        .reveal()
    )


@pytest.mark.parametrize("rotates", [False, True])
def test_tokens_are_renewed_and_a_rotated_refresh_token_is_kept(platform_app, manager, platform_sandbox, rotates):
    authorize(manager, platform_sandbox)
    platform_sandbox.platform.app.rotates = rotates
    seen = {ask_for_token(platform_app).reveal()}
    for _ in range(3):
        expire_tokens(platform_app)
        seen.add(ask_for_token(platform_app).reveal())

        assert platform_sandbox.platform.granted[SHOP.appid].refresh_token == refresh_token(platform_app)
    assert 4 == len(seen)
    assert (3, 0) == (platform_sandbox.count(TOKEN), platform_sandbox.count(LIST))


def test_a_dead_refresh_token_is_mended_once_by_the_list(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    platform_sandbox.platform.granted[SHOP.appid].refresh_token = "refreshtoken@@@another"
    expire_tokens(platform_app)

    assert ask_for_token(platform_app)
    assert (2, 1) == (platform_sandbox.count(TOKEN), platform_sandbox.count(LIST))
    assert "refreshtoken@@@another" == refresh_token(platform_app)


@pytest.mark.parametrize("errcode", [61023, 61003])
def test_what_cannot_be_mended_asks_to_authorise_again_and_does_not_loop(
    platform_app, manager, platform_sandbox, errcode
):
    from fab_minicode.errors import AuthorizationLost, NotAuthorized

    authorize(manager, platform_sandbox)
    platform_sandbox.fault("errcode", TOKEN, value=errcode, times=None)
    expire_tokens(platform_app)
    with pytest.raises(AuthorizationLost):
        ask_for_token(platform_app)
    asked = platform_sandbox.count(TOKEN)
    for _ in range(3):
        with pytest.raises(NotAuthorized):
            ask_for_token(platform_app)
    one = programs(platform_app)[0]
    page = read(manager, f"{AUTHORIZERS}/show/{one.id}")

    assert asked == platform_sandbox.count(TOKEN) == (2 if errcode == 61023 else 1)
    assert "not_authorized" == one.status
    assert str(errcode) in one.last_error
    assert "Authorise again" in page.text
    assert "rid" in page.text
    platform_sandbox.clear_faults()
    authorize(manager, platform_sandbox)
    assert ("authorized", None) == (programs(platform_app)[0].status, programs(platform_app)[0].last_error)
    assert ask_for_token(platform_app)


def test_a_refused_component_token_is_renewed_once(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    platform_sandbox.platform.tokens.clear()
    expire = (
        update(Token.__table__).where(Token.subject == f"authorizer:{SHOP.appid}").values(expires_at=third_party.now())
    )
    with hosts.database(platform_app) as session:
        session.execute(expire)
        session.commit()

    assert ask_for_token(platform_app)
    assert (2, 2) == (platform_sandbox.count(OWN), platform_sandbox.count(TOKEN))


def test_an_end_at_wechat_deletes_tokens_keeps_codes_and_blocks_new_ones(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    make(manager, appid=SHOP.appid)
    pushed = push(manager, "unauthorized", at=time.time() + 2, AuthorizerAppid=SHOP.appid)
    with hosts.database(platform_app) as session:
        tokens = session.execute(select(Token.subject)).scalars().all()
        codes = session.execute(select(Code.state)).scalars().all()
    made = make(manager, appid=SHOP.appid, name="another")

    assert b"success" == pushed.data
    assert [f"component:{COMPONENT}"] == tokens
    assert ["ready"] == codes
    assert "revoked" == programs(platform_app)[0].status
    assert (200, True) == (made.status_code, "not authorised" in Page(made.get_data(as_text=True)).text)
    with hosts.database(platform_app) as session:
        assert 1 == len(session.execute(select(Code.id)).all())


def test_older_pushes_change_nothing(platform_app, manager, platform_sandbox):
    code = platform_sandbox.world.authorize(SHOP.appid, (17,))
    at = time.time()
    push(manager, "authorized", at=at, **authorized_fields(platform_sandbox, code))
    settle(platform_app)
    push(manager, "unauthorized", at=at - 5, AuthorizerAppid=SHOP.appid)
    assert "authorized" == programs(platform_app)[0].status
    push(manager, "unauthorized", at=at + 5, AuthorizerAppid=SHOP.appid)
    push(
        manager,
        "authorized",
        at=at + 2,
        **authorized_fields(platform_sandbox, platform_sandbox.world.authorize(SHOP.appid, (17,))),
    )
    settle(platform_app)

    assert "revoked" == programs(platform_app)[0].status


def test_updated_sets_are_taken_over(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    code = platform_sandbox.world.authorize(SHOP.appid, (17, 18, 88))
    push(manager, "updateauthorized", at=time.time() + 1, **authorized_fields(platform_sandbox, code))
    settle(platform_app)

    assert "17,88,18" == programs(platform_app)[0].granted_sets
    assert ask_for_token(platform_app)


def test_what_was_revoked_here_comes_back_by_a_new_authorisation_only(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    one = programs(platform_app)[0]
    send(manager, f"{AUTHORIZERS}/revoke/{one.id}", confirmation=SHOP.appid)
    code = platform_sandbox.world.authorize(SHOP.appid, (17, 88))
    push(manager, "updateauthorized", at=time.time() + 1, **authorized_fields(platform_sandbox, code))
    settle(platform_app)

    assert "revoked" == programs(platform_app)[0].status
    authorize(manager, platform_sandbox)
    assert "authorized" == programs(platform_app)[0].status


def test_a_missing_set_is_explained_on_the_code(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    platform_sandbox.fault("errcode", "/wxa/getwxacode", value=61007)
    made = make(manager, appid=SHOP.appid)

    assert "leave permission set 17 ticked" in read(manager, made.location).text


# ---------------------------------------------------------------------------------------------------------- collect key


def test_a_new_collect_key_leaves_the_old_one_working_for_seven_days(platform_app, manager, platform_sandbox):
    authorize(manager, platform_sandbox)
    one = programs(platform_app)[0]
    answer = send(manager, f"{AUTHORIZERS}/rotate_key/{one.id}")
    new = programs(platform_app)[0].collect_key
    page = read(manager, answer.location)
    body = {"events": []}

    assert one.collect_key != new
    assert new in page.text
    assert f"{one.collect_key[:6]}… works until" in page.text
    assert [202, 202] == [
        manager.post(f"/minicode/collect/v1/{key}", json=body).status_code for key in (new, one.collect_key)
    ]
    with hosts.database(platform_app) as session:
        from fab_minicode.authorizers import RETIRED_KEY_LIVES, by_collect_key

        late = third_party.now() + RETIRED_KEY_LIVES
        assert by_collect_key(session, one.collect_key, late - third_party.dt.timedelta(minutes=1)) is not None
        assert by_collect_key(session, one.collect_key, late) is None
        assert by_collect_key(session, new, late) is not None


def test_the_sandbox_pushes_over_http_too():
    from fab_minicode.sandbox.platform import Platform

    platform = Platform(PLATFORM, time.time)

    assert 0 == deliver(platform, fields_of(PLATFORM, "unauthorized", 1))
