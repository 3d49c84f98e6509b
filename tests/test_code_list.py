"""The list: search, filters, orders, pages, and that no order or filter reads the whole table."""

import datetime as dt
import re

import pytest
from sqlalchemy import event
from sqlalchemy.orm import Session

from fab_minicode import code_list, codes
from fab_minicode.code_list import COUNT_LIMIT, ORDERS, CodeFilter
from fab_minicode.errors import InvalidInput, Missing
from fab_minicode.models import Base, Code, CodeImage
from fab_minicode.utm import UTM_FIELDS, Utm
from tests import databases
from tests.stories import APPID, CHEN, NOW, WANG, authorizer, draft, many_codes

HOUR = dt.timedelta(hours=1)


@pytest.fixture
def shop(session):
    session.add(authorizer())
    session.commit()


def plan(session, name, hours=0, actor=WANG, **changed):
    return codes.plan(session, draft(name=name, **changed), actor=actor, now=NOW + hours * HOUR)


def names(session, **wanted):
    return [code.name for code in code_list.find(session, CodeFilter(APPID, **wanted)).rows]


def test_the_newest_change_comes_first(session, shop):
    first = plan(session, "first")
    plan(session, "second", 1)

    assert ["second", "first"] == names(session)

    codes.rename(session, first, "first again", actor=CHEN, now=NOW + 2 * HOUR)

    assert ["first again", "second"] == names(session)
    assert ["second", "first again"] == names(session, order="-created_at")


def test_only_live_codes_of_the_mini_program_are_found(session, shop):
    session.add(authorizer("wx2"))
    plan(session, "other", appid="wx2")
    codes.delete(session, plan(session, "gone"), actor=WANG, now=NOW)
    plan(session, "here")

    assert ["here"] == names(session)
    assert ["other", "here"] == [code.name for code in code_list.find(session, CodeFilter("", order="-name")).rows]
    assert code_list.CodePage([], 0, True) == code_list.find(session, CodeFilter("wx-unknown"))


@pytest.mark.parametrize(
    "q, expected",
    [
        ("poster", ["Poster 50%_off"]),
        ("POSTER", ["Poster 50%_off"]),
        ("café", ["CAFÉ 茶"]),
        ("cafe\u0301", ["CAFÉ 茶"]),
        ("茶", ["CAFÉ 茶"]),
        ("50%", ["Poster 50%_off"]),
        ("%", ["Poster 50%_off"]),
        ("_", ["Poster 50%_off"]),
        ("!", []),
        ("p%r", []),
        ("chen", ["CAFÉ 茶"]),
        ("  wang li ", ["Poster 50%_off"]),
        ("poster 50%_off\nwang", []),
        ("\x00", ["CAFÉ 茶", "Poster 50%_off"]),
        ("\ud800", ["CAFÉ 茶", "Poster 50%_off"]),
    ],
)
def test_search_looks_into_name_and_creator_and_knows_no_wildcards(session, shop, q, expected):
    plan(session, "Poster 50%_off")
    plan(session, "CAFÉ 茶", 1, CHEN)

    assert expected == names(session, q=q)


def test_filters_are_all_of_them(session, shop):
    plan(session, "a", utm=Utm("poster", "autumn"))
    plan(session, "b", 1, utm=Utm("poster", "winter"))
    plan(session, "c", 2, CHEN, utm=Utm("flyer", "winter"), kind="wxaqrcode")

    assert ["b", "a"] == names(session, source="poster")
    assert ["b"] == names(session, source="poster", campaign="winter")
    assert ["c"] == names(session, kind="wxaqrcode")
    assert ["c"] == names(session, creator="Chen Jun")
    assert [] == names(session, creator="Chen")
    assert ["c", "b"] == names(session, since=NOW + HOUR)
    assert ["b", "a"] == names(session, until=NOW + 2 * HOUR)
    assert ["b"] == names(session, since=NOW + HOUR, until=NOW + 2 * HOUR)
    assert [] == names(session, source="pos\x00ter\ud800!")


