"""
What the doors (views, REST, CLI) need at run time, kept in ``app.extensions["fab_minicode"]``.

Floor 1 never imports this: it gets settings, vault and client as arguments.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Flask, current_app, request
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fab_minicode.settings import Settings
from fab_minicode.tokens import Provider, Tokens
from fab_minicode.vault import Secret, Vault
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.wechat.component import Platform

EXTENSION = "fab_minicode"


@dataclass(frozen=True)
class Runtime:
    """
    Settings, the vault for secrets at rest, the telephone to WeChat, and the host's own functions, if any: its token
    service, who knows which mini program (``scope``), and who a tracker's visitor is (``views/visitor_ids``).
    """

    settings: Settings
    vault: Vault
    client: WeChatClient
    provider: Provider | None = None
    who_knows: Callable[..., Any] | None = None
    visitor_id: Callable[..., Any] | None = None

    @property
    def platform(self) -> Platform | None:
        """The third-party platform that we are, None where none is configured."""
        known = self.settings
        return Platform(known.component_appid, Secret(known.component_appsecret)) if known.component_appid else None

    def tokens(self, target: Engine) -> Tokens:
        """Return the access tokens that are kept in a database."""
        return Tokens(target, self.vault, self.client, platform=self.platform, provider=self.provider)


def runtime() -> Runtime:
    """Return the current application's runtime."""
    found: Runtime = current_app.extensions[EXTENSION]
    return found


def session() -> Session:
    """Return the host's session; Flask-AppBuilder 4 calls it ``get_session``."""
    appbuilder: Any = current_app.extensions["appbuilder"]
    found = getattr(appbuilder, "session", None)
    return found if found is not None else appbuilder.get_session


def engine() -> Engine:
    """Return the engine of the host's session."""
    bind = session().get_bind()
    return bind.engine


def tokens() -> Tokens:
    """Return the access tokens, in the host's database."""
    return runtime().tokens(engine())


def now() -> dt.datetime:
    """Read the clock: aware UTC. Only doors call this, once per request or command."""
    return dt.datetime.now(dt.timezone.utc)


def exempt(app: Flask, names: frozenset[str]) -> None:
    """
    Keep the host's CSRF protection away from the blueprints ``names``, which check it themselves.

    Hosts may set it up before or after Flask-AppBuilder: so at each request, before every other hook. Exempting twice
    changes nothing.
    """

    def leave_to_us() -> None:
        protect = current_app.extensions.get("csrf")
        if protect is not None and request.blueprint in names:
            protect.exempt(current_app.blueprints[request.blueprint])

    app.before_request_funcs.setdefault(None, []).insert(0, leave_to_us)
