"""Funnels and retentions that are kept: saved, listed, opened, changed, on boards, and over REST."""

from __future__ import annotations

import datetime as dt
import html
import json
import re

import pytest
from sqlalchemy import select

from fab_minicode import upkeep
from fab_minicode.acquisition import doubts, funnel_question, retention_question
from fab_minicode.models import Authorizer, SavedQuestion
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.pages import read, send
from tests.test_pages_boards import made, press
from tests.test_pages_saved import press as press_question
from tests.test_pages_saved import save, stored
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid
PAGES, REST = "/minicode/analysis", "/api/v1/minicode/questions/"
ASKS = {
    "funnel": f"?appid={APPID}&step=visit&step=event:order_paid&within=3&by=utm_source&window=last_14",
    "retention": f"?appid={APPID}&start=visit&return=visit&days=7&window=last_14",
}
WORDS = {
    "funnel": "Visit → order_paid · within 3 days · split by Ad source",
    "retention": "Any visit → Visit · followed for 7 days",
}
KINDS = list(ASKS)
PARSED = {"funnel": funnel_question, "retention": retention_question}
VISITS = [
    Visit("v1", 9, "poster"),
    Visit("v1", 8, event="order_paid"),
    Visit("v2", 9, "poster"),
    Visit("v2", 8, "flyer"),
    Visit("v3", 5, "flyer"),
    Visit("v4", 5),
]


@pytest.fixture
def creator(app):
    """A creator's browser; four people came, one of them paid, one came back on the next day."""
    hosts.connect(app)
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    now, settings = dt.datetime.now(dt.timezone.utc), app.extensions["fab_minicode"].settings
    bring(hosts.engine_of(app), VISITS, authorizer_id=row, settings=settings, now=now)
    return hosts.login(app.test_client(), "creator")


@pytest.fixture
def viewer(app, creator):
    return hosts.login(app.test_client(), "viewer")


def kept(client, kind, name="Kept", **fields):
    return save(client, name, f"{ASKS[kind]}&kind={kind}", **fields)


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_is_saved_listed_with_its_kind_and_opened_on_its_page(app, creator, viewer, kind):
    pk = kept(creator, kind, "海报 <b>")
    row = stored(app)[0]
    led = viewer.get(f"{PAGES}/{pk}")
    page = read(viewer, led.location)

    assert (kind, "Creator Test", "readers") == (row.kind, row.owner, row.visibility)
    assert row.question == json.dumps(PARSED[kind].parse(json.loads(row.question)).as_json(), ensure_ascii=False)
    assert led.location.startswith(f"{PAGES}/{kind}/?")
    assert "海报 <b>" in page.text
    assert str(pk) == page.values["saved"]
    assert "differs from" not in page.text
    listed = read(viewer, f"{PAGES}/saved/?kind={kind}&q=海报").text
    assert WORDS[kind] in listed
    assert kind.capitalize() in listed
    assert "Nothing found" in read(viewer, f"{PAGES}/saved/?kind=events").text


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_question_is_told_and_saved_over_or_under_another_name(app, creator, viewer, kind):
    pk = kept(creator, kind)
    other = f"{ASKS[kind].replace('last_14', 'last_30')}&saved={pk}"
    page = read(creator, f"{PAGES}/{kind}/{other}")
    saves = [address for address in page.links if address.startswith(f"{PAGES}/save?")]

    assert "differs from what is saved" in page.text
    assert f"kind={kind}" in saves[0]
    assert [] == [one for one in read(viewer, f"{PAGES}/{kind}/{other}").links if one.startswith(f"{PAGES}/save?")]
    assert (
        302 == send(creator, f"{PAGES}/saved/{pk}/keep{other}&kind={kind}", seen_at=page.values["seen_at"]).status_code
    )
    assert {"last_days": 30} == json.loads(stored(app)[0].question)["window"]
    assert 400 == send(creator, f"{PAGES}/saved/{pk}/keep?appid={APPID}").status_code
    assert pk != save(creator, "Another", f"{other}&kind={kind}")


