"""WeChat's door over HTTP, on both databases: what is genuine is taken once, everything else changes nothing."""

from __future__ import annotations

import base64
import datetime as dt
import http.server
import random
import threading
import time
from urllib.parse import parse_qsl, urlencode

import pytest
from sqlalchemy import func, inspect, select, text

from fab_minicode.component_tokens import ticket_of
from fab_minicode.models import AuthCode, Authorizer, Component, ReceivedPush, Token
from fab_minicode.sandbox.platform import envelope, fields_of
from fab_minicode.wechat.callbacks import encrypt, sign
from tests import hosts, third_party
from tests.test_wechat_callbacks import VECTORS
from tests.third_party import COMPONENT, EVENTS, PLATFORM, SHOP, push, push_ticket


@pytest.fixture
def door(platform_app):
    return platform_app.test_client()


def genuine(**changed):
    """Return ``(query as pairs, body)`` of a genuine ticket push."""
    fields = {
        **fields_of(PLATFORM, "component_verify_ticket", time.time(), ComponentVerifyTicket="ticket@@@x"),
        **changed,
    }
    query, body = envelope(PLATFORM, fields, stamp=int(time.time()))
    return parse_qsl(query), body


def send(client, query, body, **options):
    encoded = query if isinstance(query, str) else urlencode(query)
    return client.post(f"{EVENTS}?{encoded}", data=body, content_type="text/xml", **options)


def contents(app):
    """Everything that a push may change."""
    with hosts.database(app) as session:
        models = (Component, ReceivedPush, AuthCode, Authorizer, Token)
        return [sorted(map(str, session.execute(select(model.__table__)).all())) for model in models]


def ticket(app):
    here = app.extensions["fab_minicode"]
    with hosts.engine_of(app).connect() as connection:
        found = ticket_of(connection, here.vault, COMPONENT)
    return found and found.text.reveal()


def counted(app):
    with app.app_context(), hosts.database(app) as session:
        return {one.reason: one.count for one in app.extensions["fab_minicode_wechat_door"].refusals(session)}


# --------------------------------------------------------------------------------------------------------------- taken


def test_a_ticket_is_taken_and_answered_with_a_plain_success(platform_app, platform_sandbox, door):
    answer = push_ticket(door, platform_sandbox)

    assert (200, b"success") == (answer.status_code, answer.data)
    assert "text/plain" == answer.mimetype
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert platform_sandbox.platform.ticket == ticket(platform_app)
    assert {} == counted(platform_app)


def test_the_newest_ticket_wins_in_whatever_order_they_come(platform_app, door):
    at = int(time.time())
    for seconds, text_ in ((0, "first"), (20, "third-before"), (20, "third"), (10, "second"), (5, "late")):
        answer = push(door, "component_verify_ticket", at=at + seconds, ComponentVerifyTicket=text_)

        assert b"success" == answer.data
    assert "third" == ticket(platform_app)


def test_the_ticket_is_nowhere_in_clear(platform_app, platform_sandbox, door):
    push_ticket(door, platform_sandbox)
    engine = hosts.engine_of(platform_app)
    with engine.connect() as connection:
        tables = [name for name in inspect(engine).get_table_names() if name.startswith("minicode_")]
        everything = "".join(str(connection.execute(text(f"SELECT * FROM {name}")).all()) for name in tables)

    assert platform_sandbox.platform.ticket not in everything
    assert base64.b64encode(platform_sandbox.platform.ticket.encode()).decode() not in everything


