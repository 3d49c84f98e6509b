"""The recordings of tests/trackers/ as requests, and what they must come to."""

from __future__ import annotations

import json
import pathlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from fab_minicode.trackers import GROWINGIO, SENSORS, Tracker, TrackerRequest

FOLDER = pathlib.Path(__file__).parent / "trackers"
FILES: tuple[tuple[str, Tracker], ...] = (
    ("growingio-4.6.0", GROWINGIO),
    ("growingio-4.6.0-compressed", GROWINGIO),
    ("sensors-1.22.7", SENSORS),
    ("sensors-1.22.7-batch", SENSORS),
)


@dataclass(frozen=True)
class Visit:
    """What one launch must come to; ``custom`` is the event that follows it."""

    session: str
    landing_page: str
    scene: str
    utm: tuple[str, ...] = ("", "", "", "", "")
    short_key: str | None = None
    custom: str | None = None


def visits(tracker: Tracker) -> tuple[Visit, ...]:
    """Return the launches of a recording; source, campaign, medium, content, term."""
    # GrowingIO sends the query as WeChat gave it, so "&" inside a value ends it; Sensors reads the values itself.
    partner = "partner|mini & co" if tracker is SENSORS else "partner|mini"
    return (
        Visit("0/0", "pages/promo/index", "1047", ("poster", "spring", "offline", "a", "metro"), custom="order_paid"),
        Visit("0/1", "pages/index/index", "1001", custom="order_paid"),
        Visit("1/0", "pages/promo/index", "1048", ("KOL35", "918campaign", "qrcode", "1000红包", "红包折扣")),
        Visit("1/1", "pages/index/index", "1001"),
        Visit("2/0", "pages/list/list", "1011", ("mp_article", "spring", "", "", ""), custom="order_paid"),
        Visit("3/0", "pages/index/index", "1001"),
        Visit("4/0", "pages/promo/index", "1047", short_key="8F3kQ2", custom="order_paid"),
        Visit("5/0", "pages/promo/index", "1011", ("leaflet", "spring", "", "", "")),
        Visit(
            "6/0", "pages/goods/detail", "1037", (partner, "50% off + more", "cross=app", "", ""), None, "order_paid"
        ),
    )


def lines(name: str) -> list[dict[str, Any]]:
    """Return the recorded requests of a file. Packed bodies hold what ``splitlines`` takes for ends of lines."""
    return [json.loads(line) for line in (FOLDER / f"{name}.jsonl").read_text("utf-8").split("\n") if line]


def request_of(line: dict[str, Any], max_bytes: int = 256 * 1024) -> TrackerRequest:
    """Return a recorded request as parsers get it."""
    query, body = urlsplit(line["target"]).query, (line["body"] or "").encode("utf-8")
    return TrackerRequest(line["method"], query, line["headers"], body, max_bytes)
