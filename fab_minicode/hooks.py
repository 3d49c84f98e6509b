"""Functions of the host that settings name as ``package.module:callable``. Pure."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import reduce
from typing import Any

from fab_minicode.errors import ConfigurationError


def load(setting: str, name: str) -> Callable[..., Any] | None:
    """
    Return the function that a setting names; None for "".

    Args:
        setting: Name of the setting, for the message.
        name: ``package.module:callable``.

    Raises:
        ConfigurationError: If there is no such function.
    """
    if not name:
        return None
    module, _, path = name.partition(":")
    try:
        found: Any = reduce(getattr, path.split("."), importlib.import_module(module))
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{setting}: {name}: {type(error).__name__}") from None
    if not callable(found):
        raise ConfigurationError(f"{setting}: {name} is not a function")
    known: Callable[..., Any] = found
    return known
