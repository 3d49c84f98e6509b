"""The SQL that counts an answer again, in a browser: opened, loaded again where it failed, copied as the link is."""

from __future__ import annotations

import re

import pytest

from fab_minicode.sandbox import SAMPLE_APPS
from tests.browser.analysis import PAGE, month, opened  # noqa: F401 - month is a fixture
from tests.browser.conftest import expect


def test_the_sql_that_counts_again_is_one_press_away(visit):
    page = opened(visit, query="&where=utm_source:set")

    page.locator("#mca-recount > summary").press("Enter")

    expect(page.locator("#mca-recount pre")).to_contain_text("SELECT COUNT(DISTINCT")
    expect(page.locator("#mca-trust")).to_contain_text(re.compile(r"events up to .*\d:\d\d:\d\d.* are counted"))


@pytest.mark.parametrize("kind", ["", "funnel/"])
def test_sql_that_could_not_be_loaded_is_said_in_the_fold_and_asked_for_again(visit, kind):
    page = visit("viewer", language="zh")
    page.goto(f"{PAGE}{kind}?appid={SAMPLE_APPS[0].appid}" + ("&step=visit&step=event:order_paid" if kind else ""))
    expect(page.locator("#mca-root.is-live")).to_have_count(1)
    fold, failure = page.locator("#mca-recount"), page.locator("#mca-recount [role=alert]")
    page.evaluate(
        """() => {
            const ask = window.fetch;
            const refused = () => Promise.resolve(new Response("", { status: 503 }));
            const answers = [refused, () => Promise.reject(new TypeError("offline"))];
            window.fetch = (...asked) => (answers.length ? answers.shift()() : ask(...asked));
        }"""
    )

    fold.locator("> summary").press("Enter")
    expect(failure).to_contain_text("SQL 加载失败。")
    failure.get_by_role("button", name="重试").click()
    page.wait_for_timeout(200)
    expect(failure).to_be_visible()
    failure.get_by_role("button", name="重试").click()

    expect(fold.locator("pre").first).to_contain_text("SELECT")
    expect(failure).to_be_hidden()


ADDRESS = "new URL(document.getElementById('mca-root').dataset.url, location).href"
WITHOUT_CLIPBOARD = """
    window.clipboardOfTheTest = navigator.clipboard;
    Object.defineProperty(navigator, "clipboard", { value: undefined });
    Object.defineProperty(window, "isSecureContext", { value: false });
"""


@pytest.mark.parametrize("scheme", ["https", "http"])
def test_link_and_sql_are_copied_with_and_without_https(visit, scheme):
    page = visit("viewer", permissions=["clipboard-read", "clipboard-write"])
    # 127.0.0.1 counts as HTTPS.
    page.add_init_script(WITHOUT_CLIPBOARD if scheme == "http" else "window.clipboardOfTheTest = navigator.clipboard;")
    page.goto(f"{PAGE}?appid={SAMPLE_APPS[0].appid}&by=utm_source")
    share, copy = page.locator("#mca-copy-link"), page.locator("#mca-recount [data-mca-copy]").first
    copied = "window.clipboardOfTheTest.readText()"

    share.click()
    expect(share).to_have_text("Link copied")
    share.click()
    expect(page.locator("#mca-live")).to_have_text("Link copied")
    expect(share).to_be_focused()
    assert page.evaluate(ADDRESS) == page.evaluate(copied)
    expect(share).to_have_text("Copy link")

    page.locator("#mca-recount > summary").click()
    copy.click()
    expect(copy).to_have_text("Copied")
    assert page.locator("#mca-recount pre").first.text_content() == page.evaluate(copied)
    expect(copy).to_have_text("Copy")