@pytest.mark.parametrize("kind", KINDS)
def test_a_question_is_locked_and_handed_over_like_any_other(app, creator, kind):
    pk = kept(creator, kind, visibility="owner")
    press_question(creator, pk, "lock", is_locked="1")
    press_question(creator, pk, "hand_over", owner="manager")
    assert (True, "Creator Test") == (stored(app)[0].is_locked, stored(app)[0].owner)
    press_question(creator, pk, "lock", is_locked="0")
    press_question(creator, pk, "hand_over", owner="manager")
    assert "Manager Test" == stored(app)[0].owner


@pytest.mark.parametrize("kind", KINDS)
def test_the_form_keeps_what_it_began_with(creator, kind):
    pk = kept(creator, kind)
    led = creator.get(f"{PAGES}/{kind}/{ASKS[kind]}&form=1&saved={pk}")

    assert 302 == led.status_code
    assert f"saved={pk}" in led.location
    part = creator.get(f"{PAGES}/{kind}/{ASKS[kind]}&form=1&saved={pk}&part=page")
    assert 200 == part.status_code
    assert "<html" not in part.text
    assert 'id="mca-root"' in part.text


@pytest.mark.parametrize("kind", KINDS)
def test_a_broken_question_is_told_on_its_own_page(creator, kind):
    asks = {"funnel": "step=visit", "retention": "days=99"}[kind]
    led = creator.get(f"{PAGES}/save?appid={APPID}&kind={kind}&{asks}")

    assert led.location.startswith(f"{PAGES}/{kind}/?")
    assert "mc-error" in creator.get(led.location).text


def test_a_board_shows_a_funnels_steps_and_who_comes_back(creator, viewer):
    pk = made(creator, question=str(kept(creator, "funnel", "Steps")))
    press(creator, pk, "put", question=str(kept(creator, "retention", "Back")))
    split = save(creator, "By source", f"{ASKS['retention']}&by=utm_source&kind=retention")
    press(creator, pk, "put", question=str(split))
    page = read(viewer, f"{PAGES.replace('analysis', 'boards')}/{pk}?all=1")

    assert "25% took all steps" in page.text
    assert "1. Visit 4 100% 2. order_paid 1 25%" in page.text
    assert "Day 1 20% Day 7 0%" in page.text
    assert "Everybody 5 20% 0%" in page.text
    assert "poster 2 50% 0%" in page.text


@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_answer_names_the_filter_that_empties_it(creator, kind):
    asks = f"{PAGES}/{kind}/{ASKS[kind]}&where=utm_source:eq:nobody&where=scene:eq:1047&segment=all"
    page = read(creator, asks)
    ways = {text: link for link, text in page.links.items() if text.startswith("Without")}
    (way,) = ways

    assert "The filters leave nothing over" in page.text
    assert "Without “Ad source is nobody” Users 4" in page.text
    found = read(creator, ways[way])
    assert "The filters leave nothing over" not in found.text
    assert "scene" in ways[way]
    assert "nobody" not in ways[way]
    for kept_field in ("within=3" if kind == "funnel" else "days=7", "start=visit" if kind == "retention" else "step="):
        assert kept_field in ways[way]


def test_an_empty_answer_tells_filters_segments_and_days_apart(creator):
    saved = f"&saved={kept(creator, 'funnel')}"
    old = "&window=2024-01-01..2024-01-05"
    none = read(creator, f"{PAGES}/retention/{ASKS['retention'].replace('&window=last_14', '')}{old}{saved}")
    back = read(
        creator, f"{PAGES}/retention/{ASKS['retention'].replace('&window=last_14', '')}&window=last_3&segment=returning"
    )
    never = read(creator, f"{PAGES}/funnel/?appid={APPID}&step=event:never&step=visit&window=last_14")
    longer = next(link for link, text in none.links.items() if text == "Look at the last 90 days")

    assert "Nothing in these days There are visits, but none between these two days." in none.text
    assert "last_90" in longer
    assert saved in longer
    assert "Nothing in these days" in back.text
    assert "People came, but these days hold none of this: never (people)." in never.text


