"""
Our own catalogue of texts for people. It is kept apart from the host's: a host that says "Users" for something else
(Superset does, in Chinese) changes no page of ours, and we none of its.

Templates begin with ``{% set _ = minicode_gettext %}``; modules import ``gettext`` and ``lazy_gettext`` from here.
"""

from __future__ import annotations

import pathlib
from typing import Any

from flask import Flask
from flask_babel import Domain
from markupsafe import Markup

TRANSLATIONS = pathlib.Path(__file__).parent / "translations"
_DOMAIN = Domain([str(TRANSLATIONS)])


def gettext(text: str, /, **values: Any) -> str:
    """Return a text in the language of the current request, ``%(name)s`` filled in."""
    return str(_DOMAIN.gettext(text, **values))


def lazy_gettext(text: str, /, **values: Any) -> Any:
    """Return what becomes :func:`gettext`'s text when it is shown."""
    return _DOMAIN.lazy_gettext(text, **values)


def marked(text: str, /, **values: Any) -> Markup:
    """Return a text for a template: what is filled in is escaped; a percent sign of its own is written twice."""
    return Markup(_DOMAIN.gettext(text)) % values  # noqa: S704 - the catalogue is ours, and % escapes the values


def register_words(app: Flask) -> None:
    """Give our templates their ``_``."""
    app.jinja_env.globals["minicode_gettext"] = marked
