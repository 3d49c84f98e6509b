"""Saved questions over REST."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Any

from flask import request, url_for
from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import authorizers, permissions, questions
from fab_minicode.errors import InvalidInput
from fab_minicode.models import Authorizer, SavedQuestion
from fab_minicode.questions import Person, Saving, Search
from fab_minicode.rest import reading
from fab_minicode.rest.answering import MinicodeApi, answer
from fab_minicode.runtime import now, runtime, session
from fab_minicode.scope import authorizer_of, scope
from fab_minicode.views import people
from fab_minicode.views.question_kinds import kind_named
from fab_minicode.views.saved_questions import asked, opened, seen_at, stored

_FIELDS = ("name", "description", "question", "chart", "sort", "visibility", "roles")
_LOOK = re.compile(r"[a-z_.1]{0,16}")

QUESTION_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "description": {"type": "string"},
        "kind": {"type": "string", "enum": list(questions.KINDS)},
        "appid": {"type": "string"},
        "question": {"type": "object", "nullable": True, "description": "null where it can no longer be read"},
        "chart": {"type": "string"},
        "sort": {"type": "string", "description": "a column of the table, with - before it the highest first"},
        "visibility": {"type": "string", "enum": list(questions.VISIBILITIES)},
        "roles": {"type": "array", "items": {"type": "string"}},
        "is_locked": {"type": "boolean"},
        "owner": {"type": "string", "description": "Shown name; in a PUT the user name of the next owner"},
        "may_change": {"type": "boolean"},
        "url": {"type": "string"},
        "created_at": {"type": "string", "format": "date-time"},
        "created_by": {"type": "string"},
        "changed_at": {"type": "string", "format": "date-time"},
        "changed_by": {"type": "string"},
    },
}


class MinicodeQuestionsApi(MinicodeApi):
    """Saved questions: of each, what its owner lets the person see."""

    route_base = "/api/v1/minicode/questions"
    class_permission_name = permissions.ACQUISITION
    base_permissions = list(permissions.ACQUISITION_PERMISSIONS)
    method_permission_name = permissions.ACQUISITION_METHODS
    openapi_spec_tag = "Minicode"
    apispec_parameter_schemas = {"MinicodeSavedQuestion": QUESTION_SCHEMA}

    @expose("/", methods=["GET"])
    @protect()
    def get_list(self) -> Response:
        """
        List saved questions.
        ---
        get:
          summary: Saved questions that the person sees
          parameters:
            - {in: query, name: q, schema: {type: string}, description: "in name, description or owner"}
            - {in: query, name: appid, schema: {type: string}}
            - {in: query, name: kind, schema: {type: string}}
            - {in: query, name: visibility, schema: {type: string}}
            - {in: query, name: owned, schema: {type: string, enum: [mine, others]}}
            - {in: query, name: order, schema: {type: string, enum: [name, -name, changed_at, -changed_at]}}
            - {in: query, name: page, schema: {type: integer}}
            - {in: query, name: page_size, schema: {type: integer}}
          responses:
            200:
              description: One page of them
              content:
                application/json:
                  schema:
                    type: object
                    properties:
                      count: {type: integer}
                      result: {type: array, items: {$ref: '#/components/schemas/MinicodeSavedQuestion'}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        given, person = request.args, _person()
        search = Search(
            q=given.get("q", ""),
            authorizer_id=int(authorizer_of(given["appid"]).id) if given.get("appid") else None,
            kind=_known("kind", questions.KINDS),
            visibility=_known("visibility", questions.VISIBILITIES),
            owned=_known("owned", ("mine", "others")),
            order=given.get("order") or "-changed_at",
            page=reading.argument("page", 0),
            page_size=reading.argument("page_size", 25),
        )
        found = questions.find(session(), search, person)
        return answer(200, {"count": found.count, "result": [question_json(row, person) for row in found.rows]})

    @expose("/<pk>", methods=["GET"])
    @protect()
    def get(self, pk: str) -> Response:
        """
        Tell one.
        ---
        get:
          summary: A saved question
          parameters: [{in: path, name: pk, required: true, schema: {type: integer}}]
          responses:
            200:
              description: The question
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSavedQuestion'}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
        """
        person = _person()
        return answer(200, question_json(_row(pk, person), person))

    @expose("/<pk>/answer", methods=["GET"])
    @protect()
    def answer(self, pk: str) -> Response:
        """
        Answer a saved question.
        ---
        get:
          summary: The answer to a saved question, as of now
          parameters: [{in: path, name: pk, required: true, schema: {type: integer}}]
          responses:
            200: {description: The same as a query with its question}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        one = opened(_row(pk, _person()))
        if one.question is None:
            raise InvalidInput("question", "invalid")
        return answer(
            200, one.kind.answer(session().connection(), one.question, settings=runtime().settings, now=now())
        )

    @expose("/", methods=["POST"])
    @protect()
    def post(self) -> Response:
        """
        Save a question.
        ---
        post:
          summary: Save a question under a name
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSavedQuestion'}}}
          responses:
            201:
              description: The saved question
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSavedQuestion'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        sent = reading.body()
        reading.only(sent, *_FIELDS, "kind")
        person = _person()
        if "question" not in sent:
            raise InvalidInput("question", "required")
        row = questions.save(session(), _saving(sent, None), person, now=now())
        session().commit()
        return answer(201, question_json(row, person))

    @expose("/<pk>", methods=["PUT"])
    @protect()
    def put(self, pk: str) -> Response:
        """
        Change a saved question.
        ---
        put:
          summary: Change what is sent, lock or unlock, hand over; with changed_at only what nobody changed since
          parameters: [{in: path, name: pk, required: true, schema: {type: integer}}]
          requestBody:
            required: true
            content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSavedQuestion'}}}
          responses:
            200:
              description: The saved question
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeSavedQuestion'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            409: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        sent = reading.body()
        reading.only(sent, *_FIELDS, "is_locked", "owner", "changed_at")
        person = _person()
        row = _row(pk, person)
        _change(row, sent, person, now())
        session().commit()
        return answer(200, question_json(row, person))

    @expose("/<pk>", methods=["DELETE"])
    @protect()
    def delete(self, pk: str) -> Response:
        """
        Remove a saved question.
        ---
        delete:
          summary: Remove a saved question, from the boards too
          parameters: [{in: path, name: pk, required: true, schema: {type: integer}}]
          responses:
            200: {description: It is gone}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            409: {$ref: '#/components/responses/MinicodeError'}
        """
        person = _person()
        row = _row(pk, person)
        gone = int(row.id)
        questions.remove(session(), row, person, seen_at=row.changed_at, now=now())
        session().commit()
        return answer(200, {"id": gone})


def question_json(row: SavedQuestion, person: Person) -> dict[str, Any]:
    """Return a saved question as programs read it."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "kind": row.kind,
        "appid": row.authorizer.appid,
        "question": asked(row),
        "chart": row.chart,
        "sort": row.sort or "",
        "visibility": row.visibility,
        "roles": sorted(one.role for one in row.roles),
        "is_locked": row.is_locked,
        "owner": row.owner,
        "may_change": questions.may_change(row, person),
        "url": url_for("MinicodeAnalysisView.saved", pk=row.id),
        "created_at": row.created_at.isoformat(),
        "created_by": row.created_by,
        "changed_at": row.changed_at.isoformat(),
        "changed_by": row.changed_by,
    }


