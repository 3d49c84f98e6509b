"""
Events as they came, and what they were counted into.

The way of an event: ``minicode_events``, and its key in ``minicode_pending`` (accepted) -> roll-up decides its visitor
number, context and route (``minicode_attributions``), adds it to one tally per series and day in ``minicode_facts`` and
takes the key out of ``minicode_pending``. Numbers are read from the facts; the attributions let anyone recount them
with SQL.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    text,
)

from fab_minicode.models.types import Base

_UNQUEUED = text("state = 0")

UNQUEUED, REAL, TEST = 0, 1, 2
"""
``StoredEvent.state``: what visitors did, stored by a process of a version without ``minicode_pending``; what visitors
did; test traffic (never counted).
"""

OWN, CARRIED, STRAY, MOVED = 1, 2, 3, 4
"""
``Attribution.route``: the visit carried the touch itself; it did not, and the touch (if any) is the visitor's latest
before it; a custom event without a visit before it; a custom event whose visit arrived after the event was counted.
"""


class StoredEvent(Base):
    """
    One accepted event, as it came.

    ``key``: 16 bytes, 6 of the time its tracker claims (ms, big-endian) and 10 of a hash of (authorizer, tracker,
    identity): time-ordered, so that the unique index grows at its end (docs/performance.md).
    ``name``: NULL for a visit, else the custom event's name.
    ``time_ms``: when it happened; its arrival where the tracker's clock was ahead.
    ``visitor``: 16 bytes of HMAC-SHA256 of the tracker's device id under the mini program's own key.
    ``entry``: JSON text of what the visit carried (NULL for a custom event); see ``acquisition.accept``.
    """

    __tablename__ = "minicode_events"
    __table_args__ = (
        # Empty but while an upgrade is on its way.
        Index("ix_minicode_events_pending", "key", sqlite_where=_UNQUEUED, postgresql_where=_UNQUEUED),
        {"sqlite_with_rowid": False},
    )

    key = Column(LargeBinary(16), primary_key=True)
    authorizer_id = Column(Integer, nullable=False)
    name = Column(String(100))
    time_ms = Column(BigInteger, nullable=False)
    received_ms = Column(BigInteger, nullable=False)
    visitor = Column(LargeBinary(16), nullable=False)
    entry = Column(Text)
    state = Column(SmallInteger, nullable=False, default=REAL)


class Pending(Base):
    """
    An accepted event that waits for the roll-up.

    A table of its own: an event that changed its state would be written twice, which on PostgreSQL took more than a
    quarter of the roll-up (docs/performance.md).
    """

    __tablename__ = "minicode_pending"
    __table_args__ = ({"sqlite_with_rowid": False},)

    key = Column(LargeBinary(16), primary_key=True)
    authorizer_id = Column(Integer, nullable=False)


class Attribution(Base):
    """
    What the roll-up decided about one event, so that anyone can recount the numbers with SQL.

    A table of its own, in the order in which it is looked up: a wider row of ``minicode_events`` and an index on it
    took twice the time (docs/performance.md).

    ``day``: proleptic ordinal (``date.toordinal``) of the event's calendar day in the mini program's time zone.
    ``key_tail``: the last 8 bytes of the event's key as a signed number; tells events of a millisecond apart.
    ``event_id``: 0 for a visit, else the ``Value`` of dimension ``event`` that holds its name.
    ``context_id``: attribution ``last``. ``entry_context_id``: attribution ``entry`` where a route of MOVED keeps it
    apart; else it follows from the route (OWN: the same; CARRIED and STRAY: the same without its touch).
    """

    __tablename__ = "minicode_attributions"
    __table_args__ = ({"sqlite_with_rowid": False},)

    authorizer_id = Column(Integer, primary_key=True, autoincrement=False)
    day = Column(Integer, primary_key=True, autoincrement=False)
    visitor_id = Column(BigInteger, primary_key=True, autoincrement=False)
    time_ms = Column(BigInteger, primary_key=True, autoincrement=False)
    key_tail = Column(BigInteger, primary_key=True, autoincrement=False)
    event_id = Column(Integer, nullable=False)
    context_id = Column(Integer, nullable=False)
    route = Column(SmallInteger, nullable=False)
    entry_context_id = Column(Integer)


class Visitor(Base):
    """
    One pseudonymous visitor; ``id`` is the number that stands in the tallies.

    ``head`` and ``tail``: the two halves of ``StoredEvent.visitor`` as signed big-endian numbers; that no two rows of a
    mini program have the same is up to the roll-up, which is alone. ``first_ms`` and ``first_context_id``: the earliest
    visit seen, NULL as long as there is none.

    Rows in the order of their numbers, where new ones are added at the end, and an index on half of the pseudonym: a
    unique index on all of it would be spread over twice as many pages, each of which a batch writes
    (docs/performance.md).
    """

    __tablename__ = "minicode_visitors"
    __table_args__ = (Index("ix_minicode_visitors_head", "head"),)

    id = Column(Integer, primary_key=True, autoincrement=False)
    authorizer_id = Column(Integer, nullable=False)
    head = Column(BigInteger, nullable=False)
    tail = Column(BigInteger, nullable=False)
    first_ms = Column(BigInteger)
    first_context_id = Column(Integer)


class Context(Base):
    """
    One distinct (touch, landing page, WeChat entry scene): the eight dimensions of an event, 0 where not set.

    Numbers of ``Value`` rows; ``code`` is a ``Code.id``. ``fingerprint`` finds a combination; it need not be unique.
    """

    __tablename__ = "minicode_contexts"
    __table_args__ = (Index("ix_minicode_contexts_fingerprint", "authorizer_id", "fingerprint"),)

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, nullable=False)
    fingerprint = Column(BigInteger, nullable=False)
    utm_source = Column(Integer, nullable=False)
    utm_campaign = Column(Integer, nullable=False)
    utm_content = Column(Integer, nullable=False)
    utm_term = Column(Integer, nullable=False)
    utm_medium = Column(Integer, nullable=False)
    code = Column(Integer, nullable=False)
    landing_page = Column(Integer, nullable=False)
    scene = Column(Integer, nullable=False)


class Value(Base):
    """One value of one dimension, or the name of a custom event (dimension ``event``), as a number for the facts."""

    __tablename__ = "minicode_values"
    __table_args__ = (UniqueConstraint("authorizer_id", "dimension", "value", name="uq_minicode_values_value"),)

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, nullable=False)
    dimension = Column(String(16), nullable=False)
    value = Column(String(256), nullable=False)


class Series(Base):
    """
    What a run of facts counts: an event of a mini program, by a dimension, along a route.

    ``event``: ``visit``, ``first_visit``, ``event:<name>``, or ``seen`` (all visitors of a day).
    ``route``: ``own``, ``carried``, ``stray``, and the two sides of a MOVED event: ``last`` and ``entry``.
    ``dimension``: a name of ``acquisition.dimensions``, ``touch`` (1 with, 0 without) or ``context``.
    """

    __tablename__ = "minicode_series"
    __table_args__ = (
        UniqueConstraint("authorizer_id", "event", "route", "dimension", name="uq_minicode_series_series"),
    )

    id = Column(Integer, primary_key=True)
    authorizer_id = Column(Integer, nullable=False)
    event = Column(String(110), nullable=False)
    route = Column(String(8), nullable=False)
    dimension = Column(String(16), nullable=False)


class Fact(Base):
    """
    A long tally (multiset of visitor numbers, ``acquisition.tally``) of one series, day and value (0: not set).

    The series of the touch's six dimensions hold events with a touch only; those without stand under ``touch`` 0. On a
    day on which nobody has a value of such a dimension it has no facts at all: ``touch`` 1 says the same.

    ``tally``: who; ``again``: how often beyond the first time, empty where nobody came twice. Two columns, because most
    questions are about people.
    """

    __tablename__ = "minicode_facts"
    __table_args__ = ({"sqlite_with_rowid": False},)

    series_id = Column(Integer, ForeignKey("minicode_series.id"), primary_key=True, autoincrement=False)
    day = Column(Integer, primary_key=True, autoincrement=False)
    value_id = Column(Integer, primary_key=True, autoincrement=False)
    tally = Column(LargeBinary, nullable=False)
    again = Column(LargeBinary, nullable=False)


class FactPage(Base):
    """The short tallies of one series and day, those of neighbouring values in one text (``acquisition.pages``)."""

    __tablename__ = "minicode_fact_pages"
    __table_args__ = ({"sqlite_with_rowid": False},)

    series_id = Column(Integer, ForeignKey("minicode_series.id"), primary_key=True, autoincrement=False)
    day = Column(Integer, primary_key=True, autoincrement=False)
    page = Column(Integer, primary_key=True, autoincrement=False)
    tallies = Column(LargeBinary, nullable=False)


class FactDay(Base):
    """
    When the facts of a mini program's day changed: ``version`` is another number then, by chance, so that none comes
    twice, not even after a backup was restored.
    """

    __tablename__ = "minicode_fact_days"
    __table_args__ = ({"sqlite_with_rowid": False},)

    authorizer_id = Column(Integer, primary_key=True, autoincrement=False)
    day = Column(Integer, primary_key=True, autoincrement=False)
    version = Column(BigInteger, nullable=False)


class Progress(Base):
    """How far the roll-up has come: ``received_ms`` is the arrival of a mini program's newest counted event."""

    __tablename__ = "minicode_progress"

    authorizer_id = Column(Integer, primary_key=True, autoincrement=False)
    received_ms = Column(BigInteger, nullable=False)
