"""Saved segments over REST."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import request
from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import permissions
from fab_minicode.acquisition import behind, segment_store
from fab_minicode.acquisition.question import saved_segment
from fab_minicode.acquisition.segment_rules import Rule, parse
from fab_minicode.acquisition.segments import crowd_of, people_in
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import SavedSegment
from fab_minicode.rest import reading
from fab_minicode.rest.answering import MinicodeApi, answer
from fab_minicode.runtime import now, runtime, session
from fab_minicode.scope import authorizer_of, scope
from fab_minicode.views.pages import actor

SEGMENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "appid": {"type": "string"},
        "name": {"type": "string"},
        "match": {"type": "string", "enum": ["all", "any"]},
        "conditions": {"type": "array", "items": {"type": "object"}},
        "visitors": {
            "type": "object",
            "description": "Instead of conditions: one number, as for visitors",
        },
    },
}


class MinicodeSegmentsApi(MinicodeApi):
    """Conditions on visitors that somebody named."""

    route_base = "/api/v1/minicode/segments"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    openapi_spec_tag = "Minicode"
    apispec_parameter_schemas = {"MinicodeSegment": SEGMENT_SCHEMA}

    @expose("/", methods=["GET"])
    @protect()
    def get_list(self) -> Response:
        """
        List the segments of a mini program.
        ---
        get:
          summary: Saved segments, and how many people belong to each now
          parameters:
            - {in: query, name: appid, required: true, schema: {type: string}}
          responses:
            200: {description: The segments, content: {application/json: {schema: {type: object}}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        appid = request.args.get("appid", "")
        if not appid:
            raise InvalidInput("appid", "required")
        found = segment_store.listed(session(), int(authorizer_of(appid).id))
        return answer(200, {"count": len(found), "result": [_shown(row) for row in found]})

    @expose("/<pk>", methods=["GET"])
    @protect()
    def get(self, pk: str) -> Response:
        """
        Show a segment.
        ---
        get:
          summary: A saved segment
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          responses:
            200: {description: The segment, content: {application/json: {schema: {type: object}}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
        """
        return answer(200, _shown(_known(pk)))

    @expose("/", methods=["POST"])
    @protect()
    def post(self) -> Response:
        """
        Save a segment.
        ---
        post:
          summary: Save conditions, or the visitors behind one number, under a name
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSegment'}}}
          responses:
            201: {description: The segment, content: {application/json: {schema: {type: object}}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            409: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        asked = reading.body()
        name = reading.text(asked, "name")
        if not reading.text(asked, "appid"):
            raise InvalidInput("appid", "required")
        authorizer = authorizer_of(asked["appid"])
        rule = _rule(asked, str(authorizer.appid))
        row = segment_store.save(session(), authorizer, name, rule, actor=actor(), now=now())
        session().commit()
        return answer(201, _shown(row))

    @expose("/<pk>", methods=["PUT"])
    @protect()
    def put(self, pk: str) -> Response:
        """
        Change a segment.
        ---
        put:
          summary: Give a segment another name or other conditions
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSegment'}}}
          responses:
            200: {description: The segment, content: {application/json: {schema: {type: object}}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            409: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        row = _known(pk)
        asked = reading.body()
        reading.only(asked, "name", "match", "conditions")
        name = reading.text(asked, "name") or str(row.name)
        rule = segment_store.rule_of(row)
        if "conditions" in asked or "match" in asked:
            rule = parse({**rule.as_json(), **{key: asked[key] for key in ("match", "conditions") if key in asked}})
        segment_store.change(session(), row, name, rule, actor=actor(), now=now())
        session().commit()
        return answer(200, _shown(row))

    @expose("/<pk>", methods=["DELETE"])
    @protect()
    def delete(self, pk: str) -> Response:
        """
        Delete a segment.
        ---
        delete:
          summary: Delete a saved segment; questions that name it are refused from then on
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          responses:
            200: {description: It is gone, content: {application/json: {schema: {type: object}}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
        """
        row = _known(pk)
        segment_store.remove(session(), row, actor=actor(), now=now())
        session().commit()
        return answer(200, {"message": "deleted"})


def _known(pk: str) -> SavedSegment:
    found = segment_store.segment_of(session(), reading.row_id(pk))
    if not scope().knows(found.authorizer_id):
        raise Missing("segment")
    return found


def _rule(asked: Mapping[str, Any], appid: str) -> Rule:
    """Read conditions, or the number of an answer whose visitors are meant."""
    if "visitors" not in asked:
        return parse({key: value for key, value in asked.items() if key not in ("appid", "name")})
    reading.only(asked, "appid", "name", "visitors")
    sent = asked["visitors"]
    if not isinstance(sent, dict):
        raise InvalidInput("visitors", "not_an_object")
    meant = behind.parse(sent)
    if meant.appid != appid:
        raise InvalidInput(f"visitors.{meant.field}.appid", "unknown", detail=meant.appid)
    return meant.rule(saved_rules(meant.segments, appid), now=now(), zone=runtime().settings.zone)


def saved_rules(names: tuple[str, ...], appid: str) -> dict[str, Rule]:
    """Return the conditions of the saved segments among a question's. Raises InvalidInput for one that is not there."""
    known = {f"segment:{row.id}": row for row in segment_store.listed(session(), int(authorizer_of(appid).id))}
    wanted = [name for name in names if saved_segment(name)]
    for place, name in enumerate(wanted):
        if name not in known:
            raise InvalidInput(f"segments[{place}]", "unknown", detail=name)
    return {name: segment_store.rule_of(known[name]) for name in wanted}


def _shown(row: SavedSegment) -> dict[str, Any]:
    rule, settings, at = segment_store.rule_of(row), runtime().settings, now()
    connection, number = session().connection(), int(row.authorizer_id)
    segment = crowd_of(connection, number, rule, settings=settings, now=at)
    return {
        "id": row.id,
        "appid": row.authorizer.appid,
        "name": row.name,
        **rule.as_json(),
        "people": people_in(connection, number, segment, settings=settings, now=at),
        "created_by": row.created_by,
        "created_at": row.created_at.isoformat(),
        "changed_by": row.changed_by,
        "changed_at": row.changed_at.isoformat(),
    }
