"""What the sandbox is asked and what it answers, as values; WeChat's refusals with their documented words. Pure."""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JSON_TYPE = "application/json; encoding=utf-8"  # WeChat's spelling. Source: docs/wechat.md, "Transport".

ERRMSGS: dict[int, str] = {
    -1: "system error",
    40001: "invalid credential, access_token is invalid or not latest",
    40002: "invalid grant_type",
    40013: "invalid appid",
    40014: "invalid access_token",
    40097: "invalid args",
    40125: "invalid appsecret",
    40129: "invalid scene",
    40159: "invalid length for path, or the data is not json string",
    40164: "invalid ip 203.0.113.7 ipv6 ::ffff:203.0.113.7, not in whitelist",
    40169: "invalid length for scene, or the data is not json string",
    40170: "args count exceed count limit",
    40189: "invalid width",
    40243: "AppSecret is frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41018: "missing component_appid",
    41030: "invalid page",
    42001: "access_token expired",
    43002: "require POST method",
    44002: "empty post data",
    45009: "reach max api daily quota limit",
    45011: "api minute-quota reach limit, please retry next minute",
    45029: "qrcode count out of limit",
    47001: "data format error",
    48001: "api unauthorized",
    48004: "api forbidden for irregularities",
    50002: "user limited",
    42007: "password changed, authorize again",
    61003: "component is not authorized by this account",
    61004: "access clientip is not registered requestIP: 203.0.113.7",
    61005: "component ticket is expired",
    61006: "component ticket is invalid",
    61007: "api is unauthorized to component",
    61009: "code is invalid",
    61010: "code is expired",
    61011: "invalid component",
    61014: "need component token",
    61016: "need confirm",
    61023: "refresh_token is invalid",
    76003: "invalid cgi_path",
    85096: "not allow include scancode_time field",
}


class Refusal(Exception):
    """The sandbox says no with a documented errcode."""

    def __init__(self, errcode: int) -> None:
        super().__init__(errcode)
        self.errcode = errcode


@dataclass(frozen=True)
class Asked:
    """One request as it came: ``query`` holds the first value of each key, ``body`` the raw bytes."""

    method: str
    endpoint: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    appid: str = ""

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object. Raises Refusal 44002 when it is empty, 47001 when it is something else."""
        if not self.body.strip():
            raise Refusal(44002)
        try:
            document = json.loads(self.body.decode("utf-8"))
        except (ValueError, RecursionError):
            raise Refusal(47001) from None
        if not isinstance(document, dict):
            raise Refusal(47001)
        return document


@dataclass(frozen=True)
class Answer:
    """
    What is sent back.

    Attributes:
        delivery: ``whole``, or one of the ways a line breaks: ``silent``, ``slow_body``, ``slow_headers``,
            ``cut_off`` (half the body, then the end), ``reset`` (half the body, then a reset).
        pace_seconds: For ``silent`` how long, for the slow ones the pause after each byte.
    """

    body: bytes
    content_type: str = JSON_TYPE
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    delivery: str = "whole"
    pace_seconds: float = 0.0


def json_answer(document: Mapping[str, Any]) -> Answer:
    """Return a JSON answer, UTF-8 unescaped."""
    return Answer(json.dumps(dict(document), ensure_ascii=False, separators=(",", ":")).encode("utf-8"))


def refusal_answer(errcode: int) -> Answer:
    """Return WeChat's error document: the number, the words, and a request id at their end."""
    words = ERRMSGS.get(errcode, "error")
    return json_answer({"errcode": errcode, "errmsg": f"{words} rid: {mint_rid()}"})


def mint_rid() -> str:
    """Return a request id of the form ``6561f3a2-1cf5c5a1-12d3e4f5``."""
    return "-".join(secrets.token_hex(4) for _ in range(3))