@pytest.mark.parametrize("word", [*ORDERS, *(f"-{word}" for word in ORDERS)])
def test_every_order_orders_and_the_newest_or_oldest_of_equals_follows(session, shop, word):
    for number, (source, kind) in enumerate(
        [("s", "wxaqrcode"), ("p", "wxacode"), ("p", "wxaqrcode"), ("s", "wxacode")]
    ):
        actor = WANG if number % 2 else CHEN
        plan(session, f"n{(number * 3) % 4}", number, actor, utm=Utm(source), kind=kind)
    rows = code_list.find(session, CodeFilter(APPID, order=word)).rows
    columns = ORDERS[word.removeprefix("-")]
    keys = [tuple(getattr(row, column.key) for column in columns) for row in rows]

    assert keys == sorted(keys, reverse=word.startswith("-"))
    assert 4 == len(set(keys))


def test_the_order_of_numbers_has_the_newest_change_first_among_equals_and_knows_search_pages_and_scope(session, shop):
    made = {name: plan(session, name, hours) for hours, name in enumerate(("none", "few", "most", "no one"))}
    users = {made["few"].id: 2, made["most"].id: 7, 10**6: 99}

    def found(order, **wanted):
        narrow = wanted.pop("narrow", None)
        page = code_list.find(session, CodeFilter(APPID, order=order, **wanted), narrow=narrow, users=users)
        return [code.name for code in page.rows], page.count

    assert (["most", "few", "no one", "none"], 4) == found("-users")
    assert (["no one", "none", "few", "most"], 4) == found("users")
    assert (["no one"], 4) == found("-users", page=2, page_size=1)
    assert ([], 4) == found("-users", page=9)
    assert (["no one", "none"], 2) == found("-users", q="no")
    assert (["few", "none"], 2) == found("-users", narrow=lambda select: select.where(Code.name.in_(("few", "none"))))
    with pytest.raises(InvalidInput):
        names(session, order="-users")


@pytest.mark.parametrize("word", ["", "-", "remark", "--name", "users7", "name; DROP TABLE"])
def test_an_unknown_order_is_refused(session, word):
    with pytest.raises(InvalidInput) as caught:
        code_list.find(session, CodeFilter(APPID, order=word))

    assert "order" == caught.value.field


def test_pages_are_brought_into_bounds(session, shop):
    for number in range(5):
        plan(session, f"n{number}")

    assert ["n2", "n3"] == names(session, order="name", page=1, page_size=2)
    assert ["n0"] == names(session, order="name", page=-7, page_size=0)
    assert [] == names(session, order="name", page=10**30)
    assert 5 == len(names(session, page_size=10**30))
    assert (5, True) == counted(session, page_size=2)
    assert (5, True) == counted(session, page=99)
    assert (5, True) == counted(session, page=1, page_size=4)


def counted(session, **wanted):
    page = code_list.find(session, CodeFilter(APPID, **wanted))
    return page.count, page.count_is_exact


# ------------------------------------------------------------------------------------------------------ one code


def test_a_code_is_read_with_its_history_and_its_picture(session, shop):
    code = plan(session, "one")
    codes.rename(session, code, "two", actor=CHEN, now=NOW + HOUR)
    session.add(CodeImage(code_id=code.id, content=b"png", sha256="", mime="image/png", fetched_at=NOW))
    session.flush()

    assert code is code_list.code_of(session, code.id)
    assert ["created", "renamed"] == [row.action for row in code_list.history_of(session, code)]
    assert b"png" == code_list.image_of(session, code).content


@pytest.mark.parametrize("code_id", [0, -1, 7, 2**31 - 1, 2**31, 10**23])
def test_what_is_no_code_is_missing(session, shop, code_id):
    with pytest.raises(Missing):
        code_list.code_of(session, code_id)


def test_a_deleted_code_and_a_picture_that_was_never_made_are_missing(session, shop):
    code = plan(session, "one")
    with pytest.raises(Missing):
        code_list.image_of(session, code)
    codes.delete(session, code, actor=WANG, now=NOW)
    with pytest.raises(Missing):
        code_list.code_of(session, code.id)


