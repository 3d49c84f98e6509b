"""Mini programs over REST."""

from __future__ import annotations

from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import authorizers, codes, permissions
from fab_minicode.models import Authorizer
from fab_minicode.rest.answering import MinicodeApi, answer
from fab_minicode.rest.shown import authorizer_json
from fab_minicode.runtime import session
from fab_minicode.scope import authorizer_of, scope


class MinicodeAuthorizersApi(MinicodeApi):
    """The mini programs that are, or once were, connected."""

    route_base = "/api/v1/minicode/authorizers"
    class_permission_name = permissions.AUTHORIZERS
    base_permissions = list(permissions.AUTHORIZERS_PERMISSIONS)
    method_permission_name = permissions.AUTHORIZERS_METHODS
    openapi_spec_tag = "Minicode"

    @expose("/", methods=["GET"])
    @protect()
    def get_list(self) -> Response:
        """
        List the mini programs.
        ---
        get:
          summary: The mini programs, by name
          responses:
            200:
              description: All of them, revoked ones included
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
                            appid: {type: string}
                            nick_name: {type: string}
                            principal_name: {type: string}
                            status: {type: string, enum: [authorized, not_authorized, revoked]}
                            credential: {type: string, enum: [secret, component, provider]}
                            permission_sets: {type: array, items: {type: integer}}
                            collect_key: {type: string}
                            last_event_at: {type: string, format: date-time, nullable: true}
                            created_at: {type: string, format: date-time}
                            created_by: {type: string}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
        """
        rows = authorizers.listed(session(), narrow=scope().narrow(Authorizer.id))
        return answer(200, {"count": len(rows), "result": [authorizer_json(row) for row in rows]})

    @expose("/<appid>/quota", methods=["GET"])
    @protect()
    def quota(self, appid: str) -> Response:
        """
        Tell the quota of a mini program.
        ---
        get:
          summary: Codes of the kinds A and C that are used, and how many there are for life
          parameters:
            - {in: path, name: appid, required: true, schema: {type: string}}
          responses:
            200:
              description: The quota
              content:
                application/json:
                  schema:
                    type: object
                    properties:
                      used: {type: integer}
                      limit: {type: integer, example: 100000}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
        """
        found = codes.quota(session(), str(authorizer_of(appid).appid))
        return answer(200, {"used": found.used, "limit": found.limit})
