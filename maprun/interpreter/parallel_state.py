"""Parallel: all branches at once."""

from maprun.interpreter.children import start_child
from maprun.interpreter.dataflow import arguments_text, complete_text
from maprun.interpreter.execution import ChildrenWait, Frame
from maprun.interpreter.step_builder import StepBuilder
from maprun.language.model import ParallelWork, State
from schemas.history import EventType


def perform_parallel(step: StepBuilder, frame: Frame, state: State) -> None:
    """Starts every branch with the same input."""
    work = state.work
    assert isinstance(work, ParallelWork)
    text = arguments_text(frame, state, step.scope(frame))
    count = len(work.branches)
    started = frame.last_id = step.emit(EventType.PARALLEL_STATE_STARTED, frame.last_id)
    wait = frame.wait = ChildrenWait(None, count, count, step.now_ms, started)
    wait.next_index = count
    for index in range(count):
        start_child(step, frame, wait, index, text, started)


def branch_done(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait, child: Frame) -> None:
    """A branch ended; after the last one the results are the state's result, in the order of the definition."""
    if not wait.live:
        _all_done(step, frame, state, wait, child.last_id)


def go_on(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait) -> None:
    """Completes the state if no branch is left."""
    if not wait.live:
        _all_done(step, frame, state, wait, wait.began_id)


def _all_done(step: StepBuilder, frame: Frame, state: State, wait: ChildrenWait, previous_id: int) -> None:
    frame.last_id = previous_id
    step.emit(EventType.PARALLEL_STATE_SUCCEEDED, previous_id)
    complete_text(step, frame, state, wait.result(), step.scope(frame, "result"))
