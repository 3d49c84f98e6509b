"""
All settings as one table. Pure: a mapping in, a frozen :class:`Settings` out.

Hosts write ``FAB_MINICODE_<NAME>`` into their Flask configuration. Unknown names are refused with the nearest known
one, because Flask-AppBuilder would otherwise hide a typing error for ever.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from limits import parse_many

from fab_minicode.errors import ConfigurationError

PREFIX = "FAB_MINICODE_"

_CALLABLE = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)


@dataclass(frozen=True)
class Settings:
    """The settings as rooms get them. Fields are the lower-case names of :data:`SETTINGS`."""

    secret_keys: tuple[str, ...]
    public_url: str
    component_appid: str
    component_appsecret: str
    component_token: tuple[str, ...]
    component_encoding_aes_keys: tuple[str, ...]
    wechat_api_url: str
    wechat_mp_url: str
    wechat_open_url: str
    token_provider: str
    authorizer_scope: str
    visitor_id: str
    timezone: str
    event_retention_days: int
    event_max_age_days: int
    utm_values_per_day: int
    collect_max_bytes: int
    collect_rate: str
    collect_rate_per_address: str
    rollup: str
    rollup_seconds: float
    menu_category: str
    menu_icon: str

    @property
    def zone(self) -> ZoneInfo:
        """The time zone in which a day is a calendar day."""
        return ZoneInfo(self.timezone)

    def __repr__(self) -> str:
        shown = (f"{f.name}={'***' if _row(f.name).secret else getattr(self, f.name)!r}" for f in fields(self))
        return f"Settings({', '.join(shown)})"


@dataclass(frozen=True)
class Setting:
    """One row: the name without prefix, how a raw value is read, the default, one sentence of help, whether secret."""

    name: str
    read: Callable[[Any], Any]
    default: Any
    help: str
    secret: bool = False


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a text")
    return value.strip()


def _url(value: Any) -> str:
    text = _text(value).rstrip("/")
    parts = urlsplit(text)
    if text and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
        raise ValueError("must be an http(s) address without query")
    return text


def _texts(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [piece for piece in value.split(",") if piece.strip()]
    if not isinstance(value, (list, tuple)) or not all(isinstance(item, (str, bytes)) for item in value):
        raise ValueError("must be a list of texts")
    return tuple((item.decode("ascii") if isinstance(item, bytes) else item).strip() for item in value)


def _callable_name(value: Any) -> str:
    text = _text(value)
    if text and not _CALLABLE.fullmatch(text):
        raise ValueError("must look like package.module:callable")
    return text


def _number(least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise ValueError("must be a whole number")
        number = int(value)
        if not least <= number <= most:
            raise ValueError(f"must be between {least} and {most}, is {number}")
        return number

    return read


def _seconds(value: Any) -> float:
    number = float(value)
    if not 0.1 <= number <= 3600:
        raise ValueError(f"must be between 0.1 and 3600, is {number}")
    return number


def _zone(value: Any) -> str:
    try:
        return ZoneInfo(_text(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("is not a known time zone") from None


def _rate(value: Any) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool) and value > 0
    text = f"{value}/second" if is_number else _text(value)
    if text:
        parse_many(text)
    return text


def _one_of(*words: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in words:
            raise ValueError(f"must be one of {', '.join(words)}")
        return str(value)

    return read


LOOK_BACK_DAYS = 30
"""Fewest days of raw events: an event takes a touch that is so old."""

MAX_DAYS = 36_500

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "SECRET_KEYS",
        _texts,
        (),
        "Fernet keys for secrets at rest, newest first; `flask minicode check` makes one.",
        True,
    ),
    Setting(
        "PUBLIC_URL", _url, "", "Address under which phones and WeChat reach this host, e.g. https://bi.example.com."
    ),
    Setting("COMPONENT_APPID", _text, "", "AppID of your third-party platform at WeChat's Open Platform."),
    Setting("COMPONENT_APPSECRET", _text, "", "AppSecret of the third-party platform.", True),
    Setting("COMPONENT_TOKEN", _texts, (), "Token that signs WeChat's pushes, or a list of them, newest first.", True),
    Setting("COMPONENT_ENCODING_AES_KEYS", _texts, (), "EncodingAESKeys of the pushes, newest first.", True),
    Setting("WECHAT_API_URL", _url, "https://api.weixin.qq.com", "Address of WeChat's server interfaces."),
    Setting("WECHAT_MP_URL", _url, "https://mp.weixin.qq.com", "Address of WeChat's authorisation page."),
    Setting("WECHAT_OPEN_URL", _url, "https://open.weixin.qq.com", "The same page for people who are on the phone."),
    Setting(
        "TOKEN_PROVIDER",
        _callable_name,
        "",
        "A function of the host that hands in access tokens, as `package.module:callable`.",
    ),
    Setting(
        "AUTHORIZER_SCOPE",
        _callable_name,
        "",
        "A function of the host that says who may know which mini program, as `package.module:callable`; it takes the"
        " place of the roles that managers choose.",
    ),
    Setting(
        "VISITOR_ID",
        _callable_name,
        "",
        "A function of the host that replaces a tracker's device id before it is hashed, as `package.module:callable`.",
    ),
    Setting("TIMEZONE", _zone, "Asia/Shanghai", "Time zone of a day in every number."),
    Setting(
        "EVENT_RETENTION_DAYS",
        _number(1, MAX_DAYS),
        180,
        "Days raw events are kept, at least 30 and one more than the next setting; the numbers stay for ever.",
    ),
    Setting("EVENT_MAX_AGE_DAYS", _number(1, MAX_DAYS - 1), 7, "An event older than this is refused with a reason."),
    Setting(
        "UTM_VALUES_PER_DAY",
        _number(10, 1_000_000),
        2_000,
        "Distinct values of a UTM field, pages, scenes, event names counted per mini program and day; others as one.",
    ),
    Setting(
        "COLLECT_MAX_BYTES",
        _number(1, 16 * 1024 * 1024),
        256 * 1024,
        "Largest body of one tracker request, in bytes.",
    ),
    Setting(
        "COLLECT_RATE",
        _rate,
        "600/second",
        "Requests per collect key, in the notation of the `limits` package (a number: per second); empty: no limit.",
    ),
    Setting(
        "COLLECT_RATE_PER_ADDRESS",
        _rate,
        "200/second",
        "Requests per public address that the host sees (behind a proxy: `ProxyFix`), over all keys; empty: no limit.",
    ),
    Setting(
        "ROLLUP",
        _one_of("thread", "external"),
        "thread",
        "Who counts accepted events: a thread of the web process or `flask minicode rollup`.",
    ),
    Setting("ROLLUP_SECONDS", _seconds, 2.0, "Pause between two roll-ups of the thread, in seconds."),
    Setting("MENU_CATEGORY", _text, "Mini program codes", "Menu category our entries stand in."),
    Setting("MENU_ICON", _text, "fa-qrcode", "Icon of that category (Font Awesome class)."),
)


def _row(field_name: str) -> Setting:
    return next(setting for setting in SETTINGS if setting.name.lower() == field_name)


def read_settings(config: Mapping[str, Any]) -> Settings:
    """
    Read every ``FAB_MINICODE_*`` key of a host's configuration.

    Raises:
        ConfigurationError: For an unknown name (with the nearest known one) or a bad value. Secret values are not
            repeated in the message.
    """
    known = {setting.name for setting in SETTINGS}
    for key in sorted(k for k in config if isinstance(k, str) and k.startswith(PREFIX)):
        if key.removeprefix(PREFIX) not in known:
            near = difflib.get_close_matches(key.removeprefix(PREFIX), known, 1, 0.5)
            hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
            raise ConfigurationError(f"unknown setting {key}{hint}")
    values = {setting.name.lower(): _value(setting, config) for setting in SETTINGS}
    settings = Settings(**values)
    _check_component(settings)
    return replace(settings, event_retention_days=_kept_days(settings))


def _kept_days(settings: Settings) -> int:
    """
    Return how long raw events are really kept: an event that was purged must not be sent, and counted, again, and a
    touch is looked for 30 days back.
    """
    return max(settings.event_retention_days, settings.event_max_age_days + 1, LOOK_BACK_DAYS)


def _value(setting: Setting, config: Mapping[str, Any]) -> Any:
    raw = config.get(PREFIX + setting.name)
    if raw is None:
        return setting.default
    try:
        return setting.read(raw)
    except (ValueError, TypeError, UnicodeDecodeError) as error:
        reason = "is malformed" if setting.secret else str(error)
        raise ConfigurationError(f"{PREFIX}{setting.name}: {reason}") from None


def _check_component(settings: Settings) -> None:
    names = ("component_appid", "component_appsecret", "component_token", "component_encoding_aes_keys")
    missing = [name.upper() for name in names if not getattr(settings, name)]
    if missing and len(missing) < len(names):
        raise ConfigurationError("third-party platform: also set " + ", ".join(PREFIX + name for name in missing))
    for key in settings.component_encoding_aes_keys:
        if len(key) != 43 or not (key.isascii() and key.isalnum()):
            raise ConfigurationError(f"{PREFIX}COMPONENT_ENCODING_AES_KEYS: each key has 43 letters and digits")
