"""What the roll-up left in the tables, in a form that does not depend on the order in which numbers were given."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select, text
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.facts import every
from fab_minicode.acquisition.tally import Tally
from fab_minicode.models import Series, Value, Visitor

State = dict[Any, Any]


def state_of(engine: Engine) -> State:
    """
    Return the facts of all mini programs: visitors by their pseudonym and first visit, values by their text.

    ``(event, route, dimension, day, value) -> visitors``, each as often as counted.
    """
    with Session(engine, future=True) as session:
        who = {row.id: (row.head, row.tail, row.first_ms) for row in session.execute(select(Visitor)).scalars()}
        texts: dict[int, str] = dict(session.execute(select(Value.id, Value.value)).all())
        contexts = {
            row["id"]: tuple(row[name] if name == "code" else texts.get(row[name], "") for name in NAMES)
            for row in session.execute(text("SELECT * FROM minicode_contexts")).mappings()
        }
        facts: State = {}
        for authorizer_id in session.execute(select(Series.authorizer_id).distinct()).scalars():
            for key, rows in every(session.connection(), authorizer_id, range(2**31 - 1)):
                for day, value, tally in rows:
                    plain = value if key.dimension in ("touch", "code") else texts.get(value, "")
                    name = contexts[value] if key.dimension == "context" else plain
                    visitors = facts.setdefault((key.event, key.route, key.dimension, day, name), [])
                    visitors += sorted(who[one] for one in Tally.unpack(tally).ids().tolist())
        return facts


def entry_and_first(facts: State) -> State:
    """
    Return what attributions ``entry`` and ``first`` and new users are counted from: whole contexts only.

    A carried touch is no part of them; ``stray`` events have no touch of a first visit either.
    """
    touch = len([name for name in NAMES if name not in ("landing_page", "scene")])
    found: State = {}
    for (event, route, dimension, day, name), visitors in facts.items():
        if dimension == "context" and route != "last":
            kept = name if route in ("own", "entry") else ("",) * 5 + (0,) + name[touch:]
            found.setdefault((event, route == "stray", day, kept), []).extend(visitors)
    return {key: sorted(visitors) for key, visitors in found.items()}
