"""The history of one execution: events as they are kept and sent, and as AWS's GetExecutionHistory shows them."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from schemas.wire import Part

Details = tuple[Any, ...]
"""Texts (str), payloads (JSON bytes), integers, names to JSON texts (assigned variables), or None: not given."""


class HistoryEvent(Part, frozen=True, gc=False):
    """One event. Its id is its place in the list, counted from 1, and isn't stored.

    `type` is a constant of `EventType`; `details` holds the members of that type's details in the order of `SHAPES`,
    payloads as JSON bytes.
    """

    type: int
    previous_id: int
    at_ms: int
    details: Details = ()


class EventType:
    """AWS's event types as numbers (append-only: a number keeps its meaning for ever)."""

    EXECUTION_STARTED: Final = 1
    EXECUTION_SUCCEEDED: Final = 2
    EXECUTION_FAILED: Final = 3
    EXECUTION_ABORTED: Final = 4
    EXECUTION_TIMED_OUT: Final = 5
    EXECUTION_REDRIVEN: Final = 6
    TASK_STATE_ENTERED: Final = 7
    PASS_STATE_ENTERED: Final = 8
    CHOICE_STATE_ENTERED: Final = 9
    WAIT_STATE_ENTERED: Final = 10
    PARALLEL_STATE_ENTERED: Final = 11
    MAP_STATE_ENTERED: Final = 12
    SUCCEED_STATE_ENTERED: Final = 13
    FAIL_STATE_ENTERED: Final = 14
    TASK_STATE_EXITED: Final = 15
    PASS_STATE_EXITED: Final = 16
    CHOICE_STATE_EXITED: Final = 17
    WAIT_STATE_EXITED: Final = 18
    PARALLEL_STATE_EXITED: Final = 19
    MAP_STATE_EXITED: Final = 20
    SUCCEED_STATE_EXITED: Final = 21
    TASK_STATE_ABORTED: Final = 22
    WAIT_STATE_ABORTED: Final = 23
    PARALLEL_STATE_ABORTED: Final = 24
    MAP_STATE_ABORTED: Final = 25
    PARALLEL_STATE_STARTED: Final = 26
    PARALLEL_STATE_SUCCEEDED: Final = 27
    PARALLEL_STATE_FAILED: Final = 28
    MAP_STATE_STARTED: Final = 29
    MAP_STATE_SUCCEEDED: Final = 30
    MAP_STATE_FAILED: Final = 31
    MAP_ITERATION_STARTED: Final = 32
    MAP_ITERATION_SUCCEEDED: Final = 33
    MAP_ITERATION_FAILED: Final = 34
    MAP_ITERATION_ABORTED: Final = 35
    MAP_RUN_STARTED: Final = 36
    MAP_RUN_SUCCEEDED: Final = 37
    MAP_RUN_FAILED: Final = 38
    MAP_RUN_ABORTED: Final = 39
    MAP_RUN_REDRIVEN: Final = 40
    TASK_SCHEDULED: Final = 41
    TASK_STARTED: Final = 42
    TASK_SUBMITTED: Final = 43
    TASK_SUCCEEDED: Final = 44
    TASK_FAILED: Final = 45
    TASK_TIMED_OUT: Final = 46
    TASK_START_FAILED: Final = 47
    TASK_SUBMIT_FAILED: Final = 48
    LAMBDA_FUNCTION_SCHEDULED: Final = 49
    LAMBDA_FUNCTION_STARTED: Final = 50
    LAMBDA_FUNCTION_SUCCEEDED: Final = 51
    LAMBDA_FUNCTION_FAILED: Final = 52
    LAMBDA_FUNCTION_TIMED_OUT: Final = 53
    LAMBDA_FUNCTION_SCHEDULE_FAILED: Final = 54
    LAMBDA_FUNCTION_START_FAILED: Final = 55
    ACTIVITY_SCHEDULED: Final = 56
    ACTIVITY_STARTED: Final = 57
    ACTIVITY_SUCCEEDED: Final = 58
    ACTIVITY_FAILED: Final = 59
    ACTIVITY_TIMED_OUT: Final = 60
    ACTIVITY_SCHEDULE_FAILED: Final = 61
    EVALUATION_FAILED: Final = 62


