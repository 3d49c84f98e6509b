"""
The demo's host: plain Flask-AppBuilder with the add-on, SQLite, English and Chinese, as an integrator writes it.
"""

from __future__ import annotations

import json
import pathlib
import secrets
from typing import Any

from cryptography.fernet import Fernet
from flask import Flask, Response, redirect, url_for
from flask.typing import ResponseReturnValue
from flask_appbuilder import AppBuilder, IndexView, expose
from flask_appbuilder.models.sqla.base import SQLA
from flask_login import current_user
from flask_wtf import CSRFProtect
from sqlalchemy import event
from sqlalchemy.engine import Engine

from fab_minicode.permissions import CODES

EVENT_MAX_AGE_DAYS = 60
"""The demo sends the past weeks at once."""


class Home(IndexView):
    """Lead whoever opens the address to the codes, by way of the login page."""

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Redirect those who may see codes; somebody without any role sees the host's own welcome."""
        if self.appbuilder.sm.has_access("can_list", CODES):
            return redirect("/minicode/")
        if not current_user.is_authenticated:
            return redirect(url_for("AuthDBView.login"))
        page: ResponseReturnValue = super().index()
        return page


def make_app(folder: pathlib.Path, *, wechat_url: str, public_url: str) -> Flask:
    """
    Return the host with its database in ``folder``.

    Args:
        folder: Exists; keys and database are made in it once and kept.
        wechat_url: Where the local WeChat listens.
        public_url: Where phones reach this host.
    """
    app = Flask("fab_minicode_demo")
    app.config.update(
        keys_of(folder),
        APP_NAME="Titmouse Coffee BI",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder.resolve()}/demo.db",
        SQLALCHEMY_ENGINE_OPTIONS={"connect_args": {"timeout": 20}},
        SESSION_COOKIE_SAMESITE="Lax",
        # Two demos on one machine, on different ports, share the browser's cookies.
        SESSION_COOKIE_NAME=f"minicode_demo_{public_url.rpartition(':')[2]}",
        BABEL_DEFAULT_LOCALE="en",
        LANGUAGES={"en": {"flag": "gb", "name": "English"}, "zh": {"flag": "cn", "name": "中文"}},
        FAB_API_SWAGGER_UI=True,
        ADDON_MANAGERS=["fab_minicode.manager.MinicodeManager"],
        **{f"FAB_MINICODE_WECHAT_{which}_URL": wechat_url for which in ("API", "MP", "OPEN")},
        FAB_MINICODE_PUBLIC_URL=public_url,
        FAB_MINICODE_EVENT_MAX_AGE_DAYS=EVENT_MAX_AGE_DAYS,
    )
    CSRFProtect(app)
    # Browsers ask for it unasked, and would report an error.
    app.add_url_rule("/favicon.ico", "favicon", lambda: Response(status=204))
    database = SQLA(app)
    with app.app_context():
        event.listen(database.engine, "connect", _tune)
        AppBuilder(app, database.session, indexview=Home)
    return app


def engine_of(app: Flask) -> Engine:
    """Return the host's engine."""
    with app.app_context():
        engine: Engine = app.extensions["sqlalchemy"].engine
        return engine


def _tune(connection: Any, _record: Any) -> None:
    # Collector, roll-up and people write at the same time: readers must not block, writers wait their turn.
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")


def keys_of(folder: pathlib.Path) -> dict[str, Any]:
    """
    Return the host's secret keys and those it shares with WeChat, made once: sessions and sealed secrets outlive a
    restart.
    """
    path = folder / "keys.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    fresh = {
        "SECRET_KEY": secrets.token_hex(32),
        "FAB_MINICODE_SECRET_KEYS": [Fernet.generate_key().decode("ascii")],
        "FAB_MINICODE_COMPONENT_APPID": "wxd3300000000000c0",
        "FAB_MINICODE_COMPONENT_APPSECRET": secrets.token_hex(16),
        "FAB_MINICODE_COMPONENT_TOKEN": [secrets.token_hex(8)],
        "FAB_MINICODE_COMPONENT_ENCODING_AES_KEYS": [(secrets.token_hex(22))[:43]],
    }
    if set(fresh) - set(found):
        path.touch(mode=0o600)
        path.write_text(json.dumps({**fresh, **found}), encoding="utf-8")
    return {**fresh, **found}
