"""Who did what, for those who answer for it: a page with filters, and the same rows as a file. Nothing here changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, request, url_for
from flask_appbuilder import BaseView, expose, has_access
from sqlalchemy import and_, or_

from fab_minicode import audit, audit_list, permissions
from fab_minicode.actor import WAYS
from fab_minicode.audit_list import MAX_EXPORTED, AuditFilter
from fab_minicode.models import AuditEntry
from fab_minicode.runtime import now, runtime
from fab_minicode.scope import Scope, scope
from fab_minicode.spreadsheet import CSV_MIME, Column, Sheet, csv_bytes
from fab_minicode.utm import normalise
from fab_minicode.views import audit_words
from fab_minicode.views.code_browsing import day_of, midnight
from fab_minicode.views.pages import PageMixin, actor, signed_in
from fab_minicode.words import gettext as _
from fab_minicode.words import lazy_gettext as _l

PAGE_SIZE = 50
_FIELDS = ("who", "what", "subject", "way", "appid", "since", "until")
_ACTS = frozenset(f"{subject}.{action}" for subject, actions in audit.ACTIONS for action in actions)


@dataclass(frozen=True)
class Looking:
    """
    How a person looks at the audit.

    Attributes:
        given: The usable part of the query string, by name; what was odd is left out.
        after: Where the page begins, as the page before told it; "" for the newest.
    """

    given: Mapping[str, str]
    after: str

    def link(self, endpoint: str = ".list", **changes: str) -> str:
        """Return the address of these acts, with some parameters changed."""
        values: dict[str, Any] = {name: value for name, value in {**self.given, **changes}.items() if value}
        return url_for(endpoint, **values)

    def filter(self, programs: Mapping[str, int], zone: ZoneInfo) -> AuditFilter:
        """Return what ``audit_list.find`` looks for; the days of ``since`` and ``until`` are both included."""
        given = self.given
        since, until = (day_of(given.get(field, "")) for field in ("since", "until"))
        return AuditFilter(
            who=given.get("who", ""),
            what=given.get("what", ""),
            subject=given.get("subject", ""),
            way=given.get("way", ""),
            # An AppID that the person does not know names no row, like one that does not exist.
            authorizer_id=programs.get(given["appid"], 0) if "appid" in given else None,
            since=midnight(since, zone),
            until=midnight(until and until + dt.timedelta(days=1), zone),
        )


def _looking() -> Looking:
    """Read the query string. What is unknown or malformed counts as not given."""
    given = {field: normalise(request.args.get(field, "")) for field in _FIELDS}
    given["what"] = given["what"] if given["what"] in _ACTS else ""
    given["way"] = given["way"] if given["way"] in WAYS else ""
    for field in ("since", "until"):
        given[field] = given[field] if day_of(given[field]) else ""
    return Looking({field: value for field, value in given.items() if value}, request.args.get("after", "")[:40])


class MinicodeAuditView(PageMixin, BaseView):
    """``/minicode/audit/``."""

    route_base = "/minicode/audit"
    default_view = "list"
    class_permission_name = permissions.AUDIT
    base_permissions = list(permissions.AUDIT_PERMISSIONS)
    method_permission_name = permissions.AUDIT_METHODS
    list_title = _l("Audit")

    @expose("/list/")
    @has_access
    @signed_in
    def list(self) -> str:
        """Show who did what, newest first."""
        at, looking = now(), _looking()
        programs = self.mini_programs()
        found = self._found(looking, programs, after=looking.after, size=PAGE_SIZE)
        return self.page(
            "fab_minicode/audit_list.html", at=at, title=self.list_title, looking=looking, found=found,
            programs=programs, names={one.id: str(one) for one in programs}, words=audit_words, most=MAX_EXPORTED,
        )  # fmt: skip

    @expose("/export")
    @has_access
    @signed_in
    def export(self) -> Response:
        """Hand the same acts out as a CSV file; that, too, is recorded, before the first byte goes out."""
        at, looking = now(), _looking()
        programs = self.mini_programs()
        rows = self._found(looking, programs, after="", size=MAX_EXPORTED).rows
        content = csv_bytes(_sheet(rows, {one.id: str(one.appid) for one in programs}))
        if request.method == "GET":
            told = {"rows": len(rows), "format": "csv", "filters": dict(looking.given)}
            audit.record(self.db, "exported", audit.Subject("audit"), actor=actor(), now=at, detail=told)
            self.db.commit()
        name = f"minicode-audit-{at.astimezone(runtime().settings.zone):%Y-%m-%d}.csv"
        headers = {"Content-Disposition": f"attachment; filename={name}"}
        return Response(content, content_type=CSV_MIME, headers=headers)

    def _found(self, looking: Looking, programs: Any, *, after: str, size: int) -> audit_list.AuditPage:
        wanted = looking.filter({one.appid: one.id for one in programs}, runtime().settings.zone)
        known = Scope(frozenset(one.id for one in programs)) if self.authorizer_filters else scope()
        return audit_list.find(self.db, wanted, narrow=_narrowed(known), after=after, size=size)


def _narrowed(known: Scope) -> Callable[[Any], Any]:
    """Return what leaves in a select what the reader may know: acts about their mini programs, and their own others."""
    if known.ids is None:
        return lambda statement: statement
    about = AuditEntry.authorizer_id.in_(sorted(known.ids))
    mine = and_(AuditEntry.authorizer_id.is_(None), AuditEntry.actor_id == actor().id, AuditEntry.actor_id != "")
    return lambda statement: statement.where(or_(about, mine))


def _sheet(rows: Any, appids: Mapping[int, str]) -> Sheet:
    heads = (
        _("When (UTC)"), _("Who"), _("User id"), _("What was done"), _("Action"), _("What it was about"), _("Id"),
        _("Mini program"), _("Way"), _("Details"),
    )  # fmt: skip
    cells = [
        (
            row.at.isoformat(timespec="seconds"),
            row.actor,
            row.actor_id,
            str(audit_words.action_of(row)),
            f"{row.subject_type}.{row.action}",
            row.subject,
            row.subject_id,
            appids.get(row.authorizer_id, ""),
            row.way,
            row.detail,
        )
        for row in rows
    ]
    return Sheet("audit", tuple(Column(head) for head in heads), cells)
