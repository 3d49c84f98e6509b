"""The audit's page and file: filters, pages, who may look, what a spreadsheet program makes of it, and no secrets."""

import csv
import datetime as dt
import io

from sqlalchemy import select

from fab_minicode import audit
from fab_minicode.actor import WAYS, Actor
from fab_minicode.models import AuditEntry, Authorizer, AuthorizerRole
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.views import audit_words
from tests import hosts
from tests.pages import read
from tests.stories import NOW

SHOP, OTHER, _ = SAMPLE_APPS
LIST, EXPORT = "/minicode/audit/list/", "/minicode/audit/export"
SECOND = dt.timedelta(seconds=1)


def acts(app, count=1, **changed):
    """Write acts, a second apart."""
    told = {"action": "renamed", "type": "code", "name": "Poster", "who": "Wang Li", "way": "page", "program": None}
    told |= changed
    with hosts.database(app) as session:
        for number in range(count):
            subject = audit.Subject(told["type"], str(number), told["name"].replace("#", str(number)))
            audit.record(
                session, told["action"], subject, actor=Actor("7", told["who"], told["way"]),
                now=NOW + number * SECOND, authorizer_id=told["program"],
            )  # fmt: skip
        session.commit()


def exported(client, query=""):
    answer = client.get(EXPORT + query)

    assert 200 == answer.status_code
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=minicode-audit-")
    return list(csv.DictReader(io.StringIO(answer.get_data().decode("utf-8-sig"))))


def test_every_act_and_every_way_has_words():
    assert {(kind, action) for kind, actions in audit.ACTIONS for action in actions} == set(audit_words.ACTIONS)
    assert set(WAYS) == set(audit_words.WAYS)


def test_the_page_shows_the_newest_first_and_leads_to_older_ones(app, client):
    acts(app, 120, name="code #.")
    hosts.login(client, "manager")
    page, seen = read(client, LIST), []
    for _ in range(3):
        seen += [
            int(word[:-1]) for word in page.text.split("code ")[1:] for word in [word.split()[0]] if word[0].isdigit()
        ]
        older = next((address for address, text in page.links.items() if "Older" in text), None)
        page = read(client, older) if older else None

    assert list(range(119, -1, -1)) == seen
    assert page is None


def test_rows_of_one_instant_are_neither_lost_nor_shown_twice(app, client):
    with hosts.database(app) as session:
        for number in range(70):
            subject = audit.Subject("code", str(number), f"twin{number}.")
            audit.record(session, "created", subject, actor=Actor("7", "Wang"), now=NOW)
        session.commit()
    hosts.login(client, "manager")
    first = read(client, LIST)
    second = read(client, next(address for address, text in first.links.items() if "Older" in text))
    seen = [word for page in (first, second) for word in page.text.split() if word.startswith("twin")]

    assert 70 == len(seen) == len(set(seen))


EVERY = {"one", "two", "three"}
FILTERS = {
    "": EVERY,
    "?who=wANG": {"one", "two"},
    "?who=%25": set(),
    "?subject=TW": {"two"},
    "?what=code.deleted": {"two"},
    "?what=nonsense": EVERY,
    "?way=cli": {"three"},
    "?since=2026-11-22&until=2026-11-22": EVERY,
    "?until=2026-11-21": set(),
    "?since=yesterday": EVERY,
    f"?appid={SHOP.appid}": {"two"},
    "?appid=wx0000000000000000": set(),
    "?after=nonsense": EVERY,
    "?who=%00": EVERY,
    "?subject=%ED%A0%80": set(),
}


def test_filters_narrow_the_page_and_the_file_alike(app, client):
    hosts.connect(app, SHOP)
    with hosts.database(app) as session:
        program = session.execute(select(Authorizer.id)).scalar_one()
    acts(app, name="one")
    acts(app, name="two", action="deleted", program=program)
    acts(app, name="three", who="Chen Jun", way="cli")
    hosts.login(client, "manager")
    for query, names in FILTERS.items():
        shown = read(client, LIST + query).text

        assert (query, names) == (query, {row["What it was about"] for row in exported(client, query)} & EVERY)
        assert (query, names) == (query, {name for name in EVERY if f" {name} " in shown})
    assert 200 == client.get(f"{LIST}?after=999999999999999999-1").status_code


def test_exporting_is_recorded_before_the_bytes_and_a_look_at_the_head_is_not(app, client):
    hosts.login(client, "manager")
    client.head(EXPORT)
    exported(client, "?way=rest")
    with hosts.database(app) as session:
        (row,) = session.execute(select(AuditEntry)).scalars()

    assert ("exported", "audit", "Manager Test", "page") == (row.action, row.subject_type, row.actor, row.way)
    assert '{"filters": {"way": "rest"}, "format": "csv", "rows": 0}' == row.detail


def test_no_name_becomes_a_formula(app, client):
    for name in ("=1+1", "@SUM(A1)", "-2", "+3", "\t=1"):
        acts(app, name=name, who=name)
    hosts.login(client, "manager")
    rows = exported(client)

    assert 5 == len(rows)
    assert all(
        not row[head].startswith(("=", "@", "+", "-", "\t")) for row in rows for head in ("What it was about", "Who")
    )


def test_a_manager_of_a_team_sees_the_acts_of_its_mini_programs_only(app, client):
    for program in (SHOP, OTHER):
        hosts.connect(app, program)
    with hosts.database(app) as session:
        keys = dict(session.execute(select(Authorizer.appid, Authorizer.id)).all())
        session.add(AuthorizerRole(authorizer_id=keys[OTHER.appid], role="Another role"))
        session.commit()
    acts(app, name="mine", program=keys[SHOP.appid])
    acts(app, name="foreign", program=keys[OTHER.appid])
    acts(app, name="of no mini program")
    with hosts.database(app) as session:
        mine, foreign = (Actor(hosts.user_id(app, name), name) for name in ("manager", "creator"))
        for who in (mine, foreign):
            subject = audit.Subject("board", "1", f"board of {who.name}")
            audit.record(session, "saved", subject, actor=who, now=NOW)
        session.commit()
    hosts.login(client, "manager")

    assert {"mine", "board of manager", SHOP.nick_name} == {row["What it was about"] for row in exported(client)}
    text = read(client, LIST).text
    assert "foreign" not in text
    assert OTHER.nick_name not in text
    assert "foreign" in read(hosts.login(app.test_client(), "admin"), LIST).text


def test_no_secret_gets_into_the_audit(app, client):
    hosts.connect(app, SHOP)
    hosts.login(client, "manager")
    token = hosts.csrf_token(client)
    client.post("/minicode/authorizers/connect", data={"appid": SHOP.appid, "secret": SHOP.secret, "csrf_token": token})
    client.post("/minicode/authorizers/rotate_key/1", data={"csrf_token": token})
    with hosts.database(app) as session:
        held = [str(value) for row in session.execute(select(AuditEntry.__table__)) for value in row]
        keys = session.execute(select(Authorizer.collect_key)).scalars().all()

    assert held
    assert not any(secret in text for text in held for secret in (SHOP.secret, *keys))
