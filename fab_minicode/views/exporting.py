"""The export of an answer: counted anew without the row limit, recorded, then sent. The page's way; REST shares it."""

from __future__ import annotations

import datetime as dt
import io
import re
from typing import Any

from flask import Response, abort, redirect, request, send_file, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access
from sqlalchemy.orm import Session

from fab_minicode import audit, permissions
from fab_minicode.acquisition.question import from_args
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.questions import EVENTS
from fab_minicode.runtime import now, runtime
from fab_minicode.views import analysis_picture
from fab_minicode.views.analysis_answer import Json, Reader
from fab_minicode.views.analysis_export import FORMATS, Exported, File, file_of
from fab_minicode.views.analysis_order import SORT, known_sort
from fab_minicode.views.analysis_page import title_of
from fab_minicode.views.analysis_reasons import Counting, groups
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.pages import PageMixin, actor
from fab_minicode.views.question_kinds import QuestionKind, kind_named
from fab_minicode.views.shown import Shown

PICTURE = analysis_picture.PNG
_UNSAFE_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_LONGEST_STEM = 100


class MinicodeExportView(PageMixin, BaseView):
    """``/minicode/analysis/export``."""

    route_base = "/minicode/analysis"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "export"

    @expose("/export")
    @has_access
    def export(self) -> ResponseReturnValue:
        """Send the answer to the question of the address as a file; a broken question is told on its page."""
        wanted = request.args.get("format", "")
        if wanted not in FORMATS:
            abort(404)
        page = "MinicodeAnalysisView.analysis"
        try:
            kind = kind_named(request.args.get("kind", EVENTS))
            if not kind.is_asked_here:
                abort(404)
            page = kind.endpoint
            question = kind.read(request.args)
            return exported(self.db, kind, question, self._program(question), wanted=wanted, at=now())
        except InvalidInput:
            return redirect(f"{url_for(page)}?{request.query_string.decode('latin-1')}")

    @expose("/picture", methods=["POST"])
    @has_access
    def picture(self) -> ResponseReturnValue:
        """Record that somebody takes the picture of the chart away, which their browser draws."""
        if not ConfirmForm().validate_on_submit():
            abort(400)
        try:
            question = from_args(request.args)
        except InvalidInput:
            abort(400)
        program = self._program(question)
        _record(self.db, title_of(question.as_json()), program, now(), {"format": PICTURE})
        return Response(status=204)

    def _program(self, question: Any) -> Authorizer:
        return next((one for one in self.mini_programs() if one.appid == question.appid), None) or abort(404)


def exported(
    session: Session, kind: QuestionKind, question: Any, program: Authorizer, *, wanted: str, at: dt.datetime
) -> Response:
    """
    Return the file with the answer to a question: all rows of it, or its chart; it is recorded before.

    Args:
        session: The host's; committed here.
        kind: Of the question.
        question: For rows its limit is lifted to what an answer can hold at most.
        program: The mini program that it asks about.
        wanted: One of ``analysis_export.FORMATS``, or :data:`PICTURE`, whose look the request's address tells.
        at: When it was asked, aware UTC.

    Raises:
        InvalidInput: As the answer of the kind, and as ``analysis_picture.file_of``.
    """
    settings = runtime().settings
    whole = question if wanted == PICTURE else kind.whole(question, settings=settings, now=at)
    is_beside, sort = _is_beside(kind), sort_of(kind, question)
    asks, answer = _counted(session, kind, whole, at, is_beside=is_beside)
    title = kind.words(asks)
    told = Exported(
        reader=Reader(shown=Shown.here(now=at, zone=settings.zone), link=lambda _other: ""),
        question=asks,
        answer=answer,
        program=str(program.nick_name or program.appid),
        address=_absolute(kind.address(question, beside="1" if is_beside else "", sort=sort)),
        by=actor().name,
        groups={name: str(label) for name, (label, _) in groups(session.connection(), int(program.id)).items()},
        sort=sort,
    )
    made = _made(kind, told, wanted, at)
    if request.method != "HEAD":
        detail = {"format": wanted, "kind": kind.name, "rows": len(answer["rows"]), **_window(answer)}
        _record(session, title, program, at, detail)
    response = send_file(
        io.BytesIO(made.content), made.mime, as_attachment=True, download_name=f"{_stem(title, answer)}.{made.ending}"
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def sort_of(kind: QuestionKind, question: Any) -> str:
    """Return the order that the address asks for, "" where the answer has no such column."""
    if kind.name != EVENTS:
        return ""
    return known_sort(request.args.get(SORT, ""), question, beside=_is_beside(kind))


def _is_beside(kind: QuestionKind) -> bool:
    """Whether the address asks for the three attributions side by side, as the page shows them."""
    return kind.name == EVENTS and request.args.get("beside") == "1"


def _counted(
    session: Session, kind: QuestionKind, question: Any, at: dt.datetime, *, is_beside: bool
) -> tuple[Json, Json]:
    """Return what is shown of a question, and its answer."""
    settings = runtime().settings
    if is_beside:
        return Counting(session.connection(), settings, at).asked(question, beside=True)
    return question.as_json(), kind.answer(session.connection(), question, settings=settings, now=at)


def _made(kind: QuestionKind, told: Exported, wanted: str, at: dt.datetime) -> File:
    if wanted != PICTURE:
        return file_of(kind.sheets(told), wanted, now=at)
    if kind.name != EVENTS:
        raise InvalidInput("format", "not_drawable", detail=wanted)
    return analysis_picture.file_of(told, request.args)


def _record(session: Session, title: str, program: Authorizer, at: dt.datetime, detail: Json) -> None:
    subject = audit.Subject("answer", "", title)
    audit.record(session, "exported", subject, actor=actor(), now=at, authorizer_id=int(program.id), detail=detail)
    session.commit()


def _window(answer: Json) -> dict[str, Any]:
    return {edge: answer["window"][edge] for edge in ("since", "until")}


def _absolute(address: str) -> str:
    return address and (runtime().settings.public_url or request.host_url).rstrip("/") + address


def _stem(title: str, answer: Json) -> str:
    """Return the name of the file: what is asked and its days, without what file systems refuse."""
    named = _UNSAFE_IN_FILE_NAMES.sub("_", title)[:_LONGEST_STEM].strip(" .")
    return f"{named} {answer['window']['since']}–{answer['window']['until']}"
