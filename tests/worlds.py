"""Random mini programs and random questions about them, from a seed."""

from __future__ import annotations

import datetime as dt
import json
import random
from collections.abc import Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fab_minicode.acquisition.dimensions import NAMES, OPERATORS
from fab_minicode.models import Alias, Code, SavedSegment
from fab_minicode.settings import Settings, read_settings
from tests import stories
from tests.events import Told
from tests.recount import Print

_BY = {"at": stories.NOW, "by_id": stories.WANG.id, "by": stories.WANG.name}
ZONES = ("Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "UTC")
SOURCES, CAMPAIGNS, MEDIA = ("poster", "flyer & co", "海报"), ("", "autumn", "Autumn", "winter"), ("", "print")
PAGES = (None, "pages/index/index", "pages/offer/1")
SCENES = (None, "1001", "1047", "1011")
EVENTS = ("order_paid", "注册", "visit")
DAY_MS = 86_400_000

_TWIN = ("poster", "autumn", "", "", "")
_CODES = (
    ("A", "wxacode", False, _TWIN),
    ("C", "wxaqrcode", False, _TWIN),
    ("A", "wxacode", True, _TWIN),
    ("Gate", "wxacode_unlimited", False, ("gate", "", "print", "x", "")),
)


def settings_in(zone: str) -> Settings:
    """Settings of a host in a time zone."""
    return read_settings({"FAB_MINICODE_TIMEZONE": zone, "FAB_MINICODE_EVENT_MAX_AGE_DAYS": 60})


def mini_program(engine: Engine, number: int) -> tuple[int, str, list[Print]]:
    """Store a mini program with four codes; two are twins (same page and UTM, other kind), one twin is deleted."""
    appid = f"wx{number:016x}"
    with Session(engine, future=True) as session:
        row = stories.authorizer(appid)
        session.add(row)
        session.flush()
        prints = []
        for place, (name, kind, deleted, utm) in enumerate(_CODES):
            key = f"k{number}x{place}"
            code = Code(
                authorizer_id=row.id, name=name, kind=kind, state="ready", search_text="", page="pages/index/index",
                landing_page="pages/index/index", short_key=key, match_key=f"{utm[0]:x>32}",
                utm_source=utm[0], utm_campaign=utm[1], utm_medium=utm[2], utm_content=utm[3], utm_term=utm[4],
                deleted_at=stories.NOW if deleted else None,
                created_at=stories.NOW, created_by_id="7", created_by="Wang Li",
                changed_at=stories.NOW, changed_by_id="7", changed_by="Wang Li",
            )  # fmt: skip
            session.add(code)
            session.flush()
            prints.append(Print(code.id, name, kind, key, code.match_key, utm, deleted))
        session.commit()
        return row.id, appid, prints


def stream(
    chance: random.Random, codes: list[Print], *, authorizer_id: int, now: dt.datetime, count: int
) -> list[Told]:
    """Events of few visitors over some weeks, some at the same millisecond, not in the order of time."""
    visitors = [f"v{n}" for n in range(chance.choice((3, 12, 40)))]
    days = chance.choice((3, 12, 75))
    told = []
    for number in range(count):
        time_ms = int(now.timestamp() * 1000) - chance.randrange(days * DAY_MS // 1000) * 1000
        if told and chance.random() < 0.1:
            time_ms = chance.choice(told).time_ms
        visitor = chance.choice(visitors)
        if chance.random() < 0.3:
            told.append(Told(visitor, time_ms, chance.choice(EVENTS), number=number, authorizer_id=authorizer_id))
            continue
        told.append(_visit(chance, codes, Told(visitor, time_ms, number=number, authorizer_id=authorizer_id)))
    return told


def _visit(chance: random.Random, codes: list[Print], start: Told) -> Told:
    utm, short_key, match_key = ("",) * 5, None, None
    kind = chance.random()
    if kind < 0.35:
        utm = (chance.choice(SOURCES), chance.choice(CAMPAIGNS), chance.choice(MEDIA), "", chance.choice(("", "tea")))
    elif kind < 0.45:
        twin = codes[0]
        utm, match_key = twin.utm, twin.match_key
    elif kind < 0.55:
        short_key = chance.choice((codes[3].short_key, codes[0].short_key, "nobodys"))
        utm = chance.choice((("",) * 5, ("poster", "winter", "", "", "")))
    page, scene = chance.choice(PAGES), chance.choice(SCENES)
    return Told(
        start.visitor, start.time_ms, None, page, scene, utm, short_key, match_key, start.number, start.authorizer_id
    )


def aliases(engine: Engine, chance: random.Random, authorizer_id: int) -> dict[tuple[str, str], str]:
    """Store some aliases; some targets were never collected themselves. Returns what counts as what."""
    some = {
        ("utm_source", "flyer & co"): chance.choice(("poster", "Leaflets")),
        ("utm_source", "海报"): chance.choice(("poster", "海报 'A'", "Leaflets")),
        ("utm_campaign", "Autumn"): "autumn",
        ("utm_campaign", "winter"): chance.choice(("autumn", "100%_cold")),
        ("utm_medium", "print"): "Print",
        ("utm_term", "never seen"): "tea",
    }
    chosen = dict(chance.sample(sorted(some.items()), chance.randint(0, len(some))))
    by = {f"{what}_{name}": value for what in ("created", "changed") for name, value in _BY.items()}
    with Session(engine, future=True) as session:
        for (dimension, value), target in chosen.items():
            session.add(Alias(authorizer_id=authorizer_id, dimension=dimension, value=value, target=target, **by))
        session.commit()
    return chosen


SEGMENTS: tuple[dict[str, Any], ...] = (
    {"match": "all", "conditions": [{"kind": "did", "event": "order_paid", "at_least": 1}]},
    {"match": "any", "conditions": [{"kind": "touch", "filters": [{"dimension": "utm_source", "op": "set"}]}]},
    {
        "match": "all",
        "conditions": [
            {
                "kind": "first_touch",
                "filters": [{"dimension": "utm_source", "op": "eq", "value": "poster"}],
                "not": True,
            }
        ],
    },
)


def segments(engine: Engine, authorizer_id: int) -> dict[str, dict[str, Any]]:
    """Store some segments; returns what questions call them and their conditions."""
    by = {f"{what}_{name}": value for what in ("created", "changed") for name, value in _BY.items()}
    with Session(engine, future=True) as session:
        rows = [
            SavedSegment(authorizer_id=authorizer_id, name=f"S{place}", conditions=json.dumps(conditions), **by)
            for place, conditions in enumerate(SEGMENTS)
        ]
        session.add_all(rows)
        session.commit()
        return {f"segment:{row.id}": conditions for row, conditions in zip(rows, SEGMENTS, strict=True)}


def question(
    chance: random.Random,
    appid: str,
    codes: list[Print],
    now: dt.datetime,
    zone: ZoneInfo,
    *,
    saved: Sequence[str] = (),
) -> dict[str, Any]:
    """A random question as docs/api.md writes it; ``saved`` are segments it may name."""
    granularity = chance.choice(("total", "total", "day", "week", "month", "hour"))
    metrics: list[Any] = ["users", "new_users", "visits", "visits_per_user"]
    metrics += [{"event": name, "as": measure} for name in EVENTS[:2] for measure in ("users", "times", "conversion")]
    some = (["all"], ["all"], ["new"], ["returning", "all"], ["all", "new", "returning"])
    segments = chance.choice((*some, *([name, "all"] for name in saved)))
    return {
        "appid": appid,
        "metrics": chance.sample(metrics, chance.randint(1, 4)),
        "dimensions": chance.sample(NAMES, chance.choice((0, 1, 1, 2, 3, 5))),
        "filters": [_filter(chance, codes) for _ in range(chance.choice((0, 0, 1, 1, 2)))],
        "segments": segments,
        "window": _window(chance, now.astimezone(zone).date(), granularity),
        "granularity": granularity,
        "attribution": chance.choice(("last", "entry", "first")),
        "compare": chance.choice((None, "previous", "week_earlier")),
        "limit": chance.choice((1, 2, 5, 20)),
    }


def _filter(chance: random.Random, codes: list[Print]) -> dict[str, Any]:
    dimension, op = chance.choice((*NAMES, "utm_source")), chance.choice(OPERATORS)
    if op in ("set", "not_set"):
        return {"dimension": dimension, "op": op}
    values: list[Any] = {
        "utm_source": [*SOURCES, "gate", "nowhere", "Leaflets", "海报 'A'"],
        "utm_campaign": ["autumn", "Autumn", "winter", "100%_cold"],
        "utm_medium": ["print", "%", "Print"],
        "landing_page": ["pages/index/index", "pages/offer/1"],
        "scene": ["1001", "1047", "1011"],
        "code": ["A", "C", "Gate", "nobody", *(code.id for code in codes)],
    }.get(dimension, ["x", "tea", "_"])
    if op in ("in", "not_in"):
        return {"dimension": dimension, "op": op, "value": chance.sample(values, chance.randint(1, len(values)))}
    if op == "contains":
        texts = ["a", "A", "&", "1", "海", "_", "%", "e"]
        return {"dimension": dimension, "op": op, "value": chance.choice(texts)}
    return {"dimension": dimension, "op": op, "value": chance.choice(values)}


def _window(chance: random.Random, today: dt.date, granularity: str) -> Any:
    if granularity == "hour":
        return chance.choice(("today", "yesterday", {"last_days": 2}))
    since = today - dt.timedelta(days=chance.randrange(40))
    until = min(today, since + dt.timedelta(days=chance.choice((0, 3, 10, 35))))
    free = {"since": since.isoformat(), "until": until.isoformat()}
    by_name = chance.choice(("this_week", "last_week", "this_month", "last_month"))
    return chance.choice(("today", {"last_days": 7}, {"last_days": 30}, by_name, by_name, free, free))
