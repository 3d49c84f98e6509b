"""
The words of the analysis page: names of metrics, dimensions, windows and choices.

Texts are lazy: they are in the language of the person who reads the page when they are shown.
"""

from __future__ import annotations

from typing import Any

from fab_minicode.views import scene_words
from fab_minicode.words import lazy_gettext as _l

METRICS: dict[str, Any] = {
    "users": _l("Users"),
    "new_users": _l("New users"),
    "visits": _l("Visits"),
    "visits_per_user": _l("Visits per user"),
}
"""The metrics the page offers, in its order."""

TOO_MANY_VALUES: tuple[Any, Any] = (_l("(too many values)"), _l("beyond the bound of distinct values of a day"))
"""What the page calls ``acquisition.caps.TOO_MANY``, and what that is."""

VISIT: Any = _l("Visit")
"""The step of a funnel that is no core event."""

MEASURES: dict[str, Any] = {"users": _l("people"), "times": _l("times"), "conversion": _l("conversion")}
"""How a core event is counted, in the page's order."""

DIMENSIONS: dict[str, Any] = {
    "utm_source": _l("Ad source"),
    "utm_campaign": _l("Campaign"),
    "utm_medium": _l("Medium"),
    "utm_content": _l("Content"),
    "utm_term": _l("Keyword"),
    "code": _l("Code"),
    "landing_page": _l("Landing page"),
    "scene": _l("Opened by"),
}
"""The dimensions the page offers, in its order."""

TIMES: dict[str, Any] = {"hour": _l("Hour"), "day": _l("Day"), "week": _l("Week"), "month": _l("Month")}
"""Headings of the time column by granularity."""

GRANULARITIES: dict[str, Any] = {
    "hour": _l("By hour"),
    "day": _l("By day"),
    "week": _l("By week"),
    "month": _l("By month"),
    "total": _l("In total"),
}
"""How the page cuts the window, in its order."""

WINDOW_GROUPS: dict[str, dict[str, Any]] = {
    "days": {"today": _l("Today"), "yesterday": _l("Yesterday")},
    "complete": {
        "7": _l("Last 7 days"),
        "14": _l("Last 14 days"),
        "30": _l("Last 30 days"),
        "90": _l("Last 90 days"),
        "180": _l("Last 180 days"),
        "365": _l("Last 365 days"),
    },
    "calendar": {
        "this_week": _l("This week"),
        "last_week": _l("Last week"),
        "this_month": _l("This month"),
        "last_month": _l("Last month"),
    },
    "free": {"free": _l("From … to …")},
}
"""The windows the pages offer, by group; a number is that many complete days before today."""

WINDOWS: dict[str, Any] = {name: label for group in WINDOW_GROUPS.values() for name, label in group.items()}
"""The same without groups."""

GROUPS: dict[str, Any] = {
    "days": _l("Days"),
    "complete": _l("Complete days"),
    "calendar": _l("Weeks and months"),
    "free": _l("Own dates"),
}
"""Names of the groups."""

COMPARISONS: dict[str, Any] = {
    "": _l("No comparison"),
    "previous": _l("The window before"),
    "week_earlier": _l("Same weekdays, earlier"),
}
"""What an answer is compared with, in the page's order."""

ATTRIBUTIONS: dict[str, Any] = {"last": _l("Last touch"), "entry": _l("This visit"), "first": _l("First touch")}
"""Ways to find an event's touch, in the page's order; ``acquisition.metrics`` says what each means."""

BESIDE = _l("Side by side")
"""All ways at once."""

SEGMENTS: dict[str, Any] = {
    "all": _l("All visitors"),
    "new": _l("New visitors"),
    "returning": _l("Returning visitors"),
}
"""Groups of visitors, in the page's order; ``acquisition.metrics`` says who is in each."""

SENTENCES: tuple[Any, ...] = (
    _l("Distinct visitors with at least one visit in the window that passes the filters."),
    _l("Users whose first visit ever lies in the window and passes the filters itself."),
    _l("Openings of the mini program in the window that pass the filters."),
    _l("Visits divided by users, both of the same row."),
    _l("Distinct visitors with at least one such event in the window that passes the filters."),
    _l("Events of this name in the window that pass the filters."),
    _l("Distinct visitors with at least one such event divided by users, both of the same row."),
    _l(
        "An event belongs to its visit's own touch, else to the visitor's latest touch before that visit, at most 30"
        " days back; decided once, never rewritten."
    ),
    _l("An event belongs to the touch that its visit carried itself."),
    _l("An event belongs to the touch of its visitor's first visit ever; to none if that visit carried none."),
    _l("All visitors."),
    _l("Visitors whose first visit ever lies in the window."),
    _l("All other visitors."),
    _l("Visitors who meet the conditions of the saved segment."),
    _l("Where the touch came from; no source means no touch."),
    _l("The touch's campaign."),
    _l("The touch's content."),
    _l("The touch's keyword."),
    _l("The touch's medium."),
    _l("The code that was scanned, deleted ones included."),
    _l("The page that the visit opened, without its query."),
    _l("WeChat's number of the way into the mini program."),
)
"""What ``acquisition.metrics`` and ``dimensions`` say in English, once more for translators; a test compares them."""

OPERATORS: dict[str, Any] = {
    "set": _l("is set"),
    "not_set": _l("is not set"),
    "eq": _l("is"),
    "ne": _l("is not"),
    "in": _l("is one of"),
    "not_in": _l("is none of"),
    "contains": _l("contains"),
}
"""Filter operators, in the page's order."""

CHANGES: dict[str, Any] = {
    "up": _l("higher than before"),
    "down": _l("lower than before"),
    "same": _l("the same as before"),
}
"""A change in words."""

CHARTS: dict[str, tuple[Any, str]] = {
    "line": (_l("Line"), "fa-chart-line"),
    "column": (_l("Columns"), "fa-chart-column"),
    "bar": (_l("Bars"), "fa-chart-bar"),
    "table": (_l("Table only"), "fa-table"),
    "number": (_l("Numbers"), "fa-hashtag"),
    "bubble": (_l("Bubbles"), "fa-braille"),
}
"""Kinds of charts -> (name, Font Awesome icon)."""

STACKS: dict[str, Any] = {"": _l("Side by side"), "stacked": _l("Stacked"), "share": _l("100%")}
"""How the columns of several values stand."""

NOT_SET = _l("(not set)")
"""What stands for a missing value."""

SCENES = scene_words.SCENES
"""WeChat's entry scenes by number."""


def scene_names() -> dict[str, str]:
    """Return the names of the entry scenes in the language of the page, for scripts."""
    return {number: str(name) for number, name in SCENES.items()}
