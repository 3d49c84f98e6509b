"""
The command line: ``flask minicode ...`` inside a host, and ``minicode ...`` without one.

``minicode upgrade --url`` needs no Flask application; the other commands load the one that ``FLASK_APP`` names.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import click
from cryptography.fernet import Fernet
from flask import current_app
from flask.cli import ScriptInfo, with_appcontext
from sqlalchemy import create_engine, select
from sqlalchemy.engine import Engine
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError

from fab_minicode import audit, authorizers, handing_over, migrations, pushes, upkeep
from fab_minicode.acquisition import erasure, rollup
from fab_minicode.acquisition.accept import pseudonym_of
from fab_minicode.acquisition.pseudonyms import visitor_named
from fab_minicode.acquisition.verify import Verified
from fab_minicode.acquisition.verify import verify as recount
from fab_minicode.actor import CLI, SYSTEM, Actor
from fab_minicode.component_tokens import ticket_of
from fab_minicode.errors import InvalidInput, MinicodeError, Missing
from fab_minicode.models import Authorizer
from fab_minicode.roles import grant_roles
from fab_minicode.runtime import engine, now, runtime, session
from fab_minicode.settings import PREFIX, SETTINGS
from fab_minicode.views import messages
from fab_minicode.views.teams import heir_named


class _Commands(click.Group):
    """Commands that say in one line when the tables are not there."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except (OperationalError, ProgrammingError) as error:
            if not names_a_missing_table(error):
                raise
            raise click.ClickException("our tables are missing or old: run `flask minicode upgrade`") from None


def names_a_missing_table(error: DBAPIError) -> bool:
    """Whether a database's error says that a table or column of ours is not there."""
    text, code = str(error.orig), getattr(error.orig, "pgcode", None) or getattr(error.orig, "sqlstate", None)
    if code is not None:  # PostgreSQL: undefined_table, undefined_column; its words are of the server's language
        return code in ("42P01", "42703") and "minicode_" in f"{text}{error.statement}"
    is_column = "no such column" in text and "minicode_" in str(error.statement)
    return "no such table: minicode_" in text or is_column


@click.group(cls=_Commands)
def minicode() -> None:
    """WeChat mini-program codes and what they bring."""


def main() -> None:
    """Run the console command ``minicode``."""
    minicode(prog_name="minicode", obj=ScriptInfo(app_import_path=os.environ.get("FLASK_APP")))


@minicode.command()
@click.option("--url", metavar="ADDRESS", help="SQLAlchemy address of the database; without it, the host's.")
@click.pass_context
def upgrade(context: click.Context, url: str | None) -> None:
    """Create the tables minicode_*, or bring them up to date. Other tables are not touched."""
    if url is None:
        context.invoke(_upgrade_host)
        return
    try:
        _upgrade(create_engine(url, future=True))
    except (SQLAlchemyError, ImportError) as error:
        # SQLAlchemy does not repeat the password of an address.
        raise click.ClickException(f"{type(error).__name__}: {error}") from None


@with_appcontext
def _upgrade_host() -> None:
    _upgrade(engine())


def _upgrade(target: Engine) -> None:
    before = migrations.current(target)
    migrations.upgrade(target)
    click.echo(f"minicode tables: {before or 'none'} -> {migrations.current(target)}")


@minicode.command()
@with_appcontext
def roles() -> None:
    """Create the roles Minicode Viewer, Creator and Manager, or add what they lack."""
    names = grant_roles(current_app.extensions["appbuilder"].sm, runtime().settings.menu_category)
    for name in names:
        click.echo(name)
    try:
        # Flask-AppBuilder commits each grant by itself; this row can only follow them.
        with engine().begin() as connection:
            subject = audit.Subject("roles")
            audit.record(connection, "granted", subject, actor=operator(), now=now(), detail={"names": names})
    except (OperationalError, ProgrammingError) as error:
        # Roles stand in the host's tables, which may be there before ours.
        if not names_a_missing_table(error):
            raise
        click.echo("not recorded: run `flask minicode upgrade` for our own tables", err=True)


