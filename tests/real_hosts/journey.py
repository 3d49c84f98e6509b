"""The whole job of a person in a host's pages, step by step, and the pictures that the documentation shows."""

from __future__ import annotations

import datetime as dt
import getpass
import io
import json
import os
import pathlib
import re
import time
import urllib.request
import uuid
from typing import Any
from zoneinfo import ZoneInfo

from PIL import Image

from fab_minicode.sandbox import SAMPLE_APPS, App
from tests.browser.conftest import NARROW, WIDE, expect
from tests.real_hosts.running import ROOT, Site

APP = SAMPLE_APPS[0]
PEOPLE = (
    "Admin",
    "Op",
    "User",
    "Public",
    "Viewer",
    "Creator",
    "Manager",
    "Minicode",
    "admin",
    "Test",
    getpass.getuser(),
)
EXAMPLES = (
    "pages/lists/lists?listID=123", "pages/lists/lists", "pages/index/index", "wx0123456789abcdef", "Weixin", "weixin",
    "None yet", "of-creator", "of-manager", "by a program", "leaflet", "api",
)  # fmt: skip
"""Words of our own that are no faults: examples, and what a code without visits has for its first one."""

WITHIN_SECONDS = 60  # the hosts are large, and the machine may be busy
WORDS = {
    "en": {
        "connect": "Connect", "make": "Make the code", "new": "New code", "rename": "Rename", "delete": "Delete",
        "headline": "Users acquired by ads, last 7 days", "category": "Mini program codes", "codes": "Codes",
    },
    "zh": {
        "connect": "接入", "make": "生成小程序码", "new": "新建", "rename": "重命名", "delete": "删除",
        "headline": "过去7天广告获客量", "category": "小程序码", "codes": "小程序码管理",
    },
}  # fmt: skip


def picture(page: Any, name: str) -> None:
    """Keep what a page looks like: in ``SHOTS``, which ``make hosts SHOTS=docs/hosts`` names, else out of git."""
    folder = ROOT / pathlib.Path(os.environ.get("SHOTS") or "test-results/hosts")
    folder.mkdir(parents=True, exist_ok=True)
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        shot.convert("RGB").quantize(128).save(folder / f"{name}.png", optimize=True)


def pictures(page: Any, name: str) -> None:
    """Keep a page wide and narrow; it never needs sideways scrolling."""
    for size, word in ((NARROW, "narrow"), (WIDE, "wide")):
        page.set_viewport_size(size)
        page.wait_for_timeout(700)  # charts move into their new size
        picture(page, f"{name}-{word}")

        assert page.evaluate("document.querySelector('.minicode').scrollWidth") <= size["width"]


def connect(page: Any, site: Site, app: App, language: str) -> str:
    """Authorise a mini program by AppID and AppSecret; returns its collect key, as its page shows it."""
    page.goto(f"{site.url}/minicode/authorizers/connect")
    for field, value in {"appid": app.appid, "secret": app.secret, "nick_name": app.nick_name}.items():
        page.locator(f".minicode [name={field}]").fill(value)
    page.get_by_role("button", name=WORDS[language]["connect"]).click()
    expect(page.locator("h1")).to_contain_text(app.nick_name)
    found = re.search(r"/minicode/collect/v1/([\w-]+)", page.content())

    assert found
    assert f"{site.url}/minicode/collect/v1/" in page.content()
    return found[1]


def make_code(page: Any, site: Site, name: str, source: str, language: str) -> tuple[str, Any]:
    """Fill in the form as a person does and download what comes of it; returns the code's id and the file."""
    page.goto(f"{site.url}/minicode/codes/list/?appid={APP.appid}")
    page.get_by_role("link", name=re.compile(WORDS[language]["new"])).first.click()
    for field, value in {"name": name, "landing_page": "pages/index/index", "utm_source": source}.items():
        page.locator(f".minicode [name={field}]").fill(value)
    page.locator("[name=kind][value=wxacode]").check()
    page.get_by_role("button", name=WORDS[language]["make"]).click()
    expect(page.locator("h1")).to_have_text(name)
    with page.expect_download() as download:
        page.locator("a[download]").first.click()
    return re.search(r"/show/(\d+)", page.url)[1], download.value


def rename(page: Any, name: str, language: str) -> None:
    """Rename the code whose page is open."""
    page.get_by_role("link", name=WORDS[language]["rename"]).click()
    page.locator(".minicode [name=name]").fill(name)
    page.locator(".minicode form [type=submit]").click()
    expect(page.locator("h1")).to_have_text(name)


def delete(page: Any, language: str) -> None:
    """Delete the code whose page is open, by way of the dialog."""
    page.locator("[data-mc-delete]").first.click()
    page.get_by_role("dialog").get_by_role("button", name=WORDS[language]["delete"]).click()
    expect(page.get_by_role("status").first).to_be_visible()

    assert "/list/" in page.url


