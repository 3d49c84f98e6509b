"""
Hot tests: a whole host on a real port, Chromium in front of it, the sandbox behind it.

A host is started once per file (its tests share mini programs and codes, so each test names its own), a person logs in
once per host, and every page is watched: an error in the console, a script's exception, a broken rule of the content
security policy or a request to another address fails the test that caused it.

Where Chromium is not installed the tests are skipped with the reason, or fail with ``CI=true``.
"""

from __future__ import annotations

import os
import pathlib
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask, Response, g
from werkzeug.serving import WSGIRequestHandler, make_server

from fab_minicode.sandbox import Sandbox
from tests import databases, hosts

try:
    from playwright.sync_api import expect, sync_playwright
except ImportError:
    # Said by the fixture, which knows whether a skip is allowed.
    expect = sync_playwright = None

_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bear what werkzeug leaves to the garbage collector: a file whose reader went on to the next page."""
    here = pathlib.Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@dataclass
class Site:
    """
    A host that serves: its address, its application, its WeChat, the sessions of who logged in, and the addresses that
    its pages may lead to besides.
    """

    url: str
    app: Flask
    sandbox: Sandbox
    sessions: dict[str, Any] = field(default_factory=dict)
    leads_to: tuple[str, ...] = ()


class _Silent(WSGIRequestHandler):
    def log(self, type, message, *args):  # noqa: A002 - werkzeug's name
        """Say nothing."""


POLICIES = {
    "superset": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; "
    "style-src 'self' 'unsafe-inline'; script-src 'self' 'strict-dynamic' 'nonce-{nonce}'",
    "strict": "default-src 'none'; connect-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
    "style-src 'self'; script-src 'nonce-{nonce}'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
}
"""Content security policies: a Superset host's in production, and as little as our pages need."""


def _guard(app: Flask) -> None:
    """Answer with the content security policy that the configuration's ``POLICY`` names; Superset's, if none."""
    app.jinja_env.globals["csp_nonce"] = lambda: g.setdefault("nonce", secrets.token_urlsafe(16))
    app.add_url_rule("/favicon.ico", "favicon", lambda: Response(status=204))

    @app.after_request
    def _policy(response: Response) -> Response:
        nonce = g.setdefault("nonce", secrets.token_urlsafe(16))
        policy = POLICIES[app.config.get("POLICY", "superset")]
        response.headers["Content-Security-Policy"] = policy.format(nonce=nonce)
        return response


@contextmanager
def serving(folder: pathlib.Path, **config: Any) -> Iterator[Site]:
    """A host on a free port, with the users of ``hosts.USERS`` and a sandbox of its own; ``config`` is what differs."""
    with Sandbox() as sandbox:
        url = hosts.copy_of_template("sqlite", folder)
        app = hosts.make_host(url, FAB_MINICODE_WECHAT_API_URL=sandbox.url, **config)
        _guard(app)
        server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Silent)
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield Site(f"http://127.0.0.1:{server.server_port}", app, sandbox)
        server.shutdown()
        server.server_close()
        thread.join()
        hosts.close(app)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A host that one file's tests share."""
    with serving(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The machine's own Chromium; ``CHROMIUM`` names another one."""
    if sync_playwright is None:
        databases.missing("Playwright", "install the extra [test]")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _BROWSERS)), None)
    if path is None:
        databases.missing("Chromium", "install the package chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        yield browser
        browser.close()


def _session_of(chromium: Any, site: Site, user: str) -> Any:
    """Log in through the host's own form, once."""
    if user not in site.sessions:
        context = chromium.new_context()
        page = context.new_page()
        page.goto(f"{site.url}/login/")
        page.fill("input[name=username]", user)
        page.fill("input[name=password]", user)
        page.click("input[type=submit]")
        site.sessions[user] = context.storage_state()
        context.close()
    return site.sessions[user]


@pytest.fixture
def visit(chromium: Any, site: Site) -> Iterator[Callable[..., Any]]:
    """
    ``visit("creator")`` gives a page of somebody who is logged in; addresses are relative to the host.

    Keywords: ``language="zh"``, ``scripts=False``, ``size=NARROW``, and what Playwright's ``new_context`` takes.
    """
    contexts: list[Any] = []
    troubles: list[str] = []

    def open_page(user: str = "manager", *, language="en", scripts=True, size=None, **options: Any) -> Any:
        context = chromium.new_context(
            base_url=site.url, storage_state=_session_of(chromium, site, user), viewport=size or WIDE,
            java_script_enabled=scripts, accept_downloads=True, **options,
        )  # fmt: skip
        contexts.append(context)
        page = context.new_page()
        _watch(page, site, troubles)
        if language != "en":
            page.goto(f"/lang/{language}")
        return page

    yield open_page
    for context in contexts:
        context.close()

    assert [] == troubles


def _watch(page: Any, site: Site, troubles: list[str]) -> None:
    def heard(message: Any) -> None:
        if message.type in {"error", "warning"}:
            troubles.append(f"console {message.type}: {message.text}")

    def asked(request: Any) -> None:
        if not request.url.startswith((site.url, *site.leads_to, "data:", "blob:")):
            troubles.append(f"request to another address: {request.url}")

    page.on("console", heard)
    page.on("pageerror", lambda error: troubles.append(f"exception: {error}"))
    page.on("request", asked)
