"""The code pages as the server renders them: list, pictures, rename and delete, on both databases."""

from __future__ import annotations

import datetime as dt
import hashlib
import io

import pytest
from PIL import Image
from sqlalchemy import select

from fab_minicode.code_list import ORDERS
from fab_minicode.models import Authorizer, Code, CodeHistory, CodeImage
from fab_minicode.runtime import EXTENSION
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.sandbox.faults import Switch
from tests import hosts
from tests.pages import CODES, FIELDS, Page, make, only_code, read, rows, send
from tests.traffic import Visit, bring

APPID = SAMPLE_APPS[0].appid
IMAGE_A = "/wxa/getwxacode"


@pytest.fixture
def manager(app, client):
    """A manager's browser; the first mini program of the sandbox is connected."""
    hosts.connect(app)
    return hosts.login(client, "manager")


def refuse_once(sandbox, errcode):
    """Let WeChat refuse the next code of interface A."""
    sandbox.faults.on(Switch("errcode", IMAGE_A, value=errcode))


# --------------------------------------------------------------------------------------------------- empty states


def test_without_a_mini_program_the_list_leads_those_who_may_to_connecting_one(client):
    page = read(hosts.login(client, "manager"), f"{CODES}/list/")
    viewer = read(hosts.login(client, "viewer"), f"{CODES}/list/")

    assert "No mini program yet" in page.text
    assert "/minicode/authorizers/connect" in page.links
    assert "No mini program yet" in viewer.text
    assert "/minicode/authorizers/connect" not in viewer.links


def test_without_a_code_the_list_leads_to_the_first(manager):
    page = read(manager, f"{CODES}/list/")

    assert "No code yet" in page.text
    assert f"{CODES}/add?appid={APPID}" in page.links


def test_a_search_without_result_offers_to_clear_it(manager):
    make(manager)

    page = read(manager, f"{CODES}/list/?q=nowhere")

    assert "Nothing found" in page.text
    assert f"{CODES}/list/?appid={APPID}" in page.links


def test_a_page_behind_the_last_leads_back(manager):
    make(manager)

    page = read(manager, f"{CODES}/list/?page=7")

    assert "The list is not that long" in page.text


# ----------------------------------------------------------------------------------------------------------- list


@pytest.fixture
def filled(app, manager):
    """Three codes of different days, kinds, sources and people."""
    for name, kind, source, campaign, creator, day in (
        ("Alpha", "wxacode", "poster", "autumn", "Wang Li", 1),
        ("Beta", "wxaqrcode", "海报", "双十一", "Chen Jun", 5),
        ("Gamma 100%", "wxacode_unlimited", "poster", "spring", "Wang Li", 9),
    ):
        make(manager, name=name, kind=kind, utm_source=source, utm_campaign=campaign, landing_page="pages/index/index")
        at = dt.datetime(2026, 10, day, 12, tzinfo=dt.timezone.utc)
        with hosts.database(app) as session:
            code = session.execute(select(Code).where(Code.name == name)).scalar_one()
            code.created_by = creator
            code.created_at = code.changed_at = at
            code.search_text = f"{name} {creator}".casefold()
            session.commit()
    return manager


def names(page):
    return [text for address, text in page.links.items() if address.startswith(f"{CODES}/show/")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Gamma 100%", "Beta", "Alpha"]),
        ("q=alp", ["Alpha"]),
        ("q=wang", ["Gamma 100%", "Alpha"]),
        ("q=100%25", ["Gamma 100%"]),
        ("kind=wxaqrcode", ["Beta"]),
        ("source=海报", ["Beta"]),
        ("campaign=spring", ["Gamma 100%"]),
        ("creator=Chen Jun", ["Beta"]),
        ("since=2026-10-05", ["Gamma 100%", "Beta"]),
        ("until=2026-10-05", ["Beta", "Alpha"]),
        ("since=2026-10-02&until=2026-10-08", ["Beta"]),
        ("source=poster&q=gam", ["Gamma 100%"]),
        ("order=name", ["Alpha", "Beta", "Gamma 100%"]),
        ("order=-name", ["Gamma 100%", "Beta", "Alpha"]),
        ("order=created_at", ["Alpha", "Beta", "Gamma 100%"]),
        ("page_size=10&page=0", ["Gamma 100%", "Beta", "Alpha"]),
    ],
)
def test_the_list_is_searched_filtered_and_sorted(filled, query, expected):
    assert expected == names(read(filled, f"{CODES}/list/?{query}"))


