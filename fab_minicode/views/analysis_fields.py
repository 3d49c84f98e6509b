"""
Fields that every analysis page has (events, funnel, retention, visitors): window, filters, groups of visitors.

They are read from what a form sent and written back into the JSON of docs/api.md. The macros that show them stand in
``_analysis_fields.html``; ``static/analysis_fields.js`` keeps an empty row to fill in and hides what is not used.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from werkzeug.datastructures import MultiDict

from fab_minicode.views import analysis_words as words
from fab_minicode.words import gettext as _

FORM = "form"
"""Field that says: these are the form's own fields, not a shared link."""

MAX_FILTERS = 10
_WITHOUT_VALUE = ("set", "not_set")
_WITH_VALUES = ("in", "not_in")
_VALUE = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^,，]+))')
_CODE_NUMBER = re.compile(r"#[0-9]{1,10}", re.ASCII)
_NEEDS_QUOTES = re.compile(r'[,，"]|^\s|\s$')


@dataclass(frozen=True)
class Filter:
    """One row of the filter list; ``value`` is the text of the field (several values separated by commas)."""

    dimension: str = ""
    op: str = "eq"
    value: str = ""


@dataclass(frozen=True)
class Span:
    """
    The window of a form.

    Attributes:
        name: Key of ``words.WINDOWS``, or another number of complete days that a shared link asks for.
        since: First day of a free window, ISO; "" else.
        until: Last day of a free window, ISO; "" else.
    """

    name: str = "7"
    since: str = ""
    until: str = ""

    @property
    def choices(self) -> dict[str, dict[str, Any]]:
        """The windows to choose from, by group; a shared link may ask for another number of days."""
        if self.name in words.WINDOWS:
            return words.WINDOW_GROUPS
        own = {self.name: _("Last %(days)s days", days=self.name)}
        return words.WINDOW_GROUPS | {"complete": own | words.WINDOW_GROUPS["complete"]}

    def as_json(self) -> Any:
        """Return the window as a question's JSON has it."""
        if self.name == "free":
            return {"since": self.since, "until": self.until}
        return {"last_days": int(self.name)} if self.name.isdigit() else self.name


def about(appid: str, fields: MultiDict[str, str]) -> MultiDict[str, str]:
    """
    Return an address's fields, about this mini program and no other; "" leaves them as they are.

    Whoever may see it was asked of one mini program; an address that names a second one would be answered about that.
    """
    asked = fields.copy()
    if appid:
        asked.setlist("appid", [appid])
    return asked


def is_form(fields: MultiDict[str, str]) -> bool:
    """Whether the query string comes from a page's form."""
    return bool(fields.get(FORM))


def known(value: str | None, choices: Iterable[str], default: str) -> str:
    """Return a value that can be chosen, else the default."""
    return value if value is not None and value in choices else default


def read_span(fields: MultiDict[str, str], default: str = "7") -> Span:
    """Return the window a form sent; its dates as they came, so that a wrong one is shown beside its message."""
    name = known(fields.get("window"), words.WINDOWS, default)
    if name != "free":
        return Span(name)
    return Span(name, fields.get("since", "")[:10], fields.get("until", "")[:10])


def span_of(window: Any) -> Span:
    """Return the fields that show a question's window."""
    if isinstance(window, str):
        return Span(window)
    if "last_days" in window:
        return Span(str(window["last_days"]))
    return Span("free", window["since"], window["until"])


def read_filters(fields: MultiDict[str, str]) -> tuple[Filter, ...]:
    """Return the filter rows a form sent, without the blank one."""
    rows = zip(fields.getlist("dimension"), fields.getlist("op"), fields.getlist("value"), strict=False)
    return tuple(Filter(dimension, op, value) for dimension, op, value in rows if dimension)


def with_blank(rows: tuple[Filter, ...]) -> tuple[Filter, ...]:
    """Return the filters, and an empty one to fill in."""
    return rows if len(rows) >= MAX_FILTERS else (*rows, Filter())


def filters_json(rows: Iterable[Filter]) -> list[dict[str, Any]]:
    """Return the filters of a question's JSON; an empty row (no value where one is needed) is left out."""
    return [_filter_json(row) for row in rows if row.op in _WITHOUT_VALUE or row.value.strip()]


def _filter_json(row: Filter) -> dict[str, Any]:
    if row.op in _WITHOUT_VALUE:
        return {"dimension": row.dimension, "op": row.op}
    texts = split_values(row.value) if row.op in _WITH_VALUES else [row.value.strip()]
    values = [_value_of(row, text) for text in texts]
    return {"dimension": row.dimension, "op": row.op, "value": values if row.op in _WITH_VALUES else values[0]}


def _value_of(row: Filter, text: str) -> str | int:
    """Read ``#12`` as the code with this number; a code may also be named."""
    is_number = row.dimension == "code" and row.op != "contains" and _CODE_NUMBER.fullmatch(text)
    return int(text[1:]) if is_number else text


def filters_of(conditions: Iterable[Mapping[str, Any]]) -> tuple[Filter, ...]:
    """Return the rows that show the filters of a valid question."""
    return tuple(_filter_row(one) for one in conditions)


def _filter_row(one: Mapping[str, Any]) -> Filter:
    value = one.get("value", "")
    if isinstance(value, list):
        return Filter(one["dimension"], one["op"], join_values(_text_of(item) for item in value))
    return Filter(one["dimension"], one["op"], _text_of(value))


def filter_words(row: Filter) -> str:
    """Return a filter as people say it."""
    value = row.value
    if row.dimension == "scene":
        value = ", ".join(str(words.SCENES.get(one, one)) for one in split_values(value))
    return f"{words.DIMENSIONS[row.dimension]} {words.OPERATORS[row.op]} {value}".strip()


def _text_of(value: str | int) -> str:
    return f"#{value}" if isinstance(value, int) else value


def split_values(text: str) -> list[str]:
    """Return the values of a list typed with commas (``,`` or ``，``); a value with a comma stands in double quotes."""
    found = (match.groups() for match in _VALUE.finditer(text))
    pieces = (plain.strip() if quoted is None else quoted.replace('""', '"') for quoted, plain in found)
    return [piece for piece in pieces if piece]


def join_values(values: Iterable[str]) -> str:
    """Return the text that :func:`split_values` reads back."""
    return ", ".join('"' + value.replace('"', '""') + '"' if _NEEDS_QUOTES.search(value) else value for value in values)
