"""
Authorising the third-party platform: who was shown the way to WeChat's page, and what becomes of the code that WeChat
hands out afterwards.

The code comes twice, by the person's return and by a push, in any order and perhaps repeatedly; WeChat takes it once.
So each code is one row (``minicode_auth_codes``), completed by one process under a lease, and whoever comes later finds
what became of it. WeChat's answer is stored before the next step: a crash in between loses nothing.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, select, update
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

from fab_minicode import authorizers, clocks
from fab_minicode.actor import PAGE, PUSHED, Actor
from fab_minicode.errors import (
    AuthCodeRejected,
    AuthorizationLost,
    InvitationRefused,
    MinicodeError,
    Missing,
    RenderError,
    WeChatError,
)
from fab_minicode.models import AuthCode, Authorizer, Invitation
from fab_minicode.pushes import DONE, FAILED, REFUSED, WAITING, digest_of, note_code, place_of_code
from fab_minicode.thumbnails import thumbnail
from fab_minicode.token_rows import Clock
from fab_minicode.tokens import Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat import component as wechat
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.component import Grant, Profile
from fab_minicode.wechat.credentials import AccessToken

INVITATION_LIVES = dt.timedelta(minutes=30)
"""How long somebody may take on WeChat's page."""

GIVE_UP_AFTER = dt.timedelta(hours=24)
"""How long an authorisation is tried again while WeChat cannot be asked; its code is dead after an hour, though."""

MAX_KEPT_CHARACTERS = 20_000
HEAD_IMAGE_PX = 160

_FIRST_PAUSE, _LONGEST_PAUSE = dt.timedelta(seconds=15), dt.timedelta(minutes=30)
_CLAIM = dt.timedelta(seconds=150)  # four calls of WeChat's at most, each limited to 30 s
_WAIT_SECONDS = 25.0
_POLL_SECONDS = 0.2
_SKEW = dt.timedelta(seconds=60)
_BATCH = 20


# --------------------------------------------------------------------------------------------------------- invitations


def invite(
    connection: Connection | Session, *, actor: Actor, binding: str, now: dt.datetime, appid: str = "", kept: str = ""
) -> str:
    """
    Remember that somebody is shown the way to WeChat's page; return the nonce for their way back.

    Args:
        connection: The caller commits.
        actor: Who they are.
        binding: A random text that only their browser's session holds.
        now: Aware UTC.
        appid: The mini program that they were asked to authorise, if a certain one.
        kept: What they had typed into the form of a new code, as JSON.
    """
    connection.execute(delete(Invitation.__table__).where(Invitation.expires_at < now - INVITATION_LIVES))
    nonce = secrets.token_urlsafe(32)
    values = {
        "digest": digest_of(nonce),
        "session_digest": digest_of(binding),
        "actor_id": actor.id,
        "actor": actor.name,
        "appid": appid or None,
        "kept": kept[:MAX_KEPT_CHARACTERS] or None,
        "created_at": now,
        "expires_at": now + INVITATION_LIVES,
    }
    connection.execute(Invitation.__table__.insert().values(**values))
    return nonce


def invited(connection: Connection | Session, nonce: str, *, actor: Actor, binding: str, now: dt.datetime) -> Any:
    """
    Return the invitation of a nonce: ``appid``, ``kept``, ``used_at``, ``code_digest``.

    Raises:
        InvitationRefused: If it is unknown, too old, or of another person or session.
    """
    row = connection.execute(select(Invitation.__table__).where(Invitation.digest == digest_of(nonce))).first()
    if row is None or row.expires_at <= now:
        raise InvitationRefused("unknown or too old")
    if row.actor_id != actor.id or not secrets.compare_digest(row.session_digest, digest_of(binding)):
        raise InvitationRefused("of another person or session")
    return row


def open_page(connection: Connection | Session, nonce: str, pre_auth_code: Secret) -> None:
    """Remember which pre-authorisation code an invitation went to WeChat with: a push names it, too."""
    statement = update(Invitation.__table__).where(Invitation.digest == digest_of(nonce))
    connection.execute(statement.values(pre_auth_digest=digest_of(pre_auth_code.reveal())))


def come_back(
    connection: Connection, nonce: str, code: Secret, *, actor: Actor, binding: str, now: dt.datetime, vault: Vault
) -> str:
    """
    Take the code that somebody brings back from WeChat's page; return its digest.

    An invitation works once. The same return twice is one return.

    Raises:
        InvitationRefused: As :func:`invited`, or if it was used with another code.
    """
    digest = digest_of(code.reveal())
    row = invited(connection, nonce, actor=actor, binding=binding, now=now)
    unused = and_(Invitation.digest == row.digest, Invitation.used_at.is_(None))
    used = update(Invitation.__table__).where(unused).values(used_at=now, code_digest=digest)
    if not connection.execute(used).rowcount:
        first = connection.execute(select(Invitation.code_digest).where(Invitation.digest == row.digest)).scalar()
        if first != digest:
            raise InvitationRefused("used before")
        return digest
    return note_code(connection, code, vault=vault, now=now, actor_id=actor.id, actor=actor.name)


