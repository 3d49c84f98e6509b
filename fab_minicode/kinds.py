"""
The kinds of code: what each needs, its limits with their source, the request it makes. Pure.

To add a kind, add one element to :data:`KINDS`; forms, REST, checks, sandbox tests and docs read it from there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fab_minicode.errors import InvalidInput
from fab_minicode.scene import MAX_SCENE_CHARACTERS, compose_scene
from fab_minicode.utm import UTM_FIELDS, Utm, byte_length, compose_path, split_query, unescape

MIN_WIDTH_PX, MAX_WIDTH_PX, DEFAULT_WIDTH_PX = 280, 1280, 430
"""Width that interfaces A, B and C draw. Source: docs/wechat.md, "Request bodies"."""

QUOTA_LIMIT = 100_000
"""Codes over interfaces A and C together, for the life of a mini program. Source: docs/wechat.md."""

MAX_PAGE_BYTES = 1024
"""Longest landing page of a kind whose UTM do not travel in the path, in UTF-8 bytes; ours, the column's length."""

RESERVED = "scancode_time"
"""A word that WeChat keeps for itself: it refuses every path that holds it."""

_COLOUR = re.compile(r"#[0-9A-Fa-f]{6}")
# C0 and C1, line and paragraph separators, direction overrides (they can make a file name lie), half surrogate pairs.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that no text of ours may hold."""


