"""
Secrets at rest: MultiFernet over ``FAB_MINICODE_SECRET_KEYS``, bound to the place a secret is stored at. Pure.

A sealed text starts with ``f1:`` so that the scheme can change. The place (``"table:column:key"``) is inside the
ciphertext: a sealed text that was copied to another row does not open there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from fab_minicode.errors import ConfigurationError, SecretUnreadable

_PREFIX = "f1:"


@dataclass(frozen=True, repr=False)
class Secret:
    """A text that shows itself nowhere; ``reveal()`` is the only way to it."""

    _text: str

    def reveal(self) -> str:
        """Return the text."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class Vault:
    """Seals and opens secrets with a list of Fernet keys, newest first."""

    def __init__(self, keys: Sequence[str]) -> None:
        """
        Args:
            keys: URL-safe base64 Fernet keys of 32 bytes; the first seals, all open.

        Raises:
            ConfigurationError: If the list is empty or a key is malformed. The key is not repeated in the message.
        """
        if not keys:
            raise ConfigurationError("FAB_MINICODE_SECRET_KEYS is empty")
        try:
            fernets = [Fernet(key) for key in keys]
        except (ValueError, TypeError):
            raise ConfigurationError(
                "FAB_MINICODE_SECRET_KEYS: every key must be 32 url-safe base64-encoded bytes (Fernet.generate_key())"
            ) from None
        self._fernet, self._newest = MultiFernet(fernets), fernets[0]

    def seal(self, secret: Secret, place: str) -> str:
        """Return the sealed text of ``secret`` for ``place``."""
        return _PREFIX + self._fernet.encrypt(f"{place}\n{secret.reveal()}".encode()).decode("ascii")

    def open(self, sealed: str | None, place: str) -> Secret:
        """
        Return the secret.

        Raises:
            SecretUnreadable: If nothing is stored, no configured key fits, or the text was sealed for another place.
        """
        if not sealed or not sealed.startswith(_PREFIX):
            raise SecretUnreadable(f"{place}: nothing readable stored")
        try:
            found, _, text = self._fernet.decrypt(sealed[len(_PREFIX) :].encode("ascii")).decode().partition("\n")
        except (InvalidToken, ValueError):
            raise SecretUnreadable(f"{place}: no configured key opens it") from None
        if found != place:
            raise SecretUnreadable(f"{place}: sealed for another place")
        return Secret(text)

    def is_newest(self, sealed: str) -> bool:
        """Whether the newest key opens this sealed text, so that there is nothing to rotate."""
        try:
            self._newest.decrypt(sealed[len(_PREFIX) :].encode("ascii"))
        except (InvalidToken, ValueError):
            return False
        return sealed.startswith(_PREFIX)

    def rotate(self, sealed: str) -> str:
        """Return the same secret sealed with the newest key. Raises SecretUnreadable when no key fits."""
        if not sealed.startswith(_PREFIX):
            raise SecretUnreadable("not a sealed text")
        try:
            return _PREFIX + self._fernet.rotate(sealed[len(_PREFIX) :].encode("ascii")).decode("ascii")
        except (InvalidToken, ValueError):
            raise SecretUnreadable("no configured key opens it") from None
