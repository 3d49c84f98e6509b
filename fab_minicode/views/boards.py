"""Boards: a few questions shown together, each with its number, small chart or small table."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import BaseView, expose
from flask_appbuilder.security.decorators import has_access

from fab_minicode import boards, permissions, questions
from fab_minicode.boards import HEADLINE
from fab_minicode.errors import InvalidInput, Missing, NotYours, StaleCopy
from fab_minicode.models import Board
from fab_minicode.questions import Person, Search
from fab_minicode.runtime import now
from fab_minicode.views import messages
from fab_minicode.views.analysis_tabs import AnalysisPages
from fab_minicode.views.board_cards import Card, Counter
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.pages import MAX_ID
from fab_minicode.views.saved_forms import BoardForm
from fab_minicode.views.saved_questions import SavedQuestionPages, seen_at
from fab_minicode.words import gettext as _

AT_ONCE_SECONDS = 0.4
"""So long the page itself counts; what is left is asked for card by card."""

MOST_CHOICES = 100


class MinicodeBoardsView(SavedQuestionPages, AnalysisPages, BaseView):
    """``/minicode/boards/``."""

    route_base = "/minicode/boards"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "list"
    tab = "boards"

    @expose("/")
    @has_access
    def list(self) -> ResponseReturnValue:
        """Show the boards that the person sees; with ``question=`` where it can be put."""
        person = self.person()
        rows = boards.listed(self.db, person)
        return self._list(person, rows, BoardForm(formdata=None), {})

    @expose("/add", methods=["POST"])
    @has_access
    def add(self) -> ResponseReturnValue:
        """Make a board, with the question that the form names on it."""
        person, form = self.person(), BoardForm()
        if not form.validate_on_submit():
            abort(400)
        made: list[Board] = []

        def act() -> None:
            board = boards.make(self.db, form.name.data or "", person, now=now())
            made.append(board)
            if request.form.get("question"):
                self._put(board, person)

        faults = self._tried(act)
        if faults:
            return self._list(person, boards.listed(self.db, person), form, faults)
        return redirect(url_for(".show", pk=made[0].id))

    def _list(self, person: Person, rows: Any, form: BoardForm, faults: dict[str, str]) -> str:
        chosen = self._chosen_question(person)
        return self.page(
            "fab_minicode/board_list.html",
            rows=rows,
            form=form,
            faults=faults,
            chosen=chosen,
            may_change=lambda board: boards.may_change(board, person),
        )

    @expose("/<int:pk>")
    @has_access
    def show(self, pk: int) -> ResponseReturnValue:
        """Show a board; what counts quickly is there at once, the rest is asked for by its own request."""
        at = now()
        person = self.person()
        board = self._board(pk, person)
        counter = self._counter(at)
        deadline = time.monotonic() + AT_ONCE_SECONDS
        cards: list[Card] = []
        for item in boards.items_of(self.db, board, person):
            is_quick = "all" in request.args or time.monotonic() < deadline
            cards.append(counter.card(item) if is_quick else counter.outline(item))
        may_change = boards.may_change(board, person) and self.may().save_analysis
        return self.page(
            "fab_minicode/board_show.html",
            at=at,
            board=board,
            cards=cards,
            may_change=may_change,
            confirm=ConfirmForm(),
            programs=self.mini_programs(),
            choices=self._choices(person) if may_change else (),
            most=boards.MAX_ITEMS,
        )

    @expose("/<int:pk>/card/<int:place>")
    @has_access
    def card(self, pk: int, place: int) -> ResponseReturnValue:
        """Show one card of a board alone."""
        at = now()
        person = self.person()
        items = boards.items_of(self.db, self._board(pk, person), person)
        item = next((one for one in items if one.place == place), None) or abort(404)
        return self.page("fab_minicode/_board_card.html", at=at, card=self._counter(at).card(item))

    @expose("/<int:pk>/put", methods=["POST"])
    @has_access
    def put(self, pk: int) -> ResponseReturnValue:
        """Put a saved question, or the headline of a mini program, on a board."""
        person = self.person()
        board = self._board(pk, person)
        return self._done(pk, lambda: self._put(board, person))

    @expose("/<int:pk>/move", methods=["POST"])
    @has_access
    def move(self, pk: int) -> ResponseReturnValue:
        """Exchange a question with its neighbour."""
        person = self.person()
        board = self._board(pk, person)
        is_up = request.form.get("to") == "up"
        return self._done(
            pk, lambda: boards.move(self.db, board, _place(), person, up=is_up, seen_at=_seen_at(), now=now())
        )

    @expose("/<int:pk>/take_off", methods=["POST"])
    @has_access
    def take_off(self, pk: int) -> ResponseReturnValue:
        """Take a question off a board; the question stays."""
        person = self.person()
        board = self._board(pk, person)
        return self._done(pk, lambda: boards.take_off(self.db, board, _place(), person, seen_at=_seen_at(), now=now()))

    @expose("/<int:pk>/edit", methods=["GET", "POST"])
    @has_access
    def edit(self, pk: int) -> ResponseReturnValue:
        """Rename a board."""
        person = self.person()
        board = self._board(pk, person)
        filled = {"name": board.name, "seen_at": board.changed_at.isoformat()}
        form = BoardForm(data=filled if request.method == "GET" else None)
        faults: dict[str, str] = {}
        if form.validate_on_submit():
            at = seen_at(form.seen_at.data or "")
            faults = self._tried(
                lambda: boards.rename(self.db, board, form.name.data or "", person, seen_at=at, now=now())
            )
            if not faults:
                return redirect(url_for(".show", pk=pk))
        may_change = boards.may_change(board, person)
        return self.page("fab_minicode/board_edit.html", board=board, form=form, faults=faults, may_change=may_change)

    @expose("/<int:pk>/remove", methods=["POST"])
    @has_access
    def remove(self, pk: int) -> ResponseReturnValue:
        """Remove a board; its questions stay."""
        person = self.person()
        board = self._board(pk, person)
        said = _("“%(name)s” is removed.", name=board.name)
        act = lambda: boards.remove(self.db, board, person, seen_at=_seen_at(), now=now())  # noqa: E731
        return self._done(pk, act, said=said, to=url_for(".list"))

    # ------------------------------------------------------------------------------------------------------ shared

    def _board(self, pk: int, person: Person) -> Board:
        try:
            return boards.board_of(self.db, pk if pk <= MAX_ID else 0, person)
        except Missing:
            abort(404)

    def _counter(self, at: Any) -> Counter:
        programs = {int(one.id): one for one in self.mini_programs()}
        return Counter(self.db.connection(), self.shown(at), programs)

    def _chosen_question(self, person: Person) -> Any:
        text = request.values.get("question", "")
        number = int(text) if text.isascii() and text.isdigit() and len(text) <= 10 else 0
        try:
            return questions.question_of(self.db, number if number <= MAX_ID else 0, person)
        except Missing:
            return None

    def _choices(self, person: Person) -> Any:
        return questions.find(self.db, Search(order="name", page_size=MOST_CHOICES), person).rows

    def _put(self, board: Board, person: Person) -> None:
        """Put what the form names on a board: ``question`` is an id, or ``headline:<appid>``."""
        builtin, colon, appid = request.form.get("question", "").partition(":")
        if colon and builtin == HEADLINE:
            found = next((one for one in self.mini_programs() if one.appid == appid), None) or abort(404)
            boards.add_builtin(self.db, board, HEADLINE, int(found.id), person, now=now())
            return
        question = self._chosen_question(person) or abort(404)
        boards.add(self.db, board, question, person, now=now())

    def _tried(self, act: Callable[[], Any]) -> dict[str, str]:
        try:
            act()
            self.db.commit()
        except InvalidInput as error:
            self.db.rollback()
            return {error.field: messages.refusal(error)}
        except (NotYours, StaleCopy) as error:
            self.db.rollback()
            return {"": messages.sentence(error)}
        except Missing:
            self.db.rollback()
            abort(404)
        return {}

    def _done(self, pk: int, act: Callable[[], Any], *, said: str = "", to: str = "") -> ResponseReturnValue:
        if not ConfirmForm().validate_on_submit():
            abort(400)
        faults = self._tried(act)
        for text in faults.values():
            flash(text, "danger")
        if said and not faults:
            flash(said, "success")
        return redirect(to if to and not faults else url_for(".show", pk=pk))


def _place() -> int:
    text = request.form.get("place", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 4 else -1


def _seen_at() -> Any:
    return seen_at(request.form.get("seen_at", ""))
