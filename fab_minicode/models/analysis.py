"""What people keep of their analyses: saved questions, the boards that show several, and saved segments."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import relationship

from fab_minicode.models.authorizers import Authorizer
from fab_minicode.models.types import Authored, Base


class SavedQuestion(Authored, Base):
    """
    A question somebody named.

    ``kind``: ``events``, ``funnel`` or ``retention``. ``question`` is its JSON text, ``chart`` how it was looked at,
    ``sort`` the order of its table ("" or NULL: the answer's own).
    ``visibility``: ``owner`` (only the owner), ``roles`` (those of ``minicode_question_roles``) or ``readers``
    (everybody who may read). The owner is who may change it; who made it stays in ``created_by``. A locked question is
    changed by nobody until its owner or a manager unlocks it. ``search_text`` is name, description and owner,
    case-folded: what the list's search looks into.
    """

    __tablename__ = "minicode_questions"
    __table_args__ = (
        Index("ix_minicode_questions_authorizer_id", "authorizer_id", "name"),
        Index("ix_minicode_questions_owner_id", "owner_id"),
    )

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, ForeignKey("minicode_authorizers.id"), nullable=False)
    authorizer = relationship(Authorizer, lazy="joined", innerjoin=True)
    kind = Column(String(16), nullable=False)
    name = Column(String(80), nullable=False)
    description = Column(String(500), nullable=False, default="")
    question = Column(Text, nullable=False)
    chart = Column(String(16), nullable=False, default="")
    sort = Column(String(128))
    owner_id = Column(String(64), nullable=False)
    owner = Column(String(128), nullable=False)
    visibility = Column(String(16), nullable=False)
    is_locked = Column(Boolean, nullable=False, default=False)
    search_text = Column(Text, nullable=False)
    roles = relationship("QuestionRole", cascade="all, delete-orphan", lazy="selectin")

    def __repr__(self) -> str:
        return str(self.name)


class QuestionRole(Base):
    """A role, by its name, whose people see a saved question."""

    __tablename__ = "minicode_question_roles"

    question_id = Column(Integer, ForeignKey("minicode_questions.id", ondelete="CASCADE"), primary_key=True)
    role = Column(String(64), primary_key=True)


class Board(Authored, Base):
    """Saved questions shown together; everybody sees of it what they may see of its questions."""

    __tablename__ = "minicode_boards"
    __table_args__ = (Index("ix_minicode_boards_owner_id", "owner_id"),)

    id = Column(Integer, primary_key=True)
    name = Column(String(80), nullable=False)
    owner_id = Column(String(64), nullable=False)
    owner = Column(String(128), nullable=False)
    items = relationship("BoardItem", cascade="all, delete-orphan", lazy="selectin", order_by="BoardItem.place")

    def __repr__(self) -> str:
        return str(self.name)


class BoardItem(Base):
    """
    One question of a board; ``place`` counts from 0.

    Either a saved one (``question_id``), or one that everybody has: ``builtin`` is its word (``headline``) then, and
    ``authorizer_id`` the mini program it asks about.
    """

    __tablename__ = "minicode_board_items"

    board_id = Column(Integer, ForeignKey("minicode_boards.id", ondelete="CASCADE"), primary_key=True)
    place = Column(Integer, primary_key=True, autoincrement=False)
    question_id = Column(Integer, ForeignKey("minicode_questions.id", ondelete="CASCADE"))
    builtin = Column(String(16), nullable=False, default="")
    authorizer_id = Column(Integer, ForeignKey("minicode_authorizers.id"))


class SavedSegment(Authored, Base):
    """Visitors of one mini program by conditions that somebody named; ``conditions`` is JSON text."""

    __tablename__ = "minicode_segments"
    __table_args__ = (UniqueConstraint("authorizer_id", "name", name="uq_minicode_segments_name"),)

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, ForeignKey("minicode_authorizers.id"), nullable=False)
    authorizer = relationship(Authorizer, lazy="joined", innerjoin=True)
    name = Column(String(80), nullable=False)
    conditions = Column(Text, nullable=False)

    def __repr__(self) -> str:
        return str(self.name)