def _person() -> Person:
    return people.person(authorizers.listed(session(), narrow=scope().narrow(Authorizer.id)))


def _row(pk: str, person: Person) -> SavedQuestion:
    return questions.question_of(session(), reading.row_id(pk), person)


def _known(name: str, choices: tuple[str, ...]) -> str:
    value = request.args.get(name, "")
    if value and value not in choices:
        raise InvalidInput(name, "unknown", detail=value[:40])
    return value


def _change(row: SavedQuestion, sent: Mapping[str, Any], person: Person, at: dt.datetime) -> None:
    """Unlock, change, hand over, lock: in this order, as far as it is sent."""
    is_locked = sent.get("is_locked")
    if is_locked is not None and not isinstance(is_locked, bool):
        raise InvalidInput("is_locked", "wrong_type")
    seen = seen_at(reading.text(sent, "changed_at")) if "changed_at" in sent else row.changed_at
    if is_locked is False:
        questions.lock(session(), row, person, is_locked=False, seen_at=seen, now=at)
        seen = at
    if set(sent) & set(_FIELDS):
        questions.change(session(), row, _saving(sent, row), person, seen_at=seen, now=at)
        seen = at
    if "owner" in sent:
        to = people.recipient(reading.text(sent, "owner"), int(row.authorizer_id))
        questions.hand_over(session(), row, to, person, seen_at=seen, now=at)
        seen = at
    if is_locked is True:
        questions.lock(session(), row, person, is_locked=True, seen_at=seen, now=at)


def _saving(sent: Mapping[str, Any], row: SavedQuestion | None) -> Saving:
    """Return what shall be kept: what was sent, else as it is kept, else the default."""
    kind = str(row.kind) if row is not None else reading.text(sent, "kind") or questions.EVENTS
    if "question" in sent or row is None:
        question = kind_named(kind).parse(sent["question"])
        asks, program = stored(question), int(authorizer_of(question.appid).id)
    else:
        asks, program = str(row.question), int(row.authorizer_id)
    kept = {
        "name": row.name if row is not None else "",
        "description": row.description if row is not None else "",
        "chart": row.chart if row is not None else "",
        "sort": (row.sort or "") if row is not None else "",
        "visibility": row.visibility if row is not None else questions.OWNER,
    }
    texts = {name: reading.text(sent, name) if name in sent else str(value) for name, value in kept.items()}
    if not _LOOK.fullmatch(texts["chart"]):
        raise InvalidInput("chart", "unknown", detail=texts["chart"][:40])
    if len(texts["sort"]) > questions.MAX_SORT_CHARACTERS:
        actual = len(texts["sort"])
        raise InvalidInput("sort", "too_long", limit=questions.MAX_SORT_CHARACTERS, actual=actual, unit="characters")
    return Saving(program, kind, asks, roles=_roles(sent, row), **texts)


def _roles(sent: Mapping[str, Any], row: SavedQuestion | None) -> tuple[str, ...]:
    if "roles" not in sent:
        return tuple(one.role for one in row.roles) if row is not None else ()
    found = sent["roles"]
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise InvalidInput("roles", "wrong_type")
    return tuple(found)
