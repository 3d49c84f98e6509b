"""
The front door of every Flask-AppBuilder host: the only file that knows every room.

Hosts name :class:`MinicodeManager` in ``ADDON_MANAGERS``. Flask-AppBuilder logs and swallows what ``pre_process``,
``register_views`` and ``post_process`` raise, so everything that an operator can get wrong is checked in ``__init__``,
which runs outside that ``try`` (docs/hosts.md). Nothing here asks the database.
"""

from __future__ import annotations

import base64
import logging
from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from flask import Blueprint, Flask, current_app, has_app_context, request
from flask.wrappers import Response
from flask_appbuilder.basemanager import BaseManager

from fab_minicode import hooks, permissions
from fab_minicode.errors import ConfigurationError
from fab_minicode.rest import APIS
from fab_minicode.rest.answering import in_our_shape
from fab_minicode.runtime import EXTENSION, Runtime, exempt
from fab_minicode.settings import PREFIX, Settings, read_settings
from fab_minicode.token_provider import load_provider
from fab_minicode.vault import Vault
from fab_minicode.views import VIEWS, MenuView
from fab_minicode.views.callbacks import BLUEPRINT as WECHAT_DOOR
from fab_minicode.views.callbacks import register_callbacks
from fab_minicode.views.collect import register_collect
from fab_minicode.wechat.client import WeChatClient
from fab_minicode.words import lazy_gettext, register_words

log = logging.getLogger(__name__)

BLUEPRINT = "fab_minicode"


class MinicodeManager(BaseManager):
    """
    Registers settings, views, REST, collector, translations and headers on a Flask-AppBuilder host.

    A host that replaces a view names a subclass in ``ADDON_MANAGERS`` whose ``views`` hold its own (docs/extending.md).
    """

    views: tuple[MenuView, ...] = VIEWS

    def __init__(self, appbuilder: Any) -> None:
        """
        Read and check the settings.

        Raises:
            ConfigurationError: If a setting is unknown, malformed or missing; the host does not start.
        """
        super().__init__(appbuilder)
        self.app = _app_of(appbuilder)
        settings = read_settings(self.app.config)
        _check_menu(settings)
        vault = Vault(settings.secret_keys or (_development_key(self.app, settings),))
        self.app.extensions[EXTENSION] = Runtime(
            settings,
            vault,
            WeChatClient(settings.wechat_api_url),
            load_provider(settings.token_provider),
            hooks.load(f"{PREFIX}AUTHORIZER_SCOPE", settings.authorizer_scope),
            hooks.load(f"{PREFIX}VISITOR_ID", settings.visitor_id),
        )
        self.blueprints: set[str] = {BLUEPRINT}

    def pre_process(self) -> None:
        """Keep Superset from granting our pages to everybody, and bring our files and words."""
        closed = getattr(self.appbuilder.sm, "ADMIN_ONLY_VIEW_MENUS", None)
        if isinstance(closed, set):
            # Superset's Alpha and Gamma get every view menu that is not on this list (docs/hosts.md).
            closed.update(name for name, _ in permissions.VIEW_MENUS)
            # The menu too: an entry that leads to "access denied" is no use to them.
            closed.update((self.app.extensions[EXTENSION].settings.menu_category, *dict(permissions.MENUS)))
        self.app.register_blueprint(
            Blueprint(
                BLUEPRINT,
                __name__,
                template_folder="templates",
                static_folder="static",
                static_url_path=f"/static/{BLUEPRINT}",
            )
        )
        register_words(self.app)

    def register_views(self) -> None:
        """Register what people see, what programs call, and the doors of machines."""
        settings: Settings = self.app.extensions[EXTENSION].settings
        for row in self.views:
            self.blueprints.add(row.view.__name__)
            if row.name:
                self.appbuilder.add_view(
                    row.view,
                    row.name,
                    label=row.label,
                    icon=row.icon,
                    category=settings.menu_category,
                    category_label=lazy_gettext(settings.menu_category),
                    category_icon=settings.menu_icon,
                )
            else:
                self.appbuilder.add_view_no_menu(row.view)
        register_collect(self.appbuilder)
        register_callbacks(self.appbuilder)
        exempt(self.app, frozenset((WECHAT_DOOR,)))
        # Airflow's security manager lacks what Flask-AppBuilder's @protect asks it; every answer would be a 500.
        if hasattr(self.appbuilder.sm, "is_item_public"):
            self._register_rest()

    def _register_rest(self) -> None:
        names = frozenset(api.__name__ for api in APIS)
        for api in APIS:
            self.appbuilder.add_api(api)
        self.blueprints |= names
        exempt(self.app, names)
        self.app.after_request(in_our_shape)

    def post_process(self) -> None:
        """Set headers on our own answers."""
        self.app.after_request(self._secure)

    def _secure(self, response: Response) -> Response:
        if request.blueprint not in self.blueprints:
            return response
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Referrer-Policy", "same-origin")
        if request.endpoint != f"{BLUEPRINT}.static":
            response.headers.setdefault("Cache-Control", "no-store")
            response.vary.add("Cookie")
        return response


def _app_of(appbuilder: Any) -> Flask:
    """Return the application: the current one where there is one, else Flask-AppBuilder 4's ``get_app``."""
    app: Flask = current_app._get_current_object() if has_app_context() else appbuilder.get_app  # type: ignore[attr-defined]
    return app


def _check_menu(settings: Settings) -> None:
    if settings.menu_category in {name for name, _ in permissions.VIEW_MENUS}:
        raise ConfigurationError(
            f"{PREFIX}MENU_CATEGORY must not be the name of a permission: {settings.menu_category}"
        )


def _development_key(app: Flask, settings: Settings) -> str:
    """
    Derive a Fernet key from the host's ``SECRET_KEY``: good enough to try things out, and said loudly.

    Raises:
        ConfigurationError: If a third-party platform is configured (its secrets must outlive ``SECRET_KEY``), or the
            host has no ``SECRET_KEY``.
    """
    if settings.component_appid:
        raise ConfigurationError(f"{PREFIX}SECRET_KEYS is empty; a third-party platform needs keys of its own")
    secret = app.config.get("SECRET_KEY")
    if not secret:
        raise ConfigurationError(f"{PREFIX}SECRET_KEYS is empty and the host has no SECRET_KEY")
    log.warning(
        "%sSECRET_KEYS is empty: secrets are sealed with a key derived from SECRET_KEY. For development only: when "
        "SECRET_KEY changes, every mini program must be connected again. `flask minicode check` prints a key.",
        PREFIX,
    )
    raw = secret if isinstance(secret, bytes) else str(secret).encode("utf-8")
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"fab_minicode development key").derive(raw)
    return base64.urlsafe_b64encode(derived).decode("ascii")
