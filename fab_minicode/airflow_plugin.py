"""
The front door of Apache Airflow 3: the same manager, in the Flask application that Airflow mounts at ``/pluginsv2``.

Airflow finds :class:`MinicodePlugin` by its entry point in every one of its processes, so nothing here imports the
pages before a web server asks for them. Settings (``FAB_MINICODE_*``) stand in ``webserver_config.py``. What differs
from other hosts is told in docs/hosts.md.
"""

from __future__ import annotations

import importlib.util
from typing import Any, Final

from airflow.plugins_manager import AirflowPlugin
from flask import Blueprint, Flask
from flask.blueprints import BlueprintSetupState

MOUNT = "/pluginsv2"
"""Where Airflow 3 serves the Flask part of plugins."""

_FAB = "airflow.providers.fab"
_AUTH_MANAGER = f"{_FAB}.auth_manager.fab_auth_manager.FabAuthManager"


def has_people() -> bool:
    """
    Whether this Airflow knows people by Flask-AppBuilder's roles.

    Without the FAB provider a Flask part would keep Airflow's web server from starting; with another auth manager
    nobody would be logged in there.
    """
    from airflow.configuration import conf

    try:
        found = importlib.util.find_spec(_FAB)
    except ModuleNotFoundError:  # no provider at all
        return False
    return found is not None and conf.get("core", "auth_manager") == _AUTH_MANAGER


def front_door() -> Blueprint:
    """Return a blueprint without pages; being registered, it brings the whole add-on into the application."""
    door = Blueprint("fab_minicode_airflow", __name__)
    door.record(_enter)
    return door


def _enter(state: BlueprintSetupState) -> None:
    from fab_minicode.manager import MinicodeManager
    from fab_minicode.runtime import EXTENSION

    app: Any = state.app
    appbuilder = app.extensions["appbuilder"]
    if not appbuilder.enable_plugins:
        return  # an application of Airflow's command line, without pages and with a session interface to come
    if EXTENSION in app.extensions:
        return  # an operator named the manager in ADDON_MANAGERS as well
    _share_the_login(app)
    appbuilder.bm.register_views()  # /lang/<language>, which Airflow leaves out
    manager = MinicodeManager(appbuilder)
    manager.pre_process()
    manager.register_views()
    manager.post_process()
    appbuilder.addon_managers[f"{MinicodeManager.__module__}.{MinicodeManager.__name__}"] = manager


def _share_the_login(app: Flask) -> None:
    """Read sessions where the login page writes them: Airflow leaves it out here, and everybody would be logged out."""
    from airflow.providers.fab.www.extensions import init_session

    init_session.init_airflow_session_interface(app, app.extensions["sqlalchemy"])
    # Providers that cap how long a login lasts do so by a hook of their own.
    cap = getattr(init_session, "init_session_max_lifetime", None)
    if cap is not None:
        cap(app)


def menu_items() -> list[dict[str, str]]:
    """Return our entries of Airflow's menu; its pages ask for the permission, the menu does not."""
    pages = (("codes/list/", "Codes"), ("analysis/", "Event analysis"), ("authorizers/list/", "Mini programs"))
    return [{"name": name, "category": "browse", "href": f"{MOUNT}/minicode/{page}"} for page, name in pages]


def create_app() -> Flask:
    """
    Return the application that the pages live in, for commands: ``FLASK_APP=fab_minicode.airflow_plugin:create_app``.
    """
    from airflow.providers.fab.www.app import create_app as create

    app: Flask = create(enable_plugins=True)
    return app


class MinicodePlugin(AirflowPlugin):
    """Pages and collector; Airflow's security manager cannot protect REST, so there is none."""

    name = "fab_minicode"
    flask_blueprints: Final = [front_door()] if has_people() else []
    appbuilder_menu_items: Final = menu_items() if has_people() else []
