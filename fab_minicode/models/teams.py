"""Which roles of the host know a mini program."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Integer, String

from fab_minicode.models.types import Base


class AuthorizerRole(Base):
    """A role, by its name, whose people know a mini program; a mini program without any is known to everybody."""

    __tablename__ = "minicode_authorizer_roles"

    authorizer_id = Column(Integer, ForeignKey("minicode_authorizers.id", ondelete="CASCADE"), primary_key=True)
    role = Column(String(64), primary_key=True)
