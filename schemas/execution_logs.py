"""The logs of executions as CloudWatch Logs has them on AWS: a record for each event that the level asks for."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

import msgspec

from schemas.history import SHAPES, HistoryEvent, event_to_api
from schemas.wire import Part

OFF: Final = b""
"""Of a request: nothing of the execution is logged."""
GROUP_HEADER: Final = "logGroup"
"""Of a record on the topic: the ARN of the log group that the machine names."""
RECORD_BYTES_MAX = 248 * 1024
"""AWS cuts a record there."""
_CONFIGURATIONS_KEPT = 1_000
_FATAL = frozenset({"ExecutionAborted", "ExecutionFailed", "ExecutionTimedOut"})
_WRONG = ("Failed", "Aborted", "TimedOut")
_PAYLOADS = {"input": "inputDetails", "output": "outputDetails"}


class LogRecord(Part, frozen=True):
    """One record: JSON, and the log group that it belongs to."""

    group: str
    value: bytes


class _LogGroup(msgspec.Struct, rename="camel"):
    log_group_arn: str = ""


class _Destination(msgspec.Struct, rename="camel"):
    cloud_watch_logs_log_group: _LogGroup = msgspec.field(default_factory=_LogGroup)


class _Configuration(msgspec.Struct, rename="camel"):
    level: str = "OFF"
    include_execution_data: bool = False
    destinations: list[_Destination] = []


def logging_of(configuration: bytes) -> bytes:
    """What a request carries of a machine's LoggingConfiguration, which is JSON: OFF where nothing is logged."""
    return configuration if configuration and _read(configuration).level != "OFF" else OFF


def log_records(
    logging: bytes, arn: str, redrive_count: int, first_id: int, events: Sequence[HistoryEvent]
) -> list[LogRecord]:
    """The records of an execution's events, the first of which has this id, as `logging` asks for them."""
    configuration = _read(logging)
    wanted, data = _types(configuration.level), configuration.include_execution_data
    group = configuration.destinations[0].cloud_watch_logs_log_group.log_group_arn if configuration.destinations else ""
    return [
        LogRecord(group, _record(arn, redrive_count, first_id + n, event, data=data))
        for n, event in enumerate(events)
        if event.type in wanted
    ]


@lru_cache(_CONFIGURATIONS_KEPT)
def _read(configuration: bytes) -> _Configuration:
    return msgspec.json.decode(configuration, type=_Configuration)


@lru_cache
def _types(level: str) -> frozenset[int]:
    """The types of events that a level asks for (page cw-logs, "Log levels")."""
    return frozenset(kind for kind, (name, _) in SHAPES.items() if _asked(level, name))


def _asked(level: str, name: str) -> bool:
    match level:
        case "ALL":
            return True
        case "ERROR":
            return name.endswith(_WRONG) or name == "FailStateEntered"
        case "FATAL":
            return name in _FATAL
        case _:
            return False


def _record(arn: str, redrive_count: int, event_id: int, event: HistoryEvent, *, data: bool) -> bytes:
    shown = event_to_api(event, event_id, include_data=data)
    details: dict[str, Any] = shown.get(SHAPES[event.type][1][0], {})
    record = {
        "id": str(event_id),
        "type": shown["type"],
        "details": details,
        "previous_event_id": str(event.previous_id),
        "event_timestamp": str(event.at_ms),
        "execution_arn": arn,
        "redrive_count": str(redrive_count),
    }
    value = msgspec.json.encode(record)
    while (over := len(value) - RECORD_BYTES_MAX) > 0:
        _cut(details, over)
        value = msgspec.json.encode(record)
    return value


def _cut(details: dict[str, Any], over: int) -> None:
    """Takes variables out, then about so many bytes of the longest text; what was cut says so where AWS does."""
    if details.get("assignedVariables"):
        details["assignedVariables"], details["assignedVariablesDetails"] = {}, {"truncated": True}
        return
    longest = max(
        (name for name, text in details.items() if isinstance(text, str)), key=lambda name: len(details[name])
    )
    text = details[longest]
    size = len(msgspec.json.encode(text))
    details[longest] = text[: min(len(text) * max(0, size - over) // size, len(text) - 1)]
    if longest in _PAYLOADS:
        details[_PAYLOADS[longest]] = {"truncated": True}
