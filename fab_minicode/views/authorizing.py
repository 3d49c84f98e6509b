"""
The way to WeChat's authorisation page and back: what is asked for, the real links, the return, the collect key, the
head image. Part of ``authorizers.MinicodeAuthorizersView``.
"""

from __future__ import annotations

import datetime as dt
import functools
import io
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from flask import Response, abort, flash, g, redirect, request, send_file, session, url_for
from flask_appbuilder import expose, has_access
from sqlalchemy import select

from fab_minicode import authorization, authorizers
from fab_minicode.authorization import INVITATION_LIVES, Outcome
from fab_minicode.component_tokens import ticket_of
from fab_minicode.errors import InvitationRefused, MinicodeError
from fab_minicode.models import Authorizer, Component
from fab_minicode.pushes import DONE, FAILED, REFUSED, WAITING
from fab_minicode.runtime import now, runtime
from fab_minicode.scope import forget, scope
from fab_minicode.vault import Secret
from fab_minicode.views import messages
from fab_minicode.views.callbacks import door
from fab_minicode.views.code_forms import CodeForm, ConfirmForm
from fab_minicode.views.pages import PageMixin, actor, signed_in
from fab_minicode.wechat import component as wechat
from fab_minicode.wechat.component import CODES_SET, LINKS_SET
from fab_minicode.words import gettext as _

BINDING = "minicode_binding"
"""Key of the host's session: a random text that ties an invitation to this browser."""

REFERRER_POLICY = "strict-origin-when-cross-origin"
"""WeChat looks at the host that the person comes from."""

_ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b")


@dataclass(frozen=True)
class Way:
    """
    The way to WeChat's page.

    Attributes:
        computer: Address for computers, asking for codes only; ``phone`` for people on the phone.
        computer_links: The same, asking for links, too; ``phone_links`` likewise.
        minutes: How long the addresses work.
        explained: Why there is none, in people's words; None when there is one.
        trouble: The error behind it.
    """

    computer: str = ""
    phone: str = ""
    computer_links: str = ""
    phone_links: str = ""
    minutes: int = 0
    explained: messages.Explanation | None = None
    trouble: MinicodeError | None = None


def public_address() -> str:
    """Return the address phones and WeChat reach this host at, without a slash at its end."""
    return runtime().settings.public_url or request.url_root.rstrip("/")


def address_in(text: str | None) -> str:
    """Return the network address that WeChat names in a refusal, "" where it names none."""
    found = _ADDRESS.search(text or "")
    return found.group(0) if found else ""


def _without_the_code(back: Callable[..., Any]) -> Callable[..., Any]:
    """
    Lead who is logged out on their way back to the log-in without WeChat's code: hosts keep the address to go on to.

    Their invitation is gone with their session; WeChat's push completes the authorisation all the same.
    """

    @functools.wraps(back)
    def checked(self: Any, nonce: str) -> Any:
        return back(self, nonce) if g.user.is_authenticated else redirect(url_for(".connect"))

    return checked


