"""
What the third-party platform lives on: WeChat's ticket, the platform's own token, and the tokens of mini programs that
authorised it. Stores and asks; when to ask, and who may, is decided in ``tokens``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine

from fab_minicode import clocks
from fab_minicode.errors import AuthorizationLost, SecretUnreadable, TicketRejected, TokenRejected, WeChatError
from fab_minicode.models import Component, Token
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat import component as wechat
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.component import Platform
from fab_minicode.wechat.credentials import AccessToken

TICKET_LIVES = dt.timedelta(hours=12)
"""Life of a ticket; a new one is pushed every ten minutes. Source: docs/wechat.md."""

ASK_AGAIN_AFTER = dt.timedelta(minutes=10)
"""How often WeChat is asked at most to start pushing again: as often as it pushes."""

REFRESH_TOKEN_INVALID = 61023
_MAX_LIST_PAGES = 20


@dataclass(frozen=True)
class Ticket:
    """The newest ticket and WeChat's time of it; ``text`` is None when our keys do not open it."""

    text: Secret | None
    created_at: dt.datetime
    received_at: dt.datetime

    def is_fresh(self, now: dt.datetime) -> bool:
        """Return whether WeChat still takes it, by its age."""
        return self.text is not None and now - self.created_at < TICKET_LIVES


def place_of_ticket(appid: str) -> str:
    """Return the vault place of a component's ticket."""
    return f"component:sealed_ticket:{appid}"


def take_ticket(connection: Connection, appid: str, sealed: str, *, created_at: dt.datetime, now: dt.datetime) -> bool:
    """Store a ticket unless a newer one is there; return whether it was stored."""
    _ensure_row(connection, appid)
    # Of the same second, the one that comes later: WeChat tells no more.
    is_newer = or_(Component.ticket_at.is_(None), Component.ticket_at <= created_at)
    values = {"sealed_ticket": sealed, "ticket_at": created_at, "received_at": now}
    statement = update(Component.__table__).where(Component.appid == appid, is_newer).values(**values)
    stored: int = connection.execute(statement).rowcount
    return bool(stored)


def ticket_of(connection: Connection, vault: Vault, appid: str) -> Ticket | None:
    """Return the newest ticket, None before the first one."""
    columns = (Component.sealed_ticket, Component.ticket_at, Component.received_at)
    row = connection.execute(select(*columns).where(Component.appid == appid)).first()
    if row is None or row.sealed_ticket is None:
        return None
    try:
        text: Secret | None = vault.open(row.sealed_ticket, place_of_ticket(appid))
    except SecretUnreadable:  # sealed with a key that is gone: the next push brings another
        text = None
    return Ticket(text, row.ticket_at, row.received_at)


def note(engine: Engine, appid: str, error: WeChatError | None, now: dt.datetime) -> None:
    """Remember what WeChat said to the platform last; None: all is well."""
    values = {"last_error": str(error) if error else None, "last_error_at": now if error else None}
    with engine.begin() as connection:
        _ensure_row(connection, appid)
        connection.execute(update(Component.__table__).where(Component.appid == appid).values(**values))


