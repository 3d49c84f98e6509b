"""A host with two mini programs whose trackers may send, for tests of the collector."""

from __future__ import annotations

import datetime as dt
import pathlib
from typing import Any

from flask import Flask
from sqlalchemy import select
from sqlalchemy.engine import Engine

from fab_minicode.actor import SYSTEM
from fab_minicode.authorizers import place_of
from fab_minicode.models import Authorizer, Base, StoredEvent
from fab_minicode.vault import Secret, Vault
from tests import hosts

KEY, OTHER_KEY = "collect-key-of-the-shop_0001", "collect-key-of-the-other_002"
VISITOR_KEY, OTHER_VISITOR_KEY = "5a" * 32, "a5" * 32
APPID = "wx0123456789abcdef"


def make(kind: str, folder: pathlib.Path, **config: Any) -> Flask:
    """Return a host on a database of this kind; ``config`` without the prefix ``FAB_MINICODE_``."""
    ours = {f"FAB_MINICODE_{name}": value for name, value in config.items()}
    app = hosts.make_host(hosts.copy_of_template(kind, folder), **ours)
    with hosts.engine_of(app).begin() as connection:
        add_authorizers(connection)
    return app


def make_in_memory(**config: Any) -> Flask:
    """Return the same on a SQLite database in memory: one connection for all."""
    app = hosts.make_host("sqlite://", **{f"FAB_MINICODE_{name}": value for name, value in config.items()})
    Base.metadata.create_all(hosts.engine_of(app))
    with hosts.engine_of(app).begin() as connection:
        add_authorizers(connection)
    return app


def add_authorizers(connection: Any) -> None:
    """Add the two mini programs, ids 1 and 2."""
    rows = [_row(1, APPID, KEY, VISITOR_KEY), _row(2, "wxother", OTHER_KEY, OTHER_VISITOR_KEY)]
    connection.execute(Authorizer.__table__.insert(), rows)


def _row(number: int, appid: str, key: str, visitor_key: str) -> dict[str, Any]:
    sealed = Vault(hosts.SECRET_KEYS).seal(Secret(visitor_key), place_of("sealed_visitor_key", appid))
    then = dt.datetime(2026, 9, 1, tzinfo=dt.timezone.utc)
    by = {"created_by_id": SYSTEM.id, "created_by": SYSTEM.name, "changed_by_id": SYSTEM.id, "changed_by": SYSTEM.name}
    return {
        "id": number,
        "appid": appid,
        "nick_name": appid,
        "principal_name": "",
        "status": "authorized",
        "credential": "secret",
        "sealed_visitor_key": sealed,
        "granted_sets": "",
        "collect_key": key,
        "quota_used": 0,
        "quota_limit": 100_000,
        "created_at": then,
        "changed_at": then,
        **by,
    }


def stored(engine: Engine) -> list[Any]:
    """Return all stored events by key."""
    table = StoredEvent.__table__
    with engine.connect() as connection:
        return list(connection.execute(select(table).order_by(table.c.key)))
