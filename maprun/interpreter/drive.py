"""Takes frames from state to state, and the end of a branch or iteration to the state that holds it."""

from maprun.interpreter.children import abort_children
from maprun.interpreter.execution import ChildrenWait, Frame
from maprun.interpreter.failure import attempt_failed, state_failed
from maprun.interpreter.run import FrameDone, FrameFailed, Run, Spent, enter
from maprun.language.errors import StatesError
from maprun.language.model import State


def run_ready(run: Run, spent: Spent) -> None:
    """Takes every ready frame on until it waits or ends; stops between two states once `spent`. Where changes nothing.

    Frames that are still `ready` then are taken on by the next call. `spent` is not asked once the execution ended.
    """
    ready = run.ready
    while ready:
        frame = ready[0]
        states = frame.machine.states
        while frame.wait is None and not frame.dead:
            state = states[frame.state]
            enter(run, frame, state)
            perform(run, frame, state)
            if run.ended is not None or spent():
                return
        del ready[0]


def perform(run: Run, frame: Frame, state: State) -> None:
    """Does (or does again) the present state's work; what it raises goes to Retry and Catch."""
    try:
        run.kinds[state.kind].perform(run, frame, state)
    except StatesError as error:
        state_failed(run, frame, state, error)
    if run.frame_end is not None:
        settle(run)


def settle(run: Run) -> None:
    """Takes the end of a frame to the state that holds it; that may end the next one outwards."""
    while run.frame_end is not None:
        end, run.frame_end = run.frame_end, None
        child = end.frame
        parent = child.parent
        assert parent is not None
        wait = parent.wait
        assert isinstance(wait, ChildrenWait)
        state = parent.machine.states[parent.state]
        if isinstance(end, FrameDone):
            _child_done(run, parent, state, wait, end)
        else:
            _child_failed(run, parent, state, wait, end)
        if parent.wait is None and not parent.dead and run.ended is None:
            run.ready.append(parent)


def _child_done(run: Run, parent: Frame, state: State, wait: ChildrenWait, end: FrameDone) -> None:
    child = end.frame
    del wait.live[child.index]
    wait.results[child.index] = end.output
    child_done = run.kinds[state.kind].child_done
    assert child_done is not None
    try:
        child_done(run, parent, state, wait, child)
    except StatesError as error:
        state_failed(run, parent, state, error)


def _child_failed(run: Run, parent: Frame, state: State, wait: ChildrenWait, end: FrameFailed) -> None:
    """The siblings are aborted, and the state that holds them fails."""
    child = end.frame
    failed_type = run.kinds[state.kind].child_failed_type
    if failed_type:
        run.emit(failed_type, child.last_id, (state.name, child.index))
    abort_children(run, state, wait, child.last_id)
    parent.last_id = child.last_id
    attempt_failed(run, parent, state, end.error, end.cause)


def go_on(run: Run, frame: Frame, state: State, wait: ChildrenWait) -> None:
    """Starts what a redriven Parallel or Map has left to start."""
    start_rest = run.kinds[state.kind].go_on
    assert start_rest is not None
    try:
        start_rest(run, frame, state, wait)
    except StatesError as error:
        state_failed(run, frame, state, error)
    settle(run)
