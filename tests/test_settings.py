"""The settings table: what is read, what is refused, and how an operator is told."""

import contextlib
import dataclasses
from zoneinfo import ZoneInfo

import pytest
from cryptography.fernet import Fernet

from fab_minicode.errors import ConfigurationError
from fab_minicode.settings import PREFIX, SETTINGS, Settings, read_settings

COMPONENT = {
    "COMPONENT_APPID": "wxcomponent",
    "COMPONENT_APPSECRET": "component secret",
    "COMPONENT_TOKEN": "component token",
    "COMPONENT_ENCODING_AES_KEYS": ["a" * 43],
}


def read(**values):
    return read_settings({PREFIX + name: value for name, value in values.items()})


def refused(**values):
    with pytest.raises(ConfigurationError) as caught:
        read(**values)
    return str(caught.value)


def test_an_empty_configuration_gives_the_defaults():
    settings = read_settings({"SECRET_KEY": "the host's own", "FAB_ROLES": {}})

    assert {s.name.lower(): s.default for s in SETTINGS} == dataclasses.asdict(settings)
    assert ZoneInfo("Asia/Shanghai") == settings.zone


def test_every_setting_is_a_field_with_help():
    assert {s.name.lower() for s in SETTINGS} == {f.name for f in dataclasses.fields(Settings)}
    assert all(s.help.endswith(".") for s in SETTINGS)


def test_the_documented_names_exist():
    assert {
        "SECRET_KEYS",
        "PUBLIC_URL",
        *COMPONENT,
        "WECHAT_API_URL",
        "WECHAT_MP_URL",
        "TIMEZONE",
        "EVENT_RETENTION_DAYS",
        "COLLECT_MAX_BYTES",
        "COLLECT_RATE",
        "EVENT_MAX_AGE_DAYS",
        "ROLLUP",
        "MENU_CATEGORY",
    } <= {s.name for s in SETTINGS}


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    assert "unknown setting FAB_MINICODE_TIMEZON; did you mean FAB_MINICODE_TIMEZONE?" == refused(TIMEZON="UTC")
    assert "unknown setting FAB_MINICODE_QQQQ" == refused(QQQQ=1)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
def test_none_is_the_default(setting):
    assert setting.default == getattr(read(**{setting.name: None}), setting.name.lower())


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda s: s.name)
@pytest.mark.parametrize("value", [object(), {"a": 1}, [object()], -1, float("nan"), True])
def test_nonsense_is_refused_and_never_with_another_error(setting, value):
    with contextlib.suppress(ConfigurationError):
        read(**{setting.name: value})


@pytest.mark.parametrize(
    "name, value",
    [
        ("PUBLIC_URL", "bi.example.com"),
        ("PUBLIC_URL", "ftp://bi.example.com"),
        ("PUBLIC_URL", "https://bi.example.com/?a=1"),
        ("WECHAT_API_URL", "https://"),
        ("WECHAT_API_URL", "http://[broken"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", ""),
        ("TIMEZONE", "../etc/passwd"),
        ("EVENT_RETENTION_DAYS", 0),
        ("EVENT_RETENTION_DAYS", 36_501),
        ("EVENT_RETENTION_DAYS", "many"),
        ("EVENT_MAX_AGE_DAYS", 0),
        ("COLLECT_MAX_BYTES", 0),
        ("COLLECT_RATE", "very often"),
        ("ROLLUP", "sometimes"),
        ("ROLLUP_SECONDS", 0),
        ("ROLLUP_SECONDS", float("nan")),
        ("SECRET_KEYS", 7),
        ("SECRET_KEYS", ["ключ".encode()]),
    ],
)
def test_a_bad_value_is_refused(name, value):
    assert refused(**{name: value}).startswith(f"{PREFIX}{name}: ")


@pytest.mark.parametrize(
    "name, value, expected",
    [
        ("PUBLIC_URL", "https://bi.example.com/", "https://bi.example.com"),
        ("PUBLIC_URL", "https://bi.example.com/superset", "https://bi.example.com/superset"),
        ("PUBLIC_URL", "", ""),
        ("TIMEZONE", "UTC", "UTC"),
        ("EVENT_RETENTION_DAYS", "365", 365),
        ("COLLECT_RATE", "", ""),
        ("COLLECT_RATE", "10/second;100/minute", "10/second;100/minute"),
        ("ROLLUP", "external", "external"),
        ("ROLLUP_SECONDS", 1, 1.0),
        ("SECRET_KEYS", "a, b,", ("a", "b")),
        ("SECRET_KEYS", ["a", b"b"], ("a", "b")),
        ("SECRET_KEYS", ("a",), ("a",)),
    ],
)
def test_a_value_is_read(name, value, expected):
    assert expected == getattr(read(**{name: value}), name.lower())


def test_secrets_are_in_no_message_and_no_repr():
    key = Fernet.generate_key().decode("ascii")
    settings = read(SECRET_KEYS=[key], **COMPONENT)

    for secret in (key, "component secret", "component token", "a" * 43):
        assert secret not in repr(settings)
        assert secret not in str(settings)
    assert "hunter2" not in refused(SECRET_KEYS={"hunter2": 1})
    assert "hunter2" not in refused(**{**COMPONENT, "COMPONENT_ENCODING_AES_KEYS": ["hunter2"]})


def test_a_third_party_platform_is_configured_whole_or_not_at_all():
    assert "wxcomponent" == read(**COMPONENT).component_appid
    for name in COMPONENT:
        left = {other: value for other, value in COMPONENT.items() if other != name}

        assert refused(**left).endswith(f"also set {PREFIX}{name}")


@pytest.mark.parametrize("key", ["a" * 42, "a" * 44, "é" * 43, "-" * 43])
def test_an_encoding_aes_key_has_43_letters_and_digits(key):
    assert "COMPONENT_ENCODING_AES_KEYS" in refused(**{**COMPONENT, "COMPONENT_ENCODING_AES_KEYS": [key]})


@pytest.mark.parametrize(
    "max_age, retention, kept",
    [(7, 30, 30), (7, 180, 180), (30, 30, 31), (3650, 180, 3651), (3650, None, 3651), (7, 1, 30), (2, None, 180)],
)
def test_an_event_that_was_purged_cannot_come_again_and_a_touch_is_found_for_30_days(max_age, retention, kept):
    settings = read(EVENT_MAX_AGE_DAYS=max_age, EVENT_RETENTION_DAYS=retention)

    assert (max_age, kept) == (settings.event_max_age_days, settings.event_retention_days)
