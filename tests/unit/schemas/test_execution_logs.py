"""Log records of executions: AWS's shape, levels, and what is left out."""

import json
from typing import Any

import pytest

from schemas.execution_logs import OFF, RECORD_BYTES_MAX, log_records, logging_of
from schemas.history import EventType, HistoryEvent

GROUP = "arn:aws:logs:us-east-1:1:log-group:g:*"
ARN = "arn:aws:states:us-east-1:1:execution:m:x"
EVENTS = [
    HistoryEvent(EventType.EXECUTION_STARTED, 0, 1_000, (b'{"a":1}', "role")),
    HistoryEvent(EventType.TASK_STATE_ENTERED, 0, 1_001, ("T", b'{"a":1}')),
    HistoryEvent(EventType.TASK_FAILED, 2, 1_002, ("lambda", "invoke", "E", "why")),
    HistoryEvent(EventType.FAIL_STATE_ENTERED, 3, 1_003, ("F", b"{}")),
    HistoryEvent(EventType.EXECUTION_FAILED, 4, 1_004, ("E", "why")),
]


def configuration(level: str, *, data: bool = True) -> bytes:
    """A LoggingConfiguration as a machine has it."""
    destinations = [{"cloudWatchLogsLogGroup": {"logGroupArn": GROUP}}]
    return json.dumps({"level": level, "includeExecutionData": data, "destinations": destinations}).encode()


def logged(level: str, events: list[HistoryEvent] = EVENTS, *, data: bool = True, first_id: int = 1) -> list[Any]:
    """The records, read."""
    return [
        json.loads(record.value) for record in log_records(configuration(level, data=data), ARN, 2, first_id, events)
    ]


def test_a_record_is_as_aws_has_it() -> None:
    """Numbers are texts; the details are those of the event, without a name of their own."""
    assert logged("ALL", EVENTS[1:2], first_id=7) == [
        {
            "id": "7",
            "type": "TaskStateEntered",
            "details": {"name": "T", "input": '{"a":1}', "inputDetails": {"truncated": False}},
            "previous_event_id": "0",
            "event_timestamp": "1001",
            "execution_arn": ARN,
            "redrive_count": "2",
        }
    ]
    assert log_records(configuration("ALL"), ARN, 0, 1, EVENTS)[0].group == GROUP


@pytest.mark.parametrize(
    ("level", "types"),
    [
        ("ALL", ["ExecutionStarted", "TaskStateEntered", "TaskFailed", "FailStateEntered", "ExecutionFailed"]),
        ("ERROR", ["TaskFailed", "FailStateEntered", "ExecutionFailed"]),
        ("FATAL", ["ExecutionFailed"]),
    ],
)
def test_levels(level: str, types: list[str]) -> None:
    """What each level has records of; ids stay those of the history."""
    records = logged(level)
    assert [record["type"] for record in records] == types
    assert [EVENTS[int(record["id"]) - 1].at_ms for record in records] == [int(r["event_timestamp"]) for r in records]


def test_off_is_nothing() -> None:
    """A request of a machine that logs nothing carries nothing."""
    assert logging_of(b"") == logging_of(configuration("OFF")) == OFF
    assert logging_of(configuration("FATAL")) == configuration("FATAL")


def test_data_may_be_left_out() -> None:
    """Without includeExecutionData there is no input, and names and errors stay."""
    records = logged("ALL", data=False)
    assert records[0]["details"] == {"roleArn": "role"}
    assert records[2]["details"]["error"] == "E"


@pytest.mark.parametrize("text", ["x", "é", '"'])
def test_a_record_is_cut(text: str) -> None:
    """A record above 248 KiB has less of its payload, and says so."""
    payload = (text * 262_144).encode()
    entered = HistoryEvent(EventType.PASS_STATE_ENTERED, 0, 1, ("P", payload))
    [record] = log_records(configuration("ALL"), ARN, 0, 1, [entered])
    details = json.loads(record.value)["details"]
    assert len(record.value) <= RECORD_BYTES_MAX
    assert details["inputDetails"] == {"truncated": True}
    assert payload.decode().startswith(details["input"])
    assert details["input"]


def test_variables_are_cut_first() -> None:
    """Variables that fit no record beside an output are left out of it."""
    exited = HistoryEvent(EventType.PASS_STATE_EXITED, 0, 1, ("P", b"{}", {"v": "x" * 260_000}))
    [record] = log_records(configuration("ALL"), ARN, 0, 1, [exited])
    details = json.loads(record.value)["details"]
    assert (details["assignedVariables"], details["assignedVariablesDetails"]) == ({}, {"truncated": True})
    assert details["output"] == "{}"
