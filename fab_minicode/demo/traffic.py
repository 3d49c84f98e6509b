"""
Who opens the mini programs, and when. Pure: a day and the prints of that day in, openings out.

Each calendar day has its own random numbers, so that a day is the same whenever and however often it is asked for;
a later start of the demo only adds what happened since.
"""

from __future__ import annotations

import datetime as dt
import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

# Monday to Sunday: coffee is for working days, with a late brunch on Saturday.
_WEEK = (0.95, 1.0, 1.02, 1.08, 1.2, 0.9, 0.72)
_HOURS = (1, 0, 0, 0, 0, 1, 3, 9, 14, 12, 9, 9, 13, 12, 8, 9, 8, 8, 10, 11, 9, 7, 4, 2)
_NEW_PART, _PRINT_PART = 0.55, 0.62
_DIRECT_SCENES = ("1001", "1053", "1007", "1089")
_LOOK_BACK_DAYS = 40


@dataclass(frozen=True)
class Printed:
    """A code on paper: what a scan of it opens (``path``, raw ``query``, WeChat's entry ``scene``), since which day."""

    path: str
    query: str
    scene: str
    weight: float
    since: dt.date


@dataclass(frozen=True)
class Happening:
    """
    One thing a visitor did.

    Attributes:
        identity: Unique for ever; the same whenever the day is generated again.
        name: Custom event, None for an opening.
        visit: Number of the opening within the day that this belongs to.
    """

    identity: str
    visitor: str
    time_ms: int
    name: str | None
    path: str
    query: str
    scene: str
    visit: int


def rhythm(day: dt.date) -> float:
    """Return how busy a day is; 1.0 is an ordinary Tuesday."""
    wave = 1 + 0.14 * math.sin(day.toordinal() * 2 * math.pi / 23)
    spike = 1.55 if day.toordinal() % 17 == 4 else 1.0
    return _WEEK[day.weekday()] * wave * spike


def happenings(day: dt.date, prints: Sequence[Printed], *, visits: float, zone: ZoneInfo, salt: str) -> list[Happening]:
    """
    Return what happens on a day, in the order of time.

    Args:
        day: Calendar day in ``zone``.
        prints: What hangs on walls; those made later than ``day`` are not seen yet.
        visits: Openings on an ordinary day.
        zone: The mini program's zone.
        salt: Keeps two mini programs apart.
    """
    dice = random.Random(f"{salt} {day.isoformat()}")
    seen = [printed for printed in prints if printed.since <= day]
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
    found: list[Happening] = []
    for number in range(round(visits * rhythm(day))):
        second = dice.choices(range(24), _HOURS)[0] * 3600 + dice.random() * 3600
        visitor, is_new = _visitor(dice, day, visits)
        entry = _entry(dice, seen)
        opening = Happening(
            f"{salt}-{day:%y%m%d}-{number}", f"{salt}-{visitor}", int((midnight + second) * 1000), None, *entry, number
        )
        found.append(opening)
        found.extend(_customs(dice, opening, is_new))
    return sorted(found, key=lambda happening: happening.time_ms)


def _visitor(dice: random.Random, day: dt.date, visits: float) -> tuple[str, bool]:
    if dice.random() < _NEW_PART:
        return f"{day:%y%m%d}-{dice.randrange(_fresh(day, visits))}", True
    earlier = day - dt.timedelta(days=min(1 + int(dice.expovariate(1 / 6)), _LOOK_BACK_DAYS))
    return f"{earlier:%y%m%d}-{dice.randrange(_fresh(earlier, visits))}", False


def _fresh(day: dt.date, visits: float) -> int:
    return max(1, round(visits * rhythm(day) * _NEW_PART))


def _entry(dice: random.Random, seen: Sequence[Printed]) -> tuple[str, str, str]:
    if seen and dice.random() < _PRINT_PART:
        printed = dice.choices(seen, [one.weight for one in seen])[0]
        return printed.path, printed.query, printed.scene
    return "pages/index/index", "", dice.choices(_DIRECT_SCENES, (6, 3, 2, 1))[0]


def _customs(dice: random.Random, opening: Happening, is_new: bool) -> Iterator[Happening]:
    chances = (("register", 0.16 if is_new else 0.01, 120), ("order_paid", 0.11 if is_new else 0.19, 420))
    for name, chance, seconds in chances:
        if dice.random() < chance:
            later = opening.time_ms + 15_000 + int(dice.expovariate(1 / seconds) * 1000)
            yield Happening(
                f"{opening.identity}-{name}", opening.visitor, later, name,
                opening.path, opening.query, opening.scene, opening.visit,
            )  # fmt: skip