@pytest.mark.parametrize("order", sorted(ORDERS))
def test_every_order_has_a_direction_that_can_be_turned(filled, order):
    page = read(filled, f"{CODES}/list/?order={order}")

    assert ["ascending"] == [tag["aria-sort"] for tag in page.of("th") if tag.get("aria-sort")]
    assert f"{CODES}/list/?appid={APPID}&order=-{order}" in page.links


def test_the_list_stands_in_the_order_of_its_numbers_for_those_who_may_read_them(app, filled):
    keys = dict(rows(app, Code.name, Code.short_key))
    visits = [Visit(f"v{n}", 2, key=keys["Alpha"]) for n in range(3)] + [Visit("v0", 3, key=keys["Beta"])]
    with hosts.database(app) as session:
        number = session.execute(select(Authorizer.id)).scalar_one()
    settings, now = app.extensions[EXTENSION].settings, dt.datetime.now(dt.timezone.utc)
    bring(hosts.engine_of(app), visits, authorizer_id=number, settings=settings, now=now)
    unsorted = read(filled, f"{CODES}/list/")
    address = f"{CODES}/list/?appid={APPID}&order=-users"

    assert address in unsorted.links
    assert ["Alpha", "Beta", "Gamma 100%"] == names(read(filled, address))
    turned = read(filled, f"{CODES}/list/?order=users")
    assert ["Gamma 100%", "Beta", "Alpha"] == names(turned)
    assert ["ascending"] == [tag["aria-sort"] for tag in turned.of("th") if tag.get("aria-sort")]
    assert address in turned.links

    take_the_numbers(app, "Minicode Manager")
    without = read(filled, f"{CODES}/list/?order=-users")
    assert ["Gamma 100%", "Beta", "Alpha"] == names(without)
    assert not [link for link in without.links if link.endswith("users")]


@pytest.mark.parametrize(("order", "chosen"), [("-changed_at", "-changed_at"), ("name", "name"), ("users", "users")])
def test_the_order_can_be_chosen_where_there_are_no_headings(filled, order, chosen):
    page = read(filled, f"{CODES}/list/?order={order}")

    assert chosen in [tag["value"] for tag in page.of("option") if "selected" in tag and "value" in tag]
    found = read(filled, f"{CODES}/list/?appid={APPID}&q=&kind=&source=&order=name&page_size=25")
    assert ["Alpha", "Beta", "Gamma 100%"] == names(found)


def take_the_numbers(app, role):
    """Take the right to read numbers from a role."""
    with app.app_context():
        security = app.extensions["appbuilder"].sm
        right = security.find_permission_view_menu("can_read", "MinicodeAcquisition")
        security.del_permission_role(security.find_role(role), right)


def test_pages_of_a_long_list_lead_to_each_other_and_keep_what_was_asked(app, manager):
    make(manager, name="first")
    with hosts.database(app) as session:
        model = session.execute(select(Code)).scalar_one()
        columns = {column.name: getattr(model, column.name) for column in Code.__table__.columns if column.name != "id"}
        session.add_all(Code(**{**columns, "name": f"copy {n:02}", "short_key": f"copy{n:04}"}) for n in range(24))
        session.commit()

    one = read(manager, f"{CODES}/list/?page_size=10&source=poster")
    last = read(manager, f"{CODES}/list/?page_size=10&source=poster&page=2")

    assert "1–10 of 25" in one.text
    assert f"{CODES}/list/?appid={APPID}&source=poster&page_size=10&page=1" in one.links
    assert "21–25 of 25" in last.text
    assert f"{CODES}/list/?appid={APPID}&source=poster&page_size=10&page=1" in last.links


@pytest.mark.parametrize(
    "query",
    [
        "page=abc", "page=-1", "page=99999999999999999999999", "page_size=0", "page_size=1e9", "order=sealed_secret",
        "order=-", "order=;drop", "kind=%00", "since=2026-13-99", "until=9999-12-31", "since=0001-01-01", "q=%ff%fe",
        "q=%00", "q=" + "x" * 5000, "creator=%ED%A0%80", "_flt_0_name=a", "_oc_MinicodeCodesView=nothing&_od_x=1",
        "page_MinicodeCodesView=abc", "psize_MinicodeCodesView=-5", "q='%22--", "source=&campaign=&q=",
    ],
)  # fmt: skip
def test_odd_addresses_show_the_list_all_the_same(manager, query):
    assert 200 == manager.get(f"{CODES}/list/?{query}").status_code