def test_suggestions_are_the_latest_values_once_and_at_most_fifty(session, shop):
    for number in range(60):
        plan(
            session, f"n{number}", number, utm=Utm(f"source {number // 2}", medium=f"m{number}"), landing_page="pages/a"
        )
    found = code_list.suggestions(session, APPID)

    assert [f"source {number}" for number in range(29, -1, -1)] == found["utm_source"]
    assert [f"m{number}" for number in range(59, 9, -1)] == found["utm_medium"]
    assert (["pages/a"], []) == (found["landing_page"], found["utm_term"])
    assert ["Wang Li"] == found["created_by"]
    assert {*UTM_FIELDS, "landing_page", "created_by"} == set(found)


# ------------------------------------------------------------------------------------------------------- 100 000

MANY = 100_000


@pytest.fixture(scope="module", params=databases.KINDS)
def big(request, tmp_path_factory):
    """An engine on 100 000 live codes of one mini program."""
    engine = databases.engine_for(databases.fresh(request.param, tmp_path_factory.mktemp("big")))
    Base.metadata.create_all(engine)
    many_codes(engine, MANY)
    yield engine
    engine.dispose()


def statements(engine, act):
    """Run ``act(session)`` and return the statements with their parameters."""
    seen = []

    def note(*given):
        _, _, statement, parameters, *_ = given
        seen.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        with Session(engine, future=True) as session:
            act(session)
    finally:
        event.remove(engine, "before_cursor_execute", note)
    return seen


def plan_of(engine, statement, parameters):
    words = {"sqlite": "EXPLAIN QUERY PLAN", "postgresql": "EXPLAIN"}[engine.dialect.name]
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(f"{words} {statement}", parameters)
        return "\n".join(str(row[-1]) for row in rows)


SELECTIVE = (
    {},
    {"source": "source 7"},
    {"campaign": "campaign 7"},
    {"kind": "wxaqrcode"},
    {"creator": "Wang Li"},
)


def wanted_of(wanted):
    return ",".join(f"{name}={value}" for name, value in wanted.items()) or "everything"


@pytest.mark.parametrize(
    "wanted",
    [*({"order": f"{sign}{word}"} for word in ORDERS for sign in ("", "-")), *SELECTIVE, {"appid": ""}],
    ids=wanted_of,
)
def test_no_order_and_no_filter_reads_the_whole_table(big, wanted):
    first, *_ = statements(big, lambda session: code_list.find(session, CodeFilter(**{"appid": APPID, **wanted})))
    inner = first[0][first[0].index("(SELECT") + 1 : first[0].index(") AS")]
    plan = plan_of(big, inner, first[1])

    assert "SCAN minicode_codes" not in plan.replace("SCAN minicode_codes USING", ""), plan
    assert "Seq Scan on minicode_codes" not in plan, plan
    assert "TEMP B-TREE" not in plan, plan
    assert re.search(r"-> +Sort ", plan) is None, plan


def test_a_range_of_days_uses_its_index(big):
    wanted = CodeFilter(APPID, since=NOW, until=NOW + HOUR, order="created_at")
    first, *_ = statements(big, lambda session: code_list.find(session, wanted))
    inner = first[0][first[0].index("(SELECT") + 1 : first[0].index(") AS")]

    assert "ix_minicode_codes_live_created" in plan_of(big, inner, first[1])


def test_a_page_takes_two_statements_and_no_picture(big):
    seen = statements(big, lambda session: code_list.find(session, CodeFilter(APPID, page=3)))

    assert 2 == len(seen)
    assert not any("minicode_code_images" in statement for statement, _ in seen)


def test_counting_stops_at_ten_thousand(big):
    with Session(big, future=True) as session:
        page = code_list.find(session, CodeFilter(APPID))
        last = code_list.find(session, CodeFilter(APPID, page=MANY // 25 - 1))
        filtered = code_list.find(session, CodeFilter(APPID, source="source 7"))

    assert (25, COUNT_LIMIT, False) == (len(page.rows), page.count, page.count_is_exact)
    assert (25, COUNT_LIMIT, False) == (len(last.rows), last.count, last.count_is_exact)
    assert (2_000, True) == (filtered.count, filtered.count_is_exact)
    assert "Code 099999" == page.rows[0].name
    assert "Code 000000" == last.rows[-1].name


def test_suggestions_read_the_latest_codes_only(big):
    (seen,) = statements(big, lambda session: code_list.suggestions(session, APPID))
    plan = plan_of(big, *seen)

    assert "ix_minicode_codes_live_created" in plan
