"""
Who did what, when and from which way in: one row for each act, written in the same transaction as the act.

Floor 1 writes the rows, so that no door can forget one: the way in comes with the actor. Rows are only ever added; the
tables' triggers refuse everything else (``models/audit.py``). What leaves the house (a download, an export) is recorded
and committed before the first byte goes out.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from fab_minicode.actor import WAYS, Actor
from fab_minicode.models import AuditEntry

MAX_SUBJECT_CHARACTERS = 128
MAX_DETAIL_CHARACTERS = 2_000

ACTIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("code", ("created", "renamed", "deleted", "downloaded", "adopted", "released")),
    ("authorizer", ("authorized", "revoked", "rotated_collect_key", "changed_roles")),
    ("answer", ("exported",)),
    ("question", ("saved", "changed", "deleted", "locked", "unlocked", "handed_over")),
    ("board", ("saved", "changed", "deleted")),
    ("segment", ("saved", "changed", "deleted")),
    ("alias", ("merged", "undone")),
    ("visitor", ("exported", "erased")),
    ("person", ("handed_over",)),
    ("secrets", ("rotated",)),
    ("roles", ("granted",)),
    ("events", ("purged",)),
    ("audit", ("exported",)),
)
"""``(subject type, actions)`` that can stand in a row."""


@dataclass(frozen=True)
class Subject:
    """
    What an act was about.

    Attributes:
        type: A subject type of :data:`ACTIONS`.
        id: Its primary key as text, or what else names it for programs; "" where there is none.
        name: What people call it. Never a secret and never a device id.
    """

    type: str
    id: str = ""
    name: str = ""


def record(
    session: Session | Connection,
    action: str,
    subject: Subject,
    *,
    actor: Actor,
    now: dt.datetime,
    authorizer_id: int | None = None,
    detail: Mapping[str, Any] | None = None,
) -> None:
    """
    Add one row to the audit, in the caller's transaction.

    Args:
        session: The caller commits, together with the act.
        action: One of the subject type's actions.
        subject: What it was about.
        actor: Who did it, and from which way in (``Actor.way``).
        now: Aware UTC.
        authorizer_id: The mini program that it was about, if one: whoever may not know it does not see the row.
        detail: A few facts that JSON can hold; no secrets, nothing that names a visitor.

    Raises:
        ValueError: For a pair of subject and action, or a way, that is not listed.
        TypeError: If JSON cannot hold ``detail`` (a ``Secret`` is such a thing).
    """
    if action not in dict(ACTIONS).get(subject.type, ()) or actor.way not in WAYS:
        raise ValueError(f"not an act: {subject.type} {action} by {actor.way}")
    text = _storable(json.dumps(detail or {}, ensure_ascii=False, sort_keys=True))
    row = {
        "at": now,
        "actor_id": actor.id[:64],
        "actor": _storable(actor.name)[:128],
        "way": actor.way,
        "action": action,
        "subject_type": subject.type,
        "subject_id": subject.id[:64],
        "subject": _storable(subject.name)[:MAX_SUBJECT_CHARACTERS],
        "authorizer_id": authorizer_id,
        "detail": text if len(text) <= MAX_DETAIL_CHARACTERS else '{"cut": true}',
    }
    session.execute(insert(AuditEntry.__table__).values(**row))


def _storable(text: str) -> str:
    """Return a text without what PostgreSQL refuses: NUL, and halves of surrogate pairs."""
    return text.replace("\x00", "").encode("utf-8", "replace").decode("utf-8")
