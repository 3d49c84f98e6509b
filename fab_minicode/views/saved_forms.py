"""The forms of saved questions and boards, and the words of their pages."""

from __future__ import annotations

from typing import Any

from flask import request
from wtforms import HiddenField, StringField, TextAreaField

from fab_minicode import questions
from fab_minicode.models import SavedQuestion
from fab_minicode.questions import Saving
from fab_minicode.views.code_forms import stripped, unix_lines
from fab_minicode.views.page_forms import PageForm
from fab_minicode.words import lazy_gettext as _l

VISIBILITIES: dict[str, tuple[Any, Any]] = {
    questions.OWNER: (_l("Only me"), _l("You, and whoever manages saved analyses.")),
    questions.ROLES: (_l("My roles"), _l("Everybody who has one of these roles of yours.")),
    questions.READERS: (_l("Everybody"), _l("Everybody who may read the analysis of this mini program.")),
}
"""Who sees a question -> (name, what it means), as its owner reads them."""

SEEN_BY: dict[str, tuple[Any, str]] = {
    questions.OWNER: (_l("owner only"), "info"),
    questions.ROLES: (_l("some roles"), "info"),
    questions.READERS: (_l("everybody"), "good"),
}
"""Who sees a question -> the badge in a list."""


class SaveForm(PageForm):
    """What a question is kept under, and who sees it; the roles stand in fields ``role`` of their own."""

    name = StringField(_l("Name"), filters=[stripped])
    description = TextAreaField(_l("Description"), filters=[stripped, unix_lines])
    visibility = StringField(_l("Who sees it"), default=questions.OWNER)
    seen_at = HiddenField()

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that are ticked."""
        return tuple(request.form.getlist("role"))

    def saving(self, *, authorizer_id: int, kind: str, question: str, chart: str, sort: str) -> Saving:
        """Return what shall be kept."""
        return Saving(
            authorizer_id=authorizer_id,
            kind=kind,
            question=question,
            name=self.name.data or "",
            chart=chart,
            sort=sort,
            description=self.description.data or "",
            visibility=self.visibility.data or "",
            roles=self.roles,
        )


class HandOverForm(PageForm):
    """The user name of the next owner."""

    owner = StringField(_l("User name"), filters=[stripped])
    seen_at = HiddenField()


class BoardForm(PageForm):
    """The name of a board."""

    name = StringField(_l("Name"), filters=[stripped])
    seen_at = HiddenField()


def filled_like(row: SavedQuestion) -> dict[str, Any]:
    """Return the form's values for a question as it is kept."""
    return {
        "name": row.name,
        "description": row.description,
        "visibility": row.visibility,
        "seen_at": row.changed_at.isoformat(),
    }


def chosen_roles(row: SavedQuestion | None) -> frozenset[str]:
    """Return the roles that are ticked: as they were sent, else as the question has them."""
    if request.method == "POST":
        return frozenset(request.form.getlist("role"))
    return frozenset(one.role for one in row.roles) if row is not None else frozenset()
