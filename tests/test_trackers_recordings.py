"""Every line that the real SDKs sent ends in the right visits, custom events, UTM values, scenes and visitors."""

from dataclasses import astuple

import pytest

from fab_minicode.utm import Utm
from tests.recordings import FILES, lines, request_of, visits


def heard(name, tracker):
    """``(session, event)`` of a whole file."""
    return [
        (line["session"].split("/", 1)[1], event)
        for line in lines(name)
        for _, event in tracker.parse(request_of(line)).events
    ]


@pytest.mark.parametrize("name, tracker", FILES)
def test_each_launch_is_one_visit_with_what_it_carried(name, tracker):
    found = [
        (session, event.entry.landing_page, event.entry.scene, astuple(event.entry.utm), event.entry.short_key)
        for session, event in heard(name, tracker)
        if event.name is None
    ]

    assert [(v.session, v.landing_page, v.scene, v.utm, v.short_key) for v in visits(tracker)] == found


@pytest.mark.parametrize("name, tracker", FILES)
def test_custom_events_keep_their_names_and_follow_their_visit(name, tracker):
    found = [(session, event.name) for session, event in heard(name, tracker) if event.name is not None]

    assert [(v.session, v.custom) for v in visits(tracker) if v.custom] == found
    assert all(event.entry is None for _, event in heard(name, tracker) if event.name is not None)


@pytest.mark.parametrize("name, tracker", FILES)
def test_a_visitor_is_the_same_one_day_later_and_nobody_else(name, tracker):
    visitors = {}
    for session, event in heard(name, tracker):
        visitors.setdefault(session, set()).add(event.visitor)

    assert all(len(found) == 1 for found in visitors.values())
    assert visitors["0/0"] == visitors["0/1"]
    assert visitors["1/0"] == visitors["1/1"]
    assert 7 == len(set.union(*visitors.values()))


@pytest.mark.parametrize("name, tracker", FILES)
def test_nothing_is_refused_and_the_rest_is_ignored(name, tracker):
    parsed = [tracker.parse(request_of(line)) for line in lines(name)]
    expected = visits(tracker)

    assert all(found.rejected == () for found in parsed)
    assert len(expected) + sum(v.custom is not None for v in expected) == sum(len(found.events) for found in parsed)
    # GrowingIO: APP_CLOSED of each launch. Sensors: $MPLaunch and $MPHide, and two profiles of each first launch with
    # UTM values, one of each without.
    assert (9 if tracker.name == "growingio" else 30) == sum(found.ignored for found in parsed)


@pytest.mark.parametrize("name, tracker", FILES)
def test_every_event_has_an_identity_of_its_own_and_the_device_s_time(name, tracker):
    events = [event for _, event in heard(name, tracker)]

    assert len(events) == len({event.identity for event in events})
    assert all(1_790_000_000_000 <= event.time_ms < 1_790_100_000_000 for event in events)
    assert not any(event.is_test for event in events)


@pytest.mark.parametrize("name, tracker", FILES)
def test_a_visit_without_utm_values_has_no_touch(name, tracker):
    direct = [event.entry for session, event in heard(name, tracker) if event.name is None and session.endswith("/1")]

    assert [Utm(), Utm()] == [entry.utm for entry in direct]


def test_the_packed_recording_says_the_same_as_the_plain_one():
    plain, packed = (
        [(session, event.name, event.entry) for session, event in heard(name, tracker)] for name, tracker in FILES[:2]
    )

    assert plain == packed
