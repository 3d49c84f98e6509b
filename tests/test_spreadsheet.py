"""Tables as files: what is written is read back, whatever stands in it, and nothing becomes a formula."""

from __future__ import annotations

import csv
import datetime as dt
import io
import warnings
import zipfile

import openpyxl
import pytest

from fab_minicode.spreadsheet import FORMULA_STARTS, Column, Sheet, csv_bytes, xlsx_bytes

NOW = dt.datetime(2026, 11, 22, 4, tzinfo=dt.timezone.utc)
NASTY = (
    "=1+1", "=cmd|' /C calc'!A0", "+1", "-2", "@SUM(A1)", "\t=1", "\r=1", "＝1", 'a "quoted" one', "a,b;c",
    "two\nlines",
    "海报 🦜 é", "مرحبا", "'already", "0012", "1e5", "_x0041_", "http://example.org", "{=1}", " ", "x" * 300,
    "2026-01-01",
)  # fmt: skip


def read_csv(content):
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def read_xlsx(content):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(content))
    return {page.title: [[cell.value for cell in row] for row in page.iter_rows()] for page in book}


def sheet(rows, *columns, **more):
    return Sheet("Answer", columns or (Column("Value"), Column("Users", "number")), rows, **more)


def test_every_text_comes_back_from_csv_and_none_begins_a_formula():
    heads, *rows = read_csv(csv_bytes(sheet([(text, place) for place, text in enumerate(NASTY)])))

    assert ["Value", "Users"] == heads
    for place, text in enumerate(NASTY):
        found, number = rows[place]
        assert not found.startswith(FORMULA_STARTS)
        assert (f"'{text}" if text.startswith(FORMULA_STARTS) else text, str(place)) == (found, number)


def test_every_text_comes_back_from_xlsx_as_a_string():
    content = xlsx_bytes([sheet([(text, place) for place, text in enumerate(NASTY)])], now=NOW)
    rows = read_xlsx(content)["Answer"]

    for place, text in enumerate(NASTY):
        found, number = rows[place + 1]

        assert (text, place) == (found.replace("_x000D_", "\r"), number)
    with zipfile.ZipFile(io.BytesIO(content)) as parts:
        assert b"<f>" not in parts.read("xl/worksheets/sheet1.xml")
        assert not [name for name in parts.namelist() if "externalLink" in name]


def test_a_heading_is_no_formula_either():
    assert b"'=1" in csv_bytes(sheet([], Column("=1")))


def clock(*parts):
    return dt.datetime(*parts)  # noqa: DTZ001 - spreadsheets know no zones


@pytest.mark.parametrize(
    ("form", "cell", "in_csv", "in_xlsx"),
    [
        ("day", dt.date(2026, 11, 20), "2026-11-20", clock(2026, 11, 20)),
        ("month", dt.date(2026, 11, 1), "2026-11", clock(2026, 11, 1)),
        ("hour", clock(2026, 11, 20, 9), "2026-11-20 09:00", clock(2026, 11, 20, 9)),
        ("number", 123456789, "123456789", 123456789),
        ("percent", 0.1234, "0.1234", 0.1234),
        ("ratio", -1.5, "-1.5", -1.5),
        ("number", None, "", None),
        ("day", "All", "All", "All"),
    ],
)
def test_numbers_are_numbers_and_dates_are_dates(form, cell, in_csv, in_xlsx):
    table = sheet([(cell,), (cell,)], Column("a", form), last=1)

    assert [["a"], [in_csv], [in_csv]] == [row or [""] for row in read_csv(csv_bytes(table))]
    found = read_xlsx(xlsx_bytes([table], now=NOW))["Answer"]
    assert [["a"], [in_xlsx], [in_xlsx]][: len(found)] == found


def test_lines_end_as_the_standard_says():
    assert b"Value,Users\r\na,1\r\n" == csv_bytes(sheet([("a", 1)]))[3:]
