"""
The third-party platform

Revision: 0002, after 0001.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("minicode_authorizers", sa.Column("authorized_at", sa.DateTime(), nullable=True))
    op.create_table(
        "minicode_component",
        sa.Column("appid", sa.String(length=64), nullable=False),
        sa.Column("sealed_ticket", sa.Text(), nullable=True),
        sa.Column("ticket_at", sa.DateTime(), nullable=True),
        sa.Column("received_at", sa.DateTime(), nullable=True),
        sa.Column("asked_at", sa.DateTime(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint("appid", name=op.f("pk_minicode_component")),
    )
    op.create_table(
        "minicode_pushes",
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name=op.f("pk_minicode_pushes")),
    )
    op.create_index("ix_minicode_pushes_received_at", "minicode_pushes", ["received_at"], unique=False)
    op.create_table(
        "minicode_refusals",
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("last_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("reason", name=op.f("pk_minicode_refusals")),
    )
    op.create_table(
        "minicode_auth_codes",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("sealed_code", sa.Text(), nullable=True),
        sa.Column("sealed_grant", sa.Text(), nullable=True),
        sa.Column("appid", sa.String(length=64), nullable=True),
        sa.Column("pre_auth_digest", sa.String(length=64), nullable=True),
        sa.Column("event_at", sa.DateTime(), nullable=True),
        sa.Column("received_at", sa.DateTime(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=True),
        sa.Column("claimed_until", sa.DateTime(), nullable=True),
        sa.Column("next_at", sa.DateTime(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_minicode_auth_codes")),
    )
    op.create_index("ix_minicode_auth_codes_appid", "minicode_auth_codes", ["appid"], unique=False)
    op.create_index("ix_minicode_auth_codes_state", "minicode_auth_codes", ["state"], unique=False)
    op.create_table(
        "minicode_invitations",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("session_digest", sa.String(length=64), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("appid", sa.String(length=64), nullable=True),
        sa.Column("pre_auth_digest", sa.String(length=64), nullable=True),
        sa.Column("kept", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("expires_at", sa.DateTime(), nullable=False),
        sa.Column("used_at", sa.DateTime(), nullable=True),
        sa.Column("code_digest", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_minicode_invitations")),
    )
    op.create_index("ix_minicode_invitations_expires_at", "minicode_invitations", ["expires_at"], unique=False)
    op.create_index(
        "ix_minicode_invitations_pre_auth_digest", "minicode_invitations", ["pre_auth_digest"], unique=False
    )
    op.create_table(
        "minicode_retired_keys",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizer_id"],
            ["minicode_authorizers.id"],
            name=op.f("fk_minicode_retired_keys_authorizer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_minicode_retired_keys")),
    )
    op.create_index("ix_minicode_retired_keys_authorizer_id", "minicode_retired_keys", ["authorizer_id"], unique=False)


def downgrade() -> None:
    for table in ("retired_keys", "invitations", "auth_codes", "refusals", "pushes", "component"):
        op.drop_table(f"minicode_{table}")
    op.drop_column("minicode_authorizers", "authorized_at")
