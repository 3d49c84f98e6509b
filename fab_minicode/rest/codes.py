"""Codes over REST."""

from __future__ import annotations

import datetime as dt
import hashlib
import json

from flask import request
from flask.wrappers import Response
from flask_appbuilder.api import expose, protect

from fab_minicode import code_list, codes, idempotency, permissions
from fab_minicode.draft import Draft
from fab_minicode.errors import CodeBusy, Missing
from fab_minicode.models import Authorizer, Code
from fab_minicode.rest import reading
from fab_minicode.rest.answering import MinicodeApi, answer, refused
from fab_minicode.rest.shown import CODE_SCHEMA, code_json
from fab_minicode.runtime import now, runtime, session, tokens
from fab_minicode.scope import scope
from fab_minicode.views.code_files import carries_bytes, picture_file
from fab_minicode.views.pages import actor

_ORDERS_BY_FIELD = {"created_by": "creator", "utm_source": "source"}


class MinicodeCodesApi(MinicodeApi):
    """Live codes: list, make, rename, delete, download."""

    route_base = "/api/v1/minicode/codes"
    class_permission_name = permissions.CODES
    base_permissions = list(permissions.CODES_PERMISSIONS)
    method_permission_name = permissions.CODES_METHODS
    openapi_spec_tag = "Minicode"
    apispec_parameter_schemas = {"MinicodeCode": CODE_SCHEMA}

    @expose("/", methods=["GET"])
    @protect()
    def get_list(self) -> Response:
        """
        List codes.
        ---
        get:
          summary: Live codes, one page
          parameters:
            - {in: query, name: appid, schema: {type: string}}
            - {in: query, name: q, schema: {type: string}, description: In the name or the creator}
            - {in: query, name: kind, schema: {type: string}}
            - {in: query, name: utm_source, schema: {type: string}}
            - {in: query, name: utm_campaign, schema: {type: string}}
            - {in: query, name: created_by, schema: {type: string}}
            - {in: query, name: page, schema: {type: integer, minimum: 0, default: 0}}
            - {in: query, name: page_size, schema: {type: integer, minimum: 1, maximum: 100, default: 25}}
            - in: query
              name: order
              description: With - before it descending
              schema:
                type: string
                default: -changed_at
                enum: [name, -name, kind, -kind, source, -source, utm_source, -utm_source, creator, -creator,
                       created_by, -created_by, created_at, -created_at, changed_at, -changed_at]
          responses:
            200:
              description: The page; counting stops at 10 000
              content:
                application/json:
                  schema:
                    type: object
                    properties:
                      count: {type: integer}
                      count_is_exact: {type: boolean}
                      result: {type: array, items: {$ref: '#/components/schemas/MinicodeCode'}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        given = request.args
        wanted = code_list.CodeFilter(
            appid=given.get("appid", ""),
            q=given.get("q", ""),
            kind=given.get("kind") or None,
            source=given.get("utm_source") or None,
            campaign=given.get("utm_campaign") or None,
            creator=given.get("created_by") or None,
            order=_order(given.get("order") or "-changed_at"),
            page=reading.argument("page", 0),
            page_size=reading.argument("page_size", 25),
        )
        found = code_list.find(session(), wanted, narrow=scope().narrow(Code.authorizer_id))
        rows = [code_json(code) for code in found.rows]
        return answer(200, {"count": found.count, "count_is_exact": found.count_is_exact, "result": rows})

    @expose("/<pk>", methods=["GET"])
    @protect()
    def get(self, pk: str) -> Response:
        """
        Show a code.
        ---
        get:
          summary: One live code
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          responses:
            200:
              description: The code
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeCode'}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
        """
        return answer(200, code_json(_code(pk)))

    @expose("/", methods=["POST"])
    @protect()
    def post(self) -> Response:
        """
        Make a code.
        ---
        post:
          summary: Plan a code and ask WeChat for its picture
          description: >-
            The same Idempotency-Key with the same body gives the same code again, and asks WeChat again only where it
            said no before.
          parameters:
            - {in: header, name: Idempotency-Key, schema: {type: string, maxLength: 128}}
          requestBody:
            required: true
            content:
              application/json:
                schema:
                  type: object
                  additionalProperties: false
                  required: [appid, name, landing_page, kind, utm_source]
                  properties:
                    appid: {type: string}
                    name: {type: string, maxLength: 50}
                    landing_page: {type: string, example: 'pages/lists/lists?listID=123'}
                    kind: {type: string, enum: [wxacode, wxaqrcode, wxacode_unlimited]}
                    utm_source: {type: string, maxLength: 128}
                    utm_campaign: {type: string, maxLength: 128}
                    utm_medium: {type: string, maxLength: 128}
                    utm_content: {type: string, maxLength: 128}
                    utm_term: {type: string, maxLength: 128}
                    options:
                      type: object
                      additionalProperties: false
                      properties:
                        width: {type: integer, minimum: 280, maximum: 1280}
                        line_color: {type: string}
                        auto_color: {type: boolean}
                        is_hyaline: {type: boolean}
                    remark: {type: string, maxLength: 500}
          responses:
            201:
              description: >-
                The new code; its state is ready, or unknown when WeChat's answer did not arrive. With the header
                Idempotency-Replayed it is the code that was made under this key before
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeCode'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            409: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
            429: {$ref: '#/components/responses/MinicodeError'}
            502: {$ref: '#/components/responses/MinicodeError'}
            503: {$ref: '#/components/responses/MinicodeError'}
        """
        at = now()
        code, is_new = _planned(at)
        session().commit()
        try:
            asks = is_new or code.state != codes.UNKNOWN
            made = _generated(code, at, 201) if asks else answer(201, code_json(code))
        except CodeBusy:
            # The same request came twice at once, and the other one asks WeChat.
            session().rollback()
            made = answer(201, code_json(code))
        if not is_new:
            made.headers["Idempotency-Replayed"] = "true"
        return made

    @expose("/<pk>/retry", methods=["POST"])
    @protect()
    def retry(self, pk: str) -> Response:
        """
        Ask again.
        ---
        post:
          summary: Ask WeChat again for a code that has no picture
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          responses:
            200:
              description: The code
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeCode'}}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            409: {$ref: '#/components/responses/MinicodeError'}
            429: {$ref: '#/components/responses/MinicodeError'}
            502: {$ref: '#/components/responses/MinicodeError'}
            503: {$ref: '#/components/responses/MinicodeError'}
        """
        return _generated(_code(pk), now(), 200)

    @expose("/<pk>", methods=["PUT"])
    @protect()
    def put(self, pk: str) -> Response:
        """
        Rename a code.
        ---
        put:
          summary: Give a code another name; nothing else of it can be changed
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          requestBody:
            required: true
            content:
              application/json:
                schema:
                  type: object
                  additionalProperties: false
                  required: [name]
                  properties:
                    name: {type: string, maxLength: 50}
          responses:
            200:
              description: The code
              content: {application/json: {schema: {$ref: '#/components/schemas/MinicodeCode'}}}
            400: {$ref: '#/components/responses/MinicodeError'}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
            409: {$ref: '#/components/responses/MinicodeError'}
            413: {$ref: '#/components/responses/MinicodeError'}
            422: {$ref: '#/components/responses/MinicodeError'}
        """
        code = _code(pk)
        sent = reading.body()
        reading.only(sent, "name")
        codes.rename(session(), code, reading.text(sent, "name"), actor=actor(), now=now())
        session().commit()
        return answer(200, code_json(code))

    @expose("/<pk>", methods=["DELETE"])
    @protect()
    def delete(self, pk: str) -> Response:
        """
        Delete a code.
        ---
        delete:
          summary: Take a code out of the list; its print keeps working and its data stay
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          responses:
            200:
              description: It is deleted
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
        code = _code(pk)
        code_id = code.id
        codes.delete(session(), code, actor=actor(), now=now())
        session().commit()
        return answer(200, {"id": code_id, "message": "OK"})

    @expose("/<pk>/image", methods=["GET"])
    @protect()
    def image(self, pk: str) -> Response:
        """
        Download a picture.
        ---
        get:
          summary: The picture exactly as WeChat made it
          parameters:
            - {in: path, name: pk, required: true, schema: {type: integer}}
          responses:
            200:
              description: The picture, in a file that is named after the code
              content:
                image/png: {schema: {type: string, format: binary}}
                image/jpeg: {schema: {type: string, format: binary}}
            401: {$ref: '#/components/responses/MinicodeError'}
            403: {$ref: '#/components/responses/MinicodeError'}
            404: {$ref: '#/components/responses/MinicodeError'}
        """
        code = _code(pk)
        found = picture_file(code, code_list.image_of(session(), code))
        if carries_bytes(found):
            codes.note_download(session(), code, actor=actor(), now=now())
            session().commit()
        return found


