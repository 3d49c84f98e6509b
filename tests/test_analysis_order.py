"""The order of the analysis table by a column: the same on the page, in its address and in what is exported."""

from __future__ import annotations

import csv
import datetime as dt
import html
import io
import re
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from fab_minicode.models import Authorizer
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.test_pages_analysis import Tables
from tests.traffic import Visit, bring

PAGE, REST = "/minicode/analysis/", "/api/v1/minicode/analysis/export"
APPID = SAMPLE_APPS[0].appid
BY_SOURCE = f"appid={APPID}&by=utm_source&granularity=total&metric=users&metric=visits&metric=order_paid.conversion"
PEOPLE = {"上海": 5, "poster 10": 4, "": 3, "Poster 2": 3, "éclair": 2, "北京": 2, "echo": 1, "2nd": 1}
NAMES = ["2nd", "echo", "éclair", "late", "Poster 2", "poster 10", "北京", "上海"]
"""Digits count as numbers, case and accents not at all, the characters stand by pinyin."""
OWN = ["上海", "poster 10", "Poster 2", "(not set)", "éclair", "北京", "2nd", "echo", "late"]
NOBODY_PAYS = ["poster 10", "Poster 2", "(not set)", "éclair", "北京", "2nd"]


@pytest.fixture
def program(app):
    """
    Sources with so many people (an answer has the highest first, then by name), each twice on one day; of 上海 one and
    of echo all pay. "late" only pays in the last seven days: what share of nobody that is cannot be said.
    """
    hosts.connect(app)
    visits = [
        Visit(f"{source}-{n}", 2 + n, source) for source, most in PEOPLE.items() for n in range(most) for _ in (1, 2)
    ]
    visits += [Visit("上海-0", 2, event="order_paid"), Visit("echo-0", 2, event="order_paid")]
    visits += [Visit("late", 9, "late"), Visit("late", 2, event="order_paid")]
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    now, settings = dt.datetime.now(dt.timezone.utc), app.extensions[EXTENSION].settings
    bring(hosts.engine_of(app), visits, authorizer_id=row, settings=settings, now=now)
    return row


@pytest.fixture
def manager(client, program):
    return hosts.login(client, "manager")


def page_of(client, query):
    answer = client.get(f"{PAGE}?{query}")

    assert 200 == answer.status_code
    return answer.get_data(as_text=True)


def first_column(rows):
    return [row[0] for row in rows[1:] if not row[0].startswith("All")]


def file_of(client, address, **headers):
    answer = client.get(address, **headers)

    assert 200 == answer.status_code, answer.get_data()
    return list(csv.reader(io.StringIO(answer.get_data().decode("utf-8-sig"), newline="")))


def exports_of(page):
    """The address of the page's CSV."""
    return next(one for one in map(html.unescape, re.findall(r'href="([^"]+)"', page)) if "format=csv" in one)


def headings(page):
    """Heading -> the order that it leads to, and how the table is sorted by it now."""
    found = re.findall(r'<th scope="col"([^>]*)><a class="mca-sort"[^>]* href="([^"]*)"[^>]*>([^<]*)', page)
    links = {text: (parse_qs(urlsplit(html.unescape(url)).query), at) for at, url, text in found}
    return {text: (query["sort"][0], re.findall(r'aria-sort="(\w+)"', at)) for text, (query, at) in links.items()}


@pytest.mark.parametrize(
    ("sort", "names"),
    [
        ("", OWN),
        ("utm_source", [*NAMES, "(not set)"]),
        ("-utm_source", [*NAMES[::-1], "(not set)"]),
        ("-visits", OWN),
        ("users", ["late", "2nd", "echo", "éclair", "北京", "Poster 2", "(not set)", "poster 10", "上海"]),
        ("order_paid.conversion", [*NOBODY_PAYS, "上海", "echo", "late"]),
        ("-order_paid.conversion", ["echo", "上海", *NOBODY_PAYS, "late"]),
    ],
)
def test_page_and_export_stand_in_the_order_of_the_column(app, client, manager, sort, names):
    page = page_of(client, f"{BY_SOURCE}&sort={sort}")
    rest = f"{REST}?{BY_SOURCE}&sort={sort}&format=csv"
    by_rest = file_of(app.test_client(), rest, headers=hosts.bearer(app.test_client(), "manager"))

    assert names == first_column(Tables(page).rows)
    assert names == first_column(file_of(client, exports_of(page)))
    assert names == first_column(by_rest)
    assert ["All, counted once"] == by_rest[-1][:1]


