"""
``/minicode/analysis/visitors``: who is behind a number, and the story of one of them.

The address carries the question as the page of its kind does (``kind``: ``events``, ``funnel``, ``retention``), and
which of the answer's numbers is meant; without that an event analysis' total is.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from flask import abort, request, url_for
from flask_appbuilder import BaseView, expose, has_access

from fab_minicode import permissions
from fab_minicode.acquisition import behind, segment_store, who
from fab_minicode.acquisition.behind import Number
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.runtime import now, runtime
from fab_minicode.views import analysis_words as words
from fab_minicode.views import behind_words
from fab_minicode.views.analysis_answer import metric_name
from fab_minicode.views.analysis_fields import about
from fab_minicode.views.analysis_tabs import AnalysisPages
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.messages import refusal
from fab_minicode.views.question_kinds import QUESTION_KINDS
from fab_minicode.views.scope_form import problem_of

MAX_PAGE = 10**6
_NUMBER = ("kind", "number", "group", "others", "took", "lost", "back", "row", "day")
"""Fields that say which number is meant; the others are the question's."""

_OWN = ("page", "chart", "stack", "part", "recount")


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
        settings, connection, program = runtime().settings, self.db.connection(), int(authorizer.id)
        number, found, problems = None, None, {}
        try:
            number = behind.from_args(about(str(authorizer.appid), request.args))
            crowd = number.crowd(connection, program, settings=settings, now=at)
            found = who.people(connection, program, crowd, page=_page(), settings=settings, now=at)
        except InvalidInput as error:
            problems = problem_of(error)
        linked = _linked(str(authorizer.appid))
        whole: dict[str, Any] = {**linked, **_kept()}
        rule, why_not = self._rule(number, program, at) if number and found and found.count else ("", "")
        return self.page(
            "fab_minicode/visitors.html",
            at=at,
            tab=number.kind if number else self.tab,
            authorizer=authorizer,
            found=found,
            problems=problems,
            number=number,
            said=behind_words.said(number, self.shown(at)) if number else "",
            conditions=behind_words.conditions(connection, program, number) if number else [],
            counts_twice=number is not None and behind_words.counts_twice(number),
            rule=rule,
            why_not=why_not,
            confirm=ConfirmForm(),
            pages=0 if found is None else -(-found.count // who.PAGE),
            address=lambda **more: url_for(".visitors", **{**whole, **more}),
            person_url=lambda one: url_for(".visitor", pseudonym=one.pseudonym, **whole),
            question_url=_question_url(linked),
            metric_name=metric_name,
            words=words,
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
        linked = {**_linked(str(authorizer.appid)), **_kept()}
        return self.page(
            "fab_minicode/visitor.html",
            at=at,
            authorizer=authorizer,
            found=found,
            words=words,
            pages=-(-found.count // who.EVENTS_PAGE),
            linked=linked,
            list_url=url_for(".visitors", **linked) if set(linked) - {"appid"} else "",
        )

    def _rule(self, number: Number, program: int, at: dt.datetime) -> tuple[str, str]:
        """Return the visitors as the JSON of a segment, or why none stands for them."""
        saved = {f"segment:{row.id}": segment_store.rule_of(row) for row in segment_store.listed(self.db, program)}
        try:
            rule = number.rule(saved, now=at, zone=runtime().settings.zone)
        except InvalidInput as error:
            if error.code == "not_a_segment":
                return "", str(behind_words.NO_SEGMENT[number.kind])
            return "", str(behind_words.TOO_LONG if error.code == "too_many" else refusal(error))
        return json.dumps(rule.as_json(), ensure_ascii=False), ""


def _linked(appid: str) -> dict[str, Any]:
    """Return the question of the address, without the number that is meant."""
    asked = about(appid, request.args)
    return {key: asked.getlist(key) for key in asked if key not in (*_NUMBER, *_OWN) and not _is_for_flask(key)}


def _is_for_flask(key: str) -> bool:
    """Whether ``url_for`` would take a field of the address for an argument of its own."""
    return key.startswith("_") or key in ("endpoint", "pseudonym", "self")


def _kept() -> dict[str, str]:
    return {name: request.args[name] for name in _NUMBER if request.args.get(name)}


def _question_url(linked: dict[str, Any]) -> str:
    """Return where the question is asked, "" where the host has no such page."""
    kinds = {kind.name: kind for kind in QUESTION_KINDS}
    kind = kinds.get(request.args.get("kind", ""), kinds[behind.EVENTS])
    return url_for(kind.endpoint, **linked) if kind.is_asked_here else ""


def _page() -> int:
    text = request.args.get("page", "")
    return min(int(text), MAX_PAGE) if text.isascii() and text.isdigit() and len(text) < 10 else 0
