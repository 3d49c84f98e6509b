"""The tabs above every page of the analysis: a literal tuple; a tab is shown where its page exists and is permitted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import current_app, url_for

from fab_minicode.models import Authorizer
from fab_minicode.views.pages import May, PageMixin
from fab_minicode.words import lazy_gettext as _l

VALUES, VISITORS = "MinicodeAnalysisApi.values", "MinicodeVisitorsView.visitors"
"""Endpoints that the pages lead to where a host has them: values for filters, the visitors behind a number."""


@dataclass(frozen=True)
class Tab:
    """
    One tab.

    Attributes:
        name: What a page says to be the current one.
        label: What people read, lazily translated.
        endpoint: Flask endpoint of its page.
        right: The right of :data:`fab_minicode.views.pages.RIGHTS` that the page asks for.
    """

    name: str
    label: Any
    endpoint: str
    right: str = "analyse"


TABS: tuple[Tab, ...] = (
    Tab("events", _l("Events"), "MinicodeAnalysisView.analysis"),
    Tab("funnel", _l("Funnel"), "MinicodeFunnelView.funnel"),
    Tab("retention", _l("Retention"), "MinicodeRetentionView.retention"),
    Tab("segments", _l("Segments"), "MinicodeSegmentsView.list"),
    Tab("vocabulary", _l("Vocabulary"), "MinicodeVocabularyView.list"),
    Tab("saved", _l("Saved"), "MinicodeSavedView.list"),
    Tab("boards", _l("Boards"), "MinicodeBoardsView.list"),
)
"""In the order of the bar. One tab alone is no bar."""


@dataclass(frozen=True)
class Link:
    """A tab that the person may follow."""

    name: str
    label: Any
    url: str


def tabs(may: May) -> tuple[Link, ...]:
    """Return the tabs whose page this host has and this person may open."""
    there = current_app.view_functions
    found = [tab for tab in TABS if tab.endpoint in there and getattr(may, tab.right)]
    return tuple(Link(tab.name, tab.label, url_for(tab.endpoint)) for tab in found)


class AnalysisPages(PageMixin):
    """For the views of the analysis: :class:`PageMixin` whose templates know ``tabs`` and the current ``tab``."""

    tab = "events"

    def page(self, template: str, **context: Any) -> str:
        """Render one of our templates, as :meth:`PageMixin.page`, under the tab bar."""
        context.setdefault("may", self.may())
        context.setdefault("tabs", tabs(context["may"]))
        context.setdefault("tab", self.tab)
        return super().page(template, **context)

    def install_url(self, authorizer: Authorizer) -> str:
        """Return where a mini program's tracker is explained, "" for a person who may not see it."""
        if self.may().show_authorizer:
            return url_for("MinicodeAuthorizersView.show", pk=authorizer.id)
        return self.mini_programs_url()

    def mini_programs_url(self) -> str:
        """Return where mini programs are connected, "" for a person who may not see them."""
        return url_for("MinicodeAuthorizersView.list") if self.may().list_authorizers else ""
