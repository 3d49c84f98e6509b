"""Saved questions: the list, the forms that save and change one, lock, hand over, remove."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access

from fab_minicode import permissions, questions
from fab_minicode.errors import InvalidInput, Missing, NotYours, QuestionLocked, StaleCopy
from fab_minicode.models import Authorizer, SavedQuestion
from fab_minicode.questions import Person, Saving, Search
from fab_minicode.runtime import now
from fab_minicode.views import messages, people, saved_forms
from fab_minicode.views.analysis_tabs import AnalysisPages
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.question_kinds import QUESTION_KINDS, QuestionKind, kind_named
from fab_minicode.views.saved_forms import HandOverForm, SaveForm, chosen_roles, filled_like
from fab_minicode.views.saved_questions import (
    Opened,
    SavedQuestionPages,
    look_fields,
    look_of,
    opened,
    saved_id,
    seen_at,
    sort_of,
    stored,
)
from fab_minicode.words import gettext as _

PAGE_SIZE = 25


class MinicodeSavedView(SavedQuestionPages, AnalysisPages, BaseView):
    """``/minicode/analysis/saved/`` and what changes saved questions."""

    route_base = "/minicode/analysis"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "list"
    tab = "saved"

    # -------------------------------------------------------------------------------------------------------- list

    @expose("/saved/")
    @has_access
    def list(self) -> ResponseReturnValue:
        """Show the saved questions that the person sees."""
        programs = self.mini_programs()
        person = people.person(programs)
        search = _search(programs)
        found = questions.find(self.db, search, person)
        rows = [opened(row) for row in found.rows]
        gone = {one.row.owner_id for one in rows if people.has_left(one.row.owner_id)} if person.manages else set()
        return self.page(
            "fab_minicode/saved_list.html",
            rows=rows,
            found=found,
            search=search,
            programs=programs,
            person=person,
            gone=gone,
            words=saved_forms,
            kinds=QUESTION_KINDS,
            is_own=questions.is_own,
            link=_link,
        )

    # -------------------------------------------------------------------------------------------------------- save

    @expose("/save", methods=["GET", "POST"])
    @has_access
    def save(self) -> ResponseReturnValue:
        """Keep the question that the address carries as a new one."""
        person = self.person()
        kind, question = self._asked()
        base = self._base(person)
        form = SaveForm(data={**filled_like(base.row), "name": ""} if base and request.method == "GET" else None)
        faults: Mapping[str, str] = {}
        if form.validate_on_submit():
            saving = form.saving(
                authorizer_id=self._program(question),
                kind=kind.name,
                question=stored(question),
                chart=_chart(),
                sort=sort_of(request.args),
            )
            made: list[SavedQuestion] = []
            faults = self._tried(lambda: made.append(questions.save(self.db, saving, person, now=now())))
            if not faults:
                flash(_said(kind), "success")
                return redirect(url_for("MinicodeAnalysisView.saved", pk=made[0].id))
        return self.page(
            "fab_minicode/saved_form.html",
            title=_("Save this analysis"),
            asks=kind.words(question.as_json()),
            back=kind.address(question, **look_fields(_chart(), sort_of(request.args))),
            **self._choices(form, faults, person, base.row if base else None),
        )

    @expose("/saved/<int:pk>/edit", methods=["GET", "POST"])
    @has_access
    def edit(self, pk: int) -> ResponseReturnValue:
        """Change name, description and who sees a question; what it asks stays."""
        person = self.person()
        one = self.opened(pk, person)
        row = one.row
        form = SaveForm(data=filled_like(row) if request.method == "GET" else None)
        faults: Mapping[str, str] = {}
        if form.validate_on_submit():
            saving = form.saving(
                authorizer_id=int(row.authorizer_id),
                kind=str(row.kind),
                question=str(row.question),
                chart=str(row.chart),
                sort=row.sort or "",
            )
            at = seen_at(form.seen_at.data or "")
            faults = self._tried(lambda: questions.change(self.db, row, saving, person, seen_at=at, now=now()))
            if not faults:
                flash(_("The changes are saved."), "success")
                return redirect(url_for("MinicodeAnalysisView.saved", pk=pk))
        return self.page(
            "fab_minicode/saved_form.html",
            title=_("Name and visibility"),
            asks=one.kind.words(one.asks) if one.question is not None else "",
            back=url_for("MinicodeAnalysisView.saved", pk=pk),
            row=row,
            may_change=questions.may_change(row, person),
            **self._choices(form, faults, person, row),
        )

    @expose("/saved/<int:pk>/keep", methods=["POST"])
    @has_access
    def keep(self, pk: int) -> ResponseReturnValue:
        """Let a saved question ask what the address carries; everything else of it stays."""
        person = self.person()
        row = self.opened(pk, person).row
        kind, question = self._asked()
        if kind.name != row.kind:
            abort(400)
        saving = Saving(
            authorizer_id=self._program(question),
            kind=kind.name,
            question=stored(question),
            name=str(row.name),
            chart=_chart(),
            sort=sort_of(request.args),
            description=str(row.description),
            visibility=str(row.visibility),
            roles=tuple(one.role for one in row.roles),
        )
        at = _seen_at()
        act = lambda: questions.change(self.db, row, saving, person, seen_at=at, now=now())  # noqa: E731
        return self._done(act, _("The changes are saved."), pk)

    # ---------------------------------------------------------------------------------------------- lock, hand over

    @expose("/saved/<int:pk>/lock", methods=["POST"])
    @has_access
    def lock(self, pk: int) -> ResponseReturnValue:
        """Lock a question, or unlock it."""
        person = self.person()
        row = self.opened(pk, person).row
        is_locked, at = request.form.get("is_locked") == "1", _seen_at()
        return self._done(
            lambda: questions.lock(self.db, row, person, is_locked=is_locked, seen_at=at, now=now()),
            _("Locked: nobody changes it until it is unlocked.") if is_locked else _("Unlocked."),
            pk,
        )

    @expose("/saved/<int:pk>/hand_over", methods=["GET", "POST"])
    @has_access
    def hand_over(self, pk: int) -> ResponseReturnValue:
        """Make somebody else the owner of a question."""
        person = self.person()
        row = self.opened(pk, person).row
        form = HandOverForm(data={"seen_at": row.changed_at.isoformat()} if request.method == "GET" else None)
        faults: Mapping[str, str] = {}
        if form.validate_on_submit():
            faults = self._tried(lambda: self._hand_over(row, form, person))
            if not faults:
                flash(_("“%(name)s” now belongs to %(owner)s.", name=row.name, owner=row.owner), "success")
                return redirect(url_for(".list"))
        return self.page(
            "fab_minicode/saved_hand_over.html",
            row=row,
            form=form,
            faults=faults,
            may_change=questions.may_change(row, person),
            is_gone=people.has_left(str(row.owner_id)),
        )

    def _hand_over(self, row: SavedQuestion, form: HandOverForm, person: Person) -> None:
        to = people.recipient(form.owner.data or "", int(row.authorizer_id))
        questions.hand_over(self.db, row, to, person, seen_at=seen_at(form.seen_at.data or ""), now=now())

    @expose("/saved/<int:pk>/remove", methods=["GET", "POST"])
    @has_access
    def remove(self, pk: int) -> ResponseReturnValue:
        """Ask, then remove a question."""
        person = self.person()
        row = self.opened(pk, person).row
        if request.method == "POST":
            at, said = _seen_at(), _("“%(name)s” is removed.", name=row.name)
            act = lambda: questions.remove(self.db, row, person, seen_at=at, now=now())  # noqa: E731
            return self._done(act, said)
        may_change = questions.may_change(row, person)
        return self.page("fab_minicode/saved_remove.html", row=row, may_change=may_change, confirm=ConfirmForm())

    # ------------------------------------------------------------------------------------------------------ shared

    def _asked(self) -> tuple[QuestionKind, Any]:
        """Return the question of the address; who follows a broken one is led to the page that says why."""
        page = "MinicodeAnalysisView.analysis"
        try:
            kind = kind_named(request.args.get("kind", questions.EVENTS))
            if not kind.is_asked_here:
                abort(404)
            page = kind.endpoint
            question = kind.read(request.args)
            self._program(question)
        except InvalidInput:
            abort(redirect(f"{url_for(page)}?{request.query_string.decode('latin-1')}"))
        return kind, question

    def _program(self, question: Any) -> int:
        """Return the id of the mini program that is asked about; 404 for one that the person does not know."""
        found = next((one for one in self.mini_programs() if one.appid == question.appid), None) or abort(404)
        return int(found.id)

    def _base(self, person: Person) -> Opened | None:
        pk = saved_id()
        try:
            return opened(questions.question_of(self.db, pk, person)) if pk is not None else None
        except Missing:
            return None

    @staticmethod
    def _choices(
        form: SaveForm, faults: Mapping[str, str], person: Person, row: SavedQuestion | None
    ) -> dict[str, Any]:
        roles = questions.roles_to_choose(person, row)
        return {"form": form, "faults": faults, "words": saved_forms, "roles": roles, "chosen": chosen_roles(row)}

    def _tried(self, act: Callable[[], Any]) -> dict[str, str]:
        """Act and commit; return the message beside each refused field, "" being the whole form."""
        try:
            act()
            self.db.commit()
        except InvalidInput as error:
            self.db.rollback()
            return {error.field: messages.refusal(error)}
        except (NotYours, QuestionLocked, StaleCopy) as error:
            self.db.rollback()
            return {"": messages.sentence(error)}
        return {}

    def _done(self, act: Callable[[], Any], said: str, pk: int | None = None) -> ResponseReturnValue:
        """Act for a button of the page; lead to the question, or to the list where there is none any more."""
        if not ConfirmForm().validate_on_submit():
            abort(400)
        faults = self._tried(act)
        for text in faults.values():
            flash(text, "danger")
        if not faults:
            flash(said, "success")
        if pk is None:
            return redirect(url_for(".list"))
        return redirect(url_for("MinicodeAnalysisView.saved", pk=pk))


def _said(kind: QuestionKind) -> str:
    """Return what is said of a new question; only an event analysis is shown under its own short address."""
    if kind.name == questions.EVENTS:
        return _("Saved. The address of this page always leads to it.")
    return _("Saved. You find it in the list of saved analyses.")


def _seen_at() -> Any:
    return seen_at(request.form.get("seen_at", ""))


def _chart() -> str:
    return look_of(request.args)


def _search(programs: list[Authorizer]) -> Search:
    """Read the list's query string; what is odd is left out."""
    given = request.args
    page = given.get("page", "")
    order = given.get("order", "")
    return Search(
        q=given.get("q", "").strip()[: questions.MAX_NAME_CHARACTERS],
        authorizer_id=next((int(one.id) for one in programs if one.appid == given.get("appid")), None),
        kind=_known(given.get("kind"), questions.KINDS),
        visibility=_known(given.get("visibility"), questions.VISIBILITIES),
        owned=_known(given.get("owned"), ("mine", "others")),
        order=order if order.removeprefix("-") in ("name", "changed_at") else "-changed_at",
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 0,
        page_size=PAGE_SIZE,
    )


def _known(value: str | None, choices: tuple[str, ...]) -> str:
    return value if value in choices else ""


def _link(**changes: Any) -> str:
    """Return the address of the list as it is with some parameters changed; None removes one."""
    values = {name: value for name, value in request.args.items() if value and name != "page"} | changes
    return url_for(".list", **{name: value for name, value in values.items() if value not in (None, "")})
