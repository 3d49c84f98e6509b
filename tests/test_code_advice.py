"""What the form says kindly about values that are allowed."""

from __future__ import annotations

import pytest

from fab_minicode.kinds import KINDS, kind_named
from fab_minicode.sandbox import SAMPLE_APPS
from fab_minicode.utm import Utm
from fab_minicode.views import code_advice
from tests import hosts

SHOP = SAMPLE_APPS[0].appid
USED = {"utm_source": ["Weixin", "poster"], "utm_campaign": ["秋季"]}


@pytest.mark.parametrize(
    ("text", "before"), [("weixin", "Weixin"), ("ＷＥＩＸＩＮ", "Weixin"), ("Wei-xin", "Weixin"), ("POSTER", "poster")]
)
def test_another_spelling_of_a_value_used_before_is_noticed(app, text, before):
    with app.test_request_context():
        found = code_advice.advice(Utm(text), USED, KINDS[0])

    assert {"utm_source": before} == {field: one.better for field, one in found.items()}


def test_an_ampersand_is_noticed_where_the_path_carries_it(app):
    utm = Utm("a & b", "秋季")
    with app.test_request_context():
        found = {kind.name: code_advice.advice(utm, USED, kind) for kind in KINDS}

    assert {"wxacode": 1, "wxaqrcode": 1, "wxacode_unlimited": 0} == {name: len(one) for name, one in found.items()}
    assert "GrowingIO" in found["wxacode"]["utm_source"].sentence


@pytest.mark.parametrize("utm", [Utm("Weixin", "秋季"), Utm("radio"), Utm("")])
def test_new_words_and_words_used_before_are_left_alone(app, utm):
    with app.test_request_context():
        assert {} == code_advice.advice(utm, USED, kind_named("wxacode"))


def test_without_scripts_the_notice_comes_with_the_answer(app, client):
    hosts.connect(app)
    hosts.login(client, "creator")
    same = {"appid": SHOP, "landing_page": "pages/a", "kind": "wxacode_unlimited", "width": "430", "colour": "black"}

    def make(**fields):
        sent = {"csrf_token": hosts.csrf_token(client), **same, **fields}
        return client.post("/minicode/codes/add", data=sent, follow_redirects=True).get_data(as_text=True)

    make(name="one", utm_source="Weixin")
    notice = "Earlier codes use “Weixin”. “weixin” would be counted as another value."

    assert notice in make(name="", utm_source="weixin ")
    assert "Earlier codes use" not in make(name="two", utm_source="Weixin")
    assert notice in make(name="three", utm_source="weixin")
