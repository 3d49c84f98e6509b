"""
The mini programs that let us act for them: connect, list, revoke; the collect key and the visitor key.

No Flask here: session, now, client and vault come as arguments; floor 1 flushes, the door commits.
"""

from __future__ import annotations

import datetime as dt
import re
import secrets
import unicodedata
from collections.abc import Callable
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from fab_minicode import audit, signals
from fab_minicode.actor import Actor
from fab_minicode.component_tokens import place_of_refresh_token, subject_of_authorizer
from fab_minicode.errors import InvalidInput, Missing, SecretUnreadable
from fab_minicode.kinds import QUOTA_LIMIT
from fab_minicode.models import Authorizer, RetiredKey, Token
from fab_minicode.token_rows import place_of as place_of_token
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.component import CODES_SET, LINKS_SET, Grant, Profile

MAX_SECRET_CHARACTERS = 128
MAX_NICK_NAME_CHARACTERS = 128
MAX_SETS_CHARACTERS = 255

RETIRED_KEY_LIVES = dt.timedelta(days=7)
"""How long a replaced collect key works: trackers in published versions of a mini program use it until the next one."""

# WeChat's own are "wx" and 16 hexadecimal digits; longer and other ones are let through, WeChat decides.
_APPID = re.compile(r"wx[0-9A-Za-z]{6,30}", re.ASCII)
_SECRET = re.compile(r"[\x21-\x7e]+")
_COLLECT_KEY = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)


def connect_with_secret(
    session: Session,
    *,
    appid: str,
    secret: Secret,
    nick_name: str,
    actor: Actor,
    now: dt.datetime,
    client: WeChatClient,
    vault: Vault,
) -> Authorizer:
    """
    Connect a mini program by its own AppID and AppSecret, or connect it again.

    WeChat is asked for a token first, which proves the pair; only then is anything written. Connecting again keeps
    the collect key, the visitor key and the used quota.

    Args:
        session: No write may be open in it: WeChat may take half a minute to answer.
        appid: ``wx`` and 6 to 30 letters and digits; surrounding white space is dropped.
        secret: 1 to 128 visible ASCII characters; surrounding white space is dropped.
        nick_name: What people call it, at most 128 characters; "" keeps the present name or takes the AppID.
        actor: Who connects it.
        now: The door's clock, aware UTC.
        client: The telephone.
        vault: Seals the secret for ``"authorizers:sealed_secret:<appid>"``.

    Raises:
        InvalidInput: Naming ``appid``, ``secret`` or ``nick_name``; the secret is not repeated.
        SecretRejected: If WeChat says that AppID and secret do not belong together.
        WeChatError: If WeChat refuses for another reason (AddressRefused ...) or cannot be reached.
    """
    appid, secret = _checked_appid(appid), _checked_secret(secret)
    nick_name = _checked_nick_name(nick_name)
    client.stable_token(appid, secret)
    authorizer = _row(session, appid, actor=actor, now=now, vault=vault)
    authorizer.nick_name = nick_name or authorizer.nick_name or appid
    authorizer.credential, authorizer.status = "secret", "authorized"
    authorizer.sealed_secret = vault.seal(secret, place_of("sealed_secret", appid))
    authorizer.last_error = authorizer.last_error_at = None
    _changed(session, authorizer, "authorized", actor=actor, now=now)
    # A token that was cached for the old secret may be dead; the next caller asks for a new one.
    session.execute(delete(Token).where(Token.authorizer_id == authorizer.id))
    session.flush()
    return authorizer


def connect_with_provider(
    session: Session,
    *,
    appid: str,
    nick_name: str,
    actor: Actor,
    now: dt.datetime,
    provider: Callable[[str, Secret | None], Secret | None],
    vault: Vault,
) -> Authorizer:
    """
    Connect a mini program whose tokens the host's own service keeps; that it hands one in is the proof.

    Raises:
        InvalidInput: Naming ``appid`` or ``nick_name``; ``secret`` when the service does not keep this mini program.
        WeChatUnavailable: If the service fails.
    """
    appid, nick_name = _checked_appid(appid), _checked_nick_name(nick_name)
    if provider(appid, None) is None:
        raise InvalidInput("secret", "required")
    authorizer = _row(session, appid, actor=actor, now=now, vault=vault)
    authorizer.nick_name = nick_name or authorizer.nick_name or appid
    authorizer.credential, authorizer.status, authorizer.sealed_secret = "provider", "authorized", None
    authorizer.last_error = authorizer.last_error_at = None
    _changed(session, authorizer, "authorized", actor=actor, now=now)
    session.execute(delete(Token).where(Token.authorizer_id == authorizer.id))
    session.flush()
    return authorizer


def is_readable(authorizer: Authorizer, vault: Vault) -> bool:
    """Return whether our keys open what is stored for a mini program; if not, somebody must enter it again."""
    appid = str(authorizer.appid)
    try:
        vault.open(authorizer.sealed_visitor_key, place_of("sealed_visitor_key", appid))
        if authorizer.credential == "secret" and authorizer.status != "revoked":
            vault.open(authorizer.sealed_secret, place_of("sealed_secret", appid))
    except SecretUnreadable:
        return False
    return True


