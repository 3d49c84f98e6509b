"""
Fills the demo through the real doors: people and roles, mini programs, codes.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from sqlalchemy import select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fab_minicode import authorizers, codes
from fab_minicode.actor import Actor
from fab_minicode.demo.story import BOOKS, CINEMA, COFFEE, MINI_PROGRAMS, PRINTS, Print
from fab_minicode.draft import Draft
from fab_minicode.errors import MinicodeError
from fab_minicode.kinds import Options
from fab_minicode.models import Code
from fab_minicode.permissions import CREATOR, MANAGER, VIEWER
from fab_minicode.roles import grant_roles
from fab_minicode.runtime import Runtime
from fab_minicode.tokens import Tokens
from fab_minicode.utm import Utm
from fab_minicode.vault import Secret

USERS = (
    ("admin", "Ada", "Admin", "Admin"),
    ("manager", "Mei", "Manager", MANAGER.name),
    ("creator", "Chen", "Creator", CREATOR.name),
    ("viewer", "Vera", "Viewer", VIEWER.name),
)
"""``(user name and password, first name, last name, role)``."""


def add_people(security: Any, menu_category: str) -> dict[str, Actor]:
    """Create our roles and :data:`USERS`; return who they are as actors, by user name."""
    grant_roles(security, menu_category)
    for name, first, last, role in USERS:
        if security.find_user(username=name) is None:
            security.add_user(name, first, last, f"{name}@example.com", security.find_role(role), password=name)
    found = {name: security.find_user(username=name) for name, *_ in USERS}
    return {name: Actor(str(user.id), user.get_full_name()) for name, user in found.items()}


def connect_mini_programs(engine: Engine, runtime: Runtime, *, actor: Actor, now: dt.datetime) -> None:
    """Connect all mini programs with their own secrets."""
    for program in MINI_PROGRAMS:
        with Session(engine, future=True) as session:
            authorizers.connect_with_secret(
                session,
                appid=program.appid,
                secret=Secret(program.secret),
                nick_name=program.nick_name,
                actor=actor,
                now=now,
                client=runtime.client,
                vault=runtime.vault,
            )
            session.commit()


def print_codes(
    engine: Engine, runtime: Runtime, people: dict[str, Actor], *, first: dt.datetime, last: dt.datetime
) -> None:
    """
    Make every code of the story, the first one at ``first``, the last one at ``last``, the others evenly between.

    Raises:
        MinicodeError: If one was not made; a demo without pictures would not show anything.
    """
    rows = [(appid, row) for appid, prints in PRINTS.items() for row in prints]
    step = {appid: (last - first) / (len(prints) - 1) for appid, prints in PRINTS.items()}
    since = dict.fromkeys(PRINTS, first)
    tokens = Tokens(engine, runtime.vault, runtime.client)
    for number, (appid, row) in enumerate(rows):
        maker, changer = people["creator" if number % 3 else "manager"], people["manager"]
        with Session(engine, future=True) as session:
            code = codes.plan(session, _draft(appid, row), actor=maker, now=since[appid])
            session.commit()
            error = codes.generate(session, code, tokens=tokens, client=runtime.client, actor=maker, now=since[appid])
            if error is not None:
                raise error
            session.commit()
            _change(session, code, row, actor=changer, now=min(since[appid] + dt.timedelta(days=2, hours=3), last))
            session.commit()
        since[appid] += step[appid]


def lose_authorization(engine: Engine, runtime: Runtime, *, now: dt.datetime) -> None:
    """Ask for a token after WeChat stopped accepting a mini program's secret: it is not authorised from then on."""
    try:
        Tokens(engine, runtime.vault, runtime.client).of(CINEMA.appid, now=now)
    except MinicodeError:
        return
    raise AssertionError("WeChat still accepts the secret")


def collect_keys(engine: Engine) -> dict[str, str]:
    """Return the collect key of each mini program that has visitors, by AppID."""
    with Session(engine, future=True) as session:
        programs = (COFFEE, BOOKS)
        return {one.appid: authorizers.authorizer_of(session, one.appid).collect_key for one in programs}


def prints_of(engine: Engine, appid: str) -> list[tuple[Print, Code]]:
    """Return the codes of the story with their rows, deleted ones included: their prints still hang there."""
    by_name = {row.renamed or row.name: row for row in PRINTS[appid]}
    with Session(engine, future=True) as session:
        authorizer = authorizers.authorizer_of(session, appid)
        rows = (
            session.execute(select(Code).where(Code.authorizer_id == authorizer.id).order_by(Code.id)).scalars().all()
        )
        return [(by_name[code.name], code) for code in rows if code.name in by_name]


def _draft(appid: str, row: Print) -> Draft:
    look = Options(line_color=row.colour or None)
    return Draft(appid=appid, name=row.name, kind=row.kind, landing_page=row.page, utm=Utm(*row.utm), options=look)


def _change(session: Session, code: Code, row: Print, *, actor: Actor, now: dt.datetime) -> None:
    if row.renamed:
        codes.rename(session, code, row.renamed, actor=actor, now=now)
    if row.deleted:
        codes.delete(session, code, actor=actor, now=now)
