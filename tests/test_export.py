"""Exports: what is read back equals the answer, on both databases, whatever visits carried; and each is recorded."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import warnings

import openpyxl
import pytest
from PIL import Image
from sqlalchemy import select

from fab_minicode.models import AuditEntry, Authorizer
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.spreadsheet import FORMULA_STARTS
from fab_minicode.views import chart_picture
from tests import hosts
from tests.pages import send
from tests.traffic import Visit, bring

PAGE, REST = "/minicode/analysis/export", "/api/v1/minicode/analysis/export"
APPID = SAMPLE_APPS[0].appid
NASTY = (
    "=1+1", "+1", "-2+3", "@SUM(A1)", "=cmd|' /C calc'!A0", "＝1", "'quoted", 'a "b"', "a,b;c", "海报 🦜", "مرحبا‎ x",
    "0012", "1e5", "<b>", "_x0041_", "plain",
)  # fmt: skip
NOT_SET = "(not set)"
QUESTIONS = (
    {"dimensions": ["utm_source"], "metrics": ["users", "visits"]},
    {"dimensions": ["utm_source"], "metrics": ["users"], "limit": 3, "granularity": "day"},
    {"dimensions": ["utm_source", "landing_page"], "metrics": ["visits", "visits_per_user"], "granularity": "week"},
    {"dimensions": ["landing_page"], "metrics": ["users"], "segments": ["all", "new", "returning"]},
    {"metrics": ["users", {"event": "=paid", "as": "conversion"}], "granularity": "month", "compare": "previous"},
    {"metrics": ["users", "new_users", {"event": "=paid", "as": "times"}]},
    {"metrics": ["users"], "granularity": "hour", "window": "yesterday"},
    {"dimensions": ["utm_source"], "filters": [{"dimension": "utm_source", "op": "eq", "value": "nobody"}]},
    {"dimensions": ["utm_source"], "filters": [{"dimension": "utm_source", "op": "in", "value": ["=1+1", "a,b;c"]}]},
)


@pytest.fixture
def program(app):
    """A mini program with a month of visits of nasty sources."""
    hosts.connect(app)
    visits = [
        Visit(f"v{place}-{number}", day, source, page=f"pages/{number % 2}")
        for place, source in enumerate((*NASTY, ""))
        for number, day in enumerate(range(1, 2 + place % 4))
    ]
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    settings = app.extensions[EXTENSION].settings
    now = dt.datetime.now(dt.timezone.utc)
    bring(hosts.engine_of(app), visits, authorizer_id=row, settings=settings, now=now)
    return row


@pytest.fixture
def manager(app, program):
    return hosts.bearer(app.test_client(), "manager")


def asked(client, headers, question, way=REST, **more):
    question = {"appid": APPID, "window": {"last_days": 7}, **question}
    return client.post(way, json=question, headers=headers, query_string=more)


def read_csv(answer):
    text = answer.get_data().decode("utf-8-sig")
    unharmed = lambda cell: cell[1:] if cell.startswith("'") and cell[1:].startswith(FORMULA_STARTS) else cell  # noqa: E731
    return [[unharmed(cell) for cell in row] for row in csv.reader(io.StringIO(text, newline=""))]


def read_xlsx(answer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        book = openpyxl.load_workbook(io.BytesIO(answer.get_data()))
    return {page.title: [[cell.value for cell in row] for row in page.iter_rows()] for page in book}


def expected(answer, *, as_text):
    """The rows and sums of an answer as a file holds them."""
    columns = answer["columns"]
    named = [column["name"] for column in columns if column["role"] != "metric"]
    metrics = [column["name"] for column in columns if column["role"] == "metric"]
    rows = [[cell(row, column, as_text) for column in columns] for row in answer["rows"]]
    if not named:
        return rows
    several = not set(metrics) <= set(answer["totals"])
    for label, numbers in (("All others", answer["others"]), ("All, counted once", answer["totals"])):
        groups = numbers.values() if several else [numbers]
        if label == "All others" and not any(any(group.values()) for group in groups):
            continue
        blank = [""] * (len(named) - 1) if as_text else [None] * (len(named) - 1)
        rows += [[label, *blank, *(number(group[name], as_text) for name in metrics)] for group in groups]
    return rows


def compared(answer, *, as_text):
    """The same with the earlier window's numbers at the end of each row; of what the limit left out there are none."""
    columns, earlier = answer["columns"], answer["previous"]
    metrics = [column["name"] for column in columns if column["role"] == "metric"]
    keys = [column["name"] for column in columns if column["role"] == "dimension"]
    found = {tuple(row[key] for key in keys): row for row in earlier["rows"]}
    # Days of another window are other days: they are told by their order.
    rows = [found.get(tuple(row[key] for key in keys), {}) for row in answer["rows"]] if keys else earlier["rows"]
    several = not set(metrics) <= set(answer["totals"])
    others, totals = (list(one.values()) if several else [one] for one in (answer["others"], earlier["totals"]))
    left_out = [{} for _ in others if any(any(one.values()) for one in others)]
    is_table = len(metrics) < len(columns)
    rows = [*rows[: len(answer["rows"])], *(left_out + totals if is_table else [])]
    return [
        [*row, *(number(before.get(name), as_text) for name in metrics)]
        for row, before in zip(expected(answer, as_text=as_text), rows, strict=True)
    ]


