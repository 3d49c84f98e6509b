"""How a token is asked for, and what an answer is good for."""

import json

import pytest

from fab_minicode.errors import SecretRejected, WeChatError, WeChatUnavailable
from fab_minicode.vault import Secret
from fab_minicode.wechat.credentials import UNREADABLE_LIFE_SECONDS, decipher_token, stable_token_call

CALL = stable_token_call("wx0000000000000001", Secret("canary-secret"))


def test_the_secret_travels_in_the_body_and_force_only_when_asked():
    plain = {"grant_type": "client_credential", "appid": "wx0000000000000001", "secret": "canary-secret"}

    assert plain == json.loads(CALL.content())
    assert {**plain, "force_refresh": True} == json.loads(
        stable_token_call("wx0000000000000001", Secret("canary-secret"), force_refresh=True).content()
    )
    assert None is CALL.token
    assert "canary" not in repr(CALL)


@pytest.mark.parametrize(
    "expires_in, seconds",
    [
        ("7200", 7200),
        ('"7200"', 7200),
        ("299", 299),
        ("7200.0", 7200),
        ("99999999999999999999", 7200),
        *(
            (odd, UNREADABLE_LIFE_SECONDS)
            for odd in ("0", "-5", "null", '"soon"', "true", "[]", "NaN", "Infinity", '""')
        ),
        ('"' + "9" * 5000 + '"', UNREADABLE_LIFE_SECONDS),
    ],
)
def test_any_expires_in_gives_a_life(expires_in, seconds):
    found = decipher_token(b'{"access_token":"90_x","expires_in":%s}' % expires_in.encode(), CALL)

    assert ("90_x", seconds) == (found.token.reveal(), found.expires_in_seconds)


def test_a_missing_expires_in_gives_a_short_life():
    assert UNREADABLE_LIFE_SECONDS == decipher_token(b'{"access_token":"90_x"}', CALL).expires_in_seconds


@pytest.mark.parametrize("token", ['""', "null", "7", '"a b"', '"a\\nb"', '"\\u0000"', '"%s"' % ("x" * 3000)])
def test_an_answer_without_a_usable_token_is_no_answer(token):
    with pytest.raises(WeChatUnavailable):
        decipher_token(b'{"access_token":%s,"expires_in":7200}' % token.encode(), CALL)


@pytest.mark.parametrize("errcode", [40001, 40013, 40125, 40243, 41002, 41004])
def test_a_refused_pair_is_the_secrets_fault(errcode):
    with pytest.raises(SecretRejected) as caught:
        decipher_token(b'{"errcode":%d,"errmsg":"no rid: 6230-1"}' % errcode, CALL)

    assert (errcode, "no", "6230-1") == (caught.value.errcode, caught.value.errmsg, caught.value.rid)


def test_another_errcode_keeps_its_class():
    with pytest.raises(WeChatError) as caught:
        decipher_token(b'{"errcode":45009,"errmsg":"reach max api daily quota limit"}', CALL)

    assert "quota_exceeded" == caught.value.code
