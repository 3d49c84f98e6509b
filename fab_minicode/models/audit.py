"""Who did what: one row for each act, never changed."""

from __future__ import annotations

from sqlalchemy import DDL, Column, Index, Integer, String, Text, event

from fab_minicode.models.types import Base, BigId, UtcDateTime


class AuditEntry(Base):
    """
    One act of a person or of the system.

    ``way``: ``page``, ``rest``, ``cli`` or ``wechat``. ``action`` and ``subject_type`` are names of ``audit.ACTIONS``.
    ``authorizer_id`` is the mini program it was about, if any; ``detail`` is JSON text without secrets.
    """

    __tablename__ = "minicode_audit"
    __table_args__ = (
        Index("ix_minicode_audit_at", "at", "id"),
        Index("ix_minicode_audit_authorizer_id", "authorizer_id", "at"),
    )

    id = Column(BigId, primary_key=True)
    at = Column(UtcDateTime, nullable=False)
    actor_id = Column(String(64), nullable=False)
    actor = Column(String(128), nullable=False)
    way = Column(String(16), nullable=False)
    action = Column(String(32), nullable=False)
    subject_type = Column(String(32), nullable=False)
    subject_id = Column(String(64), nullable=False)
    subject = Column(String(128), nullable=False)
    authorizer_id = Column(Integer)
    detail = Column(Text, nullable=False, default="{}")


# Rows are only added. Whoever owns the tables can take the triggers away; no program of ours does.
GUARDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "sqlite",
        (
            "CREATE TRIGGER minicode_audit_is_not_changed BEFORE UPDATE ON minicode_audit"
            " BEGIN SELECT RAISE(ABORT, 'minicode_audit is only added to'); END",
            "CREATE TRIGGER minicode_audit_is_not_deleted BEFORE DELETE ON minicode_audit"
            " BEGIN SELECT RAISE(ABORT, 'minicode_audit is only added to'); END",
        ),
    ),
    (
        "postgresql",
        (
            "CREATE OR REPLACE FUNCTION minicode_audit_is_kept() RETURNS trigger LANGUAGE plpgsql AS"
            " $$BEGIN RAISE EXCEPTION 'minicode_audit is only added to'; END$$",
            "CREATE TRIGGER minicode_audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON minicode_audit"
            " FOR EACH STATEMENT EXECUTE FUNCTION minicode_audit_is_kept()",
        ),
    ),
)
"""``(database, statements)`` that guard the table; revision 0003 has the same."""

for _dialect, _statements in GUARDS:
    for _statement in _statements:
        event.listen(AuditEntry.__table__, "after_create", DDL(_statement).execute_if(dialect=_dialect))
event.listen(
    AuditEntry.__table__,
    "after_drop",
    DDL("DROP FUNCTION IF EXISTS minicode_audit_is_kept()").execute_if(dialect="postgresql"),
)
