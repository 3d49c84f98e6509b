"""Mini programs as people see them: which ones let us act, what their trackers must be told, connect, revoke."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from flask import Response, abort, flash, redirect, request, url_for
from flask_appbuilder import ModelView, expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from sqlalchemy.orm import Session
from wtforms import PasswordField, StringField

from fab_minicode import authorizers, permissions, teams
from fab_minicode.errors import InvalidInput, SecretRejected, WeChatError
from fab_minicode.models import Authorizer
from fab_minicode.runtime import now, runtime
from fab_minicode.scope import forget, scope
from fab_minicode.vault import Secret
from fab_minicode.views import code_words, messages
from fab_minicode.views.authorizing import REFERRER_POLICY, AuthorizingMixin, address_in, public_address
from fab_minicode.views.callbacks import door
from fab_minicode.views.code_forms import stripped
from fab_minicode.views.noted_errors import noted
from fab_minicode.views.page_forms import PageForm
from fab_minicode.views.pages import actor, row_id, signed_in
from fab_minicode.views.teams import TeamsMixin
from fab_minicode.wechat.component import is_appid
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l


class ConnectForm(PageForm):
    """AppID and AppSecret; the secret is never written back into a page."""

    appid = StringField(_l("AppID"), filters=[stripped])
    secret = PasswordField(_l("AppSecret"), filters=[stripped])
    nick_name = StringField(_l("Name"), filters=[stripped])


class RevokeForm(PageForm):
    """The AppID typed once more, because what follows cannot be clicked away again."""

    confirmation = StringField(_l("AppID"), filters=[stripped])


@dataclass(frozen=True)
class Snippet:
    """What somebody pastes into a mini program: for which tracker, in a word, and the text."""

    name: str
    title: Any
    text: str


class MinicodeAuthorizersView(AuthorizingMixin, TeamsMixin, ModelView):
    """The mini programs. Hosts may subclass it; only the routes below exist."""

    route_base = "/minicode/authorizers"
    class_permission_name = permissions.AUTHORIZERS
    method_permission_name = permissions.AUTHORIZERS_METHODS
    base_permissions = list(permissions.AUTHORIZERS_PERMISSIONS)
    include_route_methods = {
        "list", "show", "connect", "revoke", "leave", "back", "head_image", "rotate_key", "roles", "hand_over",
    }  # fmt: skip
    datamodel = SQLAInterface(Authorizer)
    list_title, show_title = _l("Mini programs"), _l("Mini program")
    connect_title = _l("Connect a mini program")
    list_columns = search_columns = show_columns = ["nick_name", "appid", "status"]
    add_columns = edit_columns = ["nick_name"]
    add_form, edit_form = ConnectForm, RevokeForm
    list_template, show_template = "fab_minicode/authorizer_list.html", "fab_minicode/authorizer_show.html"
    connect_template, revoke_template = "fab_minicode/authorizer_connect.html", "fab_minicode/authorizer_revoke.html"

    def __init__(self, **kwargs: Any) -> None:
        # One interface per host: it remembers the session of the host it was first registered on.
        self.datamodel = SQLAInterface(Authorizer)
        super().__init__(**kwargs)

    @expose("/list/")
    @has_access
    def list(self) -> str:
        """Show every mini program with its state, its quota and what its tracker must be told."""
        programs = self.mini_programs()
        at = now()
        told = {one.id: snippets(one, at) for one in programs}
        self._run_errands()
        may = self.may()
        return self.page(
            self.list_template, at=at, title=self.list_title, programs=programs, snippets=told, words=code_words,
            secure=_is_secure(), domain=_request_domain(), may=may, unreadable=_unreadable(programs),
            health=self.health(at) if may.authorize else None, noted=noted,
        )  # fmt: skip

    @expose("/show/<pk>")
    @has_access
    def show(self, pk: str) -> str:
        """Show one mini program."""
        at = now()
        one = self.authorizer(pk)
        self._run_errands()
        return self.page(
            self.show_template, at=at, title=self.show_title, one=one, told=snippets(one, at), words=code_words,
            secure=_is_secure(), domain=_request_domain(), retired=authorizers.retired_keys(self.db, one, at),
            team=teams.roles_of(self.db, one.id), has_teams=runtime().who_knows is None,
            sets=authorizers.sets_of(one), named_address=address_in(one.last_error), unreadable=_unreadable([one]),
            noted=noted,
        )  # fmt: skip

    @expose("/connect", methods=["GET", "POST"])
    @has_access
    @signed_in
    def connect(self) -> Any:
        """
        Show the way to WeChat's page, where the mini program's administrator authorises us; or connect a mini program
        by its AppID and AppSecret: WeChat is asked for a token, which proves them.
        """
        at = now()
        form = self.add_form()
        faults: dict[str, str] = {}
        trouble: WeChatError | None = None
        if request.method != "POST":  # HEAD, too
            form.appid.data = request.args.get("appid", "")[:40]
        elif form.validate():
            try:
                return self._connected(form)
            except InvalidInput as error:
                faults = {error.field: messages.refusal(error)}
            except SecretRejected as error:
                faults, trouble = {"secret": messages.sentence(error)}, error
            except WeChatError as error:
                trouble = error
            self.db.rollback()
        appid = form.appid.data if is_appid(form.appid.data or "") else ""
        page = self.page(
            self.connect_template, at=at, title=self.connect_title, form=form, faults=faults, trouble=trouble,
            explained=messages.explained_error(trouble) if trouble else None,
            named_address=address_in(trouble.errmsg) if trouble else "",
            has_provider=runtime().provider is not None,
            way=self.way(appid, at) if request.method == "GET" else None, address_in=address_in,
        )  # fmt: skip
        return Response(page, headers={"Referrer-Policy": REFERRER_POLICY})

    def _run_errands(self) -> None:
        """Finish authorisations that could not be finished when WeChat told of them."""
        door().errands.run(self.db.get_bind().engine)

    def _connected(self, form: ConnectForm) -> Any:
        here, who, at = runtime(), actor(), now()
        known: dict[str, Any] = {"appid": form.appid.data, "nick_name": form.nick_name.data}
        if here.provider is not None and not form.secret.data:
            one = authorizers.connect_with_provider(
                self.db, **known, actor=who, now=at, provider=here.provider, vault=here.vault
            )
        else:
            secret = Secret(form.secret.data)
            one = authorizers.connect_with_secret(
                self.db, **known, secret=secret, actor=who, now=at, client=here.client, vault=here.vault
            )
        forget()
        if not self._is_ours(one):
            # They proved that they run it, so that it exists is no news to them; its codes and numbers stay unseen.
            raise InvalidInput("appid", "of_another_team")
        self.db.commit()
        flash(_("“%(name)s” is connected. Codes can be made now.", name=one.nick_name), "success")
        kept = request.args.get("kept", "")
        if self.kept(kept, now()) is not None:
            return redirect(url_for("MinicodeCodesView.add", appid=one.appid, kept=kept))
        return redirect(url_for(".show", pk=one.id))

    def _is_ours(self, one: Authorizer) -> bool:
        return scope().knows(one.id) and self.in_scope(Authorizer.id, one.id)

    @expose("/revoke/<pk>", methods=["GET", "POST"])
    @has_access
    @signed_in
    def revoke(self, pk: str) -> Any:
        """Stop acting for a mini program, once its AppID has been typed."""
        one = self.authorizer(pk)
        form = self.edit_form()
        faults: dict[str, str] = {}
        if form.validate_on_submit():
            if form.confirmation.data == one.appid:
                authorizers.revoke(self.db, one, actor=actor(), now=now())
                self.db.commit()
                flash(_("“%(name)s” is no longer connected.", name=one.nick_name or one.appid), "success")
                return redirect(url_for(".list"))
            error = InvalidInput("confirmation", "does_not_match", detail=str(one.appid))
            faults = {error.field: messages.refusal(error)}
        return self.page(self.revoke_template, one=one, form=form, faults=faults)

    def narrow_programs(self) -> Callable[[Any], Any]:
        """Here the rows are the mini programs: beside the person's scope, ``base_filters`` say which may be seen."""
        scoped, filtered = scope().narrow(Authorizer.id), self.narrow()
        return scoped if filtered is None else lambda statement: filtered(scoped(statement))

    def authorizer(self, pk: str) -> Authorizer:
        """Return the mini program an address names, as far as scope and ``base_filters`` show it; else 404."""
        session: Session = self.db
        one = session.get(Authorizer, row_id(pk)) or abort(404)
        return one if self._is_ours(one) else abort(404)


