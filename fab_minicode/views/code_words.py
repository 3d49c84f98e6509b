"""
The words of the code pages: kinds, fields, states, what happened. Lazy texts, in the language of whoever reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fab_minicode.words import lazy_gettext as _l


@dataclass(frozen=True)
class KindWords:
    """A kind in people's words: its name, what it is for, and how its sample picture looks (``round``, ``square``)."""

    name: Any
    text: Any
    sample: str


KINDS: dict[str, KindWords] = {
    "wxacode": KindWords(
        _l("Mini-program code"),
        _l("Round. Carries page and parameters itself. Counts against the 100,000 for life."),
        "round",
    ),
    "wxaqrcode": KindWords(
        _l("Square QR code"),
        _l("For short paths and places that expect a QR code. Counts against the 100,000 for life."),
        "square",
    ),
    "wxacode_unlimited": KindWords(
        _l("Unlimited mini-program code"),
        _l("Round. Carries a short key and we keep the parameters, so they may be long. As many as you like."),
        "round",
    ),
}
"""Kind -> words; every element of ``kinds.KINDS`` has some."""

FIELDS: dict[str, tuple[Any, Any]] = {
    "utm_source": (_l("Ad source"), _l("Where it will be seen: poster, partner, moments …")),
    "utm_campaign": (_l("Campaign"), _l("What it belongs to: spring-sale …")),
    "utm_medium": (_l("Medium"), _l("How it reaches people: print, video, kol …")),
    "utm_content": (_l("Content"), _l("Which version: red-headline …")),
    "utm_term": (_l("Keyword"), _l("Which keyword or audience it is for")),
}
"""UTM field -> (label, placeholder), in the order of the form."""

VERDICTS: dict[str, Any] = {
    "fits": _l("Fits"),
    "noPage": "—",
    "wrongPage": _l("Check the landing page"),
    "noQuery": _l("Page without parameters only"),
    "tooLong": _l("%(over)s bytes too long"),
}
"""``meter.Fit.verdict`` -> what the card of a kind says; a page that nobody has typed yet is neither good nor bad."""

STATES: dict[str, tuple[Any, str]] = {
    "planned": (_l("Being made"), "info"),
    "ready": (_l("Ready"), "good"),
    "failed": (_l("Not made"), "bad"),
    "unknown": (_l("Unknown"), "warn"),
}
"""State of a code -> (label, badge)."""

DELETED = (_l("Deleted"), "bad")
"""What stands instead of the state of a deleted code."""

ACTIONS: dict[str, Any] = {
    "created": _l("Code created"),
    "generated": _l("Picture received from WeChat"),
    "failed": _l("WeChat made no picture"),
    "unknown": _l("WeChat's answer did not arrive"),
    "renamed": _l("Code renamed"),
    "deleted": _l("Code deleted"),
    "handed_over": _l("Code handed over"),
}
"""``CodeHistory.action`` -> what the history says."""

STATUSES: dict[str, tuple[Any, str]] = {
    "authorized": (_l("Authorised"), "good"),
    "not_authorized": (_l("Not authorised"), "warn"),
    "revoked": (_l("Revoked"), "bad"),
}
"""Status of a mini program -> (label, badge)."""

SETS: dict[str, Any] = {
    "17": _l("17 Codes"),
    "18": _l("18 Development and data"),
    "25": _l("25 Development"),
    "30": _l("30 Basic information"),
    "88": _l("88 Links"),
}
"""WeChat's permission set -> what a page calls it; the others are shown by their number."""

MENU_CATEGORY = _l("Mini program codes")
"""The default of the setting of this name, so that the menu is translated where a host keeps it."""

PRINT_LIVES_ON = _l(
    "The printed code keeps working, and the data it brought and still brings stay. "
    "Here it can no longer be found or downloaded."
)
"""What everybody reads before a code is deleted."""


def verdict(name: str, over: str) -> str:
    """Return what the card of a kind says; ``over`` is by how many bytes a path is too long."""
    return str(VERDICTS[name]) % {"over": over}
