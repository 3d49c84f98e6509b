"""
The doors of trackers: public, without session, exempt from the host's CSRF protection and request limits.

Success is answered after COMMIT and never before. A request is refused as a whole only for its key, size, rate,
encoding or form; one bad event never sinks its batch.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
from dataclasses import asdict
from typing import IO, Any

from flask import Blueprint, Flask, current_app, has_app_context, request
from flask.wrappers import Response
from sqlalchemy.engine import Engine
from sqlalchemy.exc import SQLAlchemyError

from fab_minicode.acquisition.accept import Acceptance, accept, mark_active
from fab_minicode.errors import CollectRejected, SecretUnreadable
from fab_minicode.runtime import EXTENSION, Runtime, now
from fab_minicode.settings import Settings
from fab_minicode.trackers import GROWINGIO, HEADERS, NATIVE, SENSORS, Parsed, Tracker, TrackerRequest
from fab_minicode.views.background import RollUpThread
from fab_minicode.views.collect_gate import KnownKeys, RateLimit, Source, bounded_address
from fab_minicode.views.visitor_ids import with_own_ids

log = logging.getLogger(__name__)

BLUEPRINT = "fab_minicode_collect"
ROLL_UP = "fab_minicode_roll_up"
"""``app.extensions`` key of the roll-up thread, where there is one."""

_RETRY_AFTER_SECONDS = 5
_PIECE_BYTES = 64 * 1024
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'"),
)


def register_collect(appbuilder: Any) -> None:
    """Register the collector and, where the settings ask for it, the roll-up thread on the host of ``appbuilder``."""
    app: Flask = current_app._get_current_object() if has_app_context() else appbuilder.get_app  # type: ignore[attr-defined]
    runtime: Runtime = app.extensions[EXTENSION]
    roll_up = RollUpThread(runtime.settings) if runtime.settings.rollup == "thread" else None
    collector = Collector(appbuilder, runtime, roll_up)
    app.register_blueprint(_blueprint(collector))
    exempt_from_csrf(app)
    if roll_up is not None:
        app.extensions[ROLL_UP] = roll_up
        app.before_request(collector.start_roll_up)


def exempt_from_csrf(app: Flask) -> None:
    """
    Keep the host's CSRF protection and request limits away from the collector, and from nothing else.

    Hosts may set up both before or after Flask-AppBuilder, so it happens at each request of ours, and before the hooks
    they may have registered already. Exempting twice changes nothing. Superset limits requests per address, but
    phones behind one proxy share theirs.
    """

    def exempt() -> None:
        if request.blueprint == BLUEPRINT:
            blueprint = current_app.blueprints[BLUEPRINT]
            csrf = current_app.extensions.get("csrf")
            if csrf is not None:
                csrf.exempt(blueprint)
            limiters = current_app.extensions.get("limiter")
            for limiter in limiters if isinstance(limiters, set) else ():
                limiter.exempt(blueprint)

    app.before_request_funcs.setdefault(None, []).insert(0, exempt)


class Collector:
    """What the doors share: settings, known keys, the rate limit, and the way to the host's database."""

    def __init__(self, appbuilder: Any, runtime: Runtime, roll_up: RollUpThread | None) -> None:
        self.settings: Settings = runtime.settings
        self._appbuilder = appbuilder
        self._keys = KnownKeys(runtime.vault)
        self._rate = RateLimit(runtime.settings.collect_rate)
        self._address_rate = RateLimit(runtime.settings.collect_rate_per_address)
        self._roll_up = roll_up
        self._visitor_id = runtime.visitor_id
        self._engine_found: tuple[int, Engine] | None = None

    def collect(self, tracker: Tracker, key: str) -> tuple[Parsed, Acceptance]:
        """
        Read the current request and store its events.

        Raises:
            CollectRejected: If the request as a whole is refused.
            SQLAlchemyError: If the events could not be committed.
        """
        instant = now()
        address = bounded_address(request.remote_addr)
        if address is not None:
            self._address_rate.check(address, instant)  # first: strangers shall not cost a query
        engine = self._engine()
        source = self._keys.find(engine, key, instant)
        self._rate.check(key, instant)
        parsed = tracker.parse(_tracker_request(self.settings.collect_max_bytes))
        if self._visitor_id is not None:
            parsed = with_own_ids(parsed, self._visitor_id, appid=source.appid, tracker=tracker.name)
        acceptance = self._store(engine, source, tracker, parsed, instant)
        if self._roll_up is not None and acceptance.accepted:
            self._roll_up.kick()
        return parsed, acceptance

    def start_roll_up(self) -> None:
        """Start the roll-up thread with the process's first request, which is after any fork."""
        if self._roll_up is not None and not self._roll_up.is_started:
            self._roll_up.start(self._engine())

    def _engine(self) -> Engine:
        # Remembered, because the host's session costs a tenth of a request; a forked worker may have another engine.
        if self._engine_found is None or self._engine_found[0] != os.getpid():
            # FAB 5 has `session`, FAB 4 `get_session`; both are the host's own scoped session.
            session = getattr(self._appbuilder, "session", None) or self._appbuilder.get_session
            self._engine_found = (os.getpid(), session.get_bind().engine)
        return self._engine_found[1]

    def _store(
        self, engine: Engine, source: Source, tracker: Tracker, parsed: Parsed, instant: dt.datetime
    ) -> Acceptance:
        if not parsed.events:
            return Acceptance(0, 0, ())
        with engine.begin() as connection:
            acceptance = accept(
                connection,
                parsed.events,
                authorizer_id=source.authorizer_id,
                tracker=tracker.name,
                visitor_key=source.visitor_key,
                now=instant,
                settings=self.settings,
            )
        if acceptance.accepted and source.is_due(instant):
            self._mark_active(engine, source, instant)
        return acceptance

    def _mark_active(self, engine: Engine, source: Source, instant: dt.datetime) -> None:
        try:
            with engine.begin() as connection:
                mark_active(connection, source.authorizer_id, instant)
        except SQLAlchemyError as error:
            # The events are committed; a failure to note the time must not make the tracker send them again.
            log.warning("the time of the last event was not noted: %s", type(error).__name__)


