"""How far back a row of the analysis table leads to hours: as far as hours can be asked for."""

from __future__ import annotations

import datetime as dt

import pytest
from sqlalchemy import select

from fab_minicode.acquisition.windows import MAX_HOUR_DAYS_AGO
from fab_minicode.models import Authorizer
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.test_pages_analysis import Tables
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid


@pytest.mark.parametrize(("days_ago", "granularity"), [(MAX_HOUR_DAYS_AGO, "hour"), (MAX_HOUR_DAYS_AGO + 1, "day")])
def test_a_day_leads_to_its_hours_as_long_as_they_are_counted(app, client, days_ago, granularity):
    hosts.connect(app)
    now, settings = dt.datetime.now(dt.timezone.utc), app.extensions[EXTENSION].settings
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id)).scalar_one()
    bring(hosts.engine_of(app), [Visit("v", days_ago)], authorizer_id=row, settings=settings, now=now)
    day = now.astimezone(settings.zone).date() - dt.timedelta(days=days_ago)
    hosts.login(client, "viewer")
    page = client.get(f"/minicode/analysis/?appid={APPID}&granularity=day&window={day}..{day + dt.timedelta(days=1)}")

    address = Tables(page.get_data(as_text=True)).links[0]
    answer = client.get(address).get_data(as_text=True)

    assert f"window={day}..{day}" in address
    assert ("granularity=hour" in address) == (granularity == "hour")
    assert "<table" in answer
    assert "Hours are counted for the last 14 days only" not in answer
