"""What the expressions of a state see: the root value, the context object, the items of an inline Map around it.

They hang together in a circle: the context within an iteration shows its item, items come from expressions, and those
may read the context. So they stand in one file.
"""

from typing import Any

from maprun.interpreter.execution import UNSET, Beginning, ChildrenWait, Execution, Frame
from maprun.interpreter.numbers import whole_number
from maprun.language.errors import runtime_error
from maprun.language.model import MapWork, State, TaskWork
from maprun.language.scope import Scope
from maprun.language.timestamps import format_timestamp

_RETRYING = ("Task", "Parallel", "Map")


def effective_input(frame: Frame, state: State, scope: Scope) -> Any:
    """The raw input after InputPath; in JSONata the raw input itself."""
    value = frame.decoded()
    return value if state.input is None else state.input(value, scope)


def root_value(frame: Frame, state: State, scope: Scope) -> Any:
    """What the expressions of a state's fields start from: the effective input, in JSONata what holds `$states`."""
    return {"input": frame.decoded()} if state.jsonata else effective_input(frame, state, scope)


def scope_of(execution: Execution, frame: Frame, phase: str, now_ms: int, beginning: Beginning | None = None) -> Scope:
    """The scope of the frame's present state in one phase of its work; as it was at `beginning` if given."""

    def seed() -> str:
        head = execution.head
        if beginning is None:
            redrive_count, ref = head.redrive_count, frame.effect_ref()
        else:
            redrive_count, ref = beginning.redrive_count, beginning.ref
        return f"{head.arn}\n{redrive_count}\n{ref}\n{phase}"

    return Scope(lambda: make_context(execution, frame, beginning), frame.variables, seed, now_ms)


def items_of(execution: Execution, frame: Frame, wait: ChildrenWait) -> Any:
    """The items an inline Map iterates over; after a restore they are computed again from the same input."""
    if wait.items is UNSET:
        state = frame.machine.states[frame.state]
        scope = scope_of(execution, frame, "", wait.began_ms, wait.beginning)
        work = state.work
        assert isinstance(work, MapWork)
        root = root_value(frame, state, scope)
        at_once_max(work, root, scope)
        wait.items = work.items(root, scope)
    return wait.items


def at_once_max(work: MapWork, root: Any, scope: Scope) -> int:
    """MaxConcurrency; 0 when there is no limit. Raises StatesError."""
    at_once = whole_number(work.max_concurrency, root, scope, "MaxConcurrency") or 0
    if at_once < 0:
        raise runtime_error(f"MaxConcurrency cannot be negative: {at_once}")
    return at_once


def make_context(execution: Execution, frame: Frame, beginning: Beginning | None = None) -> dict[str, Any]:
    """The context object `$$` (facts, section 3.7), as it was at `beginning` if given.

    Execution, StateMachine, State; in a Task that waits for a callback also Task; within an inline Map's iteration also
    Map.
    """
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
    }
    if not head.synchronous:
        shown["RedriveCount"] = redrive_count
    if redrive_count:
        shown["RedriveTime"] = format_timestamp(redrive_ms)
    here: dict[str, Any] = {"Name": state.name, "EnteredTime": format_timestamp(frame.entered_ms)}
    if state.kind in _RETRYING:
        here["RetryCount"] = retry_count
    context: dict[str, Any] = {
        "Execution": shown,
        "StateMachine": {"Id": head.alias_arn or head.version_arn or head.machine_arn, "Name": head.machine_name},
        "State": here,
    }
    if isinstance(state.work, TaskWork) and state.work.callback:
        context["Task"] = {"Token": execution.token(frame)}
    iteration: Frame | None = frame
    while iteration is not None and iteration.parent is not None:
        parent = iteration.parent
        wait = parent.wait
        if isinstance(parent.machine.states[parent.state].work, MapWork) and isinstance(wait, ChildrenWait):
            item = items_of(execution, parent, wait)[iteration.index]
            context["Map"] = {"Item": {"Index": iteration.index, "Value": item}}
            break
        iteration = parent
    return context
