"""A host where two teams live: what everybody finds of their own, what is foreign to them, and what is nowhere."""

from __future__ import annotations

import io
import json
import re
from typing import Any

from flask import Flask
from PIL import Image
from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from fab_minicode import audit, boards, codes, questions
from fab_minicode.acquisition import aliases, segment_rules, segment_store
from fab_minicode.actor import Actor
from fab_minicode.models import Alias, Authorizer, AuthorizerRole, Base, Code, CodeImage, Ghost, SavedSegment
from fab_minicode.permissions import MANAGER, MENUS, ROLES, VIEWER
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.routes import Route
from tests.stories import NOW, draft

SHOP, OTHER, FOREIGN = SAMPLE_APPS
WANG, STRANGER = Actor("7", "Wang Li"), Actor("8", "Foreign Person")
OURS = tuple(role.name for role in ROLES)
PUBLIC = "Public"
STRANGERS = ("anonymous", "public")
THEIRS = "Another role"
FOREIGN_WORD = "zzforeignzz"
"""Stands in every name of the foreign team; no answer to anybody else may hold it."""

NOWHERE = {
    "code": "987654321",
    "program": "987654321",
    "appid": "wx0000000000000000",
    "program_appid": "wx0000000000000000",
    "secret": "0" * 32,
    "leaver": "987654321",
    "question": "987654321",
    "board": "987654321",
    "segment": "987654321",
    "alias": "987654321",
    "ghost": "987654321",
}
"""Names and keys of things that do not exist."""


def _picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (430, 430)).save(out, "PNG")
    return out.getvalue()


class World:
    """
    The host. Our team's people know ``SHOP`` and ``OTHER``; ``FOREIGN`` belongs to a role that nobody of them holds.

    What is done to codes is done to :attr:`own`'s mini program ``SHOP``, what is done to mini programs to ``OTHER``.
    With ``is_public`` the host's public role may do what a viewer may, and belongs to our team.
    """

    def __init__(self, app: Flask, *, is_public: bool = False) -> None:
        self.app = app
        self._team = (*OURS, PUBLIC) if is_public else OURS
        self._picture = _picture()
        self._number = 0
        self._clients: dict[str, Any] = {}
        for program in SAMPLE_APPS:
            hosts.connect(app, program)
        self._add_person_with_menus_only()
        self._add_inactive_manager()
        if is_public:
            self._let_the_public_read()
        with hosts.database(app) as session:
            named = {one.appid: one for one in session.execute(select(Authorizer)).scalars()}
            self._keys = {appid: int(one.id) for appid, one in named.items()}
            named[FOREIGN.appid].nick_name = f"Shop {FOREIGN_WORD}"
            for one in named.values():
                one.head_image, one.head_image_mime = self._picture, "image/png"
            session.commit()
        self.own = self._furnish(SHOP, WANG, "ours")
        self.own |= {"program": str(self._keys[OTHER.appid]), "program_appid": OTHER.appid}
        self.foreign = self._furnish(FOREIGN, STRANGER, FOREIGN_WORD)
        self.fresh()
        self.settle()

    def settle(self) -> None:
        """Put back what a knock may have changed: teams, states and names of mini programs."""
        with hosts.database(self.app) as session:
            session.execute(delete(AuthorizerRole))
            rows = [
                {"authorizer_id": self._keys[one.appid], "role": role} for one in (SHOP, OTHER) for role in self._team
            ]
            rows.append({"authorizer_id": self._keys[FOREIGN.appid], "role": THEIRS})
            session.execute(insert(AuthorizerRole), rows)
            for one in session.execute(select(Authorizer)).scalars():
                one.status = "authorized"
            for made in session.execute(select(Code).where(Code.name.in_(("made here", "renamed here")))).scalars():
                made.name = f"earlier {made.id}"
            session.commit()

    def fresh(self) -> dict[str, str]:
        """Make one more code of our team, with a picture, its only alias and segment; return what is ours now."""
        self._number += 1
        shop = self._keys[SHOP.appid]
        with hosts.database(self.app) as session:
            code = self._code(session, SHOP, WANG, f"code {self._number}")
            session.execute(delete(Alias).where(Alias.authorizer_id == shop))
            alias = aliases.merge(session, shop, "utm_medium", "paper", "print", actor=WANG, now=NOW)
            asked = self._asked(session, SHOP, WANG, "ours")
            session.execute(delete(SavedSegment).where(SavedSegment.authorizer_id == shop))
            rule = segment_rules.parse({"conditions": [{"kind": "new"}]})
            program = session.get(Authorizer, shop)
            segment = segment_store.save(session, program, "Somebody", rule, actor=WANG, now=NOW)
            session.commit()
            # What it took away must not be asked for again; PostgreSQL, unlike SQLite, gives no key twice.
            self.own |= {"code": str(code.id), "alias": str(alias.id), "segment": str(segment.id), **asked}
            return self.own

    def contents(self) -> dict[str, list[str]]:
        """Return every row of our tables, the audit among them."""
        with hosts.engine_of(self.app).connect() as connection:
            tables = Base.metadata.sorted_tables
            return {table.name: sorted(map(str, connection.execute(select(table)).all())) for table in tables}

    def knock(self, person: str, route: Route, things: dict[str, str], *, method: str = "", address: str = "") -> Any:
        """
        Return what somebody is answered.

        Args:
            person: One of ``routes.PEOPLE``.
            route: At which door.
            things: What stands in the braces.
            method: Another one than the route's.
            address: Another one than the route's.
        """
        client = self.client(person)
        headers = {"X-CSRFToken": hosts.csrf_token(client)}
        sent = filled(route.sent, things)
        body = {"json" if route.is_rest else "data": sent} if sent is not None and not method else {}
        target = filled(address or route.address, things)
        return client.open(target, method=method or route.method, headers=headers, buffered=True, **body)

    def client(self, person: str) -> Any:
        """Return somebody's browser, logged in."""
        if person not in self._clients:
            client = self.app.test_client()
            self._clients[person] = client if person in STRANGERS else hosts.login(client, person)
        return self._clients[person]

    def _code(self, session: Session, program: Any, who: Actor, name: str) -> Code:
        wanted = draft(appid=program.appid, name=name, kind="wxacode_unlimited", landing_page="pages/a")
        code = codes.plan(session, wanted, actor=who, now=NOW)
        code.state = codes.READY
        values = {"sha256": "0" * 64, "mime": "image/png", "fetched_at": NOW}
        session.add(CodeImage(code_id=code.id, content=self._picture, **values))
        session.flush()
        return code

    def _asked(self, session: Session, program: Any, who: Actor, word: str) -> dict[str, str]:
        """Save a question that every reader sees, and a board; return their keys."""
        key = self._keys[program.appid]
        person = questions.Person(who, frozenset(), frozenset((key,)))
        asks = json.dumps({"appid": program.appid, "metrics": ["users"]})
        saving = questions.Saving(key, "events", asks, f"question {word}", visibility=questions.READERS)
        question = questions.save(session, saving, person, now=NOW)
        board = boards.make(session, f"board {word}", person, now=NOW)
        boards.add_builtin(session, board, "headline", key, person, now=NOW)
        return {"question": str(question.id), "board": str(board.id)}

    def _furnish(self, program: Any, who: Actor, word: str) -> dict[str, str]:
        """Give a mini program one of everything; ``word`` stands in every name."""
        key = self._keys[program.appid]
        with hosts.database(self.app) as session:
            code = self._code(session, program, who, f"code {word}")
            code.utm_source = f"source {word}"
            asked = self._asked(session, program, who, word)
            signed = {f"{verb}_{what}": value for verb in ("created", "changed")
                      for what, value in (("at", NOW), ("by_id", who.id), ("by", who.name))}  # fmt: skip
            rule = segment_rules.parse({"conditions": [{"kind": "new"}]})
            segment = segment_store.save(
                session, session.get(Authorizer, key), f"segment {word}", rule, actor=who, now=NOW
            )
            alias = Alias(
                authorizer_id=key, dimension="utm_source", value=f"raw {word}", target=f"target {word}", **signed
            )
            ghost = Ghost(authorizer_id=key, scene=f"shop={word}", page=f"pages/{word}", first_ms=1, last_ms=1)
            session.add_all((alias, ghost))
            audit.record(
                session, "renamed", audit.Subject("code", "1", f"code {word}"), actor=who, now=NOW, authorizer_id=key
            )
            session.commit()
            return {
                "code": str(code.id),
                "program": str(key),
                "appid": program.appid,
                "program_appid": program.appid,
                "secret": program.secret,
                "leaver": who.id,
                **asked,
                "segment": str(segment.id),
                "alias": str(alias.id),
                "ghost": str(ghost.id),
            }

    def _add_person_with_menus_only(self) -> None:
        with self.app.app_context():
            security = self.app.extensions["appbuilder"].sm
            role = security.add_role("Menus only")
            for name, _ in MENUS:
                granted = security.add_permission_view_menu("menu_access", name)
                security.add_permission_role(role, granted)
            security.add_user("menus", "Menus", "Test", "menus@example.org", role, password="menus")

    def _add_inactive_manager(self) -> None:
        with self.app.app_context():
            security = self.app.extensions["appbuilder"].sm
            role = security.find_role(MANAGER.name)
            user = security.add_user("inactive", "Inactive", "Test", "in@example.org", role, password="inactive")
            user.active = False
            security.update_user(user)

    def _let_the_public_read(self) -> None:
        with self.app.app_context():
            security = self.app.extensions["appbuilder"].sm
            role = security.find_role(PUBLIC)
            for view_menu, names in VIEWER.grants:
                for name in names:
                    security.add_permission_role(role, security.find_permission_view_menu(name, view_menu))