def test_before_the_first_visit_the_tracker_is_explained_to_who_may_see_it(app):
    hosts.connect(app)
    for name, leads in (("creator", "/minicode/authorizers/show/1"), ("viewer", "/minicode/authorizers/show/1")):
        page = read(hosts.login(app.test_client(), name), f"{PAGES}/funnel/{ASKS['funnel']}")

        assert "No visits have arrived yet" in page.text
        assert "How to install the tracker" in page.links[leads]


def test_a_card_without_people_says_so(creator):
    for kind in KINDS:
        asks = f"{ASKS[kind]}&where=utm_source:eq:nobody&kind={kind}"
        pk = made(creator, question=str(save(creator, "x", asks)))
        assert "Nothing was counted" in read(creator, f"/minicode/boards/{pk}/card/0").text


@pytest.mark.parametrize(
    ("kind", "asks"),
    [("heatmap", "{}"), ("funnel", '{"appid": "x", "colour": 1}'), ("retention", "no json"), ("events", "[]")],
)
def test_what_another_version_saved_breaks_neither_list_nor_board(app, creator, kind, asks):
    pk = kept(creator, "funnel", "Odd")
    board = made(creator, question=str(pk))
    with hosts.database(app) as session:
        row = session.get(SavedQuestion, pk)
        row.kind, row.question = kind, asks
        session.commit()
    headers = hosts.bearer(app.test_client(), "creator")
    shown = app.test_client().get(f"{REST}{pk}", headers=headers).get_json()

    assert "can no longer be read" in read(creator, f"{PAGES}/saved/").text
    assert "can no longer be read" in read(creator, f"/minicode/boards/{board}?all=1").text
    assert f"saved/{pk}/edit" in creator.get(f"{PAGES}/{pk}").location
    assert 200 == creator.get(f"{PAGES}/funnel/{ASKS['funnel']}&saved={pk}").status_code
    assert (kind, "Odd") == (shown["kind"], shown["name"])
    assert 422 == app.test_client().get(f"{REST}{pk}/answer", headers=headers).status_code
    assert 200 == app.test_client().put(f"{REST}{pk}", json={"name": "Old"}, headers=headers).status_code
    press_question(creator, pk, "edit", name="Older", visibility="owner")
    assert "Older" == stored(app)[0].name
    press_question(creator, pk, "remove")
    assert [] == stored(app)


@pytest.mark.parametrize("kind", KINDS)
def test_rest_saves_shows_and_answers_its_kind(app, creator, kind):
    headers, client = hosts.bearer(app.test_client(), "creator"), app.test_client()
    own = {"funnel": {"steps": ["visit", {"event": "order_paid"}]}, "retention": {"days": 7}}[kind]
    asks = {"appid": APPID, "window": {"last_days": 14}, **own}
    sent = {"name": "n", "kind": kind, "question": asks}
    saved = client.post(REST, json=sent, headers=headers)

    assert 201 == saved.status_code
    found = saved.get_json()
    assert (kind, APPID, {"last_days": 14}) == (found["kind"], found["appid"], found["question"]["window"])
    answered = client.get(f"{REST}{found['id']}/answer", headers=headers).get_json()
    asked = client.post(f"/api/v1/minicode/analysis/{kind}", json=asks, headers=headers).get_json()
    assert asked == answered
    assert [found["id"]] == [
        one["id"] for one in client.get(f"{REST}?kind={kind}", headers=headers).get_json()["result"]
    ]
    changed = client.put(f"{REST}{found['id']}", json={"question": {**asks, "limit": 5}}, headers=headers)
    assert 5 == changed.get_json()["question"]["limit"]
    refused = client.post(REST, json={**sent, "question": {"appid": APPID, "metrics": ["users"]}}, headers=headers)
    assert (422, "metrics") == (refused.status_code, refused.get_json()["error"]["field"])


