"""Which roles know a mini program: read and chosen. Who is inside of them is the door's matter (``scope``)."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from fab_minicode import audit
from fab_minicode.actor import Actor
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer, AuthorizerRole

MAX_ROLES = 50
MAX_ROLE_CHARACTERS = 64


def roles_of(session: Session, authorizer_id: int) -> tuple[str, ...]:
    """Return the roles that a mini program is limited to, by name; none when everybody knows it."""
    found = select(AuthorizerRole.role).where(AuthorizerRole.authorizer_id == authorizer_id)
    return tuple(session.execute(found.order_by(AuthorizerRole.role)).scalars())


def limit(
    session: Session,
    authorizer: Authorizer,
    roles: Iterable[str],
    *,
    known: Collection[str],
    actor: Actor,
    now: dt.datetime,
) -> None:
    """
    Limit a mini program to roles; with none everybody knows it again.

    Args:
        session: The door commits.
        authorizer: The mini program.
        roles: Names of roles of the host.
        known: Names that may be chosen: the host's, and those that are chosen already.
        actor: Who decides.
        now: Aware UTC.

    Raises:
        InvalidInput: With field ``roles``: one is not known, or they are too many.
    """
    wanted = sorted(set(roles))
    for role in wanted:
        if role not in known or len(role) > MAX_ROLE_CHARACTERS:
            raise InvalidInput("roles", "unknown", detail=role[:40])
    if len(wanted) > MAX_ROLES:
        raise InvalidInput("roles", "too_many", limit=MAX_ROLES, actual=len(wanted))
    before = roles_of(session, authorizer.id)
    if before == tuple(wanted):
        return
    session.execute(delete(AuthorizerRole).where(AuthorizerRole.authorizer_id == authorizer.id))
    session.add_all(AuthorizerRole(authorizer_id=authorizer.id, role=role) for role in wanted)
    subject = audit.Subject("authorizer", str(authorizer.id), authorizer.nick_name or authorizer.appid)
    detail = {"before": before, "after": wanted}
    audit.record(
        session, "changed_roles", subject, actor=actor, now=now, authorizer_id=authorizer.id, detail=detail
    )  # fmt: skip
    session.flush()
