"""Codes, their pictures, their history, and the idempotency keys of REST."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Text, UniqueConstraint, text
from sqlalchemy.orm import relationship

from fab_minicode.models.authorizers import Authorizer
from fab_minicode.models.types import Authored, Base, UtcDateTime

_LIVE = text("deleted_at IS NULL")


def _live(name: str, *columns: str, unique: bool = False) -> Index:
    return Index(name, *columns, unique=unique, sqlite_where=_LIVE, postgresql_where=_LIVE)


class Code(Authored, Base):
    """
    One thing to print: authorizer x landing page x UTM x kind.

    ``state``: ``planned`` (WeChat not asked yet), ``ready``, ``failed`` (``error_*`` says why; may be tried again)
    or ``unknown`` (timed out after an A/C request was sent; the quota reservation stays).
    ``asked_at`` is set while WeChat is being asked; after a crash it stays behind and runs out (``codes.ASK_SECONDS``).
    ``search_text`` is the name, the creator and the owner, case-folded: what the list's search looks into.
    ``path`` and ``path_bytes`` exist for A and C, ``page`` and ``scene`` for B. ``options`` is JSON text.
    ``match_key`` finds the code of a visit from its page and query (``utm.match_key``; "" for B,
    whose scans carry the short key).
    ``owner`` is whose it became when somebody handed it over; until then, and without one, it is its creator's.
    ``first_visit_at`` is the time of the earliest visit that was counted for it, None until there is one.
    A deleted code keeps its row: its print goes on counting.
    """

    __tablename__ = "minicode_codes"
    __table_args__ = (
        _live("uq_minicode_codes_live_name", "authorizer_id", "name", unique=True),
        # The orders and filters of the code list; each ends so that the newest of equals come first without a sort.
        _live("ix_minicode_codes_live_changed", "authorizer_id", "changed_at", "id"),
        _live("ix_minicode_codes_live_created", "authorizer_id", "created_at", "id"),
        _live("ix_minicode_codes_live_kind", "authorizer_id", "kind", "changed_at", "id"),
        _live("ix_minicode_codes_live_source", "authorizer_id", "utm_source", "changed_at", "id"),
        _live("ix_minicode_codes_live_campaign", "authorizer_id", "utm_campaign", "changed_at", "id"),
        _live("ix_minicode_codes_live_creator", "authorizer_id", "created_by", "changed_at", "id"),
        _live("ix_minicode_codes_live_all_changed", "changed_at", "id"),
        Index("ix_minicode_codes_match_key", "authorizer_id", "match_key"),
        UniqueConstraint("short_key", name="uq_minicode_codes_short_key"),
    )

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, ForeignKey("minicode_authorizers.id"), nullable=False)
    authorizer = relationship(Authorizer, lazy="joined", innerjoin=True)
    name = Column(String(50), nullable=False)
    kind = Column(String(32), nullable=False)
    state = Column(String(16), nullable=False)
    landing_page = Column(String(1024), nullable=False)
    path = Column(String(1024))
    path_bytes = Column(Integer)
    page = Column(String(1024), nullable=False)
    scene = Column(String(32))
    short_key = Column(String(24), nullable=False)
    match_key = Column(String(32), nullable=False)
    utm_source = Column(String(128), nullable=False)
    utm_campaign = Column(String(128), nullable=False, default="")
    utm_medium = Column(String(128), nullable=False, default="")
    utm_content = Column(String(128), nullable=False, default="")
    utm_term = Column(String(128), nullable=False, default="")
    options = Column(Text, nullable=False, default="{}")
    remark = Column(String(500), nullable=False, default="")
    search_text = Column(Text, nullable=False)
    owner_id = Column(String(64))
    owner = Column(String(128))
    first_visit_at = Column(UtcDateTime)
    asked_at = Column(UtcDateTime)
    error_code = Column(Integer)
    error_message = Column(Text)
    error_rid = Column(String(64))
    deleted_at = Column(UtcDateTime)
    deleted_by_id = Column(String(64))
    deleted_by = Column(String(128))

    def __repr__(self) -> str:
        return str(self.name)


class CodeImage(Base):
    """The picture WeChat made, kept for ever because asking again costs quota."""

    __tablename__ = "minicode_code_images"

    code_id = Column(Integer, ForeignKey("minicode_codes.id"), primary_key=True)
    content = Column(LargeBinary, nullable=False)
    sha256 = Column(String(64), nullable=False)
    mime = Column(String(32), nullable=False)
    fetched_at = Column(UtcDateTime, nullable=False)


class CodeHistory(Base):
    """What happened to a code: ``action`` (created, renamed, deleted, generated, failed), who, when, ``detail``."""

    __tablename__ = "minicode_code_history"
    __table_args__ = (Index("ix_minicode_code_history_code_id", "code_id"),)

    id = Column(Integer, primary_key=True)
    code_id = Column(Integer, ForeignKey("minicode_codes.id"), nullable=False)
    action = Column(String(32), nullable=False)
    at = Column(UtcDateTime, nullable=False)
    by_id = Column(String(64), nullable=False)
    by = Column(String(128), nullable=False)
    detail = Column(String(255), nullable=False, default="")


class IdempotencyKey(Base):
    """A REST create that was answered once: same person and key give the same code, another body is refused."""

    __tablename__ = "minicode_idempotency_keys"

    user_id = Column(String(64), primary_key=True)
    key = Column(String(128), primary_key=True)
    body_sha256 = Column(String(64), nullable=False)
    code_id = Column(Integer, ForeignKey("minicode_codes.id"))
    created_at = Column(UtcDateTime, nullable=False)
