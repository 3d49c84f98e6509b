"""A funnel as it is asked for: read from JSON (docs/api.md) or an address, checked, and written back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fab_minicode.acquisition.metrics import USERS, event_metric
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.question_fields import list_of
from fab_minicode.acquisition.scope import (
    Scope,
    number_from,
    parse_scope,
    read_step,
    scope_from_args,
    scope_to_args,
    step_from_text,
    step_to_text,
    whole,
    write_step,
)
from fab_minicode.errors import InvalidInput

MIN_STEPS, MAX_STEPS = 2, 6
MAX_WITHIN_DAYS = 90
DEFINITION = (
    "People who took the first step in the window, each by their earliest one that passes the filters, and then every"
    " step up to this one in this order, all within the given days of the first."
)


@dataclass(frozen=True)
class FunnelQuestion:
    """
    An ordered funnel.

    Attributes:
        scope: Whose first step counts.
        steps: Names of custom events, None for a visit.
        within_days: Every step is at most so many times 24 hours after the first.
    """

    scope: Scope
    steps: tuple[str | None, ...]
    within_days: int = 7

    @property
    def appid(self) -> str:
        """The mini program that is asked about."""
        return self.scope.appid

    @property
    def starters(self) -> Question:
        """The question how many took the first step; it has no answer exactly where the funnel has none."""
        first = self.steps[0]
        return self.scope.counting(USERS if first is None else event_metric(first, "users"))

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md with every field; :func:`parse` reads it back."""
        steps = [write_step(step) for step in self.steps]
        return {**self.scope.as_json(), "steps": steps, "within_days": self.within_days}


def parse(asked: Any) -> FunnelQuestion:
    """
    Read a funnel's JSON.

    Raises:
        InvalidInput: Names the field (``steps[1].event``), the limit and what was sent.
    """
    scope = parse_scope(asked, ("steps", "within_days"))
    items = list_of(asked.get("steps", ()), "steps", MAX_STEPS)
    steps = tuple(read_step(item, f"steps[{place}]") for place, item in enumerate(items))
    if len(steps) < MIN_STEPS:
        raise InvalidInput("steps", "too_few", limit=MIN_STEPS, actual=len(steps))
    within = whole(asked.get("within_days", 7), "within_days", (1, MAX_WITHIN_DAYS), "days")
    return FunnelQuestion(scope, steps, within)


def to_args(question: FunnelQuestion) -> dict[str, str | list[str]]:
    """Return the query string of an address that carries the funnel; :func:`from_args` reads it back."""
    steps = [step_to_text(step) for step in question.steps]
    return {**scope_to_args(question.scope), "step": steps, "within": str(question.within_days)}


def from_args(args: Any) -> FunnelQuestion:
    """Read :func:`to_args` from a multi-dict. Raises InvalidInput as :func:`parse`."""
    asked = scope_from_args(args)
    asked["steps"] = [step_from_text(text) for text in args.getlist("step") if text]
    if args.get("within"):
        asked["within_days"] = number_from(args["within"])
    return parse(asked)
