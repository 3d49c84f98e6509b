"""
Sends the demo's traffic to the collector over HTTP, as phones would, day after day.
"""

from __future__ import annotations

import datetime as dt
import http.client
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from fab_minicode.demo.payloads import MOST_EVENTS, Post, growingio, native, sensors
from fab_minicode.demo.story import BOOKS, COFFEE, MINI_PROGRAMS, Print
from fab_minicode.demo.traffic import Happening, Printed, happenings
from fab_minicode.models import Code
from fab_minicode.utm import escape

# Which tracker the phones of a mini program have; every phone keeps to one.
TRACKERS: dict[str, tuple[Callable[..., Post], ...]] = {COFFEE.appid: (growingio,), BOOKS.appid: (sensors, native)}
_SCAN_SCENES = {"wxacode": "1047", "wxacode_unlimited": "1047", "wxaqrcode": "1011"}


def printed(row: Print, code: Code, zone: ZoneInfo) -> Printed:
    """Return what a scan of a code opens, as WeChat hands it to the mini program."""
    path, _, query = (code.path or code.page).partition("?")
    if code.scene:
        query = f"scene={escape(code.scene)}"
    return Printed(path, query, _SCAN_SCENES[code.kind], row.weight, code.created_at.astimezone(zone).date())


def posts(
    appid: str,
    prints: Sequence[Printed],
    *,
    since: dt.datetime,
    until: dt.datetime,
    visits: float,
    zone: ZoneInfo,
    key: str,
) -> Iterator[Post]:
    """
    Yield the requests of a mini program's phones for everything after ``since`` up to ``until``, in the order of time.

    Args:
        appid: One of the story's.
        prints: Its codes on paper.
        since: Aware; what was sent before.
        until: Aware; nothing happens later.
        visits: Openings of all mini programs together on an ordinary day.
        zone: Of the calendar days.
        key: The mini program's collect key.
    """
    share = next(program.share for program in MINI_PROGRAMS if program.appid == appid)
    first, last = since.timestamp() * 1000, until.timestamp() * 1000
    day = since.astimezone(zone).date() - dt.timedelta(days=1)
    while day <= until.astimezone(zone).date():
        found = happenings(day, prints, visits=visits * share, zone=zone, salt=appid)
        yield from _requests(appid, [one for one in found if first < one.time_ms <= last], key)
        day += dt.timedelta(days=1)


def _requests(appid: str, found: Sequence[Happening], key: str) -> Iterator[Post]:
    choices = TRACKERS[appid]

    def phone(happening: Happening) -> int:
        return zlib.crc32(happening.visitor.encode()) % len(choices)

    for choice, theirs in groupby(sorted(found, key=phone), phone):
        mine = list(theirs)
        for start in range(0, len(mine), MOST_EVENTS):
            yield choices[choice](mine[start : start + MOST_EVENTS], appid=appid, key=key)


def send(address: str, requests: Iterator[Post]) -> int:
    """
    Post requests one after the other to the host at ``address``; return how many.

    Raises:
        ConnectionError: If one is not accepted; the answer's text says why.
    """
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    count = 0
    for request in requests:
        connection.request("POST", request.target, request.body, request.headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status not in (200, 202, 204):
            raise ConnectionError(f"{request.target}: {answer.status} {text[:300]!r}")
        count += 1
    connection.close()
    return count
