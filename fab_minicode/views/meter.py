"""
What a path costs: the bytes of each part, and which kinds it fits. The page's script counts the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

from fab_minicode.kinds import KINDS, MAX_PAGE_BYTES, Kind, landing_page_faults
from fab_minicode.utm import Utm, byte_length, compose_path, escape


@dataclass(frozen=True)
class Part:
    """One part of a path: the form field it comes from, the exact text it adds, its UTF-8 bytes."""

    field: str
    text: str
    bytes: int


@dataclass(frozen=True)
class Fit:
    """
    Whether a kind takes what is in the form.

    Attributes:
        kind: The kind.
        used_bytes: UTF-8 bytes of the path; of the page alone for a kind that keeps the UTM.
        limit_bytes: The kind's limit.
        verdict: ``fits``, or why not: ``noPage`` yet, ``wrongPage``, ``noQuery`` (the page has parameters and the kind
            takes none), ``tooLong``.
    """

    kind: Kind
    used_bytes: int
    limit_bytes: int
    verdict: str

    @property
    def fits(self) -> bool:
        """Whether WeChat would take it."""
        return self.verdict == "fits"


def parts(landing_page: str, utm: Utm) -> tuple[Part, ...]:
    """Return the parts of ``utm.compose_path`` in order; their texts joined are exactly that path."""
    found = [Part("landing_page", landing_page, byte_length(landing_page))]
    separator = "&" if "?" in landing_page else "?"
    for field, value in utm.pairs():
        text = f"{separator}{field}={escape(value)}"
        found.append(Part(field, text, byte_length(text)))
        separator = "&"
    return tuple(found)


def fit(kind: Kind, landing_page: str, utm: Utm) -> Fit:
    """Return whether ``kind`` takes this page with these values."""
    carries = kind.max_path_bytes is not None
    used = byte_length(compose_path(landing_page, utm) if carries else landing_page)
    limit = kind.max_path_bytes or MAX_PAGE_BYTES
    if not landing_page:
        verdict = "noPage"
    elif any(landing_page_faults(landing_page)):
        verdict = "wrongPage"
    elif not carries and "?" in landing_page:
        verdict = "noQuery"
    else:
        verdict = "tooLong" if used > limit else "fits"
    return Fit(kind, used, limit, verdict)


def suggested(landing_page: str, utm: Utm, *, quota_is_short: bool = False) -> Kind | None:
    """
    Return the kind to propose: the first of ``KINDS`` that fits, one that spends no quota first when that runs short.

    Returns:
        None when the page fits no kind.
    """
    fitting = [kind for kind in KINDS if fit(kind, landing_page, utm).fits]
    if quota_is_short:
        fitting.sort(key=lambda kind: kind.uses_quota)
    return fitting[0] if fitting else None
