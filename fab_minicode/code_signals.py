"""What hosts hear of codes and of the quota: the facts that go with the signals (``signals``)."""

from __future__ import annotations

import datetime as dt
from typing import Any

from fab_minicode import signals
from fab_minicode.actor import Actor
from fab_minicode.kinds import Kind
from fab_minicode.models import Authorizer, Code


def created(session: Any, code: Code, kind: Kind, *, actor: Actor, now: dt.datetime) -> None:
    """Tell that a code was made, and what that leaves of the quota."""
    _announce(session, signals.code_created, code, actor=actor, now=now)
    reserved(session, code.authorizer, kind, actor=actor, now=now)


def deleted(session: Any, code: Code, *, actor: Actor, now: dt.datetime) -> None:
    """Tell that a code was deleted."""
    _announce(session, signals.code_deleted, code, actor=actor, now=now)


def reserved(session: Any, authorizer: Authorizer, kind: Kind, *, actor: Actor, now: dt.datetime) -> None:
    """Tell where the one just reserved has reached a share of the quota."""
    used, limit = authorizer.quota_used, authorizer.quota_limit
    for percent in signals.crossed(used, limit) if kind.uses_quota else ():
        known = {"percent": percent, "used": used, "limit": limit}
        who = {"actor_id": actor.id, "actor": actor.name, "at": now}
        signals.announce(session, signals.quota_low, authorizer.appid, **known, **who)


def _announce(session: Any, signal: Any, code: Code, *, actor: Actor, now: dt.datetime) -> None:
    known = {"code_id": code.id, **{name: getattr(code, name) for name in signals.CODE_FACTS}}
    signals.announce(session, signal, code.authorizer.appid, **known, actor_id=actor.id, actor=actor.name, at=now)
