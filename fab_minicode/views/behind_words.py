"""Which number of which answer stands above its visitors, in words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Connection

from fab_minicode.acquisition.behind import EVENTS, FUNNEL, RETENTION, Number
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.acquisition.question import Filter
from fab_minicode.acquisition.windows import Period
from fab_minicode.models import Code
from fab_minicode.runtime import runtime
from fab_minicode.views import messages
from fab_minicode.views.analysis_answer import metric_name
from fab_minicode.views.analysis_fields import filter_words, filters_of
from fab_minicode.views.analysis_reasons import groups
from fab_minicode.views.journey_words import step_name
from fab_minicode.views.shown import Shown
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

NO_SEGMENT: dict[str, Any] = {
    EVENTS: messages.REFUSALS_OF_ANY_FIELD["not_a_segment"],
    FUNNEL: _l(
        "These people cannot be kept as a segment: its conditions know no order of steps. Everybody behind the first"
        " step can be kept."
    ),
    RETENTION: _l(
        "These people cannot be kept as a segment: its conditions count no days from each person's own start. Those of"
        " a single day of the start can be kept."
    ),
}
"""Why a number cannot be saved as a segment, by the kind of its question."""

TOO_LONG = _l("These people cannot be kept as a segment: it would have more conditions than are possible.")


def said(number: Number, shown: Shown) -> str:
    """Return what follows the count of people: what they did, and on which days."""
    if number.kind == EVENTS:
        return _(
            "people behind %(metric)s, %(days)s",
            metric=metric_name(number.cell.metric.name),
            days=_days(number.question.period, shown),
        )
    return _funnel(number, shown) if number.kind == FUNNEL else _retention(number, shown)


def _days(period: Period, shown: Shown) -> str:
    window = period.resolve(shown.now, runtime().settings.zone)
    return shown.days(window.since, window.until)


def _funnel(number: Number, shown: Shown) -> str:
    steps, cell = number.question.as_json()["steps"], number.cell
    facts = {
        "number": cell.step,
        "step": step_name(steps[cell.step - 1]),
        "days": _days(number.question.scope.period, shown),
    }
    if not cell.is_lost:
        return _("people who took step %(number)s (%(step)s), %(days)s", **facts)
    return _(
        "people who took step %(number)s (%(step)s) and not the next one (%(next)s), %(days)s",
        **facts,
        next=step_name(steps[cell.step]),
    )


def _retention(number: Number, shown: Shown) -> str:
    cell, day = number.cell, number.cell.place.day
    days = _days(number.question.scope.period, shown) if day is None else shown.days(day, day)
    if cell.returned is None:
        return _("people who started, %(days)s", days=days)
    return _("people who came back on day %(day)s after their start, %(days)s", day=cell.returned, days=days)


def counts_twice(number: Number) -> bool:
    """Whether the number counts a visitor once for each day of the start, so that fewer people may be behind it."""
    if number.kind != RETENTION or number.question.start != VISIT:
        return False
    window = number.question.scope.period.window
    is_one_day = window is not None and window.since == window.until
    return number.cell.place.day is None and not is_one_day


def conditions(connection: Connection, authorizer_id: int, number: Number) -> list[str]:
    """Return what else narrows the number: filters, the row's group, what the limit left out, groups of visitors."""
    question, cell = number.question, number.cell
    if number.kind == EVENTS:
        filters, is_others, segment = (*question.filters, *cell.filters), cell.is_others, cell.segment
    else:
        group = (cell.place.group,) if cell.place.group else ()
        filters, is_others, segment = (*question.scope.filters, *group), cell.place.is_others, question.scope.segment
    asked = [one.as_json() for one in _named(connection, authorizer_id, filters)]
    found = [filter_words(row) for row in filters_of(asked)]
    if is_others:
        found.append(_("All others"))
    if segment != "all":
        known = groups(connection, authorizer_id)
        found.append(str(known[segment][0]) if segment in known else segment)
    return found


def _named(connection: Connection, authorizer_id: int, filters: tuple[Filter, ...]) -> list[Filter]:
    """Return filters in which codes stand by their names, as far as this mini program has them."""
    numbers = {value for one in filters if one.dimension == "code" for value in one.values if isinstance(value, int)}
    if not numbers:
        return list(filters)
    # Only its own: the address may name any code.
    columns = select(Code.id, Code.name).where(Code.authorizer_id == authorizer_id, Code.id.in_(numbers))
    names: dict[str | int, str] = {int(number): str(name) for number, name in connection.execute(columns)}
    return [
        replace(one, values=tuple(names.get(value, value) for value in one.values)) if one.dimension == "code" else one
        for one in filters
    ]
