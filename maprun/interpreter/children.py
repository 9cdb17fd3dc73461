"""Branches and iterations: started, done, failed, and what that means for the state that holds them."""

from maprun.interpreter.execution import ChildrenWait, Frame
from maprun.interpreter.run import Run, abort_children
from maprun.interpreter.store import child_machine
from maprun.language.errors import StatesError
from schemas.history import EventType


def start_child(run: Run, parent: Frame, wait: ChildrenWait, index: int, text: bytes, previous_id: int) -> None:
    """Starts branch or iteration `index` with an input."""
    machine = child_machine(parent.machine.states[parent.state], index)
    child = Frame(machine, parent, index, f"{parent.effect_ref()}/{index}:")
    child.input = text
    child.last_id = previous_id
    wait.live[index] = child
    run.ready.append(child)


def child_done(run: Run, child: Frame, output: bytes) -> None:
    """A branch or iteration ended well."""
    from maprun.interpreter import map_state, parallel_state
    from maprun.interpreter.failure import state_failed

    parent = child.parent
    assert parent is not None
    wait = parent.wait
    assert isinstance(wait, ChildrenWait)
    state = parent.machine.states[parent.state]
    del wait.live[child.index]
    wait.results[child.index] = output
    try:
        if state.kind == "Map":
            map_state.iteration_done(run, parent, state, wait, child)
        else:
            parallel_state.branch_done(run, parent, state, wait, child)
    except StatesError as error:
        state_failed(run, parent, state, error)
    if parent.wait is None and not parent.dead and run.ended is None:
        run.ready.append(parent)


def child_failed(run: Run, child: Frame, error: str | None, cause: str | None) -> None:
    """A branch or iteration failed: its siblings are ended, and the state that holds them fails."""
    from maprun.interpreter.failure import attempt_failed

    parent = child.parent
    assert parent is not None
    wait = parent.wait
    assert isinstance(wait, ChildrenWait)
    state = parent.machine.states[parent.state]
    if state.kind == "Map":
        run.emit(EventType.MAP_ITERATION_FAILED, child.last_id, (state.name, child.index))
    abort_children(run, state, wait, child.last_id)
    parent.last_id = child.last_id
    attempt_failed(run, parent, state, error, cause)
    if parent.wait is None and not parent.dead and run.ended is None:
        run.ready.append(parent)
