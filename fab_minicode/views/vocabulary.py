"""``/minicode/analysis/vocabulary``: words that mean the same, merged with one click and undone with another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_appbuilder import BaseView, expose, has_access

from fab_minicode import permissions
from fab_minicode.acquisition import aliases, values
from fab_minicode.acquisition.aliases import Suggestion, Usage
from fab_minicode.acquisition.caps import TOO_MANY
from fab_minicode.acquisition.vocabulary import ALIASED
from fab_minicode.acquisition.windows import Period, Window
from fab_minicode.draft import search_text
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Alias, Authorizer
from fab_minicode.runtime import now, runtime
from fab_minicode.views import analysis_words, code_words, messages
from fab_minicode.views.analysis_tabs import AnalysisPages
from fab_minicode.views.code_forms import ConfirmForm
from fab_minicode.views.pages import actor, row_id
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

SHOWN_SUGGESTIONS, SHOWN_VALUES = 100, 10
REASONS: dict[str, Any] = {
    "spelling": (_l("Only the spelling differs"), "info"),
    "similar": (_l("Looks similar"), "warn"),
}


@dataclass(frozen=True)
class Merged:
    """One merge that was made, and how much its value was used."""

    alias: Alias
    usage: Usage


@dataclass(frozen=True)
class Used:
    """
    Values of one field.

    Attributes:
        field: One of ``ALIASED``.
        texts: The most used ones, to be chosen from.
        sought: Those of them that are shown, each with how much it was used.
    """

    field: str
    texts: Sequence[str]
    sought: Sequence[tuple[str, Usage]]


class MinicodeVocabularyView(AnalysisPages, BaseView):
    """Merges, suggestions and a search over both."""

    route_base = "/minicode/analysis/vocabulary"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    default_view = "list"
    tab = "vocabulary"

    @expose("")
    @has_access
    def list(self) -> str:
        """Show what is merged and what might be."""
        at = now()
        listed = self.mini_programs()
        return self._shown(self.chosen(listed), listed, at)

    @expose("/merge", methods=["POST"])
    @has_access
    def merge(self) -> Any:
        """Merge a value into another one, from a suggestion or as typed."""
        at = now()
        listed = self.mini_programs()
        authorizer = self.chosen(listed) or abort(404)
        if not ConfirmForm().validate_on_submit():
            abort(400)
        dimension, value, target = (request.form.get(name, "") for name in ("dimension", "value", "target"))
        try:
            row = aliases.merge(self.db, authorizer.id, dimension, value, target, actor=actor(), now=at)
            self.db.commit()
        except InvalidInput as error:
            self.db.rollback()
            faults = {error.field: messages.refusal(error, self.shown(at).number)}
            return self._shown(authorizer, listed, at, faults=faults)
        flash(_("“%(value)s” now counts as “%(target)s”.", value=row.value, target=row.target), "success")
        return redirect(url_for(".list", appid=authorizer.appid, field=row.dimension))

    @expose("/undo/<pk>", methods=["POST"])
    @has_access
    def undo(self, pk: str) -> Any:
        """Let a value count as itself again."""
        if not ConfirmForm().validate_on_submit():
            abort(400)
        try:
            row = aliases.alias_of(self.db, row_id(pk))
        except Missing:
            abort(404)
        authorizer = next((one for one in self.mini_programs() if one.id == row.authorizer_id), None) or abort(404)
        value = row.value
        aliases.undo(self.db, row, actor=actor(), now=now())
        self.db.commit()
        flash(_("“%(value)s” counts as itself again.", value=value), "success")
        return redirect(url_for(".list", appid=authorizer.appid))

    def _shown(
        self,
        authorizer: Authorizer | None,
        listed: Sequence[Authorizer],
        at: dt.datetime,
        *,
        faults: Mapping[str, str] | None = None,
    ) -> str:
        sought = request.values.get("q", "").strip()[:128]
        merged: Sequence[Merged] = ()
        suggested: Sequence[Suggestion] = ()
        if authorizer is not None:
            today = at.astimezone(runtime().settings.zone).date()
            merged = [one for one in self._merged(authorizer, today) if _fits(sought, one.alias)]
            found = aliases.suggestions(self.db.connection(), authorizer.id, today=today)
            suggested = [one for one in found if _fits(sought, one)]
        return self.page(
            "fab_minicode/vocabulary.html",
            at=at,
            programs=listed,
            authorizer=authorizer,
            words=code_words,
            dimensions={name: analysis_words.DIMENSIONS[name] for name in ALIASED},
            reasons=REASONS,
            merged=merged,
            suggested=suggested[:SHOWN_SUGGESTIONS],
            more=max(len(suggested) - SHOWN_SUGGESTIONS, 0),
            sought=sought,
            faults=faults or {},
            typed=request.form if faults else request.args,
            used=self._used(authorizer, sought, at) if authorizer is not None else None,
            confirm=ConfirmForm(),
        )

    def _merged(self, authorizer: Authorizer, today: dt.date) -> Sequence[Merged]:
        rows = aliases.listed(self.db, authorizer.id)
        usage: dict[tuple[str, str], Usage] = {}
        for dimension in {row.dimension for row in rows}:
            texts = [row.value for row in rows if row.dimension == dimension]
            found = aliases.usage_of(self.db.connection(), authorizer.id, dimension, texts, today=today)
            usage |= {(dimension, text): one for text, one in found.items()}
        return [Merged(row, usage[row.dimension, row.value]) for row in rows]

    def _used(self, authorizer: Authorizer, sought: str, at: dt.datetime) -> Used:
        """Return the values of the field that the address or the refused form names, else of the first."""
        settings = runtime().settings
        field = request.form.get("dimension") or request.args.get("field", "")
        field = field if field in ALIASED else ALIASED[0]
        connection, appid = self.db.connection(), str(authorizer.appid)
        today = at.astimezone(settings.zone).date()
        period = Period(window=Window(today - dt.timedelta(days=aliases.USAGE_DAYS - 1), today))

        def texts(text: str) -> list[str]:
            found = values.values(
                connection, appid, field, text, settings=settings, now=at, period=period, attribution="entry"
            )
            return [one.value for one in found.suggestions if one.value != TOO_MANY]

        everything = texts("")
        shown = (texts(sought) if sought else everything)[:SHOWN_VALUES]
        usage = aliases.usage_of(connection, authorizer.id, field, shown, today=today)
        by_visits = sorted(usage.items(), key=lambda item: (-item[1].visits, item[0]))
        return Used(field, everything, by_visits)


def _fits(sought: str, row: Any) -> bool:
    return not sought or search_text(sought) in search_text(row.value, row.target)
