"""
The whole error tree. A class per person who must act; facts in attributes, never secrets.

MinicodeError
├── ConfigurationError          the operator, at start
├── InvalidInput                the person at the form (field, limit, actual)
│   └── NameTaken               ... who must pick another name
├── CodeBusy                    somebody else is making this very code now
├── NotAuthorized               someone must authorise the mini program (again)
├── Missing                     the row is not there, or not for this person
├── NotYours                    a saved question or board of somebody else: its owner
├── QuestionLocked              whoever may unlock the saved question
├── StaleCopy                   the person at the form: look again, somebody else has changed it meanwhile
├── SecretUnreadable            the operator: keys are wrong or missing; the secret must be entered again
├── CallbackRejected            a stranger at WeChat's door
├── InvitationRefused           who came back from WeChat's page on a way that is not theirs, used or too old
├── CollectRejected             a tracker (key, size, rate, format)
├── EventsNotCounted            the operator: events of a mini program that the roll-up cannot count
├── QuotaUsedUp                 the lifetime quota of 100 000 codes over A and C, counted by us
├── RenderError                 the drawing of a picture
└── WeChatError                 WeChat answered no (errcode, errmsg, rid, endpoint)
    ├── TokenRejected           refresh once, retry once
    ├── SecretRejected          AppID or AppSecret is wrong
    ├── AddressRefused          our IP address is not registered at WeChat
    ├── NotGranted              the permission set is missing
    ├── AuthorizationLost       the authorisation or its refresh token is dead
    ├── TicketRejected          the component ticket is missing, old or invalid
    ├── ComponentRejected       AppID or AppSecret of the third-party platform is wrong: the operator
    ├── AuthCodeRejected        the authorisation code is used up or too old: scan again
    ├── ArgumentRefused         path, scene, page or width is not accepted
    ├── QuotaExceeded           WeChat's own counters (daily, minute, lifetime)
    ├── AccountBlocked          frozen, banned or cancelled mini program
    └── WeChatUnavailable       network, time-out, busy (-1), broken answer; ``outcome_unknown``: A/C may have been made
"""

from __future__ import annotations

from typing import ClassVar


class MinicodeError(Exception):
    """
    Anything this package refuses or fails at.

    Attributes:
        status: HTTP status of an answer that carries this error.
        retryable: Whether the same call may succeed later without anybody acting.
        code: Stable word for machines (REST ``error.code``).
    """

    status: int = 500
    retryable: ClassVar[bool] = False
    code: str = "error"


class ConfigurationError(MinicodeError):
    """A setting is missing, unknown or malformed. Raised while the host starts."""

    code = "configuration"


class InvalidInput(MinicodeError):
    """
    A value a person or a script sent is refused.

    Attributes:
        field: Name of the form field.
        code: Why, as a stable word (``required``, ``too_long``, ``invalid_path`` ...).
        limit: The limit that was passed, in the unit that ``unit`` names; None where there is none.
        actual: The value that was measured against it.
        unit: ``"bytes"``, ``"characters"``, ``"px"`` or "" .
        detail: The offending part of the value, shortened; "" where the field says it all.
    """

    status = 422

    def __init__(
        self,
        field: str,
        code: str,
        *,
        limit: int | None = None,
        actual: int | None = None,
        unit: str = "",
        detail: str = "",
    ) -> None:
        super().__init__(
            f"{field}: {code}" + (f" (limit {limit} {unit}, actual {actual})" if limit is not None else "")
        )
        self.field, self.code, self.limit, self.actual, self.unit, self.detail = (
            field,
            code,
            limit,
            actual,
            unit,
            detail,
        )


class NameTaken(InvalidInput):
    """Another live code of the same mini program has this name."""

    status = 409

    def __init__(self, name: str) -> None:
        super().__init__("name", "name_taken", detail=name)


class CodeBusy(MinicodeError):
    """WeChat is being asked for this code right now, by another click or another person."""

    status = 409
    retryable = True
    code = "busy"


class NotAuthorized(MinicodeError):
    """The mini program is not (or no longer) authorised; somebody must connect it first."""

    status = 409
    code = "not_authorized"

    def __init__(self, appid: str) -> None:
        super().__init__(f"mini program {appid} is not authorised")
        self.appid = appid


