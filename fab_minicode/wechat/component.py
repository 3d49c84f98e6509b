"""
The third-party platform's calls and answers. Pure.

The platform ("component") proves itself by AppID, AppSecret and the ticket that WeChat pushes; with its own token it
asks for what mini programs granted it. Source: docs/authorisation.md and docs/wechat.md, "The platform".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

from fab_minicode.errors import ComponentRejected, SecretRejected, TokenRejected, WeChatError
from fab_minicode.vault import Secret
from fab_minicode.wechat.credentials import AccessToken, read_life, read_token
from fab_minicode.wechat.protocol import Call, broken, decipher_json, one_line

TOKEN = "/cgi-bin/component/api_component_token"  # noqa: S105 - a path
PRE_AUTH_CODE = "/cgi-bin/component/api_create_preauthcode"
QUERY_AUTH = "/cgi-bin/component/api_query_auth"
AUTHORIZER_TOKEN = "/cgi-bin/component/api_authorizer_token"  # noqa: S105 - a path
AUTHORIZER_INFO = "/cgi-bin/component/api_get_authorizer_info"
AUTHORIZER_LIST = "/cgi-bin/component/api_get_authorizer_list"
START_PUSH_TICKET = "/cgi-bin/component/api_start_push_ticket"

CODES_SET, LINKS_SET = 17, 88
"""Permission sets: making codes, which we need; links (URL scheme and URL link), which may be asked for."""

LIST_COUNT = 500
"""Rows of one page of the list of authorizers; WeChat's most. Source: docs/wechat.md."""

MAX_CODE_CHARACTERS = 512

_PC_PAGE, _PHONE_PAGE = "/cgi-bin/componentloginpage", "/wxaopen/safe/bindcomponent"
_APPID = re.compile(r"wx[0-9A-Za-z]{6,30}", re.ASCII)
_CODE = re.compile(r"[\x21-\x7e]{1,512}")
_MINI_PROGRAMS_ONLY = "2"
_MAX_SETS = 200
# Where WeChat keeps the pictures of accounts.
_PICTURE_HOSTS = ("qlogo.cn", "qpic.cn")


@dataclass(frozen=True)
class Platform:
    """The third-party platform that we are at WeChat: its AppID and AppSecret."""

    appid: str
    secret: Secret


@dataclass(frozen=True)
class PreAuthCode:
    """What opens WeChat's page once, and the seconds it lives."""

    code: Secret
    expires_in_seconds: int


@dataclass(frozen=True)
class Grant:
    """What an authorisation gives: whose it is, the first token with its refresh token, the permission sets ticked."""

    appid: str
    token: AccessToken
    sets: tuple[int, ...]

    @property
    def refresh_token(self) -> Secret:
        """The refresh token, which a grant always has."""
        if self.token.refresh_token is None:
            raise ValueError("a grant without refresh token")
        return self.token.refresh_token


@dataclass(frozen=True)
class Profile:
    """What WeChat tells of an account: ``is_mini_program`` False for an official account."""

    nick_name: str
    principal_name: str
    head_image_url: str
    is_mini_program: bool
    account_status: int
    sets: tuple[int, ...]


@dataclass(frozen=True)
class ListPage:
    """One page of the list of authorizers: AppID to refresh token, and how many there are in all."""

    total: int
    rows: int
    refresh_tokens: Mapping[str, Secret] = field(repr=False)


def is_code(text: str) -> bool:
    """Return whether this may be an authorisation code or a ticket: 1 to 512 visible ASCII characters."""
    return _CODE.fullmatch(text) is not None


def is_appid(text: str) -> bool:
    """Return whether this may be a mini program's AppID."""
    return _APPID.fullmatch(text) is not None


# -------------------------------------------------------------------------------------------------------- WeChat's page


