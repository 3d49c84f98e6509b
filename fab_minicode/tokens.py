"""
Access tokens: one cached row per subject (``minicode_tokens``), refreshed by one process at a time.

A refresh runs under a timed lease in that row: a conditional UPDATE takes it, the holder asks WeChat outside of any
transaction, and stores the answer only if it still holds the lease (a late writer is fenced off by ``lease_holder``
and ``version``). Whoever comes meanwhile polls the row. A holder that dies is replaced when its lease runs out.

Every step is a short transaction of one statement on the engine, because a lease must be visible to others at once.
So a caller must have no write of its own open in a session when it asks for a token (SQLite has one writer).
"""

from __future__ import annotations

import datetime as dt
import random
import secrets
import time
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import and_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import OperationalError

from fab_minicode import clocks
from fab_minicode.component_tokens import (
    ComponentWay,
    once_more,
    place_of_refresh_token,
    subject_of_authorizer,
    subject_of_component,
)
from fab_minicode.errors import (
    AccountBlocked,
    AuthorizationLost,
    ConfigurationError,
    NotAuthorized,
    SecretRejected,
    SecretUnreadable,
    TokenRejected,
    WeChatError,
    WeChatUnavailable,
)
from fab_minicode.models import Authorizer, Token
from fab_minicode.token_rows import Clock, Credential, Stored, place_of
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.component import Platform
from fab_minicode.wechat.credentials import AccessToken

REFRESH_WHEN_LEFT_SECONDS = 300
"""WeChat hands out a new token in the last five minutes, and both work. Source: docs/wechat.md, "Access tokens"."""

LEASE_SECONDS = 30.0
_GRACE_SECONDS = 5.0
_POLL_SECONDS = 0.1
_LOCK_TRIES = 6
# SQLSTATE of "try the transaction again": serialization failure, deadlock, lock not available.
_TRY_AGAIN = ("40001", "40P01", "55P03")

# What only a person can mend: the mini program must be connected again.
_DEAD = (SecretRejected, AuthorizationLost, AccountBlocked)
_DEAD_AUTHORIZATION = (AuthorizationLost, AccountBlocked)  # a rejected secret is the platform's own then

_T = TypeVar("_T")


Provider = Callable[[str, "Secret | None"], "Secret | None"]
"""``(appid, refused token or None)`` -> token of the host's own service, None for a mini program it does not keep."""