def connect_with_grant(
    session: Session,
    grant: Grant,
    profile: Profile,
    *,
    actor: Actor,
    event_at: dt.datetime,
    now: dt.datetime,
    vault: Vault,
) -> Authorizer:
    """
    Connect a mini program that authorised the third-party platform, or connect it again; old tokens are replaced.

    Without the permission set for codes it is kept, but as not usable.

    Args:
        session: The caller commits: mini program, tokens and refresh token in one transaction.
        grant: What WeChat gave for the authorisation code.
        profile: What WeChat tells of the mini program.
        actor: Who authorised it here, or the system.
        event_at: WeChat's time of the authorisation.
        now: The door's clock, aware UTC.
        vault: Seals the tokens.
    """
    appid, sets = grant.appid, grant.sets or profile.sets
    authorizer = _row(session, appid, actor=actor, now=now, vault=vault)
    authorizer.nick_name = profile.nick_name or authorizer.nick_name or appid
    authorizer.principal_name = profile.principal_name
    authorizer.credential, authorizer.sealed_secret = "component", None
    authorizer.granted_sets = written_sets(sets)
    authorizer.status = "authorized" if CODES_SET in sets else "not_authorized"
    authorizer.authorized_at = max(event_at, authorizer.authorized_at or event_at)
    authorizer.last_error = authorizer.last_error_at = None
    _changed(session, authorizer, "authorized", actor=actor, now=now)
    session.execute(delete(Token).where(Token.authorizer_id == authorizer.id))
    subject = subject_of_authorizer(appid)
    token = Token(
        subject=subject,
        authorizer_id=authorizer.id,
        sealed_token=vault.seal(grant.token.token, place_of_token(subject)),
        sealed_refresh_token=vault.seal(grant.refresh_token, place_of_refresh_token(subject)),
        expires_at=now + dt.timedelta(seconds=grant.token.expires_in_seconds),
        version=1,
    )
    session.add(token)
    session.flush()
    return authorizer


def written_sets(sets: tuple[int, ...]) -> str:
    """Return permission sets as they are stored, ``"17,88"``; the two that we ask for first, as many as fit."""
    ours = [one for one in (CODES_SET, LINKS_SET) if one in sets]
    text = ",".join(map(str, [*ours, *(one for one in sets if one not in ours)]))
    return text if len(text) <= MAX_SETS_CHARACTERS else text[:MAX_SETS_CHARACTERS].rpartition(",")[0]


def sets_of(authorizer: Authorizer) -> tuple[int, ...]:
    """Return the permission sets that were granted, in order."""
    return tuple(sorted(int(one) for one in str(authorizer.granted_sets).split(",") if one.isdigit()))


def rotate_collect_key(session: Session, authorizer: Authorizer, *, actor: Actor, now: dt.datetime) -> str:
    """Give a mini program a new collect key and return it; the old one works for seven days more."""
    session.execute(delete(RetiredKey).where(RetiredKey.until < now))
    old = RetiredKey(key=authorizer.collect_key, authorizer_id=authorizer.id, until=now + RETIRED_KEY_LIVES)
    session.add(old)
    authorizer.collect_key = secrets.token_urlsafe(24)
    _changed(session, authorizer, "rotated_collect_key", actor=actor, now=now)
    session.flush()
    return str(authorizer.collect_key)


def retired_keys(session: Session, authorizer: Authorizer, now: dt.datetime) -> list[RetiredKey]:
    """Return the replaced collect keys of a mini program that still work, the one that ends first at the top."""
    of_this = (RetiredKey.authorizer_id == authorizer.id, RetiredKey.until > now)
    return list(session.execute(select(RetiredKey).where(*of_this).order_by(RetiredKey.until)).scalars())


def authorizer_of(session: Session, appid: str) -> Authorizer:
    """Return the mini program with this AppID, whatever its status. Raises Missing."""
    found = None
    if _APPID.fullmatch(appid):
        found = session.execute(select(Authorizer).where(Authorizer.appid == appid)).scalars().first()
    if found is None:
        raise Missing("no such mini program")
    return found


def listed(session: Session, *, narrow: Callable[[Any], Any] | None = None) -> list[Authorizer]:
    """
    Return the mini programs, revoked ones included, by name.

    Args:
        session: A session.
        narrow: Takes a select of mini programs and returns it with conditions of the host added (row scope); None
            adds none.
    """
    statement = select(Authorizer)
    scoped = statement if narrow is None else narrow(statement)
    return list(session.execute(scoped.order_by(Authorizer.nick_name, Authorizer.id)).scalars())


