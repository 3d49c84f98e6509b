"""
The sandbox's state: mini programs, their counters and tokens, the clock, what was asked. No HTTP here.

All of it stands behind one lock. With a state file, every change is written, so that a demo that is started again
finds its quotas and tokens as they were.
"""

from __future__ import annotations

import json
import os
import pathlib
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any

from fab_minicode.sandbox.answers import Asked, Refusal
from fab_minicode.sandbox.clocks import Clocks, Issued
from fab_minicode.sandbox.platform import Platform, PlatformApp, unauthorize

CODES_SET = 17
"""The permission set that making codes needs."""

_ASKED_KEPT = 1000


@dataclass
class App:
    """
    One mini program as WeChat knows it.

    Attributes:
        pages: Pages of the published version; None: every page exists.
        ac_used: Codes made over interfaces A and C, for life; never above ``ac_limit``.
        daily_limits: Calls per endpoint and day, ``minute_limits`` per minute; endpoints not named have no limit.
        refuses_with: Every call for this mini program is refused with this errcode (50002 frozen, 40164 address ...).
        is_official_account: No mini program at all; a third-party platform must refuse it.
    """

    appid: str
    secret: str
    nick_name: str = ""
    pages: tuple[str, ...] | None = None
    ac_used: int = 0
    ac_limit: int = 100_000
    daily_limits: tuple[tuple[str, int], ...] = (("/wxa/getwxacode", 10_000),)
    minute_limits: tuple[tuple[str, int], ...] = (("/wxa/getwxacodeunlimit", 5_000), ("/cgi-bin/stable_token", 10_000))
    refuses_with: int | None = None
    principal_name: str = "Titmouse Trading Ltd"
    is_official_account: bool = False


SAMPLE_APPS: tuple[App, ...] = (
    App("wx5a1c0ffee0000001", "5ec2e7000000000000000000000000a1", "山间咖啡"),
    App("wx5a1c0ffee0000002", "5ec2e7000000000000000000000000a2", "城市书房"),
    App("wx5a1c0ffee0000003", "5ec2e7000000000000000000000000a3", "周末市集"),
)
"""What the sandbox knows when nobody names other mini programs."""


class Clock:
    """The sandbox's time in Unix seconds: a source, moved on by tests."""

    def __init__(self, source: Callable[[], float] = time.time) -> None:
        self._source, self._ahead_seconds = source, 0.0

    def now(self) -> float:
        """Return the present instant."""
        return self._source() + self._ahead_seconds

    def advance(self, seconds: float) -> None:
        """Move the clock on; tokens grow old, counters of a minute or a day begin anew."""
        self._ahead_seconds += seconds


class World:
    """Everything the sandbox remembers."""

    def __init__(
        self,
        apps: tuple[App, ...] = SAMPLE_APPS,
        *,
        clock: Clock | None = None,
        state: pathlib.Path | None = None,
        platform: PlatformApp | None = None,
    ) -> None:
        self.clock = clock or Clock()
        self.url = ""
        self.platform = Platform(platform, self.clock.now) if platform is not None else None
        self.lock = threading.RLock()
        self.stopping = threading.Event()
        self.apps = {app.appid: replace(app) for app in apps}
        self.clocks = Clocks()
        self.calls: Counter[tuple[str, str]] = Counter()
        self.asked: deque[Asked] = deque(maxlen=_ASKED_KEPT)
        self._spent: Counter[tuple[str, str, str, int]] = Counter()
        self._state = state
        if state is not None and state.exists():
            self._load(json.loads(state.read_text("utf-8")))

    def app(self, appid: str) -> App:
        """Return a mini program. Raises Refusal 40013, or the one that ``refuses_with`` names."""
        found = self.apps.get(appid)
        if found is None:
            raise Refusal(40013)
        if found.refuses_with is not None:
            raise Refusal(found.refuses_with)
        return found

    def put_app(self, app: App) -> None:
        """Add or replace a mini program."""
        with self.lock:
            self.apps[app.appid] = replace(app)
            self.save()

    def app_of_token(self, token: str) -> App:
        """Return the mini program a token acts for. Raises Refusal 41001, 40014, 40001, 42001, 61003 or 61007."""
        app = self.app(self.clocks.owner(token, now=self.clock.now()))
        if self.clocks.issued[token].is_granted:
            granted = self.platform.granted.get(app.appid) if self.platform else None
            if granted is None:
                raise Refusal(61003)
            if CODES_SET not in granted.sets:
                raise Refusal(61007)
        return app

    def authorize(self, appid: str, sets: tuple[int, ...]) -> str:
        """Let an administrator authorise the platform; return the authorisation code. Earlier tokens are dead."""
        if self.platform is None:
            raise Refusal(61011)
        with self.lock:
            self.clocks.end_granted(appid)
            code = self.platform.authorize(appid, sets)
            self.save()
        return code

    def unauthorize(self, appid: str) -> int:
        """Let an administrator end it and push that; return the HTTP status of the push."""
        if self.platform is None:
            raise Refusal(61011)
        with self.lock:
            self.clocks.end_granted(appid)
            self.platform.granted.pop(appid, None)
            self.save()
        return unauthorize(self.platform, appid)

    def note(self, asked: Asked) -> None:
        """Count a call, whatever comes of it."""
        with self.lock:
            self.calls[asked.endpoint, asked.appid] += 1
            self.asked.append(asked)

    def spend(self, app: App, endpoint: str) -> None:
        """Count a call against the day's and the minute's limit. Raises Refusal 45009."""
        now = self.clock.now()
        for unit, seconds, limits in (("day", 86_400, app.daily_limits), ("minute", 60, app.minute_limits)):
            key = (app.appid, endpoint, unit, int(now // seconds))
            limit = dict(limits).get(endpoint)
            if limit is not None and self._spent[key] >= limit:
                raise Refusal(45009)
            self._spent[key] += 1

    def spent_today(self, appid: str, endpoint: str) -> int:
        """Return how often an interface was called today."""
        return self._spent[appid, endpoint, "day", int(self.clock.now() // 86_400)]

    def spend_code(self, app: App) -> None:
        """Count a code of interface A or C, for life. Raises Refusal 45029."""
        if app.ac_used >= app.ac_limit:
            raise Refusal(45029)
        app.ac_used += 1
        self.save()

    def save(self) -> None:
        """Write the state file, if there is one, in one step."""
        if self._state is None:
            return
        document: dict[str, Any] = {"apps": [asdict(app) for app in self.apps.values()], "clocks": asdict(self.clocks)}
        if self.platform is not None:
            document["platform"] = self.platform.as_document()
        written = self._state.with_suffix(".new")
        written.write_text(json.dumps(document, ensure_ascii=False), "utf-8")
        os.replace(written, self._state)  # noqa: PTH105 - one step

    def _load(self, document: dict[str, Any]) -> None:
        for row in document["apps"]:
            app = App(**row)
            app.pages = tuple(app.pages) if app.pages is not None else None
            app.daily_limits = tuple((endpoint, limit) for endpoint, limit in app.daily_limits)
            app.minute_limits = tuple((endpoint, limit) for endpoint, limit in app.minute_limits)
            self.apps[app.appid] = app
        kept = document["clocks"]
        issued = {token: Issued(**row) for token, row in kept.pop("issued").items()}
        self.clocks = Clocks(issued, **kept)
        if self.platform is not None and "platform" in document:
            self.platform.load(document["platform"])
