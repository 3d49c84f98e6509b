"""
Replace a view: this host's people see codes of posters only.

Run: ``flask --app examples/subclass_views.py minicode upgrade``, ``... fab create-admin``, ``... run``. The subclass
keeps the name of its parent, because addresses in templates are made of it. Templates, widgets and forms can be
replaced in the same way; a template of your own in ``templates/fab_minicode/`` goes before ours without any class.
"""

from __future__ import annotations

from typing import Any, ClassVar

from flask import Flask
from flask_appbuilder.models.sqla.filters import FilterEqual
from plain_host import make_app

from fab_minicode import views
from fab_minicode.manager import MinicodeManager


class MinicodeCodesView(views.MinicodeCodesView):
    """The codes whose source is ``poster``; another one is, for everybody here, not there (404)."""

    base_filters: ClassVar = [["utm_source", FilterEqual, "poster"]]


class Manager(MinicodeManager):
    """The add-on with our view in the place of its own."""

    views = tuple(
        row._replace(view=MinicodeCodesView) if row.view is views.MinicodeCodesView else row for row in views.VIEWS
    )


def create_app(**config: Any) -> Flask:
    """Return the host."""
    return make_app(**{"ADDON_MANAGERS": [f"{__name__}.Manager"], **config})
