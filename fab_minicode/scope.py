"""
Which mini programs the person in front of a door knows: everything of another one is, for them, not there.

A mini program can be limited to roles (``models.AuthorizerRole``); one without any is known to everybody who may see
mini programs at all, and the host's Admin role knows all. The setting ``AUTHORIZER_SCOPE`` puts a function of the host
in the place of this rule. Doors ask here before they hand an AppID or a row to floor 1. The collector, WeChat's door
and the command line have no person in front of them, and no scope.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from flask import current_app, g
from sqlalchemy import select

from fab_minicode import authorizers
from fab_minicode.errors import Missing
from fab_minicode.models import Authorizer, AuthorizerRole
from fab_minicode.runtime import runtime, session

log = logging.getLogger(__name__)

_KEPT = "_minicode_scope"


@dataclass(frozen=True)
class Scope:
    """
    The mini programs that somebody knows.

    Attributes:
        ids: Primary keys of ``Authorizer``; None for all of them.
    """

    ids: frozenset[int] | None = None

    def knows(self, authorizer_id: int | None) -> bool:
        """Whether a mini program is known; what belongs to none (None) is known to who knows all."""
        return self.ids is None or authorizer_id in self.ids

    def narrow(self, column: Any) -> Callable[[Any], Any]:
        """
        Return what adds the scope to a select.

        Args:
            column: The column of the selected rows that holds the mini program's primary key.
        """
        ids = self.ids
        if ids is None:
            return lambda statement: statement
        return lambda statement: statement.where(column.in_(sorted(ids)))


def scope() -> Scope:
    """Return what the current request's person knows; found out once per request and person."""
    who = _user()
    kept: tuple[Any, Scope] | None = g.get(_KEPT)
    if kept is None or kept[0] is not who:
        kept = (who, _found(who))
        setattr(g, _KEPT, kept)
    return kept[1]


def scope_of(who: Any) -> Scope:
    """Return what another person of the host knows, by their user object."""
    return _found(who)


def forget() -> None:
    """Find the scope out anew when it is asked for next, after a mini program or its roles have changed."""
    g.pop(_KEPT, None)


def authorizer_of(appid: str) -> Authorizer:
    """Return the mini program with this AppID. Raises Missing where the person knows none of that name."""
    found = authorizers.authorizer_of(session(), appid)
    if not scope().knows(found.id):
        raise Missing("no such mini program")
    return found


def role_names() -> frozenset[str]:
    """Return the names of the person's roles; those of the host's public role for somebody who has not logged in."""
    return _roles_of(_user())


def is_admin() -> bool:
    """Whether the person holds the host's Admin role."""
    return _admin_role() in role_names()


def _user() -> Any:
    return getattr(g, "user", None)


def _found(who: Any) -> Scope:
    rule = runtime().who_knows
    if rule is not None:
        return _asked(rule, who)
    limited: dict[int, set[str]] = {}
    for authorizer_id, role in session().execute(select(AuthorizerRole.authorizer_id, AuthorizerRole.role)):
        limited.setdefault(authorizer_id, set()).add(role)
    if not limited:
        return Scope()
    mine = _roles_of(who)
    if _admin_role() in mine:
        return Scope()
    hidden = {authorizer_id for authorizer_id, roles in limited.items() if not roles & mine}
    if not hidden:
        return Scope()
    known: Iterable[int] = session().execute(select(Authorizer.id)).scalars()
    return Scope(frozenset(known) - hidden)


def _asked(rule: Callable[..., Any], who: Any) -> Scope:
    rows = session().execute(select(Authorizer.id, Authorizer.appid)).all()
    try:
        known = set(rule(who, frozenset(row.appid for row in rows)))
    except Exception as error:  # noqa: BLE001
        # The host's code may fail in any way, and nobody must see more for it. The type only: its text is the host's.
        log.warning("FAB_MINICODE_AUTHORIZER_SCOPE failed (%s): nobody knows any mini program", type(error).__name__)
        known = set()
    return Scope(frozenset(row.id for row in rows if row.appid in known))


def _roles_of(who: Any) -> frozenset[str]:
    if who is None:
        return frozenset()
    security = current_app.extensions["appbuilder"].sm
    roles = security.get_user_roles(who)
    return frozenset(str(role.name) for role in roles if role is not None)


def _admin_role() -> str:
    return str(current_app.config.get("AUTH_ROLE_ADMIN", "Admin"))
