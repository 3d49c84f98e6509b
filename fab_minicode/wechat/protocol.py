"""
WeChat's way of speaking: a request as a value, an answer deciphered into a picture, a mapping or a typed error. Pure.

Nothing here opens a socket. A picture is told from JSON by its first bytes: WeChat's Content-Type has varied over the
years and the HTTP status is 200 even for errors (docs/wechat.md, "Transport").
"""

from __future__ import annotations

import io
import json
import re
import struct
import unicodedata
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from fab_minicode.errors import ERRCODES, WeChatError, WeChatUnavailable
from fab_minicode.kinds import ImageRequest
from fab_minicode.vault import Secret

MAX_PIXELS = 4_000_000
"""Largest picture that is decoded, in pixels; WeChat draws at most 1280 x 1280."""

MAX_ERRMSG_CHARACTERS = 300

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
_BOM = b"\xef\xbb\xbf"
# errmsg ends in " rid: 5f6b..-..-.." on newer servers, in " hint: [..]" on older ones. Source: docs/wechat.md.
_RID = re.compile(r"[\s,]*\brid:\s*([0-9A-Za-z._-]{1,64})\s*$")
_HINT = re.compile(r"[\s,]*\bhint:\s*\[([^\]]{1,64})\]?\s*$")
# What Pillow raises for a broken picture, from reading its source and from mutating bytes (tests).
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    TypeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


@dataclass(frozen=True)
class Call:
    """
    One HTTP request to WeChat.

    Attributes:
        endpoint: Path of the interface, without host and query.
        body: Sent as JSON, UTF-8 unescaped. It may hold a secret, hence never shown.
        token: Goes into the query string, the only place where WeChat takes it.
        makes_something: Whether carrying it out twice costs twice (codes of interfaces A and C).
        secrets: Further texts that must not appear in any message.
        token_parameter: Name of the token in the query string; interfaces of the platform have one of their own.
    """

    endpoint: str
    body: Mapping[str, Any] = field(repr=False)
    token: Secret | None = None
    makes_something: bool = False
    secrets: tuple[Secret, ...] = ()
    token_parameter: str = "access_token"  # noqa: S105 - a name

    def content(self) -> bytes:
        """Return the JSON document: UTF-8, unescaped, because a length limit may count what is sent."""
        return json.dumps(dict(self.body), ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    def redact(self, text: str) -> str:
        """Return ``text`` with this call's token and secrets replaced by ``***``."""
        for secret in (self.token, *self.secrets):
            if secret is not None and secret.reveal():
                text = text.replace(secret.reveal(), "***")
        return text


@dataclass(frozen=True)
class Picture:
    """A picture as WeChat sent it, fully decoded once: ``mime`` is ``image/jpeg`` or ``image/png``."""

    content: bytes = field(repr=False)
    mime: str


def image_call(request: ImageRequest, token: Secret) -> Call:
    """Return the call that asks for a code's picture."""
    return Call(request.endpoint, request.body, token, request.uses_quota)


def decipher_picture(content: bytes, call: Call) -> Picture:
    """
    Read the answer to an :func:`image_call`.

    Raises:
        WeChatError: The class that :data:`~fab_minicode.errors.ERRCODES` names, when the body is a JSON error.
        WeChatUnavailable: When the body is neither JSON nor a whole JPEG or PNG.
    """
    if content.startswith((_JPEG, _PNG)):
        mime = "image/jpeg" if content.startswith(_JPEG) else "image/png"
        _decode(content, call)
        return Picture(content, mime)
    if _looks_like_json(content):
        decipher_json(content, call)
        raise broken("JSON where a picture was expected", call)
    raise broken("neither a JPEG or PNG nor JSON" if content else "an empty body", call)


def decipher_json(content: bytes, call: Call) -> Mapping[str, Any]:
    """
    Read a JSON answer; success comes with ``errcode`` 0 or without one.

    Raises:
        WeChatError: For any other errcode, also when it is written as text.
        WeChatUnavailable: When the body is not a JSON object.
    """
    try:
        answer = json.loads(content.removeprefix(_BOM).decode("utf-8"))
    except (ValueError, RecursionError):  # a deep document raises RecursionError, which is not a ValueError
        answer = None
    if not isinstance(answer, dict):
        raise broken("not a JSON object" if content else "an empty body", call)
    errcode = _errcode(answer.get("errcode", 0))
    if errcode is None:
        raise broken("an errcode that is not a number", call)
    if errcode:
        raise typed_error(errcode, str(answer.get("errmsg", "")), call)
    return answer


def typed_error(errcode: int, errmsg: str, call: Call) -> WeChatError:
    """Return the error whose class says who must act; ``rid`` (or the older ``hint``) is split off the message."""
    text, rid = split_rid(one_line(call.redact(errmsg)))
    return ERRCODES.get(errcode, WeChatError)(errcode, text[:MAX_ERRMSG_CHARACTERS], rid=rid, endpoint=call.endpoint)


def broken(what: str, call: Call) -> WeChatUnavailable:
    """Return the error for an answer that says nothing: a code of A or C may have been made all the same."""
    return WeChatUnavailable(
        0, one_line(call.redact(what)), endpoint=call.endpoint, outcome_unknown=call.makes_something
    )


def split_rid(errmsg: str) -> tuple[str, str]:
    """Split ``"invalid page rid: 6230-1cf5"`` into ``("invalid page", "6230-1cf5")``; "" where there is none."""
    for pattern in (_RID, _HINT):
        match = pattern.search(errmsg)
        if match:
            return errmsg[: match.start()].strip(), match.group(1)
    return errmsg.strip(), ""


def one_line(text: str) -> str:
    """Return ``text`` fit for a log line and a database: no control, format, separator or surrogate characters."""
    kept = (c if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") else " " for c in text[:2000])
    return " ".join("".join(kept).split())


def _looks_like_json(content: bytes) -> bool:
    return content[:64].removeprefix(_BOM).lstrip().startswith(b"{")


def _errcode(raw: Any) -> int | None:
    if isinstance(raw, bool) or not isinstance(raw, (int, str)):
        return None
    try:
        number = int(raw)
    except ValueError:
        return None
    return number if abs(number) < 2**31 else None  # stored in an INTEGER column


def _decode(content: bytes, call: Call) -> None:
    # verify() accepts a JPEG cut in half; only load() decodes every pixel.
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as image:
            is_too_large = image.width * image.height > MAX_PIXELS
            if not is_too_large:
                image.load()
    except _BROKEN:
        failure = broken("a picture that does not decode", call)
    else:
        if not is_too_large:
            return
        failure = broken(f"a picture of more than {MAX_PIXELS} pixels", call)
    raise failure
