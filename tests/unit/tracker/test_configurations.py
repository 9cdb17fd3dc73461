"""Logging, tracing, encryption and tags in requests: what is taken, how it is kept, what is refused."""

import json
from typing import Any

import pytest

from maprun.requests.checks import Refusal
from services.maprun_tracker.api import inputs, tags
from services.maprun_tracker.api.machines import spec_of
from services.maprun_tracker.api.operations import decode

GROUP = "arn:aws:logs:us-east-1:123456789012:log-group:flow:*"
DESTINATION = [{"cloudWatchLogsLogGroup": {"logGroupArn": GROUP}}]
KEY = "alias/mine"
NEEDED = {"name": "m", "definition": "{}", "roleArn": "arn:aws:iam::123456789012:role/r"}
NO_OBJECTS: list[Any] = [[], "ALL", 1, True]
LOGGING, TRACING, ENCRYPTION = "loggingConfiguration", "tracingConfiguration", "encryptionConfiguration"


def asked(**members: Any) -> inputs.CreateStateMachine:
    """A request to create a machine, decoded and checked as the API does."""
    ask: inputs.CreateStateMachine = decode(inputs.CreateStateMachine, json.dumps({**NEEDED, **members}).encode())
    return ask


def kept(member: str, value: Any) -> Any:
    """What is kept of a configuration; None = as if it was not given."""
    spec = spec_of(asked(**{member: value}), "STANDARD", b"")
    raw = {LOGGING: spec.logging, TRACING: spec.tracing, ENCRYPTION: spec.encryption}[member]
    return json.loads(raw) if raw else None


@pytest.mark.parametrize(
    ("member", "given", "whole"),
    [
        (LOGGING, {}, {"level": "OFF", "includeExecutionData": False}),
        (LOGGING, {"level": "OFF"}, {"level": "OFF", "includeExecutionData": False}),
        (LOGGING, {"level": None, "destinations": None}, {"level": "OFF", "includeExecutionData": False}),
        (LOGGING, {"level": "OFF", "destinations": []}, {"level": "OFF", "includeExecutionData": False}),
        (
            LOGGING,
            {"level": "ALL", "includeExecutionData": True, "destinations": DESTINATION, "news": 1},
            {"level": "ALL", "includeExecutionData": True, "destinations": DESTINATION},
        ),
        (LOGGING, None, None),
        (TRACING, {"enabled": True}, {"enabled": True}),
        (TRACING, {}, {"enabled": False}),
        (TRACING, None, None),
        (ENCRYPTION, {"type": "AWS_OWNED_KEY"}, {"type": "AWS_OWNED_KEY"}),
        (
            ENCRYPTION,
            {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": KEY},
            {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": KEY, "kmsDataKeyReusePeriodSeconds": 300},
        ),
        (ENCRYPTION, None, None),
    ],
)
def test_a_configuration_is_kept_in_full(member: str, given: Any, whole: Any) -> None:
    """What a client leaves out, or says null of, has AWS's default; what AWS doesn't know is passed over."""
    assert kept(member, given) == whole


@pytest.mark.parametrize(
    ("members", "code", "words"),
    [
        *(
            ({member: value}, "SerializationException", member)
            for member in (LOGGING, TRACING, ENCRYPTION)
            for value in NO_OBJECTS
        ),
        ({LOGGING: {"level": 1}}, "SerializationException", "level"),
        ({LOGGING: {"level": "ON"}}, "ValidationException", "'loggingConfiguration.level' failed to satisfy"),
        ({LOGGING: {"level": "ALL"}}, "InvalidLoggingConfiguration", "Must specify exactly one Log Destination."),
        ({LOGGING: {"destinations": DESTINATION * 2}}, "InvalidLoggingConfiguration", "exactly one"),
        ({LOGGING: {"level": "ALL", "destinations": [{}]}}, "InvalidLoggingConfiguration", "exactly one"),
        (
            {LOGGING: {"level": "ALL", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": "flow"}}]}},
            "InvalidLoggingConfiguration",
            "Log Destination not found.",
        ),
        (
            {LOGGING: {"destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": ""}}]}},
            "ValidationException",
            "'loggingConfiguration.destinations.1.member.cloudWatchLogsLogGroup.logGroupArn'",
        ),
        ({TRACING: {"enabled": "yes"}}, "SerializationException", "enabled"),
        ({ENCRYPTION: {}}, "ValidationException", "'encryptionConfiguration.type'"),
        ({ENCRYPTION: {"type": "MINE"}}, "ValidationException", "enum value set"),
        ({ENCRYPTION: {"type": "CUSTOMER_MANAGED_KMS_KEY"}}, "InvalidEncryptionConfiguration", "kmsKeyId"),
        ({ENCRYPTION: {"type": "AWS_OWNED_KEY", "kmsKeyId": KEY}}, "InvalidEncryptionConfiguration", "kmsKeyId"),
        (
            {ENCRYPTION: {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": KEY, "kmsDataKeyReusePeriodSeconds": 59}},
            "InvalidEncryptionConfiguration",
            "between 60 and 900",
        ),
        ({"versionDescription": "x" * 257}, "ValidationException", "'versionDescription'"),
    ],
)
def test_a_wrong_configuration_is_refused_in_words(members: dict[str, Any], code: str, words: str) -> None:
    """Each wrong member has AWS's error name, and the message says which member it is."""
    with pytest.raises(Refusal) as refused:
        spec_of(asked(**members), "STANDARD", b"")
    assert (refused.value.code, words in refused.value.message) == (code, True), refused.value.message


@pytest.mark.parametrize(
    ("given", "whole"),
    [
        (None, {}),
        ([], {}),
        ([{"key": "a", "value": "1"}], {"a": "1"}),
        ([{"key": "a"}, {"key": "b", "value": None}], {"a": "", "b": ""}),
        ([{"key": "Maß:/=+-@ _.", "value": "ü"}], {"Maß:/=+-@ _.": "ü"}),
    ],
)
def test_tags_are_kept(given: Any, whole: dict[str, str]) -> None:
    """A tag's value may be absent; tags that are null are none."""
    stored = json.loads(tags.stored(asked(tags=given).tags) or b"[]")
    assert {tag["key"]: tag["value"] for tag in stored} == whole


@pytest.mark.parametrize(
    ("given", "code", "words"),
    [
        ({"a": "1"}, "SerializationException", "tags"),
        ([{"key": "a", "value": 1}], "SerializationException", "value"),
        ([{"value": "1"}], "ValidationException", "'tags.1.member.key'"),
        ([{"key": "a" * 129}], "ValidationException", "'tags.1.member.key'"),
        ([{"key": "a"}, {"key": "b", "value": "v" * 257}], "ValidationException", "'tags.2.member.value'"),
        ([{"key": "a*"}], "ValidationException", "'tags.1.member.key'"),
        ([{"key": "aws:x"}], "ValidationException", "aws:"),
        ([{"key": "a"}, {"key": "a"}], "ValidationException", "twice"),
        ([{"key": f"k{n}"} for n in range(51)], "TooManyTags", "at most 50"),
    ],
)
def test_wrong_tags_are_refused_in_words(given: Any, code: str, words: str) -> None:
    """Keys are unique, of AWS's characters and lengths, not AWS's own; there are fifty at most."""
    with pytest.raises(Refusal) as refused:
        tags.stored(asked(tags=given).tags)
    assert (refused.value.code, words in refused.value.message) == (code, True), refused.value.message
