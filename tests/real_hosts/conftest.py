"""What both hosts' tests share: Chromium, and pages of people who logged in through the host's own form."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.browser.conftest import WIDE, chromium
from tests.real_hosts.running import Site

__all__ = ["chromium", "visit"]


def _session_of(chromium: Any, site: Site, user: str) -> Any:
    if user not in site.sessions:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{site.origin}{site.login}")
        page.wait_for_load_state("networkidle")  # a form that scripts have not taken over yet would be sent elsewhere
        page.locator("form input:visible").first.fill(user)
        page.locator("input[type=password]").fill(user)
        with page.expect_response(lambda answer: "POST" == answer.request.method and "/login" in answer.url):
            page.keyboard.press("Enter")
        page.wait_for_url(lambda address: "/login" not in address)
        site.sessions[user] = context.storage_state()
        context.close()
    return site.sessions[user]


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """``visit("manager")`` gives a page of somebody who is logged in; what our pages complain of fails the test."""
    contexts: list[Any] = []
    troubles: list[str] = []

    def open_page(user: str, *, language: str = "en", size: Any = None) -> Any:
        state = _session_of(chromium, site, user)
        context = chromium.new_context(storage_state=state, viewport=size or WIDE, accept_downloads=True)
        contexts.append(context)
        page = context.new_page()
        _watch(page, site, troubles)
        page.goto(f"{site.url}/lang/{language}")
        return page

    yield open_page
    for context in contexts:
        context.close()

    assert [] == troubles


def _watch(page: Any, site: Site, troubles: list[str]) -> None:
    def note(what: str, where: str = "") -> None:
        ours = "/minicode/" in urlsplit(page.url).path
        if ours and not any(piece in what + where for piece in site.noise):
            troubles.append(f"{page.url}: {what} {where}")

    def heard(message: Any) -> None:
        if message.type in {"error", "warning"}:
            note(f"console {message.type}: {message.text}", message.location.get("url", ""))

    def asked(request: Any) -> None:
        if not request.url.startswith((site.origin, "data:", "blob:")):
            note(f"request to another address: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: note(f"exception: {error}", str(error.stack)))
    page.on("request", asked)
