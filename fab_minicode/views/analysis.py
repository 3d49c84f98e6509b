"""
The page behind 过去7天广告获客量: a question on the left, its answer on the right.

The query string carries the whole question, so that an address can be shared, kept and gone back to. The script asks
for the same page without the host's layout (``part=page``); without scripts the form's button does it with a page load.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from werkzeug.datastructures import MultiDict

from fab_minicode import permissions
from fab_minicode.acquisition.dimensions import DIMENSIONS
from fab_minicode.acquisition.metrics import ATTRIBUTIONS
from fab_minicode.acquisition.question import Question, from_args, parse, to_args
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.questions import EVENTS
from fab_minicode.runtime import now, runtime
from fab_minicode.views import analysis_chart as charts
from fab_minicode.views import analysis_form as forms
from fab_minicode.views import analysis_reasons as reasons
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import Json, Reader, begun, is_empty
from fab_minicode.views.analysis_fields import about, is_form
from fab_minicode.views.analysis_form import Form
from fab_minicode.views.analysis_numbers import over_time, with_sparks
from fab_minicode.views.analysis_order import SORT, known_sort, sorted_table
from fab_minicode.views.analysis_page import Page, answered, problem_of
from fab_minicode.views.analysis_reasons import Counting
from fab_minicode.views.analysis_recount import recounted
from fab_minicode.views.analysis_table import Table
from fab_minicode.views.analysis_tabs import VALUES, VISITORS, AnalysisPages
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.saved_questions import SAVED, SavedQuestionPages, look_fields, look_in, saved_id
from fab_minicode.views.shown import Shown
from fab_minicode.words import gettext as _

LOOKS = frozenset({"appid", "chart", "stack", "beside", "recount", "part", SORT, SAVED})
"""Keys of an address that do not make it a question."""


@dataclass(frozen=True)
class Asked:
    """What a request asks: the fields to show, the question if it is one, and what is wrong with it if not."""

    form: Form
    question: Question | None
    problems: Mapping[str, str]


class MinicodeAnalysisView(SavedQuestionPages, AnalysisPages, BaseView):
    """``/minicode/analysis/``."""

    route_base = "/minicode/analysis"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "analysis"

    @expose("/")
    @has_access
    def analysis(self) -> ResponseReturnValue:
        """Answer the question that the address carries."""
        listed = self.mini_programs()
        return self._shown(request.args, listed, self.chosen(listed))

    @expose("/<int:pk>")
    @has_access
    def saved(self, pk: int) -> ResponseReturnValue:
        """Answer a saved question; what kinds have pages of their own is led there."""
        one = self.opened(pk, self.person())
        if one.question is None or not one.kind.is_asked_here:
            if "MinicodeSavedView.edit" not in current_app.view_functions:
                abort(404)
            return redirect(url_for("MinicodeSavedView.edit", pk=pk))
        if one.kind.name != EVENTS:
            return redirect(one.kind.address(one.question, saved=pk))
        fields = MultiDict({**one.kind.write(one.question), **look_fields(one.row.chart, one.row.sort)})
        listed = self.mini_programs()
        authorizer = next(program for program in listed if program.id == one.row.authorizer_id)
        return self._shown(fields, listed, authorizer, heading=one.row.name)

    def _shown(
        self,
        fields: MultiDict[str, str],
        listed: Sequence[Authorizer],
        authorizer: Authorizer | None,
        heading: str = "",
    ) -> ResponseReturnValue:
        at = now()
        part = request.args.get("part") == "page"
        asked = _in_known_order(_asked(authorizer.appid if authorizer else "", fields))
        if is_form(request.args) and asked.question is not None and not part:
            return redirect(self._address(asked.question, asked.form))
        page = self._page(asked, listed, authorizer)
        if authorizer is not None and asked.question is not None:
            page = self._answered(page, asked.question, authorizer, at)
        template = "fab_minicode/_analysis.html" if part else "fab_minicode/analysis.html"
        return self.page(
            template,
            at=at,
            page=page,
            form=page.form,
            words=words,
            heading=heading,
            saved=self.bar(EVENTS, asked.question, look=look_in(page.form)),
            confirm=ConfirmForm(),
            attributions=ATTRIBUTIONS,
            dimensions={one.name: one.description for one in DIMENSIONS},
        )

    def _page(self, asked: Asked, listed: Sequence[Authorizer], authorizer: Authorizer | None) -> Page:
        """Return the page before anything is counted: the form, its messages, and what to do without a mini program."""
        url = "" if asked.question is None else self._address(asked.question, asked.form)
        empty = reasons.not_a_question(asked.problems.values()) if asked.problems else None
        if not listed:
            empty = reasons.no_mini_program(self.mini_programs_url())
        page = Page(f"{self.endpoint}.analysis", url, asked.form, listed, asked.problems, empty=empty)
        if authorizer is None:
            return page
        connection, number = self.db.connection(), int(authorizer.id)
        return dataclasses.replace(
            page,
            segment_choices=reasons.groups(connection, number),
            event_names=reasons.known_events(connection, number),
            values_url=url_for(VALUES) if VALUES in current_app.view_functions else "",
        )

    def _answered(self, page: Page, question: Question, authorizer: Authorizer, at: dt.datetime) -> Page:
        """Return the page with the question's answer, or with the reason why there is nothing to see."""
        settings = runtime().settings
        count = Counting(self.db.connection(), settings, at)
        alone = dataclasses.replace(page.form, beside=False, sort="")
        reader = Reader(
            shown=Shown.here(now=at, zone=settings.zone),
            link=lambda other: self._address(parse(other), alone),
        )
        try:
            asked, answer = count.asked(question, beside=page.form.beside)
        except InvalidInput as error:
            problems = problem_of(error)
            return dataclasses.replace(page, problems=problems, empty=reasons.not_a_question(problems.values()))
        page = dataclasses.replace(page, **answered(reader, page, asked, answer), menu=menu_of(question))
        page = dataclasses.replace(page, table=self._sorted(page, question, begun(reader, answer)))
        if is_empty(asked, answer):
            why = reasons.why_empty(count, question, reader, self.install_url(authorizer))
            return dataclasses.replace(page, empty=why, payload=None)
        if page.chart == "number" and not page.form.beside:
            course = count.answer(parse(over_time(asked)))
            page = dataclasses.replace(page, numbers=with_sparks(reader, page.numbers, asked, course))
        if request.args.get("recount"):
            page = dataclasses.replace(page, recount=recounted(count, question))
        return page

    def _sorted(self, page: Page, question: Question, answer: Json) -> Table:
        """Return the page's table in the order that was asked for."""
        if not page.table.heads:
            return page.table
        form = page.form
        return sorted_table(
            page.table,
            answer,
            form.sort,
            lambda sort: self._address(question, dataclasses.replace(form, sort=sort)),
        )

    def _address(self, question: Question, form: Form) -> str:
        values: dict[str, Any] = dict(to_args(question))
        if form.chart and form.chart != charts.natural(question.as_json()):
            values["chart"] = form.chart
        if form.stack:
            values["stack"] = form.stack
        if form.beside:
            values["beside"] = "1"
        if form.sort:
            values[SORT] = form.sort
        if saved_id() is not None:
            values[SAVED] = saved_id()
        return url_for(f"{self.endpoint}.analysis", **values)


