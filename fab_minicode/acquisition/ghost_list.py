"""Ghost codes, read and adopted: what the roll-up remembered, what the facts tell of deleted codes and UTM values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import aliased

from fab_minicode import audit
from fab_minicode.acquisition import bulk
from fab_minicode.acquisition.caps import TOO_MANY
from fab_minicode.acquisition.crowds import union_of
from fab_minicode.acquisition.facts import CONTEXT
from fab_minicode.acquisition.metrics import VISIT
from fab_minicode.acquisition.sources import Days
from fab_minicode.acquisition.tally import Tally, stored_times
from fab_minicode.acquisition.windows import Window
from fab_minicode.actor import Actor
from fab_minicode.errors import Missing
from fab_minicode.models import Code, Context, Ghost, Value
from fab_minicode.models.vocabulary import GHOST
from fab_minicode.utm import UTM_FIELDS, Utm

SCENE, DELETED, VALUES = KINDS = ("scene", "deleted", "values")
"""A scene that no code has; a deleted code's; UTM values that no live code carries."""

GHOST_DAYS = 30
MOST_CONTEXTS = 20_000
"""Combinations of page, scene and UTM without a code that are looked at."""

_UTM_COLUMNS = tuple(getattr(Context, name) for name in UTM_FIELDS)


@dataclass(frozen=True)
class Found:
    """
    Something that visits of the last 30 days carried and no live code stands for.

    Attributes:
        kind: One of :data:`KINDS`.
        page: The page that opened, "" where not told.
        scene: B's scene; "" for the kind VALUES and for codes of the interfaces A and C.
        utm: What was carried, or what the deleted code stood for; empty for SCENE.
        visits: Visits of the last 30 days.
        users: Their distinct visitors.
        first: Day of the first of them; of a scene, of the first ever.
        last: Day of the last one.
        ghost_id: Of a SCENE.
        code_id: Of a DELETED code; ``name`` is its name.
    """

    kind: str
    page: str
    scene: str
    utm: Utm
    visits: int
    users: int
    first: dt.date
    last: dt.date
    ghost_id: int = 0
    code_id: int = 0
    name: str = ""


def found(connection: Connection, authorizer_id: int, *, today: dt.date, zone: ZoneInfo) -> list[Found]:
    """Return the ghosts of a mini program with visits in the last 30 days (today is one), those with most first."""
    days = Days(connection, authorizer_id, Window(today - dt.timedelta(days=GHOST_DAYS - 1), today))
    ghosts = [*_scenes(days, zone), *_deleted(days), *_values(days)]
    return sorted(ghosts, key=lambda one: (-one.visits, one.kind, one.page, one.scene, str(one.utm)))


@dataclass
class _Came:
    """Tallies of one ghost."""

    days: list[int]
    tallies: list[bytes]

    def facts(self) -> dict[str, Any]:
        return {
            "visits": sum(map(stored_times, self.tallies)),
            "users": len(union_of(self.tallies)),
            "first": dt.date.fromordinal(min(self.days)),
            "last": dt.date.fromordinal(max(self.days)),
        }


def _came(rows: Iterable[tuple[int, int, bytes | Tally]], names: dict[int, Any]) -> dict[Any, _Came]:
    """Gather the tallies of the values in ``names`` under their names."""
    came: dict[Any, _Came] = {}
    for day, number, tally in rows:
        if number in names:
            mine = came.setdefault(names[number], _Came([], []))
            mine.days.append(day)
            mine.tallies.append(tally if isinstance(tally, bytes) else tally.pack())
    return came


def _scenes(days: Days, zone: ZoneInfo) -> list[Found]:
    mine = select(Ghost.id, Ghost.scene, Ghost.page, Ghost.first_ms).where(
        Ghost.authorizer_id == days.authorizer_id, Ghost.code_id.is_(None)
    )
    ghosts = {row.id: row for row in days.connection.execute(mine)}
    came = _came(days.rows(GHOST, ("own",), GHOST), {number: number for number in ghosts})
    result = []
    for number, visits in came.items():
        row = ghosts[number]
        first = dt.datetime.fromtimestamp(row.first_ms / 1000, zone).date()
        facts = visits.facts() | {"first": first}
        result.append(Found(SCENE, row.page, row.scene, Utm(), ghost_id=number, **facts))
    return result