@minicode.command("rollup")
@click.option("--all", "everything", is_flag=True, help="Go on until nothing is left; without it, one batch.")
@with_appcontext
def roll_up(everything: bool) -> None:
    """Count accepted events, for hosts with FAB_MINICODE_ROLLUP = "external"."""
    count = rollup.roll_up_all if everything else rollup.roll_up
    with _refusals():
        counted = count(engine(), settings=runtime().settings, now=now())
    click.echo(f"events counted: {counted}")


@minicode.command("rotate-keys")
@click.option("--check", is_flag=True, help="Only count; status 1 when something is left to do.")
@with_appcontext
def rotate_keys(check: bool) -> None:
    """Seal every stored secret with the newest of FAB_MINICODE_SECRET_KEYS."""
    vault = runtime().vault
    if check:
        found = upkeep.sealed_texts(engine(), vault)
    else:
        found = upkeep.rotate_keys(engine(), vault, now=now(), actor=operator())
    click.echo(f"sealed with the newest key before: {found.newest}")
    click.echo(f"{'still to be sealed anew' if check else 'sealed anew'}: {found.older}")
    click.echo(f"opened by no key (enter these secrets again): {found.unreadable}")
    if found.unreadable or (check and found.older):
        raise SystemExit(1)


@minicode.command()
@with_appcontext
def purge() -> None:
    """Remove raw events older than FAB_MINICODE_EVENT_RETENTION_DAYS; the numbers stay."""
    days = runtime().settings.event_retention_days
    removed = upkeep.purge(engine(), retention_days=days, now=now(), actor=operator())
    click.echo(f"events older than {days} days: {removed.events}")
    click.echo(f"idempotency keys older than {upkeep.IDEMPOTENCY_DAYS} days: {removed.idempotency_keys}")
    click.echo(f"unknown scenes not seen for {upkeep.GHOST_DAYS} days: {removed.ghosts}")


@minicode.group()
def visitor() -> None:
    """Copy or erase everything about one visitor: visitor export, visitor erase (docs/privacy.md)."""


def _whose(command: Any) -> Any:
    """Add the options that name a visitor."""
    for option in (
        click.option("--pseudonym", help="As pages and REST show it."),
        click.option("--device", help="The raw device id, as the tracker sent it."),
        click.option("--appid", required=True, help="The mini program's AppID."),
    ):
        command = option(command)
    return command


def _hashed(connection: Any, row: Authorizer, device: str | None, pseudonym: str | None) -> bytes:
    if bool(device) == bool(pseudonym):
        raise click.UsageError("name the visitor by either --device or --pseudonym")
    if pseudonym:
        return visitor_named(connection, int(row.id), pseudonym).hashed
    key = authorizers.visitor_key(runtime().vault, str(row.appid), str(row.sealed_visitor_key))
    return pseudonym_of(key, str(device))


@visitor.command("export")
@_whose
@with_appcontext
def export_visitor(appid: str, device: str | None, pseudonym: str | None) -> None:
    """Print everything that is stored about a visitor, as JSON."""
    with _refusals():
        row = authorizers.authorizer_of(session(), appid)
        connection = session().connection()
        found = erasure.export_visitor(connection, int(row.id), _hashed(connection, row, device, pseudonym))
        subject = audit.Subject("visitor")
        audit.record(session(), "exported", subject, actor=operator(), now=now(), authorizer_id=int(row.id))
        session().commit()
    click.echo(json.dumps({"appid": appid, **found}, ensure_ascii=False, indent=2))


@visitor.command("erase")
@_whose
@click.option("--yes", is_flag=True, help="Do not ask.")
@with_appcontext
def erase_visitor(appid: str, device: str | None, pseudonym: str | None, yes: bool) -> None:
    """Remove everything that is stored about a visitor, and take them out of every number."""
    with _refusals():
        row = authorizers.authorizer_of(session(), appid)
        number, hashed = int(row.id), _hashed(session().connection(), row, device, pseudonym)
        # SQLite has one writer: what is read here must not hold it up.
        session().rollback()
        if not yes:
            click.confirm("Remove this visitor for ever?", abort=True)
        erased = erasure.erase_visitor(engine(), number, hashed, actor=operator(), now=now())
    click.echo(f"events: {erased.events}, attributions: {erased.attributions}, tallies changed: {erased.tallies}")


