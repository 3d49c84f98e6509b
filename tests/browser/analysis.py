"""The analysis page as its tests open and read it: a month of visits behind it, its table, its address."""

from __future__ import annotations

import datetime as dt
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select

from fab_minicode.models import Authorizer
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.browser.conftest import expect
from tests.traffic import Visit, bring

PAGE = "/minicode/analysis/"
SOURCES = ("poster", "海报 & flyer", "moments", "partner", "a,b", "#7", "<b>bold</b>", "{a|b}")


@pytest.fixture(scope="module", autouse=True)
def month(site):
    """Thirty days of visits, fewer from each source than from the one before; today has begun."""
    hosts.connect(site.app)
    hosts.connect(site.app, SAMPLE_APPS[1])
    visits = [
        Visit(f"{source}-{day}-{number}", day, source, scene="1011" if number % 2 else "1047")
        for rank, source in enumerate(SOURCES)
        for day in range(31)
        for number in range((len(SOURCES) - rank) * (2 + day % 3))
    ]
    visits += [Visit(f"nobody-{day}", day) for day in range(31)]
    visits += [Visit(f"poster-{day}-{number}", day, event="order_paid") for day in range(31) for number in range(4)]
    now = dt.datetime.now(dt.timezone.utc)
    settings = site.app.extensions[EXTENSION].settings
    with hosts.database(site.app) as session:
        row = session.execute(select(Authorizer.id).where(Authorizer.appid == SAMPLE_APPS[0].appid)).scalar_one()
    bring(hosts.engine_of(site.app), visits, authorizer_id=row, settings=settings, now=now)


def opened(visit, user="viewer", query="", **options):
    """The page of the first mini program."""
    page = visit(user, **options)
    page.goto(f"{PAGE}?appid={SAMPLE_APPS[0].appid}{query}")
    return page


def idle(page):
    """Wait until the answer stands."""
    expect(page.locator("#mca-answer")).to_have_attribute("aria-busy", "false")


def cells(page, place):
    """The texts of one column of the table's rows, without what only screen readers hear."""
    return page.evaluate(
        """place => [...document.querySelectorAll(`#mca-table tbody tr > :nth-child(${place}) .mca-cell`)]
            .map((one) => one.firstChild.textContent.trim())""",
        place,
    )


def headline(page):
    return page.locator("#mca-headline strong").first.inner_text()


def asked(page):
    """The question in the address bar."""
    return parse_qs(urlsplit(page.url).query)


def check(page, name):
    """Press a pill, as a mouse does: on its label."""
    page.locator(f"label:has(#mca-{name})").click()
