"""How fast the collector may be asked, by key and by address, whatever a stranger writes into the headers."""

import datetime as dt

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from fab_minicode.errors import CollectRejected
from fab_minicode.views import collect
from fab_minicode.views.collect_gate import MOST_COUNTED, RateLimit, bounded_address
from tests import collect_app, hosts
from tests.collect_app import KEY, OTHER_KEY

STRANGER, VICTIM, PROXY, OUTER_PROXY = "93.184.216.34", "151.101.1.69", "10.0.0.1", "172.16.0.1"
THEN = dt.datetime(2026, 11, 22, 10, 30, 20, tzinfo=dt.timezone.utc)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Return a function that makes a host behind so many proxies; its clock stands still."""
    made = []
    monkeypatch.setattr(collect, "now", lambda: THEN)

    def host(proxies=0, **config):
        app = collect_app.make("sqlite", tmp_path, **config)
        if proxies:
            app.wsgi_app = ProxyFix(app.wsgi_app, x_for=proxies)
        made.append(app)
        return app.test_client()

    yield host
    for app in made:
        hosts.close(app)


def send(client, address, *, proxies=0, forged=(), key=KEY):
    """Send from an address through so many honest proxies, each of which notes who it was asked by."""
    hops = [*forged, *([address] if proxies else []), *([OUTER_PROXY] if proxies == 2 else [])]
    headers = {"X-Forwarded-For": ", ".join(hops)} if hops else {}
    peer = PROXY if proxies else address
    url = f"/minicode/collect/v1/{key}"
    return client.post(url, json={"events": []}, headers=headers, environ_base={"REMOTE_ADDR": peer}).status_code


@pytest.mark.parametrize("proxies", [0, 1, 2])
def test_a_stranger_neither_evades_nor_blames_another_by_a_forged_header(make, proxies):
    client = make(proxies, COLLECT_RATE_PER_ADDRESS="3/minute")
    forgeries = [(VICTIM,), ("198.51.100.7", VICTIM), (f"{VICTIM}, {VICTIM}",), ("not an address",), ("",)]
    statuses = [send(client, STRANGER, proxies=proxies, forged=forged) for forged in forgeries]

    assert [202, 202, 202, 429, 429] == statuses
    assert 202 == send(client, VICTIM, proxies=proxies)


@pytest.mark.parametrize("name", ["Forwarded", "X-Real-IP", "X-Client-IP", "True-Client-IP", "CF-Connecting-IP"])
def test_no_other_header_tells_an_address(make, name):
    client = make(COLLECT_RATE_PER_ADDRESS="2/minute")
    url, peer = f"/minicode/collect/v1/{KEY}", {"REMOTE_ADDR": STRANGER}
    sent = [{name: f"for=8.8.4.{n}" if name == "Forwarded" else f"8.8.4.{n}"} for n in range(3)]
    statuses = [client.post(url, json={"events": []}, headers=one, environ_base=peer).status_code for one in sent]

    assert [202, 202, 429] == statuses


def test_an_address_is_counted_over_all_keys_and_before_any_key_is_looked_up(make):
    client = make(COLLECT_RATE_PER_ADDRESS="3/minute")
    statuses = [send(client, STRANGER, key=key) for key in (KEY, OTHER_KEY, "unknown-key-of-nobody-0001", KEY)]

    assert [202, 202, 403, 429] == statuses


def test_what_an_address_sends_too_fast_takes_nothing_of_the_key(make):
    client = make(COLLECT_RATE_PER_ADDRESS="2/minute", COLLECT_RATE="3/minute")
    statuses = [send(client, STRANGER) for _ in range(9)]

    assert [202] * 2 + [429] * 7 == statuses
    assert [202, 429] == [send(client, VICTIM), send(client, VICTIM)]


@pytest.mark.parametrize("forged", [(), (VICTIM,), ("127.0.0.1",)])
def test_the_rate_of_a_key_does_not_ask_who_sends(make, forged):
    client = make(COLLECT_RATE="3/minute", COLLECT_RATE_PER_ADDRESS="")
    senders = [f"93.184.216.{n}" for n in range(1, 5)]

    assert [202, 202, 202, 429] == [send(client, sender, forged=forged) for sender in senders]


def test_addresses_that_are_not_public_are_a_proxys_and_not_bounded(make):
    client = make(COLLECT_RATE_PER_ADDRESS="1/minute")

    assert {202} == {send(client, PROXY) for _ in range(5)}


def test_the_answer_says_when_to_come_again_and_then_it_may(make, monkeypatch):
    client = make(COLLECT_RATE_PER_ADDRESS="1/minute")
    send(client, STRANGER)
    refused = client.post(f"/minicode/collect/v1/{KEY}", json={"events": []}, environ_base={"REMOTE_ADDR": STRANGER})

    assert (429, "40", {"error": "too_fast"}) == (refused.status_code, refused.headers["Retry-After"], refused.json)
    monkeypatch.setattr(collect, "now", lambda: THEN + dt.timedelta(seconds=40))
    assert 202 == send(client, STRANGER)


@pytest.mark.parametrize(
    "given, counted",
    [
        (STRANGER, STRANGER),
        (f"::ffff:{STRANGER}", STRANGER),
        ("2606:2800:220:1:248:1893:25c8:1946", "2606:2800:220:1::/64"),
        ("2606:2800:220:1::1", "2606:2800:220:1::/64"),
        *((text, None) for text in ("127.0.0.1", "10.1.2.3", "192.168.0.1", "::1", "fe80::1%eth0", "unix:", "", None)),
    ],
)
def test_what_is_counted_of_an_address(given, counted):
    assert counted == bounded_address(given)


# ------------------------------------------------------------------------------------------------------- the counting


@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_an_hour_locks_nobody_out(jump):
    rate = RateLimit("2/minute")
    for _ in range(2):
        rate.check("a", THEN)
    for _ in range(2):
        rate.check("a", THEN + jump)
    with pytest.raises(CollectRejected) as refused:
        rate.check("a", THEN + jump)

    assert 0 < refused.value.retry_after_seconds <= 60


def test_the_edge_of_a_window_belongs_to_the_next_one():
    rate = RateLimit("1/minute")
    rate.check("a", THEN.replace(second=59, microsecond=999_999))
    rate.check("a", THEN.replace(minute=31, second=0))
    with pytest.raises(CollectRejected):
        rate.check("a", THEN.replace(minute=31, second=59))


def test_strangers_fill_no_memory_and_nobody_s_count_is_forgotten_for_them():
    rate = RateLimit("1/minute")
    for number in range(MOST_COUNTED - 1):
        rate.check(f"gone {number}", THEN - HOUR)
    rate.check("present", THEN)
    for number in range(10):
        rate.check(f"new {number}", THEN)
    with pytest.raises(CollectRejected):
        rate.check("present", THEN)

    assert 11 == len(rate._counts)
