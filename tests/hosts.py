"""
A plain Flask-AppBuilder host with the add-on, as an integrator writes it, on SQLite or PostgreSQL.

Building the host's own tables, permissions and users takes seconds, so each kind of database is built once as a
template and copied for every test: a file copy on SQLite, ``CREATE DATABASE ... TEMPLATE`` on PostgreSQL.
"""

from __future__ import annotations

import atexit
import datetime as dt
import importlib.metadata
import itertools
import pathlib
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cryptography.fernet import Fernet
from flask import Flask
from flask.testing import FlaskClient
from flask_appbuilder import AppBuilder
from flask_appbuilder.models.sqla import Model
from flask_jwt_extended import create_access_token
from flask_wtf import CSRFProtect
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from fab_minicode import authorizers, runtime
from fab_minicode.actor import SYSTEM, Actor
from fab_minicode.models import Base
from fab_minicode.permissions import CREATOR, MANAGER, VIEWER
from fab_minicode.roles import grant_roles
from fab_minicode.sandbox import SAMPLE_APPS, App
from fab_minicode.vault import Secret
from tests import compiled_once, databases

try:
    from flask_appbuilder.models.sqla.base import SQLA
except ModuleNotFoundError:  # Flask-AppBuilder 4
    from flask_appbuilder import SQLA

USERS = (
    ("admin", "Admin"),
    ("manager", MANAGER.name),
    ("creator", CREATOR.name),
    ("viewer", VIEWER.name),
    ("nobody", "Nothing"),
)
"""``(user name and password, role)``; ``nobody`` has a role that holds nothing."""

# How Flask-AppBuilder shows "access is denied" to somebody who is logged in: before 5.3 it leads to the login page.
DENIED = 302 if tuple(map(int, importlib.metadata.version("Flask-AppBuilder").split(".")[:2])) < (5, 3) else 403

SECRET_KEYS = [Fernet.generate_key().decode("ascii")]
_templates: dict[str, str] = {}
_numbers = itertools.count(1)


def make_host(url: str, *, csrf: str = "before", **config: Any) -> Flask:
    """
    Return a Flask-AppBuilder host whose configuration is ours plus ``config``.

    Args:
        url: Of its database.
        csrf: ``CSRFProtect`` is set up ``"before"`` or ``"after"`` Flask-AppBuilder, or not at all (``"none"``).
        config: What the test changes.
    """
    app = Flask("host")
    compiled_once.by(app)
    app.config.update(
        SECRET_KEY="a host's secret key for tests, long enough for HS256",
        SQLALCHEMY_DATABASE_URI=url,
        WTF_CSRF_ENABLED=True,
        FAB_ADD_SECURITY_VIEWS=True,
        FAB_API_SWAGGER_UI=True,
        FAB_UPDATE_PERMS=False,
        LANGUAGES={"en": {"flag": "gb", "name": "English"}, "zh": {"flag": "cn", "name": "Chinese"}},
        ADDON_MANAGERS=["fab_minicode.manager.MinicodeManager"],
        FAB_MINICODE_SECRET_KEYS=SECRET_KEYS,
        FAB_MINICODE_ROLLUP="external",
    )
    app.config.update(config)
    if url.startswith("sqlite"):
        app.config.setdefault("SQLALCHEMY_ENGINE_OPTIONS", {"connect_args": {"timeout": 20}})
    if csrf == "before":
        CSRFProtect(app)
    database = SQLA(app)
    with app.app_context():
        AppBuilder(app, database.session)
    if csrf == "after":
        CSRFProtect(app)
    return app


def engine_of(app: Flask) -> Any:
    """Return the host's engine."""
    with app.app_context():
        return runtime.engine()


def close(app: Flask) -> None:
    """Give all connections back to the database."""
    with app.app_context():
        runtime.session().remove()
        runtime.engine().dispose()


