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
        "MAPRUN_KAFKA_REPLICAS": "-1",
        "MAPRUN_KAFKA_MIN_INSYNC": "2",
        "MAPRUN_KAFKA_DURABILITY": "disk",
        "MAPRUN_KAFKA_REQUEST_TIMEOUT_SECONDS": "30",
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
        ("MAPRUN_FUNCTION_ENDPOINTS", "resize"),
        ("MAPRUN_FUNCTION_ENDPOINTS", "resize="),
        ("MAPRUN_FUNCTION_ENDPOINTS", "resize=http://127.0.0.1:9000,=aws"),
        ("MAPRUN_FUNCTION_ENDPOINTS", "resize=127.0.0.1:9000"),
        ("MAPRUN_APIGATEWAY_ENDPOINTS", "*.test"),
        ("MAPRUN_APIGATEWAY_ENDPOINTS", "*.test=gateway.test"),
        ("MAPRUN_APIGATEWAY_ENDPOINTS", "=http://gateway.test"),
        ("MAPRUN_HTTP_TASK_ALLOW", "ftp://127.0.0.1"),
        ("MAPRUN_HTTP_TASK_ALLOW", "http://127.0.0.1:port"),
        ("MAPRUN_HTTP_TASK_ALLOW", "https://api.internal/path"),
        ("MAPRUN_HTTP_TASK_ALLOW", "10.0.0.0/8, api.internal"),
        ("MAPRUN_HTTP_TASK_ALLOW", "10.0.0.1/8"),
        ("MAPRUN_HTTP_PORT", "70000"),
        ("MAPRUN_OPEN_EXECUTIONS_MAX", "-1"),
        ("MAPRUN_OPEN_MAP_RUNS_MAX", "0"),
        ("MAPRUN_API_THROTTLE", "gcp"),
        ("MAPRUN_API_THROTTLE", "StartExecution"),
        ("MAPRUN_API_THROTTLE", "StartExecution=10"),
        ("MAPRUN_API_THROTTLE", "StartExecution=0/5"),
        ("MAPRUN_API_THROTTLE", "StartExecution=10/0"),
        ("MAPRUN_API_THROTTLE", "aws,StartExecutions=10/5"),
        ("MAPRUN_API_THROTTLE", "StartExecution=10/inf"),
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
        ("MAPRUN_KAFKA_REPLICAS", "-2"),
        ("MAPRUN_KAFKA_MIN_INSYNC", "two"),
        ("MAPRUN_KAFKA_DURABILITY", "fsync"),
        ("MAPRUN_KAFKA_REQUEST_TIMEOUT_SECONDS", "0.5"),
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


SASL = {"MAPRUN_KAFKA_SECURITY_PROTOCOL": "SASL_SSL", "MAPRUN_KAFKA_USERNAME": "u", "MAPRUN_KAFKA_PASSWORD": "hunter2"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"MAPRUN_KAFKA_SASL_MECHANISM": "GSSAPI"}, "must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"),
        ({"MAPRUN_KAFKA_SASL_MECHANISM": "OAUTHBEARER"}, "a token says who the client is"),
        ({"MAPRUN_KAFKA_TOKEN_COMMAND": "c"}, "are for MAPRUN_KAFKA_SASL_MECHANISM=OAUTHBEARER alone"),
        ({"MAPRUN_KAFKA_USERNAME": ""}, "needs MAPRUN_KAFKA_USERNAME"),
        ({"MAPRUN_KAFKA_PASSWORD_FILE": "f"}, "one of MAPRUN_KAFKA_PASSWORD and MAPRUN_KAFKA_PASSWORD_FILE"),
        ({"MAPRUN_KAFKA_SECURITY_PROTOCOL": "SSL"}, "has no user"),
        ({"MAPRUN_KAFKA_SECURITY_PROTOCOL": "sasl_ssl"}, "must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ({"MAPRUN_KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "MAPRUN_KAFKA_CA": "f"}, "has no TLS"),
        ({"MAPRUN_KAFKA_CERT": "f"}, "a certificate needs its key"),
        ({"MAPRUN_KAFKA_CERT": "f", "MAPRUN_KAFKA_KEY": "f"}, ""),
    ],
)
def test_settings_of_a_login_fit_together(changed: dict[str, str], said: str) -> None:
    """What lacks or contradicts is named, and no message shows the password."""
    judge_login(SASL | changed, said)


TOKENS = {
    "MAPRUN_KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "MAPRUN_KAFKA_SASL_MECHANISM": "OAUTHBEARER",
    "MAPRUN_KAFKA_TOKEN_URL": "https://login.test/token",
    "MAPRUN_KAFKA_CLIENT_ID": "me",
    "MAPRUN_KAFKA_CLIENT_SECRET": "hunter2",
}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"MAPRUN_KAFKA_TOKEN_COMMAND": "c"}, "needs one of MAPRUN_KAFKA_TOKEN_COMMAND and MAPRUN_KAFKA_TOKEN_URL"),
        ({"MAPRUN_KAFKA_TOKEN_URL": ""}, "needs one of MAPRUN_KAFKA_TOKEN_COMMAND and MAPRUN_KAFKA_TOKEN_URL"),
        ({"MAPRUN_KAFKA_TOKEN_URL": "", "MAPRUN_KAFKA_TOKEN_COMMAND": "get-token --for kafka"}, ""),
        ({"MAPRUN_KAFKA_TOKEN_URL": "login.test"}, "must be like https://login.example.com/oauth2/token"),
        ({"MAPRUN_KAFKA_CLIENT_ID": ""}, "needs MAPRUN_KAFKA_CLIENT_ID"),
        ({"MAPRUN_KAFKA_CLIENT_SECRET_FILE": "f"}, "one of MAPRUN_KAFKA_CLIENT_SECRET and"),
        ({"MAPRUN_KAFKA_SECURITY_PROTOCOL": "SSL"}, "has no user"),
    ],
)
def test_settings_of_tokens_fit_together(changed: dict[str, str], said: str) -> None:
    """A token comes from one place, which has what it needs."""
    judge_login(TOKENS | changed, said)


def judge_login(environ: dict[str, str], said: str) -> None:
    """Loads an environment, and looks for its secret in everything that is shown."""
    if not said:
        loaded = settings.load(environ)
        assert settings.load(settings.to_environment(loaded)) == loaded
        assert "hunter2" not in repr(loaded)
        return
    with pytest.raises(settings.SettingsError, match=said) as raised:
        settings.load(environ)
    assert "hunter2" not in str(raised.value)


def test_not_more_copies_must_have_a_record_than_there_are() -> None:
    """Kafka would take the topics, and refuse every record."""
    with pytest.raises(settings.SettingsError, match="MAPRUN_KAFKA_MIN_INSYNC=3: more than there are copies"):
        settings.load({"MAPRUN_KAFKA_REPLICAS": "2", "MAPRUN_KAFKA_MIN_INSYNC": "3"})
    settings.load({"MAPRUN_KAFKA_REPLICAS": "-1", "MAPRUN_KAFKA_MIN_INSYNC": "3"})
