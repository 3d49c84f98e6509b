"""
Saved segments: conditions on visitors that somebody named, to be used in every question of a mini program.

Whoever may save may change and delete them: a segment is a team's word, not a person's. The door commits.
"""

from __future__ import annotations

import datetime as dt
import json

from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode import audit
from fab_minicode.acquisition.question_fields import checked_text
from fab_minicode.acquisition.segment_rules import Rule, parse
from fab_minicode.actor import Actor
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Authorizer, SavedSegment

MAX_NAME_CHARACTERS = 80
MAX_SEGMENTS = 200
"""Of one mini program: a list that nobody can read is no list."""


def listed(session: Session, authorizer_id: int) -> list[SavedSegment]:
    """Return the segments of a mini program by name."""
    columns = select(SavedSegment).where(SavedSegment.authorizer_id == authorizer_id)
    return list(session.execute(columns.order_by(SavedSegment.name, SavedSegment.id)).scalars())


def segment_of(session: Session, segment_id: int) -> SavedSegment:
    """Return a segment. Raises Missing if there is none of this number."""
    found: SavedSegment | None = session.get(SavedSegment, segment_id) if segment_id else None
    if found is None:
        raise Missing("segment")
    return found


def rule_of(segment: SavedSegment) -> Rule:
    """Return a segment's conditions."""
    return parse(json.loads(str(segment.conditions)))


def save(
    session: Session, authorizer: Authorizer, name: str, rule: Rule, *, actor: Actor, now: dt.datetime
) -> SavedSegment:
    """
    Save a new segment.

    Raises:
        InvalidInput: If the name is missing, too long or taken (409), or there are too many.
    """
    others = listed(session, int(authorizer.id))
    if len(others) >= MAX_SEGMENTS:
        raise InvalidInput("segment", "too_many", limit=MAX_SEGMENTS, actual=len(others) + 1)
    row = SavedSegment(
        authorizer_id=authorizer.id,
        name=_free(name, others),
        created_at=now,
        created_by_id=actor.id,
        created_by=actor.name,
    )
    _write(row, rule, actor, now)
    session.add(row)
    session.flush()
    _record(session, row, "saved", actor, now)
    return row


def change(
    session: Session, row: SavedSegment, name: str, rule: Rule, *, actor: Actor, now: dt.datetime
) -> SavedSegment:
    """Give a segment another name or other conditions. Raises InvalidInput as :func:`save`."""
    others = [one for one in listed(session, int(row.authorizer_id)) if one.id != row.id]
    row.name = _free(name, others)
    _write(row, rule, actor, now)
    session.flush()
    _record(session, row, "changed", actor, now)
    return row


def remove(session: Session, row: SavedSegment, *, actor: Actor, now: dt.datetime) -> None:
    """Delete a segment; questions that name it are refused from then on."""
    _record(session, row, "deleted", actor, now)
    session.delete(row)
    session.flush()


def _free(name: str, others: list[SavedSegment]) -> str:
    name = checked_text(name.strip(), "name", MAX_NAME_CHARACTERS)
    if any(one.name == name for one in others):
        error = InvalidInput("name", "segment_taken", detail=name)
        error.status = 409
        raise error
    return name


def _write(row: SavedSegment, rule: Rule, actor: Actor, now: dt.datetime) -> None:
    row.conditions = json.dumps(rule.as_json(), ensure_ascii=False)
    row.changed_at, row.changed_by_id, row.changed_by = now, actor.id, actor.name


def _record(session: Session, row: SavedSegment, action: str, actor: Actor, now: dt.datetime) -> None:
    subject = audit.Subject("segment", str(row.id), str(row.name))
    audit.record(session, action, subject, actor=actor, now=now, authorizer_id=int(row.authorizer_id))
