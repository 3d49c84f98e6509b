"""
Codes: plan, generate, rename, delete, and the quota ledger.

No Flask here: session, clock and people come as arguments. The door commits; :func:`generate` alone ends the caller's
transaction itself, because its claim must be seen by others and no connection or lock may be held while WeChat thinks.

The ledger: ``Authorizer.quota_used`` counts codes of interfaces A and C that were made or may have been made. One
conditional UPDATE reserves before WeChat is asked; a definite no gives the reservation back, an unknown outcome keeps
it.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from fab_minicode import audit, clocks, code_signals
from fab_minicode.actor import Actor
from fab_minicode.draft import Draft, checked, checked_name, search_text
from fab_minicode.errors import (
    CodeBusy,
    InvalidInput,
    MinicodeError,
    Missing,
    NameTaken,
    NotAuthorized,
    QuotaUsedUp,
    TokenRejected,
    WeChatError,
    WeChatUnavailable,
)
from fab_minicode.kinds import CodePlan, ImageRequest, Kind, Options, kind_named
from fab_minicode.models import Authorizer, Code, CodeHistory, CodeImage
from fab_minicode.scene import compose_scene, mint_key
from fab_minicode.tokens import Tokens
from fab_minicode.utm import Utm, byte_length, match_key
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.protocol import Picture

PLANNED, READY, FAILED, UNKNOWN = "planned", "ready", "failed", "unknown"
"""``Code.state``."""

ASK_SECONDS = 240
"""How long a code counts as being made after WeChat was asked; longer than all of the client's time limits together."""

_ASK = dt.timedelta(seconds=ASK_SECONDS)
_AUTHORIZED = "authorized"
_UNSYNCED = {"synchronize_session": False}


@dataclass(frozen=True)
class Quota:
    """Codes of interfaces A and C that a mini program has used (reserved ones included), and how many it ever gets."""

    used: int
    limit: int


def quota(session: Any, appid: str) -> Quota:
    """Return the quota of a mini program. Raises Missing when it is not known."""
    row = session.execute(
        select(Authorizer.quota_used, Authorizer.quota_limit).where(Authorizer.appid == appid)
    ).first()
    if row is None:
        raise Missing(appid)
    return Quota(*row)


# ---------------------------------------------------------------------------------------------------------- plan


def plan(
    session: Any,
    draft: Draft,
    *,
    actor: Actor,
    now: dt.datetime,
    narrow: Callable[[Any], Any] | None = None,
) -> Code:
    """
    Check a draft, reserve its quota and add its row as ``planned``; the door commits, then calls :func:`generate`.

    Args:
        session: The door commits.
        draft: What is wanted.
        actor: Who wants it.
        now: Aware UTC.
        narrow: Adds the person's scope to a select of mini programs; one outside of it is as good as unknown.

    Raises:
        InvalidInput: Naming the field that is wrong.
        NameTaken: When a live code of the mini program has this name.
        NotAuthorized: When the mini program may not be acted for.
        QuotaUsedUp: When all codes of interfaces A and C are used or reserved.
    """
    draft = checked(draft)
    kind = kind_named(draft.kind)
    named = select(Authorizer).where(Authorizer.appid == draft.appid)
    authorizer = session.execute(named if narrow is None else narrow(named)).scalar_one_or_none()
    if authorizer is None:
        raise InvalidInput("appid", "unknown", detail=draft.appid[:40])
    _refuse_taken(session, authorizer.id, draft.name)
    _reserve(session, authorizer, kind)
    try:
        code = _insert(session, authorizer, draft, actor=actor, now=now)
    except (NameTaken, IntegrityError):
        _give_back(session, authorizer, kind)
        raise
    _remember(session, code, "created", actor=actor, now=now)
    _record(session, code, "created", actor=actor, now=now, kind=code.kind)
    session.flush()
    code_signals.created(session, code, kind, actor=actor, now=now)
    return code


def _refuse_taken(session: Any, authorizer_id: int, name: str) -> None:
    live = select(Code.id).where(Code.authorizer_id == authorizer_id, Code.name == name, Code.deleted_at.is_(None))
    if session.execute(live).first() is not None:
        raise NameTaken(name)


def _reserve(session: Any, authorizer: Authorizer, kind: Kind) -> None:
    """Take one from the quota where the kind uses it, and hold the authorisation still until the commit."""
    taken = 1 if kind.uses_quota else 0
    allowed = (
        Authorizer.id == authorizer.id,
        Authorizer.status == _AUTHORIZED,
        Authorizer.quota_used + taken <= Authorizer.quota_limit,
    )
    statement = update(Authorizer).where(*allowed).values(quota_used=Authorizer.quota_used + taken)
    done = session.execute(statement, execution_options=_UNSYNCED)
    session.refresh(authorizer)
    if done.rowcount == 1:
        return
    if authorizer.status != _AUTHORIZED:
        raise NotAuthorized(authorizer.appid)
    raise QuotaUsedUp(authorizer.quota_used, authorizer.quota_limit)


