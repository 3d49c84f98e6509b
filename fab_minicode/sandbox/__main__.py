"""``python -m fab_minicode.sandbox``: the local WeChat alone, in the foreground."""

from __future__ import annotations

import argparse
import pathlib
import signal
import sys
from dataclasses import replace

from fab_minicode.sandbox.platform import PlatformApp
from fab_minicode.sandbox.server import Sandbox
from fab_minicode.sandbox.world import SAMPLE_APPS, App


def _app(text: str) -> App:
    appid, _, rest = text.partition(":")
    secret, _, nick_name = rest.partition(":")
    if not appid or not secret:
        raise argparse.ArgumentTypeError("APPID:SECRET[:NICK_NAME] is wanted")
    return App(appid, secret, nick_name)


def _platform(text: str) -> PlatformApp:
    parts = text.split(":")
    if len(parts) != 4 or len(parts[3]) != 43:
        raise argparse.ArgumentTypeError("APPID:SECRET:TOKEN:AESKEY is wanted, the last one of 43 characters")
    return PlatformApp(parts[0], parts[1], (parts[2],), (parts[3],))


def main(arguments: list[str] | None = None) -> None:
    """Read the command line and serve until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="python -m fab_minicode.sandbox", description="A local WeChat.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090, help="0 takes a free one; default %(default)s")
    parser.add_argument("--state", type=pathlib.Path, metavar="FILE", help="keeps quotas and tokens over a restart")
    parser.add_argument("--app", type=_app, action="append", metavar="APPID:SECRET[:NICK_NAME]", help="repeatable")
    parser.add_argument(
        "--platform", type=_platform, metavar="APPID:SECRET:TOKEN:AESKEY", help="a third-party platform"
    )
    parser.add_argument("--events", default="", metavar="URL", help="where the platform's pushes go")
    given = parser.parse_args(arguments)
    platform = replace(given.platform, events_url=given.events) if given.platform else None
    apps = tuple(given.app or SAMPLE_APPS)
    sandbox = Sandbox(apps, host=given.host, port=given.port, state=given.state, platform=platform)
    if given.events and platform:
        sandbox.push_tickets()
    out = sys.stdout
    out.write(f"WeChat sandbox on {sandbox.url}  (FAB_MINICODE_WECHAT_API_URL)\n")
    for app in sandbox.world.apps.values():
        out.write(f"  {app.appid}  {app.secret}  {app.nick_name}\n")
    out.flush()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sandbox.serve()
    except KeyboardInterrupt:
        out.write("stopped\n")


if __name__ == "__main__":
    main()