@pytest.mark.parametrize("number", range(4))
def test_the_previous_token_and_key_are_taken(platform_app, door, number):
    fields = fields_of(PLATFORM, "component_verify_ticket", time.time(), ComponentVerifyTicket="t")
    token, key = PLATFORM.tokens[number % 2], PLATFORM.aes_keys[number // 2]
    query, body = envelope(PLATFORM, fields, stamp=int(time.time()), token=token, aes_key=key)

    assert 200 == send(door, query, body).status_code
    assert "t" == ticket(platform_app)


def test_kinds_that_are_not_for_us_are_taken_and_change_nothing(platform_app, door):
    assert b"success" == push(door, "notify_third_fasteregister", status=0).data
    assert (None, []) == (ticket(platform_app), contents(platform_app)[2])


def test_the_address_can_be_tried(platform_app, door):
    stamp, nonce = str(int(time.time())), "n"
    echo = encrypt(b"<b>16163</b>", PLATFORM.aes_keys[0], COMPONENT, b"0" * 16)
    query = {
        "msg_signature": sign(PLATFORM.tokens[0], stamp, nonce, echo),
        "timestamp": stamp,
        "nonce": nonce,
        "echostr": echo,
    }
    answer = door.get(f"{EVENTS}?{urlencode(query)}")

    assert (200, b"<b>16163</b>", "text/plain") == (answer.status_code, answer.data, answer.mimetype)
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    for name in query:
        refused = door.get(f"{EVENTS}?{urlencode({**query, name: query[name][:-1] + '!'})}")

        assert (403, b"") == (refused.status_code, refused.data)
    assert 403 == door.get(EVENTS).status_code


# ------------------------------------------------------------------------------------------------------------- refused


def mutations():  # noqa: C901 - one list
    """Yield ``(name, query, body, headers)``: a genuine push with one thing changed, hundreds of them."""
    query, body = genuine()
    start, end = body.index(b"<Encrypt><![CDATA[") + 18, body.index(b"]]></Encrypt>")
    values = dict(query)
    for at in range(len(body)):
        if not body[at : at + 1].isspace():
            yield f"byte {at}", query, body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :], {}
    for at in range(0, len(body) - 8, 9):
        yield f"cut at {at}", query, body[:at], {}
    for at in range(start, end, 8):
        yield f"removed {at}", query, body[:at] + body[at + 1 :], {}
        yield f"swapped {at}", query, body[:at] + body[at : at + 2][::-1] + b"_" + body[at + 2 :], {}
    for name in ("msg_signature", "timestamp", "nonce"):
        yield f"without {name}", [pair for pair in query if pair[0] != name], body, {}
        yield f"{name} twice", [*query, (name, values[name])], body, {}
        yield f"{name} and another first", [(name, "1"), *query], body, {}
        yield f"{name} in other case", [(k.upper() if k == name else k, v) for k, v in query], body, {}
        yield f"{name} in other case, too", [*query, (name.title(), values[name])], body, {}
        for changed in ("", values[name] + "0", values[name][:-1], values[name] + "\x00", f" {values[name]}", "é"):
            yield f"{name}={changed!r}", [(k, changed if k == name else v) for k, v in query], body, {}
        for at in range(len(values[name])):
            flipped = values[name][:at] + chr(ord(values[name][at]) ^ 1) + values[name][at + 1 :]
            yield f"{name} flipped at {at}", [(k, flipped if k == name else v) for k, v in query], body, {}
    upper = [(k, v.upper() if k == "msg_signature" else v) for k, v in query]
    yield "signature in capitals", upper, body, {}
    yield (
        "signature of the plain kind",
        [(k, values["signature"] if k == "msg_signature" else v) for k, v in query],
        body,
        {},
    )
    for minutes in (-11, 11, -60, 60, 600_000):
        fields = fields_of(PLATFORM, "component_verify_ticket", time.time(), ComponentVerifyTicket="t")
        yield f"{minutes} minutes off", *envelope(PLATFORM, fields, stamp=int(time.time()) + 60 * minutes), {}
    forged, _ = envelope(PLATFORM, fields_of(PLATFORM, "unauthorized", 1), stamp=int(time.time()), token="stranger")
    for host in ("localhost", "127.0.0.1", "[::1]", "", "bi.example.com", "localhost:8080"):
        for more in ({}, {"X-Forwarded-For": "127.0.0.1"}, {"X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1"}):
            yield f"forged, Host {host!r} {more}", forged, body, {"Host": host, **more}
    for name in ("debug", "test", "skip_verify", "encrypt_type"):
        yield f"forged, {name}=1", f"{forged}&{name}=raw", body, {}
    yield "clear text", query, b"<xml><InfoType>unauthorized</InfoType></xml>", {}
    yield "too large", query, body + b" " * 65_536, {}
    yield "packed", query, body, {"Content-Encoding": "gzip"}
    yield "nothing", "", b"", {}


def test_more_than_six_hundred_mutations_are_refused_and_change_nothing(platform_app, door):
    before = contents(platform_app)
    wrong, number = [], 0
    for name, query, body, headers in mutations():
        answer = send(door, query, body, headers=headers)
        number += 1
        if (answer.status_code, answer.data) != (403, b""):
            wrong.append((name, answer.status_code))

    assert [] == wrong
    assert number >= 600
    assert before == contents(platform_app)
    assert number == sum(counted(platform_app).values())


