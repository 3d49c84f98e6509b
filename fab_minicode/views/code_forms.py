"""The forms of the code pages: what was typed, read into a draft, with every fault beside its field."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from wtforms import BooleanField, HiddenField, StringField, TextAreaField

from fab_minicode.draft import (
    MAX_REMARK_CHARACTERS,
    Draft,
    checked_name,
    checked_text,
    checked_utm,
)
from fab_minicode.errors import InvalidInput
from fab_minicode.kinds import DEFAULT_WIDTH_PX, KINDS, CodePlan, Kind, Options, kind_named, landing_page_faults
from fab_minicode.models import Code
from fab_minicode.utm import MAX_VALUE_CHARACTERS, UTM_FIELDS, Utm
from fab_minicode.views import code_words
from fab_minicode.views.page_forms import PageForm
from fab_minicode.words import lazy_gettext as _l

DEFAULT_COLOUR = "#0a7350"
COLOURS: tuple[tuple[str, Any], ...] = (
    ("black", _l("Black")),
    ("auto", _l("WeChat picks one")),
    ("own", _l("A colour of my own")),
)


def stripped(value: str | None) -> str:
    """Return what was typed without surrounding white space, as it is stored."""
    return (value or "").strip()


def unix_lines(value: str) -> str:
    """Return a text with line breaks as they are stored; browsers send two characters for one."""
    return value.replace("\r\n", "\n")


class CodeForm(PageForm):
    """A new code. Values are kept as typed, so that nothing is lost when something is refused."""

    appid = HiddenField()
    instead_of = HiddenField()
    adopts = HiddenField()
    name = StringField(_l("Name"), filters=[stripped])
    landing_page = StringField(_l("Landing page"), filters=[stripped])
    kind = StringField(_l("Kind"), default=KINDS[0].name)
    utm_source = StringField(code_words.FIELDS["utm_source"][0], filters=[stripped])
    utm_campaign = StringField(code_words.FIELDS["utm_campaign"][0], filters=[stripped])
    utm_medium = StringField(code_words.FIELDS["utm_medium"][0], filters=[stripped])
    utm_content = StringField(code_words.FIELDS["utm_content"][0], filters=[stripped])
    utm_term = StringField(code_words.FIELDS["utm_term"][0], filters=[stripped])
    width = StringField(_l("Width"), filters=[stripped], default=str(DEFAULT_WIDTH_PX))
    colour = StringField(_l("Line colour"), default="black")
    line_color = StringField(_l("Colour"), filters=[stripped], default=DEFAULT_COLOUR)
    is_hyaline = BooleanField(_l("Transparent background"))
    remark = TextAreaField(_l("Remark"), filters=[stripped, unix_lines])

    @property
    def utm(self) -> Utm:
        """The five values as typed."""
        return Utm(*(self[field].data or "" for field in UTM_FIELDS))

    def options(self, kind: Kind) -> Options:
        """
        Return how the picture shall look; a kind without colours ignores what its page does not show.

        Raises:
            InvalidInput: When the width is no number.
        """
        width = self.width.data
        if not (width.isascii() and width.isdigit()) or len(width) > 6:
            raise InvalidInput("width", "not_a_number")
        if not kind.colours:
            return Options(int(width))
        own = self.line_color.data if self.colour.data == "own" else None
        return Options(int(width), own, self.colour.data == "auto", bool(self.is_hyaline.data))

    def draft(self, appid: str) -> Draft:
        """Return what was asked for. Raises InvalidInput naming the field."""
        kind = kind_named(self.kind.data or "")
        return Draft(
            appid=appid,
            name=self.name.data,
            kind=kind.name,
            landing_page=self.landing_page.data,
            utm=self.utm,
            options=self.options(kind),
            remark=self.remark.data,
        )

    def refused(self) -> dict[str, list[InvalidInput]]:
        """Return every fault that needs no database, by field and in the form's order: people want to hear all."""
        found: dict[str, list[InvalidInput]] = {}
        for check in self._checks():
            try:
                check()
            except InvalidInput as error:
                found.setdefault("colour" if error.field == "options" else error.field, [error])
        of_page = list(landing_page_faults(self.landing_page.data))
        if of_page:
            found["landing_page"] = of_page
        places = list(self._fields)
        return dict(sorted(found.items(), key=lambda item: places.index(item[0]) if item[0] in places else len(places)))

    def _checks(self) -> Iterator[Callable[[], Any]]:
        yield partial(checked_name, self.name.data)
        for field in UTM_FIELDS:
            yield partial(checked_text, field, self[field].data, most=MAX_VALUE_CHARACTERS)
        yield partial(checked_utm, Utm(self.utm_source.data))
        yield partial(checked_text, "remark", self.remark.data, most=MAX_REMARK_CHARACTERS, lines=True)
        yield self._check_kind

    def _check_kind(self) -> None:
        kind = kind_named(self.kind.data or "")
        kind.check(CodePlan(self.landing_page.data, self.utm, options=Options()))
        kind.check(CodePlan(self.landing_page.data, self.utm, options=self.options(kind)))


class RenameForm(PageForm):
    """Another name for a code; nothing else of it changes."""

    name = StringField(_l("Name"), filters=[stripped])


class ConfirmForm(PageForm):
    """Only the token that proves that the click came from our page."""


def filled_like(code: Code, options: Options, *, keep_name: bool) -> dict[str, Any]:
    """
    Return the form's values for another code like this one.

    Args:
        code: The model.
        options: How its picture looks.
        keep_name: False for the next code of a series (names are unique), True to correct one that was not made.
    """
    values: dict[str, Any] = {field: getattr(code, field) for field in (*UTM_FIELDS, "landing_page", "kind", "remark")}
    values["name"] = code.name if keep_name else ""
    values["width"] = str(options.width_px)
    values["colour"] = "auto" if options.auto_color else "own" if options.line_color else "black"
    values["line_color"] = options.line_color or DEFAULT_COLOUR
    values["is_hyaline"] = options.is_hyaline
    return values