def _order(word: str) -> str:
    """Return an order's word; the names of a code's fields are understood, too."""
    sign = "-" if word.startswith("-") else ""
    return sign + _ORDERS_BY_FIELD.get(word.removeprefix("-"), word.removeprefix("-"))


def _code(pk: str) -> Code:
    """Return the live code an address names. Raises Missing, too, where the person does not know its mini program."""
    return _known(code_list.code_of(session(), reading.row_id(pk)), pk)


def _known(code: Code, name: str) -> Code:
    if not scope().knows(code.authorizer_id):
        raise Missing(name)
    return code


def _planned(at: dt.datetime) -> tuple[Code, bool]:
    """Return the planned code and whether it is new; the same key and body give the same code again."""
    key = request.headers.get("Idempotency-Key", "").strip()
    sent = reading.body()
    wanted = reading.draft(sent)
    if not key:
        return _plan(wanted, at), True
    if len(key) > idempotency.MAX_KEY_CHARACTERS or not (key.isascii() and key.isprintable()):
        raise reading.malformed("Idempotency-Key", "malformed")
    user_id = actor().id
    digest = hashlib.sha256(json.dumps(sent, sort_keys=True).encode("ascii")).hexdigest()
    known = idempotency.begin(session(), user_id=user_id, key=key, body_sha256=digest, now=at)
    if known is not None:
        return _known(known, key), False
    code = _plan(wanted, at)
    idempotency.finish(session(), code, user_id=user_id, key=key)
    return code, True


def _plan(wanted: Draft, at: dt.datetime) -> Code:
    return codes.plan(session(), wanted, actor=actor(), now=at, narrow=scope().narrow(Authorizer.id))


def _generated(code: Code, at: dt.datetime, status: int) -> Response:
    """Ask WeChat where the code has no picture, and answer with what came of it."""
    code_id = code.id
    error = codes.generate(session(), code, tokens=tokens(), client=runtime().client, actor=actor(), now=at)
    session().commit()
    if error is not None and code.state != codes.UNKNOWN:
        return refused(error, id=code_id)
    return answer(status, code_json(code))