_ENTERED = ("stateEnteredEventDetails", ("name", "input"))
_EXITED = ("stateExitedEventDetails", ("name", "output", "assignedVariables"))
_ERROR = ("error", "cause")
_TASK_ERROR = ("resourceType", "resource", "error", "cause")
_NONE: tuple[str, tuple[str, ...]] = ("", ())

SHAPES: Final[dict[int, tuple[str, tuple[str, tuple[str, ...]]]]] = {
    EventType.EXECUTION_STARTED: (
        "ExecutionStarted",
        ("executionStartedEventDetails", ("input", "roleArn", "stateMachineAliasArn", "stateMachineVersionArn")),
    ),
    EventType.EXECUTION_SUCCEEDED: ("ExecutionSucceeded", ("executionSucceededEventDetails", ("output",))),
    EventType.EXECUTION_FAILED: ("ExecutionFailed", ("executionFailedEventDetails", _ERROR)),
    EventType.EXECUTION_ABORTED: ("ExecutionAborted", ("executionAbortedEventDetails", _ERROR)),
    EventType.EXECUTION_TIMED_OUT: ("ExecutionTimedOut", ("executionTimedOutEventDetails", _ERROR)),
    EventType.EXECUTION_REDRIVEN: ("ExecutionRedriven", ("executionRedrivenEventDetails", ("redriveCount",))),
    EventType.TASK_STATE_ENTERED: ("TaskStateEntered", _ENTERED),
    EventType.PASS_STATE_ENTERED: ("PassStateEntered", _ENTERED),
    EventType.CHOICE_STATE_ENTERED: ("ChoiceStateEntered", _ENTERED),
    EventType.WAIT_STATE_ENTERED: ("WaitStateEntered", _ENTERED),
    EventType.PARALLEL_STATE_ENTERED: ("ParallelStateEntered", _ENTERED),
    EventType.MAP_STATE_ENTERED: ("MapStateEntered", _ENTERED),
    EventType.SUCCEED_STATE_ENTERED: ("SucceedStateEntered", _ENTERED),
    EventType.FAIL_STATE_ENTERED: ("FailStateEntered", _ENTERED),
    EventType.TASK_STATE_EXITED: ("TaskStateExited", _EXITED),
    EventType.PASS_STATE_EXITED: ("PassStateExited", _EXITED),
    EventType.CHOICE_STATE_EXITED: ("ChoiceStateExited", _EXITED),
    EventType.WAIT_STATE_EXITED: ("WaitStateExited", _EXITED),
    EventType.PARALLEL_STATE_EXITED: ("ParallelStateExited", _EXITED),
    EventType.MAP_STATE_EXITED: ("MapStateExited", _EXITED),
    EventType.SUCCEED_STATE_EXITED: ("SucceedStateExited", _EXITED),
    EventType.TASK_STATE_ABORTED: ("TaskStateAborted", _NONE),
    EventType.WAIT_STATE_ABORTED: ("WaitStateAborted", _NONE),
    EventType.PARALLEL_STATE_ABORTED: ("ParallelStateAborted", _NONE),
    EventType.MAP_STATE_ABORTED: ("MapStateAborted", _NONE),
    EventType.PARALLEL_STATE_STARTED: ("ParallelStateStarted", _NONE),
    EventType.PARALLEL_STATE_SUCCEEDED: ("ParallelStateSucceeded", _NONE),
    EventType.PARALLEL_STATE_FAILED: ("ParallelStateFailed", _NONE),
    EventType.MAP_STATE_STARTED: ("MapStateStarted", ("mapStateStartedEventDetails", ("length",))),
    EventType.MAP_STATE_SUCCEEDED: ("MapStateSucceeded", _NONE),
    EventType.MAP_STATE_FAILED: ("MapStateFailed", _NONE),
    EventType.MAP_ITERATION_STARTED: ("MapIterationStarted", ("mapIterationStartedEventDetails", ("name", "index"))),
    EventType.MAP_ITERATION_SUCCEEDED: (
        "MapIterationSucceeded",
        ("mapIterationSucceededEventDetails", ("name", "index")),
    ),
    EventType.MAP_ITERATION_FAILED: ("MapIterationFailed", ("mapIterationFailedEventDetails", ("name", "index"))),
    EventType.MAP_ITERATION_ABORTED: ("MapIterationAborted", ("mapIterationAbortedEventDetails", ("name", "index"))),
    EventType.MAP_RUN_STARTED: ("MapRunStarted", ("mapRunStartedEventDetails", ("mapRunArn",))),
    EventType.MAP_RUN_SUCCEEDED: ("MapRunSucceeded", _NONE),
    EventType.MAP_RUN_FAILED: ("MapRunFailed", ("mapRunFailedEventDetails", _ERROR)),
    EventType.MAP_RUN_ABORTED: ("MapRunAborted", _NONE),
    EventType.MAP_RUN_REDRIVEN: ("MapRunRedriven", ("mapRunRedrivenEventDetails", ("mapRunArn", "redriveCount"))),
    EventType.TASK_SCHEDULED: (
        "TaskScheduled",
        (
            "taskScheduledEventDetails",
            (
                "resourceType",
                "resource",
                "region",
                "parameters",
                "timeoutInSeconds",
                "heartbeatInSeconds",
                "taskCredentials",
            ),
        ),
    ),
    EventType.TASK_STARTED: ("TaskStarted", ("taskStartedEventDetails", ("resourceType", "resource"))),
    EventType.TASK_SUBMITTED: ("TaskSubmitted", ("taskSubmittedEventDetails", ("resourceType", "resource", "output"))),
    EventType.TASK_SUCCEEDED: ("TaskSucceeded", ("taskSucceededEventDetails", ("resourceType", "resource", "output"))),
    EventType.TASK_FAILED: ("TaskFailed", ("taskFailedEventDetails", _TASK_ERROR)),
    EventType.TASK_TIMED_OUT: ("TaskTimedOut", ("taskTimedOutEventDetails", _TASK_ERROR)),
    EventType.TASK_START_FAILED: ("TaskStartFailed", ("taskStartFailedEventDetails", _TASK_ERROR)),
    EventType.TASK_SUBMIT_FAILED: ("TaskSubmitFailed", ("taskSubmitFailedEventDetails", _TASK_ERROR)),
    EventType.LAMBDA_FUNCTION_SCHEDULED: (
        "LambdaFunctionScheduled",
        ("lambdaFunctionScheduledEventDetails", ("resource", "input", "timeoutInSeconds", "taskCredentials")),
    ),
    EventType.LAMBDA_FUNCTION_STARTED: ("LambdaFunctionStarted", _NONE),
    EventType.LAMBDA_FUNCTION_SUCCEEDED: (
        "LambdaFunctionSucceeded",
        ("lambdaFunctionSucceededEventDetails", ("output",)),
    ),
    EventType.LAMBDA_FUNCTION_FAILED: ("LambdaFunctionFailed", ("lambdaFunctionFailedEventDetails", _ERROR)),
    EventType.LAMBDA_FUNCTION_TIMED_OUT: ("LambdaFunctionTimedOut", ("lambdaFunctionTimedOutEventDetails", _ERROR)),
    EventType.LAMBDA_FUNCTION_SCHEDULE_FAILED: (
        "LambdaFunctionScheduleFailed",
        ("lambdaFunctionScheduleFailedEventDetails", _ERROR),
    ),
    EventType.LAMBDA_FUNCTION_START_FAILED: (
        "LambdaFunctionStartFailed",
        ("lambdaFunctionStartFailedEventDetails", _ERROR),
    ),
    EventType.ACTIVITY_SCHEDULED: (
        "ActivityScheduled",
        ("activityScheduledEventDetails", ("resource", "input", "timeoutInSeconds", "heartbeatInSeconds")),
    ),
    EventType.ACTIVITY_STARTED: ("ActivityStarted", ("activityStartedEventDetails", ("workerName",))),
    EventType.ACTIVITY_SUCCEEDED: ("ActivitySucceeded", ("activitySucceededEventDetails", ("output",))),
    EventType.ACTIVITY_FAILED: ("ActivityFailed", ("activityFailedEventDetails", _ERROR)),
    EventType.ACTIVITY_TIMED_OUT: ("ActivityTimedOut", ("activityTimedOutEventDetails", _ERROR)),
    EventType.ACTIVITY_SCHEDULE_FAILED: ("ActivityScheduleFailed", ("activityScheduleFailedEventDetails", _ERROR)),
    EventType.EVALUATION_FAILED: (
        "EvaluationFailed",
        ("evaluationFailedEventDetails", ("error", "cause", "location", "state")),
    ),
}
"""For each type: AWS's name, the member that holds its details, and their members in stored order."""

