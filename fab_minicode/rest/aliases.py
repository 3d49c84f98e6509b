"""Words that mean the same, over REST."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import permissions
from fab_minicode.acquisition import aliases
from fab_minicode.acquisition.aliases import Suggestion, Usage
from fab_minicode.acquisition.vocabulary import ALIASED
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Alias, Authorizer
from fab_minicode.rest import reading
from fab_minicode.rest.answering import MinicodeApi, answer
from fab_minicode.rest.shown import instant
from fab_minicode.runtime import now, runtime, session
from fab_minicode.scope import authorizer_of, scope
from fab_minicode.views.pages import actor

ALIAS_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "appid": {"type": "string"},
        "dimension": {"type": "string", "enum": list(ALIASED)},
        "value": {"type": "string", "description": "What was collected"},
        "target": {"type": "string", "description": "What it counts as"},
        "users": {"type": "integer", "description": "Of the value, in the last 30 days"},
        "created_by": {"type": "string"},
        "created_at": {"type": "string", "format": "date-time"},
    },
}


class MinicodeAliasesApi(MinicodeApi):
    """UTM values that answers count as another one."""

    route_base = "/api/v1/minicode/aliases"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    openapi_spec_tag = "Minicode"
    apispec_parameter_schemas = {"MinicodeAlias": ALIAS_SCHEMA}

    @expose("/", methods=["GET"])
    @protect()
    def get_list(self) -> Response:
        """
        List the aliases.
        ---
        get:
          summary: The aliases of a mini program, by dimension, target and value
          parameters:
            - {in: query, name: appid, required: true, schema: {type: string}}
          responses:
            200:
              description: All of them
              content:
                application/json:
                  schema:
                    type: object
                    properties:
                      count: {type: integer}
                      result: {type: array, items: {$ref: '#/components/schemas/MinicodeAlias'}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        authorizer = _asked()
        rows = aliases.listed(session(), authorizer.id)
        used: dict[tuple[str, str], Usage] = {}
        for dimension in {row.dimension for row in rows}:
            texts = [row.value for row in rows if row.dimension == dimension]
            found = aliases.usage_of(session().connection(), authorizer.id, dimension, texts, today=_today())
            used |= {(dimension, text): usage for text, usage in found.items()}
        result = [_alias_json(row, authorizer, used[row.dimension, row.value]) for row in rows]
        return answer(200, {"count": len(result), "result": result})

    @expose("/suggestions", methods=["GET"])
    @protect()
    def suggestions(self) -> Response:
        """
        Suggest merges.
        ---
        get:
          summary: Values of the last 30 days that may mean the same, and which one is used more
          parameters:
            - {in: query, name: appid, required: true, schema: {type: string}}
          responses:
            200:
              description: Those that concern most visits first
              content:
                application/json:
                  schema:
                    type: object
                    properties:
                      count: {type: integer}
                      result:
                        type: array
                        items:
                          type: object
                          properties:
                            dimension: {type: string}
                            value: {type: string}
                            target: {type: string}
                            reason: {type: string, enum: [spelling, similar]}
                            visits: {type: integer}
                            users: {type: integer}
                            target_visits: {type: integer}
                            target_users: {type: integer}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        found = aliases.suggestions(session().connection(), _asked().id, today=_today())
        return answer(200, {"count": len(found), "result": [_suggestion_json(one) for one in found]})

    @expose("/", methods=["POST"])
    @protect()
    def post(self) -> Response:
        """
        Merge a value into another one.
        ---
        post:
          summary: From now on and for the past the value counts as the target
          requestBody:
            required: true
            content:
              application/json:
                schema:
                  type: object
                  additionalProperties: false
                  required: [appid, dimension, value, target]
                  properties:
                    appid: {type: string}
                    dimension: {type: string}
                    value: {type: string, maxLength: 256}
                    target: {type: string, maxLength: 256}
          responses:
            201:
              description: The alias; its target is what the target you named counts as
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeAlias'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        sent = reading.body()
        reading.only(sent, "appid", "dimension", "value", "target")
        appid, *texts = (reading.text(sent, name) for name in ("appid", "dimension", "value", "target"))
        if not appid:
            raise InvalidInput("appid", "required")
        authorizer = authorizer_of(appid)
        row = aliases.merge(session(), authorizer.id, *texts, actor=actor(), now=now())
        session().commit()
        used = aliases.usage_of(session().connection(), authorizer.id, row.dimension, [row.value], today=_today())
        return answer(201, _alias_json(row, authorizer, used[row.value]))

    @expose("/<pk>", methods=["DELETE"])
    @protect()
    def delete(self, pk: str) -> Response:
        """
        Undo a merge.
        ---
        delete:
          summary: The value counts as itself again, for the past as well
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          responses:
            200:
              description: It is undone
              content:
                application/json:
                  schema:
                    type: object
                    properties:
                      id: {type: integer}
                      message: {type: string}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
        """
        row = aliases.alias_of(session(), reading.row_id(pk))
        if not scope().knows(row.authorizer_id):
            raise Missing(pk)
        number = row.id
        aliases.undo(session(), row, actor=actor(), now=now())
        session().commit()
        return answer(200, {"id": number, "message": "OK"})


def _asked() -> Authorizer:
    appid = request.args.get("appid", "")
    if not appid:
        raise InvalidInput("appid", "required")
    return authorizer_of(appid)


def _today() -> Any:
    return now().astimezone(runtime().settings.zone).date()


def _alias_json(row: Alias, authorizer: Authorizer, usage: Usage) -> dict[str, Any]:
    return {
        "id": row.id,
        "appid": authorizer.appid,
        "dimension": row.dimension,
        "value": row.value,
        "target": row.target,
        "users": usage.users,
        "created_by": row.created_by,
        "created_at": instant(row.created_at),
    }


def _suggestion_json(one: Suggestion) -> dict[str, Any]:
    return {
        "dimension": one.dimension,
        "value": one.value,
        "target": one.target,
        "reason": one.reason,
        "visits": one.usage.visits,
        "users": one.usage.users,
        "target_visits": one.target_usage.visits,
        "target_users": one.target_usage.users,
    }