def scan(site: Site, key: str, source: str, visitors: int) -> None:
    """So many phones open the mini program with a code, yesterday at noon, and their tracker says so over HTTP."""
    noon = dt.datetime.now(ZoneInfo("Asia/Shanghai")).replace(hour=12, minute=0) - dt.timedelta(days=1)
    events = [
        {
            "id": str(uuid.uuid4()),
            "type": "visit",
            "visitor": str(uuid.uuid4()),
            "time_ms": int(noon.timestamp() * 1000),
            "path": "pages/index/index",
            "query": f"utm_source={source}",
            "scene": "1047",
        }
        for _ in range(visitors)
    ]
    request = urllib.request.Request(
        f"{site.url}/minicode/collect/v1/{key}",
        json.dumps({"events": events}).encode(),
        {"Content-Type": "application/json", "Referer": f"https://servicewechat.com/{APP.appid}/7/page-frame.html"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert 202 == answer.status
        assert {"accepted": visitors, "duplicate": 0, "rejected": []} == json.load(answer)


def headline(page: Any, site: Site) -> int:
    """Open the list of codes and read its number: users acquired in the last 7 days."""
    page.goto(f"{site.url}/minicode/codes/list/?appid={APP.appid}")
    return int(page.locator("a.mca-card strong").text_content())


def wait_for_headline(page: Any, site: Site, number: int) -> None:
    """Reload the list until the roll-up thread has counted."""
    end, found = time.monotonic() + WITHIN_SECONDS, headline(page, site)
    while found != number and time.monotonic() < end:
        time.sleep(0.5)
        found = headline(page, site)

    assert number == found


def analyse(page: Any, site: Site, source: str, users: int, language: str) -> None:
    """Follow the headline to its analysis, then ask by source: the chart is drawn, the table says the number."""
    expect(page.locator("a.mca-card")).to_contain_text(WORDS[language]["headline"])
    page.locator("a.mca-card").click()
    expect(page.locator("#mca-chart canvas, #mca-chart svg").first).to_be_visible()
    page.goto(f"{site.url}/minicode/analysis/?appid={APP.appid}&by=utm_source&granularity=total&limit=100")
    row = page.locator(".mca-table tbody tr", has=page.get_by_role("rowheader", name=source))
    expect(row.locator("td.mca-figure").last).to_have_text(str(users))
    expect(page.locator("#mca-chart canvas, #mca-chart svg").first).to_be_visible()


def things(page: Any, site: Site) -> dict[str, str]:
    """Return the ids of the first code and of its mini program, as their pages' addresses have them."""
    found = {}
    for thing, place in (("code", f"codes/list/?appid={APP.appid}"), ("program", "authorizers/list/")):
        page.goto(f"{site.url}/minicode/{place}")
        address = page.locator(".minicode a[href*='/show/']").first.get_attribute("href")
        found[thing] = address.rpartition("/")[2]
    return found


def names(page: Any, site: Site) -> list[str]:
    """Return what people called their codes and themselves, longest first."""
    page.goto(f"{site.url}/minicode/codes/list/?appid={APP.appid}")
    said = page.locator(".mc-cell-name a, .mc-person, td[data-label] > span").all_inner_texts()
    words = [*said, *(word for one in said for word in one.split(" · "))]
    page.goto(f"{site.url}/minicode/authorizers/list/")
    page.locator(".minicode a[href*='/show/']").first.click()
    page.locator(".minicode a[href*='/roles/']").first.click()
    roles = page.locator(".minicode label").all_inner_texts()
    made = [f"{one}-{language}" for one in ("gate", "north-gate", "mistake", "poster") for language in WORDS]
    every = (*words, *roles, *made, *PEOPLE, *EXAMPLES)
    return sorted({one.strip() for one in every} - {""}, key=len, reverse=True)


def whole_job(page: Any, site: Site, key: str, host: str, language: str) -> None:
    """Make, download, rename, collect, headline, analysis, delete; with a picture of each page."""
    source = f"poster-{language}"
    kept, file = make_code(page, site, f"gate-{language}", source, language)
    rename(page, f"north-gate-{language}", language)
    before = headline(page, site)
    scan(site, key, source, 3)
    wait_for_headline(page, site, before + 3)
    pictures(page, f"{host}-codes-{language}")
    analyse(page, site, source, 3, language)
    pictures(page, f"{host}-analysis-{language}")
    make_code(page, site, f"mistake-{language}", source, language)
    delete(page, language)
    # A change without the session's CSRF token: some hosts say 400, some lead to the login page.
    page.request.post(f"{site.url}/minicode/codes/delete/{kept}", max_redirects=0)

    assert file.suggested_filename.startswith(f"gate-{language}")
    assert pathlib.Path(file.path()).read_bytes()[:3] in {b"\xff\xd8\xff", b"\x89PN"}
    page.goto(f"{site.url}/minicode/codes/list/?appid={APP.appid}")
    expect(page.get_by_role("link", name=f"north-gate-{language}").first).to_be_visible()
    expect(page.get_by_role("link", name=f"mistake-{language}")).to_have_count(0)
