"""The export of an answer over REST."""

from __future__ import annotations

from flask import request
from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import permissions
from fab_minicode.errors import InvalidInput
from fab_minicode.questions import EVENTS
from fab_minicode.rest import reading
from fab_minicode.rest.answering import MinicodeApi
from fab_minicode.runtime import now, session
from fab_minicode.scope import authorizer_of
from fab_minicode.views.analysis_export import FORMATS
from fab_minicode.views.analysis_order import SORT
from fab_minicode.views.exporting import PICTURE, exported, sort_of
from fab_minicode.views.question_kinds import kind_named


class MinicodeExportApi(MinicodeApi):
    """Answers as files."""

    route_base = "/api/v1/minicode/analysis"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    openapi_spec_tag = "Minicode"

    @expose("/export", methods=["GET", "POST"])
    @protect()
    def export(self) -> Response:
        """
        Send an answer as a file.
        ---
        get:
          summary: The answer to the question of the query string (as the page's address carries it), as a file
          parameters:
            - {in: query, name: format, required: true, schema: {type: string, enum: [csv, xlsx, png]}}
            - {in: query, name: kind, schema: {type: string, enum: [events, funnel, retention], default: events}}
            - {in: query, name: chart, schema: {type: string, enum: [line, column, bar, number, bubble]}}
            - {in: query, name: stack, schema: {type: string, enum: [stacked, share]}}
            - {in: query, name: beside, schema: {type: string, enum: ['1']}, description: The three attributions}
            - {in: query, name: sort, schema: {type: string}, description: 'A column; descending with - before it'}
            - {in: query, name: appid, required: true, schema: {type: string}}
          responses:
            200: {description: 'All rows, what an answer cannot hold as others, and the totals; png: the chart'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        post:
          summary: The answer to a question, as a file
          parameters:
            - {in: query, name: format, required: true, schema: {type: string, enum: [csv, xlsx, png]}}
            - {in: query, name: kind, schema: {type: string, enum: [events, funnel, retention], default: events}}
            - {in: query, name: chart, schema: {type: string, enum: [line, column, bar, number, bubble]}}
            - {in: query, name: stack, schema: {type: string, enum: [stacked, share]}}
            - {in: query, name: beside, schema: {type: string, enum: ['1']}, description: The three attributions}
            - {in: query, name: sort, schema: {type: string}, description: 'A column; descending with - before it'}
          requestBody:
            required: true
            content:
              application/json:
                schema:
                  anyOf:
                    - {$ref: '#/components/schemas/MinicodeQuestion'}
                    - {$ref: '#/components/schemas/MinicodeFunnel'}
                    - {$ref: '#/components/schemas/MinicodeRetention'}
          responses:
            200: {description: 'All rows, what an answer cannot hold as others, and the totals; png: the chart'}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        wanted = request.args.get("format", "")
        if wanted not in (*FORMATS, PICTURE):
            raise InvalidInput("format", "unknown" if wanted else "required", detail=wanted[:40])
        kind = kind_named(request.args.get("kind") or EVENTS)
        question = kind.parse(reading.body()) if request.method == "POST" else kind.read(request.args)
        program = authorizer_of(question.appid)
        sort = request.args.get(SORT, "")
        if sort and not sort_of(kind, question):
            raise InvalidInput(SORT, "unknown", detail=sort[:40])
        return exported(session(), kind, question, program, wanted=wanted, at=now())
