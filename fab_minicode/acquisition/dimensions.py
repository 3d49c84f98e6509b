"""
What an event can be split and filtered by: one literal tuple. Pure.

``label`` is a message id; the views translate it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Dimension:
    """
    One dimension.

    Attributes:
        name: Word in questions and answers, and the column of ``minicode_contexts``.
        label: Name for people.
        description: One sentence for people.
        of_touch: Whether the attribution decides its value; else it is the event's own visit's.
    """

    name: str
    label: str
    description: str
    of_touch: bool


DIMENSIONS: tuple[Dimension, ...] = (
    Dimension("utm_source", "Ad source", "Where the touch came from; no source means no touch.", True),
    Dimension("utm_campaign", "Campaign", "The touch's campaign.", True),
    Dimension("utm_content", "Content", "The touch's content.", True),
    Dimension("utm_term", "Keyword", "The touch's keyword.", True),
    Dimension("utm_medium", "Medium", "The touch's medium.", True),
    Dimension("code", "Code", "The code that was scanned, deleted ones included.", True),
    Dimension("landing_page", "Landing page", "The page that the visit opened, without its query.", False),
    Dimension("scene", "Opened by", "WeChat's number of the way into the mini program.", False),
)

NAMES: tuple[str, ...] = tuple(dimension.name for dimension in DIMENSIONS)
TOUCH_NAMES: tuple[str, ...] = tuple(dimension.name for dimension in DIMENSIONS if dimension.of_touch)
OPERATORS: tuple[str, ...] = ("set", "not_set", "eq", "ne", "in", "not_in", "contains")


def named(name: str) -> Dimension:
    """Return the dimension of this name; a KeyError says that there is none."""
    found = next((dimension for dimension in DIMENSIONS if dimension.name == name), None)
    if found is None:
        raise KeyError(name)
    return found
