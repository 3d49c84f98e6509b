"""Forms on hosts that changed WTForms for the whole process, as Superset does."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
from flask import Flask
from flask_wtf import FlaskForm
from werkzeug.datastructures import MultiDict
from wtforms import Field, StringField

from fab_minicode import views
from fab_minicode.views.code_forms import CodeForm
from fab_minicode.views.page_forms import PageForm
from tests.pages import FIELDS


@pytest.fixture
def like_superset(monkeypatch):
    """What ``wtforms_json.init()`` does to an empty text field after WTForms read it."""
    original = Field.process

    def process(self, formdata, *args, **kwargs):
        original(self, formdata, *args, **kwargs)
        if isinstance(self, StringField) and not self.data:
            self.data = self.default

    monkeypatch.setattr(Field, "process", process)


def test_every_form_of_ours_keeps_what_was_typed():
    forms = set()
    for module in pkgutil.iter_modules(views.__path__, f"{views.__name__}."):
        found = vars(importlib.import_module(module.name)).values()
        forms |= {one for one in found if isinstance(one, type) and issubclass(one, FlaskForm)}

    assert CodeForm in forms
    assert {FlaskForm} >= {form for form in forms if not issubclass(form, PageForm)}


@pytest.mark.usefixtures("like_superset")
@pytest.mark.parametrize("field", ["utm_medium", "remark", "width", "name", "kind"])
def test_an_emptied_field_is_empty_and_not_its_default(field):
    app = Flask("plain")
    app.config["SECRET_KEY"] = "for the token"
    with app.test_request_context():
        form = CodeForm(MultiDict({**FIELDS, field: "  "}), meta={"csrf": False})

        assert "" == form[field].data.strip()
        assert FIELDS["landing_page"] == form.landing_page.data


@pytest.mark.usefixtures("like_superset")
def test_a_form_that_was_not_sent_shows_the_defaults_and_no_none():
    app = Flask("plain")
    app.config["SECRET_KEY"] = "for the token"
    with app.test_request_context():
        form = CodeForm(meta={"csrf": False})

        assert ("430", "", "wxacode") == (form.width.data, form.remark.data, form.kind.data)
