"""The whole way of an authorisation in a browser, in both languages: our page, WeChat's, back, and a code."""

from __future__ import annotations

import re
import threading
from dataclasses import replace

import pytest
from sqlalchemy import select
from werkzeug.serving import make_server

from fab_minicode.models import Authorizer, Code
from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from fab_minicode.sandbox.platform import push_ticket
from tests import databases, hosts, third_party
from tests.browser import conftest as hot
from tests.browser.conftest import NARROW, Site, expect
from tests.pages import AUTHORIZERS, CODES


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A host that is a third-party platform on a free port; WeChat pushes to it over HTTP."""
    folder = tmp_path_factory.mktemp("platform")
    with Sandbox(SAMPLE_APPS, platform=replace(third_party.PLATFORM)) as sandbox:
        server = make_server("127.0.0.1", 0, None, threaded=True, request_handler=hot._Silent)
        url = f"http://127.0.0.1:{server.server_port}"
        app = third_party.make_platform_host("sqlite", folder, sandbox, FAB_MINICODE_PUBLIC_URL=url)
        hot._guard(app)
        server.app = app
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        sandbox.platform.app.events_url = f"{url}{third_party.EVENTS}"

        assert 200 == push_ticket(sandbox.platform)
        yield Site(url, app, sandbox, leads_to=(sandbox.url,))
        server.shutdown()
        server.server_close()
        thread.join()
        third_party.settle(app)
        hosts.close(app)


WORDS = {
    "en": ("Go to WeChat's authorisation", "Authorised", "is connected. Codes can be made now.", "Make the code"),
    "zh": ("前往微信授权", "已授权", "接入成功", "生成小程序码"),
}


def one_of(site, appid):
    with hosts.database(site.app) as session:
        return session.execute(
            select(Authorizer.status, Authorizer.credential).where(Authorizer.appid == appid)
        ).first()


@pytest.mark.parametrize(
    "language, order, program",
    [
        ("en", "push_first", SAMPLE_APPS[0]),
        ("zh", "return_first", SAMPLE_APPS[1]),
        ("zh", "push_twice", SAMPLE_APPS[2]),
    ],
    ids=["en", "zh", "zh twice"],
)
def test_scan_come_back_and_make_a_code(site, visit, language, order, program):
    go, badge, done, make = WORDS[language]
    site.sandbox.platform.app.order = order
    page = visit("manager", language=language)
    page.goto(f"{AUTHORIZERS}/connect")
    page.get_by_role("link", name=go).click()

    expect(page).to_have_url(re.compile("componentloginpage"))
    page.locator(f"input[name=appid][value={program.appid}]").check()
    page.get_by_role("button").click()

    expect(page).to_have_url(re.compile(rf"{re.escape(site.url)}{AUTHORIZERS}/show/\d+$"))
    expect(page.locator(".minicode")).to_contain_text(done)
    expect(page.locator(".mc-head .mc-badge")).to_have_text(badge)
    assert ("authorized", "component") == tuple(one_of(site, program.appid))

    page.goto(f"{CODES}/add?appid={program.appid}")
    for name, value in (
        ("name", f"made in {language}"),
        ("landing_page", "pages/index/index"),
        ("utm_source", "poster"),
    ):
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name=make).click()
    expect(page).to_have_url(re.compile(f"{CODES}/show/"))
    with hosts.database(site.app) as session:
        code = session.execute(
            select(Code).join(Authorizer).where(Authorizer.appid == program.appid, Code.name == f"made in {language}")
        ).scalar_one()
        assert "ready" == code.state
    asked = site.sandbox.asked("/wxa/getwxacode")[-1]
    assert site.sandbox.world.clocks.issued[asked.query["access_token"]].is_granted


@pytest.mark.parametrize("language", ["en", "zh"])
def test_what_was_typed_is_there_again(site, visit, language):
    program = SAMPLE_APPS[0]
    site.sandbox.platform.app.order = "push_first"
    page = visit("manager", language=language)
    page.goto(f"{AUTHORIZERS}/connect")
    page.get_by_role("link", name=WORDS[language][0]).click()
    page.locator(f"input[name=appid][value={program.appid}]").check()
    page.get_by_role("button").click()
    expect(page.locator(".mc-head .mc-badge")).to_have_text(WORDS[language][1])
    site.sandbox.clock.advance(2)
    assert 200 == site.sandbox.world.unauthorize(program.appid)

    page.goto(f"{CODES}/add?appid={program.appid}")
    page.locator("[name=name]").fill(f"海报 {language}")
    page.locator("[name=landing_page]").fill("pages/index/index?a=1")
    page.locator("[name=utm_source]").fill("电梯")
    page.locator("button[formaction]").click()
    page.get_by_role("link", name=WORDS[language][0]).click()
    page.get_by_role("button").click()

    expect(page.locator("[name=name]")).to_have_value(f"海报 {language}")
    expect(page.locator("[name=landing_page]")).to_have_value("pages/index/index?a=1")
    expect(page.locator("[name=utm_source]")).to_have_value("电梯")
    page.get_by_role("button", name=WORDS[language][3]).click()
    expect(page).to_have_url(re.compile(f"{CODES}/show/"))
    site.sandbox.clock.advance(2)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_fits_a_phone(site, visit, language):
    page = visit("manager", language=language, size=NARROW)
    page.goto(f"{AUTHORIZERS}/connect")

    expect(page.get_by_role("link", name=WORDS[language][0])).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


@pytest.mark.parametrize("background", ["", "#111318"], ids=["light", "dark"])
def test_the_pages_can_be_used_by_everybody(site, visit, background):
    try:
        from axe_playwright_python import sync_playwright as axe
    except ImportError:
        databases.missing("axe", "install the extra [test]")
    page = visit("manager", reduced_motion="reduce")
    with hosts.database(site.app) as session:
        pk = session.execute(select(Authorizer.id)).scalars().first()

    for address in ("connect", "list/", f"show/{pk}", f"rotate_key/{pk}", f"revoke/{pk}"):
        page.goto(f"{AUTHORIZERS}/{address}")
        if background:
            page.evaluate("colour => { document.body.style.backgroundColor = colour; }", background)
            expect(page.locator(".minicode")).to_have_attribute("data-mc-theme", "dark")
        for fold in page.locator("details").all():
            fold.evaluate("one => { one.open = true; }")
        found = axe.Axe().run(page, context=".minicode")

        assert [] == [
            f"{address} {rule['id']}: {rule['nodes'][0]['html'][:200]}" for rule in found.response["violations"]
        ]
