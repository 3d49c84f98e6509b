"""Who acts: a person of the host, remembered by id and name, and the way they came in. Pure."""

from __future__ import annotations

from dataclasses import dataclass

PAGE, REST, CLI, WECHAT = WAYS = ("page", "rest", "cli", "wechat")
"""Ways in: a page, a program over REST, the command line (and programs of the host), a push of WeChat's."""


@dataclass(frozen=True)
class Actor:
    """
    A person as the host knows them.

    Attributes:
        id: The host's user id as text; "" for none.
        name: What pages show.
        way: One of :data:`WAYS`.
    """

    id: str
    name: str
    way: str = CLI


SYSTEM = Actor("", "system")
"""What happens without a person: the roll-up, the command line."""

PUSHED = Actor("", "system", WECHAT)
"""What happens because WeChat said so."""
