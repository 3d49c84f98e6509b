"""Leases: who may do a thing alone, until when."""

from __future__ import annotations

from sqlalchemy import Column, String

from fab_minicode.models.types import Base, UtcDateTime


class Lease(Base):
    """One thing that only one process may do at a time (``name``), its holder and the end of the hold."""

    __tablename__ = "minicode_leases"

    name = Column(String(64), primary_key=True)
    holder = Column(String(64), nullable=False)
    until = Column(UtcDateTime, nullable=False)
