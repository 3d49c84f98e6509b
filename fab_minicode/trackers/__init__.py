"""
The ear: a tracker's HTTP request in, events out. Pure; knows neither Flask nor the database.

To add a protocol, add a module with a ``parse`` and one element to :data:`TRACKERS`.
"""

from fab_minicode.trackers import growingio, native, sensors
from fab_minicode.trackers.events import HEADERS, Entry, Event, Parsed, Rejection, Tracker, TrackerRequest

GROWINGIO = Tracker("growingio", growingio.parse, 200)
SENSORS = Tracker("sensors", sensors.parse, 200)
NATIVE = Tracker("native", native.parse, 202)

TRACKERS: tuple[Tracker, ...] = (GROWINGIO, SENSORS, NATIVE)

__all__ = [
    "GROWINGIO",
    "HEADERS",
    "NATIVE",
    "SENSORS",
    "TRACKERS",
    "Entry",
    "Event",
    "Parsed",
    "Rejection",
    "Tracker",
    "TrackerRequest",
]
