"""Every page of ours inside a real host's layout: wide and narrow, English and Chinese, with something on each."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import NARROW, WIDE
from tests.browser.walk import faults_of
from tests.real_hosts.journey import APP
from tests.real_hosts.running import Site

LOOKS = (("en", WIDE), ("zh", NARROW), ("en", NARROW), ("zh", WIDE))
NAMES = tuple(f"{language}-{size['width']}" for language, size in LOOKS)
PAGES = (
    "codes/list/?appid={appid}", "codes/add?appid={appid}", "codes/show/{code}", "codes/edit/{code}",
    "codes/ask_delete/{code}", "codes/ghosts/?appid={appid}", "authorizers/list/", "authorizers/connect",
    "authorizers/show/{program}", "authorizers/roles/{program}", "authorizers/rotate_key/{program}",
    "authorizers/revoke/{program}", "authorizers/hand_over", "audit/list/", "boards/",
    "analysis/?appid={appid}", "analysis/?appid={appid}&by=utm_source&metric=users&metric=visits&granularity=total",
    "analysis/funnel/?appid={appid}&step=visit&step=visit&within=7", "analysis/retention/?appid={appid}",
    "analysis/segments/?appid={appid}", "analysis/segments/add?appid={appid}", "analysis/saved/",
    "analysis/vocabulary?appid={appid}", "analysis/visitors?appid={appid}&metric=users",
)  # fmt: skip
"""Below ``/minicode/``; what a person's own things need beside (a question, a board) the tests of plain hosts walk."""


def faults(
    page: Any, site: Site, language: str, things: dict[str, str], names: list[str], *, with_axe: bool
) -> list[str]:
    """
    Return what is wrong with our pages in this host.

    Args:
        page: Of an administrator, in this language and of the size to look at.
        site: The host.
        language: ``en`` or ``zh``.
        things: What stands in the braces of :data:`PAGES`.
        names: What people called their things; may be of any language.
        with_axe: Whether axe looks at our section, too.
    """
    wrong = []
    for place in PAGES:
        page.goto(f"{site.url}/minicode/{place.format(appid=APP.appid, **things)}")
        page.locator(".minicode h1").wait_for()
        wrong += [f"{place}: {fault}" for fault in faults_of(page, language, names)]
        if with_axe:
            found = Axe().run(page, context=".minicode")
            wrong += [f"{place}: {found.generate_report()}"] if found.violations_count else []
    return wrong
