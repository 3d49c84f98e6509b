"""The REST doors over the test client, WeChat being the sandbox over HTTP, on both databases."""

import hashlib
import io
import json
import threading

import pytest
from PIL import Image
from sqlalchemy import func, select, update

from fab_minicode import codes
from fab_minicode.kinds import KINDS
from fab_minicode.models import Authorizer, Code, IdempotencyKey
from fab_minicode.rest.reading import MAX_BODY_BYTES
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts

CODES = "/api/v1/minicode/codes/"
AUTHORIZERS = "/api/v1/minicode/authorizers/"
APPID = SAMPLE_APPS[0].appid
IMAGE_A = "/wxa/getwxacode"

BODY = {
    "appid": APPID,
    "name": "Poster at gate 1",
    "landing_page": "pages/lists/lists?listID=123",
    "kind": "wxacode",
    "utm_source": "poster",
    "utm_campaign": "秋天 50%",
    "options": {"width": 430},
}


@pytest.fixture
def creator(app, client):
    """Headers of a creator's JWT; the first mini program of the sandbox is connected."""
    hosts.connect(app)
    return hosts.bearer(client, "creator")


@pytest.fixture
def manager(app, client):
    hosts.connect(app)
    return hosts.bearer(client, "manager")


def make(client, headers, **changed):
    return client.post(CODES, json={**BODY, **changed}, headers=headers)


def error_of(answer):
    return answer.status_code, answer.get_json()["error"]


# --------------------------------------------------------------------------------------------------------- create


def test_a_code_is_made_and_told_in_full(app, client, creator):
    answer = make(client, creator)
    code = answer.get_json()
    path = "pages/lists/lists?listID=123&utm_source=poster&utm_campaign=秋天%2050%25"

    assert 201 == answer.status_code
    assert {
        "name": "Poster at gate 1",
        "appid": APPID,
        "kind": "wxacode",
        "state": "ready",
        "path": path,
        "path_bytes": len(path.encode()),
        "page": "pages/lists/lists",
        "scene": None,
        "landing_page": "pages/lists/lists?listID=123",
        "utm_source": "poster",
        "utm_campaign": "秋天 50%",
        "utm_medium": "",
        "utm_content": "",
        "utm_term": "",
        "options": {"width": 430},
        "remark": "",
        "image_url": f"{CODES}{code['id']}/image",
        "error": None,
        "created_by": "Creator Test",
        "changed_by": "Creator Test",
        "first_visit_at": None,
    } == {name: value for name, value in code.items() if name not in {"id", "created_at", "changed_at"}}
    assert code["created_at"].endswith("Z")
    assert code == client.get(f"{CODES}{code['id']}", headers=creator).get_json()


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_every_kind_gets_its_picture_once_and_for_ever(app, client, sandbox, creator, kind):
    code = make(client, creator, kind=kind.name, landing_page="pages/lists/lists").get_json()
    asked = sandbox.count(kind.endpoint)
    first = client.get(code["image_url"], headers=creator)
    second = client.get(code["image_url"], headers=creator)

    assert "ready" == code["state"]
    assert 1 == asked == sandbox.count(kind.endpoint)
    assert first.get_data() == second.get_data()
    assert (430, 430) == Image.open(io.BytesIO(first.get_data())).size
    assert f'"{hashlib.sha256(first.get_data()).hexdigest()}"' == first.headers["ETag"]
    assert "private, no-cache" == first.headers["Cache-Control"]
    assert first.headers["Content-Disposition"].startswith("attachment; filename=")
    assert [APPID] == [one.appid for one in sandbox.asked(kind.endpoint)]


def test_the_quota_is_told_and_counts_a_and_c_only(client, creator):
    make(client, creator)
    make(client, creator, name="square", kind="wxaqrcode", utm_campaign="")
    make(client, creator, name="unlimited", kind="wxacode_unlimited", landing_page="pages/lists/lists")

    assert {"used": 2, "limit": 100_000} == client.get(f"{AUTHORIZERS}{APPID}/quota", headers=creator).get_json()


def test_a_path_that_is_too_long_is_refused_with_its_bytes(client, sandbox, creator):
    landing_page = "pages/index/index?" + "a" * 100
    path = f"{landing_page}&utm_source=poster"
    status, error = error_of(make(client, creator, kind="wxaqrcode", utm_campaign="", landing_page=landing_page))

    assert 422 == status
    assert ("invalid_path", "landing_page", 128, len(path)) == (
        error["code"],
        error["field"],
        error["limit_bytes"],
        error["actual_bytes"],
    )
    assert error["message"]
    assert 0 == sandbox.count("/cgi-bin/wxaapp/createwxaqrcode")


