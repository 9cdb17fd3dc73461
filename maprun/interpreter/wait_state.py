"""Wait: goes on at a moment."""

from maprun.interpreter.dataflow import pass_through
from maprun.interpreter.execution import DelayWait, Frame
from maprun.interpreter.run import Run
from maprun.interpreter.scopes import root_value
from maprun.language.model import State, WaitWork


def perform_wait(run: Run, frame: Frame, state: State) -> None:
    """Asks for a timer, unless the moment has come already."""
    work = state.work
    assert isinstance(work, WaitWork)
    scope = run.scope(frame)
    root = root_value(frame, state, scope)
    due_ms = work.due_ms(root, scope, run.now_ms)
    if due_ms <= run.now_ms:
        pass_through(run, frame, state, scope)
        return
    ref = frame.effect_ref()
    frame.wait = DelayWait(ref)
    run.ask_timer(frame, ref, due_ms)


def wait_over(run: Run, frame: Frame, state: State) -> None:
    """The moment has come."""
    pass_through(run, frame, state, run.scope(frame, "result"))