def page_addresses(
    platform: Platform,
    code: PreAuthCode,
    return_to: str,
    *,
    sets: tuple[int, ...],
    appid: str = "",
    mp_url: str,
    open_url: str,
) -> tuple[str, str]:
    """
    Return the addresses of WeChat's page: with a code to scan for computers, and for people who are on the phone.

    They must be reached by a click on a page of ours: WeChat checks the Referer.

    Args:
        platform: Who asks.
        code: Fresh; a new one for every visit.
        return_to: Where WeChat leads the person afterwards.
        sets: Permission sets asked for.
        appid: The one mini program that may be chosen; "" for any.
        mp_url: WeChat's address for computers.
        open_url: WeChat's address for phones.
    """
    asked = {
        "component_appid": platform.appid,
        "pre_auth_code": code.code.reveal(),
        "redirect_uri": return_to,
        "auth_type": _MINI_PROGRAMS_ONLY,
        "category_id_list": "|".join(map(str, sets)),
        **({"biz_appid": appid} if appid else {}),
    }
    phone = urlencode({"action": "bindcomponent", "no_scan": "1", **asked})
    return f"{mp_url}{_PC_PAGE}?{urlencode(asked)}", f"{open_url}{_PHONE_PAGE}?{phone}#wechat_redirect"


# --------------------------------------------------------------------------------------------------------------- calls


def token_call(platform: Platform, ticket: Secret) -> Call:
    """Return the call for the platform's own token."""
    body = {
        "component_appid": platform.appid,
        "component_appsecret": platform.secret.reveal(),
        "component_verify_ticket": ticket.reveal(),
    }
    return Call(TOKEN, body, secrets=(platform.secret, ticket))


def start_push_call(platform: Platform) -> Call:
    """Return the call that makes WeChat push tickets again; here the key is ``component_secret``."""
    body = {"component_appid": platform.appid, "component_secret": platform.secret.reveal()}
    return Call(START_PUSH_TICKET, body, secrets=(platform.secret,))


def pre_auth_call(platform: Platform, token: Secret) -> Call:
    """Return the call for a pre-authorisation code."""
    return _call(PRE_AUTH_CODE, platform, token)


def query_auth_call(platform: Platform, token: Secret, code: Secret) -> Call:
    """Return the call that turns an authorisation code into tokens; a code works once."""
    return _call(QUERY_AUTH, platform, token, {"authorization_code": code.reveal()}, (code,))


def authorizer_token_call(platform: Platform, token: Secret, appid: str, refresh_token: Secret) -> Call:
    """Return the call for a mini program's next access token."""
    more = {"authorizer_appid": appid, "authorizer_refresh_token": refresh_token.reveal()}
    return _call(AUTHORIZER_TOKEN, platform, token, more, (refresh_token,))


def info_call(platform: Platform, token: Secret, appid: str) -> Call:
    """Return the call for what WeChat tells of an account."""
    return _call(AUTHORIZER_INFO, platform, token, {"authorizer_appid": appid})


def list_call(platform: Platform, token: Secret, offset: int) -> Call:
    """Return the call for one page of everybody who authorised us."""
    return _call(AUTHORIZER_LIST, platform, token, {"offset": offset, "count": LIST_COUNT})


def _call(
    endpoint: str,
    platform: Platform,
    token: Secret,
    more: Mapping[str, Any] | None = None,
    secrets: tuple[Secret, ...] = (),
) -> Call:
    body = {"component_appid": platform.appid, **(more or {})}
    known = (platform.secret, *secrets)
    return Call(endpoint, body, token, secrets=known, token_parameter="component_access_token")  # noqa: S106 - a name


# ------------------------------------------------------------------------------------------------------------- answers


def decipher_component_token(content: bytes, call: Call) -> AccessToken:
    """Read the answer to :func:`token_call`. Raises ComponentRejected when AppID or AppSecret is wrong, WeChatError."""
    answer = _of_platform(content, call)
    return AccessToken(read_token(answer, "component_access_token", call), read_life(answer.get("expires_in")))


def decipher_done(content: bytes, call: Call) -> None:
    """Read an answer that holds nothing but success. Raises ComponentRejected, WeChatError."""
    _of_platform(content, call)


def decipher_pre_auth(content: bytes, call: Call) -> PreAuthCode:
    """Read the answer to :func:`pre_auth_call`."""
    answer = decipher_json(content, call)
    return PreAuthCode(read_token(answer, "pre_auth_code", call), read_life(answer.get("expires_in")))


def decipher_grant(content: bytes, call: Call) -> Grant:
    """Read the answer to :func:`query_auth_call`. Raises AuthCodeRejected when the code is used up or too old."""
    granted = _mapping(decipher_json(content, call), "authorization_info", call)
    appid = granted.get("authorizer_appid")
    if not isinstance(appid, str) or not is_appid(appid):
        raise broken("an answer without authorizer_appid", call)
    return Grant(appid, _authorizer_token(granted, call, needs_refresh=True), read_sets(granted.get("func_info")))


