"""
Errors in the words of the people who meet them. Errors carry facts (errors.py); this is the one place that makes text.

Three tables: what a form field was refused for, what WeChat said by class of error, and what it said by number where
the number tells more than the class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from fab_minicode import errors
from fab_minicode.errors import ERRCODES, InvalidInput, MinicodeError, QuotaUsedUp, WeChatError, WeChatUnavailable
from fab_minicode.words import lazy_gettext as _l

REFUSALS: dict[tuple[str, str], Any] = {
    ("name", "required"): _l("Give the code a name."),
    ("name", "unnamed"): _l("Give it a name."),
    ("name", "name_taken"): _l("Another code of this mini program is already called “%(detail)s”. Pick another name."),
    ("appid", "required"): _l("Enter the mini program's AppID."),
    ("appid", "invalid_appid"): _l("An AppID begins with wx, followed by letters and digits only."),
    ("appid", "unknown"): _l("This mini program is not known here. Connect it first."),
    ("appid", "of_another_team"): _l(
        "This mini program is connected here already, and belongs to another team. Ask an administrator."
    ),
    ("secret", "required"): _l("Enter the mini program's AppSecret."),
    ("secret", "invalid_secret"): _l("An AppSecret has no spaces and no characters beyond letters, digits and signs."),
    ("kind", "unknown"): _l("Choose one of the kinds."),
    ("landing_page", "required"): _l("Enter the page that opens, for example pages/index/index."),
    ("landing_page", "space"): _l("The landing page must not contain spaces."),
    ("landing_page", "leading_slash"): _l(
        "The landing page must not begin with “/”: pages/index/index, not /pages/index/index."
    ),
    ("landing_page", "second_question_mark"): _l("The landing page may have one “?” only; this one has %(actual)s."),
    ("landing_page", "fragment"): _l("The landing page must not contain “#”."),
    ("landing_page", "reserved_parameter"): _l(
        "“%(detail)s” must not stand in the landing page; it is added here or by WeChat."
    ),
    ("landing_page", "query_not_possible"): _l(
        "This kind takes a page without parameters. Remove “?%(detail)s”, or choose another kind."
    ),
    ("landing_page", "invalid_path"): _l(
        "Page and parameters take %(actual)s bytes together; this kind allows %(limit)s. "
        "Shorten them, or choose a kind that allows more."
    ),
    ("utm_source", "required"): _l("Say where the code will be seen, for example poster or wechat-moments."),
    ("width", "not_a_number"): _l("Enter the width as a whole number of pixels."),
    ("width", "out_of_range"): _l("The width is %(actual)s px; WeChat draws 280 to 1280 px."),
    ("options", "not_for_this_kind"): _l("This kind is always black on white."),
    ("line_color", "invalid_colour"): _l("Enter the colour as # and six digits, for example #0a7350."),
    ("line_color", "not_with_auto_color"): _l("Choose either a colour of your own or WeChat's automatic colour."),
    ("confirmation", "does_not_match"): _l("Type %(detail)s exactly as it stands above."),
    ("roles", "required"): _l("Choose at least one of your roles."),
    ("roles", "none_of_yours"): _l("“%(detail)s” is none of your roles. Choose among yours."),
    ("owner", "unknown"): _l("Nobody of this user name can keep it: an active person who may save analyses is needed."),
    ("items", "too_many"): _l("A board holds %(limit)s questions at most. Take one off first."),
    ("roles", "unknown"): _l("This host has no role “%(detail)s”. Load the page anew and choose again."),
    ("roles", "too_many"): _l("These are %(actual)s roles; %(limit)s are possible."),
    ("roles", "without_yours"): _l("Tick at least one role of yours, or you would no longer see this mini program."),
    ("leaver", "required"): _l("Choose who leaves."),
    ("leaver", "has_nothing"): _l("There is nothing of theirs that you could hand over."),
    ("to", "required"): _l("Enter the user name of who follows."),
    ("to", "unknown_user"): _l("This host has no active user “%(detail)s”."),
    ("to", "same_person"): _l("That is the same person."),
    ("to", "not_of_the_team"): _l(
        "They do not know: %(detail)s. Choose somebody of the team, or widen the team first."
    ),
    ("owner", "not_of_the_team"): _l("“%(detail)s” does not know this mini program."),
    ("body", "not_an_object"): _l("Send one JSON object: {…}."),
    ("window", "too_long"): _l("These are %(actual)s days; %(limit)s are possible."),
    ("window.last_days", "out_of_range"): _l("Ask for 1 to %(limit)s days."),
    ("name", "segment_taken"): _l("Another segment is already called “%(detail)s”. Pick another name."),
    ("segment", "too_many"): _l("A mini program has %(limit)s segments at most. Delete one first."),
    ("steps", "too_few"): _l("A funnel needs at least %(limit)s steps. Add one."),
    ("within_days", "out_of_range"): _l("Ask for 1 to %(limit)s days between the first step and the others."),
    ("days", "out_of_range"): _l("Ask for 1 to %(limit)s days."),
    ("pseudonym", "ambiguous"): _l("Two visitors have this pseudonym. Name the device instead."),
    ("limit", "out_of_range"): _l("Ask for 1 to %(limit)s rows."),
    ("target", "same_value"): _l("A value cannot be merged into itself."),
    ("target", "circle"): _l(
        "The target counts as “%(detail)s” already; merging back would go round in a circle. Undo the other "
        "merge first."
    ),
    ("value", "merged_before"): _l("This value counts as “%(detail)s” already. Undo that first."),
    ("value", "too_many_aliases"): _l("%(actual)s values are merged; more are not possible. Undo some first."),
}
"""``(field, code)`` of an :class:`InvalidInput` -> what to do about it."""

REFUSALS_OF_ANY_FIELD: dict[str, Any] = {
    "required": _l("This field is needed."),
    "too_long": _l("This is %(actual)s characters long; %(limit)s are possible."),
    "control_character": _l("This contains an invisible control character; type it again instead of pasting."),
    "reserved_parameter": _l("“%(detail)s” must not stand here; WeChat uses it itself."),
    "unknown": _l("“%(detail)s” is not known here."),
    "malformed": _l("This does not look right."),
    "unknown_field": _l("A field of this name is not known here. Check its spelling, or leave it out."),
    "not_json": _l("Send valid JSON in UTF-8, with the header Content-Type: application/json."),
    "too_large": _l("The request is too large."),
    "too_deep": _l("The JSON is nested too deeply."),
    "not_an_object": _l("This must be a JSON object: {…}."),
    "not_a_text": _l("This must be a text in quotes."),
    "wrong_type": _l("This value is of the wrong type."),
    "used_with_another_body": _l("This key was used for another request. Send a new key with a new request."),
    "invalid": _l("This value cannot be read. The documentation shows how it is written."),
    "not_wanted": _l("This condition takes no value. Leave it out."),
    "twice": _l("“%(detail)s” is asked for twice. Leave one out."),
    "too_many": _l("These are %(actual)s; %(limit)s are possible."),
    "too_many_rows": _l(
        "The answer could have %(actual)s rows; %(limit)s are possible. Ask for fewer days, longer steps or fewer rows."
    ),
    "hours_too_far_back": _l(
        "Hours are counted for the last %(limit)s days; this begins %(actual)s days ago. Ask for days instead."
    ),
    "not_a_segment": _l(
        "These visitors cannot be kept as a segment: no whole days or no single group stands for them."
    ),
    "needs_extra": _l("The server paints no pictures yet; whoever runs it installs %(detail)s."),
    "not_drawable": _l("This kind of chart cannot be drawn of this answer. Choose another one."),
    "events_purged": _l(
        "Single events are kept for %(limit)s days; this window begins %(actual)s days ago. Choose a later one."
    ),
    "before_since": _l("The last day must not be before the first."),
    "out_of_range": _l("This value lies outside of what is possible."),
}
"""``code`` -> sentence, where the field has none of its own."""


@dataclass(frozen=True)
class Explanation:
    """What WeChat's answer means (``what``), what can be done (``advice``), and whether trying again may help."""

    what: Any
    advice: Any
    again: bool


