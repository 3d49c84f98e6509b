"""
The three attributions side by side: the same groups counted by last touch, by this visit's own and by first touch.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy.engine import Connection

from fab_minicode.acquisition.answer import Answer, Counted, Freshness
from fab_minicode.acquisition.asked import Asked
from fab_minicode.acquisition.freshness import freshness
from fab_minicode.acquisition.metrics import ATTRIBUTIONS
from fab_minicode.acquisition.query import authorizer_id
from fab_minicode.acquisition.question import Question
from fab_minicode.acquisition.windows import Window
from fab_minicode.settings import Settings


@dataclass(frozen=True)
class SideBySide:
    """
    Groups by attribution.

    Attributes:
        question: What was asked, without granularity, comparison and attribution.
        timezone: Where a day is a calendar day.
        window: Its days.
        rows: The keys of a row's dimensions, and for each attribution its numbers.
        totals: Attribution -> exact numbers of everything that passes.
        others: Attribution -> the same of the groups that the limit left out.
        freshness: Until when events are counted.
        segments: Names of saved segments: ``segment:<id>`` -> name.
    """

    question: Question
    timezone: str
    window: Window
    rows: Sequence[Mapping[str, Any]]
    totals: Mapping[str, Any]
    others: Mapping[str, Any]
    freshness: Freshness
    segments: Mapping[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return the form of docs/api.md; numbers are by segment where several were asked for."""
        counted = Counted(self.window, self.rows, self.totals, self.others)
        found = Answer(self.question, self.timezone, counted, None, self.freshness, self.segments).as_json()
        del found["previous"]
        sentences = {f"attribution {name}": sentence for name, sentence in ATTRIBUTIONS.items()}
        found["definitions"] = {k: v for k, v in found["definitions"].items() if k != "attribution"} | sentences
        return found | {"attributions": list(ATTRIBUTIONS)}


def side_by_side(connection: Connection, question: Question, *, settings: Settings, now: dt.datetime) -> SideBySide:
    """
    Count the groups that are highest by last touch, by each attribution.

    Args:
        connection: To read from; nothing is written.
        question: Its granularity, comparison and attribution are left aside.
        settings: For the time zone.
        now: Aware UTC; decides what "today" is.

    Raises:
        Missing: If there is no such mini program.
        InvalidInput: If a saved segment is not there.
    """
    window = question.period.resolve(now, settings.zone)
    number = authorizer_id(connection, question.appid)
    plain = replace(question, granularity="total", compare=None)
    asked = {
        name: Asked(connection, number, replace(plain, attribution=name), settings=settings, now=now)
        for name in ATTRIBUTIONS
    }
    readings = {name: one.read(window) for name, one in asked.items()}
    last = asked["last"]
    groups = last.highest(readings["last"])
    names = last.names(groups)
    rows = [
        last.keys(group, names)
        | {name: asked[name].numbers(reading, reading.group(group)) for name, reading in readings.items()}
        for group in groups
    ]
    shown = set(groups)
    totals, others = (
        {name: asked[name].numbers(reading, reading.all_but(but)) for name, reading in readings.items()}
        for but in ((), shown)
    )
    fresh = freshness(connection, number)
    return SideBySide(plain, settings.timezone, window, rows, totals, others, fresh, last.segment_names)
