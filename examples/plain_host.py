"""A plain Flask-AppBuilder host with fab_minicode; the examples beside this file add one thing each."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask
from flask_appbuilder import AppBuilder
from flask_wtf import CSRFProtect

try:
    from flask_appbuilder.models.sqla.base import SQLA
except ModuleNotFoundError:  # Flask-AppBuilder 4
    from flask_appbuilder import SQLA


def make_app(**config: Any) -> Flask:
    """Return the host; ``config`` goes before what stands here. A real host keeps its keys, this one forgets them."""
    app = Flask("example")
    app.config.update(
        SECRET_KEY=secrets.token_hex(32),
        SQLALCHEMY_DATABASE_URI="sqlite:///example.db",
        ADDON_MANAGERS=["fab_minicode.manager.MinicodeManager"],
    )
    app.config.update(config)
    CSRFProtect(app)
    database = SQLA(app)
    with app.app_context():
        AppBuilder(app, database.session)
    return app
