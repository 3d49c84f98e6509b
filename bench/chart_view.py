"""
The same question asked of the same events by Flask-AppBuilder's own chart view.

    python -m bench.chart_view [--events 1000000]

``GroupByChartView`` is what one would write without this add-on: a model of one row per visit with its source, a filter
for the last seven days, distinct visitors by source as an aggregate function. It loads every row as an object. Both
sides run in one host, in this process, on SQLite; processor time, the chart view once, ours the median of nine.
"""

from __future__ import annotations

import argparse
import datetime as dt
import pathlib
import resource
import tempfile
import time
from collections.abc import Iterable
from typing import Any, ClassVar

from flask_appbuilder import Model
from flask_appbuilder.charts.views import GroupByChartView
from flask_appbuilder.models.group import aggregate
from flask_appbuilder.models.sqla.filters import FilterGreater, FilterSmaller
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy import Column, Index, Integer, text

from bench.generate import fill
from bench.headline import DAYS, asked, first_and_again
from bench.results import note
from bench.rollup import NOW
from fab_minicode.acquisition.rollup import roll_up_all
from fab_minicode.settings import read_settings
from tests import hosts, stories


class PlainVisit(Model):  # type: ignore[misc]
    """One visit, its source decided already."""

    __tablename__ = "plain_visits"
    __table_args__ = (Index("ix_plain_visits_day", "day", "source", "visitor"),)

    id = Column(Integer, primary_key=True)
    day = Column(Integer, nullable=False)
    source = Column(Integer, nullable=False)
    visitor = Column(Integer, nullable=False)


@aggregate("Users")
def distinct(items: Iterable[Any], column: str) -> int:
    """Count distinct values."""
    return len({getattr(item, column) for item in items})


class VisitsChart(GroupByChartView):  # type: ignore[misc]
    """Users of the last seven days by source."""

    datamodel = SQLAInterface(PlainVisit)
    base_filters: ClassVar = [
        ["day", FilterGreater, DAYS[0] - 1],
        ["day", FilterSmaller, DAYS[1] + 1],
        ["source", FilterGreater, 0],
    ]
    definitions: ClassVar = [{"label": "Source", "group": "source", "series": [(distinct, "visitor")]}]


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        app = hosts.make_host(hosts.copy_of_template("sqlite", pathlib.Path(folder)))
        engine = hosts.engine_of(app)
        with hosts.database(app) as session:
            session.add(stories.authorizer())
            session.commit()
        fill(engine, given.events, until_ms=int(NOW.timestamp() * 1000))
        roll_up_all(engine, settings=read_settings({}), now=NOW + dt.timedelta(minutes=1))
        PlainVisit.__table__.create(engine, checkfirst=True)
        with engine.begin() as connection:
            connection.execute(
                text(
                    "INSERT INTO plain_visits (day, source, visitor) SELECT a.day, c.utm_source, a.visitor_id"
                    " FROM minicode_attributions a JOIN minicode_contexts c ON c.id = a.context_id WHERE a.event_id = 0"
                )
            )
        with engine.connect() as connection:
            ask = asked(dimensions=["utm_source"])
            ours, _again = first_and_again(connection, ask, time.process_time, 9)
            numbers = sorted(row[-1] for row in ask(connection))
        theirs, found = chart(app)
        if sorted(found) != numbers:
            raise SystemExit("the chart view found other numbers")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"users by source, 7 days of {given.events:,} events: ours {ours:.1f} ms, chart view {theirs:,.0f} ms and"
              f" {memory:,.0f} MB, x {theirs / ours:,.0f}")  # fmt: skip
        note(
            f"users by source, {given.events:,} events, GroupByChartView",
            ours=f"{ours:.1f} ms",
            baseline=f"{theirs:,.0f} ms",
            ratio=theirs / ours,
        )
        hosts.close(app)


def chart(app: Any) -> tuple[float, list[int]]:
    """Return the milliseconds of the chart view's own counting, and its numbers."""
    with app.test_request_context(), hosts.database(app) as session:
        view = VisitsChart()
        datamodel = SQLAInterface(PlainVisit, session)
        filters = datamodel.get_filters(["day", "source"]).add_filter_list(view.base_filters)
        begin = time.process_time()
        # What GroupByChartView does before it draws.
        _, visits = datamodel.query(filters=filters)
        counted = view.get_group_by_class(view.definitions[0]).apply(visits)
        return 1000 * (time.process_time() - begin), [row[1] for row in counted]


if __name__ == "__main__":
    main()
