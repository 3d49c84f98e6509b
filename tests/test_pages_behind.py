"""From every number of a funnel, a retention and a code to the people behind it, in pages and over REST."""

from __future__ import annotations

import datetime as dt
import html
import re
from urllib.parse import unquote

import pytest
from sqlalchemy import select

from fab_minicode.models import Authorizer, AuthorizerRole, Code
from fab_minicode.permissions import MANAGER
from fab_minicode.sandbox import SAMPLE_APPS
from tests import hosts
from tests.pages import CODES, make, read
from tests.test_pages_codes import take_the_numbers
from tests.traffic import Visit, bring

APPID, OTHER = SAMPLE_APPS[0].appid, SAMPLE_APPS[1].appid
PAGES, REST = "/minicode/analysis", "/api/v1/minicode"
PEOPLE = f"{PAGES}/visitors"
FUNNEL = f"appid={APPID}&step=visit&step=event:order_paid&within=3&window=last_14"
RETENTION = f"appid={APPID}&start=visit&days=3&window=last_14"
VISITS = [
    Visit("v1", 9, "poster"),
    Visit("v1", 8, event="order_paid"),
    Visit("v2", 9, "poster"),
    Visit("v2", 8, "flyer"),
    Visit("v3", 5, "flyer"),
    Visit("v4", 5),
    Visit("v5", 5),
    Visit("v5", 3),
]
LINK = re.compile(r'<a class="mc-who" href="([^"]+)" aria-label="([^"]+)">([^<]*)</a>')
BIG = re.compile(r'<strong class="mc-big">([^<]*)</strong>')


@pytest.fixture
def shop(app, client):
    """Five people came to a mini program, one paid; returns the browser of a creator."""
    hosts.connect(app)
    tell(app, VISITS)
    return hosts.login(client, "creator")


def tell(app, visits):
    settings = app.extensions["fab_minicode"].settings
    with hosts.database(app) as session:
        row = session.execute(select(Authorizer.id).where(Authorizer.appid == APPID)).scalar_one()
    now = dt.datetime.now(dt.timezone.utc)
    bring(hosts.engine_of(app), visits, authorizer_id=row, settings=settings, now=now)


def numbers(client, address):
    """The numbers of a page that lead on: address, accessible name, text."""
    found = LINK.findall(client.get(address).text)
    return [tuple(html.unescape(one) for one in link) for link in found]


def behind(client, address):
    """How many people a page of visitors says, and how many it lists."""
    text = client.get(address).text
    (count,) = BIG.findall(text)
    return int(count), len(set(re.findall(rf'href="({PEOPLE}/[^"]+)"', text)))


@pytest.mark.parametrize("split", ["", "&by=utm_source", "&by=utm_source&limit=1"])
def test_every_number_of_a_funnel_leads_to_as_many_people(shop, split):
    found = numbers(shop, f"{PAGES}/funnel/?{FUNNEL}{split}")

    assert {"": 3, "&by=utm_source": 7, "&by=utm_source&limit=1": 6}[split] == len(found)
    for address, said, text in found:
        assert said.startswith(f"Who are they: {'one person' if text == '1' else f'{text} people'}, ")
        assert (int(text), int(text)) == behind(shop, address), address


@pytest.mark.parametrize("split", ["", "&by=utm_source", "&by=utm_source&limit=1"])
@pytest.mark.parametrize("start", ["first_visit", "visit"])
def test_every_number_of_a_retention_leads_to_as_many_people(shop, split, start):
    found = numbers(shop, f"{PAGES}/retention/?{RETENTION.replace('visit', start)}{split}")

    assert len(found) > 3
    for address, said, text in found:
        share = re.fullmatch(r"Who are they: (\S+) · (\d+) of \d+, Day \d, .+", said)
        number = int(share[2]) if share else int(text)
        people, listed = behind(shop, address)

        assert people == listed
        assert text == (share[1] if share else re.match(r"Who are they: (\d+), Started, ", said)[1])
        if start == "first_visit" or "day=" in address:
            assert number == people, address
        else:
            assert 0 < people <= number, address
            assert "Who started on several days" in shop.get(address).text


def test_the_way_back_leads_to_the_saved_question_that_it_began_with(shop):
    (first, *_) = numbers(shop, f"{PAGES}/funnel/?{FUNNEL}&saved=7")

    assert "saved=7" in first[0]
    assert [] != [link for link in read(shop, first[0]).links if "/funnel/" in link and "saved=7" in link]


def test_nobody_is_no_link(shop):
    text = shop.get(f"{PAGES}/funnel/?{FUNNEL}&where=utm_source:eq:flyer").text

    assert ["Who are they: 2 people, step 1", "Who are they: 2 people, lost after step 1"] == [
        said for _, said, _ in LINK.findall(text)
    ]


