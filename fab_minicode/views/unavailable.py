"""
What is answered while the database is away: 503 and "come again", never a success and never a stack trace.

Gone, locked, full, without a free connection, or without our tables: all of that passes without a restart of the host,
so nobody is told more than to try again. What was *sent* wrong (a constraint, a value) is no such case.
"""

from __future__ import annotations

import contextlib
import logging

from flask import current_app, request
from flask.wrappers import Response
from sqlalchemy.exc import (
    DataError,
    DBAPIError,
    IntegrityError,
    NotSupportedError,
    PendingRollbackError,
    SQLAlchemyError,
    TimeoutError,  # noqa: A004 - the pool's: no connection became free
)

from fab_minicode.runtime import now, runtime, session
from fab_minicode.views.shown import Shown

log = logging.getLogger(__name__)

AWAY: tuple[type[SQLAlchemyError], ...] = (DBAPIError, PendingRollbackError, TimeoutError)
"""What handlers are registered for; :func:`note_away` sorts out the rest."""

RETRY_AFTER_SECONDS = 5
_NOT_AWAY = (DataError, IntegrityError, NotSupportedError)


def note_away(error: SQLAlchemyError) -> None:
    """
    Log that the database is away and give its connection back.

    Raises:
        SQLAlchemyError: ``error`` itself, if something else is wrong; the host then answers as to any fault.
    """
    if isinstance(error, _NOT_AWAY):
        raise error
    # The type only: a database's message may hold what was sent.
    log.error("the database failed: %s", type(getattr(error, "orig", None) or error).__name__)
    # A connection that is dead may fail once more while it is given back.
    with contextlib.suppress(SQLAlchemyError):
        session().rollback()


def page_away(error: SQLAlchemyError) -> Response:
    """
    Answer a page's request while the database is away. Raises as :func:`note_away`.

    The page stands alone: the host's layout asks the database who is there and what their menu holds.
    """
    note_away(error)
    shown = Shown.here(now=now(), zone=runtime().settings.zone)
    # Not flask's render_template: it runs the host's context processors, which load the person from the database.
    template = current_app.jinja_env.get_template("fab_minicode/unavailable.html")
    text = template.render(shown=shown, is_asking=request.method in {"GET", "HEAD"})
    return away_headers(Response(text, 503, content_type="text/html; charset=utf-8"))


def away_headers(response: Response) -> Response:
    """Say when to come again."""
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response
