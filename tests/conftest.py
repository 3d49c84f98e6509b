"""
Fixtures that all tests share: a fresh database of each kind with our tables, an engine and a session on it.

Warm tests ask for ``engine`` or ``session``, or for ``app`` or ``client`` (a whole host), and run once on SQLite and
once on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from fab_minicode.models import Base
from fab_minicode.sandbox import SAMPLE_APPS, App, Sandbox
from tests import databases, hosts, scratch, stories, third_party

# Before anything asks for a temporary folder.
scratch.use_memory()

# A busy machine takes its time over an example; how long is no law of ours.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(autouse=True, scope="module")
def _drop_databases_of_a_module() -> Iterator[None]:
    """What fixtures made that a module's tests share goes with the module."""
    with databases.dropping():
        yield


@pytest.fixture(autouse=True)
def _drop_databases_of_a_test() -> Iterator[None]:
    """What a test and its fixtures made goes with the test; being automatic, this begins first and ends last."""
    with databases.dropping():
        yield


@pytest.fixture(params=databases.KINDS)
def database_url(request: pytest.FixtureRequest, tmp_path) -> str:
    """A new empty database; the test runs once per kind."""
    return databases.fresh(request.param, tmp_path)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """An engine on a database that holds our tables."""
    engine = databases.engine_for(database_url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    """A session on ``engine``."""
    with Session(engine, future=True) as session:
        yield session


@pytest.fixture
def shop(engine: Engine) -> str:
    """A mini program with the id 1 on ``engine``, which is whose the events of ``tests.events`` are; its AppID."""
    with Session(engine, future=True) as session:
        session.add(stories.authorizer())
        session.commit()
    return stories.APPID


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A local WeChat that knows ``SAMPLE_APPS``."""
    with Sandbox() as sandbox:
        yield sandbox


@pytest.fixture(params=databases.KINDS)
def app(request: pytest.FixtureRequest, tmp_path, sandbox: Sandbox) -> Iterator[Flask]:
    """
    A Flask-AppBuilder host with the add-on, the users of ``hosts.USERS`` and ``sandbox`` as WeChat.

    The test runs once per database. ``hosts.connect(app)`` connects a mini program, ``hosts.login(client, name)`` and
    ``hosts.bearer(client, name)`` log in, ``hosts.csrf_token(client)`` is what a page would carry.
    """
    app = hosts.make_host(hosts.copy_of_template(request.param, tmp_path), FAB_MINICODE_WECHAT_API_URL=sandbox.url)
    yield app
    hosts.close(app)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    """
    A browser that nobody logged in with.

    Unlike pytest-flask's it does not keep the last request's context open: that would hold its database connection.
    """
    return app.test_client()


@pytest.fixture(autouse=True)
def _push_request_context() -> None:
    """
    Switch off what pytest-flask does around each test: one request context for all.

    Flask-Login keeps the user in it, so that the second request of a test would act as the first one's user.
    """


@pytest.fixture
def platform_sandbox() -> Iterator[Sandbox]:
    """A local WeChat that knows ``SAMPLE_APPS``, an official account, and the third-party platform of the tests."""
    official = App(third_party.OFFICIAL, "0" * 32, "公众号", is_official_account=True)
    with Sandbox((*SAMPLE_APPS, official), platform=replace(third_party.PLATFORM)) as sandbox:
        yield sandbox


@pytest.fixture(params=databases.KINDS)
def platform_app(request: pytest.FixtureRequest, tmp_path, platform_sandbox: Sandbox) -> Iterator[Flask]:
    """A host that is a third-party platform, as ``app``."""
    app = third_party.make_platform_host(request.param, tmp_path, platform_sandbox)
    yield app
    third_party.settle(app)
    hosts.close(app)
