"""
The sandbox's third-party platform: ticket, tokens, pre-authorisation codes, authorisations, and the pushes that tell of
them. State and rules; the interfaces stand in ``component_interfaces``, WeChat's page in ``login_page``.
"""

from __future__ import annotations

import http.client
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit
from xml.sax.saxutils import escape

from fab_minicode.sandbox.answers import Refusal
from fab_minicode.wechat.callbacks import encrypt, sign

TICKET_SECONDS, TICKET_LIFE_SECONDS = 600, 12 * 3600
TOKEN_LIFE_SECONDS, PRE_AUTH_LIFE_SECONDS, AUTH_CODE_LIFE_SECONDS = 7200, 1800, 3600
SETS: tuple[int, ...] = (17, 18, 25, 30, 40, 48, 49, 88, 105)
"""Permission sets that an administrator may tick. Source: docs/wechat.md."""

ORDERS = ("push_first", "return_first", "push_twice", "no_push", "push_only")
"""What an authorisation does: push then lead back, the other way round, push twice, not push, or not lead back."""


@dataclass
class PlatformApp:
    """
    A third-party platform as the Open Platform knows it.

    Attributes:
        tokens: Tokens that sign pushes; the first one is used.
        aes_keys: EncodingAESKeys; the first one is used.
        events_url: Where pushes go; "" for nowhere.
        entry_hosts: Hosts whose pages may lead to WeChat's page; empty: the one that the person returns to.
        rotates: Whether each new access token comes with a new refresh token, the old one being dead.
        checks_referer: Whether WeChat's page looks where a person comes from.
        order: Of :data:`ORDERS`.
    """

    appid: str
    secret: str
    tokens: tuple[str, ...]
    aes_keys: tuple[str, ...]
    events_url: str = ""
    entry_hosts: tuple[str, ...] = ()
    rotates: bool = False
    checks_referer: bool = True
    order: str = "push_first"


@dataclass
class Granted:
    """A standing authorisation: what was ticked, the refresh token that works, when it was given (Unix seconds)."""

    sets: tuple[int, ...]
    refresh_token: str
    at: float
    was_queried: bool = False


@dataclass
class HandedOut:
    """An authorisation code: for whom, when it dies (Unix seconds), whether it was used."""

    appid: str
    dies_at: float
    is_used: bool = False


@dataclass
class Platform:
    """The state of one platform. ``now`` is the sandbox's clock."""

    app: PlatformApp
    now: Callable[[], float]
    ticket: str = ""
    tickets: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, float] = field(default_factory=dict)
    pre_auth_codes: dict[str, float] = field(default_factory=dict)
    codes: dict[str, HandedOut] = field(default_factory=dict)
    granted: dict[str, Granted] = field(default_factory=dict)
    pushed: list[tuple[str, int]] = field(default_factory=list)

    def next_ticket(self) -> str:
        """Return a new ticket; the older ones work on for their twelve hours."""
        self.ticket = f"ticket@@@{secrets.token_urlsafe(60)}"
        self.tickets[self.ticket] = self.now()
        return self.ticket

    def next_token(self, ticket: str) -> str:
        """Return a token of the platform. Raises Refusal 61005 or 61006."""
        if ticket not in self.tickets:
            raise Refusal(61006)
        if self.now() - self.tickets[ticket] >= TICKET_LIFE_SECONDS:
            raise Refusal(61005)
        token = f"91_{secrets.token_urlsafe(90)}"
        self.tokens[token] = self.now() + TOKEN_LIFE_SECONDS
        return token

    def check_token(self, token: str) -> None:
        """Raise Refusal 41001, 40001 or 42001 unless this is a living token of the platform."""
        if not token:
            raise Refusal(41001)
        if token not in self.tokens:
            raise Refusal(40001)
        if self.now() >= self.tokens[token]:
            raise Refusal(42001)

    def next_pre_auth_code(self) -> str:
        """Return a new pre-authorisation code."""
        code = f"preauthcode@@@{secrets.token_urlsafe(40)}"
        self.pre_auth_codes[code] = self.now() + PRE_AUTH_LIFE_SECONDS
        return code

    def authorize(self, appid: str, sets: tuple[int, ...]) -> str:
        """Record that an administrator said yes; return the authorisation code. Earlier refresh tokens are dead."""
        self.granted[appid] = Granted(sets, _refresh_token(), self.now())
        code = f"queryauthcode@@@{secrets.token_urlsafe(40)}"
        self.codes[code] = HandedOut(appid, self.now() + AUTH_CODE_LIFE_SECONDS)
        return code

    def use_code(self, code: str) -> str:
        """Return whose an authorisation code is, once. Raises Refusal 61009 or 61010."""
        found = self.codes.get(code)
        if found is None or found.is_used or found.appid not in self.granted:
            raise Refusal(61009)
        if self.now() >= found.dies_at:
            raise Refusal(61010)
        found.is_used = True
        self.granted[found.appid].was_queried = True
        return found.appid

    def refresh(self, appid: str, refresh_token: str) -> str:
        """Return the refresh token that works from now on. Raises Refusal 61003 or 61023."""
        granted = self.granted.get(appid)
        if granted is None:
            raise Refusal(61003)
        if refresh_token != granted.refresh_token:
            raise Refusal(61023)
        if self.app.rotates:
            granted.refresh_token = _refresh_token()
        return granted.refresh_token

    def as_document(self) -> dict[str, Any]:
        """Return what is kept over a restart."""
        document = {name: getattr(self, name) for name in ("ticket", "tickets", "tokens")}
        return {**document, "granted": {appid: asdict(one) for appid, one in self.granted.items()}}

    def load(self, document: dict[str, Any]) -> None:
        """Take over what :meth:`as_document` returned."""
        self.ticket, self.tickets, self.tokens = (document[name] for name in ("ticket", "tickets", "tokens"))
        for appid, row in document["granted"].items():
            self.granted[appid] = Granted(**{**row, "sets": tuple(row["sets"])})