_PAYLOADS = {"input": "inputDetails", "output": "outputDetails"}
_NO_DATA = {"input", "output", "parameters", "assignedVariables"}

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[HistoryEvent]).decode
_decode_raw = msgspec.msgpack.Decoder(list[msgspec.Raw]).decode
_decode_event = msgspec.msgpack.Decoder(HistoryEvent).decode


def encode_events(events: Sequence[HistoryEvent]) -> bytes:
    """The msgpack of an event list, as one slot of a page holds it."""
    return _encode(events)


def decode_events(data: bytes) -> list[HistoryEvent]:
    """The event list again. Raises msgspec.DecodeError when the bytes are none."""
    return _decode(data)


def event_to_api(event: HistoryEvent, event_id: int, *, include_data: bool = True) -> dict[str, Any]:
    """One entry of GetExecutionHistory's `events` (facts, section 5.1); `timestamp` is in seconds."""
    name, (member, fields) = SHAPES[event.type]
    shown: dict[str, Any] = {
        "timestamp": event.at_ms / 1000,
        "type": name,
        "id": event_id,
        "previousEventId": event.previous_id,
    }
    if not member:
        return shown
    details: dict[str, Any] = {}
    for field, value in zip(fields, event.details, strict=False):
        if value is None or (not include_data and field in _NO_DATA):
            continue
        if field == "taskCredentials":
            details[field] = {"roleArn": value}
        elif field == "assignedVariables":
            details[field] = value
            details["assignedVariablesDetails"] = {"truncated": False}
        else:
            details[field] = value.decode() if isinstance(value, bytes) else value
            if field in _PAYLOADS:
                details[_PAYLOADS[field]] = {"truncated": False}
    shown[member] = details
    return shown


