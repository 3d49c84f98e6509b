"""What every page of ours shares: the session, who acts, what they may, how it is rendered."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable
from typing import Any

from flask import Blueprint, abort, current_app, g, redirect, request, session, url_for
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import select
from sqlalchemy.orm import Session

from fab_minicode import authorizers, permissions
from fab_minicode.actor import PAGE, REST, Actor
from fab_minicode.models import Authorizer
from fab_minicode.runtime import now, runtime
from fab_minicode.scope import scope
from fab_minicode.views.shown import Shown
from fab_minicode.views.unavailable import AWAY, page_away

MAX_ID = 2**31 - 1
"""Largest primary key of our tables; a larger number in an address names no row (PostgreSQL would fail on it)."""

LAST_APPID = "minicode_appid"
"""Key of the host's session: the mini program this person looked at last."""

RIGHTS: dict[str, tuple[str, str]] = {
    "list_codes": ("can_list", permissions.CODES),
    "show": ("can_show", permissions.CODES),
    "download": ("can_download", permissions.CODES),
    "create": ("can_create", permissions.CODES),
    "rename": ("can_rename", permissions.CODES),
    "delete": ("can_delete", permissions.CODES),
    "list_authorizers": ("can_list", permissions.AUTHORIZERS),
    "show_authorizer": ("can_show", permissions.AUTHORIZERS),
    "authorize": ("can_authorize", permissions.AUTHORIZERS),
    "revoke": ("can_revoke", permissions.AUTHORIZERS),
    "analyse": ("can_read", permissions.ACQUISITION),
    "save_analysis": ("can_save", permissions.ACQUISITION),
    "export": ("can_export", permissions.ACQUISITION),
    "list_audit": ("can_list", permissions.AUDIT),
    "export_audit": ("can_export", permissions.AUDIT),
}
"""What templates ask as ``may.<name>``: the permission and the view menu it stands for."""

SIGNED_IN = frozenset({"authorize", "revoke", "list_audit", "export_audit"})
"""Rights that nobody has without a name, whatever a host gave its Public role: see :func:`signed_in`."""


class May:
    """What the person in front of the page may do; each right is looked up once, when a template asks for it."""

    def __init__(self, holds: Callable[[str, str], bool], *, is_signed_in: bool) -> None:
        """
        Args:
            holds: ``(permission, view menu)`` -> whether the person holds it.
            is_signed_in: Whether the host knows who the person is.
        """
        self._holds, self._is_signed_in = holds, is_signed_in
        self._known: dict[str, bool] = {}

    def __getattr__(self, right: str) -> bool:
        if right not in RIGHTS:
            raise AttributeError(right)
        if right not in self._known:
            may_be = self._is_signed_in or right not in SIGNED_IN
            self._known[right] = may_be and bool(self._holds(*RIGHTS[right]))
        return self._known[right]


def row_id(text: str) -> int:
    """Return the primary key an address names; 404 for everything that cannot be one."""
    if not (text.isascii() and text.isdigit()) or int(text[:20]) > MAX_ID or len(text) > 10:
        abort(404)
    return int(text)


def actor() -> Actor:
    """Return who acts, as the host knows them, in a page or over REST; a host may let people in without a log-in."""
    way = REST if request.path.startswith("/api/") else PAGE
    if not g.user.is_authenticated:
        return Actor("", "anonymous", way)
    return Actor(str(g.user.get_id()), str(g.user.get_full_name() or g.user.get_id())[:128], way)


