"""
The pages of funnel, retention, segments and visitors, and the same over REST: what the collector took comes back.
"""

from __future__ import annotations

import datetime as dt
import json
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from fab_minicode.models import Authorizer
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.pages import read
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid
PAGES, REST = "/minicode/analysis", "/api/v1/minicode"
VISITS = [
    Visit("v1", 9, "poster", "autumn"),
    Visit("v1", 8),
    Visit("v2", 9, "poster"),
    Visit("v2", 6, "flyer"),
    Visit("v3", 5, "flyer"),
    Visit("v4", 5),
]


@pytest.fixture
def shop(app, client):
    """A mini program with six visits of four people; returns the browser of a creator."""
    hosts.connect(app)
    with hosts.database(app) as session:
        number = session.execute(select(Authorizer.id)).scalar_one()
    settings = app.extensions["fab_minicode"].settings
    now = dt.datetime.now(dt.timezone.utc)
    bring(hosts.engine_of(app), VISITS, authorizer_id=number, settings=settings, now=now)
    hosts.login(client, "creator")
    return client


def test_a_funnel_shows_people_per_step_and_has_an_address_to_share(shop):
    sent = {"form": "1", "appid": APPID, "step": ["visit", "visit"], "within": "3", "split": "utm_source"}
    led = shop.get(f"{PAGES}/funnel/", query_string=sent)

    assert 302 == led.status_code
    assert "by=utm_source" in led.location
    text = read(shop, led.location).text

    assert "1. Visit" in text
    assert "are counted" in text
    assert "poster" in text
    assert "flyer" in text
    for broken in ("step=visit", "step=visit&step=visit&within=0", "step=visit&step=visit&segment=segment:99"):
        assert "class" in shop.get(f"{PAGES}/funnel/?appid={APPID}&{broken}").text


def test_retention_shows_who_comes_back_on_which_day(shop):
    text = read(shop, f"{PAGES}/retention/?appid={APPID}&days=7").text

    assert "Everybody" in text
    assert "not over yet" in text
    led = shop.get(f"{PAGES}/retention/", query_string={"form": "1", "appid": APPID, "start": "visit", "days": "14"})

    assert 302 == led.status_code
    assert 200 == shop.get(led.location).status_code
    assert 200 == shop.get(f"{PAGES}/retention/?appid={APPID}&days=99").status_code


def test_who_they_are_is_as_many_as_the_number_and_leads_to_one_of_them_and_to_a_segment(shop):
    address = f"{PAGES}/visitors?appid={APPID}&metric=users&metric=visits&where=utm_source:eq:poster&window=last_30"
    page = read(shop, address)

    assert "2 people behind Users" in " ".join(page.text.split())
    one = next(link for link in page.links if "/visitors/" in link)
    story = read(shop, one)

    assert "poster" in story.text
    back = next(link for link, text in story.links.items() if text == "Who are they")
    assert "2 people behind Users" in " ".join(read(shop, back).text.split())
    assert 404 == shop.get(f"{PAGES}/visitors/0000-0000-0000?appid={APPID}").status_code
    rule = {"conditions": [{"kind": "did", "filters": [{"dimension": "utm_source", "op": "eq", "value": "poster"}]}]}
    fields = {"csrf_token": hosts.csrf_token(shop), "name": "Poster people", "rule": json.dumps(rule)}
    led = shop.post(f"{PAGES}/segments/add?appid={APPID}", data=fields)

    assert 302 == led.status_code
    listed = read(shop, led.location).text

    assert "Poster people" in listed
    assert "Ad source is poster" in " ".join(listed.split())


def test_what_leads_on_from_who_they_are_names_the_one_mini_program_that_was_asked_about(shop):
    page = read(shop, f"{PAGES}/visitors?appid={APPID}&appid=wx0&metric=users&window=last_30")
    led = [parse_qs(urlsplit(link).query).get("appid") for link in page.links if "metric=users" in link]

    assert led
    assert all([APPID] == one for one in led)


@pytest.mark.parametrize("key", ["pseudonym", "endpoint", "_anchor", "_scheme", "_method", "_external", "self", "page"])
def test_no_field_of_the_address_is_taken_for_something_else(shop, key):
    address = f"{PAGES}/visitors?appid={APPID}&metric=users&window=last_30&{key}=x"
    page = read(shop, address)
    one = next(link for link in page.links if "/visitors/" in link)

    assert 200 == shop.get(one).status_code
    assert 200 == shop.get(f"{one}&{key}=x").status_code


