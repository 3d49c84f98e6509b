"""
Tables as files: CSV (RFC 4180, UTF-8 with a byte order mark) and XLSX. Pure.

Numbers are numbers and dates are dates. A text can never become a formula: in XLSX every text is written as a string;
in CSV, which knows no types, a text that begins like a formula gets an apostrophe before it, as OWASP advises.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Sequence
from dataclasses import dataclass

import xlsxwriter

CSV_MIME = "text/csv; charset=utf-8"
XLSX_MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_ROWS = 100_000
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""What spreadsheet programs may take for the beginning of a formula; the wide forms are read as the narrow ones."""

_BYTE_ORDER_MARK = "\ufeff"
_WIDEST, _NARROWEST = 60, 9
_LONGEST_TEXT = 32_767
_FORMATS = {
    "text": "@",
    "number": "#,##0",
    "ratio": "#,##0.00##",
    "percent": "0.00%",
    "day": "yyyy-mm-dd",
    "month": "yyyy-mm",
    "hour": "yyyy-mm-dd hh:mm",
}

Cell = str | int | float | dt.date | dt.datetime | None


@dataclass(frozen=True)
class Column:
    """
    One column.

    Attributes:
        head: Its heading.
        form: How its numbers or dates look: a key of ``_FORMATS`` (``number``, ``ratio``, ``percent``, ``day``,
            ``month``, ``hour``), or ``text``. A text stands in any column.
    """

    head: str
    form: str = "text"


@dataclass(frozen=True)
class Sheet:
    """
    A table.

    Attributes:
        name: Of the sheet; at most 31 characters.
        columns: Its columns.
        rows: As many cells as columns; None is an empty cell.
        last: How many rows at the end are sums of the others; set in bold.
    """

    name: str
    columns: tuple[Column, ...]
    rows: Sequence[Sequence[Cell]]
    last: int = 0


def csv_bytes(sheet: Sheet) -> bytes:
    """Return a table as CSV: heads first, lines end with CR LF, dates in ISO 8601."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([_harmless(column.head) for column in sheet.columns])
    forms = [column.form for column in sheet.columns]
    writer.writerows([_csv_cell(cell, form) for cell, form in zip(row, forms, strict=True)] for row in sheet.rows)
    return (_BYTE_ORDER_MARK + out.getvalue()).encode("utf-8")


def _csv_cell(cell: Cell, form: str) -> str | int | float:
    if cell is None:
        return ""
    if isinstance(cell, dt.datetime):
        return cell.strftime("%Y-%m-%d %H:%M")
    if isinstance(cell, dt.date):
        return cell.isoformat()[:7] if form == "month" else cell.isoformat()
    return _harmless(cell) if isinstance(cell, str) else cell


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text


def xlsx_bytes(sheets: Sequence[Sheet], *, now: dt.datetime) -> bytes:
    """
    Return tables as one XLSX file.

    Args:
        sheets: In their order.
        now: Aware UTC; when the file says it was made.
    """
    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    with xlsxwriter.Workbook(out, options) as book:
        book.set_properties({"created": now.replace(tzinfo=None)})
        looks = {
            (form, is_bold): book.add_format({"num_format": pattern, "bold": is_bold, "valign": "top"})
            for form, pattern in _FORMATS.items()
            for is_bold in (False, True)
        }
        for sheet in sheets:
            _write_sheet(book.add_worksheet(sheet.name), sheet, looks)
    return out.getvalue()


def _write_sheet(page: xlsxwriter.worksheet.Worksheet, sheet: Sheet, looks: dict[tuple[str, bool], object]) -> None:
    page.freeze_panes(1, 0)
    for place, column in enumerate(sheet.columns):
        page.write_string(0, place, column.head[:_LONGEST_TEXT], looks["text", True])
        page.set_column(place, place, _width(sheet, place))
    first_sum = len(sheet.rows) - sheet.last
    for number, row in enumerate(sheet.rows):
        for place, cell in enumerate(row):
            form = sheet.columns[place].form if not isinstance(cell, str) else "text"
            _write_cell(page, (number + 1, place), cell, looks[form, number >= first_sum])


def _write_cell(page: xlsxwriter.worksheet.Worksheet, at: tuple[int, int], cell: Cell, look: object) -> None:
    if cell is None:
        return
    if isinstance(cell, str):
        page.write_string(*at, cell[:_LONGEST_TEXT], look)
    elif isinstance(cell, dt.date):
        page.write_datetime(*at, cell, look)
    else:
        page.write_number(*at, cell, look)


def _width(sheet: Sheet, place: int) -> int:
    """Return a column's width in characters, by its first rows; wide characters take two."""
    texts = [sheet.columns[place].head, *(str(row[place]) for row in sheet.rows[:200] if row[place] is not None)]
    longest = max(len(text) + sum(ord(letter) > 0x2E7F for letter in text) for text in texts)
    return min(max(longest + 2, _NARROWEST), _WIDEST)