@dataclass(frozen=True)
class Options:
    """
    How the picture looks.

    Attributes:
        width_px: Edge length asked for, 280 to 1280.
        line_color: ``"#rrggbb"`` or None for WeChat's black; not together with ``auto_color``.
        auto_color: WeChat picks the colour.
        is_hyaline: Transparent background (the picture is a PNG then).
    """

    width_px: int = DEFAULT_WIDTH_PX
    line_color: str | None = None
    auto_color: bool = False
    is_hyaline: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the REST form ``{"width": 430, ...}`` with unset options left out."""
        shown: dict[str, Any] = {"width": self.width_px}
        if self.line_color:
            shown["line_color"] = self.line_color
        if self.auto_color:
            shown["auto_color"] = True
        if self.is_hyaline:
            shown["is_hyaline"] = True
        return shown


@dataclass(frozen=True)
class CodePlan:
    """Everything a kind needs to know of a code to check it and to ask WeChat for it."""

    landing_page: str
    utm: Utm
    short_key: str = ""
    options: Options = field(default_factory=Options)


@dataclass(frozen=True)
class ImageRequest:
    """One POST to WeChat that answers with a picture: ``endpoint`` without host or query, ``body`` as JSON."""

    endpoint: str
    body: Mapping[str, Any]
    uses_quota: bool


@dataclass(frozen=True)
class Kind:
    """
    One kind of code.

    Attributes:
        name: Stored and sent word.
        interface: WeChat's letter.
        endpoint: Path of the interface.
        max_path_bytes: UTF-8 bytes of the composed path; None where the path does not carry the UTM (B).
        uses_quota: Whether it counts against :data:`QUOTA_LIMIT`.
        colours: Whether line colour, automatic colour and transparency exist.
        compose: ``CodePlan`` -> JSON body.
    """

    name: str
    interface: str
    endpoint: str
    max_path_bytes: int | None
    uses_quota: bool
    colours: bool
    compose: Callable[[CodePlan], dict[str, Any]]

    def path_of(self, plan: CodePlan) -> str | None:
        """Return the exact path that is sent, None for a kind whose UTM travel in the scene."""
        return None if self.max_path_bytes is None else compose_path(plan.landing_page, plan.utm)

    def request(self, plan: CodePlan) -> ImageRequest:
        """Return the request for WeChat. The plan must have passed :meth:`check`."""
        return ImageRequest(self.endpoint, self.compose(plan), self.uses_quota)

    def check(self, plan: CodePlan) -> None:
        """Raise InvalidInput naming the field, the limit and the actual value."""
        check_landing_page(plan.landing_page)
        self._check_options(plan.options)
        path = self.path_of(plan)
        if path is None:
            # Interface B takes a page without query: WeChat's 41030.
            if "?" in plan.landing_page:
                raise InvalidInput(
                    "landing_page", "query_not_possible", detail=plan.landing_page.partition("?")[2][:80]
                )
        else:
            _check_reserved(plan.utm)
        measured, limit = (plan.landing_page, MAX_PAGE_BYTES) if path is None else (path, self.max_path_bytes or 0)
        if byte_length(measured) > limit:
            raise InvalidInput("landing_page", "invalid_path", limit=limit, actual=byte_length(measured), unit="bytes")

    def _check_options(self, options: Options) -> None:
        if not MIN_WIDTH_PX <= options.width_px <= MAX_WIDTH_PX:
            limit = MIN_WIDTH_PX if options.width_px < MIN_WIDTH_PX else MAX_WIDTH_PX
            raise InvalidInput("width", "out_of_range", limit=limit, actual=options.width_px, unit="px")
        if not self.colours and (options.line_color or options.auto_color or options.is_hyaline):
            raise InvalidInput("options", "not_for_this_kind")
        if options.line_color and not _COLOUR.fullmatch(options.line_color):
            raise InvalidInput("line_color", "invalid_colour", detail=options.line_color[:20])
        if options.line_color and options.auto_color:
            raise InvalidInput("line_color", "not_with_auto_color")


_WRONG_PAGES: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("control_character", lambda page: CONTROL.search(page) is not None),
    # A tab is a control character; that is said already.
    ("space", lambda page: any(c.isspace() for c in CONTROL.sub("", page))),
    ("leading_slash", lambda page: page.startswith("/")),
    ("fragment", lambda page: "#" in page),
)

PAGE_FAULTS = ("required", *(code for code, _ in _WRONG_PAGES), "second_question_mark", "reserved_parameter")
"""Every code that :func:`landing_page_faults` may give."""


def landing_page_faults(page: str) -> Iterator[InvalidInput]:
    """
    Yield all that keeps ``page`` from standing before the UTM values of a path; ``code_meter.js`` finds the same.

    Refused: empty, a leading ``/``, control characters, white space, ``#``, a second ``?``, ``scancode_time``
    (reserved, WeChat's 85096), one of the five UTM keys (it would shadow the form's field).
    """
    if not page or page.startswith("?"):
        yield InvalidInput("landing_page", "required")
        return
    for code, is_wrong in _WRONG_PAGES:
        if is_wrong(page):
            yield InvalidInput("landing_page", code, detail=page[:20] if code == "leading_slash" else "")
    if page.count("?") > 1:
        yield InvalidInput("landing_page", "second_question_mark", limit=1, actual=page.count("?"))
    keys = {unescape(key).lower() for key, _ in split_query(page.partition("?")[2])}
    if RESERVED in page.lower() or RESERVED in keys:
        yield InvalidInput("landing_page", "reserved_parameter", detail=RESERVED)
    for key in sorted(keys.intersection(UTM_FIELDS)):
        yield InvalidInput("landing_page", "reserved_parameter", detail=key)


def check_landing_page(page: str) -> None:
    """Raise the first of :func:`landing_page_faults`, if there is any."""
    for fault in landing_page_faults(page):
        raise fault


def _check_reserved(utm: Utm) -> None:
    for name, value in utm.pairs():
        # WeChat refuses a path that holds the word anywhere: 85096.
        if RESERVED in value.lower():
            raise InvalidInput(name, "reserved_parameter", detail=RESERVED)


def _rgb(colour: str) -> dict[str, int]:
    return {name: int(colour[start : start + 2], 16) for name, start in (("r", 1), ("g", 3), ("b", 5))}


def _look(options: Options) -> dict[str, Any]:
    # Unset keys are left out: WeChat answers 47001 or 40097 to empty or oddly typed ones (docs/wechat.md).
    body: dict[str, Any] = {"width": options.width_px}
    if options.auto_color:
        body["auto_color"] = True
    if options.line_color:
        body["line_color"] = _rgb(options.line_color)
    if options.is_hyaline:
        body["is_hyaline"] = True
    return body


def _compose_a(plan: CodePlan) -> dict[str, Any]:
    return {"path": compose_path(plan.landing_page, plan.utm), **_look(plan.options)}


def _compose_b(plan: CodePlan) -> dict[str, Any]:
    scene = compose_scene(plan.short_key)
    if len(scene) > MAX_SCENE_CHARACTERS:
        raise InvalidInput("scene", "too_long", limit=MAX_SCENE_CHARACTERS, actual=len(scene), unit="characters")
    return {"page": plan.landing_page, "scene": scene, **_look(plan.options)}


def _compose_c(plan: CodePlan) -> dict[str, Any]:
    return {"path": compose_path(plan.landing_page, plan.utm), "width": plan.options.width_px}


KINDS: tuple[Kind, ...] = (
    # A: 1024 since 2022; the current page says characters, an older one bytes. Bytes satisfy both (docs/wechat.md).
    Kind("wxacode", "A", "/wxa/getwxacode", 1024, True, True, _compose_a),
    # C: "128 characters" and "128 bytes" stand on the same page; bytes satisfy both (docs/wechat.md).
    Kind("wxaqrcode", "C", "/cgi-bin/wxaapp/createwxaqrcode", 128, True, False, _compose_c),
    # B: no lifetime limit; the scene is 32 visible characters, the UTM stay with us (docs/wechat.md).
    Kind("wxacode_unlimited", "B", "/wxa/getwxacodeunlimit", None, False, True, _compose_b),
)


def kind_named(name: str) -> Kind:
    """Return the kind with this name. Raises InvalidInput(field="kind")."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise InvalidInput("kind", "unknown", detail=name[:40])
