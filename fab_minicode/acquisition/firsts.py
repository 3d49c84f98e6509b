"""
When a code was first visited: noted on its row, and told to the host once.

Runs inside the roll-up's transaction, which is alone. A late event may bring the time forward; it is told no second
time.
"""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt
from sqlalchemy import and_, select, update
from sqlalchemy.engine import Connection

from fab_minicode import signals
from fab_minicode.models import Authorizer, Code

Numbers = npt.NDArray[np.int64]

_CODES_PER_STATEMENT = 500


def note_first_visits(connection: Connection, authorizer_id: int, codes: Numbers, times_ms: Numbers) -> None:
    """
    Note the earliest visit of each code of a batch.

    Args:
        connection: Of ``signals.begin``: what is told, is told after COMMIT.
        authorizer_id: Whose codes these are.
        codes: The code of each visit that has one.
        times_ms: When it was, Unix milliseconds.
    """
    order = np.lexsort((times_ms, codes))
    found, places = np.unique(codes[order], return_index=True)
    earliest = {
        int(code): dt.datetime.fromtimestamp(int(ms) / 1000, dt.timezone.utc)
        for code, ms in zip(found, times_ms[order][places], strict=True)
    }
    numbers = sorted(earliest)
    for begin in range(0, len(numbers), _CODES_PER_STATEMENT):
        some = numbers[begin : begin + _CODES_PER_STATEMENT]
        # Nearly always there is nothing to write: the code has been seen, and not later than now.
        known = select(Code.id, Code.first_visit_at).where(Code.id.in_(some), Code.authorizer_id == authorizer_id)
        for code_id, before in connection.execute(known).all():
            if before is None or before > earliest[code_id]:
                _note(connection, code_id, earliest[code_id])


def _note(connection: Connection, code_id: int, at: dt.datetime) -> None:
    table = Code.__table__
    noted = update(table).values(first_visit_at=at)
    if connection.execute(noted.where(and_(table.c.id == code_id, table.c.first_visit_at.is_(None)))).rowcount:
        _tell(connection, code_id, at)
    else:
        connection.execute(noted.where(and_(table.c.id == code_id, table.c.first_visit_at > at)))


def _tell(connection: Connection, code_id: int, at: dt.datetime) -> None:
    columns = (Authorizer.appid, *(getattr(Code, name) for name in signals.CODE_FACTS))
    one = connection.execute(
        select(*columns).join(Authorizer, Authorizer.id == Code.authorizer_id).where(Code.id == code_id)
    ).one()
    facts = {name: getattr(one, name) for name in signals.CODE_FACTS}
    signals.announce(connection, signals.first_visit_of_code, one.appid, code_id=code_id, **facts, at=at)
