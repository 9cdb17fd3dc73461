"""Branches and iterations: started, and aborted when a sibling fails."""

from maprun.interpreter.execution import ChildrenWait, Frame, MapRunWait, TaskWait
from maprun.interpreter.step_builder import StepBuilder
from maprun.language.model import State
from schemas.history import EventType


def start_child(
    step: StepBuilder, parent: Frame, wait: ChildrenWait, index: int, text: bytes, previous_id: int
) -> None:
    """Starts branch or iteration `index` with an input."""
    machine = parent.machine.states[parent.state].child_machine(index)
    child = Frame(machine, parent, index, f"{parent.effect_ref()}/{index}:")
    child.input = text
    child.last_id = previous_id
    wait.live[index] = child
    step.ready.append(child)


def abort(step: StepBuilder, frame: Frame, previous_id: int) -> None:
    """Ends a frame because a sibling failed: cancels what it waits for, the innermost first."""
    frame.dead = True
    wait = frame.wait
    if wait is None:
        frame.entered_id = 0  # it was about to enter its state: so will a redrive
        return
    state = frame.machine.states[frame.state]
    if isinstance(wait, ChildrenWait):
        abort_children(step, state, wait, previous_id)
    else:
        step.cancel(wait.ref)
        if isinstance(wait, TaskWait):
            step.cancel(wait.timer)
            step.cancel(wait.heartbeat)
        elif isinstance(wait, MapRunWait) and wait.started_id:
            step.emit(EventType.MAP_RUN_ABORTED, wait.started_id)
    aborted_type = step.kinds[state.kind].aborted_type
    if aborted_type:
        step.emit(aborted_type, previous_id)


def abort_children(step: StepBuilder, state: State, wait: ChildrenWait, previous_id: int) -> None:
    """Ends all branches or iterations that still run: not the one that failed, which is dead already."""
    aborted_type = step.kinds[state.kind].child_aborted_type
    for index, child in sorted(wait.live.items()):
        if child.dead:
            continue
        abort(step, child, previous_id)
        if aborted_type:
            step.emit(aborted_type, previous_id, (state.name, index))
