"""``/minicode/analysis/funnel``: steps on the left, people per step on the right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from werkzeug.wrappers import Response

from fab_minicode import permissions
from fab_minicode.acquisition import funnel
from fab_minicode.acquisition.funnel_question import MAX_STEPS, FunnelQuestion, from_args, parse, to_args
from fab_minicode.acquisition.scope import number_from, step_from_text, step_to_text
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.runtime import now, runtime
from fab_minicode.views import scope_form
from fab_minicode.views.analysis_answer import value_cell
from fab_minicode.views.analysis_fields import is_form
from fab_minicode.views.analysis_tabs import AnalysisPages
from fab_minicode.views.scope_form import ScopeForm
from fab_minicode.words import gettext as _


@dataclass(frozen=True)
class FunnelForm:
    """What the fields show: ``steps`` as an address writes them, ``within`` as it was typed."""

    scope: ScopeForm
    steps: tuple[str, ...] = ("visit",)
    within: str = "7"

    @property
    def step_rows(self) -> tuple[str, ...]:
        """The steps, and an empty one to fill in; never fewer than two."""
        rows = self.steps if len(self.steps) >= MAX_STEPS else (*self.steps, "")
        return (*rows, *[""] * (2 - len(rows)))


@dataclass(frozen=True)
class Asked:
    """What a request asks: the fields, the question if it is one, and what is wrong with it if not."""

    form: FunnelForm
    question: FunnelQuestion | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


class MinicodeFunnelView(AnalysisPages, BaseView):
    """A funnel: form, table, address."""

    route_base = "/minicode/analysis/funnel"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "funnel"
    tab = "funnel"

    @expose("/")
    @has_access
    def funnel(self) -> str | Response:
        """Count the funnel that the address carries."""
        at = now()
        listed = self.mini_programs()
        authorizer = self.chosen(listed)
        asked = _asked(authorizer.appid if authorizer else "")
        if is_form(request.args) and asked.question is not None:
            values: dict[str, Any] = dict(to_args(asked.question))
            return redirect(url_for(f"{self.endpoint}.funnel", **values))
        answer, problems = self._answer(asked, authorizer, at)
        steps = asked.question.steps if asked.question else ()
        return self.page(
            "fab_minicode/funnel.html",
            at=at,
            programs=listed,
            form=asked.form,
            problems=problems,
            answer=answer,
            step_names=[_("Visit") if step is None else step for step in steps],
            cells=value_cell,
            max_steps=MAX_STEPS,
            **scope_form.choices(self.db.connection(), authorizer, steps),
        )

    def _answer(
        self, asked: Asked, authorizer: Authorizer | None, at: dt.datetime
    ) -> tuple[dict[str, Any] | None, Mapping[str, str]]:
        if asked.question is None or authorizer is None:
            return None, asked.problems
        connection, number = self.db.connection(), int(authorizer.id)
        try:
            found = funnel.count(connection, number, asked.question, settings=runtime().settings, now=at)
        except InvalidInput as error:
            return None, scope_form.problem_of(error)
        return found.as_json(), {}


def _asked(appid: str) -> Asked:
    fields = request.args
    if not scope_form.is_asked():
        return Asked(FunnelForm(ScopeForm(appid)))
    if is_form(fields):
        form = _read_form(appid)
        question, problems = scope_form.checked(lambda: parse(_question_of(form)))
        return Asked(form, question, problems)
    linked = fields.copy()
    linked.setdefault("appid", appid)
    question, problems = scope_form.checked(lambda: from_args(linked))
    if question is None:
        return Asked(_read_form(appid), None, problems)
    steps = tuple(step_to_text(step) for step in question.steps)
    return Asked(FunnelForm(scope_form.form_of(question.scope), steps, str(question.within_days)), question)


def _read_form(appid: str) -> FunnelForm:
    fields = request.args
    steps = tuple(text for text in fields.getlist("step") if text)[:MAX_STEPS]
    return FunnelForm(scope_form.read_form(fields, appid=appid), steps, fields.get("within", "7")[:5])


def _question_of(form: FunnelForm) -> dict[str, Any]:
    steps = [step_from_text(text) for text in form.steps]
    return {**form.scope.as_json(), "steps": steps, "within_days": number_from(form.within)}