def test_an_export_puts_the_rows_that_the_page_leaves_out_in_order_too(client, manager):
    page = page_of(client, f"{BY_SOURCE}&sort=utm_source&limit=3")

    assert ["Poster 2", "poster 10", "上海"] == first_column(Tables(page).rows)
    assert [*NAMES, "(not set)"] == first_column(file_of(client, exports_of(page)))


def test_a_heading_leads_to_its_order_and_turns_it(client, manager):
    own, sorted_, turned = (page_of(client, f"{BY_SOURCE}{more}") for more in ("", "&sort=-visits", "&sort=visits"))

    assert {"Ad source": ("utm_source", []), "Users": ("-users", []), "Visits": ("-visits", [])} == first(own)
    assert ("visits", ["descending"]) == headings(sorted_)["Visits"]
    assert ("-visits", ["ascending"]) == headings(turned)["Visits"]
    assert ("-users", []) == headings(turned)["Users"]


def first(page):
    return dict(list(headings(page).items())[:3])


def test_days_attributions_and_groups_of_visitors_are_put_in_order(client, manager):
    days = f"appid={APPID}&granularity=day&metric=users"
    beside = f"appid={APPID}&by=utm_source&metric=users&beside=1"
    groups = f"appid={APPID}&granularity=total&segment=all&segment=new&by=utm_source&metric=users"

    for query, sort, column in ((days, "-day", 0), (beside, "-first:users", 3), (groups, "-segment", 1)):
        page = page_of(client, f"{query}&sort={sort}")
        rows = [row for row in Tables(page).rows[1:] if not row[0].startswith("All,")]
        own = [row for row in Tables(page_of(client, query)).rows[1:] if not row[0].startswith("All,")]
        exported = [row for row in file_of(client, exports_of(page))[1:] if not row[0].startswith("All,")]

        assert [f"sort={sort}"] == re.findall(r"sort=[^&]*", exports_of(page)), sort
        assert sorted(own) == sorted(rows)
        if sort == "-day":
            assert own[::-1] == rows
            assert [row[0] for row in exported] == sorted((row[0] for row in exported), reverse=True)
        else:
            shown = [row[column] for row in rows]
            assert shown == sorted(shown, key=lambda text: int(text) if text.isdigit() else text, reverse=True)
            assert [row[: column + 1] for row in rows] == [row[: column + 1] for row in exported]


@pytest.mark.parametrize("sort", ["likes", "-likes", "-", "--users", "scene", "day", "last:users", "first"])
def test_an_unknown_column_is_left_out_on_the_page_and_refused_over_rest(app, client, manager, sort):
    page = page_of(client, f"{BY_SOURCE}&sort={sort}")
    refused = app.test_client().get(
        f"{REST}?{BY_SOURCE}&sort={sort}&format=csv", headers=hosts.bearer(app.test_client(), "manager")
    )

    assert OWN == first_column(Tables(page).rows)
    assert "sort=" not in exports_of(page)
    assert OWN == first_column(file_of(client, f"{exports_of(page)}&sort={sort}"))
    assert (422, "sort") == (refused.status_code, refused.get_json()["error"]["field"])


def test_a_funnel_has_no_order_over_rest(app, manager):
    address = f"{REST}?appid={APPID}&kind=funnel&step=visit&step=event:order_paid&sort=users&format=csv"
    refused = app.test_client().get(address, headers=hosts.bearer(app.test_client(), "manager"))

    assert (422, "sort") == (refused.status_code, refused.get_json()["error"]["field"])


def test_the_order_stays_with_its_question_and_not_with_a_row_alone(client, manager):
    page = page_of(client, f"{BY_SOURCE}&sort=-visits")
    rows = Tables(page).links
    sent = {"form": "1", "appid": APPID, "metric": ["users", "visits"], "window": "14", "split": "utm_source"}
    led = client.get(PAGE, query_string={**sent, "granularity": "total", "sort": "-visits"}).location
    dropped = client.get(PAGE, query_string={**sent, "metric": ["users"], "sort": "-visits"}).location

    assert 'name="sort" value="-visits" form="mca-question"' in page
    assert ["-visits"] == parse_qs(urlsplit(html.unescape(re.findall(r'data-url="([^"]*)"', page)[0])).query)["sort"]
    assert ["-visits"] == parse_qs(urlsplit(led).query)["sort"]
    assert "sort" not in dropped
    assert not any("sort=" in link for link in rows)