_CLASSES: tuple[tuple[type[WeChatError], Explanation], ...] = (
    (
        errors.TokenRejected,
        Explanation(
            _l("WeChat did not accept our access token."),
            _l("This happens when another system fetches tokens for the same mini program. Try again."),
            True,
        ),
    ),
    (
        errors.SecretRejected,
        Explanation(
            _l("AppID and AppSecret do not belong together, or the secret was reset or frozen."),
            _l("Copy the AppSecret from mp.weixin.qq.com and connect the mini program again."),
            False,
        ),
    ),
    (
        errors.AddressRefused,
        Explanation(
            _l("WeChat does not know the network address of this server."),
            _l("Add the address to the mini program's IP whitelist at mp.weixin.qq.com, then try again."),
            True,
        ),
    ),
    (
        errors.NotGranted,
        Explanation(
            _l("The mini program has not granted us the permission to make codes."),
            _l("Let its administrator authorise again and leave every permission ticked."),
            True,
        ),
    ),
    (
        errors.AuthorizationLost,
        Explanation(
            _l("The mini program no longer lets us act for it."),
            _l("Let its administrator authorise it again."),
            True,
        ),
    ),
    (
        errors.TicketRejected,
        Explanation(
            _l("WeChat's ticket for our platform has not arrived."),
            _l("It is sent every ten minutes; try again then. If it stays so, tell your administrator."),
            True,
        ),
    ),
    (
        errors.ComponentRejected,
        Explanation(
            _l("WeChat does not know our third-party platform, or its secret is wrong."),
            _l("Tell your administrator: the platform's AppID and AppSecret are set in the host's configuration."),
            True,
        ),
    ),
    (
        errors.AuthCodeRejected,
        Explanation(
            _l("The authorisation was not finished in time, or was used before."),
            _l("Let the mini program's administrator scan again."),
            False,
        ),
    ),
    (
        errors.ArgumentRefused,
        Explanation(
            _l("WeChat does not accept what was asked for."),
            _l("Check the landing page and the parameters, and make the code again."),
            False,
        ),
    ),
    (
        errors.QuotaExceeded,
        Explanation(
            _l("WeChat makes no more codes for this mini program just now."),
            _l("Its daily or per-minute limit is used up. Try again in a minute, or tomorrow."),
            True,
        ),
    ),
    (
        errors.AccountBlocked,
        Explanation(
            _l("The mini program is frozen, banned or cancelled at WeChat."),
            _l("Look at its state at mp.weixin.qq.com."),
            False,
        ),
    ),
    (
        errors.WeChatUnavailable,
        Explanation(
            _l("WeChat could not be reached, or was too busy to answer."),
            _l("Nothing was made and nothing was used up. Try again in a moment."),
            True,
        ),
    ),
)