def _asked(appid: str, fields: MultiDict[str, str]) -> Asked:
    """Read the question from an address: the form's own fields, a shared link, or nothing yet."""
    blank = forms.looks(Form(appid=appid), fields)
    if is_form(fields):
        form = forms.read_form(fields, appid=appid)
        return _checked(form, lambda: parse(forms.question_of(form)))
    if not set(fields) - LOOKS:
        return _checked(blank, lambda: parse(forms.question_of(blank))) if appid else Asked(blank, None, {})
    linked = about(appid, fields)
    asked = _checked(blank, lambda: from_args(linked))
    if asked.question is None:
        return asked
    return dataclasses.replace(asked, form=forms.form_of(asked.question.as_json(), blank))


def _checked(form: Form, read: Callable[[], Question]) -> Asked:
    try:
        return Asked(form, read(), {})
    except InvalidInput as error:
        return Asked(form, None, problem_of(error))


def _in_known_order(asked: Asked) -> Asked:
    """Leave out an order by a column that the answer will not have: the question has changed since."""
    form, question = asked.form, asked.question
    sort = known_sort(form.sort, question, beside=form.beside) if question else ""
    return dataclasses.replace(asked, form=dataclasses.replace(form, sort=sort))


def menu_of(question: Question) -> dict[str, Any]:
    """Return the words and addresses of the menu on a point or row."""
    there = current_app.view_functions
    return {
        "filter": _("Filter to this"),
        "split": _("Split by"),
        "who": _("Who are they"),
        "visitors": url_for(VISITORS) if VISITORS in there else "",
        "dimensions": [
            {"name": name, "label": str(label)}
            for name, label in words.DIMENSIONS.items()
            if name not in question.dimensions
        ],
    }