@pytest.mark.parametrize(
    ("kind", "number", "said"),
    [
        (f"kind=funnel&{FUNNEL}", "took=2", "1 people who took step 2 (order_paid),"),
        (f"kind=funnel&{FUNNEL}", "lost=1", "4 people who took step 1 (Visit) and not the next one (order_paid),"),
        (f"kind=retention&{RETENTION}", "", "5 people who started,"),
        (f"kind=retention&{RETENTION}", "back=2", "1 people who came back on day 2 after their start,"),
    ],
)
def test_the_page_says_which_number_and_leads_back_to_its_question(shop, kind, number, said):
    page = read(shop, f"{PEOPLE}?{kind}&{number}&segment=returning&where=utm_source:ne:x&window=last_30")
    whole = read(shop, f"{PEOPLE}?{kind}&{number}")
    back = next(link for link, text in whole.links.items() if "Back to the question" in text)

    assert said in " ".join(whole.text.split())
    assert "Ad source is not x · Returning visitors" in " ".join(page.text.split())
    assert back.startswith(f"{PAGES}/{kind[5:].partition('&')[0]}/?appid={APPID}&")
    assert number not in back or not number
    assert 200 == shop.get(back).status_code
    assert "took step" in whole.text or "start" in whole.text


def test_who_is_behind_a_number_is_said_in_chinese(shop):
    shop.get("/lang/zh")
    labels = [said for _, said, _ in numbers(shop, f"{PAGES}/funnel/?{FUNNEL}")]
    text = " ".join(read(shop, f"{PEOPLE}?kind=funnel&{FUNNEL}&lost=1").text.split())

    assert ["他们是谁：5 人，第 1 步", "他们是谁：1 人，第 2 步", "他们是谁：4 人，第 1 步后流失"] == labels
    assert "4 人完成了第 1 步（访问），但没有完成下一步（order_paid）" in text
    assert "分群条件不区分步骤的先后" in text


def test_people_are_saved_as_a_segment_where_conditions_can_say_who_they_are(app, shop):
    day = next(
        link for link, _, _ in numbers(shop, f"{PAGES}/retention/?{RETENTION}") if "day=" in link and "back=" in link
    )
    for address, people in ((f"{PEOPLE}?kind=funnel&{FUNNEL}&took=1", 5), (day, 1)):
        page = read(shop, address)
        fields = {"csrf_token": hosts.csrf_token(shop), "name": f"Those {people}", "rule": page.values["rule"]}

        assert 302 == shop.post(f"{PAGES}/segments/add?appid={APPID}", data=fields).status_code
        found = shop.get(f"{REST}/segments/?appid={APPID}").get_json()["result"]
        assert people == next(one["people"] for one in found if one["name"] == f"Those {people}")
    for address in (f"kind=funnel&{FUNNEL}&took=2", f"kind=retention&{RETENTION}&back=2"):
        page = read(shop, f"{PEOPLE}?{address}")
        seen = read(hosts.login(app.test_client(), "viewer"), f"{PEOPLE}?{address}")

        assert "rule" not in page.values
        assert "These people cannot be kept as a segment" in page.text
        assert "cannot be kept" not in seen.text


def test_a_number_that_an_address_does_not_name_is_told(shop):
    for number in ("took=7", "took=x", "lost=2", "row=nonsense", "others=1", "back=1&took=2&day=x&kind=retention"):
        answer = shop.get(f"{PEOPLE}?kind=funnel&{FUNNEL}&{number}")

        assert 200 == answer.status_code, number
    assert "The question is not complete" in shop.get(f"{PEOPLE}?kind=funnel&{FUNNEL}&took=7").text
    assert "The question is not complete" in shop.get(f"{PEOPLE}?kind=heatmap&{FUNNEL}").text


@pytest.mark.parametrize("kind", [f"kind=funnel&{FUNNEL}", f"kind=retention&{RETENTION}"])
def test_a_mini_program_of_another_team_is_not_there(app, shop, kind):
    hosts.connect(app, SAMPLE_APPS[1])
    with hosts.database(app) as session:
        other = session.execute(select(Authorizer.id).where(Authorizer.appid == OTHER)).scalar_one()
        session.add(AuthorizerRole(authorizer_id=other, role=MANAGER.name))
        session.commit()
    foreign = kind.replace(APPID, OTHER)
    sent = {"funnel": {"appid": OTHER, "steps": ["visit", "visit"]}}

    assert 404 == shop.get(f"{PEOPLE}?{foreign}").status_code
    assert 404 == shop.get(f"{PEOPLE}?{foreign}&appid={APPID}").status_code
    # Of two mini programs the one that was checked is asked about.
    assert 5 == behind(shop, f"{PEOPLE}?{kind}&appid={OTHER}")[0]
    headers = hosts.bearer(app.test_client(), "creator")
    for body in (sent, {"retention": {"appid": OTHER}}):
        assert 404 == app.test_client().post(f"{REST}/analysis/visitors", json=body, headers=headers).status_code


# ------------------------------------------------------------------------------------------------------------- codes


@pytest.fixture
def printed(app, shop):
    """A code that two people scanned in the last 7 days, one of them twice; returns a manager's browser."""
    manager = hosts.login(app.test_client(), "manager")
    make(manager, kind="wxacode_unlimited", landing_page="pages/a")
    make(manager, name="nobody", kind="wxacode_unlimited", landing_page="pages/a")
    with hosts.database(app) as session:
        key = session.execute(select(Code.short_key).where(Code.name != "nobody")).scalar_one()
    tell(app, [Visit("c1", 2, key=key), Visit("c1", 1, key=key), Visit("c2", 6, key=key), Visit("c3", 20, key=key)])
    return manager


