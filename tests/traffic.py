"""Visits for tests of numbers and pages: told as rows, accepted like a tracker's, rolled up."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Engine

from fab_minicode.acquisition import accept, rollup
from fab_minicode.settings import Settings
from fab_minicode.trackers import Entry, Event
from fab_minicode.utm import Utm

VISITOR_KEY = b"\x5a" * 32


@dataclass(frozen=True)
class Visit:
    """
    One opening: who, how many days ago (at noon in the settings' zone), and what it carried; with ``event`` instead one
    custom event of this name.
    """

    visitor: str
    days_ago: int
    source: str = ""
    campaign: str = ""
    page: str = "pages/index/index"
    scene: str = "1047"
    key: str | None = None
    event: str | None = None


def bring(engine: Engine, visits: Iterable[Visit], *, authorizer_id: int, settings: Settings, now: dt.datetime) -> None:
    """Store the visits, old ones too, and count them."""
    settings = dataclasses.replace(settings, event_max_age_days=365)
    events = [(index, _event(index, visit, settings.zone, now)) for index, visit in enumerate(visits)]
    with engine.begin() as connection:
        taken = accept.accept(
            connection,
            events,
            authorizer_id=authorizer_id,
            tracker="native",
            visitor_key=VISITOR_KEY,
            now=now,
            settings=settings,
        )

        assert len(events) == taken.accepted, taken
    rollup.roll_up(engine, settings=settings, now=now)


def _event(index: int, visit: Visit, zone: ZoneInfo, now: dt.datetime) -> Event:
    day = now.astimezone(zone).date() - dt.timedelta(days=visit.days_ago)
    # Today's visits are a second old: noon may lie ahead.
    at = dt.datetime.combine(day, dt.time(12), zone) if visit.days_ago else now - dt.timedelta(seconds=1)
    entry = Entry(visit.page, visit.scene, Utm(visit.source, visit.campaign), visit.key, "")
    # A custom event comes after the visit of the same instant.
    time_ms = int(at.timestamp() * 1000) + (60_000 if visit.event and visit.days_ago else 0)
    return Event(f"visit-{index}", visit.visitor, visit.event, time_ms, None if visit.event else entry, False)