FAULTS = (
    ({"name": " "}, 422, "name", "required"),
    ({"name": "n" * 51}, 422, "name", "too_long"),
    ({"name": 7}, 422, "name", "not_a_text"),
    ({"name": "a\u0000b"}, 422, "name", "control_character"),
    ({"name": "\ud800"}, 422, "name", "control_character"),
    ({"appid": ""}, 422, "appid", "required"),
    ({"appid": "wx-unknown"}, 422, "appid", "unknown"),
    ({"appid": "\ud800"}, 422, "appid", "control_character"),
    ({"appid": ["wx"]}, 422, "appid", "not_a_text"),
    ({"kind": "wxacode2"}, 422, "kind", "unknown"),
    ({"kind": None}, 422, "kind", "required"),
    ({"landing_page": "/pages/a"}, 422, "landing_page", "leading_slash"),
    ({"landing_page": "pages/a?a=1?b=2"}, 422, "landing_page", "second_question_mark"),
    ({"landing_page": "pages/a b"}, 422, "landing_page", "space"),
    ({"landing_page": "pages/a?scancode_time=1"}, 422, "landing_page", "reserved_parameter"),
    ({"utm_source": ""}, 422, "utm_source", "required"),
    ({"utm_term": "t" * 129}, 422, "utm_term", "too_long"),
    ({"remark": "r" * 501}, 422, "remark", "too_long"),
    ({"options": []}, 422, "options", "not_an_object"),
    ({"options": {"width": 279}}, 422, "width", "out_of_range"),
    ({"options": {"width": 2**53 - 1}}, 422, "width", "out_of_range"),
    ({"options": {"width": "430"}}, 422, "width", "wrong_type"),
    ({"options": {"width": True}}, 422, "width", "wrong_type"),
    ({"options": {"width": 430.0}}, 422, "width", "wrong_type"),
    ({"options": {"is_hyaline": 1}}, 422, "is_hyaline", "wrong_type"),
    ({"options": {"line_color": "red"}}, 422, "line_color", "invalid_colour"),
    ({"options": {"widht": 430}}, 400, "options.widht", "unknown_field"),
    ({"nmae": "x"}, 400, "nmae", "unknown_field"),
)


def test_a_faulty_field_is_named(client, sandbox, creator):
    for changed, *expected in FAULTS:
        status, error = error_of(make(client, creator, **changed))

        assert expected == [status, error["field"], error["code"]], changed
        assert error["message"]
    assert 0 == sandbox.count(IMAGE_A)


NO_OBJECTS = (
    b"",
    b"{",
    b"[]",
    b"null",
    b'"text"',
    b"\xff\xfe{}",
    '{"name": "\u4e2d"}'.encode("utf-16"),
    b"\xef\xbb\xbf{}",
    b'{"name": NaN}',
    b'{"name": Infinity}',
    b'{"name": 1e999}',
    b'{"name": 9007199254740993}',
    b'{"name": ' + b"9" * 6000 + b"}",
    b'{"name": "a", "name": "b"}',
    b'{"name": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
    b'{"name": ' + b"[" * 20 + b"]" * 20 + b"}",
)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_what_is_no_json_object_is_refused(client, manager, method):
    address = CODES if method == "POST" else f"{CODES}{make(client, manager).get_json()['id']}"
    for content in NO_OBJECTS:
        answer = client.open(address, method=method, data=content, content_type="application/json", headers=manager)
        status, error = error_of(answer)

        assert (400, "body") == (status, error["field"]), content[:80]


def test_another_content_type_and_a_huge_body_are_refused(client, creator):
    form = client.post(CODES, data={"name": "x"}, headers=creator)
    huge = client.post(CODES, data=b" " * (MAX_BODY_BYTES + 1), content_type="application/json", headers=creator)

    assert (400, "not_json") == (form.status_code, form.get_json()["error"]["code"])
    assert (413, "too_large") == (huge.status_code, huge.get_json()["error"]["code"])


def test_a_name_that_is_taken_is_409(client, creator):
    make(client, creator)
    status, error = error_of(make(client, creator))

    assert (409, "name_taken", "name") == (status, error["code"], error["field"])