def _deleted(days: Days) -> list[Found]:
    columns = select(Code.id, Code.name, Code.page, Code.scene, *(getattr(Code, name) for name in UTM_FIELDS))
    mine = columns.where(Code.authorizer_id == days.authorizer_id, Code.deleted_at.is_not(None))
    mine = mine.where(Code.id.not_in(_succeeded(days.authorizer_id)))
    codes = {row.id: row for row in days.connection.execute(mine)}
    came = _came(days.rows(VISIT, ("own",), "code"), {number: number for number in codes})
    return [
        Found(
            DELETED, codes[number].page, codes[number].scene or "", Utm(*codes[number][4:]),
            code_id=number, name=codes[number].name, **visits.facts(),
        )
        for number, visits in came.items()
    ]  # fmt: skip


def _succeeded(authorizer_id: int) -> Any:
    """Select the deleted codes that a live one stands for: its scene was given away, or it has the same path."""
    old, live = aliased(Code), aliased(Code)
    both = (old.authorizer_id == authorizer_id, live.authorizer_id == authorizer_id, live.deleted_at.is_(None))
    by_path = select(old.id).where(*both, old.match_key == live.match_key, old.match_key != "")
    by_scene = select(old.id).where(*both, Ghost.scene == old.scene, Ghost.page == old.page, Ghost.code_id == live.id)
    return by_path.union(by_scene)


def _values(days: Days) -> list[Found]:
    connection, owner = days.connection, days.authorizer_id
    columns = select(Context.id, Context.landing_page, *_UTM_COLUMNS).where(
        Context.authorizer_id == owner, Context.code == 0, Context.utm_source > 0
    )
    rows = connection.execute(columns.order_by(Context.id.desc()).limit(MOST_CONTEXTS)).all()
    if not rows:
        return []
    numbers = sorted({value for row in rows for value in row[1:]} - {0})
    texts = dict(bulk.find(connection, Value.id, numbers, (Value.id, Value.value)))
    live = select(*(getattr(Code, name) for name in UTM_FIELDS)).where(
        Code.authorizer_id == owner, Code.deleted_at.is_(None)
    )
    carried = {tuple(row) for row in connection.execute(live.distinct())}
    names: dict[int, tuple[str, ...]] = {}
    for number, *values in rows:
        page, *utm = (texts.get(value, "") for value in values)
        if tuple(utm) not in carried and TOO_MANY not in (page, *utm):
            names[number] = (page, *utm)
    came = _came(days.rows(VISIT, ("own",), CONTEXT), names)
    return [Found(VALUES, page, "", Utm(*utm), **visits.facts()) for (page, *utm), visits in came.items()]


def ghost_of(session: Any, ghost_id: int) -> Ghost:
    """Return a scene that waits for a code. Raises Missing, also where it was adopted meanwhile."""
    row = session.get(Ghost, ghost_id) if ghost_id else None
    if row is None or row.code_id is not None:
        raise Missing(f"ghost {ghost_id}")
    return row


def adopt_scene(session: Any, ghost: Ghost, code: Code, *, actor: Actor, now: dt.datetime) -> None:
    """
    Let visits with this scene on this page be the code's, from now on; the door commits.

    Raises:
        Missing: If somebody else was quicker, or the code is deleted or another mini program's.
    """
    _refuse_stranger(code, ghost.authorizer_id)
    values = {"code_id": code.id, "adopted_at": now, "adopted_by": actor.name}
    mine = update(Ghost).where(Ghost.id == ghost.id, Ghost.code_id.is_(None)).values(**values)
    if session.execute(mine, execution_options={"synchronize_session": False}).rowcount != 1:
        raise Missing(f"ghost {ghost.id}")
    session.expire(ghost)
    _record(session, code, {"scene": ghost.scene, "page": ghost.page}, actor=actor, now=now)