class Missing(MinicodeError):
    """No such row, or none that this person may see."""

    status = 404
    code = "not_found"


class NotYours(MinicodeError):
    """A saved question or a board belongs to somebody else, and the person does not manage others' things."""

    status = 403
    code = "not_yours"

    def __init__(self, owner: str) -> None:
        super().__init__("belongs to somebody else")
        self.owner = owner


class QuestionLocked(MinicodeError):
    """A saved question is locked; its owner or a manager must unlock it first."""

    status = 409
    code = "locked"

    def __init__(self, name: str) -> None:
        super().__init__("locked")
        self.name = name


class StaleCopy(MinicodeError):
    """Somebody (``changed_by``) has changed what the person was looking at; nothing was stored."""

    status = 409
    code = "stale"

    def __init__(self, changed_by: str) -> None:
        super().__init__("changed meanwhile")
        self.changed_by = changed_by


class SecretUnreadable(MinicodeError):
    """A stored secret cannot be opened with the configured keys; it must be entered again."""

    status = 503
    code = "secret_unreadable"


class CallbackRejected(MinicodeError):
    """A push at WeChat's door that is forged, replayed, truncated or altered. The message is for the operator only."""

    status = 403
    code = "callback_rejected"


class InvitationRefused(MinicodeError):
    """The way back from WeChat's page is unknown, used, older than 30 minutes, or of another person's session."""

    status = 403
    code = "invitation_refused"


