"""The sandbox behaves as WeChat is documented to: over HTTP, asked with nothing but the standard library."""

import dataclasses
import http.client
import io
import json
import pathlib
import subprocess
import sys
import urllib.request
from urllib.parse import urlencode, urlsplit

import pytest
import zxingcpp
from PIL import Image

from fab_minicode import kinds
from fab_minicode.errors import ERRCODES
from fab_minicode.kinds import CodePlan
from fab_minicode.sandbox import FAULTS, SAMPLE_APPS, App, Sandbox, read_dial
from fab_minicode.sandbox.answers import ERRMSGS
from fab_minicode.sandbox.clocks import FORCED_APART_SECONDS, MAX_FORCED_PER_DAY
from fab_minicode.sandbox.interfaces import INTERFACES
from fab_minicode.utm import Utm

APP = SAMPLE_APPS[0]
A, C, B = "/wxa/getwxacode", "/cgi-bin/wxaapp/createwxaqrcode", "/wxa/getwxacodeunlimit"
STABLE = "/cgi-bin/stable_token"
DOCUMENT = (pathlib.Path(__file__).parents[1] / "docs" / "wechat.md").read_text("utf-8")


def ask(sandbox, endpoint, body=None, *, method=None, **query):
    """Return ``(status, content type, body)``; ``body`` is sent as JSON unless it is bytes."""
    parts = urlsplit(sandbox.url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    sent = body if isinstance(body, bytes) or body is None else json.dumps(body, ensure_ascii=False).encode()
    connection.request(method or ("GET" if body is None else "POST"), f"{endpoint}?{urlencode(query)}", sent)
    answer = connection.getresponse()
    found = answer.status, answer.getheader("Content-Type"), answer.read()
    connection.close()
    return found


def told(sandbox, endpoint, body=None, **more):
    status, content_type, content = ask(sandbox, endpoint, body, **more)
    assert (200, "application/json; encoding=utf-8") == (status, content_type)
    return json.loads(content)


def errcode(*args, **more):
    return told(*args, **more)["errcode"]


def credential(**more):
    return {"grant_type": "client_credential", "appid": APP.appid, "secret": APP.secret, **more}


def stable(sandbox, **more):
    answer = told(sandbox, STABLE, credential(**more))
    return answer["access_token"], answer["expires_in"]


def errcode_of_image(sandbox, endpoint, body):
    return errcode(sandbox, endpoint, body, access_token=stable(sandbox)[0])


def test_stable_token_counts_down_and_is_the_same_until_its_last_five_minutes(sandbox):
    first, life = stable(sandbox)
    sandbox.clock.advance(6000)
    again, left = stable(sandbox)

    assert (first, 7200) == (again, life)
    assert 1195 <= left <= 1200


def test_in_the_last_five_minutes_a_new_token_comes_and_both_work(sandbox):
    old, _ = stable(sandbox)
    sandbox.clock.advance(6950)
    new, life = stable(sandbox)

    assert (True, 7200) == (new != old, life)
    assert 41030 == errcode(sandbox, B, {"scene": "x", "page": "/a"}, access_token=old)
    assert 41030 == errcode(sandbox, B, {"scene": "x", "page": "/a"}, access_token=new)

    sandbox.clock.advance(301)

    assert 40001 == errcode(sandbox, B, {"scene": "x"}, access_token=old)


def test_a_token_that_nobody_replaced_expires(sandbox):
    token, _ = stable(sandbox)
    sandbox.clock.advance(7201)

    assert 42001 == errcode(sandbox, B, {"scene": "x"}, access_token=token)


def test_force_ends_the_token_at_once_but_not_twice_within_half_a_minute(sandbox):
    first, _ = stable(sandbox)
    forced, _ = stable(sandbox, force_refresh=True)
    too_soon, _ = stable(sandbox, force_refresh=True)

    assert first != forced == too_soon
    assert 40001 == errcode(sandbox, B, {"scene": "x"}, access_token=first)


def test_force_is_granted_twenty_times_a_day(sandbox):
    tokens = {stable(sandbox)[0]}
    for _ in range(MAX_FORCED_PER_DAY + 5):
        sandbox.clock.advance(FORCED_APART_SECONDS)
        tokens.add(stable(sandbox, force_refresh=True)[0])

    assert 1 + MAX_FORCED_PER_DAY == len(tokens)


def test_the_plain_token_is_new_each_time_and_leaves_the_stable_one_alone(sandbox):
    kept, _ = stable(sandbox)
    query = {"grant_type": "client_credential", "appid": APP.appid, "secret": APP.secret}
    first = told(sandbox, "/cgi-bin/token", **query)["access_token"]
    second = told(sandbox, "/cgi-bin/token", **query)["access_token"]

    assert 3 == len({kept, first, second})
    assert 41030 == errcode(sandbox, B, {"scene": "x", "page": "/a"}, access_token=first)

    sandbox.clock.advance(301)

    assert 40001 == errcode(sandbox, B, {"scene": "x"}, access_token=first)
    assert 41030 == errcode(sandbox, B, {"scene": "x", "page": "/a"}, access_token=second)
    assert 41030 == errcode(sandbox, B, {"scene": "x", "page": "/a"}, access_token=kept)


@pytest.mark.parametrize(
    "change, number",
    [
        ({"grant_type": "password"}, 40002),
        ({"appid": ""}, 41002),
        ({"secret": ""}, 41004),
        ({"appid": "wx0000000000000000"}, 40013),
        ({"secret": "wrong"}, 40125),
        ({"secret": 7}, 47001),
        ({"force_refresh": "true"}, 47001),
    ],
)
def test_a_wrong_credential_is_refused_with_its_number(sandbox, change, number):
    assert number == errcode(sandbox, STABLE, credential(**change))


def test_the_order_of_refusals_is_method_token_document(sandbox):
    token, _ = stable(sandbox)

    assert 43002 == errcode(sandbox, A, method="GET")
    assert 41001 == errcode(sandbox, A, b"")
    assert 40014 == errcode(sandbox, A, b"", access_token="nonsense")
    assert 40001 == errcode(sandbox, A, b"", access_token="90_never-issued")
    assert 44002 == errcode(sandbox, A, b"", access_token=token)
    assert 47001 == errcode(sandbox, A, b"path=pages/index", access_token=token)
    assert 47001 == errcode(sandbox, A, b"[]", access_token=token)
    assert 40159 == errcode(sandbox, A, {}, access_token=token)


@pytest.mark.parametrize(
    "endpoint, body, number",
    [
        (A, {"path": ""}, 40159),
        (A, {"path": "p?" + "x" * 1023}, 40159),
        (A, {"path": "p?" + "码" * 341}, 40159),
        (A, {"path": "p?scancode_time=1"}, 85096),
        (A, {"path": "p", "width": 279}, 40189),
        (A, {"path": "p", "width": 1281}, 40189),
        (A, {"path": "p", "width": "430"}, 47001),
        (A, {"path": "p", "is_hyaline": "false"}, 47001),
        (A, {"path": "p", "auto_color": 1}, 47001),
        (A, {"path": "p", "line_color": {"r": 256, "g": 0, "b": 0}}, 40097),
        (A, {"path": "p", "line_color": "#000000"}, 47001),
        (A, {"path": "p", "line_color": {"r": True}}, 47001),
        (A, {"path": "p", "env_version": ""}, 40097),
        (A, {"path": "p", "env_version": "release_error"}, 40097),
        (A, {"path": "p", "access_token": "x"}, 47001),
        (A, {"path": 5}, 47001),
        (C, {"path": "p?" + "x" * 127}, 40159),
        (C, {"path": "p?" + "码" * 43}, 40159),
        (C, {"path": ""}, 40159),
        (C, {"path": "p?scancode_time=1"}, 85096),
        (C, {"path": "p", "is_hyaline": True}, 47001),
        (B, {}, 40169),
        (B, {"scene": ""}, 40169),
        (B, {"scene": "x" * 33}, 40169),
        (B, {"scene": "a%20b"}, 40129),
        (B, {"scene": "海报"}, 40129),
        (B, {"scene": "scancode_time"}, 85096),
        (B, {"scene": "x", "page": "/pages/index"}, 41030),
        (B, {"scene": "x", "page": "pages/index?a=1"}, 41030),
        (B, {"scene": "x", "check_path": "false"}, 47001),
    ],
)
def test_a_wrong_argument_is_refused_with_its_documented_number(sandbox, endpoint, body, number):
    assert number == errcode_of_image(sandbox, endpoint, body)
    assert 0 == sandbox.app(APP.appid).ac_used


def test_an_error_ends_in_a_request_id(sandbox):
    errmsg = told(sandbox, A, b"")["errmsg"]

    assert errmsg.startswith(ERRMSGS[41001] + " rid: ")


def test_a_page_that_is_not_published_is_refused_unless_the_check_is_off(sandbox):
    sandbox.app(APP.appid).pages = ("pages/index/index",)
    token, _ = stable(sandbox)

    assert 41030 == errcode(sandbox, B, {"scene": "x", "page": "pages/new"}, access_token=token)
    for body in (
        {"scene": "x"},
        {"scene": "x", "page": "pages/index/index"},
        {"scene": "x", "page": "n", "check_path": False},
    ):
        assert "image/jpeg" == ask(sandbox, B, body, access_token=token)[1]


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_every_kinds_request_is_accepted_and_its_picture_holds_what_was_asked(sandbox, kind):
    request = kind.request(CodePlan("pages/index/index", Utm("海报", "双十一"), "abcdEFGH"))
    token, _ = stable(sandbox)

    status, content_type, content = ask(sandbox, request.endpoint, dict(request.body), access_token=token)

    assert (200, "image/jpeg") == (status, content_type)
    assert (430, 430) == Image.open(io.BytesIO(content)).size
    if kind.interface == "C":
        assert [request.body["path"]] == [code.text for code in zxingcpp.read_barcodes(Image.open(io.BytesIO(content)))]
    elif kind.interface == "A":
        assert request.body["path"] == read_dial(content).decode()
    else:
        assert "pages/index/index?scene=c%3DabcdEFGH" == read_dial(content).decode()
    assert int(kind.uses_quota) == sandbox.app(APP.appid).ac_used


def test_a_transparent_code_is_a_png(sandbox):
    token, _ = stable(sandbox)
    body = {"path": "p", "is_hyaline": True, "line_color": {"r": "7", "g": "193", "b": "96"}, "width": 1280}
    _, content_type, content = ask(sandbox, A, body, access_token=token)

    assert ("image/png", b"p") == (content_type, read_dial(content))


def test_a_and_c_share_their_count_for_life(sandbox):
    sandbox.app(APP.appid).ac_used = 99_998
    token, _ = stable(sandbox)
    kinds_made = [ask(sandbox, endpoint, {"path": "p"}, access_token=token)[1] for endpoint in (A, C)]

    assert ["image/jpeg", "image/jpeg"] == kinds_made
    assert 45029 == errcode(sandbox, A, {"path": "p"}, access_token=token)
    assert 45029 == errcode(sandbox, C, {"path": "p"}, access_token=token)
    assert "image/jpeg" == ask(sandbox, B, {"scene": "x"}, access_token=token)[1]
    assert 100_000 == sandbox.app(APP.appid).ac_used


def test_limits_of_a_minute_and_a_day_begin_anew(sandbox):
    app = sandbox.app(APP.appid)
    app.minute_limits, app.daily_limits = ((B, 2),), ((A, 1),)
    token, _ = stable(sandbox)
    asked = [(B, {"scene": "x"})] * 3 + [(A, {"path": "p"})] * 2
    types = [ask(sandbox, endpoint, body, access_token=token)[1] for endpoint, body in asked]

    assert ["image/jpeg"] * 2 + ["application/json; encoding=utf-8"] + ["image/jpeg"] + [types[2]] == types
    assert 45009 == errcode(sandbox, B, {"scene": "x"}, access_token=token)

    sandbox.clock.advance(60)

    assert "image/jpeg" == ask(sandbox, B, {"scene": "x"}, access_token=token)[1]
    assert 45009 == errcode(sandbox, A, {"path": "p"}, access_token=token)


def test_the_calls_left_today_can_be_asked_for(sandbox):
    token, _ = stable(sandbox)
    ask(sandbox, A, {"path": "p"}, access_token=token)
    answer = told(sandbox, "/cgi-bin/openapi/quota/get", {"cgi_path": A}, access_token=token)

    assert {"daily_limit": 10_000, "used": 1, "remain": 9_999} == answer["quota"]
    assert 76003 == errcode(sandbox, "/cgi-bin/openapi/quota/get", {"cgi_path": "wxa"}, access_token=token)


def test_a_mini_program_in_trouble_refuses_everything(sandbox):
    token, _ = stable(sandbox)
    sandbox.app(APP.appid).refuses_with = 50002

    assert 50002 == errcode(sandbox, A, {"path": "p"}, access_token=token)
    assert 50002 == errcode(sandbox, STABLE, credential())


def test_calls_are_counted_by_interface_and_mini_program(sandbox):
    token, _ = stable(sandbox)
    ask(sandbox, B, {"scene": "x"}, access_token=token)
    ask(sandbox, B, {"scene": "x"}, access_token="nonsense")

    assert (1, 2) == (sandbox.count(B, APP.appid), sandbox.count(B))
    assert 0 == sandbox.count(B, SAMPLE_APPS[1].appid)
    assert {"scene": "x"} == sandbox.asked(B)[0].json()


def steer(sandbox, path, document=None, method="POST"):
    data = None if document is None else json.dumps(document).encode()
    with urllib.request.urlopen(urllib.request.Request(sandbox.url + path, data, method=method)) as answer:
        return json.loads(answer.read())


def test_the_sandbox_is_steered_over_http_too(sandbox):
    new = App("wx00000000000000ff", "s" * 32, "新店", pages=("pages/index",), ac_used=99_999)
    steer(sandbox, "/sandbox/apps", dataclasses.asdict(new))
    steer(sandbox, "/sandbox/faults", {"name": "errcode", "endpoint": STABLE, "value": 45009, "times": None})

    assert 45009 == errcode(sandbox, STABLE, credential())
    assert new == sandbox.app(new.appid)
    assert {fault.name for fault in FAULTS} == set(steer(sandbox, "/sandbox/faults", method="GET")["known"])

    steer(sandbox, "/sandbox/faults", method="DELETE")
    steer(sandbox, "/sandbox/clock", {"advance_seconds": 7000})
    state = steer(sandbox, "/sandbox/state", method="GET")

    assert 7200 == told(sandbox, STABLE, credential())["expires_in"]
    assert [{"endpoint": STABLE, "appid": APP.appid, "calls": 1}] == state["calls"]
    assert 4 == len(state["apps"])


@pytest.mark.parametrize(
    "path, document", [("/sandbox/faults", {"name": "meteor"}), ("/sandbox/apps", {}), ("/sandbox/clock", [])]
)
def test_wrong_steering_is_told(sandbox, path, document):
    with pytest.raises(urllib.error.HTTPError) as caught:
        steer(sandbox, path, document)

    with caught.value:
        assert 400 == caught.value.code


def test_quotas_and_tokens_survive_a_restart_with_a_state_file(tmp_path):
    state = tmp_path / "wechat.json"
    with Sandbox(state=state) as sandbox:
        token, _ = stable(sandbox)
        ask(sandbox, A, {"path": "p"}, access_token=token)
    with Sandbox(state=state) as sandbox:
        again, _ = stable(sandbox)

        assert (token, 1) == (again, sandbox.app(APP.appid).ac_used)
        assert dataclasses.replace(APP, ac_used=1) == sandbox.app(APP.appid)


def test_it_runs_alone_until_it_is_interrupted(tmp_path):
    command = [
        sys.executable,
        "-m",
        "fab_minicode.sandbox",
        "--port",
        "0",
        "--state",
        str(tmp_path / "s"),
        "--app",
        "wx1:s:店",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        first, second = process.stdout.readline(), process.stdout.readline()
        url = first.split()[3]
        with urllib.request.urlopen(f"{url}/sandbox/state") as answer:
            found = json.loads(answer.read())["apps"][0]["nick_name"]
        process.terminate()

        assert ("店", ["wx1", "s", "店"], 0) == (found, second.split(), process.wait(10))


@pytest.mark.parametrize("fault", [fault.name for fault in FAULTS])
def test_every_fault_is_explained(fault):
    assert f"| `{fault}` |" in DOCUMENT


@pytest.mark.parametrize("errcode", sorted(ERRCODES))
def test_every_errcode_is_explained_with_its_class(errcode):
    row = next(line for line in DOCUMENT.splitlines() if line.startswith(f"| {errcode} |"))

    assert f"`{ERRCODES[errcode].__name__}`" in row


def test_every_interface_of_the_sandbox_is_explained():
    assert [] == [interface.endpoint for interface in INTERFACES if interface.endpoint not in DOCUMENT]