def test_an_unknown_mini_program_is_not_replaced_by_another(manager):
    assert 404 == manager.get(f"{CODES}/list/?appid=wxffffffffffffffff").status_code


def test_the_mini_program_looked_at_last_is_kept(app, manager):
    other = hosts.connect(app, SAMPLE_APPS[1])

    read(manager, f"{CODES}/list/?appid={other}")
    page = read(manager, f"{CODES}/add")

    assert other == page.values["appid"]


# ------------------------------------------------------------------------------------------------------- pictures


def test_a_download_is_the_stored_picture_under_the_name_of_the_code(app, manager):
    make(manager, name="双十一 A/B: 50%")
    code = only_code(app)
    content, sha256, mime = rows(app, CodeImage.content, CodeImage.sha256, CodeImage.mime)[0]

    answer = manager.get(f"{CODES}/image/{code.id}")

    assert content == answer.data
    assert sha256 == hashlib.sha256(answer.data).hexdigest()
    assert mime == answer.mimetype
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "filename*=UTF-8''%E5%8F%8C%E5%8D%81%E4%B8%80%20A_B_%2050%25.jpg" in answer.headers["Content-Disposition"]
    assert "private, no-cache" == answer.headers["Cache-Control"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]


def test_a_transparent_code_is_downloaded_as_png(app, manager):
    make(manager, is_hyaline="y")

    answer = manager.get(f"{CODES}/image/{only_code(app).id}")

    assert "image/png" == answer.mimetype
    assert ".png" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Gate 1", 'filename="Gate 1.jpg"'),
        ("海报 一", "filename=code-{id}.jpg; filename*=UTF-8''%E6%B5%B7%E6%8A%A5%20%E4%B8%80.jpg"),
        ("???", "filename=_.jpg"),
        ("...", "filename=code-{id}.jpg"),
    ],
)
def test_no_name_makes_a_hidden_file_of_a_download(app, manager, name, told):
    make(manager, name=name)
    code = only_code(app)
    token = manager.post(
        "/api/v1/security/login", json={"username": "manager", "password": "manager", "provider": "db"}
    ).get_json()["access_token"]

    page = manager.get(f"{CODES}/image/{code.id}")
    rest = manager.get(f"/api/v1/minicode/codes/{code.id}/image", headers={"Authorization": f"Bearer {token}"})

    assert f"attachment; {told.format(id=code.id)}" == page.headers["Content-Disposition"]
    assert page.headers["Content-Disposition"] == rest.headers["Content-Disposition"]


@pytest.mark.parametrize(("query", "edge_px"), [("", 96), ("?size=large", 430), ("?size=huge", 96)])
def test_thumbnails_are_small_private_and_sent_once(app, manager, query, edge_px):
    make(manager)
    address = f"{CODES}/thumbnail/{only_code(app).id}{query}"

    answer = hosts.login(manager, "viewer").get(address)
    again = manager.get(address, headers={"If-None-Match": answer.headers["ETag"]})

    assert (edge_px, edge_px) == Image.open(io.BytesIO(answer.data)).size
    assert "private, no-cache" == answer.headers["Cache-Control"]
    assert "Content-Disposition" not in answer.headers or "inline" in answer.headers["Content-Disposition"]
    assert 304 == again.status_code


def test_a_code_without_picture_has_none_to_show(app, manager, sandbox):
    refuse_once(sandbox, 41030)
    make(manager)
    code = only_code(app)

    assert 404 == manager.get(f"{CODES}/image/{code.id}").status_code
    assert 404 == manager.get(f"{CODES}/thumbnail/{code.id}").status_code
    assert f"{CODES}/thumbnail/" not in manager.get(f"{CODES}/list/").get_data(as_text=True)


# ------------------------------------------------------------------------------------------------- rename, delete


