"""
What the pages of funnel and retention share: one question of an address, its answer, and the bar that saves it.

As on the analysis page the query string carries the whole question, ``saved=`` names what somebody started from, and
the script asks for the same page without the host's layout (``part=page``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import current_app, redirect, request, url_for
from flask.typing import ResponseReturnValue

from fab_minicode.acquisition.doubts import Recount
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.questions import FUNNEL
from fab_minicode.runtime import now, runtime
from fab_minicode.views import scope_form
from fab_minicode.views.analysis_answer import Json, Reader, value_cell
from fab_minicode.views.analysis_fields import is_form
from fab_minicode.views.analysis_page import freshness_of
from fab_minicode.views.analysis_reasons import Counting, Empty, why_empty
from fab_minicode.views.analysis_recount import Recounted, journey_recounted
from fab_minicode.views.analysis_tabs import VALUES, AnalysisPages
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.journey_who import who_of
from fab_minicode.views.question_kinds import QuestionKind, kind_named
from fab_minicode.views.saved_questions import Bar, SavedQuestionPages, saved_id
from fab_minicode.views.shown import Shown


@dataclass(frozen=True)
class Asked:
    """What a request asks: the fields, the question if it is one, and what is wrong with it if not."""

    form: Any
    question: Any = None
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Journey:
    """
    How one of the pages reads and shows.

    Attributes:
        kind: One of ``questions.KINDS``; also the name of its template.
        asked: AppID of the mini program -> what the request asks.
        steps: The steps of a question that must be on offer.
        started: Answer -> how many took the first step.
        summary: ``(shown, answer)`` -> the answer as one sentence, read out when it changes.
        more: What the templates show beside; gets what is asked.
        recount: ``(connection, question, settings=, now=)`` -> the SQL that counts its totals again.
    """

    kind: str
    asked: Callable[[str], Asked]
    steps: Callable[[Any], tuple[str | None, ...]]
    started: Callable[[Mapping[str, Any]], int]
    summary: Callable[[Shown, Mapping[str, Any]], str]
    more: Callable[[Asked], dict[str, Any]]
    recount: Callable[..., Recount]


class JourneyPages(SavedQuestionPages, AnalysisPages):
    """For the views of funnel and retention."""

    def journey_page(self, journey: Journey) -> ResponseReturnValue:
        """Answer the question that the address carries."""
        at, kind = now(), kind_named(journey.kind)
        listed = self.mini_programs()
        authorizer = self.chosen(listed)
        asked = journey.asked(authorizer.appid if authorizer else "")
        url = "" if asked.question is None else kind.address(asked.question, saved=saved_id())
        is_part = request.args.get("part") == "page"
        if url and is_form(request.args) and not is_part:
            return redirect(url)
        answer, problems = self._answer(journey.kind, asked, authorizer, at)
        saved = self.bar(journey.kind, asked.question, look={})
        steps = journey.steps(asked.question) if asked.question is not None else ()
        shown, template = self.shown(at), f"fab_minicode/_{journey.kind}.html"
        empty = None
        if answer and authorizer is not None and not journey.started(answer):
            empty = self._why_empty(kind, asked.question, authorizer, shown)
        return self.page(
            template if is_part else "fab_minicode/journey.html",
            part=template,
            shown=shown,
            endpoint=kind.endpoint,
            title=kind.label,
            heading=_heading(saved),
            url=url,
            programs=listed,
            form=asked.form,
            has_steps=journey.kind == FUNNEL,
            problems=problems,
            answer=answer,
            empty=empty,
            recount=self._recount(journey, asked, at) if answer and not empty else None,
            summary=journey.summary(shown, answer) if answer else "",
            saved=saved,
            confirm=ConfirmForm(),
            cells=value_cell,
            who=who_of(kind, asked.question, saved=saved_id()) if answer else None,
            values_url=url_for(VALUES) if VALUES in current_app.view_functions else "",
            freshness=freshness_of(Reader(shown=shown, link=lambda _other: ""), answer["freshness"]) if answer else "",
            **journey.more(asked),
            **scope_form.choices(self.db.connection(), authorizer, steps),
        )

    def _answer(
        self, kind: str, asked: Asked, authorizer: Authorizer | None, at: Any
    ) -> tuple[dict[str, Any] | None, Mapping[str, str]]:
        if asked.question is None or authorizer is None:
            return None, asked.problems
        try:
            count = kind_named(kind).answer
            return count(self.db.connection(), asked.question, settings=runtime().settings, now=at), {}
        except InvalidInput as error:
            return None, scope_form.problem_of(error)

    def _recount(self, journey: Journey, asked: Asked, at: dt.datetime) -> Recounted | None:
        """Return the SQL that counts the totals again, for who opened it."""
        if not request.args.get("recount"):
            return None
        connection = self.db.connection()
        found = journey.recount(connection, asked.question, settings=runtime().settings, now=at)
        return journey_recounted(connection, found, asked.question.scope.dimension)

    def _why_empty(self, kind: QuestionKind, question: Any, authorizer: Authorizer, shown: Shown) -> Empty:
        """Return the reason why nobody took the first step, and the same question without what stands in its way."""
        asked = question.as_json()

        def link(other: Json) -> str:
            (segment,) = other["segments"]
            changed = {"filters": other["filters"], "segment": segment, "window": other["window"]}
            return kind.address(kind.parse({**asked, **changed}), saved=saved_id())

        count = Counting(self.db.connection(), runtime().settings, shown.now)
        return why_empty(count, question.starters, Reader(shown, link), self.install_url(authorizer))


def _heading(saved: Bar | None) -> str:
    """Return the name of the saved question that is shown as it is kept, "" for any other."""
    return str(saved.row.name) if saved is not None and saved.row is not None and not saved.is_changed else ""
