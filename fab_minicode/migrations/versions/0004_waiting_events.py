"""
Events that wait for the roll-up stand in a table of their own; each day's facts have a version.

Revision: 0004, after 0003. Before, an event's ``state`` said 0 while it waited and 1 when it was counted.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 0")


def upgrade() -> None:
    op.create_table(
        "minicode_pending",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_minicode_pending")),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO minicode_pending (key, authorizer_id)"
        " SELECT key, authorizer_id FROM minicode_events WHERE state = 0 ORDER BY key"
    )
    op.execute("UPDATE minicode_events SET state = 1 WHERE state = 0")
    op.drop_index("ix_minicode_events_pending", table_name="minicode_events")
    op.create_table(
        "minicode_fact_days",
        sa.Column("authorizer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("authorizer_id", "day", name=op.f("pk_minicode_fact_days")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("minicode_fact_days")
    op.create_index(
        "ix_minicode_events_pending",
        "minicode_events",
        ["key"],
        unique=False,
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.execute("UPDATE minicode_events SET state = 0 WHERE key IN (SELECT key FROM minicode_pending)")
    op.drop_table("minicode_pending")
