"""Branches and iterations: started, and aborted when a sibling fails."""

from maprun.interpreter.execution import ChildrenWait, Frame, MapRunWait, TaskWait
from maprun.interpreter.run import Run
from maprun.language.model import State
from schemas.history import EventType


def start_child(run: Run, parent: Frame, wait: ChildrenWait, index: int, text: bytes, previous_id: int) -> None:
    """Starts branch or iteration `index` with an input."""
    machine = parent.machine.states[parent.state].child_machine(index)
    child = Frame(machine, parent, index, f"{parent.effect_ref()}/{index}:")
    child.input = text
    child.last_id = previous_id
    wait.live[index] = child
    run.ready.append(child)


def abort(run: Run, frame: Frame, previous_id: int) -> None:
    """Ends a frame because a sibling failed: cancels what it waits for, the innermost first."""
    frame.dead = True
    wait = frame.wait
    if wait is None:
        frame.entered_id = 0  # it was about to enter its state: so will a redrive
        return
    state = frame.machine.states[frame.state]
    if isinstance(wait, ChildrenWait):
        abort_children(run, state, wait, previous_id)
    else:
        run.cancel(wait.ref)
        if isinstance(wait, TaskWait):
            run.cancel(wait.timer)
            run.cancel(wait.heartbeat)
        elif isinstance(wait, MapRunWait) and wait.started_id:
            run.emit(EventType.MAP_RUN_ABORTED, wait.started_id)
    aborted_type = run.kinds[state.kind].aborted_type
    if aborted_type:
        run.emit(aborted_type, previous_id)


def abort_children(run: Run, state: State, wait: ChildrenWait, previous_id: int) -> None:
    """Ends all branches or iterations that still run: not the one that failed, which is dead already."""
    aborted_type = run.kinds[state.kind].child_aborted_type
    for index, child in sorted(wait.live.items()):
        if child.dead:
            continue
        abort(run, child, previous_id)
        if aborted_type:
            run.emit(aborted_type, previous_id, (state.name, index))