def copy_of_template(kind: str, folder: pathlib.Path) -> str:
    """Return the URL of a new database with a host's tables, our tables, roles and :data:`USERS`."""
    template = _templates.get(kind) or _templates.setdefault(kind, _build(kind))
    if kind == "sqlite":
        path = folder / f"host-{next(_numbers)}.db"
        shutil.copyfile(template.removeprefix("sqlite:///"), path)
        return f"sqlite:///{path}"
    return databases.fresh(kind, folder, template=template)


def _build(kind: str) -> str:
    folder = tempfile.mkdtemp(prefix="minicode-template-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return furnish(databases.fresh(kind, pathlib.Path(folder), stays=True))


def furnish(url: str) -> str:
    """Make a host's tables, ours, roles and :data:`USERS` in an empty database; returns its URL."""
    engine = create_engine(url, future=True)
    Model.metadata.create_all(engine)
    Base.metadata.create_all(engine)
    if url.startswith("sqlite"):
        with engine.connect() as connection:
            # Kept in the file: every copy is in WAL mode, as a careful host configures it.
            connection.execute(text("PRAGMA journal_mode=WAL"))
    engine.dispose()
    app = make_host(url, FAB_UPDATE_PERMS=True)
    with app.app_context():
        _add_people(app.extensions["appbuilder"], app.extensions["fab_minicode"].settings.menu_category)
    close(app)
    return url


def _add_people(appbuilder: Any, menu_category: str) -> None:
    grant_roles(appbuilder.sm, menu_category)
    appbuilder.sm.add_role("Nothing")
    for name, role in USERS:
        found = appbuilder.sm.find_role(role)
        with warnings.catch_warnings():
            # SQLAlchemy 1.4 tells Flask-AppBuilder that its way to add a user ends with 2.0.
            warnings.simplefilter("ignore", DeprecationWarning)
            added = appbuilder.sm.add_user(name, name.capitalize(), "Test", f"{name}@example.org", found, password=name)

        assert added, name


def user_id(app: Flask, name: str) -> str:
    """Return the host's id of a user of :data:`USERS`, as text."""
    with app.app_context():
        user = app.extensions["appbuilder"].sm.find_user(username=name)
        return str(user.id)


def login(client: FlaskClient, name: str) -> FlaskClient:
    """Log ``name`` in, as the login form would leave the session; returns the client."""
    with client.application.app_context():
        user_id = client.application.extensions["appbuilder"].sm.find_user(username=name).get_id()
    with client.session_transaction() as session:
        session.clear()
        session.update(_user_id=user_id, _fresh=True, locale="en")
    return client


def csrf_token(client: FlaskClient) -> str:
    """Return a CSRF token for the client's session, as a page would carry it."""
    from flask_wtf.csrf import generate_csrf

    app = client.application
    with client.session_transaction() as session, app.test_request_context():
        from flask import session as current

        current.update(session)
        token: str = generate_csrf()
        session.update(current)
    return token


def bearer(client: FlaskClient, name: str) -> dict[str, str]:
    """Return the header of a JWT, as ``/api/v1/security/login`` hands it out to ``name``."""
    app = client.application
    with app.app_context():
        return {"Authorization": f"Bearer {create_access_token(identity=user_id(app, name), fresh=True)}"}


def connect(app: Flask, program: App = SAMPLE_APPS[0], *, by: Actor = SYSTEM) -> str:
    """Connect a mini program of the sandbox as its form does; returns its AppID."""
    with app.app_context():
        here = app.extensions["fab_minicode"]
        session = runtime.session()
        authorizers.connect_with_secret(
            session,
            appid=program.appid,
            secret=Secret(program.secret),
            nick_name=program.nick_name,
            actor=by,
            now=dt.datetime.now(dt.timezone.utc),
            client=here.client,
            vault=here.vault,
        )
        session.commit()
    return program.appid


@contextmanager
def database(app: Flask) -> Iterator[Session]:
    """A session of the test's own on the host's database."""
    with Session(engine_of(app), future=True) as session:
        yield session