class AuthorizingMixin(PageMixin):
    """The routes of the person's way."""

    def authorizer(self, pk: str) -> Authorizer:
        """Return the mini program an address names."""
        raise TypeError(f"no mini program {pk} here: the view that mixes this in finds them")

    # -------------------------------------------------------------------------------------------------------- there

    def way(self, appid: str, at: dt.datetime) -> Way | None:
        """Return the way to WeChat's page with a fresh code; None where no third-party platform is configured."""
        here = runtime()
        platform = here.platform
        if platform is None:
            return None
        try:
            code = here.tokens(self.db.get_bind().engine).with_component(
                lambda token: here.client.ask(wechat.pre_auth_call(platform, token), wechat.decipher_pre_auth), now=at
            )
        except MinicodeError as error:
            return Way(explained=messages.explained_any(error), trouble=error)
        nonce = self._nonce(appid, at)
        authorization.open_page(self.db, nonce, code.code)
        self.db.commit()
        known = here.settings
        back = url_for(".back", nonce=nonce).removeprefix(request.script_root if known.public_url else "")
        return_to = public_address() + back if known.public_url else url_for(".back", nonce=nonce, _external=True)

        def pages(*sets: int) -> tuple[str, str]:
            return wechat.page_addresses(
                platform,
                code,
                return_to,
                sets=sets,
                appid=appid,
                mp_url=known.wechat_mp_url,
                open_url=known.wechat_open_url,
            )

        minutes = min(code.expires_in_seconds // 60, int(INVITATION_LIVES.total_seconds()) // 60)
        return Way(*pages(CODES_SET), *pages(CODES_SET, LINKS_SET), minutes)

    def _nonce(self, appid: str, at: dt.datetime) -> str:
        """The nonce of what was kept from the form of a new code, or of a fresh invitation."""
        kept = self.kept(request.args.get("kept", ""), at)
        text = kept.kept if kept is not None and kept.kept else ""
        return authorization.invite(self.db, actor=actor(), binding=binding(), now=at, appid=appid, kept=text)

    def kept(self, nonce: str, at: dt.datetime) -> Any | None:
        """Return the invitation behind a nonce of this person's session, None where there is none."""
        if not nonce:
            return None
        try:
            return authorization.invited(self.db, nonce, actor=actor(), binding=binding(), now=at)
        except InvitationRefused:
            return None

    @expose("/leave", methods=["POST"])
    @has_access
    @signed_in
    def leave(self) -> Any:
        """Keep what was typed into the form of a new code and lead to connecting its mini program."""
        form = CodeForm()
        if not form.validate():
            abort(400)
        typed = {name: field.data for name, field in form._fields.items() if name != "csrf_token"}
        text = json.dumps(typed, ensure_ascii=False)
        if len(text) > authorization.MAX_KEPT_CHARACTERS or "\\u0000" in text:
            abort(400)
        at = now()
        appid = typed["appid"] if wechat.is_appid(typed["appid"] or "") else ""
        nonce = authorization.invite(self.db, actor=actor(), binding=binding(), now=at, appid=appid, kept=text)
        self.db.commit()
        return redirect(url_for(".connect", appid=appid or None, kept=nonce))

    # --------------------------------------------------------------------------------------------------------- back

    @expose("/back/<nonce>")
    @_without_the_code
    @has_access
    def back(self, nonce: str) -> Any:
        """Take what WeChat sends the person back with; whichever way the code comes first, the result is the same."""
        at, here = now(), runtime()
        codes = request.args.getlist("auth_code")
        if len(codes) != 1 or not wechat.is_code(codes[0]):
            flash(_("WeChat confirmed nothing. Nothing was changed; you can start again."), "warning")
            return redirect(url_for(".connect"))
        engine = self.db.get_bind().engine
        who, bound, code = actor(), binding(), Secret(codes[0])
        try:
            with engine.begin() as connection:
                invitation = authorization.invited(connection, nonce, actor=who, binding=bound, now=at)
                digest = authorization.come_back(
                    connection, nonce, code, actor=who, binding=bound, now=at, vault=here.vault
                )
        except InvitationRefused:
            page = self.page("fab_minicode/authorizer_refused.html", at=at)
            return Response(page, 403)
        outcome = door().errands.completion(engine).complete(digest, now=at, wait=True)
        return self._led_on(outcome, nonce if invitation.kept else "")

    def _led_on(self, outcome: Outcome, kept: str) -> Any:
        one = self.db.get(Authorizer, outcome.authorizer_id) if outcome.authorizer_id else None
        if outcome.state == DONE and one is not None:
            self.db.refresh(one)
            forget()
            if not scope().knows(one.id):
                flash(_("The mini program is connected; it belongs to another team."), "success")
                return redirect(url_for(".list"))
            if one.status != "authorized":
                flash(
                    _("“%(name)s” is connected, but the permission to make codes was not ticked.", name=one), "warning"
                )
                return redirect(url_for(".show", pk=one.id))
            flash(_("“%(name)s” is connected. Codes can be made now.", name=one.nick_name), "success")
            if kept:
                return redirect(url_for("MinicodeCodesView.add", appid=one.appid, kept=kept))
            return redirect(url_for(".show", pk=one.id))
        if outcome.state == WAITING:
            why = messages.sentence(outcome.error) if outcome.error else ""
            flash(
                _("WeChat has confirmed; the last step is done by itself as soon as possible.") + " " + why, "warning"
            )
            return redirect(url_for(".list"))
        told = {
            FAILED: messages.sentence(outcome.error)
            if outcome.error
            else _("The authorisation was used before. Start again."),
            REFUSED: _("That is an official account. Choose a mini program."),
        }
        flash(told.get(outcome.state, _("The authorisation was ended at WeChat meanwhile.")), "danger")
        return redirect(url_for(".connect"))

    # -------------------------------------------------------------------------------------------------- afterwards

    @expose("/head_image/<pk>")
    @has_access
    def head_image(self, pk: str) -> Response:
        """Show a mini program's head image, as it was fetched when it was authorised."""
        one = self.authorizer(pk)
        if one.head_image is None or one.head_image_mime not in ("image/png", "image/jpeg"):
            abort(404)
        answer = send_file(io.BytesIO(one.head_image), one.head_image_mime)
        answer.headers["Cache-Control"] = "private, max-age=300"
        return answer

    @expose("/rotate_key/<pk>", methods=["GET", "POST"])
    @has_access
    @signed_in
    def rotate_key(self, pk: str) -> Any:
        """Give a mini program a new collect key; the old one works for some days more."""
        one = self.authorizer(pk)
        confirm = ConfirmForm()
        if request.method == "POST":
            if not confirm.validate():
                abort(400)
            authorizers.rotate_collect_key(self.db, one, actor=actor(), now=now())
            self.db.commit()
            flash(_("There is a new collect key. The old one works for seven days more."), "success")
            return redirect(url_for(".show", pk=one.id))
        return self.page("fab_minicode/authorizer_rotate_key.html", one=one, confirm=confirm)

    def health(self, at: dt.datetime) -> Health | None:
        """Return how the third-party platform is, for those who may act on it; None where there is none."""
        here = runtime()
        platform = here.platform
        if platform is None:
            return None
        connection = self.db.connection()
        ticket = ticket_of(connection, here.vault, platform.appid)
        told = connection.execute(select(Component.last_error).where(Component.appid == platform.appid)).scalar()
        return Health(
            ticket_at=ticket.created_at if ticket else None,
            has_ticket=ticket is not None and ticket.is_fresh(at),
            last_error=told or "",
            refused=tuple((one.reason, one.count, one.last_at) for one in door().refusals(connection)),
        )


@dataclass(frozen=True)
class Health:
    """
    How the platform is.

    Attributes:
        ticket_at: WeChat's time of the newest ticket; None before the first one.
        has_ticket: Whether WeChat still takes it.
        last_error: What WeChat said to the platform last, "" when all was well.
        refused: ``(reason, count, last time)`` of pushes that were refused.
    """

    ticket_at: dt.datetime | None
    has_ticket: bool
    last_error: str
    refused: tuple[tuple[str, int, dt.datetime], ...]


def binding() -> str:
    """Return the random text of this browser's session; made when there is none."""
    if BINDING not in session:
        session[BINDING] = secrets.token_urlsafe(24)
    return str(session[BINDING])


def typed_before(db: Any, nonce: str) -> dict[str, Any]:
    """Return what this person had typed into the form of a new code before they left to authorise; {} if nothing."""
    try:
        row = authorization.invited(db, nonce, actor=actor(), binding=binding(), now=now())
        typed: dict[str, Any] = json.loads(row.kept or "{}")
    except (InvitationRefused, ValueError):
        return {}
    return typed
