"""What funnels and retentions ask, in a few words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fab_minicode.acquisition.journey_doubts import GROUPS, RETURNED, STARTED, STEPS
from fab_minicode.acquisition.metrics import FIRST_VISIT, VISIT
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import Json, dimension_name, event_name
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

STARTS: dict[str, Any] = {FIRST_VISIT: _l("First visit ever"), VISIT: _l("Any visit")}
"""What makes a visitor of a retention start, in the page's order."""

FOUND: dict[str, Any] = {STEPS: _l("Steps"), GROUPS: _l("Steps"), STARTED: _l("Started"), RETURNED: _l("Came back")}
"""What the SQL of a funnel or a retention finds, by the names of ``journey_doubts``."""


def step_name(step: Any) -> str:
    """Return what people call a step of a question's JSON: a visit, or a core event by its own name."""
    return str(words.VISIT) if isinstance(step, str) else event_name(step["event"])


def funnel_title(question: Json) -> str:
    """Return what a funnel asks, without its window and filters."""
    steps = " → ".join(step_name(step) for step in question["steps"])
    return " · ".join((steps, _("within %(days)s days", days=question["within_days"]), *_split(question)))


def retention_title(question: Json) -> str:
    """Return what a retention asks, without its window and filters."""
    course = f"{STARTS[question['start']]} → {step_name(question['return'])}"
    return " · ".join((course, _("followed for %(days)s days", days=question["days"]), *_split(question)))


def _split(question: Json) -> Iterator[str]:
    for name in question["dimensions"]:
        yield _("split by %(dimension)s", dimension=dimension_name(name))