@contextmanager
def _refusals() -> Iterator[None]:
    try:
        yield
    except Missing:
        raise click.ClickException("no such mini program or visitor") from None
    except MinicodeError as error:
        raise click.ClickException(str(error)) from None


def operator() -> Actor:
    """Return who runs the command, by the name the machine knows them by."""
    try:
        return Actor("", getpass.getuser()[:128], CLI)
    except (KeyError, OSError):  # a container whose user has no name
        return SYSTEM


SHOWN_DIFFERENCES = 200
"""Of one day and mini program; the rest is counted."""

_DAY = click.DateTime(formats=["%Y-%m-%d"])


@minicode.command()
@click.option("--appid", help="One mini program only.")
@click.option("--day", type=_DAY, help="One day only; the same as --since and --until.")
@click.option("--since", type=_DAY, help="First day; without it, the first whose raw events are all there.")
@click.option("--until", type=_DAY, help="Last day; without it, today.")
@with_appcontext
def verify(appid: str | None, day: dt.datetime | None, since: dt.datetime | None, until: dt.datetime | None) -> None:
    """Recount stored numbers from raw events; status 1 when something differs."""
    first, last = day or since, day or until
    days, facts, wrong = 0, 0, 0
    window = {"since": first and first.date(), "until": last and last.date()}
    _refuse_unknown(appid)
    for found in recount(engine(), settings=runtime().settings, now=now(), appid=appid, **window):
        _tell(found)
        days, facts, wrong = days + found.is_verifiable, facts + found.facts, wrong + len(found.differences)
    click.echo(f"days recounted: {days}, facts compared: {facts}, differences: {wrong}")
    if wrong:
        raise SystemExit(1)


def _refuse_unknown(appid: str | None) -> None:
    with engine().connect() as connection:
        known = connection.execute(select(Authorizer.appid)).scalars().all()
    if appid is not None and appid not in known:
        raise click.BadParameter(f"no such mini program: {appid}", param_hint="--appid")


def _tell(found: Verified) -> None:
    if not found.is_verifiable:
        click.echo(f"{found.day} {found.appid}: raw events are purged, not verifiable")
    for difference in found.differences[:SHOWN_DIFFERENCES]:
        click.echo(str(difference))
    if len(found.differences) > SHOWN_DIFFERENCES:
        click.echo(f"{found.day} {found.appid}: and {len(found.differences) - SHOWN_DIFFERENCES} more differences")


@minicode.command("hand-over")
@click.option("--from", "leaver", required=True, metavar="USER", help="User name of who leaves, or their id.")
@click.option("--to", required=True, metavar="USER", help="User name of who follows.")
@with_appcontext
def hand_over(leaver: str, to: str) -> None:
    """Make somebody the owner of all codes, saved questions and boards of somebody who leaves."""
    security = current_app.extensions["appbuilder"].sm
    # Whoever is gone from the host is still known by the id that their things carry.
    gone = security.find_user(username=leaver)
    try:
        heir, known = heir_named(security, to)
        whose = leaver if gone is None else str(gone.get_id())
        had = handing_over.hand_over(session(), whose, heir, actor=operator(), now=now(), known_to_heir=known)
    except InvalidInput as error:
        raise click.ClickException(str(messages.refusal(error))) from None
    session().commit()
    click.echo(f"codes: {had.codes}\nsaved questions: {had.questions}\nboards: {had.boards}")


@dataclass(frozen=True)
class Line:
    """One line of ``check``: ``state`` is ``ok``, ``warn`` or ``FAIL``."""

    what: str
    state: str
    detail: str


