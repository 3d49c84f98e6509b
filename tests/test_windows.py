"""Days, hours and windows of time zones."""

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fab_minicode.acquisition.windows import BUCKETS, Period, Window, days_of, hour_text, hours_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = ("Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC", "Pacific/Apia")
# 2000 to 2100.
INSTANTS = st.integers(946_684_800_000, 4_102_444_800_000)
# Years apart, or within some weeks.
FAR_OR_NEAR = st.lists(INSTANTS, max_size=50) | st.builds(
    lambda start, steps: [start + step for step in steps],
    INSTANTS,
    st.lists(st.integers(0, 60 * 86_400_000), max_size=50),
)


@pytest.mark.parametrize("zone", ZONES)
@given(instants=FAR_OR_NEAR)
def test_days_and_hours_are_those_of_the_zones_calendar(zone, instants):
    local = [dt.datetime.fromtimestamp(instant / 1000, ZoneInfo(zone)) for instant in instants]
    times = np.array(instants, np.int64)

    assert [moment.date().toordinal() for moment in local] == days_of(times, ZoneInfo(zone)).tolist()
    assert [f"{moment:%Y-%m-%dT%H}:00" for moment in local] == [
        hour_text(hour) for hour in hours_of(times, ZoneInfo(zone)).tolist()
    ]


def test_clocks_change_in_the_middle_of_a_day():
    # New York, 2026-11-01: 01:30 comes twice, 05:30Z and 06:30Z.
    times = np.array([1793511000000, 1793514600000], np.int64)

    assert ["2026-11-01T01:00"] * 2 == [
        hour_text(hour) for hour in hours_of(times, ZoneInfo("America/New_York")).tolist()
    ]


@pytest.mark.parametrize(
    ("period", "since", "until"),
    [
        (Period(last_days=7), "2026-11-14", "2026-11-20"),
        (Period(last_days=1), "2026-11-20", "2026-11-20"),
        (Period(days_ago=0), "2026-11-21", "2026-11-21"),
        (Period(days_ago=1), "2026-11-20", "2026-11-20"),
        (Period(calendar="this_week"), "2026-11-16", "2026-11-21"),
        (Period(calendar="last_week"), "2026-11-09", "2026-11-15"),
        (Period(calendar="this_month"), "2026-11-01", "2026-11-21"),
        (Period(calendar="last_month"), "2026-10-01", "2026-10-31"),
    ],
)
def test_windows_are_seen_from_today_in_the_zone(period, since, until):
    # Still the 20th in London, already the 21st in Shanghai.
    now = dt.datetime(2026, 11, 20, 16, 30, tzinfo=dt.timezone.utc)

    assert Window(dt.date.fromisoformat(since), dt.date.fromisoformat(until)) == period.resolve(now, SHANGHAI)


def test_the_previous_window_is_as_long_and_ends_the_day_before():
    window = Window(dt.date(2026, 11, 14), dt.date(2026, 11, 20))

    assert Window(dt.date(2026, 11, 7), dt.date(2026, 11, 13)) == window.previous()


@pytest.mark.parametrize(
    ("name", "today", "since", "until"),
    [
        ("this_week", "2026-11-18", "2026-11-09", "2026-11-11"),
        ("this_week", "2026-11-16", "2026-11-09", "2026-11-09"),
        ("last_week", "2026-11-18", "2026-11-02", "2026-11-08"),
        ("this_month", "2027-01-15", "2026-12-01", "2026-12-15"),
        ("this_month", "2027-03-31", "2027-02-01", "2027-02-28"),
        ("last_month", "2027-03-31", "2027-01-01", "2027-01-31"),
        ("last_month", "2027-02-01", "2026-12-01", "2026-12-31"),
    ],
)
def test_weeks_and_months_are_compared_with_the_one_before(name, today, since, until):
    period = Period(calendar=name)
    window = period.resolve(dt.datetime.fromisoformat(f"{today}T04:00+00:00"), SHANGHAI)

    assert Window(dt.date.fromisoformat(since), dt.date.fromisoformat(until)) == period.compared(window, "previous")


@pytest.mark.parametrize(("days", "earlier"), [(1, 7), (7, 7), (8, 14), (14, 14), (30, 35), (366, 371)])
def test_the_same_weekdays_earlier_never_overlap_and_are_as_near_as_can_be(days, earlier):
    until = dt.date(2026, 11, 20)
    window = Window(until - dt.timedelta(days=days - 1), until)
    before = Period(last_days=days).compared(window, "week_earlier")

    assert dt.timedelta(days=earlier) == window.since - before.since == window.until - before.until
    assert before.until < window.since


def test_weeks_begin_on_monday_and_months_have_no_day():
    sunday = dt.date(2027, 1, 3).toordinal()

    assert "2026-12-28" == BUCKETS["week"](sunday)
    assert "2027-01" == BUCKETS["month"](sunday)
    assert "2027-01-03" == BUCKETS["day"](sunday)
    assert "" == BUCKETS["total"](sunday)
