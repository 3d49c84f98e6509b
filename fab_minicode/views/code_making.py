"""Making a code: the form with its meter, the next of a series, a second try for one that was not made."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from flask import abort, flash, redirect, request, url_for
from flask_appbuilder import expose, has_access

from fab_minicode import code_list, codes
from fab_minicode.errors import CodeBusy, InvalidInput, MinicodeError, Missing, NotAuthorized, QuotaUsedUp
from fab_minicode.kinds import KINDS, MAX_PAGE_BYTES, PAGE_FAULTS, RESERVED
from fab_minicode.models import Authorizer, Code
from fab_minicode.runtime import now, runtime
from fab_minicode.utm import UTM_FIELDS
from fab_minicode.views import code_words, messages, meter
from fab_minicode.views.authorizing import typed_before
from fab_minicode.views.code_advice import Advice, advice, script_words
from fab_minicode.views.code_forms import COLOURS, CodeForm, ConfirmForm, filled_like
from fab_minicode.views.pages import PageMixin, actor, row_id
from fab_minicode.words import gettext as _

QUOTA_IS_SHORT = 0.95
"""From this share of the lifetime quota on, the kind without quota is proposed first."""


class CodeMakingMixin(PageMixin):
    """The routes that ask WeChat; part of ``codes.MinicodeCodesView``."""

    add_form: Any
    add_template: Any
    add_title: Any

    def code(self, pk: str, *, deleted_too: bool = False) -> Code:
        """Return the live (or any) code an address names, as far as a subclass's row filters show it; else 404."""
        try:
            code = code_list.code_of(self.db, row_id(pk), deleted_too=deleted_too)
        except Missing:
            abort(404)
        return code if self.sees(code) else abort(404)

    def sees(self, code: Code) -> bool:
        """Whether the row filters of a subclass let a code and its mini program be seen."""
        return self.in_scope(Code.id, code.id) and self.knows(code.authorizer_id)

    @expose("/add", methods=["GET", "POST"])
    @has_access
    def add(self) -> Any:
        """Show the form, or make the code that it asks for and lead to its page."""
        at = now()
        programs = self.mini_programs()
        authorizer = self.chosen(programs)
        form = self.add_form() if request.method == "POST" else self._fresh_form()
        faults: dict[str, str] = {}
        trouble = ""
        if request.method == "POST" and authorizer is not None:
            if not form.validate():
                trouble = _("This page was open for too long. Nothing is lost: press the button again.")
            else:
                code, faults, trouble = self._make(form, authorizer, at)
                if code is not None:
                    return redirect(url_for(".show", pk=code.id))
        context = self._form_context(form, authorizer) if authorizer is not None else {}
        return self.page(
            self.add_template, at=at, title=self.add_title, programs=programs, authorizer=authorizer,
            form=form, faults=faults, trouble=trouble, words=code_words, **context,
        )  # fmt: skip

    @expose("/retry/<pk>", methods=["POST"])
    @has_access
    def retry(self, pk: str) -> Any:
        """Ask WeChat again for a code that has no picture."""
        if not ConfirmForm().validate_on_submit():
            abort(400)
        code = self.code(pk)
        self._generate(code, now())
        return redirect(url_for(".show", pk=code.id))

    def _fresh_form(self) -> Any:
        """An empty form, or one like another code: ``?like=`` for the next of a series, ``?instead_of=`` to correct."""
        if request.args.get("kept"):
            return self.add_form(formdata=None, data=typed_before(self.db, request.args["kept"]))
        for argument, keep_name in (("instead_of", True), ("like", False)):
            if request.args.get(argument):
                model = self.code(request.args[argument])
                values = filled_like(model, codes.plan_of(model).options, keep_name=keep_name)
                return self.add_form(formdata=None, data={**values, "instead_of": model.id if keep_name else ""})
        return self.add_form(formdata=None)

    def _make(self, form: CodeForm, authorizer: Authorizer, at: dt.datetime) -> tuple[Code | None, dict[str, str], str]:
        number = self.shown(at).number
        told = self._advice(form, self._used(authorizer))
        refused = form.refused()
        if refused:
            return (
                None,
                {
                    field: " ".join(messages.refusal(error, number) for error in found)
                    for field, found in refused.items()
                },
                "",
            )
        try:
            if form.instead_of.data:
                self._take_away(form.instead_of.data, at)
            code = codes.plan(self.db, form.draft(str(authorizer.appid)), actor=actor(), now=at)
            if form.adopts.data:
                self._adopted(code, form.adopts.data, at)
            self.db.commit()
        except InvalidInput as error:
            self.db.rollback()
            return None, {error.field: messages.refusal(error, number)}, ""
        except (NotAuthorized, QuotaUsedUp) as error:
            self.db.rollback()
            return None, {}, messages.sentence(error)
        if self._generate(code, at) is None:
            flash(_("“%(name)s” is ready.", name=code.name), "success")
        for one in told.values():
            flash(one.sentence, "warning")
        return code, {}, ""

    def _used(self, authorizer: Authorizer) -> dict[str, list[str]]:
        return code_list.suggestions(self.db, str(authorizer.appid), narrow=self.narrow())

    @staticmethod
    def _advice(form: CodeForm, used: Mapping[str, Sequence[str]]) -> dict[str, Advice]:
        kind = next((one for one in KINDS if one.name == form.kind.data), KINDS[0])
        return advice(form.utm, used, kind)

    def _adopted(self, code: Code, adopts: str, at: dt.datetime) -> None:
        """Give a new code what its form was opened for; ``ghosts.GhostsMixin`` knows what that may be."""
        del code, at
        raise Missing(adopts)

    def _take_away(self, pk: str, at: dt.datetime) -> None:
        """Delete the code that was never made and is corrected now; its name is free again."""
        failed = self.code(pk)
        if failed.state != codes.FAILED:
            abort(404)
        codes.delete(self.db, failed, actor=actor(), now=at)

    def _generate(self, code: Code, at: dt.datetime) -> MinicodeError | None:
        here = runtime()
        tokens = here.tokens(self.db.get_bind())
        try:
            error = codes.generate(self.db, code, tokens=tokens, client=here.client, actor=actor(), now=at)
            self.db.commit()
        except (CodeBusy, NotAuthorized, QuotaUsedUp, Missing) as refused:
            self.db.rollback()
            flash(messages.sentence(refused), "danger")
            return refused
        return error

    def _form_context(self, form: CodeForm, authorizer: Authorizer) -> dict[str, Any]:
        page, utm = form.landing_page.data or "", form.utm
        short = authorizer.quota_used >= QUOTA_IS_SHORT * authorizer.quota_limit
        used = self._used(authorizer)
        return {
            "suggestions": used,
            "advice": self._advice(form, used),
            "fits": [meter.fit(kind, page, utm) for kind in KINDS],
            "parts_of": {part.field: part for part in meter.parts(page, utm)},
            "proposed": meter.suggested(page, utm, quota_is_short=short),
            "colours": COLOURS,
            "utm_fields": UTM_FIELDS,
            "script_data": _script_data(short),
        }


def _script_data(quota_is_short: bool) -> dict[str, Any]:
    """What the script needs to count as ``meter`` does, and the words it writes."""
    return {
        "kinds": [
            {
                "name": kind.name,
                "limit": kind.max_path_bytes or MAX_PAGE_BYTES,
                "carriesUtm": kind.max_path_bytes is not None,
                "usesQuota": kind.uses_quota,
                "title": str(code_words.KINDS[kind.name].name),
            }
            for kind in KINDS
        ],
        "fields": list(UTM_FIELDS),
        "reserved": RESERVED,
        "pageWords": {code: messages.refusal(_page_fault(code), lambda _: "{actual}") for code in PAGE_FAULTS},
        "quotaIsShort": quota_is_short,
        "words": {
            "bytes": _("%(used)s of %(limit)s bytes", used="{used}", limit="{limit}"),
            **{name: code_words.verdict(name, "{over}") for name in code_words.VERDICTS},
            "use": _("Use “%(kind)s”", kind="{kind}"),
            **script_words(),
        },
    }


def _page_fault(code: str) -> InvalidInput:
    """Return a fault of a landing page with places to fill in."""
    return InvalidInput("landing_page", code, limit=1, actual=1, detail="{detail}")