def envelope(
    app: PlatformApp, fields: dict[str, Any], *, stamp: int, token: str = "", aes_key: str = ""
) -> tuple[str, bytes]:
    """
    Return ``(query string, body)`` of one push as WeChat sends it.

    Args:
        app: The platform it is for.
        fields: Of the inner XML, in order.
        stamp: Unix seconds in the query.
        token: Signs instead of the platform's first one.
        aes_key: Encrypts instead of the platform's first one.
    """
    inner = "".join(f"<{name}>{escape(str(value))}</{name}>" for name, value in fields.items())
    key, signer = aes_key or app.aes_keys[0], token or app.tokens[0]
    encrypted = encrypt(f"<xml>{inner}</xml>".encode(), key, app.appid, os.urandom(16))
    nonce = str(secrets.randbelow(10**9))
    query = urlencode(
        {
            "signature": sign(signer, str(stamp), nonce, ""),
            "timestamp": stamp,
            "nonce": nonce,
            "encrypt_type": "aes",
            "msg_signature": sign(signer, str(stamp), nonce, encrypted),
        }
    )
    body = f"<xml>\n    <AppId><![CDATA[{app.appid}]]></AppId>\n    <Encrypt><![CDATA[{encrypted}]]></Encrypt>\n</xml>"
    return query, body.encode()


def fields_of(app: PlatformApp, info_type: str, now: float, **more: Any) -> dict[str, Any]:
    """Return the inner fields of a push of this kind."""
    return {"AppId": app.appid, "CreateTime": int(now), "InfoType": info_type, **more}


def deliver(platform: Platform, fields: dict[str, Any], **keys: str) -> int:
    """Push to the platform's address; return the HTTP status, 0 when nobody answers or there is no address."""
    if not platform.app.events_url:
        return 0
    query, body = envelope(platform.app, fields, stamp=int(time.time()), **keys)
    status = post(f"{platform.app.events_url}?{query}", body)
    platform.pushed.append((str(fields["InfoType"]), status))
    return status


def post(url: str, body: bytes) -> int:
    """Send one push; return the HTTP status, 0 when nobody answers."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(str(parts.hostname), parts.port, timeout=5)
    try:
        connection.request("POST", f"{parts.path}?{parts.query}", body, {"Content-Type": "text/xml"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


class TicketPusher:
    """Pushes a ticket at once and then every ten minutes, in a thread; as soon as somebody listens."""

    def __init__(self, platform: Platform, stopping: threading.Event) -> None:
        self._platform, self._stopping = platform, stopping
        self._thread = threading.Thread(target=self._run, name="sandbox-tickets", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _run(self) -> None:
        pause = 0.5
        while not self._stopping.wait(pause):
            pause = TICKET_SECONDS if push_ticket(self._platform) == 200 else 2.0


def push_ticket(platform: Platform, **keys: str) -> int:
    """Push a new ticket; return the HTTP status."""
    ticket = platform.next_ticket()
    fields = fields_of(platform.app, "component_verify_ticket", platform.now(), ComponentVerifyTicket=ticket)
    return deliver(platform, fields, **keys)


def push_authorized(platform: Platform, code: str, *, kind: str = "authorized", pre_auth_code: str = "") -> int:
    """Push that somebody authorised the platform, or changed what it may do; return the HTTP status."""
    handed_out = platform.codes[code]
    more = {
        "AuthorizerAppid": handed_out.appid,
        "AuthorizationCode": code,
        "AuthorizationCodeExpiredTime": int(handed_out.dies_at),
        "PreAuthCode": pre_auth_code,
    }
    at = platform.granted[handed_out.appid].at if handed_out.appid in platform.granted else platform.now()
    return deliver(platform, fields_of(platform.app, kind, at, **more))


def unauthorize(platform: Platform, appid: str) -> int:
    """End an authorisation and push it; return the HTTP status."""
    platform.granted.pop(appid, None)
    return deliver(platform, fields_of(platform.app, "unauthorized", platform.now(), AuthorizerAppid=appid))


def _refresh_token() -> str:
    return f"refreshtoken@@@{secrets.token_urlsafe(32)}"
