"""The context object `$$` of a state, made when an expression first asks for it (facts, section 3.7)."""

from typing import Any

from maprun.interpreter.execution import ChildrenWait, Execution, Frame
from maprun.language.timestamps import format_timestamp

_RETRYING = ("Task", "Parallel", "Map")


def make_context(execution: Execution, frame: Frame) -> dict[str, Any]:
    """Execution, StateMachine, State, and Map within an iteration of an inline Map."""
    head, state = execution.head, frame.machine.states[frame.state]
    shown: dict[str, Any] = {
        "Id": head.arn,
        "Input": execution.decoded_input(),
        "StartTime": format_timestamp(head.start_ms),
        "Name": head.name,
        "RoleArn": head.role_arn,
        "RedriveCount": head.redrive_count,
    }
    if head.redrive_ms:
        shown["RedriveTime"] = format_timestamp(head.redrive_ms)
    here: dict[str, Any] = {"Name": state.name, "EnteredTime": format_timestamp(frame.entered_ms)}
    if state.kind in _RETRYING:
        here["RetryCount"] = frame.retry_count
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
