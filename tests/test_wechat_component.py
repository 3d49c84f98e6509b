"""The platform's calls and answers: what is asked, what is read, and that nonsense is refused. No I/O but a socket."""

from __future__ import annotations

import json
import socket
from urllib.parse import parse_qs, urlsplit

import pytest

from fab_minicode.errors import (
    AuthCodeRejected,
    AuthorizationLost,
    ComponentRejected,
    TicketRejected,
    TokenRejected,
    WeChatError,
    WeChatUnavailable,
)
from fab_minicode.vault import Secret
from fab_minicode.wechat import component
from fab_minicode.wechat.client import WeChatClient, _Line
from fab_minicode.wechat.component import Platform, PreAuthCode

PLATFORM = Platform("wxc0ffee0000000000", Secret("canary-secret"))
TOKEN, CODE, APPID = Secret("canary-token"), Secret("canary-code"), "wx0123456789abcdef"
CALLS = {
    "token": (component.token_call(PLATFORM, CODE), component.decipher_component_token),
    "start": (component.start_push_call(PLATFORM), component.decipher_done),
    "pre auth": (component.pre_auth_call(PLATFORM, TOKEN), component.decipher_pre_auth),
    "query auth": (component.query_auth_call(PLATFORM, TOKEN, CODE), component.decipher_grant),
    "authorizer": (
        component.authorizer_token_call(PLATFORM, TOKEN, APPID, CODE),
        component.decipher_authorizer_token,
    ),
    "info": (component.info_call(PLATFORM, TOKEN, APPID), component.decipher_profile),
    "list": (component.list_call(PLATFORM, TOKEN, 0), component.decipher_list),
}


def answer(name, document):
    call, decipher = CALLS[name]
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    return decipher(content, call)


