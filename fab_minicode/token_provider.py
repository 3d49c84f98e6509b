"""
The host's own source of access tokens: the setting ``TOKEN_PROVIDER``, for hosts that keep WeChat's tokens already, so
that two systems never end each other's.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from fab_minicode import hooks
from fab_minicode.errors import ConfigurationError, WeChatUnavailable
from fab_minicode.vault import Secret


def load_provider(name: str) -> Callable[[str, Secret | None], Secret | None] | None:
    """
    Return the function behind ``package.module:callable`` as ``tokens`` wants it; None for "".

    The host's function gets an AppID and returns a token as text, or None for a mini program whose token it does not
    keep. If it has a parameter ``rejected``, it is told the token that WeChat has refused, and should renew it.

    Raises:
        ConfigurationError: If there is no such function.
    """
    found = hooks.load("FAB_MINICODE_TOKEN_PROVIDER", name)
    if found is None:
        return None
    try:
        hears = "rejected" in inspect.signature(found).parameters
    except ValueError as error:  # a builtin that tells nothing of itself
        raise ConfigurationError(f"FAB_MINICODE_TOKEN_PROVIDER: {name}: {type(error).__name__}") from None

    def hand_in(appid: str, refused: Secret | None) -> Secret | None:
        told = {"rejected": refused.reveal() if refused else None} if hears else {}
        return _asked(found, appid, told)

    return hand_in


def _asked(found: Callable[..., Any], appid: str, told: dict[str, Any]) -> Secret | None:
    what = ""
    try:
        token = found(appid, **told)
    except Exception as error:  # noqa: BLE001
        # The host's code may fail in any way. The type only: its message may hold a token.
        what = type(error).__name__
        token = None
    if what:
        raise WeChatUnavailable(0, f"the host's token service failed ({what})")
    if token is None:
        return None
    if not isinstance(token, str) or not token.isascii() or not token.isprintable() or not 0 < len(token) <= 2048:
        raise WeChatUnavailable(0, "the host's token service handed in something that is no token")
    return Secret(token)
