"""
What is remembered: tables ``minicode_*``. SQLAlchemy only, no behaviour beyond a row's own.

Our own declarative base: no host metadata, no foreign key to a host's table. A person is remembered as the id and
the name they had (Airflow and Superset own their user tables; facts in docs/hosts.md).
"""

from fab_minicode.models.acquisition import (
    Attribution,
    Context,
    Fact,
    FactDay,
    FactPage,
    Pending,
    Progress,
    Series,
    StoredEvent,
    Value,
    Visitor,
)
from fab_minicode.models.analysis import Board, BoardItem, QuestionRole, SavedQuestion, SavedSegment
from fab_minicode.models.audit import AuditEntry
from fab_minicode.models.authorizers import Authorizer, Token
from fab_minicode.models.codes import Code, CodeHistory, CodeImage, IdempotencyKey
from fab_minicode.models.component import AuthCode, Component, Invitation, ReceivedPush, Refusal, RetiredKey
from fab_minicode.models.leases import Lease
from fab_minicode.models.teams import AuthorizerRole
from fab_minicode.models.types import Base, UtcDateTime
from fab_minicode.models.vocabulary import Alias, Ghost

__all__ = [
    "Alias",
    "Attribution",
    "AuditEntry",
    "AuthCode",
    "Authorizer",
    "AuthorizerRole",
    "Base",
    "Board",
    "BoardItem",
    "Code",
    "CodeHistory",
    "CodeImage",
    "Component",
    "Context",
    "Fact",
    "FactDay",
    "FactPage",
    "Ghost",
    "IdempotencyKey",
    "Invitation",
    "Lease",
    "Pending",
    "Progress",
    "QuestionRole",
    "ReceivedPush",
    "Refusal",
    "RetiredKey",
    "SavedQuestion",
    "SavedSegment",
    "Series",
    "StoredEvent",
    "Token",
    "UtcDateTime",
    "Value",
    "Visitor",
]
