"""
What WeChat's pushes change, and what was refused at their door. No Flask, no call to WeChat: what a push asks for that
needs one is stored as work, and done by ``authorization`` outside of the push.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from fab_minicode import audit, signals
from fab_minicode.actor import PUSHED
from fab_minicode.component_tokens import place_of_ticket, take_ticket
from fab_minicode.errors import CallbackRejected
from fab_minicode.models import AuthCode, Authorizer, ReceivedPush, Refusal, Token
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.callbacks import TIME_WINDOW, Push
from fab_minicode.wechat.component import is_appid, is_code

REMEMBERED_FOR = 6 * TIME_WINDOW
"""How long a push is remembered; a replay that comes later is outside the time window anyway."""

CODES_REMEMBERED_FOR = dt.timedelta(days=30)
"""How long it is remembered what became of a code; WeChat's codes live for an hour."""

WAITING, DONE, FAILED, REFUSED, STALE = "waiting", "done", "failed", "refused", "stale"
"""States of an authorisation code."""


def receive(connection: Connection, push: Push, *, component: str, vault: Vault, now: dt.datetime) -> bool:
    """
    Take one genuine push, once; everything it changes is in the caller's transaction.

    Args:
        connection: The door commits.
        push: Checked and decrypted.
        component: AppID of the platform.
        vault: Seals tickets and codes.
        now: Aware UTC.

    Returns:
        Whether it left work behind that asks WeChat.

    Raises:
        CallbackRejected: If it was received before, or lacks what its kind must have.
    """
    _remember(connection, push.fingerprint, now)
    if push.info_type == "component_verify_ticket":
        _take_ticket(connection, push, component=component, vault=vault, now=now)
        return False
    if push.info_type in ("authorized", "updateauthorized"):
        return _authorized(connection, push, vault=vault, now=now)
    if push.info_type == "unauthorized":
        _unauthorized(connection, push, now)
    return False  # other kinds are not for us, and WeChat is content with a success


def digest_of(text: str) -> str:
    """Return the digest under which a code or a nonce is found again: 64 hexadecimal digits."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def place_of_code(column: str, digest: str) -> str:
    """Return the vault place of a ``sealed_*`` column of an authorisation code."""
    return f"auth_codes:{column}:{digest}"


def note_code(connection: Connection, code: Secret, *, vault: Vault, now: dt.datetime, **known: Any) -> str:
    """
    Remember an authorisation code unless it is known already, add what is learned of it, and return its digest.

    Args:
        connection: The caller commits.
        code: As WeChat gave it.
        vault: Seals it.
        now: Aware UTC.
        known: ``appid``, ``event_at``, ``pre_auth_digest``, ``actor_id``, ``actor``, as far as they are known.
    """
    digest = digest_of(code.reveal())
    is_old = and_(AuthCode.state != WAITING, AuthCode.received_at < now - CODES_REMEMBERED_FOR)
    connection.execute(delete(AuthCode.__table__).where(is_old))
    values = {
        "digest": digest,
        "sealed_code": vault.seal(code, place_of_code("sealed_code", digest)),
        "received_at": now,
        "state": WAITING,
        "tries": 0,
        "actor_id": "",
        "actor": "",
        **known,
    }
    if not _inserted(connection, AuthCode, "digest", values) and known:
        connection.execute(update(AuthCode.__table__).where(AuthCode.digest == digest).values(**known))
    return digest


@dataclass(frozen=True)
class Refused:
    """How often a push was refused for a reason, and when last (aware UTC)."""

    reason: str
    count: int
    last_at: dt.datetime


def count_refusals(connection: Connection, reason: str, count: int, now: dt.datetime) -> None:
    """Add to the number of pushes that were refused for ``reason``."""
    raised = update(Refusal.__table__).where(Refusal.reason == reason)
    raised = raised.values(count=Refusal.count + count, last_at=now)
    if connection.execute(raised).rowcount:
        return
    if not _inserted(connection, Refusal, "reason", {"reason": reason, "count": count, "last_at": now}):
        connection.execute(raised)


def refusals(connection: Any) -> list[Refused]:
    """Return what was refused at WeChat's door, the most frequent reason first."""
    columns = (Refusal.reason, Refusal.count, Refusal.last_at)
    rows = connection.execute(select(*columns).order_by(Refusal.count.desc(), Refusal.reason))
    return [Refused(row.reason, row.count, row.last_at) for row in rows]


