"""Answers of WeChat, deciphered: pictures told from JSON by their first bytes, errcodes to typed errors."""

import contextlib
import io
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fab_minicode import kinds
from fab_minicode.errors import (
    ERRCODES,
    AddressRefused,
    ArgumentRefused,
    TokenRejected,
    WeChatError,
    WeChatUnavailable,
)
from fab_minicode.kinds import CodePlan
from fab_minicode.utm import Utm
from fab_minicode.vault import Secret
from fab_minicode.wechat.protocol import (
    MAX_PIXELS,
    Call,
    decipher_json,
    decipher_picture,
    image_call,
    one_line,
    split_rid,
)

TOKEN = Secret("90_canary-token")
PICTURE = Call("/wxa/getwxacode", {"path": "pages/index"}, TOKEN, makes_something=True)


def picture(form, size=(430, 430), mode="RGB"):
    out = io.BytesIO()
    noise = random.Random(1).randbytes(size[0] * size[1] * len(Image.new(mode, (1, 1)).getbands()))
    Image.frombytes(mode, size, noise).save(out, form)
    return out.getvalue()


def refusal(errcode, errmsg="invalid page"):
    return json.dumps({"errcode": errcode, "errmsg": errmsg}).encode()


@pytest.mark.parametrize(
    "form, mode, mime", [("JPEG", "RGB", "image/jpeg"), ("PNG", "RGBA", "image/png"), ("PNG", "1", "image/png")]
)
def test_a_whole_picture_is_told_by_its_first_bytes(form, mode, mime):
    content = picture(form, (64, 64), "RGB" if mode == "1" else mode)

    found = decipher_picture(content, PICTURE)

    assert (mime, content) == (found.mime, found.content)


@pytest.mark.parametrize("errcode", sorted(ERRCODES))
def test_every_known_errcode_becomes_its_class_as_number_and_as_text(errcode):
    for raw in (errcode, str(errcode)):
        with pytest.raises(ERRCODES[errcode]) as caught:
            decipher_picture(refusal(raw), PICTURE)

        assert (errcode, "invalid page", "/wxa/getwxacode") == (
            caught.value.errcode,
            caught.value.errmsg,
            caught.value.endpoint,
        )


def test_an_unknown_errcode_keeps_its_number():
    with pytest.raises(WeChatError) as caught:
        decipher_json(refusal(987654), PICTURE)

    assert (WeChatError, 987654) == (type(caught.value), caught.value.errcode)


def test_a_definite_no_is_never_unknown():
    with pytest.raises(WeChatUnavailable) as caught:
        decipher_picture(refusal(-1, "system error"), PICTURE)

    assert caught.value.outcome_unknown is False


@pytest.mark.parametrize(
    "errmsg, text, rid",
    [
        ("invalid page rid: 62300d0b-1cf5c5a1-12d3e4f5", "invalid page", "62300d0b-1cf5c5a1-12d3e4f5"),
        ("invalid page, rid: 6230-1", "invalid page", "6230-1"),
        ("invalid credential hint: [Xw0ZAa0512sha1]", "invalid credential", "Xw0ZAa0512sha1"),
        ("invalid page", "invalid page", ""),
        ("rid: 6230", "", "6230"),
        ("", "", ""),
        ("a rid: is missing here", "a rid: is missing here", ""),
    ],
)
def test_the_request_id_is_split_off_the_message(errmsg, text, rid):
    assert (text, rid) == split_rid(errmsg)


def test_a_long_message_is_cut_and_keeps_its_request_id():
    with pytest.raises(WeChatError) as caught:
        decipher_json(refusal(40097, "x" * 1000 + " rid: 6230-1"), PICTURE)

    assert (300, "6230-1") == (len(caught.value.errmsg), caught.value.rid)


def test_a_token_or_secret_that_comes_back_in_a_message_is_masked():
    call = Call("/cgi-bin/stable_token", {}, TOKEN, secrets=(Secret("canary-secret"),))

    with pytest.raises(WeChatError) as caught:
        decipher_json(refusal(40013, "no appid for canary-secret and 90_canary-token, sorry"), call)

    assert "no appid for *** and ***, sorry" == caught.value.errmsg


@pytest.mark.parametrize("odd", ["a\r\nb", "a\u2028b", "a\x1b[31mb", "a\u202eb", "a\ud800b", "a\x00b", "a\ufeff b"])
def test_a_message_stays_on_one_line_and_fits_into_a_database(odd):
    text = one_line(odd)

    assert ("a", "b", True) == (text[0], text[-1], text.isprintable())
    text.encode("utf-8")


def test_json_with_a_byte_order_mark_is_read():
    with pytest.raises(ArgumentRefused):
        decipher_picture(b"\xef\xbb\xbf" + refusal(41030), PICTURE)

    assert {"access_token": "t"} == decipher_json(b'\xef\xbb\xbf{"access_token":"t"}', PICTURE)


