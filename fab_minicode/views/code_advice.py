"""Kind words about values that are allowed and may still surprise later: never an error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fab_minicode.acquisition.likeness import folded
from fab_minicode.kinds import Kind
from fab_minicode.utm import UTM_FIELDS, Utm, normalise
from fab_minicode.words import gettext as _


@dataclass(frozen=True)
class Advice:
    """What to know about a value; ``better`` is the one that was used before, "" where there is none."""

    sentence: str
    better: str = ""


def advice(utm: Utm, used: Mapping[str, Sequence[str]], kind: Kind) -> dict[str, Advice]:
    """
    Return what to say about values, by field.

    Args:
        utm: As typed.
        used: By field the values of the latest codes (``code_list.suggestions``).
        kind: One that carries the values in its path is cut by GrowingIO's SDK (docs/trackers.md); B carries a key.
    """
    given = dict(utm.pairs())
    found = {}
    for field in UTM_FIELDS:
        text = normalise(given.get(field, "")).strip()
        before = used_before(text, used.get(field, ()))
        if before:
            found[field] = Advice(drifted(before, text), before)
        elif "&" in text and kind.max_path_bytes is not None:
            found[field] = Advice(cut())
    return found


def used_before(text: str, used: Sequence[str]) -> str:
    """Return the value used before that is the same but for its spelling; "" when there is none, or exactly this."""
    if not text or text in used:
        return ""
    return next((one for one in used if folded(one) == folded(text)), "")


def drifted(before: str, text: str) -> str:
    """Return the sentence about two spellings of one word."""
    return _("Earlier codes use “%(before)s”. “%(text)s” would be counted as another value.", before=before, text=text)


def cut() -> str:
    """Return the sentence about ``&``."""
    return _(
        "GrowingIO's SDK cuts a value at “&”: visits would not be counted for this code. Choose other words, or the "
        "unlimited kind."
    )


def script_words() -> dict[str, Any]:
    """Return the same sentences for the script, with places to fill."""
    return {
        "drifted": drifted("{before}", "{text}"),
        "cut": cut(),
        "useValue": _("Use “%(value)s”", value="{value}"),
    }
