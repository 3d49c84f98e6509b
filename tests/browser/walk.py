"""
Where the walk through every page leads (:func:`places`), and what a page of ours must not show (:func:`faults_of`).

The places come from :data:`tests.routes.ROUTES`, which ``test_permissions`` holds against the application's
``url_map``: a new page is walked as soon as it has its row there. :data:`RICHER` adds addresses that show more of a
page than its row does.
"""

from __future__ import annotations

import pathlib
import re
from itertools import pairwise
from typing import Any

from tests.people import World, filled
from tests.routes import FREE, MACHINES, ROUTES, Route

ANALYSIS = "/minicode/analysis"
RICHER: dict[str, tuple[str, ...]] = {
    "/minicode/codes/list/": ("/minicode/codes/list/?appid={appid}&kind=wxacode", "/minicode/codes/list/?appid={bare}"),
    "/minicode/codes/ghosts/": ("/minicode/codes/ghosts/?appid={bare}",),
    "/minicode/analysis/": (
        "/minicode/analysis/?appid={appid}&by=utm_source&metric=users&metric=order_paid.users&chart=column"
        "&segment=all&segment=new",
        "/minicode/analysis/?appid={appid}&by=scene&metric=users&metric=visits&beside=1",
        "/minicode/analysis/?appid={bare}",
    ),
    "/minicode/analysis/funnel/": (
        "/minicode/analysis/funnel/?appid={appid}&form=1&step=visit&step=event:order_paid&within=7&split=utm_source",
    ),
    "/minicode/analysis/retention/": (
        "/minicode/analysis/retention/?appid={appid}&form=1&days=30&split=utm_source",
        "/minicode/analysis/retention/?appid={bare}",
    ),
    "/minicode/analysis/visitors": (
        "/minicode/analysis/visitors?appid={bare}",
        "/minicode/analysis/visitors?appid={appid}&kind=funnel&step=visit&step=event:order_paid&lost=1",
        "/minicode/analysis/visitors?appid={appid}&kind=retention&start=visit&back=1",
    ),
    "/minicode/analysis/visitors/<pseudonym>": ("/minicode/analysis/visitors/{visitor}?appid={appid}",),
    "/minicode/analysis/vocabulary": ("/minicode/analysis/vocabulary?appid={bare}",),
    "/minicode/analysis/segments/": ("/minicode/analysis/segments/?appid={bare}",),
    "/minicode/audit/list/": ("/minicode/audit/list/", "/minicode/audit/list/?who=nobody-of-this-name"),
    "/minicode/analysis/saved/": ("/minicode/analysis/saved/?q=no-such-name",),
}
"""Route -> more addresses. ``{bare}`` is a mini program that nobody visited, ``{visitor}`` a pseudonym."""

INSTEAD = frozenset({"/minicode/analysis/visitors/<pseudonym>"})
"""Routes whose row leads to what is not there: only their richer addresses are walked."""


def places(world: World, things: dict[str, str]) -> list[str]:
    """Return the address of every page, each with something on it."""
    pages = [route for route in ROUTES if _is_page(world, route, things)]
    rules = {route.rule for route in pages}

    assert rules >= set(RICHER), "a route that is none, or no page"
    addresses = [route.address for route in pages if route.rule not in INSTEAD]
    for rule, more in RICHER.items():
        addresses[len(addresses) : len(addresses)] = more if rule in rules else ()
    return [filled(address, things) for address in addresses]


def _is_page(world: World, route: Route, things: dict[str, str]) -> bool:
    if route.method != "GET" or route.is_rest or route.statuses in (MACHINES, FREE):
        return False
    if route.rule in INSTEAD:
        return True
    answer = world.knock("manager", route, things)
    whole = answer.mimetype == "text/html" and b"<html" in answer.get_data()

    assert answer.status_code in (200, 302) or not whole, (route.rule, answer.status_code)
    return bool(answer.status_code == 200 and whole)


WORDS_OF_A_BUG = re.compile(
    r"\b(?:None|undefined|NaN|null|Infinity|\[object Object\]|lazy_gettext)\b|%\(\w+\)s|\{\w+\}"
)
COLUMN = re.compile(r"\b[a-z]+(?:_[a-z]+)+\b")
ENGLISH = re.compile(r"[A-Za-z][A-Za-z'’]+")
BRANDS = frozenset(
    """AppID AppSecret API CSV Excel GrowingIO HTTPS PNG SDK SQL URL UTM KOL Shanghai Asia
    scene request px REST FAB MINICODE PUBLIC mp weixin qq com""".split()  # noqa: SIM905 - a list of words
)
"""Words that stay as they are in Chinese: names, and what WeChat calls things."""

_LOOK = (pathlib.Path(__file__).parent / "look.js").read_text(encoding="utf-8")


def faults_of(page: Any, language: str, names: list[str]) -> list[str]:
    """
    Return what is wrong with the page that stands in the browser, in words.

    Args:
        page: Playwright's.
        language: ``en`` or ``zh``.
        names: What people called their things; may be of any language.
    """
    found = page.evaluate(_LOOK)
    texts = [_without(names, text) for text in (*found["said"], found["title"].rpartition("·")[0])]
    faults = [f"shows {hit!r} in {text!r}" for text in texts for hit in WORDS_OF_A_BUG.findall(text)]
    faults += [f"column name {hit!r} in {text!r}" for text in texts for hit in COLUMN.findall(text)]
    if language == "zh":
        faults += [
            f"English {hit!r} in {text!r}" for text in texts for hit in ENGLISH.findall(text) if hit not in BRANDS
        ]
    if found["wide"] > 0:
        faults.append(f"{found['wide']} px wider than the window")
    for what in ("outside", "cut", "tables"):
        faults += [f"{what}: {one}" for one in found[what][:3]]
    levels = found["headings"]
    if levels[:1] != [1] or levels.count(1) != 1 or any(b > a + 1 for a, b in pairwise(levels)):
        faults.append(f"headings {levels}")
    return faults


def _without(names: list[str], text: str) -> str:
    for name in names:
        text = text.replace(name, "")
    return text