@pytest.mark.parametrize("seed", range(3))
def test_random_tampering_is_refused(platform_app, door, seed):
    dice = random.Random(seed)
    query, body = genuine()
    cipher = body[body.index(b"CDATA[", body.index(b"<Encrypt>")) + 6 : body.index(b"]]></Encrypt>")]
    for _ in range(60):
        raw = bytearray(base64.b64decode(cipher))
        for _ in range(dice.randint(1, 5)):
            raw[dice.randrange(len(raw))] ^= dice.randint(1, 255)
        tampered = body.replace(cipher, base64.b64encode(bytes(raw)))

        assert 403 == send(door, query, tampered).status_code


def test_a_replay_is_refused_and_counted(platform_app, door):
    query, body = genuine()

    assert [200, 403, 403, 403] == [send(door, query, body).status_code for _ in range(4)]
    assert {"received before": 3} == counted(platform_app)


def test_a_push_to_another_component_is_refused(platform_app, door):
    stamp = str(int(time.time()))
    inner = (
        f"<xml><AppId>wxother</AppId><CreateTime>{stamp}</CreateTime><InfoType>unauthorized</InfoType></xml>".encode()
    )
    for appid in ("wxother", COMPONENT):
        encrypted = encrypt(inner, PLATFORM.aes_keys[0], appid, b"0" * 16)
        query = {"msg_signature": sign(PLATFORM.tokens[0], stamp, "n", encrypted), "timestamp": stamp, "nonce": "n"}

        assert 403 == send(door, list(query.items()), f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode()).status_code


@pytest.mark.parametrize(
    "info_type, more",
    [
        ("component_verify_ticket", {}),
        ("component_verify_ticket", {"ComponentVerifyTicket": "two words"}),
        ("component_verify_ticket", {"ComponentVerifyTicket": "t" * 513}),
        ("authorized", {"AuthorizerAppid": "gh_1", "AuthorizationCode": "c"}),
        ("authorized", {"AuthorizerAppid": SHOP.appid}),
        ("unauthorized", {}),
        ("unauthorized", {"AuthorizerAppid": "wx0'; DROP TABLE"}),
    ],
)
def test_a_signed_push_without_what_its_kind_needs_is_refused(platform_app, door, info_type, more):
    before = contents(platform_app)

    assert 403 == push(door, info_type, **more).status_code
    assert before == contents(platform_app)


def test_published_samples_are_refused_because_they_are_old(platform_app, door):
    vector = VECTORS["C"]
    body = f"<xml><Encrypt><![CDATA[{vector['cipher']}]]></Encrypt></xml>".encode()
    query = {name: vector[name] for name in ("timestamp", "nonce", "msg_signature")}

    assert 403 == send(door, list(query.items()), body).status_code


def test_a_host_without_a_platform_refuses_every_push(app):
    query, body = genuine()

    answer = send(app.test_client(), query, body)

    assert (403, b"") == (answer.status_code, answer.data)


def test_the_hosts_csrf_protection_keeps_away_from_this_door_only(platform_app, platform_sandbox, door):
    assert 200 == push_ticket(door, platform_sandbox).status_code
    assert 400 == hosts.login(door, "manager").post("/minicode/codes/delete/1").status_code


def test_with_the_database_away_wechat_is_asked_to_come_again(platform_app, platform_sandbox, door):
    engine = hosts.engine_of(platform_app)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE minicode_pushes"))
    answer = push_ticket(door, platform_sandbox)

    assert (503, b"") == (answer.status_code, answer.data)


def test_a_flood_of_forged_pushes_is_counted_without_a_write_for_each(platform_app, door):
    for _ in range(200):
        door.post(EVENTS, data=b"x")

    assert 200 == sum(counted(platform_app).values())


def test_old_fingerprints_go(platform_app, door):
    with hosts.database(platform_app) as session:
        session.add(ReceivedPush(fingerprint="old", received_at=third_party.now() - 2 * dt.timedelta(hours=1)))
        session.commit()
    send(door, *genuine())
    with hosts.database(platform_app) as session:
        assert 1 == session.execute(select(func.count()).select_from(ReceivedPush)).scalar_one()


# ----------------------------------------------------------------------------------------------------------------- XML


class Listener(http.server.BaseHTTPRequestHandler):
    hits = 0

    def do_GET(self):
        type(self).hits += 1
        self.send_response(200)
        self.end_headers()

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture
def canary(tmp_path):
    """A file and a listener that nobody may touch: ``(address of the file, address of the listener, hits so far)``."""
    (tmp_path / "canary.txt").write_text("canary-in-a-file")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listener)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    Listener.hits = 0
    yield (tmp_path / "canary.txt").as_uri(), f"http://127.0.0.1:{server.server_port}/x", lambda: Listener.hits
    server.shutdown()
    server.server_close()
    thread.join()


