"""
What can be counted, and the sentences that say how. Pure: message ids, translated by the views.

The same sentences stand in docs/numbers.md and in every answer.
"""

from __future__ import annotations

from dataclasses import dataclass

VISIT, FIRST_VISIT = "visit", "first_visit"
MAX_EVENT_CHARACTERS = 100
RATIO = "ratio"
RATIO_DIGITS = 4
"""Digits after the point to which a ratio is rounded, half up."""


@dataclass(frozen=True)
class Metric:
    """
    One number.

    Attributes:
        name: Column of an answer.
        label: Name for people.
        definition: One sentence for people.
        counts: Series of facts: ``visit``, ``first_visit`` or ``event:<name>``; of a ratio ``""``.
        measure: ``users`` (distinct visitors), ``times`` (events) or ``ratio``.
        parts: Of a ratio what is divided by what, both counted in the same place; else nothing.
    """

    name: str
    label: str
    definition: str
    counts: str
    measure: str
    parts: tuple[Metric, ...] = ()

    @property
    def counted(self) -> tuple[Metric, ...]:
        """What must be counted for it: itself, or the parts of a ratio."""
        return self.parts or (self,)


USERS = Metric(
    "users", "Users", "Distinct visitors with at least one visit in the window that passes the filters.", VISIT, "users"
)
NEW_USERS = Metric(
    "new_users",
    "New users",
    "Users whose first visit ever lies in the window and passes the filters itself.",
    FIRST_VISIT,
    "users",
)
VISITS = Metric("visits", "Visits", "Openings of the mini program in the window that pass the filters.", VISIT, "times")
VISITS_PER_USER = Metric(
    "visits_per_user", "Visits per user", "Visits divided by users, both of the same row.", "", RATIO, (VISITS, USERS)
)

METRICS: tuple[Metric, ...] = (USERS, NEW_USERS, VISITS, VISITS_PER_USER)

CONVERSION = "conversion"
MEASURES: tuple[str, ...] = ("users", "times", CONVERSION)
"""What can be asked of a custom event."""

EVENT_DEFINITIONS: dict[str, str] = {
    "users": "Distinct visitors with at least one such event in the window that passes the filters.",
    "times": "Events of this name in the window that pass the filters.",
    CONVERSION: "Distinct visitors with at least one such event divided by users, both of the same row.",
}

ATTRIBUTIONS: dict[str, str] = {
    "last": (
        "An event belongs to its visit's own touch, else to the visitor's latest touch before that visit, at most 30"
        " days back; decided once, never rewritten."
    ),
    "entry": "An event belongs to the touch that its visit carried itself.",
    "first": "An event belongs to the touch of its visitor's first visit ever; to none if that visit carried none.",
}
"""How an event finds its touch: name in questions -> sentence."""

SEGMENTS: dict[str, str] = {
    "all": "All visitors.",
    "new": "Visitors whose first visit ever lies in the window.",
    "returning": "All other visitors.",
}

SAVED_SEGMENT = "Visitors who meet the conditions of the saved segment."


def event_metric(event: str, measure: str) -> Metric:
    """Return the metric of a custom event: its people (``users``), its number (``times``) or ``conversion``."""
    name, definition = f"{event}.{measure}", EVENT_DEFINITIONS[measure]
    if measure == CONVERSION:
        return Metric(name, f"{event} ({measure})", definition, "", RATIO, (event_metric(event, "users"), USERS))
    return Metric(name, f"{event} ({measure})", definition, f"event:{event}", measure)


def divided(number: int, by: int) -> float | None:
    """Return a ratio to ``RATIO_DIGITS`` digits, half up, exactly; None where there is nothing to divide by."""
    scale: int = 10**RATIO_DIGITS
    return (2 * number * scale + by) // (2 * by) / scale if by else None
