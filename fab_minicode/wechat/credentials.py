"""
How an access token is asked for and what the answer holds. Pure.

``stable_token`` is asked in place of ``token``: in its normal mode all callers get the same token, so that processes
do not end each other's, and the secret travels in the body, not in the address (docs/wechat.md, "Access tokens").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fab_minicode.errors import SecretRejected, TokenRejected
from fab_minicode.vault import Secret
from fab_minicode.wechat.protocol import Call, broken, decipher_json

STABLE_TOKEN = "/cgi-bin/stable_token"  # noqa: S105 - a path

MAX_LIFE_SECONDS = 7200
"""WeChat's longest life of a token. Source: docs/wechat.md, "Access tokens"."""

UNREADABLE_LIFE_SECONDS = 600
"""Life that is assumed when ``expires_in`` is missing or absurd: long enough not to ask WeChat at each call, short
enough to heal soon; a token that dies earlier is replaced when WeChat refuses it."""

_TOKEN = re.compile(r"^[\x21-\x7e]{1,2048}$")


@dataclass(frozen=True)
class AccessToken:
    """A token, how long it lives from the moment of the answer, and what the next one is asked for with."""

    token: Secret
    expires_in_seconds: int
    refresh_token: Secret | None = None


def stable_token_call(appid: str, secret: Secret, *, force_refresh: bool = False) -> Call:
    """
    Return the call for the token of a mini program whose secret we hold.

    ``force_refresh`` ends the present token at once; WeChat grants it 20 times a day, 30 seconds apart.
    """
    body: dict[str, Any] = {"grant_type": "client_credential", "appid": appid, "secret": secret.reveal()}
    if force_refresh:
        body["force_refresh"] = True
    return Call(STABLE_TOKEN, body, secrets=(secret,))


def decipher_token(content: bytes, call: Call) -> AccessToken:
    """
    Read the answer to :func:`stable_token_call`.

    Raises:
        SecretRejected: When WeChat says that AppID and secret do not belong together. Its 40001 means that here:
            no token was sent that it could refuse.
        WeChatError: For any other errcode.
        WeChatUnavailable: When the answer holds no token.
    """
    try:
        answer = decipher_json(content, call)
    except TokenRejected as error:
        rejected = SecretRejected(error.errcode, error.errmsg, rid=error.rid, endpoint=error.endpoint)
    else:
        return _read(answer, call)
    raise rejected


def read_life(raw: Any) -> int:
    """Return ``expires_in`` in seconds from a number or a text; 600 when it is missing, not positive or absurd."""
    try:
        seconds = int(raw) if isinstance(raw, (int, float, str)) and not isinstance(raw, bool) else 0
    except (ValueError, OverflowError):
        seconds = 0
    return min(seconds, MAX_LIFE_SECONDS) if seconds > 0 else UNREADABLE_LIFE_SECONDS


def _read(answer: Mapping[str, Any], call: Call) -> AccessToken:
    return AccessToken(read_token(answer, "access_token", call), read_life(answer.get("expires_in")))


def read_token(answer: Mapping[str, Any], name: str, call: Call) -> Secret:
    """Return a token of an answer. Raises WeChatUnavailable when it is missing or no token."""
    token = answer.get(name)
    if not isinstance(token, str) or not _TOKEN.match(token):
        raise broken(f"an answer without {name}", call)
    return Secret(token)
