"""
Why an answer is empty, and what to do about it: three different reasons that a bare zero would hide.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition import query
from fab_minicode.acquisition.attributions import side_by_side
from fab_minicode.acquisition.empties import Emptiness, empties
from fab_minicode.acquisition.metrics import SAVED_SEGMENT, SEGMENTS
from fab_minicode.acquisition.question import Question
from fab_minicode.models import SavedSegment, Series
from fab_minicode.settings import Settings
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_answer import Json, Reader, metric_name
from fab_minicode.views.analysis_beside import beside as in_columns
from fab_minicode.views.analysis_fields import filter_words, filters_of
from fab_minicode.views.analysis_form import metric_column
from fab_minicode.views.analysis_units import figure
from fab_minicode.words import gettext as _

LONGER_DAYS = 90
"""What an empty window is offered instead."""

MOST_WAYS = 6
"""Most ways out of an empty answer that are offered."""

MOST_SEGMENTS = 100
"""Most saved groups of visitors that the page offers."""

MOST_EVENTS = 500
"""Most event names that the page suggests."""


@dataclass(frozen=True)
class Way:
    """A way out of an empty answer: another question, and what it would count."""

    text: str
    note: str
    url: str


@dataclass(frozen=True)
class Empty:
    """
    Why there is nothing to see, and what to do.

    ``ways`` are several questions to go on with; ``is_question``: ``url`` is another question to this page.
    """

    title: str
    text: str
    action: str = ""
    url: str = ""
    is_question: bool = False
    ways: tuple[Way, ...] = ()


@dataclass(frozen=True)
class Counting:
    """How this request counts: its connection, the settings and its instant."""

    connection: Connection
    settings: Settings
    at: dt.datetime

    def answer(self, question: Question) -> Json:
        """Return the answer as the JSON of docs/api.md."""
        return query.answer(self.connection, question, settings=self.settings, now=self.at).as_json()

    def asked(self, question: Question, *, beside: bool) -> tuple[Json, Json]:
        """Return question and answer; with ``beside`` every metric stands once for each attribution."""
        if not beside:
            return question.as_json(), self.answer(question)
        found = side_by_side(self.connection, question, settings=self.settings, now=self.at)
        return in_columns(question.as_json(), found.as_json())


def known_events(connection: Connection, authorizer_id: int) -> tuple[str, ...]:
    """Return the core events that were ever counted for a mini program, by name."""
    events = select(Series.event).where(Series.authorizer_id == authorizer_id, Series.event.like("event:%")).distinct()
    found = (str(event).partition(":")[2] for event in connection.execute(events.limit(MOST_EVENTS)).scalars())
    return tuple(sorted(found))


def groups(connection: Connection, authorizer_id: int) -> dict[str, tuple[Any, Any]]:
    """Return the groups of visitors to choose from: name -> (label, what it means), the saved ones last."""
    found = {name: (label, _(SEGMENTS[name])) for name, label in words.SEGMENTS.items()}
    own = select(SavedSegment.id, SavedSegment.name).where(SavedSegment.authorizer_id == authorizer_id)
    for number, name in connection.execute(own.order_by(SavedSegment.name).limit(MOST_SEGMENTS)):
        found[f"segment:{number}"] = (name, _(SAVED_SEGMENT))
    return found


def no_mini_program(url: str) -> Empty:
    """Say what comes first; ``url`` leads to the mini programs, "" for a person who may not see them."""
    return Empty(
        _("No mini program yet"),
        _("Connect a mini program first. Its visits are counted from then on."),
        _("Connect a mini program"),
        url,
    )


def not_a_question(problems: Iterable[str]) -> Empty:
    """Say that the form must be completed first, with the messages that stand beside its fields."""
    return Empty(_("The question is not complete"), " ".join(problems))


def why_empty(count: Counting, question: Question, reader: Reader, install_url: str) -> Empty:
    """Say whether there never was a visit, which filters leave nothing over, or that the window holds nothing."""
    found = empties(count.connection, question, settings=count.settings, now=count.at)
    if not found.has_ever:
        return Empty(
            _("No visits have arrived yet"),
            _("Put the tracker into the mini program; its page here shows how. Visits count in seconds."),
            _("How to install the tracker"),
            install_url,
        )
    asked = question.as_json()
    if not found.in_window:
        return _other_days(count, asked, reader, _("There are visits, but none between these two days."))
    if not found.has_in_window:
        said = ", ".join(metric_name(metric_column(metric)) for metric in asked["metrics"])
        return _other_days(
            count, asked, reader, _("People came, but these days hold none of this: %(metrics)s.", metrics=said)
        )
    return _too_narrow(found, asked, reader)


def _too_narrow(found: Emptiness, asked: Json, reader: Reader) -> Empty:
    """Offer the question without each filter that empties it."""
    rows = filters_of(asked["filters"])
    ways = []
    for relief in found.reliefs[:MOST_WAYS]:
        kept = [one for place, one in enumerate(asked["filters"]) if place not in relief.filters]
        without = " + ".join(filter_words(rows[place]) for place in relief.filters)
        numbers = {name: figure(reader.shown, name, value) for name, value in relief.totals.items()}
        note = ", ".join(f"{metric_name(name)} {number}" for name, number in numbers.items())
        ways.append(Way(_("Without “%(filter)s”", filter=without), note, reader.link({**asked, "filters": kept})))
    if found.without_segments:
        note = f"{metric_name('users')} {reader.shown.number(found.without_segments)}"
        ways.append(Way(_("With all visitors"), note, reader.link({**asked, "segments": ["all"]})))
    return Empty(
        _("The filters leave nothing over"),
        _("These days hold visits, but none that passes."),
        _("Remove all filters"),
        reader.link({**asked, "filters": [], "segments": ["all"]}),
        is_question=True,
        ways=tuple(ways),
    )


def _other_days(count: Counting, asked: Json, reader: Reader, text: str) -> Empty:
    # Funnels cannot look back further than single events are kept.
    days = min(LONGER_DAYS, count.settings.event_retention_days)
    return Empty(
        _("Nothing in these days"),
        text,
        _("Look at the last %(days)s days", days=days),
        reader.link({**asked, "window": {"last_days": days}, "granularity": _coarse(asked["granularity"])}),
        is_question=True,
    )


def _coarse(granularity: str) -> str:
    """Hours are not kept for so long."""
    return "day" if granularity == "hour" else granularity