def hostile(file, url):
    """Return documents that want more of a parser than a flat list of texts."""
    w3 = "http://www.w3.org/2001"
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    return {
        "external entity to a file": f'<!DOCTYPE x [<!ENTITY e SYSTEM "{file}">]><xml><Encrypt>&e;</Encrypt></xml>',
        "external entity to a listener": f'<!DOCTYPE x [<!ENTITY e SYSTEM "{url}">]><xml><Encrypt>&e;</Encrypt></xml>',
        "parameter entity": f'<!DOCTYPE x [<!ENTITY % p SYSTEM "{url}">%p;]><xml><Encrypt>a</Encrypt></xml>',
        "internal entity": '<!DOCTYPE x [<!ENTITY e "b">]><xml><Encrypt>&e;</Encrypt></xml>',
        "billion laughs": f'<!DOCTYPE x [<!ENTITY l0 "ha">{laughs}]><xml><Encrypt>&l9;</Encrypt></xml>',
        "external DTD": f'<!DOCTYPE xml SYSTEM "{url}"><xml><Encrypt>a</Encrypt></xml>',
        "public DTD": f'<!DOCTYPE xml PUBLIC "-//x" "{url}"><xml><Encrypt>a</Encrypt></xml>',
        "XInclude": f'<xml xmlns:xi="{w3}/XInclude"><xi:include href="{file}" parse="text"/><a>b</a></xml>',
        "style sheet": f'<?xml-stylesheet href="{url}"?><xml><Encrypt>a</Encrypt></xml>',
        "schema": f'<xml xmlns:xsi="{w3}/XMLSchema-instance" xsi:schemaLocation="a {url}"><a>b</a></xml>',
        "utf-7": '<?xml version="1.0" encoding="utf-7"?><xml><Encrypt>+ADw-a</Encrypt></xml>',
        "NUL": "<xml><Encrypt>a\0b</Encrypt></xml>",
        "two Encrypt": "<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
        "deep": "<xml>" + "<a>" * 9000 + "</a>" * 9000 + "</xml>",
        "attribute": '<xml><Encrypt a="b">c</Encrypt></xml>',
        "text between": "<xml>x<Encrypt>c</Encrypt></xml>",
        "quadratic": f'<!DOCTYPE x [<!ENTITY e "{"e" * 5000}">]><xml><Encrypt>{"&e;" * 5000}</Encrypt></xml>',
    }


def test_hostile_documents_are_refused_by_both_parsers_and_touch_nothing(platform_app, door, canary):
    file, url, hits = canary
    documents = hostile(file, url)
    stamp = str(int(time.time()))
    before, started = contents(platform_app), time.monotonic()
    for name, document in documents.items():
        outside = send(door, [("msg_signature", "x"), ("timestamp", stamp), ("nonce", "n")], document.encode())
        encrypted = encrypt(document.encode(), PLATFORM.aes_keys[0], COMPONENT, b"0" * 16)
        query = [
            ("msg_signature", sign(PLATFORM.tokens[0], stamp, "n", encrypted)),
            ("timestamp", stamp),
            ("nonce", "n"),
        ]
        inside = send(door, query, f"<xml><Encrypt>{encrypted}</Encrypt></xml>".encode())

        assert (403, 403) == (outside.status_code, inside.status_code), name
        assert b"canary" not in outside.data + inside.data
    for encoding in ("utf-16", "utf-32"):
        assert 403 == send(door, [], "<xml><Encrypt>a</Encrypt></xml>".encode(encoding)).status_code

    assert len(documents) >= 12
    assert 0 == hits()
    assert before == contents(platform_app)
    assert time.monotonic() - started < 30


def test_the_answer_comes_at_once_while_wechat_hangs(platform_app, platform_sandbox, door):
    push_ticket(door, platform_sandbox)
    platform_sandbox.fault("latency", value=3, times=None)
    code = platform_sandbox.world.authorize(SHOP.appid, (17,))
    slowest = 0.0
    for _ in range(20):
        started = time.monotonic()
        answer = push(door, "authorized", **third_party.authorized_fields(platform_sandbox, code))
        slowest = max(slowest, time.monotonic() - started)

        assert b"success" == answer.data
    platform_sandbox.clear_faults()
    platform_sandbox.world.stopping.set()

    assert slowest < 1


def test_no_setting_switches_the_check_off():
    from fab_minicode.settings import SETTINGS

    words = ("DEBUG", "SKIP", "INSECURE", "DISABLE", "VERIFY", "UNSAFE", "TEST")

    assert [] == [row.name for row in SETTINGS if any(word in row.name for word in words)]
