"""Exports of funnels and retentions: what is read back equals the answer, whatever visits carried; each is recorded."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from sqlalchemy import select

from fab_minicode.models import AuditEntry, Authorizer
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.pages import read
from tests.test_export import NASTY, NOT_SET, read_csv, read_xlsx
from tests.traffic import Visit, bring

PAGE, REST = "/minicode/analysis/export", "/api/v1/minicode/analysis"
APPID = SAMPLE_APPS[0].appid
PAID = "=paid"
TAGGED = [{"dimension": "utm_source", "op": "set"}]
STEPS = ["visit", {"event": PAID}, "visit"]
QUESTIONS = (
    ("funnel", {"steps": STEPS}),
    ("funnel", {"steps": STEPS[:2], "dimensions": ["utm_source"], "limit": 2, "within_days": 1}),
    ("funnel", {"steps": STEPS[:2], "dimensions": ["landing_page"], "filters": TAGGED}),
    ("funnel", {"steps": ["visit", {"event": "never"}], "segment": "new", "window": "today"}),
    ("retention", {"days": 7}),
    ("retention", {"days": 3, "dimensions": ["utm_source"], "limit": 2, "start": "visit"}),
    ("retention", {"days": 30, "return": {"event": PAID}, "window": {"last_days": 3}}),
    ("retention", {"filters": [{"dimension": "utm_source", "op": "eq", "value": "nobody"}]}),
)  # fmt: skip


@pytest.fixture
def program(app):
    """A mini program with a fortnight of visits and payments of nasty sources."""
    hosts.connect(app)
    visits = []
    for place, source in enumerate((*NASTY, "")):
        people = [(f"v{place}-{number}", number) for number in range(1 + place % 3)]
        visits += [Visit(name, 12 - number, source, page=f"pages/{number}") for name, number in people]
        visits += [Visit(name, 11 - number, event=PAID) for name, number in people[::2]]
        visits += [Visit(name, 10 - number) for name, number in people]
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    settings, now = app.extensions["fab_minicode"].settings, dt.datetime.now(dt.timezone.utc)
    bring(hosts.engine_of(app), visits, authorizer_id=row, settings=settings, now=now)
    return row


@pytest.fixture
def manager(app, program):
    return hosts.bearer(app.test_client(), "manager")


def asked(client, headers, kind, question, **more):
    question = {"appid": APPID, "window": {"last_days": 14}, **question}
    way = f"{REST}/export" if more else f"{REST}/{kind}"
    return client.post(way, json=question, headers=headers, query_string={"kind": kind, **more} if more else {})


def groups(answer, dimension):
    """The answer's groups as ``(first cell, numbers)``, the sums last."""
    for row in answer["rows"] if dimension else ():
        yield NOT_SET if row[dimension] is None else row[dimension], row
    if dimension and answer["others"]:
        yield "All others", answer["others"]
    yield "Everybody", answer["totals"]


def funnel_rows(answer, dimension):
    for name, found in groups(answer, dimension):
        for place, (step, one) in enumerate(zip(answer["steps"], found["steps"], strict=True), 1):
            said = f"{place}. {'Visit' if step == 'visit' else step['event']}"
            before = one["step_conversion"] if place > 1 else None
            numbers = [one["users"], one["conversion"], before, one["median_seconds"]]
            yield [*([name] if dimension else []), said, *numbers]


def retention_rows(answer, dimension):
    cohorts = [] if dimension else [(dt.datetime.fromisoformat(row["day"]), row) for row in answer["rows"]]
    for name, found in [*cohorts, *groups(answer, dimension)]:
        cells = [one or {"users": None, "of": None} for one in found["returned"]]
        shares = [round(one["users"] / one["of"], 4) if one["of"] else None for one in cells]
        yield [name, found["starts"], *shares, *(one["users"] for one in cells), *(one["of"] for one in cells)]


ROWS = {"funnel": funnel_rows, "retention": retention_rows}


def as_text(cell):
    if isinstance(cell, dt.datetime):
        return cell.date().isoformat()
    return "" if cell is None else str(cell)


@pytest.mark.parametrize(("kind", "question"), QUESTIONS)
def test_what_is_read_back_is_the_answer(client, manager, kind, question):
    answer = asked(client, manager, kind, {**question, "limit": 1000}).get_json()
    wanted = list(ROWS[kind](answer, next(iter(question.get("dimensions", ())), "")))
    as_csv = read_csv(asked(client, manager, kind, question, format="csv"))
    as_xlsx = read_xlsx(asked(client, manager, kind, question, format="xlsx"))

    assert ["Answer", "About"] == list(as_xlsx)
    assert as_csv[0] == as_xlsx["Answer"][0]
    for found, row in zip(as_xlsx["Answer"][1:], wanted, strict=True):
        assert row == [pytest.approx(cell) if isinstance(cell, float) else cell for cell in found]
    for found, row in zip(as_csv[1:], wanted, strict=True):
        assert [as_text(cell) for cell in row] == found


