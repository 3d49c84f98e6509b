"""Apache Superset with the add-on, under its own content security policy, CSRF protection and roles."""

from __future__ import annotations

import json
import pathlib

import pytest
from cryptography.fernet import Fernet

from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from tests.browser.conftest import expect
from tests.real_hosts import journey, walk
from tests.real_hosts.journey import APP, WORDS
from tests.real_hosts.running import Installed, Site, free_port

# The first test waits for the host's installation of its tables and for its start.
pytestmark = pytest.mark.timeout(1200)
HERE = pathlib.Path(__file__).resolve().parent
# Superset's stock layout has no icon for the browser's tab.
NOISE = ("/favicon.ico",)
LANGUAGES = ("en", "zh")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Superset as docs/hosts.md sets it up: its tables, ours, `superset init`, our roles, people, gunicorn."""
    folder, port = tmp_path_factory.mktemp("superset"), free_port()
    origin = f"http://127.0.0.1:{port}"
    with Sandbox() as sandbox:
        host = Installed(
            "superset",
            folder,
            {
                "SUPERSET_CONFIG_PATH": str(HERE / "superset_config.py"),
                "SUPERSET_HOME": str(folder),
                "FLASK_APP": "superset",
                "HOST_DATABASE": f"sqlite:///{folder}/superset.db",
                "HOST_FERNET_KEY": Fernet.generate_key().decode(),
                "HOST_ADDRESS": origin,
                "HOST_WECHAT": sandbox.url,
            },
        )
        host.run("superset", "db", "upgrade")
        assert "minicode tables: none -> 0" in host.run("superset", "minicode", "upgrade")
        host.run("superset", "init")
        assert "Minicode Manager" in host.run("superset", "minicode", "roles")
        host.run("python", str(HERE / "superset_people.py"))
        server = ("-b", f"127.0.0.1:{port}", "-w", "1", "-k", "gthread", "--threads", "8", "--timeout", "120")
        with host.serving("gunicorn", *server, "superset.app:create_app()", health=f"{origin}/health"):
            yield Site(origin, origin, sandbox.world, NOISE)


@pytest.fixture(scope="module")
def keys():
    """Collect keys by AppID, as far as somebody has connected a mini program."""
    return {}


@pytest.fixture
def key(site, visit, keys):
    """The collect key of APP, which an admin connects first."""
    if APP.appid not in keys:
        page = visit("admin")
        keys[APP.appid] = journey.connect(page, site, APP, "en")
        journey.picture(page, "superset-authorizer-en")
    return keys[APP.appid]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_job_of_an_admin(site, visit, key, language):
    journey.whole_job(visit("admin", language=language), site, key, "superset", language)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(("language", "size"), walk.LOOKS, ids=walk.NAMES)
def test_every_page_is_sound_inside_this_host(site, visit, language, size):
    journey.make_code(visit("admin"), site, f"walked in {language}, {size['width']}", "poster", "en")
    page = visit("admin", language=language, size=size)
    things = journey.things(page, site)
    names = [*(app.nick_name for app in SAMPLE_APPS), *journey.names(page, site)]

    wrong = walk.faults(page, site, language, things, names, with_axe=language == "zh")

    assert [] == wrong, "\n".join(wrong)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_menu_of_superset_leads_to_our_pages(site, visit, language):
    page = visit("admin", language=language)
    page.goto(f"{site.origin}/superset/welcome/")
    page.get_by_role("menuitem", name=WORDS[language]["category"]).first.hover()
    entry = page.get_by_role("link", name=WORDS[language]["codes"], exact=True)
    expect(entry).to_be_visible()
    page.wait_for_load_state("networkidle")
    journey.picture(page, f"superset-menu-{language}")
    entry.click()

    expect(page.locator(".minicode h1")).to_be_visible()
    assert "/minicode/codes/list/" in page.url


def test_our_pages_are_under_supersets_own_policy(site, visit):
    page = visit("admin")
    policy = page.goto(f"{site.url}/minicode/analysis/").headers["content-security-policy"]

    assert "'strict-dynamic'" in policy
    assert "'nonce-" in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("user", ["alpha", "gamma"])
def test_supersets_own_roles_get_nothing_of_ours(site, visit, user):
    page = visit(user)
    page.goto(f"{site.origin}/superset/welcome/")
    expect(page.get_by_role("menuitem").first).to_be_visible()

    expect(page.get_by_text(WORDS["en"]["category"])).to_have_count(0)
    for address in ("codes/list/", "authorizers/list/", "analysis/"):
        answer = page.request.get(f"{site.url}/minicode/{address}")
        assert 403 == answer.status
        assert "minicode.css" not in answer.text()
    assert 403 == page.request.get(f"{site.origin}/api/v1/minicode/codes/").status


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("user", ["viewer", "creator", "manager"])
def test_our_roles_beside_gamma_do_what_they_say(site, visit, user):
    makes, manages = user != "viewer", user == "manager"
    page = visit(user)
    page.goto(f"{site.url}/minicode/codes/list/?appid={APP.appid}")
    expect(page.locator("a.mca-card")).to_be_visible()

    expect(page.get_by_role("link", name="New code")).to_have_count(1 if makes else 0)
    if makes:
        journey.make_code(page, site, f"of-{user}", "leaflet", "en")
        expect(page.locator("[data-mc-delete]")).to_have_count(1 if manages else 0)
    page.goto(f"{site.url}/minicode/authorizers/list/")
    expect(page.get_by_role("link", name="Connect a mini program")).to_have_count(1 if manages else 0)
    page.goto(f"{site.url}/minicode/analysis/")
    expect(page.locator(".minicode h1")).to_be_visible()


@pytest.mark.usefixtures("key")
def test_rest_answers_with_supersets_tokens_and_refuses_a_change_without_one(site, visit):
    request = visit("manager").request
    body = {
        "appid": APP.appid, "name": "by a program", "landing_page": "pages/a", "kind": "wxacode", "utm_source": "api",
    }  # fmt: skip
    foreign = request.post(f"{site.origin}/api/v1/minicode/codes/", data=body)
    login = {"username": "manager", "password": "manager", "provider": "db"}
    token = request.post(f"{site.origin}/api/v1/security/login", data=login).json()["access_token"]
    made = request.post(
        f"{site.origin}/api/v1/minicode/codes/", data=body, headers={"Authorization": f"Bearer {token}"}
    )

    assert 400 == foreign.status
    assert "csrf" == json.loads(foreign.text())["error"]["code"]
    assert (201, "ready") == (made.status, made.json()["state"])


def test_a_second_mini_program_can_be_revoked(site, visit):
    page = visit("manager")
    other = SAMPLE_APPS[1]
    journey.connect(page, site, other, "en")
    page.locator("a[href*='/revoke/']").first.click()
    page.locator(".minicode [name=confirmation]").fill(other.appid)
    page.locator(".minicode form [type=submit]").click()

    expect(page.get_by_role("status").first).to_contain_text("no longer connected")
