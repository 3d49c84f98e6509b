"""What many tests begin with: people, a mini program that may be acted for, a draft."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import insert, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fab_minicode.actor import Actor
from fab_minicode.draft import Draft, search_text
from fab_minicode.kinds import QUOTA_LIMIT
from fab_minicode.models import Authorizer, Code
from fab_minicode.utm import Utm

NOW = dt.datetime(2026, 11, 22, 4, 0, tzinfo=dt.timezone.utc)
WANG = Actor("7", "Wang Li")
CHEN = Actor("8", "Chen Jun")
APPID = "wx0123456789abcdef"


def authorizer(appid: str = APPID, **changed: Any) -> Authorizer:
    """Return a new row of an authorised mini program, without a usable secret."""
    values = {
        "appid": appid,
        "nick_name": "Tea house",
        "status": "authorized",
        "credential": "secret",
        "sealed_visitor_key": "",
        "collect_key": f"key-{appid}",
        "quota_limit": QUOTA_LIMIT,
        "created_at": NOW,
        "created_by_id": WANG.id,
        "created_by": WANG.name,
        "changed_at": NOW,
        "changed_by_id": WANG.id,
        "changed_by": WANG.name,
    }
    return Authorizer(**(values | changed))


def draft(**changed: Any) -> Draft:
    """Return a draft that passes every check."""
    values: dict[str, Any] = {
        "appid": APPID,
        "name": "Poster at gate 1",
        "kind": "wxacode",
        "landing_page": "pages/index/index?shop=3",
        "utm": Utm("poster", "autumn"),
    }
    return Draft(**(values | changed))


def many_codes(engine: Engine, count: int) -> None:
    """Insert ``count`` ready codes of :data:`APPID` at once, spread over sources, campaigns, kinds and creators."""
    with Session(engine, future=True) as session:
        row = authorizer()
        session.add(row)
        session.commit()
        authorizer_id = row.id
    with engine.begin() as connection:
        for start in range(0, count, 5_000):
            rows = [_code_values(authorizer_id, number) for number in range(start, min(start + 5_000, count))]
            connection.execute(insert(Code), rows)
    if engine.dialect.name == "postgresql":
        # Its autovacuum does so after a while; nobody does it on SQLite.
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))


def _code_values(authorizer_id: int, number: int) -> dict[str, Any]:
    actor = (WANG, CHEN)[number % 2]
    at = NOW + dt.timedelta(seconds=number)
    kind = ("wxacode", "wxaqrcode", "wxacode_unlimited")[number % 3]
    values = {
        "authorizer_id": authorizer_id,
        "name": f"Code {number:06d}",
        "kind": kind,
        "state": "ready",
        "landing_page": "pages/index/index",
        "page": "pages/index/index",
        "short_key": f"{number:08d}",
        "match_key": f"{number:032d}",
        "utm_source": f"source {number % 50}",
        "utm_campaign": f"campaign {number % 200}",
        "options": '{"width": 430}',
        "search_text": search_text(f"Code {number:06d}", actor.name),
    }
    for what in ("created", "changed"):
        values |= {f"{what}_at": at, f"{what}_by_id": actor.id, f"{what}_by": actor.name}
    return values
