"""Settings from an environment, limits that fit together, logs without secrets."""

import msgspec
import pytest

from maprun.runtime import limits, logs, settings


def test_an_empty_environment_gives_the_defaults() -> None:
    """Nobody has to set anything on one machine."""
    assert settings.load({}) == settings.Settings()


def test_settings_survive_the_way_to_a_child_process() -> None:
    """What a parent hands on is what the child reads."""
    given = {
        "MAPRUN_HOMES": "12",
        "MAPRUN_PREFIX": "a.b_c-9",
        "MAPRUN_SESSION_TIMEOUT_SECONDS": "31.5",
        "MAPRUN_KAFKA": "127.0.0.1:29092, kafka-2:9092",
        "AWS_ENDPOINT_URL_S3": "",
    }
    changed = settings.load(given)
    changed = settings.load({**settings.to_environment(changed), "MAPRUN_RETENTION_DAYS": "0.0001"})
    assert settings.load(settings.to_environment(changed)) == changed


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAPRUN_HOMES", "4097"),
        ("MAPRUN_LANES", "eight"),
        ("MAPRUN_HTTP_PORT", "70000"),
        ("MAPRUN_RETENTION_DAYS", "0"),
        ("MAPRUN_RETENTION_DAYS", "nan"),
        ("MAPRUN_RETENTION_DAYS", "soon"),
        ("MAPRUN_ACCOUNT", "12345"),
        ("MAPRUN_RECORD_BYTES_MAX", "1048576"),
        ("MAPRUN_SESSION_TIMEOUT_SECONDS", "5.9"),
        ("MAPRUN_SESSION_TIMEOUT_SECONDS", "inf"),
        ("MAPRUN_PREFIX", ""),
        ("MAPRUN_KAFKA", ""),
        ("MAPRUN_KAFKA", "localhost"),
        ("MAPRUN_KAFKA", "SASL_SSL://kafka:9093"),
        ("MAPRUN_KAFKA", "kafka+ssl://user:pw@kafka:9093"),
        ("MAPRUN_KAFKA", "a:9092,b"),
        ("MAPRUN_PREFIX", "our team."),
        ("MAPRUN_PREFIX", "größe."),
        ("MAPRUN_PREFIX", "x" * 201),
        ("MAPRUN_API", "ftp://127.0.0.1"),
        ("MAPRUN_API", "http://127.0.0.1:port"),
        ("MAPRUN_LOG_FORMAT", "xml"),
    ],
)
def test_a_value_without_sense_is_named(name: str, value: str) -> None:
    """The error names the variable and its value."""
    with pytest.raises(settings.SettingsError, match=name):
        settings.load({name: value})


def test_the_limits_fit_together() -> None:
    """The defaults hold every relation; a lease longer than the session is refused."""
    assert limits.check(limits.Limits()) == limits.Limits()
    with pytest.raises(AssertionError, match="lease must outlive"):
        limits.check(msgspec.structs.replace(limits.Limits(), lease_margin_seconds=7.0))


@pytest.mark.parametrize(
    ("key", "value", "shown"),
    [
        ("password", "hunter2", "[hidden]"),
        ("aws_secret_access_key", "x", "[hidden]"),
        ("header", "Bearer abcdefghijklmnop", "[hidden]"),
        ("key_id", "AKIAIOSFODNN7EXAMPLE", "[hidden]"),
        ("execution", "arn:aws:states:us-east-1:123456789012:execution:m:e", None),
    ],
)
def test_secrets_never_reach_a_log(key: str, value: str, shown: str | None) -> None:
    """Values of secret-looking names, and secret-looking texts under any name, are replaced; ids stay."""
    assert logs.hide_secrets(None, "info", {key: value}) == {key: shown or value}