def child_input(events: Sequence[HistoryEvent]) -> bytes:
    """The input a child was started with, as JSON text."""
    value = events[0].details[0]
    assert isinstance(value, bytes)
    return value


def last_ms(events: bytes) -> int:
    """The time of the last event of a history (as `encode_events` gives it), in epoch milliseconds."""
    return _decode_event(_decode_raw(events)[-1]).at_ms


def child_output(events: Sequence[HistoryEvent]) -> bytes | None:
    """The output of a child that succeeded, as JSON text; None for any other end."""
    last = events[-1]
    if last.type != EventType.EXECUTION_SUCCEEDED:
        return None
    value = last.details[0]
    assert isinstance(value, bytes)
    return value


def child_error(events: Sequence[HistoryEvent]) -> str | None:
    """The error name a child ended with, if it did and has one."""
    return _ended_with(events[-1], 0)


def child_cause(events: Sequence[HistoryEvent]) -> str | None:
    """The cause a child ended with, if it did and has one."""
    return _ended_with(events[-1], 1)


def _ended_with(last: HistoryEvent, place: int) -> str | None:
    if last.type == EventType.EXECUTION_SUCCEEDED or len(last.details) <= place:
        return None
    value = last.details[place]
    return value if isinstance(value, str) else None


def child_start_ms(events: Sequence[HistoryEvent]) -> int:
    """When a child started, in epoch milliseconds."""
    return events[0].at_ms


def child_stop_ms(events: Sequence[HistoryEvent]) -> int:
    """When a child ended, in epoch milliseconds."""
    return events[-1].at_ms
