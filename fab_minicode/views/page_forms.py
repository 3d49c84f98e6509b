"""The form that every form of ours is: an empty field holds an empty text, whatever the host did to WTForms."""

from __future__ import annotations

from typing import Any

from flask_wtf import FlaskForm
from markupsafe import Markup
from wtforms import StringField


class _NoToken:
    """What templates write where a token would stand: nothing."""

    def __call__(self, **_attributes: Any) -> Markup:
        return Markup()

    def __html__(self) -> str:
        return ""


class PageForm(FlaskForm):
    """
    A form that keeps what was typed.

    ``csrf_token`` is there on a host with ``WTF_CSRF_ENABLED = False`` as well, where WTForms makes no such field.

    Superset changes WTForms for the whole process (``wtforms_json``): an emptied field gets its default back, which is
    None for most. Here it is what was sent, through the field's filters.
    """

    csrf_token: Any = _NoToken()

    def process(self, *args: Any, **kwargs: Any) -> None:
        """Read what was sent, or the data of a row, into the fields."""
        super().process(*args, **kwargs)
        for field in self:
            if not isinstance(field, StringField):
                continue
            if field.raw_data:
                field.data = field.raw_data[0]
                for change in field.filters:
                    field.data = change(field.data)
            elif field.data is None:
                field.data = ""
