"""A segment's conditions in people's words."""

from __future__ import annotations

from typing import Any

from fab_minicode.acquisition.question import Filter
from fab_minicode.acquisition.question_fields import write_period
from fab_minicode.acquisition.segment_rules import Rule, Trait
from fab_minicode.acquisition.windows import Period
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis_fields import span_of
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

KINDS: dict[str, Any] = {
    "first_touch": _l("First visit ever came from"),
    "touch": _l("Came by a touch"),
    "did": _l("Did"),
    "new": _l("First visit ever in the window"),
    "returning": _l("Came back in the window"),
}
"""Kinds of conditions, in the form's order."""

NEGATIONS: dict[str, Any] = {"": _l("is so"), "not": _l("is not so")}
COMPARISONS: dict[str, Any] = {"at_least": _l("at least"), "at_most": _l("at most"), "exactly": _l("exactly")}
MATCHES: dict[str, Any] = {"all": _l("All of these conditions hold"), "any": _l("Any of these conditions holds")}
EVER: Any = _l("Ever")


def rule_words(rule: Rule) -> str:
    """Return what a segment asks, in one line."""
    joint = _(" or ") if rule.match == "any" else _(" and ")
    return joint.join(condition_words(one) for one in rule.conditions)


def condition_words(one: Trait | Rule) -> str:
    """Return what one condition asks."""
    said = f"({rule_words(one)})" if isinstance(one, Rule) else _trait_words(one)
    return _("not: %(condition)s", condition=said) if one.is_not else said


def _trait_words(trait: Trait) -> str:
    parts = [str(KINDS[trait.kind])]
    if trait.kind == "did":
        what = str(words.VISIT) if trait.event is None else trait.event
        parts = [f"{what} {COMPARISONS[trait.comparison]} {trait.times}×"]
    parts += [filter_words(one) for one in trait.filters]
    if trait.kind != "first_touch":
        parts.append(period_words(trait.period))
    return ", ".join(parts)


def filter_words(one: Filter) -> str:
    """Return one filter as a phrase."""
    said = f"{words.DIMENSIONS[one.dimension]} {words.OPERATORS[one.op]}"
    values = ", ".join(f"#{value}" if isinstance(value, int) else value for value in one.values)
    return f"{said} {values}" if values else said


def period_words(period: Period | None) -> str:
    """Return a window as it was asked for."""
    if period is None:
        return str(EVER)
    span = span_of(write_period(period))
    if span.name == "free":
        return f"{span.since} – {span.until}"
    known = words.WINDOWS.get(span.name)
    return str(known) if known else _("Last %(days)s days", days=span.name)
