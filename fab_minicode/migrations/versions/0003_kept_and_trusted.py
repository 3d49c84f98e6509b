"""
Saved questions, boards, segments, aliases, teams and the audit

Revision: 0003, after 0002.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_GUARDS = {
    "sqlite": (
        "CREATE TRIGGER minicode_audit_is_not_changed BEFORE UPDATE ON minicode_audit"
        " BEGIN SELECT RAISE(ABORT, 'minicode_audit is only added to'); END",
        "CREATE TRIGGER minicode_audit_is_not_deleted BEFORE DELETE ON minicode_audit"
        " BEGIN SELECT RAISE(ABORT, 'minicode_audit is only added to'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION minicode_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'minicode_audit is only added to'; END$$",
        "CREATE TRIGGER minicode_audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON minicode_audit"
        " FOR EACH STATEMENT EXECUTE FUNCTION minicode_audit_is_kept()",
    ),
}


def upgrade() -> None:
    op.add_column("minicode_codes", sa.Column("owner_id", sa.String(length=64), nullable=True))
    op.add_column("minicode_codes", sa.Column("owner", sa.String(length=128), nullable=True))
    op.add_column("minicode_codes", sa.Column("first_visit_at", sa.DateTime(), nullable=True))
    op.create_table(
        "minicode_audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("way", sa.String(length=16), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("subject_type", sa.String(length=32), nullable=False),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=True),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_audit")),
    )
    op.create_index("ix_minicode_audit_at", "minicode_audit", ["at", "id"], unique=False)
    op.create_index("ix_minicode_audit_authorizer_id", "minicode_audit", ["authorizer_id", "at"], unique=False)
    for statement in _GUARDS.get(op.get_bind().dialect.name, ()):
        op.execute(statement)
    op.create_table(
        "minicode_boards",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by_id", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("changed_by_id", sa.String(length=64), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_boards")),
    )
    op.create_index("ix_minicode_boards_owner_id", "minicode_boards", ["owner_id"], unique=False)
    op.create_table(
        "minicode_aliases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("dimension", sa.String(length=16), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.Column("target", sa.String(length=256), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by_id", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("changed_by_id", sa.String(length=64), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizer_id"], ["minicode_authorizers.id"], name=op.f("fk_minicode_aliases_authorizer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_aliases")),
        sa.UniqueConstraint("authorizer_id", "dimension", "value", name="uq_minicode_aliases_value"),
    )
    op.create_table(
        "minicode_ghosts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("scene", sa.String(length=64), nullable=False),
        sa.Column("page", sa.String(length=256), nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("code_id", sa.Integer(), nullable=True),
        sa.Column("adopted_at", sa.DateTime(), nullable=True),
        sa.Column("adopted_by", sa.String(length=128), nullable=True),
        sa.ForeignKeyConstraint(["code_id"], ["minicode_codes.id"], name=op.f("fk_minicode_ghosts_code_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_ghosts")),
        sa.UniqueConstraint("authorizer_id", "scene", "page", name="uq_minicode_ghosts_scene"),
    )
    op.create_table(
        "minicode_authorizer_roles",
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizer_id"],
            ["minicode_authorizers.id"],
            name=op.f("fk_minicode_authorizer_roles_authorizer_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("authorizer_id", "role", name=op.f("pk_minicode_authorizer_roles")),
    )
    op.create_table(
        "minicode_progress",
        sa.Column("authorizer_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("authorizer_id", name=op.f("pk_minicode_progress")),
    )
    op.create_table(
        "minicode_questions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("description", sa.String(length=500), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("chart", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=128), nullable=False),
        sa.Column("visibility", sa.String(length=16), nullable=False),
        sa.Column("is_locked", sa.Boolean(), nullable=False),
        sa.Column("search_text", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by_id", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("changed_by_id", sa.String(length=64), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizer_id"], ["minicode_authorizers.id"], name=op.f("fk_minicode_questions_authorizer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_questions")),
    )
    op.create_index(
        "ix_minicode_questions_authorizer_id", "minicode_questions", ["authorizer_id", "name"], unique=False
    )
    op.create_index("ix_minicode_questions_owner_id", "minicode_questions", ["owner_id"], unique=False)
    op.create_table(
        "minicode_segments",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
        sa.Column("created_by_id", sa.String(length=64), nullable=False),
        sa.Column("created_by", sa.String(length=128), nullable=False),
        sa.Column("changed_at", sa.DateTime(), nullable=False),
        sa.Column("changed_by_id", sa.String(length=64), nullable=False),
        sa.Column("changed_by", sa.String(length=128), nullable=False),
        sa.ForeignKeyConstraint(
            ["authorizer_id"], ["minicode_authorizers.id"], name=op.f("fk_minicode_segments_authorizer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_minicode_segments")),
        sa.UniqueConstraint("authorizer_id", "name", name="uq_minicode_segments_name"),
    )
    op.create_table(
        "minicode_board_items",
        sa.Column("board_id", sa.Integer(), nullable=False),
        sa.Column("place", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("question_id", sa.Integer(), nullable=True),
        sa.Column("builtin", sa.String(length=16), nullable=False),
        sa.Column("authorizer_id", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["authorizer_id"], ["minicode_authorizers.id"], name=op.f("fk_minicode_board_items_authorizer_id")
        ),
        sa.ForeignKeyConstraint(
            ["board_id"], ["minicode_boards.id"], name=op.f("fk_minicode_board_items_board_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["minicode_questions.id"],
            name=op.f("fk_minicode_board_items_question_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("board_id", "place", name=op.f("pk_minicode_board_items")),
    )
    op.create_table(
        "minicode_question_roles",
        sa.Column("question_id", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(
            ["question_id"],
            ["minicode_questions.id"],
            name=op.f("fk_minicode_question_roles_question_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("question_id", "role", name=op.f("pk_minicode_question_roles")),
    )


def downgrade() -> None:
    op.drop_table("minicode_question_roles")
    op.drop_table("minicode_board_items")
    op.drop_table("minicode_segments")
    op.drop_index("ix_minicode_questions_owner_id", table_name="minicode_questions")
    op.drop_index("ix_minicode_questions_authorizer_id", table_name="minicode_questions")
    op.drop_table("minicode_questions")
    op.drop_table("minicode_progress")
    op.drop_table("minicode_authorizer_roles")
    op.drop_table("minicode_ghosts")
    op.drop_table("minicode_aliases")
    op.drop_index("ix_minicode_boards_owner_id", table_name="minicode_boards")
    op.drop_table("minicode_boards")
    op.drop_index("ix_minicode_audit_authorizer_id", table_name="minicode_audit")
    op.drop_index("ix_minicode_audit_at", table_name="minicode_audit")
    op.drop_table("minicode_audit")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION IF EXISTS minicode_audit_is_kept()")
    op.drop_column("minicode_codes", "first_visit_at")
    op.drop_column("minicode_codes", "owner")
    op.drop_column("minicode_codes", "owner_id")