def test_a_mini_program_that_is_not_authorised_is_409(app, client, creator):
    with hosts.database(app) as session:
        session.execute(update(Authorizer).values(status="not_authorized"))
        session.commit()
    status, error = error_of(make(client, creator))

    assert (409, "not_authorized") == (status, error["code"])


def test_a_quota_that_is_used_up_is_429(app, client, creator):
    with hosts.database(app) as session:
        session.execute(update(Authorizer).values(quota_used=100_000))
        session.commit()
    status, error = error_of(make(client, creator))

    assert (429, "quota_used_up", 100_000, 100_000) == (status, error["code"], error["limit"], error["actual"])


# --------------------------------------------------------------------------------------------------- WeChat's no


def state_of(app, code_id):
    with hosts.database(app) as session:
        code = session.get(Code, code_id)
        return code.state, codes.quota(session, APPID).used, code.asked_at


def test_wechats_no_is_502_with_its_errcode_and_the_row_can_be_retried(app, client, sandbox, creator):
    sandbox.app(APPID).pages = ("pages/other/other",)
    status, error = error_of(make(client, creator, kind="wxacode_unlimited", landing_page="pages/lists/lists"))
    failed = client.get(f"{CODES}{error['id']}", headers=creator).get_json()
    sandbox.app(APPID).pages = None
    retried = client.post(f"{CODES}{error['id']}/retry", headers=creator)

    assert (502, 41030) == (status, error["errcode"])
    assert error["rid"]
    assert ("failed", 41030, None) == (failed["state"], failed["error"]["errcode"], failed["image_url"])
    assert (200, "ready", None) == (
        retried.status_code,
        retried.get_json()["state"],
        retried.get_json()["error"],
    )


def test_a_definite_no_gives_the_reservation_back(app, client, sandbox, creator):
    sandbox.app(APPID).ac_used = 100_000
    status, error = error_of(make(client, creator))

    assert (429, 45029) == (status, error["errcode"])
    assert ("failed", 0, None) == state_of(app, error["id"])


def test_a_time_out_after_an_a_request_is_unknown_and_keeps_the_reservation(app, client, sandbox, creator):
    # The connection breaks after the code was made.
    sandbox.fault("reset", IMAGE_A)
    answer = make(client, creator)
    code = answer.get_json()

    assert (201, "unknown", None) == (answer.status_code, code["state"], code["image_url"])
    assert ("unknown", 1, None) == state_of(app, code["id"])
    assert 1 == sandbox.count(IMAGE_A)


def test_a_b_request_without_an_answer_has_failed_and_nothing_more(app, client, sandbox, creator):
    sandbox.fault("reset", "/wxa/getwxacodeunlimit", times=None)
    status, error = error_of(make(client, creator, kind="wxacode_unlimited", landing_page="pages/lists/lists"))

    assert (502, "wechat_unavailable") == (status, error["code"])
    assert ("failed", 0, None) == state_of(app, error["id"])


def test_a_token_that_wechat_rejects_is_renewed_once(app, client, sandbox, creator):
    make(client, creator)
    sandbox.clock.advance(7300)
    before = sandbox.count("/cgi-bin/stable_token")
    answer = make(client, creator, name="second")

    assert (201, "ready") == (answer.status_code, answer.get_json()["state"])
    assert 3 == sandbox.count(IMAGE_A)
    assert 1 <= sandbox.count("/cgi-bin/stable_token") - before <= 2


def test_a_token_that_is_always_rejected_ends(app, client, sandbox, creator):
    sandbox.fault("errcode", IMAGE_A, times=None, value=40001)
    status, error = error_of(make(client, creator))

    assert (502, "wechat_token_rejected") == (status, error["code"])
    assert 2 == sandbox.count(IMAGE_A)
    assert ("failed", 0, None) == state_of(app, error["id"])


def test_a_secret_that_our_keys_do_not_open_is_503(app, client, creator):
    with hosts.database(app) as session:
        session.execute(update(Authorizer).values(sealed_secret="f1:broken"))
        session.commit()
    status, error = error_of(make(client, creator))

    assert (503, "secret_unreadable") == (status, error["code"])
    assert ("failed", 0, None) == state_of(app, error["id"])


# ---------------------------------------------------------------------------------------------------- idempotency


def with_key(headers, key="order-17"):
    return {**headers, "Idempotency-Key": key}


