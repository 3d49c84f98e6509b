"""``/minicode/analysis/funnel``: steps on the left, people per step on the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose, has_access

from fab_minicode import permissions
from fab_minicode.acquisition.funnel_question import MAX_STEPS, from_args, parse
from fab_minicode.acquisition.journey_doubts import funnel_sql
from fab_minicode.acquisition.scope import number_from, step_from_text, step_to_text, write_step
from fab_minicode.questions import FUNNEL
from fab_minicode.views import scope_form
from fab_minicode.views.analysis_fields import about, is_form
from fab_minicode.views.journey_pages import Asked, Journey, JourneyPages
from fab_minicode.views.journey_words import step_name
from fab_minicode.views.scope_form import ScopeForm
from fab_minicode.views.shown import Shown


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


class MinicodeFunnelView(JourneyPages, BaseView):
    """A funnel: form, table, address."""

    route_base = "/minicode/analysis/funnel"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "funnel"
    tab = "funnel"

    @expose("/")
    @has_access
    def funnel(self) -> ResponseReturnValue:
        """Count the funnel that the address carries."""
        journey = Journey(
            FUNNEL, _asked, lambda question: question.steps, _started, _summary, _more, recount=funnel_sql
        )
        return self.journey_page(journey)


def _started(answer: Mapping[str, Any]) -> int:
    return int(answer["totals"]["steps"][0]["users"])


def _summary(shown: Shown, answer: Mapping[str, Any]) -> str:
    steps = zip(answer["steps"], answer["totals"]["steps"], strict=True)
    return "; ".join(f"{step_name(step)} {shown.number(found['users'])}" for step, found in steps)


def _more(asked: Asked) -> dict[str, Any]:
    steps = asked.question.steps if asked.question is not None else ()
    return {"step_names": [step_name(write_step(step)) for step in steps], "max_steps": MAX_STEPS}


def _asked(appid: str) -> Asked:
    fields = request.args
    if not scope_form.is_asked():
        return Asked(FunnelForm(ScopeForm(appid)))
    if is_form(fields):
        form = _read_form(appid)
        question, problems = scope_form.checked(lambda: parse(_question_of(form)))
        return Asked(form, question, problems)
    linked = about(appid, fields)
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
