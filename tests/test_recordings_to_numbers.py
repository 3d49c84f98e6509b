"""What the real SDKs sent, through the collector and the roll-up, to the numbers that a question gets."""

import datetime as dt

import pytest
from sqlalchemy import select

from fab_minicode import codes
from fab_minicode.acquisition.query import answer
from fab_minicode.acquisition.question import parse
from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models import Authorizer
from fab_minicode.trackers import SENSORS
from fab_minicode.utm import Utm
from fab_minicode.views import collect
from tests import hosts, stories
from tests.recordings import FILES, lines

NOW = dt.datetime(2026, 9, 23, tzinfo=dt.timezone.utc)
ORDERS = {"event": "order_paid", "as": "times"}
BUYERS = {"event": "order_paid", "as": "users"}


@pytest.fixture
def appid(app, monkeypatch):
    """A mini program whose unlimited code has the short key that the recordings scanned."""
    monkeypatch.setattr(collect, "now", lambda: NOW)
    appid = hosts.connect(app)
    with hosts.database(app) as session:
        draft = stories.draft(appid=appid, kind="wxacode_unlimited", landing_page="pages/promo/index", utm=Utm("table"))
        codes.plan(session, draft, actor=stories.WANG, now=NOW).short_key = "8F3kQ2"
        session.commit()
    return appid


def replay(app, client, tracker, name):
    with hosts.database(app) as session:
        key = session.execute(select(Authorizer.collect_key)).scalar_one()
    door = {
        "growingio": f"/minicode/collect/growingio/v3/projects/{key}/collect",
        "sensors": "/minicode/collect/sensors",
    }[tracker.name]
    for line in lines(name):
        query = line["target"].partition("?")[2].replace("project=default", f"project={key}")
        sent = client.open(f"{door}?{query}", method=line["method"], headers=line["headers"], data=line["body"])

        assert 200 == sent.status_code
    roll_up_all(hosts.engine_of(app), settings=app.extensions["fab_minicode"].settings, now=NOW)


def ask(app, appid, **asked):
    question = parse({"appid": appid, "window": {"since": "2026-09-21", "until": "2026-09-22"}, **asked})
    with hosts.engine_of(app).connect() as connection:
        return answer(connection, question, settings=app.extensions["fab_minicode"].settings, now=NOW).as_json()


@pytest.mark.parametrize("name, tracker", FILES)
def test_a_recording_ends_in_the_right_numbers(app, client, appid, name, tracker):
    # GrowingIO sends values as WeChat gave them, so an "&" inside of one ends it (docs/trackers.md).
    partner = "partner|mini & co" if tracker is SENSORS else "partner|mini"
    replay(app, client, tracker, name)
    replay(app, client, tracker, name)
    metrics = ["users", "visits", "new_users", BUYERS, ORDERS]
    found = ask(app, appid, metrics=metrics, dimensions=["utm_source"], attribution="last")

    assert {
        "poster": (1, 2, 1, 1, 2),
        "KOL35": (1, 2, 1, 0, 0),
        "mp_article": (1, 1, 1, 1, 1),
        "table": (1, 1, 1, 1, 1),
        "leaflet": (1, 1, 1, 0, 0),
        partner: (1, 1, 1, 1, 1),
        None: (1, 1, 1, 0, 0),
    } == {row["utm_source"]: numbers(row) for row in found["rows"]}
    assert (7, 9, 7, 4, 5) == numbers(found["totals"])


@pytest.mark.parametrize("name, tracker", FILES)
def test_the_second_day_s_visits_carry_a_touch_only_by_attribution(app, client, appid, name, tracker):
    replay(app, client, tracker, name)
    by_attribution = {
        attribution: {
            (row["day"], row["utm_source"]): row["visits"]
            for row in ask(
                app,
                appid,
                metrics=["visits"],
                dimensions=["utm_source"],
                filters=[{"dimension": "landing_page", "op": "eq", "value": "pages/index/index"}],
                granularity="day",
                attribution=attribution,
            )["rows"]
            if row["visits"]
        }
        for attribution in ("last", "entry", "first")
    }
    first_day, second_day = "2026-09-21", "2026-09-22"

    carried = {(first_day, None): 1, (second_day, "poster"): 1, (second_day, "KOL35"): 1}
    assert carried == by_attribution["last"] == by_attribution["first"]
    assert {(first_day, None): 1, (second_day, None): 2} == by_attribution["entry"]


def numbers(row):
    return tuple(row[name] for name in ("users", "visits", "new_users", "order_paid.users", "order_paid.times"))
