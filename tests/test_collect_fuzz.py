"""
Odd values through the three doors into both databases: never a 5xx, an honest event beside them is always stored once,
and whatever was accepted can be counted.
"""

import base64
import datetime as dt
import itertools
import json
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.models.acquisition import Pending, StoredEvent
from fab_minicode.settings import read_settings
from fab_minicode.trackers.strictjson import MAX_DEPTH
from tests import collect_app, databases, hosts
from tests.collect_app import KEY

FUZZ = settings(max_examples=150, deadline=None, database=None, suppress_health_check=list(HealthCheck))
MANY_DIGITS = "9" * 5000
# JSON as it is written: no library would write most of this.
ODD = (
    r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"\udfff\ud800"', r'"\ufeff"', '"\ufeff"', r'"\u202e"', '"🀄"', '""',
    "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "18446744073709551616",
    MANY_DIGITS, f'"{MANY_DIGITS}"', "1e999", "-1e999", "1e-999", "NaN", "Infinity", "-Infinity", "1.5", "-1", "0",
    "null", "true", "false", "[]", "{}", '{"a":1,"a":2}', "[" * MAX_DEPTH + "]" * MAX_DEPTH, "[" * 9999 + "]" * 9999,
    f'"{"x" * 9000}"', '"utm_source=%00&utm_source=%ud800"', '"utm_source=' + "%" * 300 + '"', '"scene=c%3D8F3kQ2"',
    '"2026-11-22T10:00:00Z"', '"1790000000000"', "1790000000000.5", '"../../etc/passwd"', "'a'", "undefined", "",
)  # fmt: skip
SHAPES = {
    "native": {"id": '"{id}"', "type": '"visit"', "visitor": '"d"', "time_ms": "{now}", "path": '"pages/a"',
               "query": '"utm_source=s"', "scene": "1047"},
    "growingio": {"eventType": '"VISIT"', "deviceId": '"d"', "sessionId": '"{id}"', "timestamp": "{now}",
                  "eventSequenceId": "1", "path": '"pages/a"', "query": '"utm_source=s"'},
    "sensors": {"type": '"track"', "event": '"$MPShow"', "anonymous_id": '"d"', "_track_id": "{number}",
                "time": "{now}", "properties": '{"$url_query":"utm_source=s"}'},
}  # fmt: skip
numbers = itertools.count(1)


@pytest.fixture(scope="module", params=databases.KINDS)
def app(request, tmp_path_factory):
    app = collect_app.make(request.param, tmp_path_factory.mktemp("odd"), COLLECT_RATE="")
    yield app
    hosts.close(app)


def written(tracker, changes=()):
    """Return ``(name, JSON text)`` of the fields of an honest event, and what replaces or repeats some of them."""
    number = next(numbers)
    now_ms = int(dt.datetime.now(dt.timezone.utc).timestamp() * 1000)
    fill = {"{id}": f"honest-{number}", "{number}": str(number), "{now}": str(now_ms)}
    fields = [[name, text] for name, text in SHAPES[tracker].items()]
    for field in fields:
        for mark, value in fill.items():
            field[1] = field[1].replace(mark, value)
    for place, text, is_twice in changes:
        name = fields[place % len(fields)][0]
        if is_twice:
            fields.append([name, text])
        else:
            fields[place % len(fields)][1] = text
    return "{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in fields) + "}"


def send(app, tracker, events, mark, way):
    text = f"[{','.join(events)}]"
    body = mark + (f'{{"events":{text}}}' if tracker == "native" else text)
    raw = body.encode("utf-16" if way == "utf-16" else "utf-8")
    client = app.test_client()
    if tracker == "native":
        return client.post(f"/minicode/collect/v1/{KEY}", data=raw)
    if tracker == "growingio":
        return client.post(f"/minicode/collect/growingio/v3/projects/{KEY}/collect", data=raw)
    data = quote(base64.b64encode(raw).decode("ascii"), safe="")
    return client.post(f"/minicode/collect/sensors?project={KEY}", data=f"data_list={data}")


def count(app, model=StoredEvent):
    with hosts.engine_of(app).connect() as connection:
        return connection.execute(select(func.count()).select_from(model.__table__)).scalar_one()


changes = st.lists(st.tuples(st.integers(0, 20), st.sampled_from(ODD), st.booleans()), min_size=1, max_size=3)


@pytest.mark.parametrize("tracker", sorted(SHAPES))
@FUZZ
@given(
    odd=st.lists(changes, min_size=1, max_size=3),
    mark=st.sampled_from(["", "", "", "\ufeff", "\ufeff\ufeff", "\x00", "garbage"]),
    way=st.sampled_from(["utf-8", "utf-8", "utf-8", "utf-16"]),
)
def test_no_odd_value_is_our_fault_and_none_sinks_an_honest_event(app, tracker, odd, mark, way):
    events = [written(tracker, changed) for changed in odd]
    before = count(app)
    alone = send(app, tracker, events, mark, way)
    beside = send(app, tracker, [*events, written(tracker)], mark, way)
    accepted = [answer.get_json().get("accepted", 0) for answer in (alone, beside)]

    assert {alone.status_code, beside.status_code} <= {200, 202, 400, 413}, events
    assert alone.status_code == beside.status_code, events
    if beside.status_code < 300:
        assert accepted[1] >= 1, events
        assert len(events) == len(alone.get_json()["rejected"]) + sum(
            alone.get_json().get(name, 0) for name in ("accepted", "duplicate", "ignored")
        )
    assert sum(accepted) == count(app) - before, events


def test_what_was_accepted_can_be_counted(app):
    for tracker, text in itertools.product(SHAPES, ODD):
        send(app, tracker, [written(tracker, [(place, text, False)]) for place in range(7)], "", "utf-8")
    waiting = count(app, Pending)
    now = dt.datetime.now(dt.timezone.utc)

    assert waiting > 0
    assert waiting == roll_up_all(hosts.engine_of(app), settings=read_settings({}), now=now)
    assert 0 == count(app, Pending)
