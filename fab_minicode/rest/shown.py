"""Rows as programs read them."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

from flask import url_for

from fab_minicode.authorizers import sets_of
from fab_minicode.codes import READY
from fab_minicode.models import Authorizer, Code
from fab_minicode.utm import UTM_FIELDS

CODE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string", "maxLength": 50},
        "appid": {"type": "string"},
        "kind": {"type": "string", "enum": ["wxacode", "wxaqrcode", "wxacode_unlimited"]},
        "state": {"type": "string", "enum": ["ready", "planned", "failed", "unknown"]},
        "path": {"type": "string", "nullable": True, "description": "What A and C carry"},
        "path_bytes": {"type": "integer", "nullable": True, "description": "UTF-8 bytes of path"},
        "page": {"type": "string"},
        "scene": {"type": "string", "nullable": True, "description": "What B carries"},
        "landing_page": {"type": "string"},
        **{name: {"type": "string", "maxLength": 128} for name in UTM_FIELDS},
        "options": {
            "type": "object",
            "properties": {
                "width": {"type": "integer", "minimum": 280, "maximum": 1280},
                "line_color": {"type": "string", "example": "#0a7350"},
                "auto_color": {"type": "boolean"},
                "is_hyaline": {"type": "boolean"},
            },
        },
        "remark": {"type": "string", "maxLength": 500},
        "image_url": {"type": "string", "nullable": True},
        "error": {"type": "object", "nullable": True, "description": "Why there is no picture"},
        "created_by": {"type": "string"},
        "created_at": {"type": "string", "format": "date-time"},
        "changed_by": {"type": "string"},
        "changed_at": {"type": "string", "format": "date-time"},
        "first_visit_at": {"type": "string", "format": "date-time", "nullable": True},
    },
}


def instant(value: dt.datetime | None) -> str | None:
    """Return ISO 8601 in UTC with ``Z``, to the millisecond; None for None."""
    if value is None:
        return None
    return value.astimezone(dt.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def code_json(code: Code) -> dict[str, Any]:
    """Return a code as JSON."""
    error = None
    if code.error_message is not None:
        error = {"errcode": code.error_code, "message": code.error_message, "rid": code.error_rid}
    return {
        "id": code.id,
        "name": code.name,
        "appid": code.authorizer.appid,
        "kind": code.kind,
        "state": code.state,
        "path": code.path,
        "path_bytes": code.path_bytes,
        "page": code.page,
        "scene": code.scene,
        "landing_page": code.landing_page,
        **{name: getattr(code, name) for name in UTM_FIELDS},
        "options": json.loads(code.options),
        "remark": code.remark,
        "image_url": url_for("MinicodeCodesApi.image", pk=code.id) if code.state == READY else None,
        "error": error,
        "created_by": code.created_by,
        "created_at": instant(code.created_at),
        "changed_by": code.changed_by,
        "changed_at": instant(code.changed_at),
        "first_visit_at": instant(code.first_visit_at),
    }


def authorizer_json(row: Authorizer) -> dict[str, Any]:
    """Return a mini program as JSON; nothing sealed is in it."""
    return {
        "appid": row.appid,
        "nick_name": row.nick_name,
        "principal_name": row.principal_name,
        "status": row.status,
        "credential": row.credential,
        "permission_sets": list(sets_of(row)),
        "collect_key": row.collect_key,
        "last_event_at": instant(row.last_event_at),
        "created_at": instant(row.created_at),
        "created_by": row.created_by,
    }
