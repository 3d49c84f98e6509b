"""
A walk through every page of the add-on, with something on each: light and dark, wide and narrow, English and Chinese,
under a strict content security policy and under Superset's.

On each page: nothing that the policy forbids, no error in the console, no request to another machine, nothing that axe
finds in our section, nothing wider than the window or cut off, no column name, no word of a program, and on a Chinese
page no English (:mod:`tests.browser.walk`).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import NamedTuple

import pytest
from axe_playwright_python.sync_playwright import Axe
from sqlalchemy import select

from fab_minicode.models import Authorizer, Code
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.browser.conftest import NARROW, WIDE
from tests.browser.walk import faults_of, places
from tests.people import WANG, World
from tests.traffic import Visit, bring

DARK = "slate.css"
"""The dark theme of Flask-AppBuilder that fetches no font from another machine."""

SHOP, BARE = SAMPLE_APPS[0], SAMPLE_APPS[1]
NAMES = (
    *("shop=ours", "pages/ours", "pages/index/index", "pages/lists/lists?listID=123", "pages/lists/lists"),
    *("Somebody", WANG.name, "Manager Test", "Admin", "Public", "Nothing", "Menus only", "wx0123456789abcdef", "Users"),
    *("order_paid", "paper", "print", "poster", "autumn", "weixin", "Weixin"),
)
SOURCES = ("海报", "weixin", "Weixin", "朋友圈", "线下活动")


AXE = {
    "resultTypes": ["violations"],
    "rules": {rule: {"enabled": True} for rule in ("target-size", "label-content-name-mismatch")},
}
"""What axe asks of a page by itself, and two rules of WCAG that it leaves to who wants them."""

UNFOLD = """() => {
    for (const one of document.querySelectorAll(".minicode details:not(.mc-switcher, .mcs-more)")) one.open = true;
}"""


@pytest.fixture(scope="module")
def world(site):
    """Two teams' things, and five weeks of visits, orders and strange scenes."""
    world = World(site.app)
    with hosts.database(site.app) as session:
        row = session.execute(select(Authorizer.id).where(Authorizer.appid == SHOP.appid)).scalar_one()
        key = session.execute(select(Code.short_key).where(Code.id == int(world.own["code"]))).scalar_one()
    visits = []
    for day in range(1, 36):
        for n in range(10):
            who, source = f"{n}-{day // 3}", SOURCES[n % len(SOURCES)]
            visits.append(
                Visit(who, day, source if n % 4 else "", "秋季" if n % 2 else "", key=key if n == 3 else None)
            )
            if n % 3 == 0:
                visits.append(Visit(who, day, event="order_paid"))
    now, settings = dt.datetime.now(dt.timezone.utc), site.app.extensions[EXTENSION].settings
    bring(hosts.engine_of(site.app), visits, authorizer_id=row, settings=settings, now=now)
    return world


class Walk(NamedTuple):
    """Where it leads, and what people called their things, longest first: no words of ours."""

    places: list[str]
    names: list[str]


@pytest.fixture(scope="module")
def walk(world):
    people = world.client("manager").get(f"/minicode/analysis/visitors?appid={SHOP.appid}").get_data(as_text=True)
    visitor = re.search(r"/visitors/([0-9a-z]{4}(?:-[0-9a-z]{4}){2})", people)

    assert visitor is not None
    found = places(world, {**world.own, "bare": BARE.appid, "visitor": visitor[1]})
    things = ("code", "question", "board", "segment", "raw", "target", "source")
    names = [f"{thing} {name}" for thing in things for name in ("ours", "1")]
    names += [f"Minicode {role}" for role in ("Manager", "Creator", "Viewer")]
    names += [name for program in SAMPLE_APPS for name in (program.nick_name, program.appid)]
    return Walk(found, sorted([*names, *NAMES, visitor[1]], key=len, reverse=True))


class Look(NamedTuple):
    """One way to see the pages; axe, which takes the most time, need not see all of them."""

    name: str
    language: str
    size: dict[str, int]
    theme: str = ""
    policy: str = "superset"
    with_axe: bool = False


LOOKS = (
    Look("en-1280-light-strict", "en", WIDE, policy="strict", with_axe=True),
    Look("zh-390-dark-superset", "zh", NARROW, DARK, with_axe=True),
    Look("en-390-light-superset", "en", NARROW),
    Look("zh-1280-dark-strict", "zh", WIDE, DARK, "strict"),
)


@pytest.mark.parametrize("look", LOOKS, ids=[look.name for look in LOOKS])
def test_every_page_is_sound(visit, site, walk, monkeypatch, look):
    monkeypatch.setitem(site.app.config, "APP_THEME", look.theme)
    monkeypatch.setitem(site.app.config, "POLICY", look.policy)
    page = visit("manager", language=look.language, size=look.size)
    wrong = []
    for place in walk.places:
        page.goto(place)
        page.evaluate(UNFOLD)
        wrong += [f"{place}: {fault}" for fault in faults_of(page, look.language, walk.names)]
        if look.with_axe:
            found = Axe().run(page, context=".minicode", options=AXE)
            wrong += [f"{place}: {found.generate_report()}"] if found.violations_count else []

    assert [] == wrong, "\n".join(wrong)
