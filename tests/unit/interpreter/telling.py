"""Helpers of the interpreter's tests: machines from dicts, events in short."""

import json
from typing import Any

from maprun.interpreter import ExecutionHead, Step, begin
from maprun.language import Machine, compile_machine
from schemas.history import SHAPES, HistoryEvent

ARN = "arn:aws:states:eu-west-1:123456789012:execution:m:e"
LAMBDA = "arn:aws:lambda:eu-west-1:123456789012:function:f"
INVOKE = "arn:aws:states:::lambda:invoke"


def machine_of(states: dict[str, Any], **fields: Any) -> Machine:
    """A machine that starts at the first of these states."""
    return compile_machine(json.dumps({"StartAt": next(iter(states)), "States": states, **fields}).encode())


def head_of(value: Any) -> ExecutionHead:
    """The head of an execution with this input."""
    return ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", 0, json.dumps(value).encode())


def start(states: dict[str, Any], value: Any = None, **fields: Any) -> tuple[Machine, Step]:
    """A machine of these states, begun at time 0."""
    machine = machine_of(states, **fields)
    return machine, begin(machine, head_of({} if value is None else value), 0)


def short(events: list[HistoryEvent], first_id: int = 1) -> list[str]:
    """`id Type <- previous id` of each event."""
    return [f"{at} {SHAPES[event.type][0]} <- {event.previous_id}" for at, event in enumerate(events, first_id)]


def output_of(states: dict[str, Any], value: Any = None, **fields: Any) -> Any:
    """The output of a machine that needs nobody."""
    _, step = start(states, value, **fields)
    assert step.ended is not None
    assert step.ended.status == "SUCCEEDED", step.ended
    return json.loads(step.ended.output)


def failure_of(states: dict[str, Any], value: Any = None, **fields: Any) -> tuple[str | None, str | None]:
    """(error, cause) of a machine that fails by itself."""
    _, step = start(states, value, **fields)
    assert step.ended is not None
    assert step.ended.status == "FAILED", step.ended
    return step.ended.error, step.ended.cause