def _give_back(session: Any, authorizer: Authorizer, kind: Kind) -> None:
    if not kind.uses_quota:
        return
    statement = (
        update(Authorizer)
        .where(Authorizer.id == authorizer.id, Authorizer.quota_used > 0)
        .values(quota_used=Authorizer.quota_used - 1)
    )
    session.execute(statement, execution_options=_UNSYNCED)
    session.expire(authorizer)


def _insert(session: Any, authorizer: Authorizer, draft: Draft, *, actor: Actor, now: dt.datetime) -> Code:
    authorizer_id = authorizer.id
    for attempts_left in (2, 1, 0):
        code = _row(authorizer_id, draft, actor=actor, now=now)
        try:
            with session.begin_nested():
                session.add(code)
                session.flush()
        except IntegrityError:
            # Somebody was faster with the name; else two random short keys met.
            _refuse_taken(session, authorizer_id, draft.name)
            if not attempts_left:
                raise
        else:
            return code
    raise AssertionError("unreachable")


def _row(authorizer_id: int, draft: Draft, *, actor: Actor, now: dt.datetime) -> Code:
    kind = kind_named(draft.kind)
    short_key = mint_key()
    path = kind.path_of(CodePlan(draft.landing_page, draft.utm, short_key, draft.options))
    page, _, query = draft.landing_page.partition("?")
    return Code(
        authorizer_id=authorizer_id,
        name=draft.name,
        kind=draft.kind,
        state=PLANNED,
        landing_page=draft.landing_page,
        path=path,
        path_bytes=None if path is None else byte_length(path),
        page=page,
        scene=compose_scene(short_key) if path is None else None,
        short_key=short_key,
        match_key="" if path is None else match_key(page, query, draft.utm),
        **dict.fromkeys(("utm_campaign", "utm_medium", "utm_content", "utm_term"), "") | dict(draft.utm.pairs()),
        options=json.dumps(draft.options.as_json(), sort_keys=True),
        remark=draft.remark,
        search_text=search_text(draft.name, actor.name),
        created_at=now,
        created_by_id=actor.id,
        created_by=actor.name,
        changed_at=now,
        changed_by_id=actor.id,
        changed_by=actor.name,
    )


# ------------------------------------------------------------------------------------------------------ generate


def generate(
    session: Any, code: Code, *, tokens: Tokens, client: WeChatClient, actor: Actor, now: dt.datetime
) -> MinicodeError | None:
    """
    Ask WeChat for the picture of a code that has none: a planned one, or a failed or unknown one again.

    Commits once before the network is used; the door commits the outcome. A code that has its picture is left alone.

    Returns:
        Why there is no picture; None when there is one. The same facts stand in the code's ``state`` and ``error_*``.

    Raises:
        CodeBusy: When somebody else is making it now.
        NotAuthorized: As :func:`plan`; so does QuotaUsedUp.
        Missing: When the code is deleted.
    """
    request = _claim(session, code, actor, now)
    if request is None:
        return None
    appid = code.authorizer.appid
    session.commit()
    try:
        picture = _ask(request, appid, tokens=tokens, client=client, now=now)
    except MinicodeError as error:
        _store_failure(session, code, error, request=request, actor=actor, now=now)
        return error
    _store_picture(session, code, picture, actor=actor, now=now)
    return None


def plan_of(code: Code) -> CodePlan:
    """Return what a kind needs to know of a stored code."""
    looks = json.loads(code.options)
    options = Options(
        width_px=looks["width"],
        line_color=looks.get("line_color"),
        auto_color=looks.get("auto_color", False),
        is_hyaline=looks.get("is_hyaline", False),
    )
    utm = Utm(code.utm_source, code.utm_campaign, code.utm_medium, code.utm_content, code.utm_term)
    return CodePlan(code.landing_page, utm, code.short_key, options)


def _claim(session: Any, code: Code, actor: Actor, now: dt.datetime) -> ImageRequest | None:
    """Mark the code as being made, by us alone; reserve again where the last reservation is gone or may be spent."""
    session.refresh(code)
    if code.deleted_at is not None:
        raise Missing(str(code.id))
    if code.state == READY:
        return None
    kind = kind_named(code.kind)
    holds_reservation = code.state == PLANNED and code.asked_at is None
    free = clocks.is_over(Code.asked_at, now - _ASK, lasts=_ASK)
    statement = (
        update(Code)
        .where(Code.id == code.id, Code.state == code.state, free)
        .values(state=PLANNED, asked_at=now, error_code=None, error_message=None, error_rid=None)
    )
    if session.execute(statement, execution_options=_UNSYNCED).rowcount != 1:
        raise CodeBusy(str(code.id))
    if not holds_reservation:
        _reserve(session, code.authorizer, kind)
        code_signals.reserved(session, code.authorizer, kind, actor=actor, now=now)
    session.expire(code)
    return kind.request(plan_of(code))


def _ask(request: ImageRequest, appid: str, *, tokens: Tokens, client: WeChatClient, now: dt.datetime) -> Picture:
    token = tokens.of(appid, now=now)
    try:
        return client.image(request, token)
    except TokenRejected:
        return client.image(request, tokens.rejected(appid, token, now=now))