def _remember(connection: Connection, fingerprint: str, now: dt.datetime) -> None:
    connection.execute(delete(ReceivedPush.__table__).where(ReceivedPush.received_at < now - REMEMBERED_FOR))
    if not _inserted(connection, ReceivedPush, "fingerprint", {"fingerprint": fingerprint, "received_at": now}):
        raise CallbackRejected("received before")


def _take_ticket(connection: Connection, push: Push, *, component: str, vault: Vault, now: dt.datetime) -> None:
    ticket = push.fields.get("ComponentVerifyTicket", "")
    if not is_code(ticket):
        raise CallbackRejected("no ticket in it")
    sealed = vault.seal(Secret(ticket), place_of_ticket(component))
    take_ticket(connection, component, sealed, created_at=push.created_at, now=now)


def _authorized(connection: Connection, push: Push, *, vault: Vault, now: dt.datetime) -> bool:
    appid, code = _appid(push), push.fields.get("AuthorizationCode", "")
    if not is_code(code):
        raise CallbackRejected("no authorisation code in it")
    row = connection.execute(
        select(Authorizer.status, Authorizer.authorized_at).where(Authorizer.appid == appid)
    ).first()
    if row is not None and row.authorized_at is not None and push.created_at < row.authorized_at:
        return False  # an older push that was overtaken
    if push.info_type == "updateauthorized" and (row is None or row.status == "revoked"):
        return False  # somebody here revoked it; only a new authorisation brings it back
    pre_auth = push.fields.get("PreAuthCode", "")
    known: dict[str, Any] = {"appid": appid, "event_at": push.created_at}
    if pre_auth:
        known["pre_auth_digest"] = digest_of(pre_auth)
    note_code(connection, Secret(code), vault=vault, now=now, **known)
    return True


def _unauthorized(connection: Connection, push: Push, now: dt.datetime) -> None:
    """Tokens go, codes and statistics stay; an authorisation that is newer than this push stays, too."""
    appid = _appid(push)
    older = and_(
        AuthCode.appid == appid,
        AuthCode.state == WAITING,
        or_(AuthCode.event_at.is_(None), AuthCode.event_at <= push.created_at),
    )
    connection.execute(update(AuthCode.__table__).where(older).values(state=STALE, sealed_grant=None))
    is_over = and_(
        Authorizer.appid == appid,
        Authorizer.credential == "component",
        or_(Authorizer.authorized_at.is_(None), Authorizer.authorized_at <= push.created_at),
    )
    ended = update(Authorizer.__table__).where(is_over).values(status="revoked", authorized_at=push.created_at)
    if connection.execute(ended).rowcount:
        one = connection.execute(select(Authorizer.id, Authorizer.nick_name).where(Authorizer.appid == appid)).one()
        connection.execute(delete(Token.__table__).where(Token.authorizer_id == one.id))
        subject = audit.Subject("authorizer", str(one.id), one.nick_name or appid)
        detail = {"appid": appid, "credential": "component"}
        audit.record(connection, "revoked", subject, actor=PUSHED, now=now, authorizer_id=one.id, detail=detail)
        known = {"authorizer_id": one.id, "nick_name": one.nick_name, "credential": "component"}
        who = {"actor_id": PUSHED.id, "actor": PUSHED.name, "at": now}
        signals.announce(connection, signals.authorizer_revoked, appid, **known, **who)


def _appid(push: Push) -> str:
    appid = push.fields.get("AuthorizerAppid", "")
    if not is_appid(appid):
        raise CallbackRejected("no AuthorizerAppid in it")
    return appid


def _inserted(connection: Connection, model: Any, key: str, values: dict[str, Any]) -> bool:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    statement = insert(model.__table__).values(**values).on_conflict_do_nothing(index_elements=[key])
    made: int = connection.execute(statement).rowcount
    return made > 0