def test_renaming_changes_the_name_and_nothing_else(app, manager):
    make(manager)
    before = only_code(app)

    answer = send(manager, f"{CODES}/edit/{before.id}", name="Gate 2", kind="wxaqrcode", utm_source="x", state="failed")
    after = only_code(app)
    page = read(manager, answer.location)

    assert "Gate 2" == after.name
    unchanged = ("kind", "state", "path", "landing_page", "utm_source", "options", "created_at", "short_key")
    assert [getattr(before, name) for name in unchanged] == [getattr(after, name) for name in unchanged]
    assert "Poster at gate 1 → Gate 2" in page.text
    assert "The code is now called “Gate 2”." in page.text


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("", "Give the code a name."), ("x" * 51, "51 characters"), ("taken", "already called “taken”")],
)
def test_a_refused_name_is_explained_and_kept(app, manager, name, sentence):
    make(manager)
    code = only_code(app)
    make(manager, name="taken")

    page = Page(send(manager, f"{CODES}/edit/{code.id}", name=name).get_data(as_text=True))

    assert sentence in page.text
    assert name == page.values["name"]
    assert {"Poster at gate 1", "taken"} == {found for (found,) in rows(app, Code.name)}


def test_deleting_asks_first_and_says_that_the_print_lives_on(app, manager):
    make(manager)
    code = only_code(app)

    page = read(manager, f"{CODES}/ask_delete/{code.id}")

    assert "The printed code keeps working, and the data it brought and still brings stay." in page.text
    assert f"{CODES}/delete/{code.id}" in {tag.get("action") for tag in page.of("form")}
    assert only_code(app).deleted_at is None


def test_a_deleted_code_is_gone_from_the_pages_but_not_from_the_database(app, manager):
    make(manager)
    code = only_code(app)

    answer = send(manager, f"{CODES}/delete/{code.id}")
    gone = {
        route: manager.get(f"{CODES}/{route}/{code.id}").status_code
        for route in ("image", "thumbnail", "edit", "ask_delete")
    }

    assert "was deleted. Its print keeps working" in read(manager, answer.location).text
    assert {404} == set(gone.values())
    assert 404 == send(manager, f"{CODES}/delete/{code.id}").status_code
    assert "Manager Test" == only_code(app).deleted_by
    assert ["created", "generated", "deleted"] == [
        action for _, action in rows(app, CodeHistory.id, CodeHistory.action)
    ]


@pytest.mark.parametrize("is_ready", [True, False])
def test_the_page_of_a_deleted_code_tells_who_deleted_it_and_offers_nothing(app, manager, sandbox, is_ready):
    if not is_ready:
        refuse_once(sandbox, 41030)
    make(manager)
    code = only_code(app)
    send(manager, f"{CODES}/delete/{code.id}")
    read(manager, f"{CODES}/list/")

    page = read(manager, f"{CODES}/show/{code.id}")
    ours = [link for link in page.links if link.startswith(f"{CODES}/")]

    assert "Manager Test deleted this code." in page.text
    assert "Code deleted" in page.text
    assert "Deleted" in page.text
    assert [f"{CODES}/list/?appid={APPID}"] == [link for link in ours if link != f"{CODES}/list/"]
    assert not [tag for tag in page.of("img") if f"{CODES}/" in (tag.get("src") or "")]
    assert not [tag for tag in page.of("form") if f"{CODES}/" in (tag.get("action") or "")]
    assert not [tag for tag in page.of("button") if "mc-button" in (tag.get("class") or "")]
    assert 200 == hosts.login(manager, "viewer").get(f"{CODES}/show/{code.id}").status_code
    assert hosts.DENIED == hosts.login(manager, "nobody").get(f"{CODES}/show/{code.id}").status_code


@pytest.mark.parametrize("route", ["delete", "retry"])
def test_what_changes_something_takes_post_with_a_token_only(app, manager, route):
    make(manager)
    code = only_code(app)

    assert 405 == manager.get(f"{CODES}/{route}/{code.id}").status_code
    assert 400 == manager.post(f"{CODES}/{route}/{code.id}").status_code
    assert only_code(app).deleted_at is None


def test_tokens_are_asked_for_on_a_host_without_csrf_protection_too(app, manager):
    make(manager)
    code = only_code(app)
    del app.extensions["csrf"]
    app.config["WTF_CSRF_CHECK_DEFAULT"] = False

    refused = Page(manager.post(f"{CODES}/add", data=FIELDS | {"name": "forged"}).get_data(as_text=True))

    assert 400 == manager.post(f"{CODES}/delete/{code.id}").status_code
    assert "This page was open for too long" in refused.text
    assert "forged" == refused.values["name"]
    assert 1 == len(rows(app, Code.id))