def adopt_deleted(session: Any, old: Code, code: Code, *, actor: Actor, now: dt.datetime) -> None:
    """
    Let another code stand for a deleted one from now on; the door commits.

    Scenes of the interface B, the deleted code's own and those it had adopted, are given to the other code. Prints of
    the interfaces A and C find a live code with the same path by themselves.
    """
    if old.deleted_at is None:
        raise Missing(f"code {old.id}")
    _refuse_stranger(code, old.authorizer_id)
    handed = update(Ghost).where(Ghost.code_id == old.id).values(code_id=code.id)
    session.execute(handed, execution_options={"synchronize_session": False})
    if old.scene and session.get(Ghost, -old.id) is None:
        # A number of its own, which the roll-up's never meet: they count upwards from 1.
        row = {"id": -old.id, "authorizer_id": old.authorizer_id, "scene": old.scene, "page": old.page}
        adopted = {"code_id": code.id, "adopted_at": now, "adopted_by": actor.name}
        session.add(Ghost(first_ms=0, last_ms=0, **row, **adopted))
    session.flush()
    _record(session, code, {"code": old.id, "scene": old.scene}, actor=actor, now=now)


def adopted_by(session: Any, code: Code) -> Sequence[Ghost]:
    """Return the scenes that were given to a code, the latest first."""
    mine = select(Ghost).where(Ghost.code_id == code.id).order_by(Ghost.adopted_at.desc(), Ghost.id)
    return list(session.execute(mine).scalars())


def release_scene(session: Any, code: Code, ghost_id: int, *, actor: Actor, now: dt.datetime) -> None:
    """
    Take a scene back from a code: from now on its visits are nobody's again; the door commits.

    The own scene of a deleted code is that code's again. What was counted stays as it was.

    Raises:
        Missing: If the code does not have this scene (any more).
    """
    ghost = session.get(Ghost, ghost_id)
    if ghost is None:
        raise Missing(f"ghost {ghost_id}")
    scene, page, mine = str(ghost.scene), str(ghost.page), (Ghost.id == ghost_id, Ghost.code_id == code.id)
    change: Any = delete(Ghost).where(*mine)
    if ghost_id > 0:
        change = update(Ghost).where(*mine).values(code_id=None, adopted_at=None, adopted_by=None)
    if session.execute(change, execution_options={"synchronize_session": False}).rowcount != 1:
        raise Missing(f"ghost {ghost_id}")
    session.expunge(ghost)
    _record(session, code, {"scene": scene, "page": page}, actor=actor, now=now, action="released")


def _refuse_stranger(code: Code, authorizer_id: int) -> None:
    if code.authorizer_id != authorizer_id or code.deleted_at is not None:
        raise Missing(f"code {code.id}")


def _record(
    session: Any,
    code: Code,
    detail: dict[str, Any],
    *,
    actor: Actor,
    now: dt.datetime,
    action: str = "adopted",
) -> None:
    subject = audit.Subject("code", str(code.id), code.name)
    audit.record(session, action, subject, actor=actor, now=now, authorizer_id=code.authorizer_id, detail=detail)


def live_code_named(session: Any, authorizer_id: int, name: str) -> Code:
    """Return the live code of this name. Raises Missing."""
    mine = (Code.authorizer_id == authorizer_id, Code.name == name, Code.deleted_at.is_(None))
    code = session.execute(select(Code).where(*mine)).scalar_one_or_none()
    if code is None:
        raise Missing(name)
    return code


def newest_names(session: Any, authorizer_id: int, most: int = 200) -> Sequence[str]:
    """Return the names of the newest live codes."""
    mine = select(Code.name).where(Code.authorizer_id == authorizer_id, Code.deleted_at.is_(None))
    return list(session.execute(mine.order_by(Code.id.desc()).limit(most)).scalars())