class Tokens:
    """
    Valid access tokens for everybody who asks, from one row per mini program.

    Args:
        engine: The database that holds the rows.
        vault: Opens the mini programs' secrets and seals the tokens.
        client: The telephone.
        lease_seconds: How long a refresh may take before others take it over.
        platform: The third-party platform that we are, if we are one.
        provider: The host's own source of tokens, asked first.
    """

    def __init__(
        self,
        engine: Engine,
        vault: Vault,
        client: WeChatClient,
        *,
        lease_seconds: float = LEASE_SECONDS,
        platform: Platform | None = None,
        provider: Provider | None = None,
    ) -> None:
        self._engine, self._vault, self._client = engine, vault, client
        self._lease_seconds, self._provider = lease_seconds, provider
        self._way = ComponentWay(engine, vault, client, platform) if platform is not None else None

    def of(self, appid: str, *, now: dt.datetime) -> Secret:
        """
        Return a token that lives for some minutes, refreshed when fewer than 300 seconds are left.

        Raises:
            NotAuthorized: If the mini program is not connected, or its connection is known not to work.
            SecretUnreadable: If our keys do not open its secret.
            WeChatError: If the refresh was refused; WeChatUnavailable if it failed or somebody else's takes too long.
        """
        clock = Clock(now)
        return self._handed_in(appid, None) or self._current(self._credential(appid, clock), None, clock)

    def rejected(self, appid: str, token: Secret, *, now: dt.datetime) -> Secret:
        """
        Return a token after WeChat refused ``token``, at most one refresh away.

        If another token is stored already, it is that one. WeChat is told to end the present token by force only
        when it hands out the refused one again.

        Raises:
            TokenRejected: If WeChat has no other token to give.
            NotAuthorized, SecretUnreadable, WeChatError: As :meth:`of`.
        """
        clock = Clock(now)
        return self._handed_in(appid, token) or self._current(self._credential(appid, clock), token, clock)

    @property
    def way(self) -> ComponentWay:
        """How the platform asks WeChat. Raises ConfigurationError when we are none."""
        if self._way is None:
            raise ConfigurationError("no third-party platform is configured")
        return self._way

    def with_component(self, ask: Callable[[Secret], _T], *, now: dt.datetime) -> _T:
        """
        Return ``ask(token)`` for the platform's own token; asked once more when WeChat refuses the first one.

        Raises:
            ConfigurationError: If no platform is configured.
            TicketRejected: If WeChat's ticket is missing or too old; ComponentRejected if AppID or secret is wrong.
            WeChatError: As ``ask`` raises it, or the refresh.
        """
        clock = Clock(now)
        credential = self._component(clock)

        def renewed(token: Secret) -> Secret:
            return self._current(credential, token, clock)

        answer: _T = once_more(ask, self._current(credential, None, clock), renewed)
        return answer

    def _handed_in(self, appid: str, refused: Secret | None) -> Secret | None:
        """The host's token. Raises TokenRejected when the host knows no other one than WeChat refused."""
        if self._provider is None:
            return None
        self._authorized(appid)
        token = self._provider(appid, refused)
        if token is not None and token == refused:
            raise TokenRejected(40001, "the host's token service hands out the token that WeChat refuses")
        return token

    def _authorized(self, appid: str) -> Any:
        columns = (
            Authorizer.id, Authorizer.status, Authorizer.credential, Authorizer.sealed_secret, Authorizer.authorized_at
        )  # fmt: skip
        with self._engine.connect() as connection:
            row = connection.execute(select(*columns).where(Authorizer.appid == appid)).first()
        if row is None or row.status != "authorized":
            raise NotAuthorized(appid)
        return row

    def _credential(self, appid: str, clock: Clock) -> Credential:
        row = self._authorized(appid)
        if row.credential == "component" and self._way is not None:
            return self._authorizer(row, appid, self._way, clock)
        if row.credential != "secret":
            raise NotAuthorized(appid)
        secret = self._vault.open(row.sealed_secret, f"authorizers:sealed_secret:{appid}")

        def fetch(force: bool) -> AccessToken:
            return self._client.stable_token(appid, secret, force_refresh=force)

        return Credential(f"secret:{appid}", row.id, fetch, (Authorizer.sealed_secret == row.sealed_secret,), _DEAD)

    def _component(self, clock: Clock) -> Credential:
        way = self.way
        return Credential(subject_of_component(way.platform.appid), None, lambda _: way.own_token(clock.now()))

    def _authorizer(self, row: Any, appid: str, way: ComponentWay, clock: Clock) -> Credential:
        def with_component(ask: Callable[[Secret], Any]) -> Any:
            return self.with_component(ask, now=clock.now())

        def fetch(_: bool) -> AccessToken:
            return way.authorizer_token(appid, with_component)

        since = row.authorized_at
        same = Authorizer.authorized_at.is_(None) if since is None else Authorizer.authorized_at == since
        return Credential(
            subject_of_authorizer(appid), row.id, fetch, (Authorizer.credential == "component", same),
            _DEAD_AUTHORIZATION, prepare=lambda: self._current(self._component(clock), None, clock),
        )  # fmt: skip

    def _current(self, credential: Credential, unwanted: Secret | None, clock: Clock) -> Secret:
        stored = first = self._read(credential)
        while True:
            # A token that appeared while we waited is as fresh as WeChat gives them.
            enough = REFRESH_WHEN_LEFT_SECONDS if stored.version == first.version else 0
            if stored.works(unwanted, clock.now(), left_seconds=enough):
                return stored.good_token()
            try:
                credential.prepare()
            except WeChatError as error:
                self._give_up(credential, "", error, clock.now())
                if stored.works(unwanted, clock.now()):
                    return stored.good_token()
                raise
            holder = self._take_lease(credential, stored.version, clock.now())
            if holder is not None:
                return self._refresh(credential, unwanted, clock, stored, holder)
            if stored.works(unwanted, clock.now()):
                return stored.good_token()  # somebody renews it; until then the old one works
            if clock.waited_seconds() > self._lease_seconds + _GRACE_SECONDS:
                raise WeChatUnavailable(0, "the access token is being refreshed elsewhere")
            time.sleep(min(_POLL_SECONDS, self._lease_seconds / 4) * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            stored = self._read(credential)

    def _refresh(
        self, credential: Credential, unwanted: Secret | None, clock: Clock, stored: Stored, holder: str
    ) -> Secret:
        try:
            fetched = credential.fetch(False)
            if unwanted is not None and fetched.token == unwanted:
                fetched = credential.fetch(True)
        except WeChatError as error:
            self._give_up(credential, holder, error, clock.now())
            if isinstance(error, WeChatUnavailable) and stored.works(unwanted, clock.now()):
                return stored.good_token()
            raise
        kept = self._store(credential, fetched, stored.version, holder, clock.now())
        if kept == unwanted:
            raise TokenRejected(40001, "WeChat hands out the token it refuses")
        return kept

    def _read(self, credential: Credential) -> Stored:
        columns = (Token.sealed_token, Token.expires_at, Token.version)
        with self._engine.connect() as connection:
            row = connection.execute(select(*columns).where(Token.subject == credential.subject)).first()
        if row is None:
            self._write(lambda connection: _insert_row(connection, credential))
            return Stored(None, None, 0)
        try:
            token = self._vault.open(row.sealed_token, place_of(credential.subject)) if row.sealed_token else None
        except SecretUnreadable:  # sealed with a key that is gone: a token can be had again
            token = None
        return Stored(token, row.expires_at, row.version)

    def _take_lease(self, credential: Credential, version: int, now: dt.datetime) -> str | None:
        holder = secrets.token_hex(16)
        lease = dt.timedelta(seconds=self._lease_seconds)
        is_free = clocks.is_over(Token.lease_until, now, lasts=lease)
        taken = self._write(
            lambda connection: (
                connection.execute(
                    update(Token.__table__)
                    .where(and_(Token.subject == credential.subject, Token.version == version, is_free))
                    .values(lease_holder=holder, lease_until=now + lease)
                ).rowcount
            )
        )
        return holder if taken else None

    def _store(
        self, credential: Credential, fetched: AccessToken, version: int, holder: str, now: dt.datetime
    ) -> Secret:
        values = {
            "sealed_token": self._vault.seal(fetched.token, place_of(credential.subject)),
            "expires_at": now + dt.timedelta(seconds=fetched.expires_in_seconds),
            "version": version + 1,
            "lease_holder": None,
            "lease_until": None,
        }
        if fetched.refresh_token is not None:
            # In the same statement: a token whose refresh token is lost could never be renewed.
            values["sealed_refresh_token"] = self._vault.seal(
                fetched.refresh_token, place_of_refresh_token(credential.subject)
            )
        is_ours = and_(Token.subject == credential.subject, Token.lease_holder == holder, Token.version == version)

        def store(connection: Connection) -> int:
            count: int = connection.execute(update(Token.__table__).where(is_ours).values(**values)).rowcount
            if count and credential.authorizer_id is not None:
                connection.execute(_noted(credential).values(last_error=None, last_error_at=None))
            return count

        if self._write(store):
            return fetched.token
        # We were too slow and another took over. Its token counts, if it is there already.
        newer = self._read(credential)
        return newer.good_token() if newer.version > version and newer.works(None, now) else fetched.token

    def _give_up(self, credential: Credential, holder: str, error: WeChatError, now: dt.datetime) -> None:
        """Free the lease and leave a note on the mini program when somebody must act."""
        release = (
            update(Token.__table__)
            .where(and_(Token.subject == credential.subject, Token.lease_holder == holder))
            .values(lease_holder=None, lease_until=None)
        )

        def write(connection: Connection) -> None:
            connection.execute(release)
            if credential.authorizer_id is not None and not isinstance(error, WeChatUnavailable):
                note: dict[str, Any] = {"last_error": str(error), "last_error_at": now}
                if isinstance(error, credential.dead):
                    note["status"] = "not_authorized"
                connection.execute(_noted(credential).values(**note))

        self._write(write)

    def _write(self, work: Callable[[Connection], _T]) -> _T:
        """Do ``work`` in a transaction of its own; a bounded number of times again when the database is locked."""
        tries = 0
        while True:
            tries += 1
            try:
                with self._engine.begin() as connection:
                    return work(connection)
            except OperationalError as error:
                if tries >= _LOCK_TRIES or not _is_locked(error):
                    raise
            time.sleep(0.02 * 2**tries * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret


def _noted(credential: Credential) -> Any:
    # Only while what was tried is still what is stored: a person may have connected it anew meanwhile.
    return update(Authorizer.__table__).where(
        and_(
            Authorizer.id == credential.authorizer_id,
            Authorizer.status == "authorized",
            *credential.still_ours,
        )
    )


def _insert_row(connection: Connection, credential: Credential) -> None:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    row = {"subject": credential.subject, "authorizer_id": credential.authorizer_id, "version": 0}
    connection.execute(insert(Token.__table__).values(**row).on_conflict_do_nothing(index_elements=["subject"]))


def _is_locked(error: OperationalError) -> bool:
    text = str(error.orig).lower()
    return "locked" in text or "busy" in text or getattr(error.orig, "pgcode", None) in _TRY_AGAIN