_NUMBERS: dict[int, Explanation] = {
    41030: Explanation(
        _l("WeChat does not find the landing page in the published version of the mini program."),
        _l("Check its spelling. If the page is new, publish the mini program first, then try again."),
        True,
    ),
    40159: Explanation(
        _l("WeChat finds page and parameters too long."),
        _l("Shorten them, or choose a kind that allows more."),
        False,
    ),
    45029: Explanation(
        _l("All 100,000 codes that WeChat gives this mini program for life are used up."),
        _l("Choose the unlimited kind."),
        False,
    ),
    45011: Explanation(
        _l("WeChat was asked too often within one minute."),
        _l("Try again in a minute."),
        True,
    ),
}

_NUMBERS |= {
    61004: Explanation(
        _l("WeChat does not know the network address of this server."),
        _l("Add the address to the third-party platform's IP list at open.weixin.qq.com, then try again."),
        True,
    ),
    61007: Explanation(
        _l("The mini program's administrator did not tick the permission that this needs."),
        _l("Let its administrator authorise again and leave permission set 17 ticked."),
        True,
    ),
    48001: Explanation(
        _l("WeChat does not let this account use the interface."),
        _l("Check that it is a mini program and that permission set 17 is granted, then authorise it again."),
        True,
    ),
}
"""Refusals that a third-party platform meets."""

PLATFORM_QUOTA = Explanation(
    _l("Our third-party platform has asked WeChat too often today."),
    _l("Its own daily limit is used up, not the mini program's. Try again tomorrow, or tell your administrator."),
    True,
)
"""For a limit of the platform's own interfaces."""

_UNKNOWN_NUMBER = Explanation(
    _l("WeChat refused the request for a reason that is not known here."),
    _l("Its own words stand below; try again, or show them to your administrator."),
    True,
)

