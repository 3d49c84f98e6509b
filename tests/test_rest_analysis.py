"""Questions over REST: what the collector accepted comes back as numbers."""

import datetime as dt

import pytest
from sqlalchemy import select

from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models import Authorizer
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts

ANALYSIS = "/api/v1/minicode/analysis"
APPID = SAMPLE_APPS[0].appid
NOON = dt.time(4, tzinfo=dt.timezone.utc)  # 12:00 in Shanghai


@pytest.fixture
def viewer(app, client):
    """Headers of a viewer; yesterday three phones came by two posters and one by nothing."""
    hosts.connect(app)
    with hosts.database(app) as session:
        key = session.execute(select(Authorizer.collect_key)).scalar_one()
    yesterday = dt.datetime.now(dt.timezone(dt.timedelta(hours=8))).date() - dt.timedelta(days=1)
    time_ms = int(dt.datetime.combine(yesterday, NOON).timestamp() * 1000)
    queries = ("utm_source=poster", "utm_source=poster", "utm_source=flyer", "")
    events = [
        {
            "id": f"event-{n:016d}",
            "type": "visit",
            "visitor": f"v{n}",
            "time_ms": time_ms,
            "path": "pages/a",
            "query": q,
        }
        for n, q in enumerate(queries)
    ]

    assert 4 == client.post(f"/minicode/collect/v1/{key}", json={"events": events}).get_json()["accepted"]
    settings = app.extensions["fab_minicode"].settings
    roll_up_all(hosts.engine_of(app), settings=settings, now=dt.datetime.now(dt.timezone.utc))
    return hosts.bearer(client, "viewer")


def ask(client, headers, **question):
    return client.post(f"{ANALYSIS}/query", json={"appid": APPID, **question}, headers=headers)


def test_a_question_is_answered_in_the_documented_shape(client, viewer):
    answer = ask(
        client,
        viewer,
        metrics=["users", "visits"],
        dimensions=["utm_source"],
        filters=[{"dimension": "utm_source", "op": "set"}],
        window={"last_days": 7},
        granularity="total",
    )
    found = answer.get_json()

    assert 200 == answer.status_code
    assert {"window", "columns", "rows", "totals", "others", "previous", "definitions"} <= set(found)
    assert "Asia/Shanghai" == found["window"]["timezone"]
    assert [("utm_source", "dimension"), ("users", "metric"), ("visits", "metric")] == [
        (column["name"], column["role"]) for column in found["columns"]
    ]
    assert [("poster", 2), ("flyer", 1)] == [(row["utm_source"], row["users"]) for row in found["rows"]]
    assert (3, 3) == (found["totals"]["users"], found["totals"]["visits"])


def test_the_headline_counts_users_with_a_source_in_seven_complete_days(client, viewer):
    found = client.get(f"{ANALYSIS}/headline?appid={APPID}", headers=viewer).get_json()

    assert {"value", "window", "previous"} == set(found)
    assert (3, 0) == (found["value"], found["previous"])
    days = [dt.date.fromisoformat(found["window"][name]) for name in ("since", "until")]
    assert 6 == (days[1] - days[0]).days
    assert "Asia/Shanghai" == found["window"]["timezone"]


def test_a_faulty_question_is_told_its_field(client, viewer):
    for changed, field in (
        ({"metrics": ["likes"]}, "metrics[0]"),
        ({"dimensions": ["shoe_size"]}, "dimensions[0]"),
        ({"window": {"last_days": 0}}, "window.last_days"),
        ({"limit": 10**12}, "limit"),
        ({"granularity": ["day"]}, "granularity"),
        ({"colour": "red"}, "colour"),
    ):
        answer = ask(client, viewer, **changed)

        assert (422, field) == (answer.status_code, answer.get_json()["error"]["field"]), answer.get_json()


def test_an_unknown_mini_program_is_404(client, viewer):
    assert 404 == ask(client, viewer, appid="wx-unknown").status_code
    for appid in ("wx-unknown", "%00", "%ED%A0%80"):
        assert 404 == client.get(f"{ANALYSIS}/headline?appid={appid}", headers=viewer).status_code, appid


def test_the_headline_of_no_mini_program_is_told_its_field(client, viewer):
    for address in ("headline", "headline?appid="):
        answer = client.get(f"{ANALYSIS}/{address}", headers=viewer)

        assert (422, "appid") == (answer.status_code, answer.get_json()["error"]["field"])


def test_what_is_no_question_is_refused(client, viewer):
    for content in (b"", b"[]", b'{"appid": NaN}', b'{"appid": ' + b"[" * 50 + b"]" * 50 + b"}"):
        address = f"{ANALYSIS}/query"
        answer = client.post(address, data=content, content_type="application/json", headers=viewer)

        assert (400, "body") == (answer.status_code, answer.get_json()["error"]["field"])


def test_attributions_stand_side_by_side(client, viewer):
    asked = {"appid": APPID, "metrics": ["users"], "dimensions": ["utm_source"]}
    found = client.post(f"{ANALYSIS}/attributions", json=asked, headers=viewer).get_json()
    numbers = {"last": {"users": 2}, "entry": {"users": 2}, "first": {"users": 2}}

    assert {"utm_source": "poster", **numbers} == found["rows"][0]
    assert {"users": 4} == found["totals"]["entry"]
    assert {"window", "columns", "rows", "totals", "others", "definitions", "attributions", "freshness"} <= set(found)


def test_values_and_events_are_suggested_with_counts(client, viewer):
    found = client.get(f"{ANALYSIS}/values?appid={APPID}&dimension=utm_source&q=E", headers=viewer).get_json()
    events = client.get(f"{ANALYSIS}/events?appid={APPID}&window=last_30", headers=viewer).get_json()

    assert [{"value": "poster", "users": 2, "visits": 2}, {"value": "flyer", "users": 1, "visits": 1}] == found[
        "result"
    ]
    assert (2, {"users": 1, "visits": 1}) == (found["count"], found["not_set"])
    assert {"count": 0, "result": []} == events
    for address, field in (
        (f"values?appid={APPID}", "dimension"),
        (f"values?appid={APPID}&dimension=shoe_size", "dimension"),
        (f"values?appid={APPID}&dimension=scene&window=last_0", "window.last_days"),
        (f"values?appid={APPID}&dimension=scene&q={'x' * 257}", "q"),
        ("values?dimension=scene", "appid"),
        ("events", "appid"),
    ):
        answer = client.get(f"{ANALYSIS}/{address}", headers=viewer)

        assert (422, field) == (answer.status_code, answer.get_json()["error"]["field"])


def test_the_sql_of_a_number_is_told(app, client, viewer):
    asked = {"appid": APPID, "filters": [{"dimension": "utm_source", "op": "eq", "value": "it's"}]}
    found = client.post(f"{ANALYSIS}/sql", json=asked, headers=viewer).get_json()
    (statement,) = found["statements"]
    with hosts.engine_of(app).connect() as connection:
        number = connection.exec_driver_sql(statement[connection.dialect.name]).scalar()

    assert ("users", "all", True, None) == (
        *(statement[n] for n in ("metric", "segment", "complete")),
        found["raw_since"],
    )
    assert "'it''s'" in statement["sqlite"]
    assert 0 == number