def sql_of(page):
    """The scripts of a page as they stand there."""
    return [html.unescape(one) for one in re.findall(r'<pre id="mca-script-\d+"[^>]*>(.*?)</pre>', page, re.DOTALL)]


def found_by(app, scripts):
    """The rows that each of some scripts finds."""
    with hosts.engine_of(app).connect() as connection:
        cursor, found = connection.connection.cursor(), []
        for one in scripts:
            cursor.execute(one)
            found.append([tuple(row) for row in cursor.fetchall()])
        return found


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_sql_of_the_page_counts_what_the_page_says(app, creator, kind, language):
    names = {
        "en": {
            "funnel": ["Everybody · Steps", "By Ad source · Steps"],
            "retention": ["Everybody · Started", "Everybody · Came back"],
            "fold": "Count it again with SQL",
        },
        "zh": {
            "funnel": ["所有人 · 步骤", "按广告来源 · 步骤"],
            "retention": ["所有人 · 起始人数", "所有人 · 回访"],
            "fold": "用 SQL 重新计算",
        },
    }[language]
    creator.get(f"/lang/{language}")
    address = f"{PAGES}/{kind}/{ASKS[kind]}&where=utm_source:in:poster,flyer"
    closed = creator.get(address).text
    (link,) = [one for one in read(creator, address).links if "recount=1" in one]
    opened = creator.get(link).text
    part = creator.get(f"{link}&part=page").text

    assert names["fold"] in closed
    assert [] == sql_of(closed)
    assert 'id="mca-recount" class="mca-recount" data-mca-recount' in closed
    assert names[kind] == re.findall(r'<p class="mca-script-name">(.*?)</p>', opened)
    assert sql_of(opened) == sql_of(part)
    assert "minicode_facts" not in opened
    if kind == "funnel":
        totals, groups = found_by(app, sql_of(opened))
        assert [(1, 3), (2, 1)] == totals
        assert [(1, "poster", 2), (1, "flyer", 1), (2, "poster", 1)] == groups
        return
    starts, returned = found_by(app, sql_of(opened))
    assert [(4,)] == starts
    assert [(1, 1, 4), (2, 0, 4)] == returned[:2]


def test_the_sql_says_what_it_cannot_count(app, creator, monkeypatch):
    monkeypatch.setattr(doubts, "MAX_VISITORS", 1)
    sent = {"match": "all", "conditions": [{"kind": "did", "window": {"last_days": 30}}]}
    headers = hosts.bearer(app.test_client(), "creator")
    made_of = app.test_client().post(
        "/api/v1/minicode/segments/", json={"appid": APPID, "name": "All", **sent}, headers=headers
    )
    segment = f"&segment=segment:{made_of.get_json()['id']}"
    too_many = creator.get(f"{PAGES}/funnel/{ASKS['funnel']}{segment}&recount=1").text
    upkeep.purge(hosts.engine_of(app), retention_days=1, now=dt.datetime.now(dt.timezone.utc))
    purged = creator.get(f"{PAGES}/retention/{ASKS['retention']}&recount=1").text

    assert "too large to be written out" in too_many
    assert [] == sql_of(too_many)
    assert "already purged: the SQL counts fewer" in purged
    assert 2 == len(sql_of(purged))


@pytest.mark.parametrize("kind", KINDS)
def test_without_an_answer_there_is_no_sql(creator, kind):
    empty = creator.get(f"{PAGES}/{kind}/{ASKS[kind]}&where=utm_source:eq:nobody&recount=1")
    wrong = creator.get(f"{PAGES}/{kind}/{ASKS[kind]}&segment=segment:99&recount=1")
    bare = creator.get(f"{PAGES}/{kind}/?recount=1")

    for page in (empty, wrong):
        assert 200 == page.status_code
        assert "mca-recount" not in page.text
    assert 200 == bare.status_code
