"""
Our tables' schema over time: Alembic inside the package, with a version table of our own beside the host's.

Flask-AppBuilder creates no tables for add-ons. The command line calls :func:`upgrade`; nothing here needs an ini file,
Flask, or a host. A new revision is written from the models, against a database that is at :func:`head`, by
``alembic.command.revision(migrations.config(connection), "what changes", autogenerate=True)``.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from contextlib import contextmanager

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine
from sqlalchemy.engine import Connection, Engine

VERSION_TABLE = "minicode_alembic_version"
_LOCK = 7234917233


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's configuration for our revisions, on ``connection`` where one is given."""
    found = Config()
    # Alembic reads % in an option as the start of a placeholder.
    found.set_main_option("script_location", str(pathlib.Path(__file__).parent).replace("%", "%%"))
    found.attributes["connection"] = connection
    return found


def head() -> str:
    """Return the newest revision."""
    return str(ScriptDirectory.from_config(config()).get_current_head())


def current(target: Engine | str) -> str | None:
    """Return the revision a database is at; None before the first upgrade."""
    with _transaction(target) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        revision: str | None = context.get_current_revision()
        return revision


def upgrade(target: Engine | str, revision: str = "head") -> None:
    """
    Bring the tables ``minicode_*`` of a database to a revision; others are not touched.

    Args:
        target: An engine, or an SQLAlchemy address.
        revision: A revision or ``"head"``.

    Everything happens in one transaction, one upgrade at a time (SQLite and PostgreSQL).
    """
    with _transaction(target) as connection:
        _alone(connection)
        command.upgrade(config(connection), revision)


def downgrade(target: Engine | str, revision: str) -> None:
    """Bring the tables back to an older revision; ``"base"`` drops them all, with what they hold."""
    with _transaction(target) as connection:
        _alone(connection)
        command.downgrade(config(connection), revision)


def _alone(connection: Connection) -> None:
    """Let nobody else migrate meanwhile, and let a crash leave nothing half done."""
    if connection.dialect.name == "sqlite":
        # Python's driver opens no transaction for DDL by itself.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    elif connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")


@contextmanager
def _transaction(target: Engine | str) -> Iterator[Connection]:
    engine = create_engine(target, future=True) if isinstance(target, str) else target
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        if isinstance(target, str):
            engine.dispose()