def decipher_authorizer_token(content: bytes, call: Call) -> AccessToken:
    """Read the answer to :func:`authorizer_token_call`. Raises AuthorizationLost when it is over."""
    return _authorizer_token(decipher_json(content, call), call, needs_refresh=False)


def decipher_profile(content: bytes, call: Call) -> Profile:
    """Read the answer to :func:`info_call`; texts are cut to what we store."""
    answer = decipher_json(content, call)
    told = _mapping(answer, "authorizer_info", call)
    granted = answer.get("authorization_info")
    status = told.get("account_status")
    return Profile(
        nick_name=_text(told, "nick_name", 128),
        principal_name=_text(told, "principal_name", 128),
        head_image_url=_text(told, "head_img", 1024),
        # The key itself is the sign: an official account has none. Source: docs/wechat.md.
        is_mini_program=isinstance(told.get("MiniProgramInfo"), dict),
        account_status=status if isinstance(status, int) and not isinstance(status, bool) else 1,
        sets=read_sets(granted.get("func_info") if isinstance(granted, dict) else None),
    )


def decipher_list(content: bytes, call: Call) -> ListPage:
    """Read the answer to :func:`list_call`; rows without a usable refresh token are counted but left out."""
    answer = decipher_json(content, call)
    rows, total = answer.get("list"), answer.get("total_count")
    if not isinstance(rows, list):
        raise broken("an answer without list", call)
    found: dict[str, Secret] = {}
    for row in rows:
        appid, token = (row.get("authorizer_appid"), row.get("refresh_token")) if isinstance(row, dict) else ("", "")
        if isinstance(appid, str) and is_appid(appid) and isinstance(token, str) and is_code(token):
            found[appid] = Secret(token)
    return ListPage(total if isinstance(total, int) else len(rows), len(rows), found)


def read_sets(raw: Any) -> tuple[int, ...]:
    """Return the numbers of the permission sets in ``func_info``, in order; what is none is left out."""
    found: set[int] = set()
    for row in raw[:_MAX_SETS] if isinstance(raw, list) else ():
        category = row.get("funcscope_category") if isinstance(row, dict) else None
        number = category.get("id") if isinstance(category, dict) else None
        if isinstance(number, int) and not isinstance(number, bool) and 0 < number < 100_000:
            found.add(number)
    return tuple(sorted(found))


def is_head_image_address(url: str) -> bool:
    """Return whether a head image may be fetched from here: WeChat's own picture hosts, ordinary ports, no password."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    host = (parts.hostname or "").lower()
    is_theirs = any(host == one or host.endswith(f".{one}") for one in _PICTURE_HOSTS)
    return parts.scheme in ("http", "https") and is_theirs and port in (None, 80, 443) and "@" not in parts.netloc


def _authorizer_token(answer: Mapping[str, Any], call: Call, *, needs_refresh: bool) -> AccessToken:
    token = read_token(answer, "authorizer_access_token", call)
    life = read_life(answer.get("expires_in"))
    has_refresh = needs_refresh or bool(answer.get("authorizer_refresh_token"))
    refresh = read_token(answer, "authorizer_refresh_token", call) if has_refresh else None
    return AccessToken(token, life, refresh)


def _of_platform(content: bytes, call: Call) -> Mapping[str, Any]:
    # WeChat's 40001 and 40125 mean here that the platform's own secret is wrong: no token was sent.
    try:
        return decipher_json(content, call)
    except (SecretRejected, TokenRejected) as error:
        told: WeChatError = error
    raise ComponentRejected(told.errcode, told.errmsg, rid=told.rid, endpoint=told.endpoint)


def _mapping(answer: Mapping[str, Any], name: str, call: Call) -> Mapping[str, Any]:
    found = answer.get(name)
    if not isinstance(found, dict):
        raise broken(f"an answer without {name}", call)
    return found


def _text(answer: Mapping[str, Any], name: str, most: int) -> str:
    found = answer.get(name)
    return one_line(found)[:most] if isinstance(found, str) else ""