def cell(row, column, as_text):
    value, name = row[column["name"]], column["name"]
    if column["role"] == "metric":
        return number(value, as_text)
    if name == "segment":
        return {"all": "All visitors", "new": "New visitors", "returning": "Returning visitors"}[value]
    if column["role"] == "dimension":
        return NOT_SET if value is None else value
    if as_text:
        return value.replace("T", " ")
    whole = value if len(value) > 7 else f"{value}-01"
    return dt.datetime.fromisoformat(whole)


def number(value, as_text):
    if as_text:
        return "" if value is None else str(value)
    return value


@pytest.mark.parametrize("place", range(len(QUESTIONS)))
def test_what_is_read_back_is_the_answer(app, client, manager, place):
    question = QUESTIONS[place]
    answer = asked(client, manager, {**question, "limit": 1000}, "/api/v1/minicode/analysis/query").get_json()
    now = dt.datetime.now(dt.timezone(dt.timedelta(hours=8))).isoformat()
    answer["rows"] = [row for row in answer["rows"] if row.get("hour", "") <= now]

    as_csv = read_csv(asked(client, manager, question, format="csv"))
    as_xlsx = read_xlsx(asked(client, manager, question, format="xlsx"))

    wanted = expected(answer, as_text=True)
    assert [len(answer["columns"])] * (len(wanted) + 1) == [len(row) for row in as_csv]
    for found, row in zip(as_csv[1:], wanted, strict=True):
        assert row[1:] == found[1:]
        assert found[0].startswith(row[0])
    wanted = expected(answer, as_text=False)
    for found, row in zip(as_xlsx["Answer"][1:], wanted, strict=True):
        assert row[1:] == found[1:]
    assert as_csv[0] == as_xlsx["Answer"][0]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize(
    "question",
    [
        {"dimensions": ["utm_source"], "metrics": ["users", "visits_per_user"], "limit": 4},
        {"dimensions": ["utm_source", "landing_page"], "segments": ["all", "new"]},
        {"granularity": "day", "metrics": ["users", "visits"]},
        {"metrics": ["users", "visits"]},
    ],
)
def test_what_it_is_compared_with_stands_in_columns_of_its_own(client, manager, question, kind):
    question = {**question, "window": {"last_days": 2}, "compare": "previous"}
    answer = asked(client, manager, {**question, "limit": 1000}, "/api/v1/minicode/analysis/query").get_json()
    file = asked(client, manager, question, format=kind)
    heads, *rows = read_csv(file) if kind == "csv" else read_xlsx(file)["Answer"]
    width = sum(column["role"] == "metric" for column in answer["columns"])
    wanted = compared(answer, as_text=kind == "csv")
    named = any(column["role"] != "metric" for column in answer["columns"])

    assert [f"{head} then" for head in heads[-2 * width : -width]] == heads[-width:]
    assert [row[named:] for row in wanted] == [row[named:] for row in rows]
    assert any(value not in ("", None, 0, "0") for row in rows for value in row[-width:])


def test_months_of_another_window_have_no_columns_beside_them(client, manager):
    question = {"granularity": "month", "window": {"last_days": 40}, "compare": "previous"}

    assert ["Month", "Users"] == read_csv(asked(client, manager, question, format="csv"))[0]


def test_the_second_sheet_says_what_the_numbers_mean(client, manager):
    question = {
        "dimensions": ["utm_source"], "metrics": ["users"], "compare": "previous", "segments": ["new"],
        "filters": [{"dimension": "utm_source", "op": "in", "value": ["=1+1", "海报 🦜"]}],
    }  # fmt: skip
    about = dict(read_xlsx(asked(client, manager, question, format="xlsx"))["About"][1:])

    assert f"{SAMPLE_APPS[0].nick_name} · {APPID}" == about["Mini program"]
    assert about["Users"].startswith("Distinct visitors with at least one visit")
    assert "Ad source is one of =1+1, 海报 🦜" == about["Filter 1"]
    assert "New visitors" == about["Whose visits"]
    assert {"First day", "Last day", "Time zone", "Events up to", "Exported by", "Address", "Compared with"} <= set(
        about
    )
    assert about["Address"].startswith("http")


