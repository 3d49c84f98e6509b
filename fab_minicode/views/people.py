"""Who the person in front of saved questions and boards is, and who else could keep them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from flask import current_app

from fab_minicode import permissions
from fab_minicode.actor import Actor
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.questions import Person
from fab_minicode.scope import role_names, scope_of
from fab_minicode.views.pages import actor

MANAGING = ("can_delete", permissions.CODES)
"""Who holds this sees and changes everybody's saved questions and boards: what Minicode Manager has beyond Creator."""

SAVING = ("can_save", permissions.ACQUISITION)
_LONGEST_USER_NAME = 64


def person(programs: Iterable[Authorizer]) -> Person:
    """
    Return the person of the current request.

    Args:
        programs: The mini programs that they know.
    """
    known = frozenset(int(one.id) for one in programs)
    return Person(actor(), role_names(), known, manages=bool(_security().has_access(*MANAGING)))


def recipient(user_name: str, authorizer_id: int) -> Actor:
    """
    Return an active person of the host who may save analyses and knows a mini program.

    Raises:
        InvalidInput: With field ``owner``: nothing typed, nobody of this user name, or somebody of another team.
    """
    name = user_name.strip()
    if not name:
        raise InvalidInput("owner", "required")
    plain = name.isprintable() and len(name) <= _LONGEST_USER_NAME
    user = _security().find_user(username=name) if plain else None
    if user is None or not user.is_active or not _may_save(user):
        raise InvalidInput("owner", "unknown", detail=name[:40])
    if not scope_of(user).knows(authorizer_id):
        raise InvalidInput("owner", "not_of_the_team", detail=name[:40])
    return Actor(str(user.get_id()), str(user.get_full_name() or name)[:128])


def has_left(owner_id: str) -> bool:
    """Whether the host no longer knows somebody, or lets them in no more."""
    user = _security().get_user_by_id(int(owner_id)) if owner_id.isdigit() else None
    return user is None or not user.is_active


def _may_save(user: Any) -> bool:
    """Whether somebody holds the permission; roles that stand in the configuration name theirs by patterns."""
    wanted_permission, wanted_menu = SAVING
    return any(
        re.fullmatch(permission, wanted_permission) and re.fullmatch(menu, wanted_menu)
        for role in _security().get_user_roles(user)
        if role is not None
        for permission, menu in _security().get_role_permissions(role)
    )


def _security() -> Any:
    return current_app.extensions["appbuilder"].sm
