"""
What programs are answered: the shape of an error, and how every error of a request becomes one.

The handlers stand on each API's own blueprint, so that nothing of the host's answers changes.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, current_app, jsonify, request
from flask.wrappers import Response
from flask_appbuilder.api import BaseApi
from flask_jwt_extended import verify_jwt_in_request
from flask_jwt_extended.exceptions import JWTExtendedException
from flask_login import current_user
from flask_wtf.csrf import CSRFError, validate_csrf
from jwt.exceptions import PyJWTError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound
from wtforms import ValidationError

from fab_minicode.errors import InvalidInput, MinicodeError, QuotaUsedUp, WeChatError
from fab_minicode.runtime import session
from fab_minicode.views.messages import sentence
from fab_minicode.views.unavailable import AWAY, away_headers, note_away

ADDRESS = "/api/v1/minicode/"
"""What every address of ours begins with."""

ERROR_RESPONSE: dict[str, Any] = {
    "description": "Why not: what to do about it, and the facts.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "error": {
                        "type": "object",
                        "required": ["code", "message"],
                        "properties": {
                            "code": {"type": "string", "example": "invalid_path"},
                            "message": {"type": "string"},
                            "field": {"type": "string", "example": "landing_page"},
                            "limit_bytes": {"type": "integer", "example": 128},
                            "actual_bytes": {"type": "integer", "example": 139},
                            "limit": {"type": "integer"},
                            "actual": {"type": "integer"},
                            "unit": {"type": "string", "enum": ["characters", "px"]},
                            "detail": {"type": "string"},
                            "errcode": {"type": "integer", "description": "WeChat's number"},
                            "rid": {"type": "string", "description": "WeChat's request id"},
                            "id": {"type": "integer", "description": "The code that was planned and can be retried"},
                        },
                    }
                },
            }
        }
    },
}


class MinicodeApi(BaseApi):
    """What our APIs share: a JWT or the browser's session with its CSRF token, and one shape of error."""

    allow_browser_login = True
    # Flask-AppBuilder's own exemption would let a session's cookie act without a token; see refuse_foreign_forms.
    csrf_exempt = False
    responses = {"MinicodeError": ERROR_RESPONSE}

    def create_blueprint(self, *args: Any, **kwargs: Any) -> Blueprint:
        """Create the blueprint, with our handlers on it."""
        blueprint: Blueprint = super().create_blueprint(*args, **kwargs)
        blueprint.before_request(refuse_foreign_forms)
        for kind, handler in HANDLERS:
            blueprint.register_error_handler(kind, handler)
        return blueprint

    def response_401(self) -> Response:
        """Say that nobody is logged in."""
        return error_answer(401, "not_logged_in", "Log in, or send the header Authorization: Bearer <token>.")

    def response_403(self) -> Response:
        """Say that the person may not do this."""
        return error_answer(403, "forbidden", "Your roles do not allow this.")


def in_our_shape(response: Response) -> Response:
    """Give what never reached an API of ours, below its address, the shape of our errors: no such route or method."""
    wrong = request.routing_exception
    if not isinstance(wrong, NotFound | MethodNotAllowed) or not request.path.startswith(ADDRESS):
        return response
    shaped = _http_answer(wrong)
    if "Allow" in response.headers:
        shaped.headers["Allow"] = response.headers["Allow"]
    return shaped


def answer(status: int, content: Any) -> Response:
    """Return JSON with a status."""
    response: Response = jsonify(content)
    response.status_code = status
    return response


def error_answer(status: int, code: str, message: str, **facts: Any) -> Response:
    """Return an error in our shape; facts that are None or "" are left out."""
    shown = {name: value for name, value in facts.items() if value is not None and value != ""}
    return answer(status, {"error": {"code": code, "message": message, **shown}})


def refused(error: MinicodeError, **facts: Any) -> Response:
    """Return the answer that carries an error of ours with its facts."""
    if isinstance(error, InvalidInput):
        facts |= {"field": error.field, "detail": error.detail} | _measures(error)
    if isinstance(error, QuotaUsedUp):
        facts |= {"limit": error.limit, "actual": error.used}
    if isinstance(error, WeChatError):
        facts |= {"errcode": error.errcode or None, "rid": error.rid}
    return error_answer(error.status, error.code, sentence(error), **facts)


def _measures(error: InvalidInput) -> dict[str, Any]:
    if error.unit == "bytes":
        return {"limit_bytes": error.limit, "actual_bytes": error.actual}
    return {"limit": error.limit, "actual": error.actual, "unit": error.unit}


def refuse_foreign_forms() -> None:
    """
    Check the CSRF token of a write that a session's cookie stands for.

    A request with a JWT that holds needs none: browsers send that header for nobody else, and its owner acts. So
    CSRFProtect, which knows no such exception, leaves these blueprints to us (:func:`exempt`), and hosts without it are
    protected all the same. A header alone proves nothing: beside a session, Flask-AppBuilder never looks at it.
    """
    if request.method in {"GET", "HEAD", "OPTIONS"} or not current_app.config.get("WTF_CSRF_ENABLED", True):
        return
    if not current_user.is_authenticated or _has_token():
        return
    protect = current_app.extensions.get("csrf")
    if protect is not None:
        protect.protect()
        return
    try:
        validate_csrf(request.headers.get("X-CSRFToken") or request.headers.get("X-CSRF-Token"))
    except ValidationError as error:
        raise CSRFError(str(error)) from None


def _has_token() -> bool:
    """Whether a JWT came along that holds; its owner is then who acts."""
    try:
        return verify_jwt_in_request(optional=True) is not None
    except (JWTExtendedException, PyJWTError):
        return False


def _on_ours(error: MinicodeError) -> Response:
    session().rollback()
    return refused(error)


def _on_token(_: Exception) -> Response:
    return error_answer(401, "not_logged_in", "Log in, or send the header Authorization: Bearer <token>.")


def _on_csrf(error: CSRFError) -> Response:
    return error_answer(400, "csrf", f"{error.description} Send the session's token in the header X-CSRFToken.")


def _on_http(error: HTTPException) -> Response:
    session().rollback()
    return _http_answer(error)


def _http_answer(error: HTTPException) -> Response:
    return error_answer(error.code or 500, error.name.lower().replace(" ", "_"), error.description or error.name)


def _on_database(error: SQLAlchemyError) -> Response:
    note_away(error)
    told = "The database does not answer, or lacks our tables (flask minicode upgrade)."
    return away_headers(error_answer(503, "database", told))


HANDLERS: tuple[tuple[type[Exception], Any], ...] = (
    (MinicodeError, _on_ours),
    (JWTExtendedException, _on_token),
    (PyJWTError, _on_token),
    (CSRFError, _on_csrf),
    (HTTPException, _on_http),
    *((kind, _on_database) for kind in AWAY),
)
