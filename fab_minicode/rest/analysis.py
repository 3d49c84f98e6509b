"""Questions about what codes bring, over REST."""

from __future__ import annotations

from flask import request
from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import permissions
from fab_minicode.acquisition import query, values
from fab_minicode.acquisition.attributions import side_by_side
from fab_minicode.acquisition.dimensions import NAMES
from fab_minicode.acquisition.doubts import recount_sql
from fab_minicode.acquisition.question import Question, parse
from fab_minicode.acquisition.question_address import read_address
from fab_minicode.acquisition.question_fields import MAX_VALUE_CHARACTERS, choice
from fab_minicode.errors import InvalidInput
from fab_minicode.rest import reading
from fab_minicode.rest.analysis_schemas import (
    ANSWER_SCHEMA,
    EVENTS_SCHEMA,
    QUESTION_SCHEMA,
    SQL_SCHEMA,
    VALUES_SCHEMA,
)
from fab_minicode.rest.answering import MinicodeApi, answer
from fab_minicode.runtime import now, runtime, session
from fab_minicode.scope import authorizer_of


class MinicodeAnalysisApi(MinicodeApi):
    """Event analysis, with the definition beside each number."""

    route_base = "/api/v1/minicode/analysis"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    openapi_spec_tag = "Minicode"
    apispec_parameter_schemas = {
        "MinicodeQuestion": QUESTION_SCHEMA,
        "MinicodeAnswer": ANSWER_SCHEMA,
        "MinicodeValues": VALUES_SCHEMA,
        "MinicodeEvents": EVENTS_SCHEMA,
        "MinicodeSql": SQL_SCHEMA,
    }

    @expose("/query", methods=["POST"])
    @protect()
    def query(self) -> Response:
        """
        Answer a question.
        ---
        post:
          summary: Metrics by dimensions in a window
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeQuestion'}}}
          responses:
            200:
              description: The answer
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeAnswer'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        question = parse(reading.body())
        authorizer_of(question.appid)
        found = query.answer(session().connection(), question, settings=runtime().settings, now=now())
        return answer(200, found.as_json())

    @expose("/headline", methods=["GET"])
    @protect()
    def headline(self) -> Response:
        """
        Tell the headline number.
        ---
        get:
          summary: Users whom advertising brought in the 7 complete days before today
          parameters:
            - {in: query, name: appid, required: true, schema: {type: string}}
          responses:
            200:
              description: The number, its days, and the number of the 7 days before those
              content:
                application/json:
                  schema:
                    type: object
                    properties:
                      value: {type: integer}
                      window:
                        type: object
                        properties:
                          since: {type: string, format: date}
                          until: {type: string, format: date}
                          timezone: {type: string}
                      previous: {type: integer}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        asked = request.args.get("appid", "")
        if not asked:
            raise InvalidInput("appid", "required")
        appid = str(authorizer_of(asked).appid)
        settings = runtime().settings
        found = query.headline(session().connection(), appid, settings=settings, now=now())
        days = {"since": found.window.since.isoformat(), "until": found.window.until.isoformat()}
        window = {**days, "timezone": settings.timezone}
        return answer(200, {"value": found.value, "window": window, "previous": found.previous})

    @expose("/attributions", methods=["POST"])
    @protect()
    def attributions(self) -> Response:
        """
        Set the three attributions side by side.
        ---
        post:
          summary: The same groups by last touch, by this visit and by first touch
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeQuestion'}}}
          responses:
            200:
              description: Rows, totals and others with one set of numbers for each attribution
              content: {application/json: {schema: {type: object}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        question = parse(reading.body())
        authorizer_of(question.appid)
        found = side_by_side(session().connection(), question, settings=runtime().settings, now=now())
        return answer(200, found.as_json())

    @expose("/sql", methods=["POST"])
    @protect()
    def sql(self) -> Response:
        """
        Tell the SQL that recounts a question's totals.
        ---
        post:
          summary: SQL for whoever doubts a number
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeQuestion'}}}
          responses:
            200:
              description: One statement for each metric and segment
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSql'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        question = parse(reading.body())
        authorizer_of(question.appid)
        found = recount_sql(session().connection(), question, settings=runtime().settings, now=now())
        return answer(200, found.as_json())

    @expose("/values", methods=["GET"])
    @protect()
    def values(self) -> Response:
        """
        Suggest values for a filter.
        ---
        get:
          summary: The values of a dimension in a window, the most used first
          parameters:
            - {in: query, name: appid, required: true, schema: {type: string}}
            - {in: query, name: dimension, required: true, schema: {type: string}}
            - {in: query, name: q, schema: {type: string}, description: What a value contains}
            - {in: query, name: window, schema: {type: string, default: last_7}, description: As in an address}
          responses:
            200:
              description: At most 50 values, with counts
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeValues'}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        asked, q = _window_asked()
        dimension = choice(request.args.get("dimension"), "dimension", NAMES)
        connection, settings = session().connection(), runtime().settings
        found = values.values(
            connection,
            asked.appid,
            dimension,
            q,
            settings=settings,
            now=now(),
            period=asked.period,
            attribution=asked.attribution,
        )
        return answer(200, found.as_json())

    @expose("/events", methods=["GET"])
    @protect()
    def events(self) -> Response:
        """
        List the core events that were seen.
        ---
        get:
          summary: Names of custom events in a window, those of most people first
          parameters:
            - {in: query, name: appid, required: true, schema: {type: string}}
            - {in: query, name: q, schema: {type: string}, description: What a name contains}
            - {in: query, name: window, schema: {type: string, default: last_7}, description: As in an address}
          responses:
            200:
              description: The events, with counts
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeEvents'}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        asked, q = _window_asked()
        connection, settings = session().connection(), runtime().settings
        found = values.events(connection, asked.appid, q, settings=settings, now=now(), period=asked.period)
        return answer(200, {"count": len(found), "result": [one.as_json() for one in found]})


def _window_asked() -> tuple[Question, str]:
    """Return the mini program, the window and the attribution of an address, and what is looked for."""
    fields = read_address(request.args)
    question = parse({name: fields[name] for name in ("appid", "window", "attribution") if name in fields})
    authorizer_of(question.appid)
    q = request.args.get("q", "")
    if len(q) > MAX_VALUE_CHARACTERS:
        raise InvalidInput("q", "too_long", limit=MAX_VALUE_CHARACTERS, actual=len(q), unit="characters")
    return question, q
