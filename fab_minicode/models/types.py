"""The declarative base with its naming convention, and the column types that all tables share."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Integer, MetaData, String
from sqlalchemy.orm import declarative_base
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

Base: Any = declarative_base(metadata=MetaData(naming_convention=NAMING))

# SQLite gives only INTEGER primary keys an automatic value.
BigId = BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator):
    """An instant: aware UTC in Python, naive UTC in the database (SQLite keeps no zone)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: dt.datetime | None, _dialect: Any) -> dt.datetime | None:
        """Convert to naive UTC; a naive value is a programming error."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant must be aware")
        return value.astimezone(dt.timezone.utc).replace(tzinfo=None)

    def process_result_value(self, value: dt.datetime | None, _dialect: Any) -> dt.datetime | None:
        """Return an aware UTC instant."""
        return None if value is None else value.replace(tzinfo=dt.timezone.utc)


class Authored:
    """Who made and who last changed a row: the host's user id as text and the name shown then."""

    created_at = Column(UtcDateTime, nullable=False)
    created_by_id = Column(String(64), nullable=False)
    created_by = Column(String(128), nullable=False)
    changed_at = Column(UtcDateTime, nullable=False)
    changed_by_id = Column(String(64), nullable=False)
    changed_by = Column(String(128), nullable=False)
