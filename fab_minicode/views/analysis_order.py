"""
The order of a table's rows by a column that somebody chose, the same on the page and in its export.

An address says it as ``sort=users`` or ``sort=-users``: a column, with ``-`` before it the highest first. Which rows
stand there does not depend on it; equal ones keep the order of the answer, and what is not set comes last either way.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from fab_minicode.acquisition.answer import columns_of as columns_asked
from fab_minicode.acquisition.metrics import ATTRIBUTIONS
from fab_minicode.acquisition.question import Question
from fab_minicode.views.analysis_answer import Json, columns_of, value_cell
from fab_minicode.views.analysis_table import Table
from fab_minicode.views.analysis_units import attribution_of, by_attribution

SORT = "sort"
"""Key of an address."""

_DOWN = "-"
# Python refuses to read much longer numbers.
_DIGITS = re.compile(r"(\d{1,18})")


def known_sort(text: str, question: Question, *, beside: bool) -> str:
    """Return an order that an address asks for, "" where the answer to the question has no such column."""
    columns = columns_asked(replace(question, granularity="total") if beside else question)
    names = [column["name"] for column in columns if column["role"] != "metric" or not beside]
    if beside:
        metrics = (column["name"] for column in columns if column["role"] == "metric")
        names += [by_attribution(attribution, name) for name in metrics for attribution in ATTRIBUTIONS]
    keys = {_key(name) for name in names}
    return text if text in keys or (text[:1] == _DOWN and text[1:] in keys) else ""


def order_of(answer: Json, sort: str) -> Sequence[int]:
    """Return the numbers of an answer's rows in the order of :func:`known_sort`; "" is the answer's own."""
    rows, keys = answer["rows"], {_key(column["name"]): column for column in answer["columns"]}
    if not sort:
        return range(len(rows))
    column = keys.get(sort) or keys[sort[1:]]
    values = [_value(column, row, answer) for row in rows]
    known = [place for place, value in enumerate(values) if value is not None]
    known.sort(key=lambda place: values[place], reverse=sort not in keys)
    return [*known, *(place for place, value in enumerate(values) if value is None)]


def sorted_table(table: Table, answer: Json, sort: str, link: Callable[[str], str]) -> Table:
    """
    Return the table of an answer in an order, with headings that lead to others.

    Args:
        table: Of the answer, in its order.
        answer: The answer, of which the table has every row.
        sort: From :func:`known_sort`.
        link: Order -> address of the page in this order.
    """
    columns = columns_of(answer)
    names = [*filter(None, [columns.time]), *columns.dimensions, *columns.metrics]
    heads = []
    for head, key in zip(table.heads, map(_key, names), strict=True):
        now = {key: "ascending", _DOWN + key: "descending"}.get(sort, "")
        # The highest numbers first, names from their beginning; once more turns it.
        other = key if now == "descending" or (not now and not head.is_number) else _DOWN + key
        heads.append(replace(head, url=link(other), sorted=now))
    return replace(table, heads=tuple(heads), rows=tuple(table.rows[place] for place in order_of(answer, sort)))


def _key(column: str) -> str:
    """Return what an address calls a column."""
    attribution, metric = attribution_of(column)
    return f"{attribution}:{metric}" if attribution else metric


def _value(column: Json, row: Json, answer: Json) -> Any:
    if column["role"] != "dimension":
        return row[column["name"]]
    cell = value_cell(column["name"], row, answer)
    return None if cell.is_quiet else _spelled(cell.text)


def _spelled(text: str) -> Any:
    """
    Return what a name is sorted by: letters whatever their case and accents, digits by what they are worth.

    GB 2312 has the common Chinese characters in the order of pinyin, and GB 18030 encodes everything else as well.
    """
    letters = "".join(one for one in unicodedata.normalize("NFKD", text).casefold() if not unicodedata.combining(one))
    pieces = _DIGITS.split(letters)
    words = [piece.encode("gb18030", "replace") for piece in pieces[::2]]
    return [one for pair in zip(words, [*map(int, pieces[1::2]), 0], strict=True) for one in pair], text
