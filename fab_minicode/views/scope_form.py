"""
What the forms of funnel and retention share: the fields of ``acquisition.scope``, read and shown again.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flask import request
from sqlalchemy.engine import Connection
from werkzeug.datastructures import MultiDict

from fab_minicode.acquisition.metrics import ATTRIBUTIONS
from fab_minicode.acquisition.scope import Scope, step_to_text
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer
from fab_minicode.views import analysis_reasons as reasons
from fab_minicode.views import analysis_words as words
from fab_minicode.views import messages
from fab_minicode.views.analysis_fields import (
    Filter,
    Span,
    filters_json,
    filters_of,
    known,
    read_filters,
    read_span,
    span_of,
    with_blank,
)
from fab_minicode.words import lazy_gettext as _l

DEFAULT_DAYS = "30"
_PLACES = {"since": "window", "until": "window", "last_days": "window", "segment": "segments", "limit": "window"}


@dataclass(frozen=True)
class ScopeForm:
    """
    What the shared fields show.

    Attributes:
        appid: The mini program's AppID.
        span: The window.
        split: Name of a dimension, "" for none.
        filters: In the order of the form.
        segment: Name of a group of visitors.
        attribution: ``last``, ``entry`` or ``first``.
    """

    appid: str = ""
    span: Span = field(default_factory=lambda: Span(DEFAULT_DAYS))
    split: str = ""
    filters: tuple[Filter, ...] = ()
    segment: str = "all"
    attribution: str = "last"

    @property
    def filter_rows(self) -> tuple[Filter, ...]:
        """The filters, and an empty one to fill in."""
        return with_blank(self.filters)

    def as_json(self) -> dict[str, Any]:
        """Return the shared fields of a question's JSON."""
        return {
            "appid": self.appid,
            "dimensions": [self.split] if self.split else [],
            "filters": filters_json(self.filters),
            "segment": self.segment,
            "window": self.span.as_json(),
            "attribution": self.attribution,
        }


def read_form(fields: MultiDict[str, str], *, appid: str) -> ScopeForm:
    """Return the fields as they were sent; values nobody can choose fall back to the default."""
    return ScopeForm(
        appid,
        read_span(fields, DEFAULT_DAYS),
        known(fields.get("split"), words.DIMENSIONS, ""),
        read_filters(fields),
        fields.get("segment", "all"),
        known(fields.get("attribution"), words.ATTRIBUTIONS, "last"),
    )


def form_of(scope: Scope) -> ScopeForm:
    """Return the fields that show a valid question."""
    asked = scope.as_json()
    return ScopeForm(
        scope.appid,
        span_of(asked["window"]),
        scope.dimension,
        filters_of(asked["filters"]),
        scope.segment,
        scope.attribution,
    )


def problem_of(error: InvalidInput) -> dict[str, str]:
    """Return the message beside the refused field of the form."""
    name = error.field.partition("[")[0].partition(".")[0]
    return {_PLACES.get(name, name): str(messages.refusal(error))}


def choices(connection: Connection, authorizer: Authorizer | None, steps: tuple[str | None, ...]) -> dict[str, Any]:
    """Return what the fields offer: groups of visitors, and steps (core events by name, those asked for among them)."""
    number = 0 if authorizer is None else int(authorizer.id)
    names = dict.fromkeys(reasons.known_events(connection, number))
    names |= dict.fromkeys(step for step in steps if step is not None)
    offered: dict[str, Any] = {step_to_text(None): words.VISIT}
    offered |= {step_to_text(name): name for name in names}
    return {
        "segment_choices": reasons.groups(connection, number),
        "step_choices": offered,
        "words": words,
        "attributions": ATTRIBUTIONS,
        "as_day": dt.date.fromisoformat,
    }


def is_asked() -> bool:
    """Whether the address carries a question at all, beside the mini program and how the page is asked for."""
    return bool(set(request.args) - {"appid", "part", "recount", "saved"})


def checked(read: Callable[[], Any]) -> tuple[Any, Mapping[str, str]]:
    """Return what could be read, and the messages beside the fields if it could not."""
    try:
        return read(), {}
    except InvalidInput as error:
        return None, problem_of(error)


SENTENCES: tuple[Any, ...] = (
    _l(
        "People who took the first step in the window, each by their earliest one that passes the filters, and then"
        " every step up to this one in this order, all within the given days of the first."
    ),
    _l("Visitors whose first visit ever lies on the day and passes the filters itself."),
    _l("Visitors with a visit on the day that passes the filters; who comes on two days starts twice."),
    _l("Of those, who came back (did it again, or did the event) on exactly that day after."),
)
"""What funnels and retention say of themselves in English, once more for translators; a test compares them."""
