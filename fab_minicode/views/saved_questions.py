"""What pages of saved questions share: the person, a question of an address, the bar above an analysis."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import abort, request
from sqlalchemy.orm import Session

from fab_minicode import questions
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import SavedQuestion
from fab_minicode.questions import Person
from fab_minicode.views import people
from fab_minicode.views.analysis_form import Form
from fab_minicode.views.analysis_order import SORT
from fab_minicode.views.pages import MAX_ID
from fab_minicode.views.question_kinds import QuestionKind, kind_named, unknown_kind

SAVED = "saved"
"""Key of an address: the saved question that somebody started from."""

LOOK, LONGEST_LOOK = ("chart", "stack", "beside"), 16
"""Keys of an address that say how the answer is looked at; together so long at most."""

_LONG_AGO = dt.datetime(1970, 1, 1, tzinfo=dt.timezone.utc)


@dataclass(frozen=True)
class Opened:
    """A saved question and what it asks; ``question`` is None where that can no longer be read."""

    row: SavedQuestion
    kind: QuestionKind
    question: Any

    @property
    def asks(self) -> dict[str, Any]:
        """Its JSON, with every field; only of one that can be read."""
        found: dict[str, Any] = self.question.as_json()
        return found


@dataclass(frozen=True)
class Bar:
    """
    What stands above an analysis about saving it.

    Attributes:
        kind: Kind of the question on the page.
        address: Its query string, for the form that saves it.
        row: The saved question that it began with, None for none.
        is_changed: Whether the question on the page differs from the saved one.
        may_change: Whether the person may change the saved one as it stands.
        is_own: Whether they may change it once it is unlocked.
    """

    kind: str
    address: dict[str, Any]
    row: SavedQuestion | None = None
    is_changed: bool = False
    may_change: bool = False
    is_own: bool = False


class SavedQuestionPages:
    """For views with :class:`PageMixin`: saved questions as the current person sees them."""

    db: Session
    mini_programs: Any

    def person(self) -> Person:
        """Return who asks."""
        return people.person(self.mini_programs())

    def opened(self, pk: int, person: Person) -> Opened:
        """Return a saved question; 404 for one that the person does not see."""
        try:
            row = questions.question_of(self.db, pk if pk <= MAX_ID else 0, person)
        except Missing:
            abort(404)
        return opened(row)

    def bar(self, kind: str, question: Any, *, look: Mapping[str, str]) -> Bar | None:
        """Return the bar above a question that is looked at so (:func:`look_of`); None where there is none to save."""
        if question is None:
            return None
        address = {
            **kind_named(kind).write(question),
            "kind": kind,
            **{key: text for key, text in look.items() if text},
        }
        pk = saved_id()
        if pk is None:
            return Bar(kind, address)
        person = self.person()
        try:
            found = opened(questions.question_of(self.db, pk, person))
        except Missing:
            return Bar(kind, address)
        if found.kind.name != kind:
            return Bar(kind, address)
        is_changed = found.question is None or found.question.as_json() != question.as_json()
        row = found.row
        is_other_look = kind == questions.EVENTS and (look_of(look), sort_of(look)) != (row.chart, row.sort or "")
        return Bar(
            kind,
            {**address, SAVED: row.id},
            row,
            is_changed or is_other_look,
            questions.may_change(row, person),
            questions.is_own(row, person),
        )


def opened(row: SavedQuestion) -> Opened:
    """Read a saved question; one of another version (or edited by hand) can still be renamed, given away, removed."""
    try:
        kind = kind_named(row.kind)
    except InvalidInput:
        return Opened(row, unknown_kind(str(row.kind)), None)
    try:
        return Opened(row, kind, kind.parse(asked(row)))
    except InvalidInput:
        return Opened(row, kind, None)


def asked(row: SavedQuestion) -> Any:
    """Return the JSON that a saved question asks, None where that is none."""
    try:
        return json.loads(str(row.question))
    except ValueError:
        return None


def saved_id() -> int | None:
    """Return the saved question that the address names."""
    text = str((request.view_args or {}).get("pk") or request.args.get(SAVED, ""))
    is_number = text.isascii() and text.isdigit() and len(text) <= 10
    return int(text) if is_number and 0 < int(text) <= MAX_ID else None


def look_in(form: Form) -> dict[str, str]:
    """Return how the analysis page shows an answer, as the keys of :data:`LOOK`, and its order."""
    return {"chart": form.chart, "stack": form.stack, "beside": "1" if form.beside else "", "sort": form.sort}


def look_of(fields: Mapping[str, str]) -> str:
    """Return how a question is looked at as it is stored: the kind of chart, and how its columns stand."""
    return ".".join(fields.get(key, "") for key in LOOK).rstrip(".")[:LONGEST_LOOK]


def sort_of(fields: Mapping[str, str]) -> str:
    """Return the order of the table as it is stored."""
    return fields.get(SORT, "")[: questions.MAX_SORT_CHARACTERS]


def look_fields(text: str, sort: str | None) -> dict[str, str]:
    """Return the fields of an address that :func:`look_of` and :func:`sort_of` were made of."""
    kept = {**dict(zip(LOOK, text.split("."), strict=False)), SORT: sort or ""}
    return {key: value for key, value in kept.items() if value}


def seen_at(text: str) -> dt.datetime:
    """Return the instant of the copy that a form was filled in on; long ago where it says none."""
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return _LONG_AGO
    return found if found.tzinfo else _LONG_AGO


def stored(question: Any) -> str:
    """Return a question's JSON as it is stored."""
    return json.dumps(question.as_json(), ensure_ascii=False)
