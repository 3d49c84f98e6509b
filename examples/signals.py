"""
Listen: print when a code is created and when it is visited for the first time.

Run: ``flask --app examples/signals.py minicode upgrade``, ``flask --app examples/signals.py fab create-admin``, then
``flask --app examples/signals.py run``. First visits are told by the process that counts: here a thread of the web
process; a host with ``FAB_MINICODE_ROLLUP = "external"`` connects its receivers in ``flask minicode rollup`` as well,
which loads the same application.
"""

from __future__ import annotations

from typing import Any

from flask import Flask
from plain_host import make_app

from fab_minicode.signals import code_created, first_visit_of_code

HEARD: list[str] = []


@code_created.connect
def created(appid: str, *, code_id: int, name: str, actor: str, **_: Any) -> None:
    """Hear of a new code. The act is committed; a slow receiver keeps the person waiting."""
    tell(f"{actor} made code {code_id} ({name}) of {appid}")


@first_visit_of_code.connect
def first_visited(appid: str, *, code_id: int, name: str, at: Any, **_: Any) -> None:
    """Hear of a code's first visit, once."""
    tell(f"code {code_id} ({name}) of {appid} was first visited at {at:%Y-%m-%d %H:%M} UTC")


def tell(text: str) -> None:
    """Print, and keep what was printed."""
    HEARD.append(text)
    print(text)


def create_app(**config: Any) -> Flask:
    """Return the host."""
    return make_app(**config)