@dataclass(frozen=True)
class ComponentWay:
    """Asks WeChat in the platform's name. ``engine`` holds ticket and refresh tokens, ``vault`` opens them."""

    engine: Engine
    vault: Vault
    client: WeChatClient
    platform: Platform

    def own_token(self, now: dt.datetime) -> AccessToken:
        """
        Return the platform's next token.

        Raises:
            TicketRejected: If there is no ticket that WeChat takes; WeChat was asked to push one, if it is time.
            ComponentRejected: If AppID or AppSecret of the platform is wrong.
            WeChatError: If WeChat refuses for another reason.
        """
        with self.engine.connect() as connection:
            ticket = ticket_of(connection, self.vault, self.platform.appid)
        try:
            if ticket is None or ticket.text is None:
                raise TicketRejected(0, "no ticket yet")
            if not ticket.is_fresh(now):
                self.ask_for_tickets(now)
                if now - ticket.received_at >= TICKET_LIVES:
                    raise TicketRejected(0, "the ticket is older than 12 hours")
            token = self.client.ask(wechat.token_call(self.platform, ticket.text), wechat.decipher_component_token)
        except TicketRejected as error:
            self.ask_for_tickets(now)
            note(self.engine, self.platform.appid, error, now)
            raise
        except WeChatError as error:
            note(self.engine, self.platform.appid, error, now)
            raise
        note(self.engine, self.platform.appid, None, now)
        return token

    def look_after_ticket(self, now: dt.datetime) -> None:
        """Ask WeChat to push tickets when there is none that it takes, and none was asked for a moment ago."""
        with self.engine.connect() as connection:
            ticket = ticket_of(connection, self.vault, self.platform.appid)
        if ticket is None or not ticket.is_fresh(now):
            self.ask_for_tickets(now)

    def ask_for_tickets(self, now: dt.datetime) -> bool:
        """Ask WeChat to push tickets, unless it was asked a moment ago; return whether it agreed."""
        is_due = clocks.is_over(Component.asked_at, now - ASK_AGAIN_AFTER, lasts=ASK_AGAIN_AFTER)
        with self.engine.begin() as connection:
            _ensure_row(connection, self.platform.appid)
            statement = update(Component.__table__).where(Component.appid == self.platform.appid, is_due)
            if not connection.execute(statement.values(asked_at=now)).rowcount:
                return False
        try:
            self.client.ask(wechat.start_push_call(self.platform), wechat.decipher_done)
        except WeChatError:  # the lack of a ticket is what the caller is told
            return False
        return True

    def authorizer_token(self, appid: str, with_component: WithComponent) -> AccessToken:
        """
        Return a mini program's next token. A refresh token that WeChat calls invalid is looked up once in the list of
        authorizers, which holds the right one.

        Raises:
            AuthorizationLost: If the mini program no longer lets us act for it.
            WeChatError: If WeChat refuses for another reason.
        """
        refresh_token = self._refresh_token(appid)
        if refresh_token is None:
            return self._mended(appid, None, with_component)
        try:
            return self._next(appid, refresh_token, with_component)
        except AuthorizationLost as error:
            if error.errcode != REFRESH_TOKEN_INVALID:
                raise
            told = error
        return self._mended(appid, told, with_component)

    def listed_refresh_token(self, appid: str, with_component: WithComponent) -> Secret | None:
        """Return the refresh token of a mini program as WeChat's list of authorizers has it; None: it is not there."""
        offset = 0
        for _ in range(_MAX_LIST_PAGES):
            page = with_component(partial(self._list, offset))
            if appid in page.refresh_tokens:
                found: Secret = page.refresh_tokens[appid]
                return found
            offset += page.rows
            if not page.rows or offset >= page.total:
                break
        return None

    def mended_token(self, appid: str, with_component: WithComponent) -> AccessToken:
        """Return a token by the list of authorizers alone. Raises AuthorizationLost when it does not name us one."""
        return self._mended(appid, None, with_component)

    def _mended(self, appid: str, told: AuthorizationLost | None, with_component: WithComponent) -> AccessToken:
        listed = self.listed_refresh_token(appid, with_component)
        if listed is None:
            raise told or AuthorizationLost(REFRESH_TOKEN_INVALID, "no refresh token", endpoint=wechat.AUTHORIZER_TOKEN)
        token = self._next(appid, listed, with_component)
        return token if token.refresh_token else AccessToken(token.token, token.expires_in_seconds, listed)

    def _list(self, offset: int, token: Secret) -> wechat.ListPage:
        return self.client.ask(wechat.list_call(self.platform, token, offset), wechat.decipher_list)

    def _next(self, appid: str, refresh_token: Secret, with_component: WithComponent) -> AccessToken:
        answer: AccessToken = with_component(
            lambda token: self.client.ask(
                wechat.authorizer_token_call(self.platform, token, appid, refresh_token),
                wechat.decipher_authorizer_token,
            )
        )
        return answer

    def _refresh_token(self, appid: str) -> Secret | None:
        subject = subject_of_authorizer(appid)
        with self.engine.connect() as connection:
            sealed = connection.execute(select(Token.sealed_refresh_token).where(Token.subject == subject)).scalar()
        if sealed is None:
            return None
        try:
            return self.vault.open(sealed, place_of_refresh_token(subject))
        except SecretUnreadable:  # WeChat's list has it
            return None


WithComponent = Callable[[Callable[[Secret], Any]], Any]
"""Calls its argument with the platform's token; once more with a new one when WeChat refuses the first."""


def subject_of_authorizer(appid: str) -> str:
    """Return the subject of the token of a mini program that authorised us."""
    return f"authorizer:{appid}"


def subject_of_component(appid: str) -> str:
    """Return the subject of the platform's own token."""
    return f"component:{appid}"


def place_of_refresh_token(subject: str) -> str:
    """Return the vault place of a subject's refresh token."""
    return f"tokens:sealed_refresh_token:{subject}"


def once_more(ask: Callable[[Secret], Any], token: Secret, renewed: Callable[[Secret], Secret]) -> Any:
    """Return ``ask(token)``, or what it returns for the token that replaces one WeChat refuses."""
    try:
        return ask(token)
    except TokenRejected:
        pass
    return ask(renewed(token))


def _ensure_row(connection: Connection, appid: str) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(Component.__table__).values(appid=appid)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["appid"]))
