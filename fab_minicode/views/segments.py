"""``/minicode/analysis/segments/``: saved conditions on visitors, how many have them, and the form."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass

from flask import abort, current_app, flash, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from werkzeug.wrappers import Response

from fab_minicode import permissions
from fab_minicode.acquisition import segment_store
from fab_minicode.acquisition.segment_rules import MAX_CONDITIONS, parse
from fab_minicode.acquisition.segments import crowd_of, people_in
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Authorizer, SavedSegment
from fab_minicode.runtime import now, runtime
from fab_minicode.views import analysis_words, code_words, messages, segment_words
from fab_minicode.views.analysis_tabs import VALUES, AnalysisPages
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.pages import actor, row_id
from fab_minicode.views.scope_form import choices
from fab_minicode.views.segment_form import EVER, Row, SegmentForm, form_of, read_form
from fab_minicode.words import gettext as _

SUGGESTED_DAYS = 180
"""Values of so many days are suggested for filters; a segment usually asks about a long time."""


@dataclass(frozen=True)
class Shown:
    """A segment in the list: what it asks, how many people that are now, and the address of a question about them."""

    row: SavedSegment
    words: str
    people: int
    url: str


class MinicodeSegmentsView(AnalysisPages, BaseView):
    """List, form, deletion."""

    route_base = "/minicode/analysis/segments"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "list"
    tab = "segments"

    @expose("/")
    @has_access
    def list(self) -> str:
        """Show the segments of a mini program."""
        at = now()
        listed = self.mini_programs()
        authorizer = self.chosen(listed)
        rows = segment_store.listed(self.db, int(authorizer.id)) if authorizer else []
        return self.page(
            "fab_minicode/segments.html",
            at=at,
            programs=listed,
            authorizer=authorizer,
            segments=[self._shown(row, at) for row in rows],
            statuses=code_words.STATUSES,
        )

    @expose("/add", methods=["GET", "POST"])
    @has_access
    def add(self) -> str | Response:
        """Make a segment from the form, or from the visitors behind a number (``rule``, its JSON)."""
        authorizer = self.chosen(self.mini_programs()) or abort(404)
        if request.method != "POST":  # HEAD, too
            return self._form(SegmentForm(), authorizer)
        return self._save(authorizer, None)

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @has_access
    def edit(self, pk: str) -> str | Response:
        """Change a segment."""
        row = self._known(pk)
        if request.method != "POST":  # HEAD, too
            return self._form(form_of(str(row.name), segment_store.rule_of(row)), row.authorizer, row)
        return self._save(row.authorizer, row)

    @expose("/ask_delete/<pk>")
    @has_access
    def ask_delete(self, pk: str) -> str:
        """Ask before a segment is deleted."""
        return self.page("fab_minicode/segment_delete.html", row=self._known(pk), confirm=ConfirmForm())

    @expose("/delete/<pk>", methods=["POST"])
    @has_access
    def delete(self, pk: str) -> Response:
        """Delete a segment."""
        row = self._known(pk)
        self._check_token()
        name, appid = str(row.name), row.authorizer.appid
        segment_store.remove(self.db, row, actor=actor(), now=now())
        self.db.commit()
        flash(_("“%(name)s” is deleted.", name=name), "success")
        return redirect(url_for(".list", appid=appid))

    def _save(self, authorizer: Authorizer, row: SavedSegment | None) -> str | Response:
        self._check_token()
        form = SegmentForm(request.form.get("name", "").strip())
        try:
            form = _sent_form(form)
            rule = parse(form.as_json())
            if row is None:
                row = segment_store.save(self.db, authorizer, form.name, rule, actor=actor(), now=now())
            else:
                segment_store.change(self.db, row, form.name, rule, actor=actor(), now=now())
            self.db.commit()
        except InvalidInput as error:
            self.db.rollback()
            return self._form(form, authorizer, row, problems=_problems(error))
        flash(_("“%(name)s” is saved.", name=form.name), "success")
        return redirect(url_for(".list", appid=authorizer.appid))

    def _form(
        self,
        form: SegmentForm,
        authorizer: Authorizer,
        row: SavedSegment | None = None,
        *,
        problems: Mapping[str, str] | None = None,
    ) -> str:
        steps = tuple(one.event.partition(":")[2] for one in form.rows if ":" in one.event)
        return self.page(
            "fab_minicode/segment_form.html",
            form=form,
            row=row,
            authorizer=authorizer,
            problems=problems or {},
            confirm=ConfirmForm(),
            said=segment_words,
            ever=EVER,
            most=MAX_CONDITIONS,
            blank=Row(),
            values_url=_values_url(str(authorizer.appid)),
            windows={EVER: {EVER: segment_words.EVER}, **analysis_words.WINDOW_GROUPS},
            **choices(self.db.connection(), authorizer, steps),
        )

    def _shown(self, row: SavedSegment, at: dt.datetime) -> Shown:
        rule, settings, number = segment_store.rule_of(row), runtime().settings, int(row.authorizer_id)
        segment = crowd_of(self.db.connection(), number, rule, settings=settings, now=at)
        people = people_in(self.db.connection(), number, segment, settings=settings, now=at)
        url = url_for("MinicodeAnalysisView.analysis", appid=row.authorizer.appid, segment=f"segment:{row.id}")
        return Shown(row, segment_words.rule_words(rule), people, url)

    def _known(self, pk: str) -> SavedSegment:
        try:
            row = segment_store.segment_of(self.db, row_id(pk))
        except Missing:
            abort(404)
        if not self.knows(int(row.authorizer_id)):
            abort(404)
        return row

    @staticmethod
    def _check_token() -> None:
        if not ConfirmForm().validate_on_submit():
            abort(400)


def _values_url(appid: str) -> str:
    """Return the address that suggests values for filters, "" where the host has none: those of a long window."""
    there = VALUES in current_app.view_functions
    return url_for(VALUES, appid=appid, window=f"last_{SUGGESTED_DAYS}") if there else ""


def _sent_form(form: SegmentForm) -> SegmentForm:
    """Return the form as it was sent; a segment made from a number comes as the JSON of its conditions."""
    text = request.form.get("rule", "")
    if not text:
        return read_form(request.form)
    try:
        asked = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput("conditions", "invalid") from None
    return form_of(form.name, parse(asked))


def _problems(error: InvalidInput) -> dict[str, str]:
    name = "name" if error.field == "name" else "conditions"
    place = error.field.partition("[")[2].partition("]")[0]
    said = str(messages.refusal(error))
    if name == "conditions" and place.isdigit():
        said = _("Condition %(number)s: %(sentence)s", number=int(place) + 1, sentence=said)
    return {name: said}
