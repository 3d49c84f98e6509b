"""A retention as it is asked for: read from JSON (docs/api.md) or an address, checked, and written back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fab_minicode.acquisition.metrics import FIRST_VISIT, NEW_USERS, USERS, VISIT
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.question_fields import choice
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

MAX_DAYS = 30
STARTS: dict[str, str] = {
    FIRST_VISIT: "Visitors whose first visit ever lies on the day and passes the filters itself.",
    VISIT: "Visitors with a visit on the day that passes the filters; who comes on two days starts twice.",
}
"""What makes a visitor start on a day: series of facts -> sentence."""

RETURN_DEFINITION = "Of those, who came back (did it again, or did the event) on exactly that day after."


@dataclass(frozen=True)
class RetentionQuestion:
    """
    Who comes back.

    Attributes:
        scope: Whose start counts.
        start: A key of ``STARTS``.
        returns: Name of the custom event that is a return, None for a visit.
        days: Returns are counted on day 1 to this one after the start.
    """

    scope: Scope
    start: str = FIRST_VISIT
    returns: str | None = None
    days: int = MAX_DAYS

    @property
    def appid(self) -> str:
        """The mini program that is asked about."""
        return self.scope.appid

    @property
    def starters(self) -> Question:
        """The question how many started; it has no answer exactly where the retention has none."""
        return self.scope.counting(NEW_USERS if self.start == FIRST_VISIT else USERS)

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md with every field; :func:`parse` reads it back."""
        own = {"start": self.start, "return": write_step(self.returns), "days": self.days}
        return {**self.scope.as_json(), **own}


def parse(asked: Any) -> RetentionQuestion:
    """
    Read a retention's JSON.

    Raises:
        InvalidInput: Names the field, the limit and what was sent.
    """
    scope = parse_scope(asked, ("start", "return", "days"))
    return RetentionQuestion(
        scope,
        choice(asked.get("start", FIRST_VISIT), "start", tuple(STARTS)),
        read_step(asked.get("return", VISIT), "return"),
        whole(asked.get("days", MAX_DAYS), "days", (1, MAX_DAYS), "days"),
    )


def to_args(question: RetentionQuestion) -> dict[str, str | list[str]]:
    """Return the query string of an address that carries the question; :func:`from_args` reads it back."""
    own: dict[str, str | list[str]] = {"start": question.start, "return": step_to_text(question.returns)}
    return {**scope_to_args(question.scope), **own, "days": str(question.days)}


def from_args(args: Any) -> RetentionQuestion:
    """Read :func:`to_args` from a multi-dict. Raises InvalidInput as :func:`parse`."""
    asked = scope_from_args(args)
    if args.get("start"):
        asked["start"] = args["start"]
    if args.get("return"):
        asked["return"] = step_from_text(args["return"])
    if args.get("days"):
        asked["days"] = number_from(args["days"])
    return parse(asked)