# ---------------------------------------------------------------------------------------------------------- completing


@dataclass(frozen=True)
class Outcome:
    """
    What became of an authorisation.

    Attributes:
        state: ``done``, ``waiting`` (WeChat could not be asked, or somebody else is at it), ``failed`` (WeChat does not
            take the code), ``refused`` (no mini program), ``stale`` (ended meanwhile).
        authorizer_id: The mini program's row, when ``done``.
        error: Why not, of this try.
    """

    state: str
    authorizer_id: int | None = None
    error: MinicodeError | None = None


class Completion:
    """Turns authorisation codes into connected mini programs, in short transactions of its own."""

    def __init__(self, engine: Engine, vault: Vault, client: WeChatClient, tokens: Tokens) -> None:
        self._engine, self._vault, self._client, self._tokens = engine, vault, client, tokens

    def complete(self, digest: str, *, now: dt.datetime, wait: bool = False) -> Outcome:
        """
        Complete one authorisation, unless that is done.

        Args:
            digest: Of the code.
            now: Aware UTC.
            wait: Whether to wait some seconds for somebody else who is at it.

        Raises:
            Missing: If no such code is known.
        """
        clock = Clock(now)
        while True:
            with self._engine.connect() as connection:
                row = connection.execute(select(AuthCode.__table__).where(AuthCode.digest == digest)).first()
            if row is None:
                raise Missing("no such authorisation")
            if row.state != WAITING:
                return Outcome(row.state, row.authorizer_id)
            holder = self._claim(digest, clock.now())
            if holder is not None:
                return self._work(row, holder, clock)
            if not wait or clock.waited_seconds() > _WAIT_SECONDS:
                return Outcome(WAITING)
            time.sleep(_POLL_SECONDS)

    def work_off(self, *, now: dt.datetime) -> int:
        """Complete what waits and is due; return how many were tried."""
        due = and_(
            AuthCode.state == WAITING,
            clocks.is_over(AuthCode.next_at, now, lasts=_LONGEST_PAUSE),
            clocks.is_over(AuthCode.claimed_until, now, lasts=_CLAIM),
        )
        with self._engine.connect() as connection:
            found = connection.execute(select(AuthCode.digest).where(due).order_by(AuthCode.received_at).limit(_BATCH))
            digests = [row.digest for row in found]
        for digest in digests:
            self.complete(digest, now=now)
        return len(digests)

    def _claim(self, digest: str, now: dt.datetime) -> str | None:
        holder = secrets.token_hex(16)
        is_free = clocks.is_over(AuthCode.claimed_until, now, lasts=_CLAIM)
        statement = update(AuthCode.__table__).where(
            and_(AuthCode.digest == digest, AuthCode.state == WAITING, is_free)
        )
        with self._engine.begin() as connection:
            taken = connection.execute(statement.values(holder=holder, claimed_until=now + _CLAIM)).rowcount
        return holder if taken else None

    def _work(self, row: Any, holder: str, clock: Clock) -> Outcome:
        try:
            grant = self._grant(row, holder, clock)
            profile = self._profile(grant.appid, clock)
            if not profile.is_mini_program:
                self._finish(row.digest, holder, state=REFUSED, error="not a mini program")
                return Outcome(REFUSED)
            authorizer_id = self._store(row, holder, grant, profile, clock)
        except (AuthCodeRejected, AuthorizationLost) as error:
            self._finish(row.digest, holder, state=FAILED, error=str(error))
            return Outcome(FAILED, error=error)
        except MinicodeError as error:
            self._postpone(row, holder, error, clock.now())
            return Outcome(WAITING, error=error)
        if authorizer_id is None:
            return Outcome(WAITING)
        self._keep_head_image(authorizer_id, profile.head_image_url)
        return Outcome(DONE, authorizer_id)

    def _grant(self, row: Any, holder: str, clock: Clock) -> Grant:
        """WeChat's answer to the code: the stored one, a fresh one, or what the list of authorizers still tells."""
        if row.sealed_grant:
            return _unpacked(self._vault.open(row.sealed_grant, place_of_code("sealed_grant", row.digest)), clock.now())
        code = self._vault.open(row.sealed_code, place_of_code("sealed_code", row.digest))
        way = self._tokens.way
        try:
            grant = self._tokens.with_component(
                lambda token: self._client.ask(
                    wechat.query_auth_call(way.platform, token, code), wechat.decipher_grant
                ),
                now=clock.now(),
            )
        except AuthCodeRejected:
            if row.appid is None:
                raise
            # The code was used, perhaps by us just before a crash: the authorisation itself stands.
            grant = None
        if grant is None:
            token = way.mended_token(row.appid, lambda ask: self._tokens.with_component(ask, now=clock.now()))
            grant = Grant(row.appid, token, ())
        packed = self._vault.seal(_packed(grant, clock.now()), place_of_code("sealed_grant", row.digest))
        self._keep(row.digest, holder, sealed_grant=packed, appid=grant.appid)
        return grant

    def _profile(self, appid: str, clock: Clock) -> Profile:
        platform = self._tokens.way.platform
        return self._tokens.with_component(
            lambda token: self._client.ask(wechat.info_call(platform, token, appid), wechat.decipher_profile),
            now=clock.now(),
        )

    def _store(self, row: Any, holder: str, grant: Grant, profile: Profile, clock: Clock) -> int | None:
        """Mini program, tokens and the end of the code in one transaction; None when the code is no longer ours."""
        now = clock.now()
        with Session(self._engine, future=True) as session:
            ours = and_(AuthCode.digest == row.digest, AuthCode.holder == holder, AuthCode.state == WAITING)
            ended = update(AuthCode.__table__).where(ours)
            ended = ended.values(state=DONE, sealed_code=None, sealed_grant=None, claimed_until=None, error=None)
            if not session.execute(ended).rowcount:
                return None
            known = session.execute(select(AuthCode.__table__).where(AuthCode.digest == row.digest)).one()
            authorizer = authorizers.connect_with_grant(
                session,
                grant,
                profile,
                actor=_actor(session, known),
                event_at=known.event_at or now - _SKEW,
                now=now,
                vault=self._vault,
            )
            linked = update(AuthCode.__table__).where(AuthCode.digest == row.digest)
            session.execute(linked.values(authorizer_id=authorizer.id))
            authorizer_id = int(authorizer.id)
            session.commit()
        return authorizer_id

    def _keep_head_image(self, authorizer_id: int, url: str) -> None:
        """Fetch and store the head image, drawn anew; without one the page shows a letter."""
        if not url:
            return
        try:
            content, mime = thumbnail(self._client.head_image(url).content, HEAD_IMAGE_PX)
        except (WeChatError, RenderError):
            return
        statement = update(Authorizer.__table__).where(Authorizer.id == authorizer_id)
        with self._engine.begin() as connection:
            connection.execute(statement.values(head_image=content, head_image_mime=mime))

    def _finish(self, digest: str, holder: str, *, state: str, error: str) -> None:
        self._keep(digest, holder, state=state, error=error, sealed_code=None, sealed_grant=None, claimed_until=None)

    def _postpone(self, row: Any, holder: str, error: MinicodeError, now: dt.datetime) -> None:
        if now - row.received_at > GIVE_UP_AFTER:
            self._finish(row.digest, holder, state=FAILED, error=str(error))
            return
        pause = min(_FIRST_PAUSE * 2**row.tries, _LONGEST_PAUSE)
        self._keep(
            row.digest, holder, error=str(error), tries=row.tries + 1, next_at=now + pause, claimed_until=None
        )  # fmt: skip

    def _keep(self, digest: str, holder: str, **values: Any) -> None:
        ours = and_(AuthCode.digest == digest, AuthCode.holder == holder, AuthCode.state == WAITING)
        with self._engine.begin() as connection:
            connection.execute(update(AuthCode.__table__).where(ours).values(**values))


def _actor(session: Session, known: Any) -> Actor:
    """Who came back with the code, else who was shown the way with the push's pre-authorisation code, else nobody."""
    if known.actor_id:
        return Actor(known.actor_id, known.actor, PAGE)
    if known.pre_auth_digest:
        columns = (Invitation.actor_id, Invitation.actor)
        found = session.execute(select(*columns).where(Invitation.pre_auth_digest == known.pre_auth_digest)).first()
        if found is not None:
            return Actor(found.actor_id, found.actor, PAGE)
    return PUSHED


def _packed(grant: Grant, now: dt.datetime) -> Secret:
    ends_at = now + dt.timedelta(seconds=grant.token.expires_in_seconds)
    kept = (grant.appid, grant.token.token.reveal(), grant.refresh_token.reveal(), ends_at.timestamp(), grant.sets)
    return Secret(json.dumps(kept))


def _unpacked(packed: Secret, now: dt.datetime) -> Grant:
    appid, token, refresh_token, ends_at, sets = json.loads(packed.reveal())
    left = max(0, int(ends_at - now.timestamp()))
    return Grant(appid, AccessToken(Secret(token), left, Secret(refresh_token)), tuple(sets))