def test_the_same_key_and_body_give_the_same_code_again(app, client, sandbox, creator):
    first = make(client, with_key(creator))
    second = client.post(
        CODES, data=json.dumps(dict(reversed(BODY.items())), indent=4), content_type="application/json",
        headers=with_key(creator),
    )  # fmt: skip

    assert [(201, None), (201, "true")] == [
        (one.status_code, one.headers.get("Idempotency-Replayed")) for one in (first, second)
    ]
    assert first.get_json() == second.get_json()
    assert 1 == sandbox.count(IMAGE_A)


def test_the_same_key_with_another_body_is_refused(client, creator):
    make(client, with_key(creator))
    status, error = error_of(make(client, with_key(creator), name="other"))

    assert (422, "Idempotency-Key", "used_with_another_body") == (status, error["field"], error["code"])


def test_a_key_is_one_persons_own(app, client, creator):
    other = hosts.bearer(client, "manager")
    mine, theirs = make(client, with_key(creator)), make(client, with_key(other), name="theirs")

    assert (201, 201) == (mine.status_code, theirs.status_code)


def test_a_refused_body_leaves_the_key_free(app, client, creator):
    assert 422 == make(client, with_key(creator), name="").status_code
    assert 201 == make(client, with_key(creator)).status_code
    with hosts.database(app) as session:
        assert 1 == session.execute(select(func.count()).select_from(IdempotencyKey)).scalar_one()


def test_a_key_after_wechats_no_asks_again(app, client, sandbox, creator):
    sandbox.fault("errcode", IMAGE_A, times=None, value=-1)
    status, error = error_of(make(client, with_key(creator)))
    sandbox.clear_faults()
    again = make(client, with_key(creator))

    assert 502 == status
    assert (201, error["id"], "ready") == (again.status_code, again.get_json()["id"], again.get_json()["state"])


@pytest.mark.parametrize("key", ["k" * 129, "ключ"])
def test_a_bad_key_is_refused(client, creator, key):
    headers = {**creator, "Idempotency-Key": key.encode("utf-8").decode("latin-1")}

    assert 400 == make(client, headers).status_code
    assert 201 == make(client, with_key(creator, "k" * 128)).status_code


