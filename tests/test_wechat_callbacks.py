"""Envelopes: Tencent's published samples, and thousands of ways not to be one."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import pathlib

import pytest

from fab_minicode.errors import CallbackRejected
from fab_minicode.wechat.callbacks import CallbackKeys, _leaves, decrypt, encrypt, open_envelope, sign

VECTORS = json.loads((pathlib.Path(__file__).parent / "wechat" / "crypto_vectors.json").read_text())
NOW = dt.datetime(2026, 11, 22, 10, tzinfo=dt.timezone.utc)
AES = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
KEYS = CallbackKeys("wx1234567890abcdef", ("token-new", "token-old"), (AES, "A" * 43))
STAMP = str(int(NOW.timestamp()))


def push(inner: str, *, token: str = "token-new", aes: str = AES, appid: str = KEYS.appid, stamp: str = STAMP):
    encrypted = encrypt(inner.encode(), aes, appid, b"0123456789abcdef")
    args = {"msg_signature": sign(token, stamp, "nonce", encrypted), "timestamp": stamp, "nonce": "nonce"}
    return f"<xml><AppId><![CDATA[{appid}]]></AppId><Encrypt><![CDATA[{encrypted}]]></Encrypt></xml>".encode(), args


TICKET = (
    f"<xml><AppId>{KEYS.appid}</AppId><CreateTime>1413192605</CreateTime><InfoType>component_verify_ticket</InfoType>"
    "<ComponentVerifyTicket>ticket@@@abc</ComponentVerifyTicket></xml>"
)


@pytest.mark.parametrize("name", ["A1", "E_reply"])
def test_a_published_sample_encrypts_to_the_published_ciphertext(name):
    v = VECTORS[name]

    assert v["cipher"] == encrypt(v["plain"].encode(), v["aes_key"], v["appid"], v["random"].encode())


@pytest.mark.parametrize("name", ["A1", "B", "C", "E_reply"])
def test_a_published_sample_decrypts_to_the_published_text(name):
    v = VECTORS[name]

    assert v["plain"].encode() == decrypt(v["cipher"], CallbackKeys(v["appid"], (), (v["aes_key"],)))


@pytest.mark.parametrize("name", ["B", "C", "E_reply"])
def test_a_published_signature_is_ours(name):
    v = VECTORS[name]

    assert v["msg_signature"] == sign(v["token"], v["timestamp"], v["nonce"], v["cipher"])


def test_a_ticket_push_is_opened():
    opened = open_envelope(*push(TICKET), KEYS, now=NOW)

    assert "component_verify_ticket" == opened.info_type
    assert "ticket@@@abc" == opened.fields["ComponentVerifyTicket"]
    assert dt.datetime(2014, 10, 13, 9, 30, 5, tzinfo=dt.timezone.utc) == opened.created_at
    assert "ticket" not in repr(opened).replace("component_verify_ticket", "")


@pytest.mark.parametrize(("token", "aes"), list(itertools.product(KEYS.tokens, KEYS.aes_keys)))
def test_the_previous_token_and_key_still_open(token, aes):
    assert open_envelope(*push(TICKET, token=token, aes=aes), KEYS, now=NOW).fields["AppId"] == KEYS.appid


def test_every_single_changed_byte_of_the_ciphertext_is_refused():
    body, args = push(TICKET)
    start, end = body.index(b"<Encrypt><![CDATA[") + 18, body.index(b"]]></Encrypt>")
    refused = 0
    for at in range(start, end):
        with pytest.raises(CallbackRejected):
            open_envelope(body[:at] + bytes([body[at] ^ 1]) + body[at + 1 :], args, KEYS, now=NOW)
        refused += 1

    assert end - start == refused


@pytest.mark.parametrize("minutes", [-11, -10.1, 10.1, 11, 60])
def test_a_push_outside_the_time_window_is_refused(minutes):
    stamp = str(int((NOW + dt.timedelta(minutes=minutes)).timestamp()))
    with pytest.raises(CallbackRejected, match="window"):
        open_envelope(*push(TICKET, stamp=stamp), KEYS, now=NOW)


@pytest.mark.parametrize("field", ["msg_signature", "timestamp", "nonce"])
@pytest.mark.parametrize("changed", ["", "{}0", "x{}", "{} "])
def test_a_changed_query_parameter_is_refused(field, changed):
    body, args = push(TICKET)
    with pytest.raises(CallbackRejected):
        open_envelope(body, {**args, field: changed.format(args[field])}, KEYS, now=NOW)


def test_a_push_for_another_component_is_refused():
    with pytest.raises(CallbackRejected, match="AppID"):
        open_envelope(*push(TICKET, appid="wxother"), KEYS, now=NOW)


def test_an_unknown_token_is_refused():
    with pytest.raises(CallbackRejected, match="signature"):
        open_envelope(*push(TICKET, token="stranger"), KEYS, now=NOW)


@pytest.mark.parametrize("encrypted", ["!!!", "AAAA", "A" * 24, "", "=" * 8])
def test_broken_ciphertext_is_refused(encrypted):
    with pytest.raises(CallbackRejected):
        decrypt(encrypted, KEYS)


HOSTILE = {
    "external entity": b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/hostname">]><xml><Encrypt>&e;</Encrypt></xml>',
    "parameter entity": b'<!DOCTYPE x [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x">%p;]><xml><Encrypt>a</Encrypt></xml>',
    "internal entity": b'<!DOCTYPE x [<!ENTITY e "boom">]><xml><Encrypt>&e;</Encrypt></xml>',
    "billion laughs": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><xml><Encrypt>&b;</Encrypt></xml>',
    "external DTD": b'<!DOCTYPE xml SYSTEM "http://127.0.0.1:9/x.dtd"><xml><Encrypt>a</Encrypt></xml>',
    "XInclude": b'<xml xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file:///etc/hostname"><a/></xi:include></xml>',
    "utf-16": "<xml><Encrypt>a</Encrypt></xml>".encode("utf-16"),
    "utf-32": "<xml><Encrypt>a</Encrypt></xml>".encode("utf-32"),
    "utf-7": b'<?xml version="1.0" encoding="utf-7"?><xml><Encrypt>a</Encrypt></xml>',
    "NUL": b"<xml><Encrypt>a\x00b</Encrypt></xml>",
    "two Encrypt": b"<xml><Encrypt>a</Encrypt><Encrypt>b</Encrypt></xml>",
    "deep": b"<xml>" + b"<a>" * 9000 + b"</a>" * 9000 + b"</xml>",
    "nested Encrypt": b"<xml><a><Encrypt>a</Encrypt></a></xml>",
    "undefined entity": b"<xml><Encrypt>&e;</Encrypt></xml>",
    "not XML": b'{"Encrypt": "a"}',
    "empty": b"",
    "cut": b"<xml><Encrypt>a</Encr",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_xml_is_refused(name):
    with pytest.raises(CallbackRejected):
        _leaves(HOSTILE[name])


def test_one_byte_over_the_size_limit_is_refused_before_it_is_parsed():
    with pytest.raises(CallbackRejected, match="large"):
        open_envelope(b"<" * (64 * 1024 + 1), {}, KEYS, now=NOW)


@pytest.mark.parametrize("name", [n for n in HOSTILE if n not in ("utf-16", "utf-32")])
def test_hostile_inner_xml_is_refused_even_when_signed(name):
    with pytest.raises(CallbackRejected):
        open_envelope(*push(HOSTILE[name].decode("utf-8")), KEYS, now=NOW)
