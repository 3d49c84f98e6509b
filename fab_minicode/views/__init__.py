"""
What people see. :data:`VIEWS` is what the manager registers, in menu order; a host that brings a subclass of one of
these views registers it instead.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from fab_minicode.permissions import MENU_ANALYSIS, MENU_AUDIT, MENU_AUTHORIZERS, MENU_CODES
from fab_minicode.views.analysis import MinicodeAnalysisView
from fab_minicode.views.audit import MinicodeAuditView
from fab_minicode.views.authorizers import MinicodeAuthorizersView
from fab_minicode.views.boards import MinicodeBoardsView
from fab_minicode.views.codes import MinicodeCodesView, MinicodeHomeView
from fab_minicode.views.exporting import MinicodeExportView
from fab_minicode.views.funnel import MinicodeFunnelView
from fab_minicode.views.retention import MinicodeRetentionView
from fab_minicode.views.saved import MinicodeSavedView
from fab_minicode.views.segments import MinicodeSegmentsView
from fab_minicode.views.visitors import MinicodeVisitorsView
from fab_minicode.views.vocabulary import MinicodeVocabularyView
from fab_minicode.words import lazy_gettext as _l


class MenuView(NamedTuple):
    """
    A view and its menu entry.

    Attributes:
        view: Flask-AppBuilder view class.
        name: Name of the menu entry, which is also the name of its permission; "" for a view without one.
        label: What the menu shows, lazily translated.
        icon: Font Awesome class.
    """

    view: type[Any]
    name: str = ""
    label: Any = ""
    icon: str = ""


VIEWS: tuple[MenuView, ...] = (
    MenuView(MinicodeCodesView, MENU_CODES, _l("Codes"), "fa-qrcode"),
    MenuView(MinicodeAnalysisView, MENU_ANALYSIS, _l("Event analysis"), "fa-chart-line"),
    MenuView(MinicodeAuthorizersView, MENU_AUTHORIZERS, _l("Mini programs"), "fa-mobile-screen-button"),
    MenuView(MinicodeFunnelView),
    MenuView(MinicodeRetentionView),
    MenuView(MinicodeSegmentsView),
    MenuView(MinicodeVisitorsView),
    MenuView(MinicodeVocabularyView),
    MenuView(MinicodeAuditView, MENU_AUDIT, _l("Audit"), "fa-clock-rotate-left"),
    MenuView(MinicodeHomeView),
    MenuView(MinicodeSavedView),
    MenuView(MinicodeExportView),
    MenuView(MinicodeBoardsView),
)
