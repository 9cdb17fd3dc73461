"""Logging, tracing and encryption of a state machine: AWS's structures, their checks, and how they are kept.

They are kept and shown again; what logging and encryption do with them is named in docs/parity.md.
"""

import re
from typing import Final

import msgspec

from maprun.requests.checks import Refusal
from services.maprun_tracker.api.rules import Choice, Each, Members, Text

LOG_LEVELS = ("ALL", "FATAL", "ERROR", "OFF")
ENCRYPTION_TYPES = ("AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY")
KEY_REUSE_SECONDS = (60, 900)
KEY_REUSE_SECONDS_DEFAULT = 300
_LOG_GROUP = re.compile(r"arn:[^:]+:logs:[^:]+:[0-9]{12}:log-group:[^:*]+(:\*)?")


class _Structure(msgspec.Struct, rename="camel", frozen=True, kw_only=True, omit_defaults=True):
    """A structure of a request. A member that is null is absent; members that AWS doesn't know are passed over."""


class LogGroup(_Structure, frozen=True, kw_only=True):
    """CloudWatchLogsLogGroup."""

    log_group_arn: str | None = None


class LogDestination(_Structure, frozen=True, kw_only=True):
    """LogDestination."""

    cloud_watch_logs_log_group: LogGroup | None = None


class Logging(_Structure, frozen=True, kw_only=True):
    """LoggingConfiguration."""

    level: str | None = None
    include_execution_data: bool | None = None
    destinations: list[LogDestination] | None = None


class Tracing(_Structure, frozen=True, kw_only=True):
    """TracingConfiguration."""

    enabled: bool | None = None


class Encryption(_Structure, frozen=True, kw_only=True):
    """EncryptionConfiguration."""

    type: str | None = None
    kms_key_id: str | None = None
    kms_data_key_reuse_period_seconds: int | None = None


_LOG_GROUP_RULES = Members({"log_group_arn": Text(1, 256)})
RULES: Final = {
    "logging_configuration": Members(
        {"level": Choice(LOG_LEVELS), "destinations": Each(Members({"cloud_watch_logs_log_group": _LOG_GROUP_RULES}))}
    ),
    "encryption_configuration": Members({"type": Choice(ENCRYPTION_TYPES, required=True), "kms_key_id": Text(1, 2048)}),
}
"""What AWS's front end checks by itself, for CreateStateMachine and UpdateStateMachine alike."""


def logging_to_store(given: Logging | None) -> bytes:
    """The configuration in full, as it is kept; b"" = not given. Raises Refusal (InvalidLoggingConfiguration)."""
    if given is None:
        return b""
    level, destinations = given.level or "OFF", given.destinations or []
    if len(destinations) > 1 or (level != "OFF" and not destinations):
        raise _bad_logging("Must specify exactly one Log Destination.")
    for destination in destinations:
        group = destination.cloud_watch_logs_log_group
        if group is None or group.log_group_arn is None:
            raise _bad_logging("Must specify exactly one Log Destination.")
        if not _LOG_GROUP.fullmatch(group.log_group_arn):
            raise _bad_logging("Log Destination not found.")
    whole: dict[str, object] = {"level": level, "includeExecutionData": bool(given.include_execution_data)}
    if destinations:
        whole["destinations"] = destinations
    return msgspec.json.encode(whole)


def tracing_to_store(given: Tracing | None) -> bytes:
    """The configuration in full, as it is kept; b"" = not given."""
    return b"" if given is None else msgspec.json.encode({"enabled": bool(given.enabled)})


def encryption_to_store(given: Encryption | None) -> bytes:
    """The configuration in full, as it is kept; b"" = not given. Raises Refusal (InvalidEncryptionConfiguration)."""
    if given is None:
        return b""
    key, seconds = given.kms_key_id, given.kms_data_key_reuse_period_seconds
    if given.type == "AWS_OWNED_KEY":
        if key is not None or seconds is not None:
            raise _bad_encryption("kmsKeyId and kmsDataKeyReusePeriodSeconds go with CUSTOMER_MANAGED_KMS_KEY alone")
        return msgspec.json.encode({"type": given.type})
    if key is None:
        raise _bad_encryption("CUSTOMER_MANAGED_KMS_KEY needs kmsKeyId")
    least, most = KEY_REUSE_SECONDS
    if seconds is not None and not least <= seconds <= most:
        raise _bad_encryption(f"kmsDataKeyReusePeriodSeconds must be between {least} and {most}, but was {seconds}")
    whole = {
        "kmsKeyId": key,
        "kmsDataKeyReusePeriodSeconds": KEY_REUSE_SECONDS_DEFAULT if seconds is None else seconds,
        "type": given.type,
    }
    return msgspec.json.encode(whole)


def _bad_logging(what: str) -> Refusal:
    return Refusal("InvalidLoggingConfiguration", f"Invalid Logging Configuration: {what}")


def _bad_encryption(what: str) -> Refusal:
    return Refusal("InvalidEncryptionConfiguration", f"Invalid Encryption Configuration: {what}")
