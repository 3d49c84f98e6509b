"""
What a person asks for when they make a code, and every check that needs no database. Pure.
"""

from __future__ import annotations

import unicodedata
from dataclasses import astuple, dataclass, field, replace

from fab_minicode.errors import InvalidInput
from fab_minicode.kinds import CONTROL, CodePlan, Options, kind_named
from fab_minicode.utm import MAX_VALUE_CHARACTERS, UTM_FIELDS, Utm

MAX_APPID_CHARACTERS = 32
MAX_NAME_CHARACTERS = 50
MAX_REMARK_CHARACTERS = 500


@dataclass(frozen=True)
class Draft:
    """
    A code as it was asked for.

    Attributes:
        appid: AppID of the mini program.
        name: 1 to 50 characters, unique among the live codes of the mini program.
        kind: Name of an element of ``kinds.KINDS``.
        landing_page: Page path with its own query, as typed.
        utm: The five values; the source is required.
        options: How the picture looks.
        remark: Free text, at most 500 characters; may hold line breaks.
    """

    appid: str
    name: str
    kind: str
    landing_page: str
    utm: Utm
    options: Options = field(default_factory=Options)
    remark: str = ""


def checked(draft: Draft) -> Draft:
    """
    Return the draft as it is stored: texts in NFC and without surrounding white space.

    Raises:
        InvalidInput: Naming the field, why, and the limit with the actual value. Nothing is cut.
    """
    appid = checked_text("appid", draft.appid, most=MAX_APPID_CHARACTERS)
    if not appid:
        raise InvalidInput("appid", "required")
    name = checked_name(draft.name)
    kind = kind_named(draft.kind)
    utm = checked_utm(draft.utm)
    remark = checked_text("remark", draft.remark.replace("\r\n", "\n"), most=MAX_REMARK_CHARACTERS, lines=True)
    kind.check(CodePlan(draft.landing_page, utm, options=draft.options))
    return replace(draft, appid=appid, name=name, utm=utm, remark=remark)


def checked_name(name: str) -> str:
    """Return the name as it is stored. Raises InvalidInput(field="name")."""
    text = checked_text("name", name, most=MAX_NAME_CHARACTERS)
    if not text:
        raise InvalidInput("name", "required")
    return text


def checked_utm(utm: Utm) -> Utm:
    """Return the values as they are stored and sent. Raises InvalidInput naming the field, e.g. ``utm_source``."""
    values = zip(UTM_FIELDS, astuple(utm), strict=True)
    stored = Utm(*(checked_text(name, value, most=MAX_VALUE_CHARACTERS) for name, value in values))
    if not stored.source:
        raise InvalidInput("utm_source", "required")
    return stored


def checked_text(name: str, value: str, *, most: int, lines: bool = False) -> str:
    """
    Return ``value`` in NFC and trimmed.

    Args:
        name: The field, for the error.
        value: Text as typed.
        most: Greatest number of characters (code points).
        lines: Whether line breaks and tabs may stand in it.

    Raises:
        InvalidInput: For a control character, half a surrogate pair, a direction override, or too many characters.
    """
    text = unicodedata.normalize("NFC", value).strip()
    if CONTROL.search(text.translate({10: None, 9: None}) if lines else text):
        raise InvalidInput(name, "control_character")
    if len(text) > most:
        raise InvalidInput(name, "too_long", limit=most, actual=len(text), unit="characters")
    return text


def search_text(*texts: str) -> str:
    """Return texts as the code list's search compares them: NFC, case-folded, one per line."""
    return "\n".join(unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold()) for text in texts)
