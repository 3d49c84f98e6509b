"""
Keeping the vocabulary: merging a value into another one, undoing it, and finding values that mean the same.

What an alias does to answers stands in ``vocabulary``. A target is never an alias itself: chains are flattened when
they are made, and a merge that would lead back to its beginning is refused.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from fab_minicode import audit
from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.crowds import union_of
from fab_minicode.acquisition.likeness import Pair, alike
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.tally import Tally, stored_times
from fab_minicode.acquisition.vocabulary import ALIASED
from fab_minicode.acquisition.windows import Window
from fab_minicode.actor import Actor
from fab_minicode.draft import checked_text
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Alias, Authorizer
from fab_minicode.models.acquisition import Value

MAX_VALUE_CHARACTERS = 256
MOST_ALIASES = 5_000
MOST_COMPARED = 2_000
"""Values of a dimension, the most used first, that are compared with each other."""

USAGE_DAYS = 30


@dataclass(frozen=True)
class Usage:
    """How much a value was used in the last 30 days: visits and distinct visitors, attribution ``last``."""

    visits: int = 0
    users: int = 0


@dataclass(frozen=True)
class Suggestion:
    """
    Two values that may mean the same.

    Attributes:
        dimension: One of ``vocabulary.ALIASED``.
        value: The one used less.
        target: The one used more.
        reason: ``spelling`` (they differ by case, width, white space or hyphens only) or ``similar``.
        usage: Of the value; ``target_usage``: of the target.
    """

    dimension: str
    value: str
    target: str
    reason: str
    usage: Usage
    target_usage: Usage


def merge(
    session: Any, authorizer_id: int, dimension: str, value: str, target: str, *, actor: Actor, now: dt.datetime
) -> Alias:
    """
    Let a value count as another one, from now on and for the past; the door commits.

    A target that is an alias itself stands for what it counts as; values that counted as ``value`` go along with it.

    Raises:
        InvalidInput: Naming the field: an unknown dimension, an empty or over-long text, a value merged with itself
            (also by a detour: ``circle``), one that is merged already (``merged_before``), or too many aliases.
    """
    if dimension not in ALIASED:
        raise InvalidInput("dimension", "unknown", detail=dimension[:40])
    value, target = (_checked(name, text) for name, text in (("value", value), ("target", target)))
    # One merge of a mini program at a time: two at once could make a circle.
    held = update(Authorizer).where(Authorizer.id == authorizer_id).values(appid=Authorizer.appid)
    session.execute(held, execution_options={"synchronize_session": False})
    mine = (Alias.authorizer_id == authorizer_id, Alias.dimension == dimension)
    before = dict(session.execute(select(Alias.value, Alias.target).where(*mine)).all())
    _refuse(before, value, target, count=_count(session, authorizer_id))
    target = before.get(target, target)
    along = update(Alias).where(*mine, Alias.target == value).values(target=target, **_changed(actor, now))
    session.execute(along, execution_options={"synchronize_session": False})
    created = {name.replace("changed", "created"): one for name, one in _changed(actor, now).items()}
    row = Alias(
        authorizer_id=authorizer_id, dimension=dimension, value=value, target=target, **created, **_changed(actor, now)
    )
    session.add(row)
    try:
        session.flush()
    except IntegrityError:
        raise InvalidInput("value", "merged_before", detail=value[:40]) from None
    _record(session, "merged", row, actor=actor, now=now)
    return row


def undo(session: Any, alias: Alias, *, actor: Actor, now: dt.datetime) -> None:
    """Let a value count as itself again, for the past as well; the door commits."""
    _record(session, "undone", alias, actor=actor, now=now)
    session.delete(alias)
    session.flush()


def alias_of(session: Any, alias_id: int) -> Alias:
    """Return an alias. Raises Missing."""
    found = session.get(Alias, alias_id) if alias_id else None
    if found is None:
        raise Missing(f"alias {alias_id}")
    return found


def listed(session: Any, authorizer_id: int) -> list[Alias]:
    """Return the aliases of a mini program, by dimension, target and value."""
    mine = select(Alias).where(Alias.authorizer_id == authorizer_id)
    return list(session.execute(mine.order_by(Alias.dimension, Alias.target, Alias.value)).scalars())


def suggestions(connection: Connection, authorizer_id: int, *, today: dt.date) -> list[Suggestion]:
    """Return values of the last 30 days that may mean the same, those whose merging concerns most visits first."""
    aliased = select(Alias.dimension, Alias.value).where(Alias.authorizer_id == authorizer_id)
    merged = set(map(tuple, connection.execute(aliased).all()))
    found: list[Suggestion] = []
    for dimension in ALIASED:
        visits = _visits(connection, authorizer_id, dimension, today)
        names = _texts(connection, authorizer_id, dimension, [number for number, _ in visits])
        used = [(names[number], times) for number, times in visits if (dimension, names[number]) not in merged]
        pairs = alike([text for text, _ in used])
        texts = sorted({text for pair in pairs for text in (pair.value, pair.target)})
        usage = usage_of(connection, authorizer_id, dimension, texts, today=today)
        found += [_suggested(dimension, pair, usage) for pair in pairs]
    return sorted(found, key=lambda one: (-one.usage.visits, one.dimension, one.target, one.value))


def usage_of(
    connection: Connection, authorizer_id: int, dimension: str, texts: Sequence[str], *, today: dt.date
) -> dict[str, Usage]:
    """Return how much values were used in the last 30 days; every text is in the result."""
    fixed = {"authorizer_id": authorizer_id, "dimension": dimension}
    ids = dict(bulk.find(connection, Value.value, sorted(set(texts)), (Value.id, Value.value), **fixed))
    rows = Days(connection, authorizer_id, _last_days(today)).rows(VISIT, ("own", "carried"), dimension)
    tallies: dict[int, list[bytes]] = {}
    for _, number, tally in rows:
        if number in ids:
            tallies.setdefault(number, []).append(_stored(tally))
    found = {
        ids[number]: Usage(sum(stored_times(tally) for tally in mine), len(union_of(mine)))
        for number, mine in tallies.items()
    }
    return {text: found.get(text, Usage()) for text in texts}


def _checked(name: str, text: str) -> str:
    found = checked_text(name, text, most=MAX_VALUE_CHARACTERS)
    if not found:
        raise InvalidInput(name, "required")
    return found


def _refuse(before: dict[str, str], value: str, target: str, *, count: int) -> None:
    if value == target:
        raise InvalidInput("target", "same_value", detail=value[:40])
    if value in before:
        raise InvalidInput("value", "merged_before", detail=before[value][:40])
    if before.get(target) == value:
        raise InvalidInput("target", "circle", detail=value[:40])
    if count >= MOST_ALIASES:
        raise InvalidInput("value", "too_many_aliases", limit=MOST_ALIASES, actual=count)


def _count(session: Any, authorizer_id: int) -> int:
    counted = select(func.count()).select_from(Alias).where(Alias.authorizer_id == authorizer_id)
    return int(session.execute(counted).scalar() or 0)


def _changed(actor: Actor, now: dt.datetime) -> dict[str, Any]:
    return {"changed_at": now, "changed_by_id": actor.id, "changed_by": actor.name}


def _record(session: Any, action: str, alias: Alias, *, actor: Actor, now: dt.datetime) -> None:
    subject = audit.Subject("alias", str(alias.id), f"{alias.dimension}: {alias.value}")
    detail = {"dimension": alias.dimension, "value": alias.value, "target": alias.target}
    audit.record(session, action, subject, actor=actor, now=now, authorizer_id=alias.authorizer_id, detail=detail)


def _last_days(today: dt.date) -> Window:
    """Return today and the 29 days before it."""
    return Window(today - dt.timedelta(days=USAGE_DAYS - 1), today)


def _visits(connection: Connection, authorizer_id: int, dimension: str, today: dt.date) -> list[tuple[int, int]]:
    """Return the most used values with their visits, the highest first; no bitmap is opened."""
    times: dict[int, int] = {}
    days = Days(connection, authorizer_id, _last_days(today))
    for _, number, tally in days.rows(VISIT, ("own", "carried"), dimension):
        if number:
            times[number] = times.get(number, 0) + stored_times(_stored(tally))
    return sorted(times.items(), key=lambda item: (-item[1], item[0]))[:MOST_COMPARED]


def _stored(tally: bytes | Tally) -> bytes:
    return tally if isinstance(tally, bytes) else tally.pack()


def _texts(connection: Connection, authorizer_id: int, dimension: str, numbers: list[int]) -> dict[int, str]:
    fixed = {"authorizer_id": authorizer_id, "dimension": dimension}
    return dict(bulk.find(connection, Value.id, sorted(numbers), (Value.id, Value.value), **fixed))


def _suggested(dimension: str, pair: Pair, usage: dict[str, Usage]) -> Suggestion:
    return Suggestion(dimension, pair.value, pair.target, pair.reason, usage[pair.value], usage[pair.target])