_OURS: dict[str, Explanation] = {
    errors.SecretUnreadable.code: Explanation(
        _l("The stored AppSecret can no longer be read."),
        _l("Connect the mini program again, then try again."),
        True,
    ),
    errors.NotAuthorized.code: Explanation(
        _l("The mini program no longer lets us act for it."),
        _l("Let its administrator authorise it again."),
        True,
    ),
}
"""``code`` of an error of ours -> what it means, where WeChat was not asked at all."""

OUTCOME_UNKNOWN = Explanation(
    _l("WeChat took the request but its answer did not arrive in time."),
    _l(
        "Whether a code was made cannot be known, so one is counted against the limit. "
        "Trying again may count a second one."
    ),
    True,
)
"""For a code in the state ``unknown``."""


def explained(errcode: int) -> Explanation:
    """Return what one of WeChat's numbers means to a person; 0 is an answer that was none."""
    if errcode in _NUMBERS:
        return _NUMBERS[errcode]
    kind = WeChatUnavailable if errcode == 0 else ERRCODES.get(errcode)
    return next((text for known, text in _CLASSES if known is kind), _UNKNOWN_NUMBER)


def explained_row(errcode: int | None, message: str | None) -> Explanation:
    """
    Return what the error on a code's row means to a person.

    Args:
        errcode: WeChat's number; None where WeChat was not asked, ``message`` is one of our own words then.
        message: WeChat's words, or the ``code`` of one of our errors.
    """
    if errcode is not None:
        return explained(errcode)
    return _OURS.get(message or "", _UNKNOWN_NUMBER)


def explained_error(error: WeChatError) -> Explanation:
    """Return what an error means to a person; its number where that says more, else its class."""
    if isinstance(error, WeChatUnavailable) and error.outcome_unknown:
        return OUTCOME_UNKNOWN
    if error.errcode in _NUMBERS:
        return _NUMBERS[error.errcode]
    if error.endpoint.startswith("/cgi-bin/component/") and isinstance(error, errors.QuotaExceeded):
        return PLATFORM_QUOTA
    return next((text for known, text in _CLASSES if isinstance(error, known)), _UNKNOWN_NUMBER)


def explained_any(error: MinicodeError) -> Explanation:
    """Return what an error means to a person, whether WeChat said it or we."""
    if isinstance(error, WeChatError):
        return explained_error(error)
    return _OURS.get(error.code, _UNKNOWN_NUMBER)


def refusal(error: InvalidInput, number: Callable[[float], str] = str) -> str:
    """
    Return the sentence that stands beside the refused field.

    Args:
        error: What was refused.
        number: How a number is written (``Shown.number``).
    """
    text = REFUSALS.get((error.field, error.code)) or REFUSALS_OF_ANY_FIELD.get(error.code)
    if text is None:
        text = REFUSALS_OF_ANY_FIELD["malformed"]
    facts: Mapping[str, str] = {
        "limit": "" if error.limit is None else number(error.limit),
        "actual": "" if error.actual is None else number(error.actual),
        "detail": error.detail,
    }
    return str(text) % facts


SENTENCES: dict[type[MinicodeError], Any] = {
    errors.Missing: _l("There is nothing of this name or number. It may have been deleted."),
    errors.NotYours: _l("This belongs to %(owner)s. Save it under a name of your own instead."),
    errors.QuestionLocked: _l("This question is locked. Unlock it first."),
    errors.StaleCopy: _l("%(changed_by)s has changed this meanwhile. Look at it again before you change it."),
    errors.CodeBusy: _l("This code is being made right now. Look again in a moment."),
    errors.NotAuthorized: _l("This mini program is not authorised. Connect it first; then codes can be made."),
    errors.SecretUnreadable: _l("The stored AppSecret can no longer be read. Connect the mini program again."),
}
"""Errors that belong to no field -> what they mean; ``%(…)s`` is an attribute of the error."""


def sentence(error: MinicodeError) -> str:
    """Return what an error that belongs to no field means to the person who meets it."""
    if isinstance(error, InvalidInput):
        return refusal(error)
    if isinstance(error, WeChatError):
        found = explained_error(error)
        return f"{found.what} {found.advice}"
    if isinstance(error, QuotaUsedUp):
        return str(_NUMBERS[45029].what) + " " + str(_NUMBERS[45029].advice)
    text = SENTENCES.get(type(error))
    if text is None:
        return str(_l("That did not work. Try again, or tell your administrator."))
    return str(text) % vars(error)