def _blueprint(collector: Collector) -> Blueprint:
    blueprint = Blueprint(BLUEPRINT, __name__, url_prefix="/minicode/collect")

    @blueprint.post("/growingio/v3/projects/<key>/collect")
    def growingio(key: str) -> Response:
        return _answer(collector, GROWINGIO, key)

    @blueprint.route("/sensors", methods=["GET", "POST"])
    def sensors() -> Response:
        return _answer(collector, SENSORS, request.args.get("project", ""))

    @blueprint.post("/v1/<key>")
    def native(key: str) -> Response:
        return _answer(collector, NATIVE, key)

    blueprint.register_error_handler(CollectRejected, _refused)
    blueprint.register_error_handler(SQLAlchemyError, _away)
    blueprint.register_error_handler(SecretUnreadable, _away)
    blueprint.after_request(_secure)
    return blueprint


def _answer(collector: Collector, tracker: Tracker, key: str) -> Response:
    if request.method == "HEAD":
        raise CollectRejected(405, "method_not_allowed")  # Flask adds HEAD to GET, and GET stores events
    parsed, acceptance = collector.collect(tracker, key)
    rejected = sorted((*parsed.rejected, *acceptance.rejected), key=lambda rejection: rejection.index)
    answer: dict[str, Any] = {
        "accepted": acceptance.accepted,
        "duplicate": acceptance.duplicate,
        "rejected": [asdict(rejection) for rejection in rejected],
    }
    if tracker is not NATIVE:
        answer["ignored"] = parsed.ignored
    return _json(answer, tracker.success_status)


def _tracker_request(max_bytes: int) -> TrackerRequest:
    if (request.headers.get("Content-Encoding") or "identity").lower() != "identity":
        raise CollectRejected(415, "content_encoding")
    query = request.query_string.decode("utf-8", "replace")
    headers = {name: value for name in HEADERS if (value := request.headers.get(name))}
    return TrackerRequest(request.method, query, headers, _body(max_bytes), max_bytes)


def _body(max_bytes: int) -> bytes:
    """Read the body, counting what really comes: Content-Length is the sender's word, and chunked bodies have none."""
    announced = request.content_length
    if announced is not None and announced > max_bytes:
        raise CollectRejected(413, "too_large")
    if announced is None:
        return _unannounced(request.stream, max_bytes)
    # Straight from the server: the framework's wrapper around it costs as much as reading five events.
    return _announced(request.environ["wsgi.input"], announced)


def _announced(stream: IO[bytes], length: int) -> bytes:
    body = stream.read(length)
    while len(body) < length:
        piece = stream.read(length - len(body))
        if not piece:
            raise CollectRejected(400, "cut_off")
        body += piece
    return body


def _unannounced(stream: IO[bytes], max_bytes: int) -> bytes:
    body = b""
    while piece := stream.read(min(_PIECE_BYTES, max_bytes + 1 - len(body))):
        body += piece
        if len(body) > max_bytes:
            raise CollectRejected(413, "too_large")
    return body


def _refused(error: CollectRejected) -> Response:
    response = _json({"error": error.code}, error.status)
    if error.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_after_seconds)
    return response


def _away(error: Exception) -> Response:
    # The type only: a database's message may hold visitors' data.
    log.warning("events were not stored: %s", type(error).__name__)
    return _refused(CollectRejected(503, "unavailable", retry_after_seconds=_RETRY_AFTER_SECONDS))


def _json(answer: dict[str, Any], status: int) -> Response:
    return Response(json.dumps(answer, separators=(",", ":")), status, mimetype="application/json")


def _secure(response: Response) -> Response:
    response.headers.extend(_HEADERS)
    return response