def test_a_csv_holds_no_formula(client, manager):
    question = {"steps": STEPS[:2], "dimensions": ["utm_source"]}
    text = asked(client, manager, "funnel", question, format="csv").get_data(as_text=True)

    for line in text.lstrip("\ufeff").splitlines():
        assert line.lstrip('"')[:1] not in tuple("=+-@＝")


def test_the_second_sheet_says_what_is_counted(client, manager):
    only = [{"dimension": "utm_source", "op": "in", "value": ["=1+1", "海报 🦜"]}]
    funnel = {"steps": STEPS[:2], "within_days": 3, "filters": only, "window": {"last_days": 2}, "segment": "new"}
    about = dict(read_xlsx(asked(client, manager, "funnel", funnel, format="xlsx"))["About"][1:])

    assert f"Visit → {PAID} · within 3 days" == about["Question"]
    assert (3, "New visitors") == (about["All within days"], about["Whose first step"])
    assert about["People"].startswith("People who took the first step in the window")
    assert "Ad source is one of =1+1, 海报 🦜" == about["Filter 1"]
    assert "Not over yet" in about
    assert f"/minicode/analysis/funnel/?appid={APPID}" in about["Address"]
    about = dict(read_xlsx(asked(client, manager, "retention", {"days": 7}, format="xlsx"))["About"][1:])
    assert ("First visit ever", "Visit", "7 days") == (
        about["Who starts"], about["Comes back by"], about["Followed for"],
    )  # fmt: skip
    assert {"Started", "Came back", "The first step counts for", "Events up to", "Exported by", "Exported at"} <= set(
        about
    )


@pytest.mark.parametrize("kind", ["funnel", "retention"])
def test_the_page_offers_its_export_and_records_it(app, client, program, kind):
    hosts.login(client, "manager")
    asks = {"funnel": "step=visit&step=event:%3Dpaid", "retention": "days=7"}[kind]
    page = f"/minicode/analysis/{kind}/?appid={APPID}&{asks}&by=utm_source"
    links = {text: address for address, text in read(client, page).links.items() if address.startswith(PAGE)}
    answer = client.get(links["CSV"])

    assert {"CSV", "Excel"} == set(links)
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "no-store" == answer.headers["Cache-Control"]
    assert "Ad source" == read_csv(answer)[0][0]
    with client.session_transaction() as session:
        session["locale"] = "zh"
    assert "广告来源" == read_csv(client.get(links["CSV"]))[0][0]
    with hosts.database(app) as session:
        wanted = select(AuditEntry).where(AuditEntry.action == "exported").order_by(AuditEntry.id)
        acts = [(one.actor, one.subject, json.loads(one.detail)) for one in session.execute(wanted).scalars()]
    assert 2 == len(acts)
    assert ("Manager Test", kind, "csv") == (acts[0][0], acts[0][2]["kind"], acts[0][2]["format"])
    assert acts[0][2]["rows"] > 3
    hosts.login(client, "creator")
    assert hosts.DENIED == client.get(links["CSV"]).status_code
    assert [] == [address for address in read(client, page).links if address.startswith(PAGE)]


def test_a_faulty_export_is_told_its_field(client, manager, program):
    for kind, question, field in (
        ("funnel", {"steps": ["visit"]}, "steps"),
        ("funnel", {"steps": STEPS, "window": {"last_days": 366}}, "window"),
        ("retention", {"days": 0}, "days"),
        ("poem", {}, "kind"),
        ("events", {"steps": STEPS}, "steps"),
    ):
        answer = asked(client, manager, kind, question, format="csv")
        assert (422, field) == (answer.status_code, answer.get_json()["error"]["field"]), kind
    hosts.login(client, "manager")
    led = client.get(f"{PAGE}?appid={APPID}&kind=funnel&step=visit&format=csv")
    assert led.location.startswith("/minicode/analysis/funnel/?")
    assert 404 == client.get(f"{PAGE}?appid=wx-unknown&kind=retention&format=csv").status_code
    address = f"{REST}/export?appid={APPID}&kind=funnel&step=visit&step=visit&format=xlsx"
    assert client.get(address, headers=manager).get_data().startswith(b"PK")