@pytest.mark.parametrize("name", CALLS)
def test_every_call_names_the_platform_and_shows_no_secret(name):
    call, _ = CALLS[name]

    assert PLATFORM.appid == json.loads(call.content())["component_appid"]
    assert "canary" not in repr(call)
    assert "canary" not in call.redact("canary-secret" if call.token is None else "canary-secret canary-token")
    assert "component_access_token" == call.token_parameter or call.token is None


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff", b"<html>", b'{"errcode": "x"}', b"[" * 100_000])
def test_what_is_no_answer_is_refused(name, content):
    with pytest.raises(WeChatUnavailable):
        answer(name, content)


@pytest.mark.parametrize("name", [name for name in CALLS if name != "start"])
@pytest.mark.parametrize("value", [None, 7, "", [], {}, "two words", "x" * 3000, True])
def test_answers_without_what_they_must_hold_are_refused(name, value):
    document = dict.fromkeys(
        ("component_access_token", "pre_auth_code", "authorizer_access_token", "authorization_info"), value
    )
    document |= {"authorizer_info": value if isinstance(value, str) else None, "list": value if value != [] else 0}
    with pytest.raises(WeChatUnavailable):
        answer(name, document)


@pytest.mark.parametrize(
    "name, errcode, expected",
    [
        ("token", 40001, ComponentRejected),
        ("token", 40013, ComponentRejected),
        ("token", 40125, ComponentRejected),
        ("token", 61005, TicketRejected),
        ("token", 61006, TicketRejected),
        ("token", 61011, ComponentRejected),
        ("pre auth", 40001, TokenRejected),
        ("pre auth", 42001, TokenRejected),
        ("query auth", 61009, AuthCodeRejected),
        ("query auth", 61010, AuthCodeRejected),
        ("authorizer", 61023, AuthorizationLost),
        ("authorizer", 61003, AuthorizationLost),
        ("info", 99999, WeChatError),
    ],
)
def test_an_errcode_says_who_must_act(name, errcode, expected):
    with pytest.raises(WeChatError) as caught:
        answer(name, {"errcode": errcode, "errmsg": "no canary-secret canary-token rid: 1-2-3"})

    assert expected is type(caught.value)
    assert (errcode, "1-2-3") == (caught.value.errcode, caught.value.rid)


def test_a_grant_is_read():
    grant = answer(
        "query auth",
        {
            "authorization_info": {
                "authorizer_appid": APPID,
                "authorizer_access_token": "access",
                "expires_in": 7200,
                "authorizer_refresh_token": "refreshtoken@@@x",
                "func_info": [
                    {"funcscope_category": {"id": 88}}, {"funcscope_category": {"id": 17}}, {"funcscope_category": {}},
                    {"funcscope_category": {"id": True}}, {}, 7, {"funcscope_category": {"id": -1}},
                ],
            }
        },
    )  # fmt: skip

    assert (APPID, (17, 88), 7200) == (grant.appid, grant.sets, grant.token.expires_in_seconds)
    assert "refreshtoken@@@x" == grant.refresh_token.reveal()
    assert "refreshtoken" not in repr(grant)


@pytest.mark.parametrize("missing", ["authorizer_appid", "authorizer_access_token", "authorizer_refresh_token"])
def test_a_grant_lacks_nothing(missing):
    info = {"authorizer_appid": APPID, "authorizer_access_token": "a", "authorizer_refresh_token": "r"}
    del info[missing]
    with pytest.raises(WeChatUnavailable):
        answer("query auth", {"authorization_info": info})


def test_a_profile_is_cut_and_cleaned():
    told = {"nick_name": "a\x00\u202e" + "n" * 500, "principal_name": 7, "head_img": None, "MiniProgramInfo": {}}
    profile = answer("info", {"authorizer_info": told})

    assert (128, "", "", True) == (
        len(profile.nick_name), profile.principal_name, profile.head_image_url, profile.is_mini_program,
    )  # fmt: skip
    assert profile.nick_name.isprintable()
    assert not answer("info", {"authorizer_info": {"nick_name": "公众号"}}).is_mini_program


def test_rows_of_the_list_without_a_refresh_token_are_left_out():
    rows = [{"authorizer_appid": APPID, "refresh_token": "r"}, {"authorizer_appid": "wx11111111"}, 7]
    page = answer("list", {"total_count": 3, "list": rows})

    assert (3, 3, [APPID]) == (page.total, page.rows, list(page.refresh_tokens))
    assert "Secret" not in repr(page)


def test_the_addresses_of_the_page_survive_encoding():
    back = "https://bi.example.com/back/a?b=c&d=商"
    pair = component.page_addresses(
        PLATFORM,
        PreAuthCode(Secret("p@@@&=#"), 600),
        back,
        sets=(17, 88),
        appid=APPID,
        mp_url="https://mp",
        open_url="https://o",
    )
    for address in pair:
        asked = parse_qs(urlsplit(address).query)

        assert ([back], ["p@@@&=#"], ["17|88"]) == (
            asked["redirect_uri"], asked["pre_auth_code"], asked["category_id_list"],
        )  # fmt: skip
        assert ([APPID], ["2"]) == (asked["biz_appid"], asked["auth_type"])


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd", "gopher://wx.qlogo.cn/", "http://127.0.0.1/x", "http://[::1]/", "http://169.254.169.254/",
        "http://qlogo.cn.evil.example/", "http://evilqlogo.cn/", "http://wx.qlogo.cn@evil.example/",
        "http://user@wx.qlogo.cn/", "http://wx.qlogo.cn:22/", "//wx.qlogo.cn/x", "http://wx.qlogo.cn:99999/", "", "http://",
    ],
)  # fmt: skip
def test_head_images_come_from_nowhere_else(url):
    assert not component.is_head_image_address(url)
    with pytest.raises(WeChatUnavailable, match="not WeChat's"):
        WeChatClient("http://127.0.0.1:9").head_image(url)


@pytest.mark.parametrize(
    "url", ["http://wx.qlogo.cn/mmopen/x/0", "https://mmbiz.qpic.cn/a?b", "https://wx.qlogo.cn:443/a"]
)
def test_head_images_come_from_wechats_hosts(url):
    assert component.is_head_image_address(url)


def test_a_host_of_theirs_that_resolves_to_a_private_address_is_hung_up_on():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as line,
        pytest.raises(ConnectionRefusedError),
    ):
        _Line(0, 1, only_public=True).check_peer(line)

    assert -1 == line.fileno()
