"""Parts of the work with tokens: whose token and how it is asked for, one reading of a row, a clock that moves on."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fab_minicode.errors import WeChatError
from fab_minicode.vault import Secret
from fab_minicode.wechat.credentials import AccessToken


@dataclass(frozen=True)
class Credential:
    """
    Whose token it is and how WeChat is asked for it.

    Attributes:
        subject: Primary key of the row, e.g. ``"secret:wx0123456789abcdef"``.
        authorizer_id: The row is deleted with this authorizer; None for the component.
        fetch: Asks WeChat; the argument says whether the present token is to be ended by force.
        still_ours: Conditions on the mini program's row: what the fetch relies on is still what is stored.
        dead: Errors after which only a person can help.
        prepare: Done before the lease is taken: a token that the fetch needs may take as long as the fetch.
    """

    subject: str
    authorizer_id: int | None
    fetch: Callable[[bool], AccessToken]
    still_ours: tuple[Any, ...] = ()
    dead: tuple[type[WeChatError], ...] = ()
    prepare: Callable[[], object] = bool


@dataclass(frozen=True)
class Stored:
    """One reading of a row. ``token`` is None when there is none that our keys open."""

    token: Secret | None
    expires_at: dt.datetime | None
    version: int

    def works(self, unwanted: Secret | None, now: dt.datetime, *, left_seconds: float = 0) -> bool:
        """Return whether there is a token that lives longer than this and is not the one WeChat refused."""
        if self.token is None or self.expires_at is None or self.token == unwanted:
            return False
        return (self.expires_at - now).total_seconds() > left_seconds

    def good_token(self) -> Secret:
        """Return the token of a reading that :meth:`works`."""
        if self.token is None:
            raise ValueError("no token in this reading")
        return self.token


class Clock:
    """The caller's ``now``, moved on by the time that passes while we wait."""

    def __init__(self, now: dt.datetime) -> None:
        self._now, self._started = now, time.monotonic()

    def waited_seconds(self) -> float:
        """Return how long it has been running."""
        return time.monotonic() - self._started

    def now(self) -> dt.datetime:
        """Return the caller's instant plus the time since."""
        return self._now + dt.timedelta(seconds=self.waited_seconds())


def place_of(subject: str) -> str:
    """Return the vault place of a subject's token."""
    return f"tokens:sealed_token:{subject}"
