"""
Events that wait for the roll-up stand in a table of their own; each day's facts have a version; saved questions keep
the order of their table.

Revision: 0004, after 0003. Before, an event's ``state`` said 0 while it waited and 1 when it was counted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_RANDOM = {"sqlite": "abs(random() % 4611686018427387904)", "postgresql": "floor(random() * 9007199254740992)::bigint"}


def upgrade() -> None:
    _let_nobody_write("minicode_events")
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
    _let_nobody_write("minicode_events, minicode_pending")
    op.drop_column("minicode_questions", "sort")
    op.drop_table("minicode_fact_days")
    op.execute("UPDATE minicode_events SET state = 0 WHERE key IN (SELECT key FROM minicode_pending)")
    op.drop_table("minicode_pending")


def _let_nobody_write(tables: str) -> None:
    """Wait for who is at work: an event that is counted or accepted meanwhile would be queued twice, or not at all."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
