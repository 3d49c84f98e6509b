"""The words of the audit page. Lazy texts, in the language of whoever reads them."""

from __future__ import annotations

import json
from typing import Any

from fab_minicode.models import AuditEntry
from fab_minicode.views.analysis_words import DIMENSIONS
from fab_minicode.words import lazy_gettext as _l

ACTIONS: dict[tuple[str, str], Any] = {
    ("code", "created"): _l("Code created"),
    ("code", "renamed"): _l("Code renamed"),
    ("code", "deleted"): _l("Code deleted"),
    ("code", "downloaded"): _l("Code downloaded"),
    ("code", "adopted"): _l("Unknown code adopted"),
    ("code", "released"): _l("Adopted scene taken back"),
    ("authorizer", "authorized"): _l("Mini program connected"),
    ("authorizer", "revoked"): _l("Mini program revoked"),
    ("authorizer", "rotated_collect_key"): _l("Collect key replaced"),
    ("authorizer", "changed_roles"): _l("Team changed"),
    ("answer", "exported"): _l("Analysis exported"),
    ("question", "saved"): _l("Question saved"),
    ("question", "changed"): _l("Question changed"),
    ("question", "deleted"): _l("Question deleted"),
    ("question", "locked"): _l("Question locked"),
    ("question", "unlocked"): _l("Question unlocked"),
    ("question", "handed_over"): _l("Question handed over"),
    ("board", "saved"): _l("Board saved"),
    ("board", "changed"): _l("Board changed"),
    ("board", "deleted"): _l("Board deleted"),
    ("segment", "saved"): _l("Segment saved"),
    ("segment", "changed"): _l("Segment changed"),
    ("segment", "deleted"): _l("Segment deleted"),
    ("alias", "merged"): _l("Values merged"),
    ("alias", "undone"): _l("Merge undone"),
    ("visitor", "exported"): _l("Visitor's data exported"),
    ("visitor", "erased"): _l("Visitor erased"),
    ("person", "handed_over"): _l("Everything handed over"),
    ("secrets", "rotated"): _l("Secrets sealed anew"),
    ("roles", "granted"): _l("Roles created"),
    ("events", "purged"): _l("Old events removed"),
    ("audit", "exported"): _l("Audit exported"),
}
"""``(subject type, action)`` -> what happened; every element of ``audit.ACTIONS`` has one."""

WAYS: dict[str, Any] = {
    "page": _l("Page"),
    "rest": _l("REST"),
    "cli": _l("Command line"),
    "wechat": _l("WeChat"),
}
"""Way in -> what the page calls it."""

PEOPLE: dict[str, Any] = {"system": _l("System"), "anonymous": _l("Not logged in")}
"""Actor without an id -> what the page calls it."""

_FACTS: dict[str, Any] = {
    "before": _l("formerly"),
    "after": _l("from now on"),
    "to": _l("new owner"),
    "codes": _l("number of codes"),
    "questions": _l("number of questions"),
    "boards": _l("number of boards"),
    "rows": _l("number of rows"),
    "format": _l("file format"),
    "events": _l("number of events"),
}


def action_of(entry: AuditEntry) -> Any:
    """Return what happened, in words."""
    return ACTIONS.get((entry.subject_type, entry.action), f"{entry.subject_type} {entry.action}")


def actor_of(entry: AuditEntry) -> Any:
    """Return who it was."""
    return entry.actor if entry.actor_id else PEOPLE.get(entry.actor, entry.actor)


def subject_of(entry: AuditEntry) -> str:
    """Return what the act was about; the field of a merged value by the name that people know."""
    field, colon, value = entry.subject.partition(": ")
    if entry.subject_type == "alias" and field in DIMENSIONS:
        return f"{DIMENSIONS[field]}{colon}{value}"
    return str(entry.subject)


def facts_of(entry: AuditEntry) -> list[tuple[Any, str]]:
    """Return what else is told of an act, as ``(label, value)``; facts that only programs understand are left out."""
    try:
        told = json.loads(entry.detail)
    except ValueError:
        return []
    return [
        (_FACTS[name], _shown(name, value))
        for name, value in told.items()
        if name in _FACTS and value not in ("", None)
    ]


def _shown(name: str, value: Any) -> str:
    if name == "format":
        return str(value).upper()
    return ", ".join(map(str, value)) or "–" if isinstance(value, list) else str(value)
