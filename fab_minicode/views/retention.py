"""``/minicode/analysis/retention``: who starts on the left, who comes back on the right."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose, has_access

from fab_minicode import permissions
from fab_minicode.acquisition.journey_doubts import retention_sql
from fab_minicode.acquisition.metrics import FIRST_VISIT
from fab_minicode.acquisition.retention_question import from_args, parse
from fab_minicode.acquisition.scope import step_from_text, step_to_text
from fab_minicode.questions import RETENTION
from fab_minicode.views import scope_form
from fab_minicode.views.analysis_fields import about, is_form, known
from fab_minicode.views.journey_pages import Asked, Journey, JourneyPages
from fab_minicode.views.journey_words import STARTS
from fab_minicode.views.scope_form import ScopeForm
from fab_minicode.views.shown import Shown
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

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


class MinicodeRetentionView(JourneyPages, BaseView):
    """Retention: form, table, address."""

    route_base = "/minicode/analysis/retention"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "retention"
    tab = "retention"

    @expose("/")
    @has_access
    def retention(self) -> ResponseReturnValue:
        """Count the retention that the address carries."""
        journey = Journey(
            RETENTION, _asked, lambda question: (question.returns,), _started, _summary, _more, recount=retention_sql
        )
        return self.journey_page(journey)


def _started(answer: Mapping[str, Any]) -> int:
    return int(answer["totals"]["starts"])


def _summary(shown: Shown, answer: Mapping[str, Any]) -> str:
    kept = answer["totals"]
    said = [f"{_('Started')} {shown.number(kept['starts'])}"]
    first = kept["returned"][0]
    if first is not None and first["of"]:
        said.append(f"{_('Day %(day)s', day=1)} {shown.percent(first['users'] / first['of'])}")
    return "; ".join(said)


def _more(asked: Asked) -> dict[str, Any]:
    own = asked.form.days
    return {"starts": STARTS, "days": {own: own, **DAYS} if own not in DAYS else DAYS, "heat": heat, "hottest": hottest}


def hottest(answer: Mapping[str, Any]) -> float:
    """Return the largest share of a table (0 to 1), which has its darkest shade."""
    lines = [answer["totals"], *answer["rows"], *([answer["others"]] if answer["others"] else [])]
    return max((_share(cell) for line in lines for cell in line["returned"] if cell), default=0.0)


def heat(cell: Mapping[str, int], most: float) -> int:
    """Return the shade of a cell, 0 (nobody) to ``HEATS`` (the table's ``most``); few are told apart, too."""
    return min(HEATS, -int(-((_share(cell) / most) ** 0.5) * HEATS // 1)) if most else 0


def _share(cell: Mapping[str, int]) -> float:
    return cell["users"] / cell["of"] if cell["of"] else 0.0


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
    linked = about(appid, fields)
    question, problems = scope_form.checked(lambda: from_args(linked))
    if question is None:
        return Asked(RetentionForm(ScopeForm(appid)), None, problems)
    scope = scope_form.form_of(question.scope)
    return Asked(RetentionForm(scope, question.start, step_to_text(question.returns), str(question.days)), question)


def _checked(form: RetentionForm) -> Asked:
    question, problems = scope_form.checked(lambda: parse(form.as_json()))
    return Asked(form, question, problems)