class CollectRejected(MinicodeError):
    """
    A tracker's whole request is refused.

    Attributes:
        status: 400 malformed, 403 unknown key, 413 too large, 415 encoding, 429 too fast.
        retry_after_seconds: Set with 429.
    """

    def __init__(self, status: int, code: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(code)
        self.status, self.code, self.retry_after_seconds = status, code, retry_after_seconds


class EventsNotCounted(MinicodeError):
    """
    The roll-up counted nothing, because it fails at the events that wait; those of other mini programs are counted.

    Attributes:
        authorizer_ids: Whose events these are. The reason is the cause; its text may hold visitors' data.
    """

    code = "events_not_counted"

    def __init__(self, authorizer_ids: list[int], reason: str) -> None:
        self.authorizer_ids = authorizer_ids
        super().__init__(f"events of mini programs {authorizer_ids} cannot be counted: {reason}")


class QuotaUsedUp(MinicodeError):
    """All codes that WeChat grants over interfaces A and C for the life of the mini program are used or reserved."""

    status = 429
    code = "quota_used_up"

    def __init__(self, used: int, limit: int) -> None:
        super().__init__(f"{used} of {limit} codes used")
        self.used, self.limit = used, limit


class RenderError(MinicodeError):
    """A picture could not be drawn or is not the picture it claims to be."""

    code = "render"


class WeChatError(MinicodeError):
    """
    WeChat answered with an errcode, or not at all.

    Attributes:
        errcode: WeChat's number; 0 where there was no JSON answer.
        errmsg: WeChat's words without the trailing ``rid``; never a token or secret.
        rid: WeChat's request id, "" where none was given.
        endpoint: Path of the interface, without query.
    """

    status = 502
    code = "wechat"

    def __init__(self, errcode: int, errmsg: str, *, rid: str = "", endpoint: str = "") -> None:
        super().__init__(f"WeChat {endpoint}: {errcode} {errmsg}" + (f" (rid {rid})" if rid else ""))
        self.errcode, self.errmsg, self.rid, self.endpoint = errcode, errmsg, rid, endpoint


class TokenRejected(WeChatError):
    """The access token is expired, replaced or unknown."""

    code = "wechat_token_rejected"


class SecretRejected(WeChatError):
    """AppID and AppSecret do not belong together, or the secret is frozen."""

    code = "wechat_secret_rejected"


class AddressRefused(WeChatError):
    """Our IP address is not on the list that the mini program or the component keeps at WeChat."""

    code = "wechat_address_refused"


class NotGranted(WeChatError):
    """The permission set that this interface needs was not granted to us."""

    code = "wechat_not_granted"


class AuthorizationLost(WeChatError):
    """The mini program no longer lets us act for it; its administrator must authorise again."""

    status = 409
    code = "not_authorized"


class TicketRejected(WeChatError):
    """The component's verify ticket is missing, too old or invalid."""

    code = "wechat_ticket_rejected"


class ComponentRejected(WeChatError):
    """AppID or AppSecret of the third-party platform is wrong, or the platform is not known to WeChat."""

    code = "wechat_component_rejected"


class AuthCodeRejected(WeChatError):
    """The authorisation code was used before or is too old; the administrator must authorise again."""

    status = 409
    code = "wechat_auth_code_rejected"


class ArgumentRefused(WeChatError):
    """WeChat refuses an argument: path, scene, page, width."""

    code = "wechat_argument_refused"


class QuotaExceeded(WeChatError):
    """One of WeChat's own counters is used up."""

    status = 429
    code = "quota_exceeded"


class AccountBlocked(WeChatError):
    """The mini program is frozen, banned or cancelled at WeChat."""

    code = "wechat_account_blocked"


class WeChatUnavailable(WeChatError):
    """
    No usable answer: no connection, time-out, busy, broken or oversized body.

    Attributes:
        outcome_unknown: True when the request may have been carried out (read time-out after sending).
    """

    retryable = True
    code = "wechat_unavailable"

    def __init__(
        self, errcode: int, errmsg: str, *, rid: str = "", endpoint: str = "", outcome_unknown: bool = False
    ) -> None:
        super().__init__(errcode, errmsg, rid=rid, endpoint=endpoint)
        self.outcome_unknown = outcome_unknown


# WeChat's numbers -> the class that says who must act. Source: the error tables in docs/wechat.md.
# An errcode that is not listed stays a plain WeChatError and keeps its number.
ERRCODES: dict[int, type[WeChatError]] = {
    -1: WeChatUnavailable,
    40001: TokenRejected,
    40014: TokenRejected,
    42001: TokenRejected,
    41001: TokenRejected,
    40013: SecretRejected,
    40125: SecretRejected,
    40243: SecretRejected,
    41002: SecretRejected,
    41004: SecretRejected,
    40164: AddressRefused,
    61004: AddressRefused,
    89503: AddressRefused,
    48001: NotGranted,
    61007: NotGranted,
    45063: NotGranted,
    61016: NotGranted,
    43104: NotGranted,
    85405: NotGranted,
    85407: NotGranted,
    61003: AuthorizationLost,
    61023: AuthorizationLost,
    42007: AuthorizationLost,
    61005: TicketRejected,
    61006: TicketRejected,
    41018: ComponentRejected,
    61011: ComponentRejected,
    61009: AuthCodeRejected,
    61010: AuthCodeRejected,
    40097: ArgumentRefused,
    40129: ArgumentRefused,
    40159: ArgumentRefused,
    40169: ArgumentRefused,
    40189: ArgumentRefused,
    41030: ArgumentRefused,
    47001: ArgumentRefused,
    85096: ArgumentRefused,
    # The rest of WeChat's tables that this package may meet: a wrong call of ours, or interfaces it does not ask yet.
    **dict.fromkeys((40002, 40029, 40163, 40170, 43002, 43003, 44002, 61014, 76003), ArgumentRefused),
    **dict.fromkeys((40066, 40165, 40212, 40225, 85079, 85401, 85402, 85403, 61500, 61501), ArgumentRefused),
    **dict.fromkeys((85066, 85068, 85069, 85070, 85071, 85072, 85074, 85075, 85095), ArgumentRefused),
    **dict.fromkeys((9800003, 9800007, 9800008, 9800009), ArgumentRefused),
    45009: QuotaExceeded,
    45011: QuotaExceeded,
    45029: QuotaExceeded,
    **dict.fromkeys((44990, 44993, 48006, 85073, 85400, 85406, 886000), QuotaExceeded),
    48004: AccountBlocked,
    50002: AccountBlocked,
    **dict.fromkeys((40226, 50004, 50007, 85408), AccountBlocked),
    61503: WeChatUnavailable,
}
