"""The demo as a newcomer starts it: a process of its own, a free port, a small seed; then a second time."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from fab_minicode.demo.keep import QUESTIONS, SEGMENT, board_name
from fab_minicode.demo.seed import USERS
from fab_minicode.demo.story import MINI_PROGRAMS, PRINTS

READY_SECONDS = 120
AUTHORIZED = [program for program in MINI_PROGRAMS if program.authorized]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Demo:
    """A running ``python -m fab_minicode.demo`` and what it has printed."""

    def __init__(self, folder, log):
        self.port, self.log = free_port(), log
        environment = os.environ | {
            "PORT": str(self.port),
            "DEMO_DIR": str(folder),
            "DEMO_VISITS": "12",
            "PYTHONUNBUFFERED": "1",
        }
        started = time.monotonic()
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fab_minicode.demo"], env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        while "Ctrl-C" not in self.printed():
            assert self.process.poll() is None, self.printed()
            assert time.monotonic() - started < READY_SECONDS, self.printed()
            time.sleep(0.1)
        self.seconds_to_ready = time.monotonic() - started

    def printed(self):
        return self.log.read_text()

    def stop(self):
        """Press Ctrl-C."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(20)

    def token(self, name):
        body = {"username": name, "password": name, "provider": "db"}
        return self.call("/api/v1/security/login", body)["access_token"]

    def call(self, path, body=None, token=None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def log_in(self, name):
        """Return somebody's browser, and what the log-in page answered."""
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        browser = urllib.request.build_opener(cookies)
        page = self.read(browser, "/")
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
        form = f"csrf_token={token}&username={name}&password={name}".encode()
        return browser, browser.open(f"http://127.0.0.1:{self.port}/login/", form, timeout=30)

    def read(self, browser, path):
        """Return a page's HTML."""
        return browser.open(f"http://127.0.0.1:{self.port}{path}", timeout=30).read().decode()


@contextlib.contextmanager
def running(folder, log):
    demo = Demo(folder, log)
    try:
        yield demo
    finally:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


def shown_codes(demo, token):
    """``{appid: count}`` of codes that are not deleted."""
    appids = [program.appid for program in MINI_PROGRAMS]
    return {appid: demo.call(f"/api/v1/minicode/codes/?appid={appid}", token=token)["count"] for appid in appids}


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    with running(folder, folder / "first.log") as demo:
        yield demo


def test_it_prints_its_address_and_its_users(demo):
    text = demo.printed()

    assert f"http://127.0.0.1:{demo.port}" in text
    assert all(f"{name}/{name}" in text for name, *_ in USERS)
    assert not re.search(r"warning|traceback|error", text, re.IGNORECASE)


def test_it_shows_three_mini_programs_two_of_them_authorised(demo):
    answer = demo.call("/api/v1/minicode/authorizers/", token=demo.token("viewer"))

    assert 3 == answer["count"]
    assert ["authorized", "authorized", "not_authorized"] == sorted(row["status"] for row in answer["result"])


def test_it_shows_the_codes_of_the_story_without_the_deleted_ones(demo):
    live = {appid: sum(not row.deleted for row in rows) for appid, rows in PRINTS.items()}

    counts = shown_codes(demo, demo.token("viewer"))

    assert sum(live.values()) >= 40
    assert live | {MINI_PROGRAMS[2].appid: 0} == counts


@pytest.mark.parametrize("program", [program for program in MINI_PROGRAMS if program.share], ids=lambda one: one.appid)
def test_the_weeks_before_are_in_the_numbers(demo, program):
    token = demo.token("viewer")
    question = {
        "appid": program.appid,
        "metrics": ["users", "visits", {"event": "order_paid", "as": "times"}],
        "dimensions": [],
        "window": {"last_days": 30},
        "granularity": "day",
    }

    answer = demo.call("/api/v1/minicode/analysis/query", question, token)
    headline = demo.call(f"/api/v1/minicode/analysis/headline?appid={program.appid}", token=token)

    assert 30 == len([row for row in answer["rows"] if row["visits"]])
    assert answer["totals"]["order_paid.times"] > 0
    assert headline["value"] > 0
    assert headline["previous"] > 0


def kept(demo, token):
    """What is saved, as a reader sees it over REST: names of questions and segments by AppID."""
    asked = demo.call("/api/v1/minicode/questions/?page_size=100", token=token)["result"]
    segments = {
        program.appid: demo.call(f"/api/v1/minicode/segments/?appid={program.appid}", token=token)["result"]
        for program in AUTHORIZED
    }
    return (
        sorted((row["appid"], row["name"]) for row in asked),
        {appid: [row["name"] for row in rows] for appid, rows in segments.items()},
    )


def test_readers_find_questions_segments_and_boards_that_have_answers(demo):
    token, browser = demo.token("viewer"), demo.log_in("viewer")[0]
    names = sorted((program.appid, one.name) for program in AUTHORIZED for one in QUESTIONS)

    assert (names, {program.appid: [SEGMENT] for program in AUTHORIZED}) == kept(demo, token)
    for row in demo.call("/api/v1/minicode/questions/?page_size=100", token=token)["result"]:
        answer = demo.call(f"/api/v1/minicode/questions/{row['id']}/answer", token=token)
        assert re.search(r"[1-9]", json.dumps(answer["totals"])), row["name"]
    boards = demo.read(browser, "/minicode/boards/")
    for program in AUTHORIZED:
        assert 1 == boards.count(board_name(program))


@pytest.mark.parametrize("name", [name for name, *_ in USERS])
def test_each_user_logs_in_and_lands_on_the_codes(demo, name):
    answer = demo.log_in(name)[1]

    assert 200 == answer.status
    assert answer.url.endswith("/minicode/codes/list/") or "/minicode/codes/list/?" in answer.url


def test_a_second_start_takes_seconds_and_keeps_the_data(tmp_path):
    with running(tmp_path / "data", tmp_path / "first.log") as first:
        before = shown_codes(first, first.token("viewer")), kept(first, first.token("viewer"))
        ended = first.stop()
        first_seconds = first.seconds_to_ready
    with running(tmp_path / "data", tmp_path / "second.log") as second:
        after = shown_codes(second, second.token("viewer")), kept(second, second.token("viewer"))

        assert 0 == ended
        assert before == after
        assert second.seconds_to_ready < max(10, first_seconds)
