"""The page and the REST door of the vocabulary: suggestions, a merge with one click, undo, search, refusals."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest
from sqlalchemy import select

from fab_minicode.acquisition.rollup import roll_up
from fab_minicode.acquisition.vocabulary import ALIASED
from fab_minicode.models import Alias, Authorizer
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts, worlds
from tests.events import Told, store
from tests.pages import Page

SHOP = SAMPLE_APPS[0].appid
PAGE = "/minicode/analysis/vocabulary"
SETTINGS = worlds.settings_in("Asia/Shanghai")


@pytest.fixture
def host(app):
    """A host with visits from "Weixin" (3) and "weixin" (2)."""
    hosts.connect(app)
    now = dt.datetime.now(dt.timezone.utc)
    with hosts.database(app) as session:
        owner = session.execute(select(Authorizer.id)).scalar_one()
    then = int(now.timestamp() * 1000) - 60_000
    told = [
        Told(f"v{n}", then + n, utm=(word, "", "", "", "")) for n, word in enumerate(["Weixin"] * 3 + ["weixin"] * 2)
    ]
    engine = hosts.engine_of(app)
    store(engine, [replace(one, authorizer_id=owner) for one in told])
    roll_up(engine, settings=SETTINGS, now=now)
    return app


def page(client, **query):
    return client.get(PAGE, query_string=query).get_data(as_text=True)


def post(client, address, **fields):
    sent = {"csrf_token": hosts.csrf_token(client), **fields}
    return client.post(address, data=sent, follow_redirects=True)


MERGE = {"appid": SHOP, "dimension": "utm_source", "value": "weixin", "target": "Weixin"}


def test_a_suggestion_is_merged_and_undone_and_answers_follow(host, client):
    hosts.login(client, "creator")

    assert "Merge “weixin” into “Weixin”" in page(client)

    merged = post(client, f"{PAGE}/merge", **MERGE).get_data(as_text=True)

    assert "“weixin” now counts as “Weixin”." in merged
    assert "Nothing looks alike among the values of the last 30 days." in merged

    headers = {"X-CSRFToken": hosts.csrf_token(client)}
    question = {"appid": SHOP, "metrics": ["users"], "dimensions": ["utm_source"], "window": "today"}

    def sources():
        found = client.post("/api/v1/minicode/analysis/query", json=question, headers=headers).get_json()["rows"]
        return {row["utm_source"]: row["users"] for row in found}

    assert {"Weixin": 5} == sources()

    with hosts.database(host) as session:
        number = session.execute(select(Alias.id)).scalar_one()
    undone = post(client, f"{PAGE}/undo/{number}").get_data(as_text=True)

    assert "“weixin” counts as itself again." in undone
    assert {"Weixin": 3, "weixin": 2} == sources()


def test_who_may_only_read_sees_no_button(host, client):
    hosts.login(client, "viewer")
    shown = page(client)

    assert "May mean the same" in shown
    assert '<form method="post"' not in shown


def test_the_search_narrows_both_lists(host, client):
    hosts.login(client, "manager")

    assert "Merge “weixin”" in page(client, q="WEI")
    assert "No suggestion contains “poster”." in page(client, q="poster")


def test_values_of_the_chosen_field_are_listed_searched_and_offered(host, client):
    hosts.login(client, "creator")
    found, none, other = Page(page(client)), Page(page(client, q="poster")), Page(page(client, field="utm_term"))
    into = [address for address in found.links if "value=weixin" in address]

    assert "Value Users Visits Merge Weixin 3 3 Merge into … Weixin weixin 2 2 Merge into … weixin" in found.text
    assert {"Weixin", "weixin"} == {tag["value"] for tag in found.of("option") if tag["value"] not in ALIASED}
    assert "No value contains “poster”." in none.text
    assert "No value was collected in the last 30 days." in other.text
    assert "utm_term" == other.values["dimension"]
    assert 1 == len(into)
    filled = Page(client.get(into[0]).get_data(as_text=True))
    assert ["target"] == [tag["name"] for tag in filled.of("input") if "autofocus" in tag]
    assert ("utm_source", "weixin", "") == tuple(filled.values[name] for name in ("dimension", "value", "target"))


def test_a_field_that_there_is_not_is_the_first_one(host, client):
    hosts.login(client, "creator")

    assert "utm_source" == Page(page(client, field="code")).values["dimension"]


def test_a_refused_merge_keeps_what_was_typed_and_says_why(host, client):
    hosts.login(client, "creator")
    shown = post(client, f"{PAGE}/merge", **{**MERGE, "target": "weixin"}).get_data(as_text=True)

    assert "A value cannot be merged into itself." in shown
    assert 'name="target" value="weixin"' in shown


def test_a_click_from_elsewhere_changes_nothing(host, client):
    hosts.login(client, "creator")

    assert 400 == client.post(f"{PAGE}/merge", data=MERGE).status_code
    with hosts.database(host) as session:
        assert [] == session.execute(select(Alias.id)).all()


def test_rest_lists_suggests_merges_and_undoes(host, client):
    headers = hosts.bearer(client, "creator")
    address = "/api/v1/minicode/aliases/"
    suggested = client.get(f"{address}suggestions?appid={SHOP}", headers=headers).get_json()
    made = client.post(address, json=MERGE, headers=headers)
    listed = client.get(f"{address}?appid={SHOP}", headers=headers).get_json()

    assert {
        "dimension": "utm_source", "value": "weixin", "target": "Weixin", "reason": "spelling",
        "visits": 2, "users": 2, "target_visits": 3, "target_users": 3,
    } == suggested["result"][0]  # fmt: skip
    assert 201 == made.status_code
    assert {"count": 1, "result": [made.get_json()]} == listed
    assert ("weixin", "Weixin", 2) == tuple(made.get_json()[name] for name in ("value", "target", "users"))

    again = client.post(address, json={**MERGE, "target": "x"}, headers=headers)

    assert (422, "merged_before", "value") == (
        again.status_code, again.get_json()["error"]["code"], again.get_json()["error"]["field"],
    )  # fmt: skip
    assert 400 == client.post(address, json={**MERGE, "more": 1}, headers=headers).status_code
    assert 404 == client.post(address, json={**MERGE, "appid": "wx-nobody"}, headers=headers).status_code
    assert 200 == client.delete(f"{address}{made.get_json()['id']}", headers=headers).status_code
    assert 404 == client.delete(f"{address}{made.get_json()['id']}", headers=headers).status_code