def test_white_space_before_json_is_no_picture():
    with pytest.raises(TokenRejected):
        decipher_picture(b" \r\n" + refusal(42001), PICTURE)


def test_errcode_zero_and_no_errcode_are_success():
    assert {"errcode": 0, "a": 1} == decipher_json(b'{"errcode":0,"a":1}', PICTURE)
    assert {"errcode": "0"} == decipher_json(b'{"errcode":"0"}', PICTURE)
    assert {} == decipher_json(b"{}", PICTURE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"null",
        b"<html>502</html>",
        b'{"errcode":',
        b'{"errcode":true}',
        b'{"errcode":[1]}',
        b'{"errcode":"x"}',
        b'{"errcode":1.5}',
        b'{"errcode":99999999999999999999}',
        b'{"errcode":0}',
        b'{"a":' * 100_000,
        b'{"a":"\xff"}',
        b"GIF89a" + b"\0" * 20,
        b"\xff\xd8\xff",
        b"\x89PNG\r\n\x1a\n",
    ],
    ids=lambda content: repr(content[:24]),
)
def test_no_usable_answer_to_an_image_call_leaves_the_outcome_unknown(content):
    with pytest.raises(WeChatUnavailable) as caught:
        decipher_picture(content, PICTURE)

    assert caught.value.outcome_unknown is True
    assert 0 == caught.value.errcode


def test_without_something_to_make_nothing_is_unknown():
    with pytest.raises(WeChatUnavailable) as caught:
        decipher_picture(b"", Call("/wxa/getwxacodeunlimit", {}))

    assert caught.value.outcome_unknown is False


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("part", [0.02, 0.1, 0.5, 0.9])
def test_a_picture_cut_off_anywhere_is_refused(form, part):
    whole = picture(form)

    with pytest.raises(WeChatUnavailable):
        decipher_picture(whole[: int(len(whole) * part)], PICTURE)


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded():
    out = io.BytesIO()
    Image.new("1", (MAX_PIXELS // 1000 + 1, 1000)).save(out, "PNG")

    with pytest.raises(WeChatUnavailable, match="pixels"):
        decipher_picture(out.getvalue(), PICTURE)


@pytest.mark.parametrize("edge", [10_000, 20_000])
def test_a_pixel_bomb_is_refused(edge):
    out = io.BytesIO()
    Image.new("1", (edge, edge)).save(out, "PNG")

    with pytest.raises(WeChatUnavailable):
        decipher_picture(out.getvalue(), PICTURE)


def test_a_gif_with_the_first_bytes_of_a_jpeg_is_refused():
    out = io.BytesIO()
    Image.new("P", (8, 8)).save(out, "GIF")

    with pytest.raises(WeChatUnavailable):
        decipher_picture(b"\xff\xd8\xff" + out.getvalue(), PICTURE)


_SMALL = {form: picture(form, (24, 24)) for form in ("JPEG", "PNG")}


@given(form=st.sampled_from(["JPEG", "PNG"]), at=st.integers(3, 2000), new=st.binary(min_size=1, max_size=8))
def test_altered_bytes_give_a_picture_or_our_error_and_nothing_else(form, at, new):
    whole = bytearray(_SMALL[form])
    at = min(at, len(whole) - len(new))
    whole[at : at + len(new)] = new

    with contextlib.suppress(WeChatError):
        decipher_picture(bytes(whole), PICTURE)


@given(st.binary(max_size=200))
def test_arbitrary_bytes_give_our_error_and_nothing_else(content):
    with pytest.raises(WeChatError):
        decipher_picture(content, PICTURE)


@pytest.mark.parametrize("kind", kinds.KINDS, ids=lambda kind: kind.name)
def test_the_call_for_a_picture_holds_what_the_kind_asks_for(kind):
    request = kind.request(CodePlan("pages/首页", Utm("海报"), "abcdEFGH"))

    call = image_call(request, TOKEN)

    assert (kind.endpoint, kind.uses_quota) == (call.endpoint, call.makes_something)
    assert request.body == json.loads(call.content())
    assert "首页".encode() in call.content()
    assert b"\\u" not in call.content()


def test_a_call_shows_neither_token_nor_body():
    call = Call("/cgi-bin/stable_token", {"secret": "canary-secret"}, TOKEN, secrets=(Secret("canary-secret"),))

    assert "canary" not in repr(call)


def test_an_address_that_is_not_registered_is_told_apart():
    with pytest.raises(AddressRefused) as caught:
        decipher_json(refusal(40164, "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist rid: 6230-1"), PICTURE)

    assert "invalid ip 1.2.3.4 ipv6 ::ffff:1.2.3.4, not in whitelist" == caught.value.errmsg