def test_the_users_of_a_code_lead_to_its_analysis_and_to_them_and_nobody_is_no_link(app, printed):
    with hosts.database(app) as session:
        code = session.execute(select(Code).where(Code.name != "nobody")).scalar_one()
        nobody = session.execute(select(Code).where(Code.name == "nobody")).scalar_one()
    listed = {said: (link, number) for link, said, number in numbers(printed, f"{CODES}/list/")}
    (shown,) = numbers(printed, f"{CODES}/show/{code.id}")
    page = read(printed, shown[0])
    address, number = listed["2 users: analysis of “Poster at gate 1”"]

    assert {"2", "0"} == {number for _, number in listed.values()}
    assert "2" == number
    assert "where=code" in address
    assert f"#{code.id}" in unquote(address)
    assert "<strong>2</strong>" in printed.get(address).text
    assert address in read(printed, f"{CODES}/show/{code.id}").links
    assert ("Who are they: 2 people, Poster at gate 1", "2") == shown[1:]
    assert (2, 2) == behind(printed, shown[0])
    assert "Code is Poster at gate 1" in " ".join(page.text.split())
    assert [] == numbers(printed, f"{CODES}/show/{nobody.id}")


def test_who_may_not_read_numbers_is_led_to_nobody(app, printed):
    take_the_numbers(app, "Minicode Viewer")
    viewer = hosts.login(app.test_client(), "viewer")
    with hosts.database(app) as session:
        code = session.execute(select(Code.id).where(Code.name != "nobody")).scalar_one()

    for address in (f"{CODES}/list/", f"{CODES}/show/{code}"):
        page = read(viewer, address)

        assert 200 == viewer.get(address).status_code
        assert [] == [link for link in page.links if PEOPLE in link]
    for address in (f"kind=funnel&{FUNNEL}", f"kind=retention&{RETENTION}", f"appid={APPID}&where=code:eq:%23{code}"):
        assert 403 == viewer.get(f"{PEOPLE}?{address}").status_code


def test_the_name_of_another_mini_programs_code_is_not_told(app, printed):
    hosts.connect(app, SAMPLE_APPS[1])
    make(printed, appid=OTHER, name="Their secret")
    with hosts.database(app) as session:
        theirs = session.execute(select(Code.id).where(Code.name == "Their secret")).scalar_one()
    viewer = hosts.login(app.test_client(), "viewer")
    text = viewer.get(f"{PEOPLE}?appid={APPID}&where=code:eq:%23{theirs}").text

    assert "Their secret" not in text
    assert f"Code is #{theirs}" in text


# -------------------------------------------------------------------------------------------------------------- REST


def test_rest_tells_who_is_behind_a_step_and_a_day(app, shop):
    headers = hosts.bearer(app.test_client(), "creator")
    funnel = {"appid": APPID, "steps": ["visit", {"event": "order_paid"}], "dimensions": ["utm_source"]}
    kept = {"appid": APPID, "start": "first_visit", "days": 3}

    def ask(way, body):
        return app.test_client().post(f"{REST}/{way}", json=body, headers=headers)

    rows = ask("analysis/funnel", funnel).get_json()["rows"]
    days = ask("analysis/retention", kept).get_json()
    lost = ask("analysis/visitors", {"funnel": funnel, "cell": {"lost_after": 1, "row": rows[0]}}).get_json()
    back = ask("analysis/visitors", {"retention": kept, "cell": {"returned": 1}}).get_json()

    assert rows[0]["steps"][0]["users"] - rows[0]["steps"][1]["users"] == lost["count"] == len(lost["result"])
    assert days["totals"]["returned"][0]["users"] == back["count"] > 0
    assert days["totals"]["starts"] == ask("analysis/visitors", {"retention": kept, "page": 0}).get_json()["count"]
    row = next(row for row in days["rows"] if (row["returned"][0] or {"users": 0})["users"])
    number = {"retention": kept, "cell": {"row": row, "returned": 1}}
    saved = ask("segments/", {"appid": APPID, "name": "Back", "visitors": number})

    assert (201, row["returned"][0]["users"]) == (saved.status_code, saved.get_json()["people"])
    for body, field in (
        ({"appid": APPID, "name": "S", "visitors": {"funnel": funnel, "cell": {"step": 2}}}, "cell"),
        ({"appid": APPID, "name": "S", "visitors": {"funnel": {**funnel, "appid": "wx0"}}}, "visitors.funnel.appid"),
    ):
        refused = ask("segments/", body)

        assert (422, field) == (refused.status_code, refused.get_json()["error"]["field"])
    wrong = ask("analysis/visitors", {"funnel": funnel, "cell": {"step": 9}})

    assert (422, "cell.step", 2) == (wrong.status_code, *map(wrong.get_json()["error"].get, ("field", "limit")))
    assert 422 == ask("analysis/visitors", {"funnel": funnel, "retention": kept}).status_code
