r"""
A question as the query string of an address: short enough to read, and nothing of the question left out. Pure.

``metric=users&metric=order_paid.times&by=utm_source&where=utm_source:in:poster,flyer&window=last_7``. In a condition's
values ``\`` protects a comma, itself, and a leading ``#``; ``#12`` is the code with this number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from fab_minicode.errors import InvalidInput

_PIECE = re.compile(r"(?:\\.|[^,\\]|\\$)*", re.DOTALL)
_NUMBER = re.compile(r"#[0-9]{1,10}", re.ASCII)
_WHOLE = re.compile(r"-?[0-9]{1,16}", re.ASCII)
_LAST_DAYS = re.compile(r"last_([0-9]{1,16})", re.ASCII)


def write_address(asked: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """Return the query string's keys and values for some fields of a question's JSON (docs/api.md)."""
    written: dict[str, str | list[str]] = {}
    for field, (key, write, _read) in _KEYS.items():
        if field in asked:
            value = asked[field]
            texts = [write(item) for item in value] if isinstance(value, list) else write(value)
            # An empty list is no list of nothing: the field would fall back to its default.
            written[key] = texts if texts != [] else ""
    return written


def read_address(args: Any) -> dict[str, Any]:
    """Return the fields of a question's JSON that a query string holds; they are not checked here."""
    asked: dict[str, Any] = {}
    for field, (key, _write, read) in _KEYS.items():
        texts = _texts(args, key)
        if texts:
            asked[field] = [read(text) for text in texts if text] if field in _LISTS else read(texts[-1])
    return asked


def _texts(args: Any, key: str) -> list[str]:
    if hasattr(args, "getlist"):
        return list(args.getlist(key))
    value = args.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def _same(value: Any) -> str:
    return str(value)


def _write_metric(metric: Any) -> str:
    return metric if isinstance(metric, str) else f"{metric['event']}.{metric['as']}"


def _read_metric(text: str) -> Any:
    event, dot, measure = text.rpartition(".")
    return {"event": event, "as": measure} if dot else text


def _write_filter(condition: Mapping[str, Any]) -> str:
    start = f"{condition['dimension']}:{condition['op']}"
    if "value" not in condition:
        return start
    value = condition["value"]
    values = value if isinstance(value, list) else [value]
    return f"{start}:{','.join(_write_value(one) for one in values)}"


def _write_value(value: str | int) -> str:
    if isinstance(value, int):
        return f"#{value}"
    text = value.replace("\\", "\\\\").replace(",", "\\,")
    return "\\" + text if text.startswith("#") else text


def _read_filter(text: str) -> Any:
    dimension, op, *rest = text.split(":", 2)[:3] if ":" in text else (text, "")
    if not rest:
        return {"dimension": dimension, "op": op}
    values = [_read_value(piece) for piece in _pieces(rest[0])]
    return {"dimension": dimension, "op": op, "value": values if op in ("in", "not_in") else _only(values, rest[0])}


def _only(values: list[str | int], text: str) -> str | int:
    # Somebody typed this address: a comma that nobody protected belongs to the value.
    return values[0] if len(values) == 1 else _unprotected(text)


def _pieces(text: str) -> list[str]:
    pieces, at = [], 0
    while True:
        match = _PIECE.match(text, at)
        end = match.end() if match else at
        pieces.append(text[at:end])
        at = end + 1
        if at > len(text):
            return pieces


def _read_value(piece: str) -> str | int:
    return int(piece[1:]) if _NUMBER.fullmatch(piece) else _unprotected(piece)


def _unprotected(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _write_window(window: Any) -> str:
    if isinstance(window, str):
        return window
    if "last_days" in window:
        return f"last_{window['last_days']}"
    return f"{window['since']}..{window['until']}"


def _read_window(text: str) -> Any:
    if match := _LAST_DAYS.fullmatch(text):
        return {"last_days": int(match[1])}
    since, dots, until = text.partition("..")
    return {"since": since, "until": until} if dots else text


def _read_compare(text: str) -> str | None:
    return text or None


def _read_limit(text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise InvalidInput("limit", "invalid", detail=text[:40])
    return int(text)


_LISTS = ("metrics", "dimensions", "filters", "segments")
_KEYS: dict[str, tuple[str, Callable[[Any], str], Callable[[str], Any]]] = {
    "appid": ("appid", _same, _same),
    "metrics": ("metric", _write_metric, _read_metric),
    "dimensions": ("by", _same, _same),
    "filters": ("where", _write_filter, _read_filter),
    "segments": ("segment", _same, _same),
    "window": ("window", _write_window, _read_window),
    "granularity": ("granularity", _same, _same),
    "attribution": ("attribution", _same, _same),
    "compare": ("compare", _same, _read_compare),
    "limit": ("limit", _same, _read_limit),
}
"""Field of the question -> (key in the address, how one value is written, how it is read)."""