@minicode.command()
@with_appcontext
def check() -> None:
    """Check settings, database, migrations, stored secrets and the way to WeChat."""
    lines = [*_settings(), *_database(engine()), _wechat(), *_platform(engine())]
    width = max(len(line.what) for line in lines)
    for line in lines:
        click.echo(f"{line.what:<{width}}  {line.state:<4}  {line.detail}".rstrip())
    if not runtime().settings.secret_keys:
        click.echo("\nA fresh key for the host's configuration (keep it secret, keep it safe):")
        click.echo(f'{PREFIX}SECRET_KEYS = ["{Fernet.generate_key().decode("ascii")}"]')
    if any(line.state == "FAIL" for line in lines):
        raise SystemExit(1)


def _settings() -> Iterator[Line]:
    settings = runtime().settings
    for setting in SETTINGS:
        value: Any = getattr(settings, setting.name.lower())
        shown = ("set" if value else "empty") if setting.secret else str(value) or "empty"
        yield Line(f"{PREFIX}{setting.name}", "ok", shown)
    wished = current_app.config.get(f"{PREFIX}EVENT_RETENTION_DAYS")
    if wished is not None and int(wished) < settings.event_retention_days:
        why = f"kept {settings.event_retention_days} days, not {wished}: the numbers need them (docs/settings.md)"
        yield Line("raw events", "warn", why)
    if not settings.secret_keys:
        yield Line("secrets", "warn", "sealed with a key derived from SECRET_KEY; for development only")
    if not settings.public_url:
        yield Line(
            "public address", "warn", f"{PREFIX}PUBLIC_URL is empty: trackers are shown the address of each request"
        )


def _database(target: Engine) -> Iterator[Line]:
    try:
        found, newest = migrations.current(target), migrations.head()
        yield Line("database", "ok", target.dialect.name)
        if found != newest:
            yield Line("migrations", "FAIL", f"at {found or 'none'}, newest is {newest}: run `flask minicode upgrade`")
            return
        yield Line("migrations", "ok", newest)
        sealed = upkeep.sealed_texts(target, runtime().vault)
        with target.connect() as connection:
            count = len(connection.execute(select(Authorizer.id)).all())
        yield Line("mini programs", "ok", str(count))
    except SQLAlchemyError as error:
        yield Line("database", "FAIL", type(error).__name__)
        return
    readable = f"{sealed.newest + sealed.older} readable, {sealed.unreadable} not"
    yield Line("stored secrets", "FAIL" if sealed.unreadable else "warn" if sealed.older else "ok", readable)


def _wechat() -> Line:
    address = runtime().settings.wechat_api_url
    try:
        runtime().client.reach()
    except MinicodeError as error:
        return Line("WeChat", "FAIL", f"{address}: {error}")
    return Line("WeChat", "ok", address)


def _platform(target: Engine) -> Iterator[Line]:
    """How the third-party platform is: the ticket that WeChat pushes, and what was refused at the door."""
    here, instant = runtime(), now()
    if here.platform is None:
        return
    if not here.settings.public_url:
        yield Line(
            "way back", "warn", f"{PREFIX}PUBLIC_URL is empty: people are led back to the address of each request"
        )
    try:
        with target.connect() as connection:
            ticket = ticket_of(connection, here.vault, here.platform.appid)
            refused = pushes.refusals(connection)
    except SQLAlchemyError:
        return  # the line of the database says it
    if ticket is None:
        yield Line(
            "WeChat's ticket", "warn", "none yet: WeChat pushes one every ten minutes to /minicode/wechat/events"
        )
    elif not ticket.is_fresh(instant):
        yield Line("WeChat's ticket", "FAIL", f"older than 12 hours: pushed at {ticket.created_at:%Y-%m-%d %H:%M} UTC")
    else:
        yield Line("WeChat's ticket", "ok", f"pushed at {ticket.created_at:%Y-%m-%d %H:%M} UTC")
    told = ", ".join(f"{one.reason}: {one.count}" for one in refused)
    yield Line("refused pushes", "warn" if refused else "ok", told or "none")
