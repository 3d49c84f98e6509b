"""
Events that wait for the roll-up stand in a table of their own; each day's facts have a version; visitors stand in the
order of their numbers; saved questions keep the order of their table.

Revision: 0004, after 0003. Before, an event's ``state`` said 0 while it waited and 1 when it was counted.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_RANDOM = {"sqlite": "abs(random() % 4611686018427387904)", "postgresql": "floor(random() * 9007199254740992)::bigint"}


def upgrade() -> None:
    _let_nobody_write("minicode_events, minicode_visitors")
    _visitors_by_number()
    op.add_column("minicode_questions", sa.Column("sort", sa.String(length=128), nullable=True))
    op.create_table(
        "minicode_pending",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_minicode_pending")),
        sqlite_with_rowid=False,
    )
    # The index of events of state 0 stays: processes that were not restarted yet go on writing them, and the roll-up
    # adopts them (acquisition.pending).
    op.execute(
        "INSERT INTO minicode_pending (key, authorizer_id)"
        " SELECT key, authorizer_id FROM minicode_events WHERE state = 0 ORDER BY key"
    )
    op.execute("UPDATE minicode_events SET state = 1 WHERE state = 0")
    op.create_table(
        "minicode_fact_days",
        sa.Column("authorizer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("authorizer_id", "day", name=op.f("pk_minicode_fact_days")),
        sqlite_with_rowid=False,
    )
    days = " UNION ".join(
        f"SELECT s.authorizer_id, f.day FROM {table} AS f JOIN minicode_series AS s ON s.id = f.series_id"  # noqa: S608
        for table in ("minicode_facts", "minicode_fact_pages")
    )
    version = _RANDOM.get(op.get_bind().dialect.name, "0")
    columns = "authorizer_id, day, version"
    seeded = f"SELECT authorizer_id, day, {version} FROM ({days}) AS known"  # noqa: S608
    op.execute(f"INSERT INTO minicode_fact_days ({columns}) {seeded}")


def downgrade() -> None:
    _let_nobody_write("minicode_events, minicode_pending, minicode_visitors")
    _visitors_by_pseudonym()
    op.drop_column("minicode_questions", "sort")
    op.drop_table("minicode_fact_days")
    op.execute("UPDATE minicode_events SET state = 0 WHERE key IN (SELECT key FROM minicode_pending)")
    op.drop_table("minicode_pending")


def _visitors_by_number() -> None:
    if op.get_bind().dialect.name == "postgresql":
        _drop_keys("pk_minicode_visitors", "uq_minicode_visitors_id")
        op.alter_column("minicode_visitors", "id", type_=sa.Integer())
        op.create_primary_key("pk_minicode_visitors", "minicode_visitors", ["id"])
    else:
        op.rename_table("minicode_visitors", "minicode_visitors_before")
        op.create_table(
            "minicode_visitors",
            sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
            *_visitor_columns(),
            sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_visitors")),
        )
        _move_visitors("id")
    op.create_index("ix_minicode_visitors_head", "minicode_visitors", ["head"], unique=False)


def _visitors_by_pseudonym() -> None:
    op.drop_index("ix_minicode_visitors_head", table_name="minicode_visitors")
    pseudonym = ["authorizer_id", "head", "tail"]
    if op.get_bind().dialect.name == "postgresql":
        _drop_keys("pk_minicode_visitors")
        op.alter_column("minicode_visitors", "id", type_=sa.BigInteger())
        op.create_primary_key("pk_minicode_visitors", "minicode_visitors", pseudonym)
        op.create_unique_constraint("uq_minicode_visitors_id", "minicode_visitors", ["id"])
        return
    op.rename_table("minicode_visitors", "minicode_visitors_before")
    op.create_table(
        "minicode_visitors",
        *_visitor_columns(),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(*pseudonym, name=op.f("pk_minicode_visitors")),
        sa.UniqueConstraint("id", name="uq_minicode_visitors_id"),
        sqlite_with_rowid=False,
    )
    _move_visitors(", ".join(pseudonym))


def _visitor_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("authorizer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("head", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tail", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=True),
        sa.Column("first_context_id", sa.Integer(), nullable=True),
    ]


def _move_visitors(order: str) -> None:
    columns = "id, authorizer_id, head, tail, first_ms, first_context_id"
    rows = f"SELECT {columns} FROM minicode_visitors_before ORDER BY {order}"  # noqa: S608
    op.execute(f"INSERT INTO minicode_visitors ({columns}) {rows}")
    op.drop_table("minicode_visitors_before")


def _drop_keys(*names: str) -> None:
    for name in names:
        op.drop_constraint(name, "minicode_visitors")


def _let_nobody_write(tables: str) -> None:
    """Wait for who is at work: an event that is counted or accepted meanwhile would be queued twice, or not at all."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
