"""
Who may do what: the strings that live in a host's role tables. Pure.

Every view or API that shares a ``class_permission_name`` must carry the same explicit ``base_permissions``, because
each registration deletes what its own list lacks (docs/hosts.md); take the lists from here. Flask-AppBuilder stores a
permission as ``can_<name>``; ``method_permission_name`` maps a method to the name without prefix.
"""

from __future__ import annotations

from dataclasses import dataclass

CODES = "MinicodeCodes"
AUTHORIZERS = "MinicodeAuthorizers"
ACQUISITION = "MinicodeAcquisition"
AUDIT = "MinicodeAudit"

CODES_PERMISSIONS: tuple[str, ...] = ("can_list", "can_show", "can_download", "can_create", "can_rename", "can_delete")
AUTHORIZERS_PERMISSIONS: tuple[str, ...] = ("can_list", "can_show", "can_authorize", "can_revoke")
ACQUISITION_PERMISSIONS: tuple[str, ...] = ("can_read", "can_save", "can_export")
AUDIT_PERMISSIONS: tuple[str, ...] = ("can_list", "can_export")

VIEW_MENUS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (CODES, CODES_PERMISSIONS),
    (AUTHORIZERS, AUTHORIZERS_PERMISSIONS),
    (ACQUISITION, ACQUISITION_PERMISSIONS),
    (AUDIT, AUDIT_PERMISSIONS),
)
"""``(class_permission_name, base_permissions)`` of everything we register."""

MENU_CODES, MENU_AUTHORIZERS, MENU_ANALYSIS = "Minicode Code List", "Minicode Mini Programs", "Minicode Analysis"
MENU_AUDIT = "Minicode Audit Log"
"""Names of the menu entries (not their labels); none may equal a view menu above, or menu access would grant pages."""

MENUS: tuple[tuple[str, str], ...] = (
    (MENU_CODES, CODES),
    (MENU_AUTHORIZERS, AUTHORIZERS),
    (MENU_ANALYSIS, ACQUISITION),
    (MENU_AUDIT, AUDIT),
)
"""``(menu name, view menu it leads to)``: a role that holds a permission on the second is given the first."""

# method of a FAB view or API -> permission without its can_ prefix
CODES_METHODS: dict[str, str] = {
    "list": "list",
    "show": "show",
    "home": "list",
    "image": "download",
    "thumbnail": "show",
    "add": "create",
    "create": "create",
    "retry": "create",
    "ghosts": "list",
    "adopt": "create",
    "release": "delete",
    "edit": "rename",
    "rename": "rename",
    "ask_delete": "delete",
    "delete": "delete",
    "get_list": "list",
    "get": "show",
    "post": "create",
    "put": "rename",
}
AUTHORIZERS_METHODS: dict[str, str] = {
    "list": "list",
    "show": "show",
    "connect": "authorize",
    "leave": "authorize",
    "back": "authorize",
    "rotate_key": "authorize",
    "head_image": "list",
    "roles": "authorize",
    "hand_over": "authorize",
    "revoke": "revoke",
    "get_list": "list",
    "quota": "list",
}
ACQUISITION_METHODS: dict[str, str] = {
    "analysis": "read",
    "list": "read",
    "show": "read",
    "read": "read",
    "query": "read",
    "headline": "read",
    "visitors": "read",
    "visitor": "read",
    "funnel": "read",
    "funnel_sql": "read",
    "retention": "read",
    "retention_sql": "read",
    "attributions": "read",
    "sql": "read",
    "values": "read",
    "events": "read",
    "get_list": "read",
    "suggestions": "read",
    "merge": "save",
    "undo": "save",
    "saved": "read",
    "ask_delete": "save",
    "save": "save",
    "edit": "save",
    "keep": "save",
    "lock": "save",
    "hand_over": "save",
    "remove": "save",
    "card": "read",
    "add": "save",
    "move": "save",
    "take_off": "save",
    "get": "read",
    "answer": "read",
    "post": "save",
    "put": "save",
    "delete": "save",
    "export": "export",
    "picture": "export",
}

AUDIT_METHODS: dict[str, str] = {"list": "list", "export": "export"}


@dataclass(frozen=True)
class Role:
    """A role we create: its name, and what it holds as ``(view menu, permissions)``."""

    name: str
    grants: tuple[tuple[str, tuple[str, ...]], ...]


VIEWER = Role(
    "Minicode Viewer",
    ((CODES, ("can_list", "can_show")), (AUTHORIZERS, ("can_list", "can_show")), (ACQUISITION, ("can_read",))),
)
CREATOR = Role(
    "Minicode Creator",
    (
        (CODES, ("can_list", "can_show", "can_download", "can_create")),
        (AUTHORIZERS, ("can_list", "can_show")),
        (ACQUISITION, ("can_read", "can_save")),
    ),
)
MANAGER = Role("Minicode Manager", VIEW_MENUS)

ROLES: tuple[Role, ...] = (VIEWER, CREATOR, MANAGER)


def menus_of(role: Role) -> tuple[str, ...]:
    """Return the names of our menu entries that a role leads to, in menu order."""
    granted = {view_menu for view_menu, permissions in role.grants if permissions}
    return tuple(menu for menu, view_menu in MENUS if view_menu in granted)
