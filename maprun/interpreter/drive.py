"""Takes frames from state to state, and the end of a branch or iteration to the state that holds it."""

from maprun.interpreter.children import abort_children
from maprun.interpreter.execution import ChildrenWait, Frame
from maprun.interpreter.failure import attempt_failed, state_failed
from maprun.interpreter.step_builder import FrameDone, FrameFailed, Spent, StepBuilder, enter
from maprun.language.errors import StatesError
from maprun.language.model import State


def run_ready(step: StepBuilder, spent: Spent) -> None:
    """Takes every ready frame on until it waits or ends; stops between two states once `spent`. Where changes nothing.

    Frames that are still `ready` then are taken on by the next call. `spent` is not asked once the execution ended.
    """
    ready = step.ready
    while ready:
        frame = ready[0]
        states = frame.machine.states
        while frame.wait is None and not frame.dead:
            state = states[frame.state]
            enter(step, frame, state)
            perform(step, frame, state)
            if step.ended is not None or spent():
                return
        del ready[0]


def perform(step: StepBuilder, frame: Frame, state: State) -> None:
    """Does (or does again) the present state's work; what it raises goes to Retry and Catch."""
    try:
        step.kinds[state.kind].perform(step, frame, state)
    except StatesError as error:
        state_failed(step, frame, state, error)
    if step.frame_end is not None:
        settle(step)


def settle(step: StepBuilder) -> None:
    """Takes the end of a frame to the state that holds it; that may end the next one outwards."""
    while step.frame_end is not None:
        end, step.frame_end = step.frame_end, None
        child = end.frame
        parent = child.parent
        assert parent is not None
        wait = parent.wait
        assert isinstance(wait, ChildrenWait)
        state = parent.machine.states[parent.state]
        if isinstance(end, FrameDone):
            _child_done(step, parent, state, wait, end)
        else:
            _child_failed(step, parent, state, wait, end)
        if parent.wait is None and not parent.dead and step.ended is None:
            step.ready.append(parent)


def _child_done(step: StepBuilder, parent: Frame, state: State, wait: ChildrenWait, end: FrameDone) -> None:
    child = end.frame
    del wait.live[child.index]
    wait.results[child.index] = end.output
    child_done = step.kinds[state.kind].child_done
    assert child_done is not None
    try:
        child_done(step, parent, state, wait, child)
    except StatesError as error:
        state_failed(step, parent, state, error)


def _child_failed(step: StepBuilder, parent: Frame, state: State, wait: ChildrenWait, end: FrameFailed) -> None:
    """The siblings are aborted, and the state that holds them fails."""
    child = end.frame
    failed_type = step.kinds[state.kind].child_failed_type
    if failed_type:
        step.emit(failed_type, child.last_id, (state.name, child.index))
    abort_children(step, state, wait, child.last_id)
    parent.last_id = child.last_id
    attempt_failed(step, parent, state, end.error, end.cause)


def go_on(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait) -> None:
    """Starts what a redriven Parallel or Map has left to start."""
    start_rest = step.kinds[state.kind].go_on
    assert start_rest is not None
    try:
        start_rest(step, frame, state, wait)
    except StatesError as error:
        state_failed(step, frame, state, error)
    settle(step)
