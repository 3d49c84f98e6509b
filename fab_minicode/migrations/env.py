"""Run by Alembic for every command; :mod:`fab_minicode.migrations` hands it a connection."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from fab_minicode.migrations import VERSION_TABLE
from fab_minicode.models import Base, UtcDateTime


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Write our own column types as what they are in the database: an old revision must not need today's code."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


def include_name(name: str | None, kind: str, _: Any) -> bool:
    """Leave the host's tables alone."""
    return kind != "table" or (name or "").startswith("minicode_")


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    include_name=include_name,
    render_item=render_item,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