def test_two_requests_with_one_key_at_once_make_one_code(app, client, sandbox, creator):
    answers = []

    def send():
        answers.append(make(app.test_client(), with_key(creator)))

    threads = [threading.Thread(target=send, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {201} == {answer.status_code for answer in answers}
    assert 1 == [answer.headers.get("Idempotency-Replayed") for answer in answers].count(None)
    assert 1 == len({answer.get_json()["id"] for answer in answers})
    assert 1 == sandbox.count(IMAGE_A)


# ------------------------------------------------------------------------------------------------ read and change


def test_the_list_is_searched_filtered_ordered_and_paged(client, creator):
    for number, source in enumerate(["poster", "poster", "flyer"]):
        make(client, creator, name=f"code {number}", utm_source=source)

    def listed(query):
        answer = client.get(f"{CODES}?{query}", headers=creator).get_json()
        return answer["count"], [code["name"] for code in answer["result"]]

    assert (3, ["code 2", "code 1", "code 0"]) == listed("")
    assert (3, ["code 0", "code 1", "code 2"]) == listed(f"appid={APPID}&order=name")
    assert (2, ["code 1", "code 0"]) == listed("utm_source=poster")
    assert (1, ["code 2"]) == listed("q=E%202")
    assert (0, []) == listed("q=%25")
    assert (3, ["code 1"]) == listed("page=1&page_size=1")
    assert (0, []) == listed("appid=wx-unknown")
    assert (3, []) == listed("page=4&page_size=1")


def test_an_order_may_be_called_as_the_field_is(client, creator):
    for name, field in (("a", "poster"), ("b", "flyer"), ("c", "window")):
        assert 201 == make(client, creator, name=name, utm_source=field).status_code
    by_source = [client.get(f"{CODES}?order={word}", headers=creator).get_json() for word in ("source", "utm_source")]
    by_person = [client.get(f"{CODES}?order=-{word}", headers=creator).get_json() for word in ("creator", "created_by")]

    assert ["flyer", "poster", "window"] == [row["utm_source"] for row in by_source[0]["result"]]
    assert by_source[0] == by_source[1]
    assert by_person[0] == by_person[1]


ODD_ARGUMENTS = (
    "page=abc", "page=-1", "page=2147483648", "page_size=0", "page_size=99999", "q=%00", "q=%ED%A0%80", "page=%D9%A3",
    "appid=%00", "kind=%00", "page=99999999999999999999",
)  # fmt: skip


def test_odd_arguments_of_the_list_are_brought_into_bounds(client, creator):
    for query in ODD_ARGUMENTS:
        assert 200 == client.get(f"{CODES}?{query}", headers=creator).status_code, query


def test_an_unknown_order_is_refused(client, creator):
    assert (422, "order") == (
        client.get(f"{CODES}?order=remark", headers=creator).status_code,
        client.get(f"{CODES}?order=remark", headers=creator).get_json()["error"]["field"],
    )


def test_what_is_no_code_is_404(client, manager):
    for pk in ("0", "-1", "2147483647", "2147483648", "9" * 23, "abc", "1e3", "%D9%A3", "1.0"):
        answers = [
            client.get(f"{CODES}{pk}", headers=manager),
            client.get(f"{CODES}{pk}/image", headers=manager),
            client.put(f"{CODES}{pk}", json={"name": "x"}, headers=manager),
            client.delete(f"{CODES}{pk}", headers=manager),
            client.post(f"{CODES}{pk}/retry", headers=manager),
        ]

        assert [(404, "not_found")] * 5 == [(a.status_code, a.get_json()["error"]["code"]) for a in answers], pk


def test_put_renames_and_refuses_every_other_field(client, manager):
    code = make(client, manager).get_json()
    renamed = client.put(f"{CODES}{code['id']}", json={"name": " new "}, headers=manager)
    refused = client.put(f"{CODES}{code['id']}", json={"name": "x", "utm_source": "y"}, headers=manager)
    empty = client.put(f"{CODES}{code['id']}", json={}, headers=manager)

    assert (200, "new") == (renamed.status_code, renamed.get_json()["name"])
    assert {"name", "changed_at", "changed_by"} >= {
        name for name, value in renamed.get_json().items() if value != code[name]
    }
    assert (400, "utm_source") == (refused.status_code, refused.get_json()["error"]["field"])
    assert (422, "name", "required") == (
        empty.status_code,
        empty.get_json()["error"]["field"],
        empty.get_json()["error"]["code"],
    )


def test_a_taken_name_cannot_be_given(client, manager):
    make(client, manager, name="taken")
    code = make(client, manager, name="mine").get_json()
    status, error = error_of(client.put(f"{CODES}{code['id']}", json={"name": "taken"}, headers=manager))

    assert (409, "name_taken") == (status, error["code"])


def test_delete_takes_the_code_and_its_picture_away_and_keeps_the_row(app, client, manager):
    code = make(client, manager).get_json()
    deleted = client.delete(f"{CODES}{code['id']}", headers=manager)

    assert (200, {"id": code["id"], "message": "OK"}) == (deleted.status_code, deleted.get_json())
    assert 404 == client.get(f"{CODES}{code['id']}", headers=manager).status_code
    assert 404 == client.get(code["image_url"], headers=manager).status_code
    assert 404 == client.delete(f"{CODES}{code['id']}", headers=manager).status_code
    assert 0 == client.get(CODES, headers=manager).get_json()["count"]
    assert ("ready", 1, None) == state_of(app, code["id"])


def test_authorizers_are_listed_without_secrets(app, client, creator):
    hosts.connect(app, SAMPLE_APPS[1])
    answer = client.get(AUTHORIZERS, headers=creator)
    text = answer.get_data(as_text=True)

    assert (200, 2) == (answer.status_code, answer.get_json()["count"])
    assert {"authorized"} == {row["status"] for row in answer.get_json()["result"]}
    assert {app.appid for app in SAMPLE_APPS[:2]} == {row["appid"] for row in answer.get_json()["result"]}
    assert all(row["collect_key"] for row in answer.get_json()["result"])
    assert "sealed" not in text
    assert "f1:" not in text


def test_the_quota_of_what_is_no_mini_program_is_404(client, creator):
    for appid in ("wx-unknown", "%00", "%ED%A0%80", "x" * 300):
        assert 404 == client.get(f"{AUTHORIZERS}{appid}/quota", headers=creator).status_code


# ------------------------------------------------------------------------------------------- who, and from where


def test_anonymous_callers_are_told_401_in_our_shape(client):
    for answer in (client.get(CODES), client.post(CODES, json=BODY), client.get(AUTHORIZERS)):
        assert (401, "not_logged_in") == (answer.status_code, answer.get_json()["error"]["code"])


def test_a_broken_token_is_401(client):
    for token in ("", "nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."):
        answer = client.get(CODES, headers={"Authorization": f"Bearer {token}"})

        assert (401, "not_logged_in") == (answer.status_code, answer.get_json()["error"]["code"]), token


def test_who_may_not_is_told_403_in_our_shape(client):
    answer = client.post(CODES, json=BODY, headers=hosts.bearer(client, "viewer"))

    assert (403, "forbidden") == (answer.status_code, answer.get_json()["error"]["code"])


def test_the_browsers_session_needs_its_csrf_token_to_write(app, client):
    hosts.connect(app)
    hosts.login(client, "creator")
    without = make(client, {})
    wrong = make(client, {"X-CSRFToken": "wrong"})
    token = hosts.csrf_token(client)
    right = make(client, {"X-CSRFToken": token})

    assert (400, "csrf") == (without.status_code, without.get_json()["error"]["code"])
    assert (400, "csrf") == (wrong.status_code, wrong.get_json()["error"]["code"])
    assert 201 == right.status_code
    assert 200 == client.get(CODES).status_code


def test_a_bearer_header_beside_a_session_replaces_no_csrf_token(app, client):
    hosts.connect(app)
    token = hosts.bearer(client, "viewer")
    hosts.login(client, "creator")
    for wrong in ("", "nonsense", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."):
        answer = make(client, {"Authorization": f"Bearer {wrong}"})

        assert (400, "csrf") == (answer.status_code, answer.get_json()["error"]["code"]), wrong
    # With a token that holds, its owner acts, not the session's.
    assert 403 == make(client, token).status_code
    assert 201 == make(client, hosts.bearer(client, "creator")).status_code


def test_what_no_route_answers_is_told_in_our_shape(client, creator):
    wrong = client.delete(CODES, headers=creator)
    away = client.get("/api/v1/minicode/nothing", headers=creator)
    elsewhere = client.get("/api/v1/nothing")

    assert (405, "method_not_allowed") == (wrong.status_code, wrong.get_json()["error"]["code"])
    assert {"GET", "HEAD", "OPTIONS", "POST"} == set(wrong.headers["Allow"].split(", "))
    assert (404, "not_found") == (away.status_code, away.get_json()["error"]["code"])
    assert 404 == elsewhere.status_code
    assert not elsewhere.is_json


def test_a_bodys_faults_are_told_in_sentences(client, creator):
    said = {
        "unknown_field": make(client, creator, colour="red"),
        "not_a_text": make(client, creator, name=7),
        "wrong_type": make(client, creator, options={"width": "wide"}),
        "not_json": client.post(CODES, data=b"{", content_type="application/json", headers=creator),
        "not_found": client.get(f"{CODES}4711", headers=creator),
    }

    for code, answer in said.items():
        error = answer.get_json()["error"]

        assert code == error["code"]
        assert not error["message"].startswith(("This does not look right", "That did not work"))
    assert "It may have been deleted" in said["not_found"].get_json()["error"]["message"]


def test_the_database_being_away_is_503(app, client, creator):
    engine = hosts.engine_of(app)
    with engine.begin() as connection:
        Code.metadata.drop_all(connection)
    answer = client.get(CODES, headers=creator)

    assert (503, "database") == (answer.status_code, answer.get_json()["error"]["code"])


def test_the_doors_stand_in_the_openapi_document(client):
    document = client.get("/api/v1/_openapi", headers=hosts.bearer(client, "admin")).get_json()
    ours = {path: set(methods) for path, methods in document["paths"].items() if "/minicode/" in path}

    promised = {
        "/api/v1/minicode/authorizers/": {"get"},
        "/api/v1/minicode/authorizers/{appid}/quota": {"get"},
        "/api/v1/minicode/codes/": {"get", "post"},
        "/api/v1/minicode/codes/{pk}": {"get", "put", "delete"},
        "/api/v1/minicode/codes/{pk}/retry": {"post"},
        "/api/v1/minicode/codes/{pk}/image": {"get"},
        "/api/v1/minicode/analysis/query": {"post"},
        "/api/v1/minicode/analysis/headline": {"get"},
    }
    assert promised.items() <= ours.items()
    for path in ours:
        for operation in document["paths"][path].values():
            assert operation["summary"]
            assert {"401", "403"} <= set(operation["responses"])
    assert {"MinicodeError"} <= set(document["components"]["responses"])
    assert {"MinicodeCode", "MinicodeQuestion", "MinicodeAnswer"} <= set(document["components"]["schemas"])
