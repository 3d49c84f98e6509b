"""Creates the roles of :mod:`fab_minicode.permissions` in a host's security manager."""

from __future__ import annotations

from typing import Any

from fab_minicode.permissions import ROLES, Role, menus_of


def grant_roles(security: Any, menu_category: str) -> tuple[str, ...]:
    """
    Create our roles, or add to them what they lack; nothing that an administrator granted is taken away.

    Args:
        security: The host's security manager (``appbuilder.sm``).
        menu_category: Name of the menu category; a role that may not see it would not see its entries.

    Returns:
        The names of the roles.
    """
    # Airflow's security manager has Flask-AppBuilder's methods under names of its own.
    find = _method(security, "find_permission_view_menu", "get_permission")
    create = _method(security, "add_permission_view_menu", "create_permission")
    grant = _method(security, "add_permission_role", "add_permission_to_role")
    for role in ROLES:
        row = security.add_role(role.name)
        for permission, view_menu in _grants(role, menu_category):
            grant(row, find(permission, view_menu) or create(permission, view_menu))
    return tuple(role.name for role in ROLES)


def _method(security: Any, *names: str) -> Any:
    return next(getattr(security, name) for name in names if hasattr(security, name))


def _grants(role: Role, menu_category: str) -> list[tuple[str, str]]:
    pages = [(permission, view_menu) for view_menu, names in role.grants for permission in names]
    return pages + [("menu_access", menu) for menu in (menu_category, *menus_of(role))]
