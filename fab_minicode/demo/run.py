"""
Starts the demo: the local WeChat, the host, the seed; prints where to go; stops on Ctrl-C.

From the environment: ``PORT`` (8080), ``DEMO_DIR`` (``.demo``), ``DEMO_VISITS`` (openings on an ordinary day, 500).
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import pathlib
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.engine import Engine

from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.demo import seed
from fab_minicode.demo.deliver import posts, printed, send
from fab_minicode.demo.host import engine_of, keys_of, make_app
from fab_minicode.demo.keep import keep_questions
from fab_minicode.demo.serve import HOST, Serving
from fab_minicode.demo.story import CINEMA, MINI_PROGRAMS
from fab_minicode.migrations import upgrade
from fab_minicode.models import Pending
from fab_minicode.runtime import EXTENSION, Runtime
from fab_minicode.sandbox import App, PlatformApp, Sandbox

DAYS = 44
"""How far back the story begins; below the host's limit of 60 days for late events."""


@dataclass(frozen=True)
class Wanted:
    """What the environment asks for. ``visits``: openings of all mini programs together on an ordinary day."""

    folder: pathlib.Path
    port: int
    visits: float

    @property
    def address(self) -> str:
        """Where the host answers."""
        return f"http://{HOST}:{self.port}"

    @property
    def sent(self) -> pathlib.Path:
        """The file that says until when traffic was sent; it is there once the seed is complete."""
        return self.folder / "sent.json"


def wanted(environment: Mapping[str, str]) -> Wanted:
    """Read the environment. Raises SystemExit with a sentence for people."""
    try:
        port, visits = int(environment.get("PORT") or 8080), float(environment.get("DEMO_VISITS") or 500)
    except ValueError as error:
        raise SystemExit(f"PORT and DEMO_VISITS must be numbers: {error}") from None
    if not (1 <= port <= 65535 and 1 <= visits <= 100_000):
        raise SystemExit("PORT must be between 1 and 65535, DEMO_VISITS between 1 and 100000")
    return Wanted(pathlib.Path(environment.get("DEMO_DIR") or ".demo"), port, visits)


def main() -> None:
    """Run until Ctrl-C."""
    asked = wanted(os.environ)
    _refuse_taken(asked.port)
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: _stop(stopped))
    started = time.monotonic()
    try:
        _run(asked, stopped, started)
    except KeyboardInterrupt:
        print("Stopped.")
        sys.exit(0)


def _stop(stopped: threading.Event) -> None:
    stopped.set()
    raise KeyboardInterrupt


def _run(asked: Wanted, stopped: threading.Event, started: float) -> None:
    # It warns of a login without a page to return to, and of a second without users: true, and only puzzling here.
    logging.getLogger("flask_appbuilder").setLevel(logging.ERROR)
    asked.folder.mkdir(parents=True, exist_ok=True)
    if not asked.sent.is_file():
        _forget(asked.folder)
    apps = tuple(App(program.appid, program.secret, program.nick_name) for program in MINI_PROGRAMS)
    with Sandbox(apps, state=asked.folder / "wechat.json", platform=_platform(asked)) as wechat:
        app = make_app(asked.folder, wechat_url=wechat.url, public_url=asked.address)
        # The seed goes through the real doors, but nobody finds a half-filled demo at its address.
        with Serving(app, 0) as loading:
            _fill(app, wechat, asked, loading.address)
        with Serving(app, asked.port):
            wechat.push_tickets()
            print(_welcome(asked, time.monotonic() - started), flush=True)
            while not stopped.wait(3600):
                pass


def _platform(asked: Wanted) -> PlatformApp:
    """The third-party platform as WeChat knows it: what the host shares with it, and where it pushes."""
    keys = keys_of(asked.folder)
    known = {name: keys[f"FAB_MINICODE_COMPONENT_{name}"] for name in ("APPID", "APPSECRET", "TOKEN")}
    return PlatformApp(
        known["APPID"],
        known["APPSECRET"],
        tuple(known["TOKEN"]),
        tuple(keys["FAB_MINICODE_COMPONENT_ENCODING_AES_KEYS"]),
        events_url=f"{asked.address}/minicode/wechat/events",
        entry_hosts=tuple(f"{name}:{asked.port}" for name in (HOST, "localhost")),
    )


def _fill(app: Flask, wechat: Sandbox, asked: Wanted, address: str) -> None:
    """Seed once; send what happened since to the collector at ``address``."""
    engine, now = engine_of(app), dt.datetime.now(dt.timezone.utc)
    runtime: Runtime = app.extensions[EXTENSION]
    with app.app_context():
        upgrade(engine)
        people = seed.add_people(app.extensions["appbuilder"].sm, runtime.settings.menu_category)
    if asked.sent.is_file():
        since = dt.datetime.fromisoformat(json.loads(asked.sent.read_text(encoding="utf-8"))["until"])
        since = max(since, now - dt.timedelta(days=DAYS))
    else:
        since = now - dt.timedelta(days=DAYS)
        print("Making mini programs and codes ...", flush=True)
        _make(engine, runtime, wechat, people, since=since, now=now)
        print(f"Sending {DAYS} days of visits to the collector ...", flush=True)
    _send(engine, runtime, asked, address=address, since=since, now=now)
    asked.sent.write_text(json.dumps({"until": now.isoformat()}), encoding="utf-8")


def _make(
    engine: Engine,
    runtime: Runtime,
    wechat: Sandbox,
    people: dict[str, Any],
    *,
    since: dt.datetime,
    now: dt.datetime,
) -> None:
    seed.connect_mini_programs(engine, runtime, actor=people["manager"], now=since)
    seed.print_codes(engine, runtime, people, first=since, last=now - dt.timedelta(days=1))
    keep_questions(engine, actor=people["manager"], now=now - dt.timedelta(days=3))
    # Its owner reset the AppSecret at WeChat.
    wechat.world.put_app(replace(wechat.world.app(CINEMA.appid), secret="0" * 32))
    seed.lose_authorization(engine, runtime, now=now)


def _send(
    engine: Engine, runtime: Runtime, asked: Wanted, *, address: str, since: dt.datetime, now: dt.datetime
) -> None:
    zone = runtime.settings.zone
    for appid, key in seed.collect_keys(engine).items():
        prints = [printed(row, code, zone) for row, code in seed.prints_of(engine, appid)]
        requests = posts(appid, prints, since=since, until=now, visits=asked.visits, zone=zone, key=key)
        send(address, requests)
    # The web process counts on its own; this only waits, and helps where it has not begun.
    while _pending(engine):
        roll_up_all(engine, settings=runtime.settings, now=dt.datetime.now(dt.timezone.utc))
        time.sleep(0.1)


def _pending(engine: Engine) -> int:
    with engine.connect() as connection:
        count: int = connection.execute(select(func.count()).select_from(Pending)).scalar_one()
        return count


def _forget(folder: pathlib.Path) -> None:
    """Remove what a seed left that was stopped half-way."""
    for path in (*folder.glob("demo.db*"), *folder.glob("wechat.json*")):
        path.unlink()


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise SystemExit(
                f"port {port} cannot be used ({error.strerror}); choose another: PORT=8090 make demo"
            ) from None


def _welcome(asked: Wanted, seconds: float) -> str:
    people = ", ".join(f"{name}/{name}" for name, *_ in seed.USERS)
    lines = (
        f"{asked.address}   (ready after {seconds:.0f} s)",
        f"Users: {people}",
        f"Data: {asked.folder}/   Stop: Ctrl-C",
    )
    return "\n" + "".join(f"  {line}\n" for line in lines)
