"""Who knows a mini program, and whose things become whose: the routes of teams. Part of ``MinicodeAuthorizersView``."""

from __future__ import annotations

from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_appbuilder import expose, has_access
from wtforms import StringField

from fab_minicode import handing_over, teams
from fab_minicode.actor import Actor
from fab_minicode.errors import InvalidInput
from fab_minicode.handing_over import Holdings
from fab_minicode.models import Authorizer
from fab_minicode.runtime import now, runtime
from fab_minicode.scope import forget, is_admin, role_names, scope, scope_of
from fab_minicode.views import messages
from fab_minicode.views.code_forms import ConfirmForm, stripped
from fab_minicode.views.page_forms import PageForm
from fab_minicode.views.pages import PageMixin, actor, signed_in
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l


class HandOverForm(PageForm):
    """Who leaves, by the id that the host knew them by, and the user name of who follows."""

    leaver = StringField(_l("Who leaves"), filters=[stripped])
    to = StringField(_l("User name of who follows"), filters=[stripped])


class TeamsMixin(PageMixin):
    """The routes that say who knows what, and whose it is."""

    def authorizer(self, pk: str) -> Authorizer:
        """Return the mini program an address names."""
        raise TypeError(f"no mini program {pk} here: the view that mixes this in finds them")

    @expose("/roles/<pk>", methods=["GET", "POST"])
    @has_access
    @signed_in
    def roles(self, pk: str) -> Any:
        """Choose the roles that know a mini program; 404 where a function of the host decides."""
        one = self.authorizer(pk)
        if runtime().who_knows is not None:
            abort(404)
        confirm, fault = ConfirmForm(), ""
        chosen = set(teams.roles_of(self.db, one.id))
        offered = sorted(self._host_roles() | chosen)
        if request.method == "POST":
            if not confirm.validate():
                abort(400)
            wanted = set(request.form.getlist("role"))
            try:
                self._choose(one, wanted, offered)
            except InvalidInput as error:
                self.db.rollback()
                fault, chosen = messages.refusal(error), wanted
            else:
                return redirect(url_for(".show", pk=one.id))
        return self.page(
            "fab_minicode/authorizer_roles.html", one=one, confirm=confirm, offered=offered, chosen=chosen,
            fault=fault, mine=role_names(),
        )  # fmt: skip

    def _choose(self, one: Authorizer, wanted: set[str], offered: list[str]) -> None:
        if wanted and not is_admin() and not wanted & role_names():
            # They would not see their own choice again, and could not take it back.
            raise InvalidInput("roles", "without_yours")
        teams.limit(self.db, one, wanted, known=offered, actor=actor(), now=now())
        self.db.commit()
        forget()
        if wanted:
            told = _("“%(name)s” is now known to: %(roles)s.", name=one, roles=", ".join(sorted(wanted)))
        else:
            told = _("“%(name)s” is now known to everybody who may see mini programs.", name=one)
        flash(told, "success")

    def _host_roles(self) -> set[str]:
        return {str(role.name) for role in self.appbuilder.sm.get_all_roles()}

    @expose("/hand_over", methods=["GET", "POST"])
    @has_access
    @signed_in
    def hand_over(self) -> Any:
        """Hand everything of somebody who leaves to somebody else: codes, saved questions, boards."""
        form = HandOverForm()
        faults: dict[str, str] = {}
        if request.method == "POST":
            if not form.validate():
                abort(400)
            try:
                had, to = self._handed_over(form)
            except InvalidInput as error:
                self.db.rollback()
                faults = {error.field: messages.refusal(error)}
            else:
                number = self.shown(now()).number
                flash(
                    _(
                        "%(codes)s codes, %(questions)s questions and %(boards)s boards of %(leaver)s now belong to"
                        " %(name)s.",
                        codes=number(had.codes), questions=number(had.questions), boards=number(had.boards),
                        leaver=had.name, name=to.name,
                    ),
                    "success",
                )  # fmt: skip
                return redirect(url_for(".list"))
        holders = handing_over.holders(self.db, scope().ids)
        return self.page("fab_minicode/hand_over.html", form=form, faults=faults, holders=holders)

    def _handed_over(self, form: HandOverForm) -> tuple[Holdings, Actor]:
        if not form.leaver.data:
            raise InvalidInput("leaver", "required")
        to, known = heir_named(self.appbuilder.sm, form.to.data)
        had = handing_over.hand_over(
            self.db, form.leaver.data, to, actor=actor(), now=now(), ids=scope().ids, known_to_heir=known
        )
        self.db.commit()
        return had, to


def heir_named(security: Any, name: str) -> tuple[Actor, frozenset[int] | None]:
    """
    Return an active user of the host by their user name, and the mini programs they know (None for all).

    Raises:
        InvalidInput: With field ``to``.
    """
    if not name:
        raise InvalidInput("to", "required")
    user = None if "\x00" in name else security.find_user(username=name)
    if user is None or not user.is_active:
        raise InvalidInput("to", "unknown_user", detail=name[:40])
    return Actor(str(user.get_id()), str(user.get_full_name() or user.get_id())[:128]), scope_of(user).ids
