"""Wait: goes on at a moment."""

from maprun.interpreter.dataflow import pass_through
from maprun.interpreter.execution import DelayWait, Frame
from maprun.interpreter.scopes import root_value
from maprun.interpreter.step_builder import StepBuilder
from maprun.language.model import State, WaitWork


def perform_wait(step: StepBuilder, frame: Frame, state: State) -> None:
    """Asks for a timer, unless the moment has come already."""
    work = state.work
    assert isinstance(work, WaitWork)
    scope = step.scope(frame)
    root = root_value(frame, state, scope)
    due_ms = work.due_ms(root, scope, step.now_ms)
    if due_ms <= step.now_ms:
        pass_through(step, frame, state, scope)
        return
    ref = frame.effect_ref()
    frame.wait = DelayWait(ref)
    step.ask_timer(frame, ref, due_ms)


def wait_over(step: StepBuilder, frame: Frame, state: State) -> None:
    """The moment has come."""
    pass_through(step, frame, state, step.scope(frame, "result"))
