"""Words: UTM values that answers count as another one, and scenes of prints that no code of ours has."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, String, UniqueConstraint

from fab_minicode.models.types import Authored, Base, UtcDateTime


class Alias(Authored, Base):
    """
    In answers, ``value`` of a dimension counts as ``target``; what was collected keeps its value.

    ``target`` is never itself an alias. Removing the row undoes the merge, for the past as well.
    """

    __tablename__ = "minicode_aliases"
    __table_args__ = (UniqueConstraint("authorizer_id", "dimension", "value", name="uq_minicode_aliases_value"),)

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, ForeignKey("minicode_authorizers.id"), nullable=False)
    dimension = Column(String(16), nullable=False)
    value = Column(String(256), nullable=False)
    target = Column(String(256), nullable=False)


GHOST = "ghost"
"""Event, and dimension, of the series that holds the visits of ghosts."""


class Ghost(Base):
    """
    A ``scene`` of interface B that visits carried and no code has, on one page.

    ``first_ms`` and ``last_ms``: of its visits. ``code_id``: the code it was given to; from then on its visits are that
    code's. Who came stands in the facts of series ``ghost``, with ``id`` as the value.
    """

    __tablename__ = "minicode_ghosts"
    __table_args__ = (UniqueConstraint("authorizer_id", "scene", "page", name="uq_minicode_ghosts_scene"),)

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, nullable=False)
    scene = Column(String(64), nullable=False)
    page = Column(String(256), nullable=False)
    first_ms = Column(BigInteger, nullable=False)
    last_ms = Column(BigInteger, nullable=False)
    code_id = Column(Integer, ForeignKey("minicode_codes.id"))
    adopted_at = Column(UtcDateTime)
    adopted_by = Column(String(128))