def test_a_segment_is_made_changed_and_deleted_by_its_form(shop):
    fields = {
        "csrf_token": hosts.csrf_token(shop), "name": "Came back", "match": "any", "c0-kind": "did", "c0-times": "2",
        "c0-event": "visit", "c0-comparison": "at_least", "c0-window": "30", "c1-kind": "first_touch",
        "c1-dimension": "utm_source", "c1-op": "eq", "c1-value": "flyer",
    }  # fmt: skip
    assert 302 == shop.post(f"{PAGES}/segments/add?appid={APPID}", data=fields).status_code
    found = shop.get(f"{REST}/segments/?appid={APPID}").get_json()["result"][0]

    assert ("Came back", "any", 3) == (found["name"], found["match"], found["people"])
    assert ["did", "first_touch"] == [one["kind"] for one in found["conditions"]]
    form = read(shop, f"{PAGES}/segments/edit/{found['id']}").text

    assert "Condition 2" in form
    again = shop.post(f"{PAGES}/segments/edit/{found['id']}", data={**fields, "name": "Loyal", "c1-kind": ""})

    assert 302 == again.status_code
    found = shop.get(f"{REST}/segments/{found['id']}").get_json()

    assert ("Loyal", 1, 2) == (found["name"], len(found["conditions"]), found["people"])
    wrong = shop.post(f"{PAGES}/segments/add?appid={APPID}", data={**fields, "name": "Loyal"})

    assert "already called" in wrong.text
    wrong = shop.post(f"{PAGES}/segments/add?appid={APPID}", data={**fields, "c1-op": "eq", "c1-value": ""})

    assert 200 == wrong.status_code
    assert "Condition 2:" in wrong.text
    assert "stay" in read(shop, f"{PAGES}/segments/ask_delete/{found['id']}").text
    gone = shop.post(f"{PAGES}/segments/delete/{found['id']}", data={"csrf_token": fields["csrf_token"]})

    assert 302 == gone.status_code
    assert 404 == shop.get(f"{REST}/segments/{found['id']}").status_code


def test_rest_answers_funnel_retention_and_who_they_are(app, client, shop):
    headers = hosts.bearer(client, "creator")
    question = {"appid": APPID, "dimensions": ["utm_source"], "window": {"last_days": 30}}
    ask = lambda way, body: client.post(f"{REST}/analysis/{way}", json=body, headers=headers)  # noqa: E731
    funnel = ask("funnel", {"appid": APPID, "steps": ["visit", "visit"], "within_days": 5}).get_json()

    assert [4, 2] == [step["users"] for step in funnel["totals"]["steps"]]
    kept = ask("retention", {"appid": APPID, "days": 3}).get_json()

    assert 4 == kept["totals"]["starts"]
    assert [1, 0, 1] == [cell["users"] for cell in kept["totals"]["returned"]]
    row = ask("query", question).get_json()["rows"][0]
    people = ask("visitors", {"question": question, "row": row}).get_json()

    assert row["users"] == people["count"] == len(people["result"])
    story = client.get(f"{REST}/analysis/visitors/{people['result'][0]['pseudonym']}?appid={APPID}", headers=headers)

    assert people["result"][0]["visits"] == story.get_json()["timeline"]["count"]
    sent = {"appid": APPID, "name": "These", "visitors": {"question": question, "row": row}}
    saved = client.post(f"{REST}/segments/", json=sent, headers=headers)

    assert (201, row["users"]) == (saved.status_code, saved.get_json()["people"])
    name = f"segment:{saved.get_json()['id']}"
    again = ask("funnel", {"appid": APPID, "steps": ["visit", "visit"], "segment": name}).get_json()

    assert row["users"] == again["totals"]["steps"][0]["users"]
    nested = {"question": {**question, "segments": [name]}, "row": None}
    inner = client.post(f"{REST}/segments/", json={**sent, "name": "Inner", "visitors": nested}, headers=headers)

    assert row["users"] == inner.get_json()["people"]
    for way, body, status in (
        ("funnel", {"appid": APPID, "steps": ["visit"]}, 422),
        ("funnel", {"appid": "wx0", "steps": ["visit", "visit"]}, 404),
        ("retention", {"appid": APPID, "days": 0}, 422),
        ("visitors", {"question": question, "row": {"nothing": 1}}, 422),
        ("visitors", {"question": question, "page": -1}, 422),
    ):
        assert status == ask(way, body).status_code
    for path in ("visitors/x", f"visitors/0000-0000-0000?appid={APPID}"):
        assert client.get(f"{REST}/analysis/{path}", headers=headers).status_code in (404, 422)
    taken = client.post(f"{REST}/segments/", json=sent, headers=headers)

    assert (409, "name") == (taken.status_code, taken.get_json()["error"]["field"])
    changed = client.put(f"{REST}/segments/{saved.get_json()['id']}", json={"match": "any"}, headers=headers)

    assert "any" == changed.get_json()["match"]
    assert 200 == client.delete(f"{REST}/segments/{saved.get_json()['id']}", headers=headers).status_code