def revoke(session: Session, authorizer: Authorizer, *, actor: Actor, now: dt.datetime) -> None:
    """
    Stop acting for a mini program: its secret and tokens are deleted, its codes and statistics stay.

    Printed codes go on working at WeChat, so their visits go on being collected. Connecting again works.
    """
    session.execute(delete(Token).where(Token.authorizer_id == authorizer.id))
    authorizer.status, authorizer.sealed_secret = "revoked", None
    _changed(session, authorizer, "revoked", actor=actor, now=now)
    session.flush()


def by_collect_key(connection: Connection | Session, key: str, now: dt.datetime | None = None) -> Any | None:
    """
    Return ``(id, appid, sealed_visitor_key)`` of the mini program that collects under this key, or None.

    Any text may be asked for: it comes from the public. Revoked mini programs are found, too: their prints live on.
    With ``now``, a key that was replaced is found, too, as long as it works.
    """
    if not _COLLECT_KEY.fullmatch(key):
        return None
    columns = (Authorizer.id, Authorizer.appid, Authorizer.sealed_visitor_key)
    row = connection.execute(select(*columns).where(Authorizer.collect_key == key)).first()
    if row is not None or now is None:
        return row
    is_retired = (RetiredKey.key == key, RetiredKey.until > now)
    return connection.execute(
        select(*columns).join(RetiredKey, RetiredKey.authorizer_id == Authorizer.id).where(*is_retired)
    ).first()


def visitor_key(vault: Vault, appid: str, sealed: str) -> bytes:
    """Return the 32 bytes under which this mini program's visitors are HMACed. Raises SecretUnreadable."""
    return bytes.fromhex(vault.open(sealed, place_of("sealed_visitor_key", appid)).reveal())


def place_of(column: str, appid: str) -> str:
    """Return the vault place of a ``sealed_*`` column of this mini program."""
    return f"authorizers:{column}:{appid}"


def _row(session: Session, appid: str, *, actor: Actor, now: dt.datetime, vault: Vault) -> Authorizer:
    # Insert or leave alone, then load: of two people who connect the same one, both succeed.
    key = Secret(secrets.token_hex(32))
    values = {
        "appid": appid,
        "nick_name": "",
        "principal_name": "",
        "status": "authorized",
        "credential": "secret",
        "sealed_visitor_key": vault.seal(key, place_of("sealed_visitor_key", appid)),
        "granted_sets": "",
        "collect_key": secrets.token_urlsafe(24),
        "quota_used": 0,
        "quota_limit": QUOTA_LIMIT,
        **{f"{verb}_at": now for verb in ("created", "changed")},
        **{f"{verb}_by_id": actor.id for verb in ("created", "changed")},
        **{f"{verb}_by": actor.name for verb in ("created", "changed")},
    }
    insert = postgresql.insert if session.get_bind().dialect.name == "postgresql" else sqlite.insert
    session.execute(insert(Authorizer.__table__).values(**values).on_conflict_do_nothing(index_elements=["appid"]))
    return authorizer_of(session, appid)


def _changed(session: Session, authorizer: Authorizer, action: str, *, actor: Actor, now: dt.datetime) -> None:
    authorizer.changed_at, authorizer.changed_by_id, authorizer.changed_by = now, actor.id, actor.name
    subject = audit.Subject("authorizer", str(authorizer.id), authorizer.nick_name or authorizer.appid)
    detail = {"appid": authorizer.appid, "credential": authorizer.credential}
    audit.record(session, action, subject, actor=actor, now=now, authorizer_id=authorizer.id, detail=detail)
    told = {"authorized": signals.authorizer_authorized, "revoked": signals.authorizer_revoked}.get(action)
    if told is not None and authorizer.status == action:
        known = {"authorizer_id": authorizer.id, "nick_name": authorizer.nick_name, "credential": authorizer.credential}
        who = {"actor_id": actor.id, "actor": actor.name, "at": now}
        signals.announce(session, told, authorizer.appid, **known, **who)


def _checked_appid(appid: str) -> str:
    text = appid.strip()
    if not text:
        raise InvalidInput("appid", "required")
    if not _APPID.fullmatch(text):
        raise InvalidInput("appid", "invalid_appid", detail=ascii(text[:40])[1:-1])
    return text


def _checked_secret(secret: Secret) -> Secret:
    text = secret.reveal().strip()
    if not text:
        raise InvalidInput("secret", "required")
    if len(text) > MAX_SECRET_CHARACTERS:
        raise InvalidInput("secret", "too_long", limit=MAX_SECRET_CHARACTERS, actual=len(text), unit="characters")
    if not _SECRET.fullmatch(text):
        raise InvalidInput("secret", "invalid_secret")
    return Secret(text)


def _checked_nick_name(nick_name: str) -> str:
    text = unicodedata.normalize("NFC", nick_name).strip()
    if any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in text):
        raise InvalidInput("nick_name", "control_character")
    if len(text) > MAX_NICK_NAME_CHARACTERS:
        raise InvalidInput("nick_name", "too_long", limit=MAX_NICK_NAME_CHARACTERS, actual=len(text), unit="characters")
    return text
