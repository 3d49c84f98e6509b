"""``flask minicode visitor``: a copy of everything about one visitor, and its removal, by device or by pseudonym."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from sqlalchemy import select

from fab_minicode.acquisition.pseudonyms import pseudonym_of
from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.cli import minicode
from fab_minicode.models import AuditEntry, Authorizer, StoredEvent, Visitor
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts

APPID = SAMPLE_APPS[0].appid
DEVICE = "5f0c9a1e-77aa-4a31"


@pytest.fixture
def run(app, client):
    """A mini program to which two phones sent a visit each; returns what runs a command."""
    hosts.connect(app)
    with hosts.database(app) as session:
        key = session.execute(select(Authorizer.collect_key)).scalar_one()
    now = dt.datetime.now(dt.timezone.utc)
    events = [
        {"id": f"event-{device}", "type": "visit", "visitor": device, "time_ms": int(now.timestamp() * 1000) - 5000,
         "path": "pages/a", "query": "utm_source=poster"}
        for device in (DEVICE, "another-phone-1234")
    ]  # fmt: skip

    assert 2 == client.post(f"/minicode/collect/v1/{key}", json={"events": events}).get_json()["accepted"]
    roll_up_all(hosts.engine_of(app), settings=app.extensions["fab_minicode"].settings, now=now)
    runner = app.test_cli_runner()
    return lambda *arguments, **more: runner.invoke(minicode, ["visitor", *arguments], **more)


def test_a_visitor_is_exported_and_erased_by_device(app, run):
    found = run("export", "--appid", APPID, "--device", DEVICE)
    copy = json.loads(found.output)

    assert (APPID, 1, 1) == (copy["appid"], len(copy["events"]), len(copy["attributions"]))
    assert "poster" == copy["first_touch"]["utm_source"]
    assert DEVICE not in found.output
    unsure = run("erase", "--appid", APPID, "--device", DEVICE, input="n\n")

    assert 1 == unsure.exit_code
    erased = run("erase", "--appid", APPID, "--device", DEVICE, "--yes")

    assert "events: 1, attributions: 1" in erased.output
    with hosts.database(app) as session:
        assert 1 == len(session.execute(select(StoredEvent.key)).all())
        acts = session.execute(select(AuditEntry.action).where(AuditEntry.subject_type == "visitor")).scalars().all()

    assert ["exported", "erased"] == acts
    again = run("erase", "--appid", APPID, "--device", DEVICE, "--yes")

    assert 1 == again.exit_code
    assert "no such mini program or visitor" in again.output


def test_a_visitor_may_be_named_by_pseudonym_and_must_be_named_once(app, run):
    with hosts.database(app) as session:
        head = session.execute(select(Visitor.head).order_by(Visitor.head)).scalars().first()
    found = run("export", "--appid", APPID, "--pseudonym", pseudonym_of(head))

    assert pseudonym_of(head) == json.loads(found.output)["pseudonym"]
    for wrong in ((), ("--device", DEVICE, "--pseudonym", "x")):
        assert 2 == run("export", "--appid", APPID, *wrong).exit_code
    assert 1 == run("export", "--appid", "wx0", "--device", DEVICE).exit_code
    assert 0 == run("erase", "--appid", APPID, "--pseudonym", pseudonym_of(head), "--yes").exit_code
