"""
``/minicode/analysis/visitors``: who is behind a number, and the story of one of them.

The address carries the question as the analysis page's does; its total is the number.
"""

from __future__ import annotations

import json
from typing import Any

from flask import abort, request, url_for
from flask_appbuilder import BaseView, expose, has_access

from fab_minicode import permissions
from fab_minicode.acquisition import segment_store, who
from fab_minicode.acquisition.cell import Cell, parse_cell, rule_of
from fab_minicode.acquisition.question import Question, from_args, saved_segment
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Authorizer
from fab_minicode.runtime import now, runtime
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import metric_name
from fab_minicode.views.analysis_fields import about
from fab_minicode.views.analysis_tabs import AnalysisPages
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.scope_form import problem_of

MAX_PAGE = 10**6
_OWN = ("number", "group", "others", "page", "chart", "stack", "part")


class MinicodeVisitorsView(AnalysisPages, BaseView):
    """Visitors by pseudonym."""

    route_base = "/minicode/analysis/visitors"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "visitors"

    @expose("")
    @has_access
    def visitors(self) -> str:
        """List the visitors behind a number, page by page."""
        at = now()
        authorizer = self.chosen(self.mini_programs()) or abort(404)
        settings, connection = runtime().settings, self.db.connection()
        question, cell, found, problems = None, None, None, {}
        try:
            question, cell = _asked(str(authorizer.appid))
            crowd = who.crowd_behind(connection, int(authorizer.id), question, cell, settings=settings, now=at)
            found = who.people(connection, int(authorizer.id), crowd, page=_page(), settings=settings, now=at)
        except InvalidInput as error:
            problems = problem_of(error)
        asked = about(str(authorizer.appid), request.args)
        linked: dict[str, Any] = {key: asked.getlist(key) for key in asked if key not in _OWN}
        return self.page(
            "fab_minicode/visitors.html",
            at=at,
            authorizer=authorizer,
            found=found,
            problems=problems,
            question=question,
            cell=cell,
            rule=self._rule(question, cell, authorizer) if question and cell else "",
            confirm=ConfirmForm(),
            pages=0 if found is None else -(-found.count // who.PAGE),
            address=lambda **more: url_for(".visitors", **{**linked, **_kept(), **more}),
            analysis_url=url_for("MinicodeAnalysisView.analysis", **linked),
            metric_name=metric_name,
            words=words,
            window=question.period.resolve(at, settings.zone) if question else None,
        )

    @expose("/<pseudonym>")
    @has_access
    def visitor(self, pseudonym: str) -> str:
        """Show what one visitor did."""
        at = now()
        authorizer = self.chosen(self.mini_programs()) or abort(404)
        connection, settings = self.db.connection(), runtime().settings
        try:
            found = who.story(connection, int(authorizer.id), pseudonym, page=_page(), settings=settings, now=at)
        except (Missing, InvalidInput):
            abort(404)
        return self.page(
            "fab_minicode/visitor.html",
            at=at,
            authorizer=authorizer,
            found=found,
            words=words,
            pages=-(-found.count // who.EVENTS_PAGE),
        )

    def _rule(self, question: Question, cell: Cell, authorizer: Authorizer) -> str:
        """Return the visitors as the JSON of a segment, "" where none stands for them."""
        listed = segment_store.listed(self.db, int(authorizer.id))
        saved = {f"segment:{row.id}": segment_store.rule_of(row) for row in listed}
        if saved_segment(cell.segment) and cell.segment not in saved:
            return ""
        try:
            rule = rule_of(question, cell, saved, now=now(), zone=runtime().settings.zone)
        except InvalidInput:
            return ""
        return json.dumps(rule.as_json(), ensure_ascii=False)


def _asked(appid: str) -> tuple[Question, Cell]:
    """Return the question of the address, and which of its numbers is meant: ``number``, ``group``, ``others``."""
    linked = about(appid, request.args)
    question = from_args(linked)
    asked: dict[str, Any] = {}
    if request.args.get("number"):
        asked["metric"] = request.args["number"]
    if request.args.get("group"):
        asked["segment"] = request.args["group"]
    if request.args.get("others"):
        asked["others"] = True
    return question, parse_cell(question, asked)


def _kept() -> dict[str, str]:
    return {name: request.args[name] for name in ("number", "group", "others") if request.args.get(name)}


def _page() -> int:
    text = request.args.get("page", "")
    return min(int(text), MAX_PAGE) if text.isascii() and text.isdigit() and len(text) < 10 else 0
