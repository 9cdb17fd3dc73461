"""The context object `$$` of a state, made when an expression first asks for it (facts, section 3.7)."""

from typing import Any

from maprun.interpreter.execution import Beginning, ChildrenWait, Execution, Frame
from maprun.language.timestamps import format_timestamp

_RETRYING = ("Task", "Parallel", "Map")


def make_context(execution: Execution, frame: Frame, beginning: Beginning | None = None) -> dict[str, Any]:
    """Execution, StateMachine, State, and Map within an iteration of an inline Map; as they were at `beginning`."""
    head, state = execution.head, frame.machine.states[frame.state]
    redrive_count, redrive_ms, retry_count = head.redrive_count, head.redrive_ms, frame.retry_count
    if beginning is not None:
        redrive_count, redrive_ms, retry_count = beginning.redrive_count, beginning.redrive_ms, beginning.retry_count
    shown: dict[str, Any] = {
        "Id": head.arn,
        "Input": execution.decoded_input(),
        "StartTime": format_timestamp(head.start_ms),
        "Name": head.name,
        "RoleArn": head.role_arn,
        "RedriveCount": redrive_count,
    }
    if redrive_count:
        shown["RedriveTime"] = format_timestamp(redrive_ms)
    here: dict[str, Any] = {"Name": state.name, "EnteredTime": format_timestamp(frame.entered_ms)}
    if state.kind in _RETRYING:
        here["RetryCount"] = retry_count
    context: dict[str, Any] = {
        "Execution": shown,
        "StateMachine": {"Id": head.machine_arn, "Name": head.machine_name},
        "State": here,
    }
    iteration: Frame | None = frame
    while iteration is not None and iteration.parent is not None:
        parent = iteration.parent
        if parent.machine.states[parent.state].kind == "Map" and isinstance(parent.wait, ChildrenWait):
            from maprun.interpreter.map_state import items_of

            item = items_of(execution, parent)[iteration.index]
            context["Map"] = {"Item": {"Index": iteration.index, "Value": item}}
            break
        iteration = parent
    return context
