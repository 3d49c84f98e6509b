"""
The first tables

Revision: 0001, after .
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "minicode_attributions",
        sa.Column("authorizer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("visitor_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time_ms", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key_tail", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.Integer(), nullable=False),
        sa.Column("context_id", sa.Integer(), nullable=False),
        sa.Column("route", sa.SmallInteger(), nullable=False),
        sa.Column("entry_context_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint(
            "authorizer_id", "day", "visitor_id", "time_ms", "key_tail", name=op.f("pk_minicode_attributions")
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "minicode_authorizers",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("appid", sa.String(length=32), nullable=False),
        sa.Column("nick_name", sa.String(length=128), nullable=False),
        sa.Column("principal_name", sa.String(length=128), nullable=False),
        sa.Column("head_image", sa.LargeBinary(), nullable=True),
        sa.Column("head_image_mime", sa.String(length=32), nullable=True),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("credential", sa.String(length=16), nullable=False),
        sa.Column("sealed_secret", sa.Text(), nullable=True),
        sa.Column("sealed_visitor_key", sa.Text(), nullable=False),
        sa.Column("granted_sets", sa.String(length=255), nullable=False),
        sa.Column("collect_key", sa.String(length=40), nullable=False),
        sa.Column("quota_used", sa.Integer(), nullable=False),
        sa.Column("quota_limit", sa.Integer(), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("last_error_at", sa.DateTime(), nullable=True),
        sa.Column("last_event_at", sa.DateTime(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by_id", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("changed_by_id", sa.String(length=64), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.CheckConstraint("quota_used >= 0 AND quota_used <= quota_limit", name=op.f("ck_minicode_authorizers_quota")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_authorizers")),
        sa.UniqueConstraint("appid", name=op.f("uq_minicode_authorizers_appid")),
        sa.UniqueConstraint("collect_key", name=op.f("uq_minicode_authorizers_collect_key")),
    )
    op.create_table(
        "minicode_contexts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("fingerprint", sa.BigInteger(), nullable=False),
        sa.Column("utm_source", sa.Integer(), nullable=False),
        sa.Column("utm_campaign", sa.Integer(), nullable=False),
        sa.Column("utm_content", sa.Integer(), nullable=False),
        sa.Column("utm_term", sa.Integer(), nullable=False),
        sa.Column("utm_medium", sa.Integer(), nullable=False),
        sa.Column("code", sa.Integer(), nullable=False),
        sa.Column("landing_page", sa.Integer(), nullable=False),
        sa.Column("scene", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_contexts")),
    )
    with op.batch_alter_table("minicode_contexts", schema=None) as batch_op:
        batch_op.create_index("ix_minicode_contexts_fingerprint", ["authorizer_id", "fingerprint"], unique=False)

    op.create_table(
        "minicode_events",
        sa.Column("key", sa.LargeBinary(length=16), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=True),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("visitor", sa.LargeBinary(length=16), nullable=False),
        sa.Column("entry", sa.Text(), nullable=True),
        sa.Column("state", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_minicode_events")),
        sqlite_with_rowid=False,
    )
    with op.batch_alter_table("minicode_events", schema=None) as batch_op:
        batch_op.create_index(
            "ix_minicode_events_pending",
            ["key"],
            unique=False,
            sqlite_where=sa.text("state = 0"),
            postgresql_where=sa.text("state = 0"),
        )

    op.create_table(
        "minicode_leases",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("until", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_minicode_leases")),
    )
    op.create_table(
        "minicode_series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(length=110), nullable=False),
        sa.Column("route", sa.String(length=8), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_series")),
        sa.UniqueConstraint("authorizer_id", "event", "route", "dimension", name="uq_minicode_series_series"),
    )
    op.create_table(
        "minicode_values",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_values")),
        sa.UniqueConstraint("authorizer_id", "dimension", "value", name="uq_minicode_values_value"),
    )
    op.create_table(
        "minicode_visitors",
        sa.Column("authorizer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("head", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tail", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=True),
        sa.Column("first_context_id", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("authorizer_id", "head", "tail", name=op.f("pk_minicode_visitors")),
        sa.UniqueConstraint("id", name="uq_minicode_visitors_id"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "minicode_codes",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=50), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("landing_page", sa.String(length=1024), nullable=False),
        sa.Column("path", sa.String(length=1024), nullable=True),
        sa.Column("path_bytes", sa.Integer(), nullable=True),
        sa.Column("page", sa.String(length=1024), nullable=False),
        sa.Column("scene", sa.String(length=32), nullable=True),
        sa.Column("short_key", sa.String(length=24), nullable=False),
        sa.Column("match_key", sa.String(length=32), nullable=False),
        sa.Column("utm_source", sa.String(length=128), nullable=False),
        sa.Column("utm_campaign", sa.String(length=128), nullable=False),
        sa.Column("utm_medium", sa.String(length=128), nullable=False),
        sa.Column("utm_content", sa.String(length=128), nullable=False),
        sa.Column("utm_term", sa.String(length=128), nullable=False),
        sa.Column("options", sa.Text(), nullable=False),
        sa.Column("remark", sa.String(length=500), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(), nullable=True),
        sa.Column("error_code", sa.Integer(), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("error_rid", sa.String(length=64), nullable=True),
        sa.Column("deleted_at", sa.DateTime(), nullable=True),
        sa.Column("deleted_by_id", sa.String(length=64), nullable=True),
        sa.Column("deleted_by", sa.String(length=128), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by_id", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("changed_by_id", sa.String(length=64), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizer_id"], ["minicode_authorizers.id"], name=op.f("fk_minicode_codes_authorizer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_codes")),
        sa.UniqueConstraint("short_key", name="uq_minicode_codes_short_key"),
    )
    with op.batch_alter_table("minicode_codes", schema=None) as batch_op:
        batch_op.create_index(
            "ix_minicode_codes_live_all_changed",
            ["changed_at", "id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_minicode_codes_live_campaign",
            ["authorizer_id", "utm_campaign", "changed_at", "id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_minicode_codes_live_changed",
            ["authorizer_id", "changed_at", "id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_minicode_codes_live_created",
            ["authorizer_id", "created_at", "id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_minicode_codes_live_creator",
            ["authorizer_id", "created_by", "changed_at", "id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_minicode_codes_live_kind",
            ["authorizer_id", "kind", "changed_at", "id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index(
            "ix_minicode_codes_live_source",
            ["authorizer_id", "utm_source", "changed_at", "id"],
            unique=False,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.create_index("ix_minicode_codes_match_key", ["authorizer_id", "match_key"], unique=False)
        batch_op.create_index(
            "uq_minicode_codes_live_name",
            ["authorizer_id", "name"],
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.create_table(
        "minicode_facts",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("value_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tally", sa.LargeBinary(), nullable=False),
        sa.Column("again", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["minicode_series.id"], name=op.f("fk_minicode_facts_series_id")),
        sa.PrimaryKeyConstraint("series_id", "day", "value_id", name=op.f("pk_minicode_facts")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "minicode_fact_pages",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("page", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tallies", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["series_id"], ["minicode_series.id"], name=op.f("fk_minicode_fact_pages_series_id")),
        sa.PrimaryKeyConstraint("series_id", "day", "page", name=op.f("pk_minicode_fact_pages")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "minicode_tokens",
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=True),
        sa.Column("sealed_token", sa.Text(), nullable=True),
        sa.Column("sealed_refresh_token", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.DateTime(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("lease_holder", sa.String(length=64), nullable=True),
        sa.Column("lease_until", sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(
            ["authorizer_id"],
            ["minicode_authorizers.id"],
            name=op.f("fk_minicode_tokens_authorizer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_minicode_tokens")),
    )
    op.create_table(
        "minicode_code_history",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("code_id", sa.Integer(), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("by_id", sa.String(length=64), nullable=False),
        sa.Column("by", sa.String(length=128), nullable=False),
        sa.Column("detail", sa.String(length=255), nullable=False),
        sa.ForeignKeyConstraint(["code_id"], ["minicode_codes.id"], name=op.f("fk_minicode_code_history_code_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_code_history")),
    )
    with op.batch_alter_table("minicode_code_history", schema=None) as batch_op:
        batch_op.create_index("ix_minicode_code_history_code_id", ["code_id"], unique=False)

    op.create_table(
        "minicode_code_images",
        sa.Column("code_id", sa.Integer(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("mime", sa.String(length=32), nullable=False),
        sa.Column("fetched_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["code_id"], ["minicode_codes.id"], name=op.f("fk_minicode_code_images_code_id")),
        sa.PrimaryKeyConstraint("code_id", name=op.f("pk_minicode_code_images")),
    )
    op.create_table(
        "minicode_idempotency_keys",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("body_sha256", sa.String(length=64), nullable=False),
        sa.Column("code_id", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.ForeignKeyConstraint(["code_id"], ["minicode_codes.id"], name=op.f("fk_minicode_idempotency_keys_code_id")),
        sa.PrimaryKeyConstraint("user_id", "key", name=op.f("pk_minicode_idempotency_keys")),
    )


def downgrade() -> None:
    op.drop_table("minicode_idempotency_keys")
    op.drop_table("minicode_code_images")
    with op.batch_alter_table("minicode_code_history", schema=None) as batch_op:
        batch_op.drop_index("ix_minicode_code_history_code_id")

    op.drop_table("minicode_code_history")
    op.drop_table("minicode_tokens")
    op.drop_table("minicode_fact_pages")
    op.drop_table("minicode_facts")
    with op.batch_alter_table("minicode_codes", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_minicode_codes_live_name",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index("ix_minicode_codes_match_key")
        batch_op.drop_index(
            "ix_minicode_codes_live_source",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_minicode_codes_live_kind",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_minicode_codes_live_creator",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_minicode_codes_live_created",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_minicode_codes_live_changed",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_minicode_codes_live_campaign",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )
        batch_op.drop_index(
            "ix_minicode_codes_live_all_changed",
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        )

    op.drop_table("minicode_codes")
    op.drop_table("minicode_visitors")
    op.drop_table("minicode_values")
    op.drop_table("minicode_series")
    op.drop_table("minicode_leases")
    with op.batch_alter_table("minicode_events", schema=None) as batch_op:
        batch_op.drop_index(
            "ix_minicode_events_pending", sqlite_where=sa.text("state = 0"), postgresql_where=sa.text("state = 0")
        )

    op.drop_table("minicode_events")
    with op.batch_alter_table("minicode_contexts", schema=None) as batch_op:
        batch_op.drop_index("ix_minicode_contexts_fingerprint")

    op.drop_table("minicode_contexts")
    op.drop_table("minicode_authorizers")
    op.drop_table("minicode_attributions")
