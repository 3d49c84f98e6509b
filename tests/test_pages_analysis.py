"""The analysis page as the server renders it: the answer's numbers, links that carry questions, honest empty states."""

from __future__ import annotations

import datetime as dt
import html
import json
import re
from html.parser import HTMLParser
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from flask_appbuilder.models.sqla.filters import FilterEqual
from sqlalchemy import update
from sqlalchemy.orm import Session

from fab_minicode.acquisition import dimensions, metrics, query
from fab_minicode.acquisition.question import parse, to_args
from fab_minicode.acquisition.scenes import SCENE_NAMES
from fab_minicode.models import Code, SavedSegment
from fab_minicode.runtime import EXTENSION
from fab_minicode.views import analysis_words as words
from fab_minicode.views.analysis import MinicodeAnalysisView
from tests import hosts, stories
from tests.traffic import Visit, bring

PAGE = "/minicode/analysis/"
EVIL = '<script>alert("1")</script>'


class Tables(HTMLParser):
    """Reads the text of a page's table cells, and the addresses of the links in its rows, row by row."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.links, self._cell = [], [], None
        self.feed(page[page.index("<table") : page.index("</table>")])

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._cell = []
        elif tag == "a" and "mca-sort" not in dict(attrs).get("class", ""):
            self.links.append(dict(attrs)["href"])
            self._cell.append("")

    def handle_data(self, data):
        if self._cell is not None:
            self._cell.append(data.strip())

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(next((text for text in self._cell if text), ""))
            self._cell = None


@pytest.fixture
def now():
    return dt.datetime.now(dt.timezone.utc)


@pytest.fixture
def settings(app):
    return app.extensions[EXTENSION].settings


@pytest.fixture
def engine(app):
    return hosts.engine_of(app)


@pytest.fixture
def shop(app, engine):
    """The id of a mini program that nobody has opened yet."""
    with Session(engine, future=True) as session:
        row = stories.authorizer()
        session.add(row)
        session.commit()
        return row.id


VISITS = (
    *(Visit(f"p{n}", 2, "poster", "autumn") for n in range(12)),
    *(Visit(f"p{n}", 3, "poster", "autumn") for n in range(5)),
    *(Visit(f"f{n}", 1, "flyer & co", scene="1011") for n in range(4)),
    *(Visit(f"n{n}", 1, "", scene="1089") for n in range(3)),
    *(Visit(f"t{n}", 0, "poster") for n in range(2)),
    *(Visit(f"b{n}", 9, "poster") for n in range(8)),
    Visit("evil", 4, EVIL),
)


@pytest.fixture
def busy_shop(engine, shop, settings, now):
    bring(engine, VISITS, authorizer_id=shop, settings=settings, now=now)
    return shop


@pytest.fixture
def reader(client):
    return hosts.login(client, "viewer")


def asked(**changed):
    """A question as docs/api.md writes it."""
    question = {
        "appid": stories.APPID,
        "metrics": ["users", "visits"],
        "dimensions": [],
        "filters": [],
        "window": {"last_days": 7},
        "granularity": "day",
        "compare": "previous",
    }
    return question | changed


def get(client, question=None, **more):
    """Open the page with a question as a shared link carries it; returns the HTML."""
    args = dict(to_args(parse(question))) if question else {}
    answer = client.get(PAGE, query_string={**args, **more})

    assert 200 == answer.status_code
    return answer.get_data(as_text=True)


def payload(page):
    """What the chart draws."""
    return json.loads(re.search(r'id="mca-chart-data"[^>]*>(.*?)</script>', page, re.DOTALL)[1])


def figures(page):
    """The big numbers."""
    return re.findall(r"<strong>([\d,]+)</strong>", page)


def test_every_sentence_about_numbers_is_there_for_translators(app):
    said = [metric.definition for metric in metrics.METRICS]
    for table in (metrics.EVENT_DEFINITIONS, metrics.ATTRIBUTIONS, metrics.SEGMENTS):
        said += table.values()
    said.append(metrics.SAVED_SEGMENT)
    said += [dimension.description for dimension in dimensions.DIMENSIONS]

    with app.test_request_context():
        assert said == [str(sentence) for sentence in words.SENTENCES]


def test_every_dimension_segment_attribution_and_operator_has_words():
    assert set(dimensions.NAMES) == set(words.DIMENSIONS)
    assert set(dimensions.OPERATORS) == set(words.OPERATORS)
    assert set(metrics.ATTRIBUTIONS) == set(words.ATTRIBUTIONS)
    assert set(metrics.SEGMENTS) == set(words.SEGMENTS)
    assert {metric.name for metric in metrics.METRICS} == set(words.METRICS)


def test_every_entry_scene_has_words(app):
    with app.test_request_context():
        assert SCENE_NAMES == {number: str(name) for number, name in words.SCENES.items()}


# ------------------------------------------------------------------------------------------------------------- numbers


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"dimensions": ["utm_source"], "granularity": "total"},
        {"dimensions": ["utm_source"], "granularity": "total", "metrics": ["new_users", "visits", "users"]},
        {"dimensions": ["utm_source"]},
        {"window": "today"},
        {"attribution": "first", "filters": [{"dimension": "utm_source", "op": "contains", "value": "post"}]},
    ],
)
def test_the_table_holds_the_numbers_of_the_answer(reader, answered, changed):
    answer = answered(asked(**changed))
    names = [column["name"] for column in answer["columns"] if column["role"] == "metric"]

    table = Tables(get(reader, asked(**changed))).rows
    body = [row for row in table[1:] if not row[0].startswith("All")]

    assert answer["rows"]
    assert [[str(row[name]) for name in names] for row in answer["rows"]] == [row[-len(names) :] for row in body]
    assert [str(answer["totals"][name]) for name in names] == table_totals(table)[-len(names) :]


def table_totals(table):
    return next(row for row in table if row[0] == "All, counted once")


def test_the_page_opens_with_the_users_ads_brought_in_the_last_seven_complete_days(reader, busy_shop, settings, now):
    page = get(reader)
    until = now.astimezone(settings.zone).date() - dt.timedelta(days=1)

    assert ["17"] == figures(page)
    assert "before: 8" in page
    assert str(until.year) in page
    assert f"{until:%b} {until.day}" in page
    assert "Users · by day" in page


def test_the_chart_draws_every_day_of_the_window_and_zeros_where_nobody_came(reader, busy_shop):
    drawn = payload(get(reader, asked(metrics=["users"])))

    assert "line" == drawn["chart"]
    assert [0, 0, 0, 1, 5, 12, 7] == drawn["series"][0]["values"]
    assert 7 == len(drawn["labels"]) == len(drawn["links"][0])
    assert drawn["partial"] is None


def test_a_day_that_is_not_over_is_marked(reader, busy_shop):
    page = get(reader, asked(window="today", metrics=["users"]))

    assert 0 == payload(page)["partial"]
    assert "not over yet" in page
    # Half a day is not compared with a whole one.
    assert "mca-change-" not in page


def test_missing_values_and_entry_scenes_are_in_words(reader, busy_shop):
    by_source = Tables(get(reader, asked(dimensions=["utm_source"], granularity="total"))).rows
    by_scene = Tables(get(reader, asked(dimensions=["scene"], granularity="total"))).rows

    assert "(not set)" in [row[0] for row in by_source]
    assert {"Scan of a mini program code", "Scan of a QR code"} <= {row[0] for row in by_scene}


def test_a_deleted_code_keeps_its_name_in_reports_and_is_marked(reader, engine, shop, settings, now):
    with Session(engine, future=True) as session:
        code = code_row(shop)
        session.add(code)
        session.commit()
        key, page_path = code.short_key, code.page
    bring_by_code(engine, shop, key, page_path, settings=settings, now=now)
    with engine.begin() as connection:
        connection.execute(update(Code).values(deleted_at=now, deleted_by_id="7", deleted_by="Wang Li"))

    page = get(reader, asked(dimensions=["code"], granularity="total"))

    assert "Poster at gate 1" in [row[0] for row in Tables(page).rows]
    (link,) = re.findall(r'<a class="mc-badge" href="([^"]+)">deleted</a>', page)

    assert 200 == reader.get(link).status_code


@pytest.mark.parametrize(("limit", "is_there"), [(1, True), (10, False)])
def test_others_have_a_row_only_where_the_limit_leaves_some_out(reader, busy_shop, limit, is_there):
    page = get(reader, asked(dimensions=["utm_source"], granularity="total", limit=limit))

    assert is_there == ("All others" in page)


def test_the_chosen_split_is_explained(reader, busy_shop):
    page = get(reader, asked(dimensions=["scene"]))

    assert "WeChat's number of the way into the mini program." in page
    assert re.search(r'id="mca-split-note"[^>]* hidden', get(reader, asked()))


@pytest.fixture
def answered(engine, busy_shop, settings, now):
    """What the query core answers to a question."""

    def count(question):
        with engine.connect() as connection:
            return query.answer(connection, parse(question), settings=settings, now=now).as_json()

    return count


def code_row(authorizer_id):
    return Code(
        authorizer_id=authorizer_id,
        name="Poster at gate 1",
        kind="wxacode_unlimited",
        state="ready",
        landing_page="pages/index/index",
        page="pages/index/index",
        short_key="gate1",
        match_key="0" * 32,
        utm_source="poster",
        options='{"width": 430}',
        search_text="poster at gate 1",
        created_at=stories.NOW,
        created_by_id="7",
        created_by="Wang Li",
        changed_at=stories.NOW,
        changed_by_id="7",
        changed_by="Wang Li",
    )


def bring_by_code(engine, shop, key, page_path, *, settings, now):
    bring(engine, [Visit("c1", 1, page=page_path, key=key)], authorizer_id=shop, settings=settings, now=now)


# --------------------------------------------------------------------------------------------------------------- links


def test_a_row_can_be_filtered_to_without_scripts(reader, busy_shop):
    table = Tables(get(reader, asked(dimensions=["utm_source"], granularity="total", metrics=["users"])))
    place = [row[0] for row in table.rows].index("flyer & co")

    narrowed = reader.get(table.links[place - 1]).get_data(as_text=True)

    assert ["4"] == figures(narrowed)
    assert "Users · by day" in narrowed
    assert 'value="flyer &amp; co"' in narrowed


def test_the_form_leads_to_an_address_that_can_be_shared(reader, busy_shop):
    sent = {"form": "1", "appid": stories.APPID, "metric": ["users", "visits"], "window": "14", "split": "utm_source"}
    sent |= {"granularity": "total", "attribution": "entry", "dimension": ["utm_source", ""], "op": ["set", "eq"]}
    sent |= {"value": ["", ""], "limit": "50", "chart": "column"}

    led = reader.get(PAGE, query_string=sent)
    shared = reader.get(led.location).get_data(as_text=True)

    assert 302 == led.status_code
    assert "form" not in parse_qs(urlsplit(led.location).query)
    assert "column" == payload(shared)["chart"]
    for name in (
        "metric-users",
        "metric-visits",
        "granularity-total",
        "attribution-entry",
        "chart-column",
    ):
        assert re.search(rf'id="mca-{name}"[^>]*checked', shared), name
    assert re.search(r'id="mca-metric-new_users"(?![^>]*checked)', shared)
    assert '<option value="14" selected>' in shared


def test_the_part_that_scripts_ask_for_is_the_page_without_the_layout(reader, busy_shop):
    part = get(reader, asked(), part="page")

    assert part.lstrip().startswith('<div id="mca-root"')
    assert "<html" not in part
    assert "part=" not in re.search(r'data-url="([^"]*)"', part)[1]


# -------------------------------------------------------------------------------------------------- the whole question


def test_every_choice_of_the_form_reaches_the_answer(reader, busy_shop):
    sent = {"form": "1", "appid": stories.APPID, "metric": ["users", "visits_per_user"], "window": "last_week"}
    sent |= {"event": ["order_paid", ""], "as": ["conversion", "users"], "split": ["scene", "utm_source", ""]}
    sent |= {"granularity": "total", "segment": ["new", "returning"], "compare": "week_earlier", "attribution": "first"}

    led = parse_qs(urlsplit(reader.get(PAGE, query_string=sent).location).query, keep_blank_values=True)

    assert ["users", "visits_per_user", "order_paid.conversion"] == led["metric"]
    assert (["scene", "utm_source"], ["new", "returning"]) == (led["by"], led["segment"])
    assert (["last_week"], ["week_earlier"], ["first"]) == (led["window"], led["compare"], led["attribution"])


def test_attributions_stand_side_by_side_with_the_numbers_of_each(reader, answered, busy_shop):
    question = asked(dimensions=["utm_source"], granularity="total", metrics=["users", "visits"])
    table = Tables(get(reader, question, beside="1")).rows
    rows = {row[0]: row[1:] for row in table[1:]}

    for place, attribution in enumerate(("last", "entry", "first")):
        answer = answered(question | {"attribution": attribution})
        for row in answer["rows"]:
            mine = rows[row["utm_source"] or "(not set)"]

            assert [str(row["users"]), str(row["visits"])] == [mine[place], mine[3 + place]]
        assert str(answer["totals"]["users"]) == rows["All, counted once"][place]
    assert ["Users · Last touch", "Users · This visit"] == table[0][1:3]


def test_a_row_says_how_it_changed(reader, busy_shop):
    page = get(reader, asked(dimensions=["utm_source"], granularity="total", metrics=["users"]))

    # Twelve people came by posters in the window, eight in the days before.
    assert re.search(r'12</span> <span class="mca-cell-change mca-change-up">\+50%', page)
    assert "higher than before" in page


def test_numbers_have_their_course_and_the_open_day_is_dashed(reader, busy_shop):
    drawn = get(reader, asked(granularity="total", window="today", metrics=["users"]), chart="number")
    week = get(reader, asked(granularity="total", metrics=["users", "visits"]), chart="number")

    assert "mca-spark" not in drawn
    assert 2 == week.count('class="mca-spark"')
    assert 'class="is-open"' not in week
    assert payload(week) is None


@pytest.mark.parametrize(
    ("chart", "changed", "said"),
    [
        ("line", {"granularity": "total"}, "A line needs a course over time"),
        ("bubble", {"metrics": ["users"]}, "Bubbles need two or three numbers"),
        ("bubble", {"granularity": "total"}, "Bubbles need something to compare"),
        ("column", {"granularity": "total"}, "Columns and bars need something to stand beside"),
        ("column", {"dimensions": ["utm_source"]}, "People are not stacked"),
        ("bar", {"segments": ["new", "returning"]}, "Groups of visitors overlap"),
    ],
)
def test_a_chart_that_does_not_suit_says_what_it_needs(reader, busy_shop, chart, changed, said):
    assert said in get(reader, asked(**changed), chart=chart, stack="stacked")


def test_a_chart_that_stood_there_by_itself_makes_way_for_the_one_that_suits_the_next_question(reader, busy_shop):
    shown = get(reader, asked())
    fields = {"form": "1", "appid": stories.APPID, "metric": "users", "window": "7", "granularity": "total"}
    fields |= {"split": "utm_source", "natural": re.search(r'name="natural" value="(\w+)"', shown)[1]}
    led = reader.get(PAGE, query_string={**fields, "chart": "line"}).location
    wished = reader.get(PAGE, query_string={**fields, "chart": "bubble"}).location

    assert "line" == fields["natural"] == payload(shown)["chart"]
    assert "chart=" not in led
    assert "bar" == payload(reader.get(led).text)["chart"]
    assert "chart=bubble" in wished
    beside = get(reader, asked(), beside="1")
    assert "A line needs" not in beside


def test_visits_are_stacked_and_people_are_not(reader, busy_shop):
    visits = payload(get(reader, asked(dimensions=["utm_source"], metrics=["visits"]), chart="column", stack="share"))
    people = payload(get(reader, asked(dimensions=["utm_source"], metrics=["users"]), chart="column", stack="share"))

    assert ("share", "") == (visits["stack"], people["stack"])


def test_bubbles_have_a_place_for_every_row(reader, busy_shop):
    drawn = payload(get(reader, asked(dimensions=["utm_source"], granularity="total"), chart="bubble"))

    assert ["Users", "Visits"] == [axis["name"] for axis in drawn["axes"]]
    assert {"poster": [12, 17]}.items() <= {one["name"]: one["values"] for one in drawn["points"]}.items()
    assert all(one["link"] for one in drawn["points"])


def test_the_filter_that_empties_an_answer_can_be_left_out(reader, busy_shop):
    filters = [
        {"dimension": "utm_source", "op": "eq", "value": "poster"},
        {"dimension": "utm_campaign", "op": "eq", "value": "nobody"},
    ]
    page = get(reader, asked(filters=filters))
    (link,) = re.findall(r'<a href="([^"]+)" data-ask>Without “Campaign is nobody”</a>', page)

    relieved = reader.get(link.replace("&amp;", "&")).get_data(as_text=True)

    assert ["12", "17"] == figures(relieved)


def test_the_sql_of_the_page_counts_what_the_page_says(reader, engine, busy_shop):
    page = get(reader, asked(metrics=["users", "visits"]), recount="1")
    scripts = [html.unescape(one) for one in re.findall(r'<pre id="mca-script-\d+"[^>]*>(.*?)</pre>', page, re.DOTALL)]

    with engine.connect() as connection:
        counted = [str(connection.exec_driver_sql(one.replace("%", "%%")).scalar()) for one in scripts]

    assert figures(page) == counted


def test_saved_segments_can_be_chosen(reader, engine, shop, busy_shop, now):
    who = {"created_at": now, "created_by_id": "7", "created_by": "Wang Li"}
    who |= {"changed_at": now, "changed_by_id": "7", "changed_by": "Wang Li"}
    poster = {"dimension": "utm_source", "op": "eq", "value": "poster"}
    condition = {"match": "all", "conditions": [{"kind": "first_touch", "filters": [poster]}]}
    with Session(engine, future=True) as session:
        row = SavedSegment(authorizer_id=shop, name="By poster", conditions=json.dumps(condition), **who)
        session.add(row)
        session.commit()
        name = f"segment:{row.id}"

    page = get(reader, asked(metrics=["users"], segments=["all", name], granularity="total"))

    assert re.search(rf'value="{name}" id="mca-segment-{name}" checked', page)
    assert "Users · By poster" in page


def test_tabs_lead_to_the_pages_that_this_host_has(reader, busy_shop):
    page = get(reader)
    tabs = re.search(r'<nav class="mca-tabs".*?</nav>', page, re.DOTALL)
    found = re.findall(r'<a href="([^"]+)"', tabs[0]) if tabs else []

    assert not tabs or 'aria-current="page">Events' in tabs[0]
    for url in found:
        assert 200 == reader.get(url, follow_redirects=True).status_code, url


# -------------------------------------------------------------------------------------------------------- empty states


def test_without_a_mini_program_the_page_says_what_comes_first(reader):
    page = get(reader)

    assert "No mini program yet" in page
    assert "/minicode/authorizers/list/" in page


def test_before_the_first_visit_the_page_says_how_to_install_the_tracker(reader, shop):
    page = get(reader)

    assert "No visits have arrived yet" in page
    assert "/minicode/authorizers/list/" in page
    assert "<table" not in page
    assert payload(page) is None


def test_filters_that_leave_nothing_over_say_what_is_there_without_them(reader, busy_shop):
    page = get(reader, asked(filters=[{"dimension": "utm_term", "op": "eq", "value": "nobody"}]))

    assert "The filters leave nothing over" in page
    assert "Users 20, Visits 25" in page


def test_a_window_without_visits_offers_a_longer_one(reader, busy_shop, now):
    page = get(reader, asked(window={"since": "2026-01-05", "until": "2026-01-06"}))

    assert "Nothing in these days" in page
    assert "Look at the last 90 days" in page


# ------------------------------------------------------------------------------------------------------- bad questions


def test_a_window_that_ends_before_it_begins_is_refused_beside_the_field(reader, busy_shop):
    sent = {"form": "1", "metric": "users", "window": "free", "since": "2026-11-20", "until": "2026-11-10"}
    page = reader.get(PAGE, query_string=sent).get_data(as_text=True)

    problem = re.search(r'id="mca-problem-window"[^>]*>([^<]+)<', page)

    assert "Choose two days" in problem[1]
    assert 'value="2026-11-20"' in page


def test_a_question_that_counts_nothing_is_refused_beside_the_field(reader, busy_shop):
    page = reader.get(PAGE, query_string={"form": "1", "window": "7"}).get_data(as_text=True)

    assert "Choose at least one number to count." in page


ODD = (
    "", "0", "-1", "9" * 40, "null", "\x00", "\ufffd", "é" * 3000, "{", '{"a":', "1e999", "2026-02-31", "..",
    "2026-11-20..2026-11-01", "0001-01-01..9999-12-31", "%%", "'; --", "code:eq:#99999999999", "code:in:#1,x", EVIL,
)  # fmt: skip
FIELDS = (
    "form", "metric", "by", "where", "segment", "window", "since", "until", "split", "granularity", "attribution",
    "dimension", "op", "value", "compare", "limit", "chart", "part", "unknown",
    "event", "as", "stack", "beside", "recount",
)  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_nothing_in_the_query_string_breaks_the_page(reader, busy_shop, field):
    linked = dict(to_args(parse(asked(dimensions=["code"]))))
    sent = {"form": "1", "metric": "users", "window": "free", "dimension": "code", "op": "in", "value": "x"}
    base = linked if field in ("by", "where", "compare", "part", "unknown", "chart", "beside", "recount") else sent
    for odd in ODD:
        answer = reader.get(PAGE, query_string={**base, field: odd}, follow_redirects=True)

        assert 200 == answer.status_code, (field, odd)
        assert EVIL not in answer.get_data(as_text=True)


def test_values_that_people_typed_are_never_markup(reader, busy_shop):
    page = get(reader, asked(dimensions=["utm_source"], granularity="total"))

    assert EVIL not in page
    assert EVIL in payload(page)["labels"]


def test_a_mini_program_that_is_not_there_is_not_found(reader, busy_shop):
    assert 404 == reader.get(PAGE, query_string={"appid": "wxffffffffffffffff"}).status_code


# --------------------------------------------------------------------------------------------------------- who and how


def test_who_may_not_read_numbers_is_sent_away(client, busy_shop):
    stranger = client.get(PAGE)
    nobody = hosts.login(client, "nobody").get(PAGE)

    assert (302, "/login/") == (stranger.status_code, urlsplit(stranger.location).path)
    assert nobody.status_code in (302, 403)


def test_the_page_carries_headers_and_only_external_scripts(reader, busy_shop):
    answer = reader.get(PAGE)
    ours = answer.get_data(as_text=True).partition('class="minicode"')[2]

    assert "no-store" == answer.headers["Cache-Control"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    assert all("src=" in tag or "application/json" in tag for tag in re.findall(r"<script[^>]*>", ours))
    assert " style=" not in ours.partition("</section>")[0]


def test_in_chinese_the_page_speaks_the_words_of_its_users(reader, busy_shop):
    with reader.session_transaction() as session:
        session["locale"] = "zh"
    page = get(reader, asked(dimensions=["utm_source"], granularity="total"))
    definitions = re.findall(r'title="([^"]*)"', page)

    assert not [text for text in definitions if "window that pass" in text]
    assert "在时间范围内" in "".join(definitions)
    assert {"广告来源", "不适用", "访问用户", "打开次数"} <= set(re.findall(r"[\u4e00-\u9fff]+", page))
    assert re.search(r"20\d\d年\d+月\d+日", page)


def test_another_mini_program_can_be_chosen(reader, engine, busy_shop):
    with Session(engine, future=True) as session:
        session.add(stories.authorizer("wx00000000000000aa", nick_name="Book club", collect_key="other"))
        session.commit()

    page = get(reader, asked(appid="wx00000000000000aa"))

    assert "Tea house" in page
    assert re.search(r'value="wx00000000000000aa" selected', page)
    assert "No visits have arrived yet" in page


class TeaHouseAnalysisView(MinicodeAnalysisView):
    """A host's own view: the numbers of one mini program."""

    route_base = "/tea"
    authorizer_filters: ClassVar = [["appid", FilterEqual, stories.APPID]]


def test_a_hosts_view_of_one_mini_program_knows_no_other(app, reader, engine, busy_shop):
    with app.app_context():
        app.extensions["appbuilder"].add_view_no_menu(TeaHouseAnalysisView)
    with Session(engine, future=True) as session:
        session.add(stories.authorizer("wx00000000000000aa", nick_name="Book club", collect_key="other"))
        session.commit()

    html = reader.get("/tea/").get_data(as_text=True)

    assert "Tea house" in html
    assert "Book club" not in html
    assert 404 == reader.get("/tea/?appid=wx00000000000000aa").status_code
