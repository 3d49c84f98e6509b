"""Apache Airflow 3 with the add-on, under /pluginsv2, with its FAB auth manager's roles and CSRF protection."""

from __future__ import annotations

import pathlib

import pytest
from cryptography.fernet import Fernet

from fab_minicode.sandbox import SAMPLE_APPS, Sandbox
from tests.browser.conftest import expect
from tests.real_hosts import journey, walk
from tests.real_hosts.journey import APP
from tests.real_hosts.running import Installed, Site, free_port

# The first test waits for the host's installation of its tables and for its start.
pytestmark = pytest.mark.timeout(1200)
HERE = pathlib.Path(__file__).resolve().parent
MOUNT = "/pluginsv2"
# Airflow's own script for its old layout fails on every page of that layout, its login page included.
NOISE = ("/static/dist/main.",)
LOGIN = "/auth/login/"
PEOPLE = (("admin", "Admin"), ("op", "Op"), ("viewer", "Minicode Viewer"), ("manager", "Minicode Manager"))
LANGUAGES = ("en", "zh")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Airflow as docs/hosts.md sets it up: its tables, ours, our roles, people, its API server."""
    folder, port = tmp_path_factory.mktemp("airflow"), free_port()
    origin = f"http://127.0.0.1:{port}"
    with Sandbox() as sandbox:
        host = Installed(
            "airflow",
            folder,
            {
                "AIRFLOW_HOME": str(folder),
                "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
                "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
                "AIRFLOW__FAB__CONFIG_FILE": str(HERE / "webserver_config.py"),
                "FLASK_APP": "fab_minicode.airflow_plugin:create_app",
                "HOST_FERNET_KEY": Fernet.generate_key().decode(),
                "HOST_ADDRESS": origin + MOUNT,
                "HOST_WECHAT": sandbox.url,
            },
        )
        host.run("airflow", "db", "migrate")
        assert "minicode tables: none -> 0" in host.run(
            "minicode", "upgrade", "--url", f"sqlite:///{folder}/airflow.db"
        )
        assert "Minicode Manager" in host.run("minicode", "roles")
        for name, role in PEOPLE:
            person = ("-u", name, "-p", name, "-f", name, "-l", "Test", "-e", f"{name}@example.org", "-r", role)
            host.run("airflow", "users", "create", *person)
        with host.serving(
            "airflow", "api-server", "-p", str(port), "--workers", "1", health=f"{origin}/api/v2/version"
        ):
            yield Site(origin, origin + MOUNT, sandbox.world, NOISE, LOGIN)


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
        journey.picture(page, "airflow-authorizer-en")
    return keys[APP.appid]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_whole_job_of_an_admin(site, visit, key, language):
    journey.whole_job(visit("admin", language=language), site, key, "airflow", language)


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(("language", "size"), walk.LOOKS, ids=walk.NAMES)
def test_every_page_is_sound_inside_this_host(site, visit, language, size):
    journey.make_code(visit("admin"), site, f"walked in {language}, {size['width']}", "poster", "en")
    page = visit("admin", language=language, size=size)
    things = journey.things(page, site)
    names = [*(app.nick_name for app in SAMPLE_APPS), *journey.names(page, site)]

    wrong = walk.faults(page, site, language, things, names, with_axe=language == "zh")

    assert [] == wrong, "\n".join(wrong)


def test_the_menu_of_airflow_leads_to_our_pages(site, visit):
    page = visit("admin")
    page.goto(site.origin)
    page.get_by_role("button", name="Browse").click()
    entry = page.get_by_role("menuitem", name="Codes")
    expect(entry).to_be_visible()
    page.wait_for_load_state("networkidle")
    journey.picture(page, "airflow-menu-en")

    assert f"{MOUNT}/minicode/codes/list/" == entry.get_attribute("href")
    page.goto(site.origin + entry.get_attribute("href"))
    expect(page.locator(".minicode h1")).to_be_visible()
    page.get_by_role("link", name="Mini program codes").click()
    expect(page.get_by_role("link", name="Event analysis")).to_be_visible()


def test_a_role_of_airflow_gets_nothing_of_ours(site, visit):
    page = visit("op")
    for address in ("codes/list/", "authorizers/list/", "analysis/"):
        answer = page.request.get(f"{site.url}/minicode/{address}", max_redirects=0)

        assert answer.status in {302, 403}
        assert "minicode.css" not in answer.text()


def test_our_roles_do_what_they_say(site, visit):
    viewer, manager = visit("viewer"), visit("manager")
    other = SAMPLE_APPS[1]
    journey.connect(manager, site, other, "en")
    manager.goto(f"{site.url}/minicode/authorizers/list/")
    viewer.goto(f"{site.url}/minicode/authorizers/list/")

    expect(manager.get_by_role("link", name="Connect a mini program")).to_have_count(1)
    expect(viewer.get_by_text(other.nick_name).first).to_be_visible()
    expect(viewer.get_by_role("link", name="Connect a mini program")).to_have_count(0)
    viewer.goto(f"{site.url}/minicode/codes/list/?appid={other.appid}")
    expect(viewer.get_by_role("link", name="New code")).to_have_count(0)


def test_there_is_no_rest_and_no_page_speaks_of_it(site, visit):
    page = visit("admin")
    answer = page.request.get(f"{site.url}/api/v1/minicode/codes/")
    page.goto(f"{site.url}/minicode/codes/list/")

    assert 404 == answer.status
    assert "/api/v1/minicode" not in page.content()
