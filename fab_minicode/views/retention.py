"""``/minicode/analysis/retention``: who starts on the left, who comes back on the right."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from werkzeug.wrappers import Response

from fab_minicode import permissions
from fab_minicode.acquisition import retention
from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT
from fab_minicode.acquisition.retention_question import RetentionQuestion, from_args, parse, to_args
from fab_minicode.acquisition.scope import step_from_text, step_to_text
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.runtime import now, runtime
from fab_minicode.views import scope_form
from fab_minicode.views.analysis_answer import value_cell
from fab_minicode.views.analysis_fields import is_form, known
from fab_minicode.views.analysis_tabs import AnalysisPages
from fab_minicode.views.scope_form import ScopeForm
from fab_minicode.words import lazy_gettext as _l

STARTS: dict[str, Any] = {FIRST_VISIT: _l("First visit ever"), VISIT: _l("Any visit")}
DAYS: dict[str, Any] = {"7": _l("7 days"), "14": _l("14 days"), "30": _l("30 days")}
HEATS = 8
"""Shades of the table; the number beside them says the same."""


@dataclass(frozen=True)
class RetentionForm:
    """What the fields show; ``returns`` as an address writes it."""

    scope: ScopeForm
    start: str = FIRST_VISIT
    returns: str = "visit"
    days: str = "14"

    def as_json(self) -> dict[str, Any]:
        """Return the question's JSON."""
        returns = step_from_text(self.returns)
        return {**self.scope.as_json(), "start": self.start, "return": returns, "days": int(self.days)}


@dataclass(frozen=True)
class Asked:
    """What a request asks: the fields, the question if it is one, and what is wrong with it if not."""

    form: RetentionForm
    question: RetentionQuestion | None = None
    problems: Mapping[str, str] = field(default_factory=dict)


class MinicodeRetentionView(AnalysisPages, BaseView):
    """Retention: form, table, address."""

    route_base = "/minicode/analysis/retention"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "retention"
    tab = "retention"

    @expose("/")
    @has_access
    def retention(self) -> str | Response:
        """Count the retention that the address carries."""
        at = now()
        listed = self.mini_programs()
        authorizer = self.chosen(listed)
        asked = _asked(authorizer.appid if authorizer else "")
        if is_form(request.args) and asked.question is not None:
            values: dict[str, Any] = dict(to_args(asked.question))
            return redirect(url_for(f"{self.endpoint}.retention", **values))
        answer, problems = self._answer(asked, authorizer, at)
        returns = (asked.question.returns,) if asked.question else ()
        return self.page(
            "fab_minicode/retention.html",
            at=at,
            programs=listed,
            form=asked.form,
            problems=problems,
            answer=answer,
            starts=STARTS,
            days={asked.form.days: asked.form.days, **DAYS} if asked.form.days not in DAYS else DAYS,
            cells=value_cell,
            heat=heat,
            **scope_form.choices(self.db.connection(), authorizer, returns),
        )

    def _answer(
        self, asked: Asked, authorizer: Authorizer | None, at: dt.datetime
    ) -> tuple[dict[str, Any] | None, Mapping[str, str]]:
        if asked.question is None or authorizer is None:
            return None, asked.problems
        connection, number = self.db.connection(), int(authorizer.id)
        try:
            found = retention.count(connection, number, asked.question, settings=runtime().settings, now=at)
        except InvalidInput as error:
            return None, scope_form.problem_of(error)
        return found.as_json(), {}


def heat(cell: Mapping[str, int]) -> int:
    """Return the shade of a cell, 0 (nobody) to ``HEATS``: by the square root, because most shares are small."""
    share = cell["users"] / cell["of"] if cell["of"] else 0
    return min(HEATS, -int(-(share**0.5) * HEATS // 1))


def _asked(appid: str) -> Asked:
    fields = request.args
    if is_form(fields):
        form = RetentionForm(
            scope_form.read_form(fields, appid=appid),
            known(fields.get("start"), STARTS, FIRST_VISIT),
            fields.get("return", "visit"),
            known(fields.get("days"), DAYS, "14"),
        )
        return _checked(form)
    if not scope_form.is_asked():
        return _checked(RetentionForm(ScopeForm(appid))) if appid else Asked(RetentionForm(ScopeForm()))
    linked = fields.copy()
    linked.setdefault("appid", appid)
    question, problems = scope_form.checked(lambda: from_args(linked))
    if question is None:
        return Asked(RetentionForm(ScopeForm(appid)), None, problems)
    scope = scope_form.form_of(question.scope)
    return Asked(RetentionForm(scope, question.start, step_to_text(question.returns), str(question.days)), question)


def _checked(form: RetentionForm) -> Asked:
    question, problems = scope_form.checked(lambda: parse(form.as_json()))
    return Asked(form, question, problems)