@pytest.mark.parametrize("segments", [["all"], ["all", "new"]])
def test_attributions_that_stand_side_by_side_are_exported_so(client, manager, segments):
    question = {"dimensions": ["utm_source"], "metrics": ["users", "visits_per_user"], "segments": segments}
    answer = asked(client, manager, question, "/api/v1/minicode/analysis/attributions").get_json()
    book = read_xlsx(asked(client, manager, question, format="xlsx", beside="1"))
    heads, *rows = book["Answer"]
    several = len(segments) > 1
    ways = ("last", "entry", "first")
    numbers = [
        [found[way][metric] for metric in ("users", "visits_per_user") for way in ways]
        for row in answer["rows"]
        for found in ([{way: row[way][one] for way in ways} for one in segments] if several else [row])
    ]

    assert ["Users · Last touch", "Users · This visit", "Users · First touch"] == heads[1 + several : 4 + several]
    assert numbers == [row[1 + several :] for row in rows[: len(numbers)]]
    assert rows[-1][0].startswith("All, counted once")
    about = dict(book["About"][1:])
    assert {"Users", "Visits per user", "Last touch", "This visit", "First touch"} <= set(about)
    assert about["Address"].endswith("beside=1")
    assert len(rows) == len(read_csv(asked(client, manager, question, format="csv", beside="1"))) - 1


def test_the_page_exports_the_question_of_its_address_in_its_language(app, client, program):
    hosts.login(client, "manager")
    address = f"{PAGE}?appid={APPID}&by=utm_source&metric=visits&limit=2&format=csv"
    answer = client.get(address)
    rows = read_csv(answer)

    assert "attachment" in answer.headers["Content-Disposition"]
    assert "no-store" == answer.headers["Cache-Control"]
    assert ["Ad source", "Visits"] == rows[0]
    assert len(NASTY) + 1 + 1 == len(rows) - 1
    with client.session_transaction() as session:
        session["locale"] = "zh"
    assert ["广告来源", "打开次数"] == read_csv(client.get(address))[0]
    assert 404 == client.get(address.replace("csv", "doc")).status_code
    assert 404 == client.get(address.replace(APPID, "wx-unknown")).status_code
    assert "/minicode/analysis/?" in client.get(address.replace("visits", "likes")).location


def test_every_export_is_recorded_before_it_goes_out(app, client, manager, program):
    hosts.login(client, "manager")
    client.get(f"{PAGE}?appid={APPID}&by=utm_source&format=csv")
    client.head(f"{PAGE}?appid={APPID}&by=utm_source&format=csv")
    asked(app.test_client(), manager, QUESTIONS[0], format="xlsx")
    assert 204 == send(client, f"/minicode/analysis/picture?appid={APPID}").status_code
    assert 400 == client.post(f"/minicode/analysis/picture?appid={APPID}").status_code
    with hosts.database(app) as session:
        acts = session.execute(
            select(AuditEntry).where(AuditEntry.action == "exported").order_by(AuditEntry.id)
        ).scalars()
        told = [(act.actor, act.way, act.authorizer_id, json.loads(act.detail)["format"]) for act in acts]

    who = "Manager Test"
    assert [(who, "page", program, "csv"), (who, "rest", program, "xlsx"), (who, "page", program, "png")] == told


def test_the_chart_comes_as_a_picture_over_rest(app, client, manager, program):
    by_source = {"dimensions": ["utm_source"], "metrics": ["users", "visits"]}
    for question, look in (
        ({}, {}),
        (by_source, {}),
        (by_source, {"chart": "bubble"}),
        (by_source, {"beside": "1"}),
        ({**by_source, "metrics": ["visits"], "granularity": "day"}, {"chart": "column", "stack": "share"}),
        ({"granularity": "day", "compare": "previous"}, {"chart": "line"}),
        ({"segments": ["new", "returning"]}, {"chart": "number"}),
        (QUESTIONS[7], {}),
    ):
        answer = asked(client, manager, question, format="png", **look)
        assert (200, "image/png") == (answer.status_code, answer.mimetype), answer.get_data()
        with Image.open(io.BytesIO(answer.get_data())) as picture:
            assert 1440 == picture.width
    with hosts.database(app) as session:
        acts = session.execute(select(AuditEntry).where(AuditEntry.action == "exported")).scalars()
        assert ["png"] * 8 == [json.loads(act.detail)["format"] for act in acts]


def test_a_picture_that_cannot_be_painted_is_told_why(client, manager, monkeypatch):
    for look, words in (("line", "cannot be drawn"), ("table", "not known"), ("pie", "not known")):
        error = asked(client, manager, {}, format="png", chart=look).get_json()["error"]
        assert "chart" == error["field"]
        assert words in error["message"]
    monkeypatch.setattr(chart_picture, "IS_POSSIBLE", False)
    answer = asked(client, manager, {}, format="png")
    assert (422, "format") == (answer.status_code, answer.get_json()["error"]["field"])
    assert "fab-minicode[picture]" in answer.get_json()["error"]["message"]


def test_a_faulty_export_is_told_its_field(client, manager):
    for changed, field in (({"metrics": ["likes"]}, "metrics[0]"), ({"granularity": "hour"}, "granularity")):
        window = {"window": {"last_days": 90}}
        answer = asked(client, manager, {**window, **changed}, format="csv")
        assert (422, field) == (answer.status_code, answer.get_json()["error"]["field"])
    for wanted in ("", "pdf"):
        assert 422 == asked(client, manager, {}, format=wanted).status_code
    assert 404 == client.get(f"{REST}?appid=wx-unknown&format=csv", headers=manager).status_code
    assert 200 == client.get(f"{REST}?appid={APPID}&format=csv", headers=manager).status_code
