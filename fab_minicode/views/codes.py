"""Codes as people see them: the list, one code, its picture, rename, delete. Making one stands in ``code_making``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Response, abort, current_app, flash, redirect, request, url_for
from flask_appbuilder import BaseView, ModelView, expose, has_access
from flask_appbuilder.models.sqla.interface import SQLAInterface
from flask_appbuilder.widgets import RenderTemplateWidget

from fab_minicode import code_list, codes, permissions
from fab_minicode.acquisition import ghost_list, query
from fab_minicode.acquisition.question import parse, to_args
from fab_minicode.errors import InvalidInput, Missing, RenderError
from fab_minicode.models import Authorizer, Code
from fab_minicode.runtime import now, runtime
from fab_minicode.thumbnails import thumbnail
from fab_minicode.views import code_browsing, code_words, messages
from fab_minicode.views.analysis_tabs import VISITORS
from fab_minicode.views.code_files import carries_bytes, picture_file, private, sent_file
from fab_minicode.views.code_forms import CodeForm, ConfirmForm, RenameForm
from fab_minicode.views.ghosts import GhostsMixin
from fab_minicode.views.pages import May, PageMixin, actor
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

THUMBNAIL_PX, PREVIEW_PX = 96, 560


class CodeListWidget(RenderTemplateWidget):
    """The rows of the list; a host may bring its own."""

    template = "fab_minicode/widgets/code_list.html"


class CodeShowWidget(RenderTemplateWidget):
    """The parameters of one code."""

    template = "fab_minicode/widgets/code_show.html"


class MinicodeCodesView(GhostsMixin, ModelView):
    """
    The codes of a mini program. Hosts may subclass it: templates, widgets, forms and ``base_filters`` are honoured.

    Only the routes below exist; Flask-AppBuilder's own ``download``, ``action`` and ``action_post`` would answer
    without looking at the row filters (docs/hosts.md).
    """

    route_base = "/minicode/codes"
    class_permission_name = permissions.CODES
    method_permission_name = permissions.CODES_METHODS
    base_permissions = list(permissions.CODES_PERMISSIONS)
    include_route_methods = {
        "list", "show", "add", "edit", "ask_delete", "delete", "retry", "image", "thumbnail", "ghosts", "adopt",
        "release",
    }  # fmt: skip
    datamodel = SQLAInterface(Code)
    list_title, show_title, add_title, edit_title = _l("Codes"), _l("Code"), _l("New code"), _l("Rename code")
    list_columns = search_columns = ["name", "kind", "utm_source", "utm_campaign", "created_by"]
    show_columns = add_columns = ["name", "landing_page", "kind", "remark"]
    edit_columns = ["name"]
    add_form, edit_form = CodeForm, RenameForm
    list_widget, show_widget = CodeListWidget, CodeShowWidget
    list_template, show_template = "fab_minicode/code_list.html", "fab_minicode/code_show.html"
    add_template, edit_template = "fab_minicode/code_add.html", "fab_minicode/code_rename.html"

    def __init__(self, **kwargs: Any) -> None:
        # One interface per host: it remembers the session of the host it was first registered on.
        self.datamodel = SQLAInterface(Code)
        super().__init__(**kwargs)

    # ------------------------------------------------------------------------------------------------------ list

    @expose("/list/")
    @has_access
    def list(self) -> str:
        """Show the codes of one mini program."""
        at = now()
        programs = self.mini_programs()
        authorizer = self.chosen(programs)
        context: dict[str, Any] = {"programs": programs, "authorizer": authorizer, "title": self.list_title}
        if authorizer is not None:
            context |= self._browsed(authorizer, at)
        return self.page(self.list_template, at=at, **context)

    def _browsed(self, authorizer: Authorizer, at: dt.datetime) -> dict[str, Any]:
        settings = runtime().settings
        may = self.may()
        browsing = code_browsing.read(request.args, str(authorizer.appid), numbers=may.analyse)
        users = None
        if browsing.by_users:
            users = query.users_of_codes(self.db.connection(), int(authorizer.id), settings=settings, now=at)
        found = code_list.find(self.db, browsing.filter(settings.zone), narrow=self.narrow(), users=users)
        shared: dict[str, Any] = {
            "may": may,
            "shown": self.shown(at),
            "browsing": browsing,
            "found": found,
            "users": self._users(may, found.rows, at) if users is None else users,
            "code_url": code_url,
            "words": code_words,
        }
        headline = None
        if may.analyse:
            headline = query.headline(self.db.connection(), str(authorizer.appid), settings=settings, now=at)
        return {
            **shared,
            "widgets": {"list": self.list_widget(**shared)},
            "suggestions": code_list.suggestions(self.db, str(authorizer.appid), narrow=self.narrow()),
            "headline": headline,
            "headline_url": headline_url(str(authorizer.appid)),
            "page_sizes": code_browsing.PAGE_SIZES,
            "confirm": ConfirmForm(),
        }

    def _users(self, may: May, shown: Sequence[Code], at: dt.datetime) -> dict[int, int]:
        """Return the users of the last 7 days by code; nothing for a person who may not read numbers."""
        if not shown or not may.analyse:
            return {}
        settings, ids = runtime().settings, [code.id for code in shown]
        return query.users_by_code(self.db.connection(), shown[0].authorizer_id, ids, settings=settings, now=at)

    # ------------------------------------------------------------------------------------------------------ one

    @expose("/show/<pk>")
    @has_access
    def show(self, pk: str) -> str:
        """Show one code with its picture, all parameters and its history; of a deleted one there is no picture."""
        at = now()
        code = self.code(pk, deleted_too=True)
        may = self.may()
        shared: dict[str, Any] = {
            "may": may,
            "shown": self.shown(at),
            "code": code,
            "plan": codes.plan_of(code),
            "words": code_words,
        }
        return self.page(
            self.show_template,
            at=at,
            title=self.show_title,
            widgets={"show": self.show_widget(**shared)},
            explained=self._explained(code),
            history=code_list.history_of(self.db, code),
            adopted=ghost_list.adopted_by(self.db, code),
            users=self._users(may, [code], at).get(code.id, 0),
            people_url=people_url,
            code_url=code_url(code) if may.analyse else "",
            confirm=ConfirmForm(),
            **shared,
        )

    @staticmethod
    def _explained(code: Code) -> messages.Explanation | None:
        if code.deleted_at is not None:
            return None
        if code.state == codes.UNKNOWN:
            return messages.OUTCOME_UNKNOWN
        return messages.explained_row(code.error_code, code.error_message) if code.state == codes.FAILED else None

    # --------------------------------------------------------------------------------------------------- pictures

    @expose("/image/<pk>")
    @has_access
    def image(self, pk: str) -> Response:
        """Download the picture exactly as WeChat made it; the file is named after the code."""
        code = self.code(pk)
        answer = picture_file(code, self._image(code))
        if carries_bytes(answer):
            codes.note_download(self.db, code, actor=actor(), now=now())
            self.db.commit()
        return answer

    @expose("/thumbnail/<pk>")
    @has_access
    def thumbnail(self, pk: str) -> Response:
        """Show the picture in a page: small, or with ``?size=large`` as large as the page of one code shows it."""
        image = self._image(self.code(pk))
        edge_px = PREVIEW_PX if request.args.get("size") == "large" else THUMBNAIL_PX
        etag = f"{image.sha256}-{edge_px}"
        if etag in request.if_none_match:
            return private(Response(status=304))
        try:
            small, mime = thumbnail(image.content, edge_px)
        except RenderError:
            abort(404)
        return sent_file(small, mime, etag=etag)

    def _image(self, code: Code) -> Any:
        try:
            return code_list.image_of(self.db, code)
        except Missing:
            abort(404)

    # --------------------------------------------------------------------------------------------- rename, delete

    @expose("/edit/<pk>", methods=["GET", "POST"])
    @has_access
    def edit(self, pk: str) -> Any:
        """Rename a code; nothing else of it can be changed."""
        code = self.code(pk)
        form = self.edit_form(data={"name": code.name})
        fault = ""
        if form.validate_on_submit():
            try:
                codes.rename(self.db, code, form.name.data, actor=actor(), now=now())
                self.db.commit()
            except InvalidInput as error:
                self.db.rollback()
                fault = messages.refusal(error)
            else:
                flash(_("The code is now called “%(name)s”.", name=code.name), "success")
                return redirect(url_for(".show", pk=code.id))
        return self.page(self.edit_template, title=self.edit_title, code=code, form=form, fault=fault)

    @expose("/ask_delete/<pk>")
    @has_access
    def ask_delete(self, pk: str) -> str:
        """Ask before a code is deleted; with scripts a dialog asks instead."""
        return self.page("fab_minicode/code_delete.html", code=self.code(pk), confirm=ConfirmForm(), words=code_words)

    @expose("/delete/<pk>", methods=["POST"])
    @has_access
    def delete(self, pk: str) -> Any:
        """Take a code out of the list; its print keeps working and its data stay."""
        if not ConfirmForm().validate_on_submit():
            abort(400)
        code = self.code(pk)
        appid, name = str(code.authorizer.appid), str(code.name)
        try:
            codes.delete(self.db, code, actor=actor(), now=now())
            self.db.commit()
        except Missing:
            self.db.rollback()
            abort(404)
        flash(_("“%(name)s” was deleted. Its print keeps working and its data stay.", name=name), "success")
        return redirect(url_for(".list", appid=appid))


class MinicodeHomeView(PageMixin, BaseView):
    """``/minicode/`` leads to the codes."""

    route_base = "/minicode"
    default_view = "home"
    class_permission_name = permissions.CODES
    method_permission_name = permissions.CODES_METHODS
    base_permissions = list(permissions.CODES_PERMISSIONS)

    @expose("/")
    @has_access
    def home(self) -> Any:
        """Lead to the codes."""
        return redirect(url_for("MinicodeCodesView.list"))


def headline_url(appid: str) -> str:
    """Return the address of the analysis that answers with the headline's number, day by day."""
    question = {
        "appid": appid,
        "metrics": ["users"],
        "filters": [{"dimension": "utm_source", "op": "set"}],
        "window": {"last_days": 7},
        "granularity": "day",
        "compare": "previous",
    }
    return f"{url_for('MinicodeAnalysisView.analysis')}?{urlencode(to_args(parse(question)), doseq=True)}"


def code_url(code: Code) -> str:
    """Return the address of the analysis of one code, day by day, beside the week before."""
    question = {
        "appid": code.authorizer.appid,
        "metrics": ["users", "new_users", "visits"],
        "filters": [{"dimension": "code", "op": "eq", "value": code.id}],
        "window": {"last_days": 7},
        "granularity": "day",
        "compare": "previous",
    }
    return f"{url_for('MinicodeAnalysisView.analysis')}?{urlencode(to_args(parse(question)), doseq=True)}"


def people_url(code: Code) -> str:
    """Return the address of who a code's users of the last 7 days are, "" where the host has left that page out."""
    if VISITORS not in current_app.view_functions:
        return ""
    question = {
        "appid": code.authorizer.appid,
        "metrics": ["users"],
        "filters": [{"dimension": "code", "op": "eq", "value": code.id}],
        "window": {"last_days": 7},
    }
    return f"{url_for(VISITORS)}?{urlencode(to_args(parse(question)), doseq=True)}"
