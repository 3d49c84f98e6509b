"""
WeChat's door: pushes to the third-party platform. Public, without session, exempt from the host's CSRF protection.

What is genuine is stored and answered with a plain ``success``; WeChat is never asked from here. Everything else is
refused with 403 and an empty body, and counted: no header and no setting switches the check off.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from flask import Blueprint, Flask, current_app, has_app_context, request
from flask.wrappers import Response
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

from fab_minicode import pushes, signals
from fab_minicode.errors import CallbackRejected
from fab_minicode.runtime import EXTENSION, Runtime, now
from fab_minicode.settings import Settings
from fab_minicode.views.errands import Errands
from fab_minicode.wechat.callbacks import MAX_BODY_BYTES, CallbackKeys, open_echo, open_envelope

log = logging.getLogger(__name__)

BLUEPRINT = "fab_minicode_wechat"
DOOR = "fab_minicode_wechat_door"
"""``app.extensions`` key of the :class:`Door`."""

_SINGLE = ("signature", "msg_signature", "timestamp", "nonce", "encrypt_type", "echostr", "openid")
_WRITES_PER_SECOND = 20
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'"),
)


def register_callbacks(appbuilder: Any) -> None:
    """Register WeChat's door on the host; the manager keeps the host's CSRF protection away from it."""
    app: Flask = current_app._get_current_object() if has_app_context() else appbuilder.get_app  # type: ignore[attr-defined]
    known: Runtime = app.extensions[EXTENSION]
    door = Door(appbuilder, known)
    app.extensions[DOOR] = door
    app.register_blueprint(_blueprint(door))


def door() -> Door:
    """Return the current application's door."""
    found: Door = current_app.extensions[DOOR]
    return found


def callback_keys(settings: Settings) -> CallbackKeys | None:
    """Return what the platform shares with WeChat; None where no platform is configured."""
    if not settings.component_appid:
        return None
    return CallbackKeys(settings.component_appid, settings.component_token, settings.component_encoding_aes_keys)


class Door:
    """Takes pushes, counts what is refused, and starts the errands that a push leaves behind."""

    def __init__(self, appbuilder: Any, known: Runtime) -> None:
        self._appbuilder, self._vault = appbuilder, known.vault
        self._keys = callback_keys(known.settings)
        self._refusals = Refusals()
        self.errands = Errands(known)

    def engine(self) -> Engine:
        """Return the engine of the host's session; Flask-AppBuilder 4 calls it ``get_session``."""
        session = getattr(self._appbuilder, "session", None) or self._appbuilder.get_session
        return session.get_bind().engine

    def take(self, body: bytes, args: Mapping[str, str], instant: dt.datetime) -> None:
        """
        Take one push.

        Raises:
            CallbackRejected: If it is forged, altered, old, replayed, or nobody here awaits one.
            SQLAlchemyError: If it could not be stored; WeChat sends it again.
        """
        keys = self.keys()
        push = open_envelope(body, args, keys, now=instant)
        engine = self.engine()
        with signals.begin(engine) as connection:
            left = pushes.receive(connection, push, component=keys.appid, vault=self._vault, now=instant)
        log.info("WeChat pushed %s", push.info_type.encode("ascii", "replace").decode("ascii")[:40])
        if left:
            self.errands.run(engine)

    def echo(self, args: Mapping[str, str], instant: dt.datetime) -> bytes:
        """Return what WeChat wants to hear when it tries the address. Raises CallbackRejected."""
        return open_echo(args, self.keys(), now=instant)

    def keys(self) -> CallbackKeys:
        """Return the keys. Raises CallbackRejected where no platform is configured."""
        if self._keys is None:
            raise CallbackRejected("no third-party platform is configured")
        return self._keys

    def refuse(self, reason: str, instant: dt.datetime) -> None:
        """Count a refusal; what cannot be written now is written with the next one."""
        self._refusals.add(reason, instant, self._write)

    def refusals(self, connection: Any) -> list[pushes.Refused]:
        """Return what was refused, this process's latest ones included."""
        self._refusals.flush(now(), self._write)
        return pushes.refusals(connection)

    def _write(self, counted: Mapping[str, int], instant: dt.datetime) -> bool:
        def work(connection: Connection) -> None:
            for reason, count in sorted(counted.items()):
                pushes.count_refusals(connection, reason, count, instant)

        try:
            with self.engine().begin() as connection:
                work(connection)
        except SQLAlchemyError as error:
            log.warning("refused pushes were not counted yet: %s", type(error).__name__)
            return False
        return True


class Refusals:
    """Counts per reason that wait to be written: a flood of forged pushes must not become a flood of writes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()
        self._second, self._writes = 0, 0

    def add(self, reason: str, instant: dt.datetime, write: Callable[[Mapping[str, int], dt.datetime], bool]) -> None:
        """Count one; written at once, but not more than some times a second."""
        with self._lock:
            self._waiting[reason] += 1
            second = int(instant.timestamp())
            self._writes = self._writes + 1 if second == self._second else 1
            self._second = second
            is_much = self._writes > _WRITES_PER_SECOND
        if not is_much:
            self.flush(instant, write)

    def flush(self, instant: dt.datetime, write: Callable[[Mapping[str, int], dt.datetime], bool]) -> None:
        """Write what waits."""
        with self._lock:
            counted, self._waiting = self._waiting, Counter()
        if counted and not write(counted, instant):
            with self._lock:
                self._waiting.update(counted)


def _blueprint(door: Door) -> Blueprint:
    blueprint = Blueprint(BLUEPRINT, __name__, url_prefix="/minicode/wechat")

    @blueprint.post("/events")
    def push() -> Response:
        door.take(_body(), _arguments(), now())
        return _plain(b"success")

    @blueprint.get("/events")
    def echo() -> Response:
        return _plain(door.echo(_arguments(), now()))

    def refused(error: CallbackRejected) -> Response:
        reason = str(error)[:64]
        log.warning("a push at WeChat's door was refused: %s", reason)
        door.refuse(reason, now())
        return _plain(b"", 403)

    def away(error: SQLAlchemyError) -> Response:
        # The type only: a database's message may hold what was to be stored.
        log.warning("a push was not stored: %s", type(error).__name__)
        return _plain(b"", 503)

    blueprint.register_error_handler(CallbackRejected, refused)
    blueprint.register_error_handler(SQLAlchemyError, away)
    blueprint.after_request(_secure)
    return blueprint


def _body() -> bytes:
    announced = request.content_length
    if announced is not None and announced > MAX_BODY_BYTES:
        raise CallbackRejected("body is too large")
    if (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise CallbackRejected("body is packed")
    try:
        body: bytes = request.stream.read(MAX_BODY_BYTES + 1)
    except HTTPException:  # the sender hung up, or the host's own limit is lower
        raise CallbackRejected("body is cut off") from None
    if announced is not None and len(body) < announced:
        raise CallbackRejected("body is cut off")
    return body


def _arguments() -> dict[str, str]:
    """Return the query's values; one that stands twice could be read differently by a proxy and by us."""
    for name in request.args:
        if name.lower() in _SINGLE and len(request.args.getlist(name)) != 1:
            raise CallbackRejected("a query parameter stands twice")
    names = [name.lower() for name in request.args]
    if any(names.count(name) > 1 for name in _SINGLE):
        raise CallbackRejected("a query parameter stands twice")
    return request.args.to_dict()


def _plain(content: bytes, status: int = 200) -> Response:
    return Response(content, status, content_type="text/plain; charset=utf-8")


def _secure(response: Response) -> Response:
    response.headers.extend(_HEADERS)
    return response
