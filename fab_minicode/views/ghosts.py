"""Ghost codes as people see them: what visits carried that no live code stands for, and giving it to a code."""

from __future__ import annotations

import datetime as dt
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_appbuilder import expose, has_access

from fab_minicode import codes
from fab_minicode.acquisition import ghost_list
from fab_minicode.draft import checked_text
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Authorizer, Code, Ghost
from fab_minicode.runtime import now, runtime
from fab_minicode.utm import UTM_FIELDS
from fab_minicode.views import code_words
from fab_minicode.views.code_forms import ConfirmForm, filled_like
from fab_minicode.views.code_making import CodeMakingMixin
from fab_minicode.views.pages import actor, row_id
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

SHOWN_GHOSTS = 100
KINDS: dict[str, Any] = {
    ghost_list.SCENE: (_l("Unknown scene"), "warn"),
    ghost_list.DELETED: (_l("Deleted code"), "bad"),
    ghost_list.VALUES: (_l("No code carries these values"), "info"),
}


class GhostsMixin(CodeMakingMixin):
    """The routes of ghost codes; part of ``codes.MinicodeCodesView``."""

    @expose("/ghosts/")
    @has_access
    def ghosts(self) -> str:
        """List what visits of the last 30 days carried that no live code stands for."""
        at = now()
        programs = self.mini_programs()
        authorizer = self.chosen(programs)
        found: list[ghost_list.Found] = []
        if authorizer is not None:
            zone = runtime().settings.zone
            today = at.astimezone(zone).date()
            found = ghost_list.found(self.db.connection(), authorizer.id, today=today, zone=zone)
        return self.page(
            "fab_minicode/ghost_list.html",
            at=at,
            programs=programs,
            authorizer=authorizer,
            ghosts=found[:SHOWN_GHOSTS],
            more=max(len(found) - SHOWN_GHOSTS, 0),
            kinds=KINDS,
            words=code_words,
            utm_fields=UTM_FIELDS,
        )

    @expose("/adopt/<pk>", methods=["GET", "POST"])
    @has_access
    def adopt(self, pk: str) -> Any:
        """Give a scene that no code has to a live code."""
        at = now()
        ghost, authorizer = self._ghost(pk)
        fault = ""
        if request.method == "POST":
            if not ConfirmForm().validate_on_submit():
                abort(400)
            code = self._named(authorizer, request.form.get("name", ""))
            if code is not None:
                self._give(ghost, code, at)
                return redirect(url_for(".show", pk=code.id))
            fault = _("There is no code of this name. Choose one of the list, or make a new one.")
        return self.page(
            "fab_minicode/ghost_adopt.html",
            at=at,
            ghost=ghost,
            authorizer=authorizer,
            fault=fault,
            names=ghost_list.newest_names(self.db, authorizer.id),
            confirm=ConfirmForm(),
        )

    @expose("/release/<pk>", methods=["POST"])
    @has_access
    def release(self, pk: str) -> Any:
        """Take an adopted scene (field ``ghost``) back from a code, of a deleted one too."""
        if not ConfirmForm().validate_on_submit():
            abort(400)
        code = self.code(pk, deleted_too=True)
        try:
            ghost_list.release_scene(self.db, code, _ghost_id(), actor=actor(), now=now())
            self.db.commit()
        except Missing:
            self.db.rollback()
            abort(404)
        flash(
            _("Taken back. From now on visits with this scene no longer count for “%(name)s”.", name=code.name),
            "success",
        )
        return redirect(url_for(".show", pk=code.id))

    def _ghost(self, pk: str) -> tuple[Ghost, Authorizer]:
        try:
            ghost = ghost_list.ghost_of(self.db, row_id(pk))
        except Missing:
            abort(404)
        authorizer = next((one for one in self.mini_programs() if one.id == ghost.authorizer_id), None) or abort(404)
        return ghost, authorizer

    def _named(self, authorizer: Authorizer, name: str) -> Code | None:
        try:
            code = ghost_list.live_code_named(self.db, authorizer.id, checked_text("name", name, most=200))
        except (Missing, InvalidInput):
            return None
        return code if self.sees(code) else None

    def _give(self, ghost: Ghost, code: Code, at: dt.datetime) -> None:
        scene = ghost.scene
        try:
            ghost_list.adopt_scene(self.db, ghost, code, actor=actor(), now=at)
            self.db.commit()
        except Missing:
            self.db.rollback()
            abort(404)
        flash(
            _("From now on visits with the scene %(scene)s count for “%(name)s”.", scene=scene, name=code.name),
            "success",
        )

    # ---------------------------------------------------------------------------------- a new code for a ghost

    def _fresh_form(self) -> Any:
        """The form of a new code, filled in from a ghost: ``?ghost=`` a scene, ``?after=`` a deleted code, or texts."""
        if request.args.get("ghost"):
            ghost, _authorizer = self._ghost(request.args["ghost"])
            values = {"landing_page": ghost.page, "adopts": f"scene-{ghost.id}", "kind": "wxacode_unlimited"}
            return self.add_form(formdata=None, data=values)
        if request.args.get("after"):
            old = self.code(request.args["after"], deleted_too=True)
            values = filled_like(old, codes.plan_of(old).options, keep_name=True)
            return self.add_form(formdata=None, data={**values, "adopts": f"code-{old.id}"})
        typed = {name: request.args[name][:1024] for name in ("landing_page", *UTM_FIELDS) if name in request.args}
        return self.add_form(formdata=None, data=typed) if typed else super()._fresh_form()

    def _adopted(self, code: Code, adopts: str, at: dt.datetime) -> None:
        """Give a new code what its form was opened for; 404 for what is not there (any more)."""
        kind, _dash, pk = adopts.partition("-")
        try:
            if kind == "scene":
                ghost_list.adopt_scene(self.db, self._ghost(pk)[0], code, actor=actor(), now=at)
            elif kind == "code":
                old = self.code(pk, deleted_too=True)
                ghost_list.adopt_deleted(self.db, old, code, actor=actor(), now=at)
        except Missing:
            abort(404)


def _ghost_id() -> int:
    """Return the number of the form's ghost; that of a deleted code's own scene is negative."""
    text = request.form.get("ghost", "")
    return -row_id(text[1:]) if text.startswith("-") else row_id(text)
