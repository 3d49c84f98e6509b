"""A create over REST happens once per person and key, however often it is sent."""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite

from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Code, IdempotencyKey

MAX_KEY_CHARACTERS = 128
_INSERTS = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def begin(session: Any, *, user_id: str, key: str, body_sha256: str, now: dt.datetime) -> Code | None:
    """
    Take a key, or return the code that was made under it.

    Two requests with one key at once: the second waits here until the first committed its plan or gave up. A plan that
    is rolled back gives its key back.

    Returns:
        None when the key is new: plan the code, then call :func:`finish`, all in one transaction.

    Raises:
        InvalidInput: When the key was used with another body (field ``Idempotency-Key``).
        Missing: When its code is deleted.
    """
    insert = _INSERTS[session.get_bind().dialect.name](IdempotencyKey.__table__)
    row = {"user_id": user_id, "key": key, "body_sha256": body_sha256, "created_at": now}
    if session.execute(insert.values(**row).on_conflict_do_nothing()).rowcount == 1:
        return None
    same = (IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
    known = session.execute(select(IdempotencyKey.body_sha256, IdempotencyKey.code_id).where(*same)).one()
    if known.body_sha256 != body_sha256:
        raise InvalidInput("Idempotency-Key", "used_with_another_body")
    code: Code | None = session.get(Code, known.code_id)
    if code is None or code.deleted_at is not None:
        raise Missing(key)
    return code


def finish(session: Any, code: Code, *, user_id: str, key: str) -> None:
    """Remember the code that was planned under a new key."""
    same = (IdempotencyKey.user_id == user_id, IdempotencyKey.key == key)
    done = update(IdempotencyKey).where(*same).values(code_id=code.id)
    session.execute(done, execution_options={"synchronize_session": False})
