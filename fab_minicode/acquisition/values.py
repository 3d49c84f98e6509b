"""
What filters and metrics can be made of: the values of a dimension and the core events that were seen, with counts.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.engine import Connection

from fab_minicode.acquisition.asked import Asked, Reading, text_of
from fab_minicode.acquisition.crowds import EVERYBODY, Crowd, Group, measured
from fab_minicode.acquisition.facts import TOUCH, read, series_of
from fab_minicode.acquisition.metrics import USERS, VISITS
from fab_minicode.acquisition.plan import READS
from fab_minicode.acquisition.query import authorizer_id
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.scenes import SCENE_NAMES
from fab_minicode.acquisition.windows import Period, Window
from fab_minicode.settings import Settings

MAX_VALUES = 50
_SEVEN_DAYS = Period(last_days=7)
_EVENT = "event:"


@dataclass(frozen=True)
class Suggestion:
    """
    One value of a dimension.

    Attributes:
        value: As a filter names it; of a code its name.
        users: Distinct visitors with a visit that has it in the window.
        visits: Their visits.
        code: Of a code its id and whether it is deleted; else None.
        name: Of an entry scene its readable name, if it has one; else "".
        aliases: Values that count as this one.
    """

    value: str
    users: int
    visits: int
    code: tuple[int, bool] | None = None
    name: str = ""
    aliases: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        found: dict[str, Any] = {"value": self.value, "users": self.users, "visits": self.visits}
        if self.code is not None:
            found |= {"id": self.code[0], "deleted": self.code[1]}
        if self.name:
            found["name"] = self.name
        return found | ({"aliases": list(self.aliases)} if self.aliases else {})


@dataclass(frozen=True)
class Values:
    """
    The values of a dimension in a window.

    Attributes:
        dimension: Its name.
        window: The days.
        suggestions: The most used first, at most ``MAX_VALUES``.
        count: How many values there are, those not shown included.
        not_set: Users and visits without any value.
    """

    dimension: str
    window: Window
    suggestions: tuple[Suggestion, ...]
    count: int
    not_set: tuple[int, int]

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        return {
            "dimension": self.dimension,
            "window": {"since": self.window.since.isoformat(), "until": self.window.until.isoformat()},
            "count": self.count,
            "result": [one.as_json() for one in self.suggestions],
            "not_set": dict(zip(("users", "visits"), self.not_set, strict=True)),
        }


def values(
    connection: Connection,
    appid: str,
    dimension: str,
    q: str = "",
    *,
    settings: Settings,
    now: dt.datetime,
    period: Period = _SEVEN_DAYS,
    attribution: str = "last",
    scene_names: Mapping[str, str] = SCENE_NAMES,
) -> Values:
    """
    Return the values of a dimension seen in a window that contain ``q``, without its case.

    Args:
        connection: To read from; nothing is written.
        appid: Of the mini program.
        dimension: Name of a dimension.
        q: What a value, an alias of it, or the name of an entry scene contains; "" for all.
        settings: For the time zone.
        now: Aware UTC; decides what "today" is.
        period: The window.
        attribution: Which touch counts.
        scene_names: Names of entry scenes in the reader's language.

    Raises:
        Missing: If there is no such mini program.
    """
    question = Question(appid, (USERS, VISITS), (dimension,), period=period, attribution=attribution)
    asked = Asked(connection, authorizer_id(connection, appid), question, settings=settings, now=now)
    window = period.resolve(now, settings.zone)
    reading = asked.read(window)
    groups = [group for group in reading.groups() if group[0]]
    names = asked.names(groups)[dimension]
    spoken = asked.vocabulary.spoken(dimension)
    wanted, found = q.casefold(), []
    for group in groups:
        name = names.get(group[0])
        value = text_of(name)
        scene = scene_names.get(value, "") if dimension == "scene" else ""
        aliases = tuple(spoken.get(value, ()))
        if any(wanted in text.casefold() for text in (value, str(scene), *aliases)):
            code = (group[0], name[1]) if isinstance(name, tuple) else None
            found.append(Suggestion(value, *_counts(reading, group), code, str(scene), aliases))
    found.sort(key=lambda one: (-one.users, -one.visits, one.value, one.code or 0))
    return Values(dimension, window, tuple(found[:MAX_VALUES]), len(found), _counts(reading, (0,)))


def _counts(reading: Reading, group: Group) -> tuple[int, int]:
    crowds = reading.group(group)
    return measured(USERS, crowds(USERS), EVERYBODY), measured(VISITS, crowds(VISITS), EVERYBODY)


@dataclass(frozen=True)
class SeenEvent:
    """A core event that was seen in a window: its people and its number."""

    name: str
    users: int
    times: int

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md."""
        return {"event": self.name, "users": self.users, "times": self.times}


def events(
    connection: Connection,
    appid: str,
    q: str = "",
    *,
    settings: Settings,
    now: dt.datetime,
    period: Period = _SEVEN_DAYS,
) -> tuple[SeenEvent, ...]:
    """
    Return the core events seen in a window whose names contain ``q`` without its case, those of most people first.

    Raises:
        Missing: If there is no such mini program.
    """
    number, days = authorizer_id(connection, appid), period.resolve(now, settings.zone).days
    series = series_of(connection, number)
    crowds: dict[str, Crowd] = defaultdict(Crowd)
    for key in series:
        name = key.event.removeprefix(_EVENT)
        # Every event stands in exactly one of the routes that attribution "last" reads.
        is_wanted = name != key.event and key.dimension == TOUCH and key.route in READS["last"][0].routes
        if is_wanted and q.casefold() in name.casefold():
            for _, _, tally in read(connection, series, key, days).rows():
                crowds[name].add(tally)
    found = [SeenEvent(name, len(crowd.visitors()), crowd.times(EVERYBODY)) for name, crowd in crowds.items()]
    return tuple(sorted(found, key=lambda one: (-one.users, -one.times, one.name)))