def filled(shape: Any, things: dict[str, str]) -> Any:
    """Return an address, a form or JSON with everything in braces filled in."""
    if isinstance(shape, dict):
        return {name: filled(value, things) for name, value in shape.items()}
    if isinstance(shape, list):
        return [filled(value, things) for value in shape]
    return re.sub(r"\{(\w+)\}", lambda found: things[found[1]], shape) if isinstance(shape, str) else shape


def names_something(route: Route) -> bool:
    """Whether a route's address or what it is sent names a mini program or something of one."""
    return bool(re.search(r"\{\w+\}", route.address + str(route.sent).replace("{}", "")))


def told(answer: Any, things: dict[str, str]) -> tuple[int, str]:
    """Return what an answer tells, without what differs between any two requests."""
    location = answer.headers.get("Location", "")
    if location.startswith("/login/"):
        # What Flask-AppBuilder before 5.3 says of a refusal: nothing but the address that was asked for.
        return answer.status_code, "/login/"
    text = text_of(answer) + location
    for name, value in sorted(things.items(), key=lambda pair: -len(pair[1])):
        # A short key is a number like others, unless it stands in an address.
        text = text.replace(value, name) if len(value) >= 8 else re.sub(rf"(?<=[/=]){value}\b", name, text)
    return answer.status_code, re.sub(r'value="[\w.-]{60,}"|nonce="[^"]*"|kept=[\w-]+', "", text)


def text_of(answer: Any) -> str:
    """Return an answer's body as text, a picture's too."""
    text: str = answer.get_data().decode("utf-8", "replace")
    return text
