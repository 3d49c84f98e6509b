"""Visitors behind numbers over REST: who they are, one of them, funnels, retention."""

from __future__ import annotations

from typing import Any

from flask import request
from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import permissions
from fab_minicode.acquisition import behind, funnel, funnel_question, retention, retention_question, who
from fab_minicode.acquisition.journey_doubts import funnel_sql, retention_sql
from fab_minicode.acquisition.scope import whole
from fab_minicode.errors import InvalidInput
from fab_minicode.rest import reading
from fab_minicode.rest.analysis_schemas import SQL_SCHEMA
from fab_minicode.rest.answering import MinicodeApi, answer
from fab_minicode.runtime import now, runtime, session
from fab_minicode.scope import authorizer_of

MAX_PAGE = 1_000_000
_WINDOW = {"description": 'A name, {"last_days": n} or {"since", "until"}'}
_STEP = {"description": '"visit" or {"event": name}'}
_SHARED: dict[str, Any] = {
    "appid": {"type": "string"},
    "dimensions": {"type": "array", "maxItems": 1, "items": {"type": "string"}},
    "filters": {"type": "array", "items": {"type": "object"}},
    "segment": {"type": "string", "description": "all, new, returning, or segment:<id>"},
    "window": _WINDOW,
    "attribution": {"type": "string", "enum": ["last", "entry", "first"]},
    "limit": {"type": "integer"},
}
_CELL: dict[str, Any] = {
    "type": "object",
    "description": "Which number of a funnel or a retention",
    "properties": {
        "step": {"type": "integer", "minimum": 1, "maximum": 6, "description": "People who took it; 1 if left out"},
        "lost_after": {"type": "integer", "minimum": 1, "maximum": 5, "description": "Who took it and not the next"},
        "returned": {"type": "integer", "minimum": 1, "maximum": 30, "description": "Day after; left out: who started"},
        "row": {"type": "object", "nullable": True, "description": "A row of the answer; null for the totals"},
        "others": {"type": "boolean", "description": "What the limit left out"},
    },
}
SCHEMAS: dict[str, Any] = {
    "MinicodeSql": SQL_SCHEMA,
    "MinicodeCell": {
        "type": "object",
        "description": "A number of an event analysis (question), of a funnel or of a retention: one of the three",
        "properties": {
            "question": {"type": "object", "description": "As for query"},
            "metric": {"type": "string", "description": "One of the question's; the first if left out"},
            "row": {"type": "object", "nullable": True, "description": "A row of the answer; null for the totals"},
            "segment": {"type": "string"},
            "others": {"type": "boolean", "description": "What the limit left out"},
            "funnel": {"$ref": "#/components/schemas/MinicodeFunnel"},
            "retention": {"$ref": "#/components/schemas/MinicodeRetention"},
            "cell": _CELL,
            "page": {"type": "integer"},
        },
    },
    "MinicodeFunnel": {
        "type": "object",
        "required": ["appid", "steps"],
        "properties": {
            **_SHARED,
            "steps": {"type": "array", "minItems": 2, "maxItems": 6, "items": _STEP},
            "within_days": {"type": "integer", "minimum": 1, "maximum": 90},
        },
    },
    "MinicodeRetention": {
        "type": "object",
        "required": ["appid"],
        "properties": {
            **_SHARED,
            "start": {"type": "string", "enum": ["first_visit", "visit"]},
            "return": _STEP,
            "days": {"type": "integer", "minimum": 1, "maximum": 30},
        },
    },
}


class MinicodeVisitorsApi(MinicodeApi):
    """What people did, one by one or step by step; always by pseudonym."""

    route_base = "/api/v1/minicode/analysis"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    openapi_spec_tag = "Minicode"
    apispec_parameter_schemas = SCHEMAS

    @expose("/visitors", methods=["POST"])
    @protect()
    def visitors(self) -> Response:
        """
        List the visitors behind one number of an answer, of a funnel or of a retention.
        ---
        post:
          summary: Pseudonymous visitors behind a number, page by page
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeCell'}}}
          responses:
            200: {description: A page of visitors, content: {application/json: {schema: {type: object}}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        asked = reading.body()
        page = whole(asked.pop("page", 0), "page", (0, MAX_PAGE))
        meant = behind.parse(asked)
        number, settings, at = int(authorizer_of(meant.appid).id), runtime().settings, now()
        connection = session().connection()
        crowd = meant.crowd(connection, number, settings=settings, now=at)
        found = who.people(connection, number, crowd, page=page, settings=settings, now=at)
        return answer(200, found.as_json())

    @expose("/visitors/<pseudonym>", methods=["GET"])
    @protect()
    def visitor(self, pseudonym: str) -> Response:
        """
        Tell one visitor's story.
        ---
        get:
          summary: First and last touch of one visitor, and their visits and events as long as these are kept
          parameters:
            - {in: path, name: pseudonym, required: true, schema: {type: string}}
            - {in: query, name: appid, required: true, schema: {type: string}}
            - {in: query, name: page, schema: {type: integer}}
          responses:
            200: {description: The visitor, content: {application/json: {schema: {type: object}}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        appid = request.args.get("appid", "")
        if not appid:
            raise InvalidInput("appid", "required")
        number = int(authorizer_of(appid).id)
        page = min(reading.argument("page", 0), MAX_PAGE)
        connection = session().connection()
        found = who.story(connection, number, pseudonym, page=page, settings=runtime().settings, now=now())
        return answer(200, found.as_json())

    @expose("/funnel", methods=["POST"])
    @protect()
    def funnel(self) -> Response:
        """
        Count a funnel.
        ---
        post:
          summary: People who took one step after the other, in time
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeFunnel'}}}
          responses:
            200: {description: People per step, content: {application/json: {schema: {type: object}}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        question = funnel_question.parse(reading.body())
        number = int(authorizer_of(question.scope.appid).id)
        found = funnel.count(session().connection(), number, question, settings=runtime().settings, now=now())
        return answer(200, found.as_json())

    @expose("/funnel/sql", methods=["POST"])
    @protect()
    def funnel_sql(self) -> Response:
        """
        Tell the SQL that recounts a funnel's totals.
        ---
        post:
          summary: SQL for whoever doubts a funnel
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeFunnel'}}}
          responses:
            200:
              description: One statement, which finds the users of each step, and with a dimension one by group
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSql'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        question = funnel_question.parse(reading.body())
        authorizer_of(question.appid)
        found = funnel_sql(session().connection(), question, settings=runtime().settings, now=now())
        return answer(200, found.as_json())

    @expose("/retention", methods=["POST"])
    @protect()
    def retention(self) -> Response:
        """
        Count who comes back.
        ---
        post:
          summary: Returns on day 1 to 30 after the first step
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeRetention'}}}
          responses:
            200: {description: Cohorts and their returns, content: {application/json: {schema: {type: object}}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        question = retention_question.parse(reading.body())
        number = int(authorizer_of(question.scope.appid).id)
        found = retention.count(session().connection(), number, question, settings=runtime().settings, now=now())
        return answer(200, found.as_json())

    @expose("/retention/sql", methods=["POST"])
    @protect()
    def retention_sql(self) -> Response:
        """
        Tell the SQL that recounts a retention's totals.
        ---
        post:
          summary: SQL for whoever doubts a retention
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeRetention'}}}
          responses:
            200:
              description: Two statements, of the starts and of who came back on which day after
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSql'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        question = retention_question.parse(reading.body())
        authorizer_of(question.appid)
        found = retention_sql(session().connection(), question, settings=runtime().settings, now=now())
        return answer(200, found.as_json())