def signed_in(view: Callable[..., Any]) -> Callable[..., Any]:
    """
    Lead whom the host does not know to the log-in, even where its Public role was given the right.

    Secrets, teams, the way to WeChat and the audit are nobody's without a name.
    """

    @functools.wraps(view)
    def checked(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not g.user.is_authenticated:
            return redirect(url_for(f"{self.appbuilder.sm.auth_view.endpoint}.login", next=request.url))
        return view(self, *args, **kwargs)

    return checked


class PageMixin:
    """For Flask-AppBuilder views: rendering inside the host's layout, with rights and formats in every template."""

    appbuilder: Any
    base_filters: Any = None
    _base_filters: Any
    authorizer_filters: Any = None
    """For a host's subclass: mini programs that its pages know, in the form of ``base_filters``; None for all."""

    def create_blueprint(self, *args: Any, **kwargs: Any) -> Blueprint:
        """Create the blueprint, with our answer while the database is away on it."""
        blueprint: Blueprint = super().create_blueprint(*args, **kwargs)  # type: ignore[misc]
        for kind in AWAY:
            blueprint.register_error_handler(kind, page_away)
        return blueprint

    @property
    def db(self) -> Session:
        """The host's session; Flask-AppBuilder 4 calls it ``get_session``."""
        # Flask-AppBuilder reads every attribute of a view while it has no host yet.
        found = getattr(self.appbuilder, "session", None)
        return found if found is not None else getattr(self.appbuilder, "get_session", None)

    def page(self, template: str, *, at: dt.datetime | None = None, **context: Any) -> str:
        """
        Render one of our templates.

        Args:
            template: Name below ``templates/``.
            at: The instant the request was received at; read here when the view had no use for it.
            context: What the template shows.
        """
        context.setdefault("may", self.may())
        context.setdefault("shown", self.shown(at or now()))
        # A host may leave views out: nothing leads to a page that it does not have.
        context.setdefault("there", current_app.view_functions)
        return str(self.render_template(template, **context))  # type: ignore[attr-defined]

    def in_scope(self, key: Any, value: int) -> bool:
        """
        Whether ``base_filters`` of a host's subclass let a row be seen.

        Args:
            key: Primary key column of the view's model.
            value: The row's key.
        """
        if not self.base_filters:
            return True
        statement = self._base_filters.apply_all(select(key).where(key == value))
        return self.db.execute(statement).first() is not None

    def knows(self, authorizer_id: int) -> bool:
        """Whether the person's scope, and ``authorizer_filters`` of a host's subclass, let a mini program be known."""
        if not scope().knows(authorizer_id):
            return False
        if not self.authorizer_filters:
            return True
        narrow = self.narrow_programs()
        return self.db.execute(narrow(select(Authorizer.id).where(Authorizer.id == authorizer_id))).first() is not None

    def narrow(self) -> Callable[[Any], Any] | None:
        """Return what adds ``base_filters`` of a host's subclass to a select of the view's rows; None for none."""
        return self._base_filters.apply_all if self.base_filters else None

    def narrow_programs(self) -> Callable[[Any], Any]:
        """
        Return what adds the person's scope, and ``authorizer_filters`` of a host's subclass, to a select of mini
        programs.
        """
        scoped = scope().narrow(Authorizer.id)
        if not self.authorizer_filters:
            return scoped
        filters = SQLAInterface(Authorizer, self.db).get_filters().add_filter_list(self.authorizer_filters)
        return lambda statement: filters.apply_all(scoped(statement))

    @staticmethod
    def shown(at: dt.datetime) -> Shown:
        """Return how numbers and instants look in this request."""
        return Shown.here(now=at, zone=runtime().settings.zone)

    def may(self) -> May:
        """Return what the current person may do."""
        return May(self.appbuilder.sm.has_access, is_signed_in=bool(g.user.is_authenticated))

    def chosen(self, listed: list[Authorizer]) -> Authorizer | None:
        """
        Return the mini program this page is about: the one the address names, else the one looked at last, else the
        first authorised, else the first.

        An address that names an unknown AppID is 404: another mini program's numbers would be misleading.
        """
        appid = request.values.get("appid", "")
        if appid:
            named = next((one for one in listed if one.appid == appid), None) or abort(404)
            if session.get(LAST_APPID) != appid:
                session[LAST_APPID] = appid
            return named
        last = (one for one in listed if one.appid == session.get(LAST_APPID))
        authorized = (one for one in listed if one.status == "authorized")
        return next(last, None) or next(authorized, None) or next(iter(listed), None)

    def mini_programs(self) -> list[Authorizer]:
        """Return the mini programs that this page may know, as the switcher lists them."""
        return authorizers.listed(self.db, narrow=self.narrow_programs())