def _unreadable(programs: Sequence[Authorizer]) -> set[int]:
    """Return the rows whose secrets our keys do not open."""
    vault = runtime().vault
    return {one.id for one in programs if not authorizers.is_readable(one, vault)}


def _request_domain() -> str:
    """Return the public address as WeChat's list of request domains takes it: without a path (Airflow's has one)."""
    parts = urlsplit(public_address())
    return f"{parts.scheme}://{parts.netloc}"


def _is_secure() -> bool:
    return public_address().startswith("https://")


def snippets(one: Authorizer, at: dt.datetime) -> tuple[Snippet, ...]:
    """
    Return what the trackers of a mini program must be told, ready to paste.

    Args:
        one: The mini program.
        at: Aware instant of the sample event, so that pasting it works.
    """
    collector, key = f"{public_address()}/minicode/collect", one.collect_key
    source = _("data source id")
    growingio = f"gdp('init', '{key}', '{source}', '{one.appid}', {{\n  serverUrl: '{collector}/growingio'\n}})"
    sensors = f"sensors.setPara({{\n  server_url: '{collector}/sensors?project={key}'\n}})"
    native = (
        f"curl -X POST '{collector}/v1/{key}' \\\n  -H 'Content-Type: application/json' \\\n"
        '  -d \'{"events": [{"id": "9f86d081884c7d65", "type": "visit", "visitor": "device-1",\n'
        f'       "time_ms": {round(at.timestamp() * 1000)}, "path": "pages/index/index",\n'
        '       "query": "utm_source=poster", "scene": 1047}]}\''
    )
    return (
        Snippet("growingio", _l("GrowingIO SDK"), growingio),
        Snippet("sensors", _l("Sensors Analytics SDK"), sensors),
        Snippet("native", _l("Your own program"), native),
    )
