"""
What a host may listen to: blinker signals, sent after COMMIT and never for an act that was rolled back. No Flask here.

Floor 1 announces next to the act, in its transaction; nothing is sent before that ends well. A session sends by itself
(:func:`announce`); a transaction without one is begun by :func:`begin`. Every receiver is called with the AppID as
sender and plain values only, never a row: ``code_created.connect(receiver)``, ``def receiver(appid, **values)``.
Receivers run where the act ran, one after the other; what one raises is logged by its type and harms nothing.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from blinker import NamedSignal, Namespace
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.orm import Session

log = logging.getLogger(__name__)

SIGNALS = Namespace()
"""Every signal by its name."""

_WHO = "`actor_id` (empty for the system), `actor`, `at` (aware UTC)"
CODE_FACTS = (
    "name", "kind", "landing_page", "utm_source", "utm_campaign", "utm_medium", "utm_content", "utm_term",
)  # fmt: skip
"""Columns of a code that its signals carry, beside ``code_id``."""

_CODE = ", ".join(f"`{name}`" for name in ("code_id", *CODE_FACTS))

code_created = SIGNALS.signal(
    "code_created", f"A code was made; WeChat is asked for its picture afterwards. {_CODE}, {_WHO}."
)
code_deleted = SIGNALS.signal("code_deleted", f"A code was taken out of the list; its print lives on. {_CODE}, {_WHO}.")
authorizer_authorized = SIGNALS.signal(
    "authorizer_authorized",
    f"A mini program was connected, perhaps again. `authorizer_id`, `nick_name`, `credential`, {_WHO}.",
)
authorizer_revoked = SIGNALS.signal(
    "authorizer_revoked",
    f"A mini program was disconnected, here or at WeChat. `authorizer_id`, `nick_name`, `credential`, {_WHO}.",
)
first_visit_of_code = SIGNALS.signal(
    "first_visit_of_code",
    f"The first visit of a code was counted, once per code, by the roll-up. {_CODE}, `at` (of the visit).",
)
quota_low = SIGNALS.signal(
    "quota_low",
    "Codes of interfaces A and C have reached a share of the quota, each time it is crossed."
    f" `percent` (80 or 95), `used`, `limit`, {_WHO}.",
)

QUOTA_PERCENTS = (80, 95)
"""Shares of the quota at whose crossing :data:`quota_low` is sent."""


class _Act(NamedTuple):
    transaction: Any
    signal: NamedSignal
    appid: str
    values: dict[str, Any]


_PENDING, _COMMITTED = "fab_minicode_pending_signals", "fab_minicode_committed"
_begun: weakref.WeakKeyDictionary[Connection, list[_Act]] = weakref.WeakKeyDictionary()


def announce(session: Session | Connection, signal: NamedSignal, appid: str, **values: Any) -> None:
    """
    Send a signal once the present transaction is committed; never, if it is rolled back.

    Args:
        session: A session (or a registry of sessions), or a connection of :func:`begin`; on another connection nothing
            is sent.
        signal: One of :data:`SIGNALS`.
        appid: The sender.
        values: Plain values.
    """
    if isinstance(session, Connection):
        if session in _begun:
            _begun[session].append(_Act(None, signal, appid, values))
        return
    # Flask-SQLAlchemy hands out a registry; to call it gives this context's session.
    real: Session = session() if callable(session) else session
    if _PENDING not in real.info:
        real.info[_PENDING] = []
        for name, listener in _LISTENERS:
            event.listen(real, name, listener)
    within = real.get_nested_transaction() or real.get_transaction()
    real.info[_PENDING].append(_Act(within, signal, appid, values))


@contextmanager
def begin(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction as ``engine.begin()`` does, and send what was announced in it after its COMMIT."""
    acts: list[_Act] = []
    with engine.begin() as connection:
        _begun[connection] = acts
        try:
            yield connection
        finally:
            del _begun[connection]
    _send(acts)


@contextmanager
def savepoint(connection: Connection) -> Iterator[None]:
    """Begin a savepoint within :func:`begin`; what was announced in it is dropped when it is rolled back."""
    acts = _begun[connection]
    before = len(acts)
    try:
        with connection.begin_nested():
            yield
    except BaseException:
        del acts[before:]
        raise


def crossed(used: int, limit: int) -> list[int]:
    """Return which of :data:`QUOTA_PERCENTS` the last one used has reached."""
    return [percent for percent in QUOTA_PERCENTS if (used - 1) * 100 < percent * limit <= used * 100]


def _committed(session: Session) -> None:
    # SQLAlchemy tells of released savepoints as well.
    if not session.in_nested_transaction():
        session.info[_COMMITTED] = True


def _rolled_back(session: Session, transaction: Any) -> None:
    """Drop what was announced within a transaction or savepoint that was rolled back."""
    session.info[_PENDING] = [act for act in session.info[_PENDING] if not _is_within(act.transaction, transaction)]


def _ended(session: Session, transaction: Any) -> None:
    """Send after the outermost transaction; its connection is given back, so a receiver may use the database."""
    if transaction.parent is not None:
        return
    acts, session.info[_PENDING] = session.info[_PENDING], []
    # A session may also be closed without either of the two.
    if session.info.pop(_COMMITTED, False):
        _send(acts)


def _is_within(transaction: Any, outer: Any) -> bool:
    while transaction is not None:
        if transaction is outer:
            return True
        transaction = transaction.parent
    return False


_LISTENERS = (("after_commit", _committed), ("after_soft_rollback", _rolled_back), ("after_transaction_end", _ended))


def _send(acts: list[_Act]) -> None:
    for act in acts:
        for receiver in act.signal.receivers_for(act.appid):
            try:
                receiver(act.appid, **act.values)
            except Exception as error:  # noqa: BLE001
                # The host's code may fail in any way, and the act is done. The type only: its text is the host's.
                log.warning("a receiver of %s failed: %s", act.signal.name, type(error).__name__)
