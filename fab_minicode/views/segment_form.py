"""
The form of a segment: a few conditions, each with a few filters, as plain fields that need no script.

What the form cannot show (groups of conditions) is kept as it is, in words.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import MultiDict

from fab_minicode.acquisition.question_fields import write_period
from fab_minicode.acquisition.scope import number_from, step_from_text, step_to_text
from fab_minicode.acquisition.segment_rules import MAX_CONDITIONS, Rule, Trait
from fab_minicode.acquisition.segment_rules import parse as parse_rule
from fab_minicode.errors import InvalidInput
from fab_minicode.views.analysis_fields import Filter, Span, filters_json, filters_of, known, span_of
from fab_minicode.views.segment_words import COMPARISONS, KINDS, condition_words

EVER = "ever"
BLANKS = 2
"""Conditions and filters to fill in."""


@dataclass(frozen=True)
class Row:
    """
    One condition as the form shows it.

    Attributes:
        kind: A key of ``segment_words.KINDS``; "" for a blank one.
        is_not: ``not`` or "".
        event: A step as an address writes it.
        comparison: A key of ``segment_words.COMPARISONS``.
        times: As typed.
        span: The window; its name is ``ever`` for the whole time.
        filters: Filter rows.
        kept: JSON of a condition that the form cannot show.
        words: What that condition asks.
    """

    kind: str = ""
    is_not: str = ""
    event: str = "visit"
    comparison: str = "at_least"
    times: str = "1"
    span: Span = field(default_factory=lambda: Span(EVER))
    filters: tuple[Filter, ...] = ()
    kept: str = ""
    words: str = ""

    @property
    def filter_rows(self) -> tuple[Filter, ...]:
        """The filters, and empty ones to fill in."""
        return (*self.filters, *[Filter()] * BLANKS)

    def as_json(self) -> Any:
        """Return the condition's JSON (docs/api.md)."""
        if self.kept:
            return json.loads(self.kept)
        found: dict[str, Any] = {"kind": self.kind, "not": bool(self.is_not), "filters": filters_json(self.filters)}
        if self.kind != "first_touch" and self.span.name != EVER:
            found["window"] = self.span.as_json()
        if self.kind == "did":
            event = step_from_text(self.event)
            found["event"] = event["event"] if isinstance(event, dict) else None
            found[self.comparison] = number_from(self.times)
        return found


@dataclass(frozen=True)
class SegmentForm:
    """What the fields show."""

    name: str = ""
    match: str = "all"
    rows: tuple[Row, ...] = ()

    @property
    def all_rows(self) -> tuple[Row, ...]:
        """The conditions, and blank ones to fill in."""
        blanks = min(BLANKS, MAX_CONDITIONS - len(self.rows))
        return (*self.rows, *[Row()] * blanks)

    def as_json(self) -> dict[str, Any]:
        """Return the segment's JSON; blank conditions are left out."""
        return {"match": self.match, "conditions": [row.as_json() for row in self.rows]}


def read_form(fields: MultiDict[str, str]) -> SegmentForm:
    """Return the form as it was sent. Raises InvalidInput for a kept condition that is none."""
    rows = [_read_row(fields, f"c{place}-") for place in range(MAX_CONDITIONS)]
    kept = tuple(row for row in rows if row.kind or row.kept)
    return SegmentForm(fields.get("name", "").strip(), known(fields.get("match"), ("all", "any"), "all"), kept)


def _read_row(fields: MultiDict[str, str], prefix: str) -> Row:
    def one(name: str, default: str = "") -> str:
        return fields.get(prefix + name, default)

    if one("kept"):
        return kept_row(one("kept")) if not one("drop") else Row()
    window = one("window", EVER)
    rows = zip(*(fields.getlist(prefix + name) for name in ("dimension", "op", "value")), strict=False)
    return Row(
        known(one("kind"), KINDS, ""),
        "not" if one("not") else "",
        one("event", "visit"),
        known(one("comparison"), COMPARISONS, "at_least"),
        one("times", "1")[:6],
        Span(window, one("since")[:10], one("until")[:10]) if window == "free" else Span(window),
        tuple(Filter(dimension, op, value) for dimension, op, value in rows if dimension),
    )


def kept_row(text: str) -> Row:
    """Return the row of a condition that is kept as it is."""
    try:
        rule = parse_rule({"conditions": [json.loads(text)]})
    except ValueError:
        raise InvalidInput("conditions", "invalid") from None
    return Row(kept=text, words=condition_words(rule.conditions[0]))


def form_of(name: str, rule: Rule) -> SegmentForm:
    """Return the form that shows a segment."""
    rows = (_row_of(one, asked) for one, asked in zip(rule.conditions, rule.as_json()["conditions"], strict=True))
    return SegmentForm(name, rule.match, tuple(rows))


def _row_of(one: Trait | Rule, asked: Mapping[str, Any]) -> Row:
    if isinstance(one, Rule) or one.attribution != "last":
        return kept_row(json.dumps(asked, ensure_ascii=False))
    span = Span(EVER) if one.period is None else span_of(write_period(one.period))
    return Row(
        one.kind,
        "not" if one.is_not else "",
        step_to_text(one.event),
        one.comparison,
        str(one.times),
        span,
        filters_of(asked["filters"]),
    )