def _finish(session: Any, code: Code, now: dt.datetime, **values: Any) -> bool:
    """Write the outcome unless our claim ran out and somebody else took over."""
    statement = update(Code).where(Code.id == code.id, Code.asked_at == now).values(asked_at=None, **values)
    written: bool = session.execute(statement, execution_options=_UNSYNCED).rowcount == 1
    session.expire(code)
    return written


def _store_picture(session: Any, code: Code, picture: Picture, *, actor: Actor, now: dt.datetime) -> None:
    if not _finish(session, code, now, state=READY):
        return
    digest = hashlib.sha256(picture.content).hexdigest()
    session.add(CodeImage(code_id=code.id, content=picture.content, sha256=digest, mime=picture.mime, fetched_at=now))
    _remember(session, code, "generated", actor=actor, now=now, detail=f"{picture.mime}, {len(picture.content)} bytes")
    session.flush()


def _store_failure(
    session: Any, code: Code, error: MinicodeError, *, request: ImageRequest, actor: Actor, now: dt.datetime
) -> None:
    # A read time-out after an A or C request was sent may have spent quota: it stays reserved (docs/wechat.md).
    unknown = isinstance(error, WeChatUnavailable) and error.outcome_unknown and request.uses_quota
    state = UNKNOWN if unknown else FAILED
    facts = _facts(error)
    if not _finish(session, code, now, state=state, **facts):
        return
    if not unknown:
        _give_back(session, code.authorizer, kind_named(code.kind))
    _remember(
        session, code, state, actor=actor, now=now, detail=f"{facts['error_code'] or ''} {facts['error_message']}"
    )
    session.flush()


def _facts(error: MinicodeError) -> dict[str, Any]:
    if isinstance(error, WeChatError):
        number = error.errcode if abs(error.errcode) < 2**31 else None
        return {
            "error_code": number,
            "error_message": _printable(error.errmsg)[:500],
            "error_rid": _printable(error.rid)[:64] or None,
        }
    return {"error_code": None, "error_message": error.code, "error_rid": None}


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable())


# ------------------------------------------------------------------------------------------------ rename, delete


def rename(session: Any, code: Code, name: str, *, actor: Actor, now: dt.datetime) -> None:
    """
    Give a live code another name; nothing else of it ever changes.

    Raises:
        InvalidInput: For an empty, over-long or unprintable name.
        NameTaken: When another live code of the mini program has it.
        Missing: When the code is deleted.
    """
    name = checked_name(name)
    # Holds the row still; and SQLite's driver would commit a savepoint that no write stands before.
    held = update(Code).where(Code.id == code.id, Code.deleted_at.is_(None)).values(name=Code.name)
    if session.execute(held, execution_options=_UNSYNCED).rowcount != 1:
        raise Missing(str(code.id))
    session.refresh(code)
    before = str(code.name)
    if name == before:
        return
    _refuse_taken(session, code.authorizer_id, name)
    try:
        with session.begin_nested():
            code.name, code.search_text = name, search_text(name, code.created_by, *filter(None, [code.owner]))
            code.changed_at, code.changed_by_id, code.changed_by = now, actor.id, actor.name
            session.flush()
    except IntegrityError:
        raise NameTaken(name) from None
    _remember(session, code, "renamed", actor=actor, now=now, detail=f"{before} → {name}")
    _record(session, code, "renamed", actor=actor, now=now, before=before)
    session.flush()


def delete(session: Any, code: Code, *, actor: Actor, now: dt.datetime) -> None:
    """
    Take a code out of the list. Its row stays: its print goes on counting, and reports still name it.

    Raises:
        Missing: When it is deleted already.
    """
    gone = {"deleted_at": now, "deleted_by_id": actor.id, "deleted_by": actor.name}
    statement = update(Code).where(Code.id == code.id, Code.deleted_at.is_(None)).values(**gone)
    if session.execute(statement, execution_options=_UNSYNCED).rowcount != 1:
        raise Missing(str(code.id))
    session.expire(code)
    _remember(session, code, "deleted", actor=actor, now=now)
    _record(session, code, "deleted", actor=actor, now=now)
    session.flush()
    code_signals.deleted(session, code, actor=actor, now=now)


def note_download(session: Any, code: Code, *, actor: Actor, now: dt.datetime) -> None:
    """Record that somebody takes the picture of a code away; the door commits before the first byte goes out."""
    _record(session, code, "downloaded", actor=actor, now=now)


def _remember(session: Any, code: Code, action: str, *, actor: Actor, now: dt.datetime, detail: str = "") -> None:
    row = CodeHistory(
        code_id=code.id, action=action, at=now, by_id=actor.id, by=actor.name, detail=detail.strip()[:255]
    )
    session.add(row)


def _record(session: Any, code: Code, action: str, *, actor: Actor, now: dt.datetime, **detail: Any) -> None:
    subject = audit.Subject("code", str(code.id), code.name)
    audit.record(session, action, subject, actor=actor, now=now, authorizer_id=code.authorizer_id, detail=detail)
