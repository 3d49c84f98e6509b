"""What WeChat said last of a mini program or of the platform, kept as one text, in words for people."""

from __future__ import annotations

import re
from dataclasses import dataclass

from fab_minicode.errors import (
    ERRCODES,
    ComponentRejected,
    SecretRejected,
    TokenRejected,
    WeChatError,
    WeChatUnavailable,
)
from fab_minicode.views import messages

# As errors.WeChatError writes itself.
_NOTE = re.compile(r"WeChat (\S*): (-?\d+) ?(.*?)(?: \(rid ([^)]*)\))?", re.DOTALL)
_OF_PLATFORM = "/cgi-bin/component/"


@dataclass(frozen=True)
class Noted:
    """
    An error for people.

    Attributes:
        explanation: What it means and what can be done.
        small: Number, words and request id of WeChat's, for whoever asks WeChat.
    """

    explanation: messages.Explanation
    small: str


def noted(text: str) -> Noted:
    """Return what ``last_error`` of a row means; a text that WeChat's errors do not write is shown as it is."""
    found = _NOTE.fullmatch(text)
    if found is None:
        return Noted(messages.explained_row(None, text), text)
    endpoint, number, words, rid = found.groups()
    small = f"errcode {number}" + (f": {words}" if words else "") + (f" · rid {rid}" if rid else "")
    # 0 is no number of WeChat's: there was no answer.
    kind = ERRCODES.get(int(number), WeChatError) if int(number) else WeChatUnavailable
    if endpoint.startswith(_OF_PLATFORM) and kind in (SecretRejected, TokenRejected):
        kind = ComponentRejected  # it is the platform's own secret there (docs/wechat.md)
    return Noted(messages.explained_error(kind(int(number), words, endpoint=endpoint)), small)
