"""Succeed and Fail: the states that end a machine or a branch."""

from maprun.interpreter.dataflow import pass_through
from maprun.interpreter.execution import Frame
from maprun.interpreter.step_builder import StepBuilder, fail
from maprun.language.compile_map import shown_json
from maprun.language.errors import runtime_error
from maprun.language.model import FailWork, State
from maprun.language.scope import Evaluate, Scope


def perform_succeed(step: StepBuilder, frame: Frame, state: State) -> None:
    """Ends the frame well."""
    pass_through(step, frame, state, step.scope(frame))


def perform_fail(step: StepBuilder, frame: Frame, state: State) -> None:
    """Ends the frame with the error and cause the definition gives, or neither."""
    work = state.work
    assert isinstance(work, FailWork)
    scope = step.scope(frame)
    error = _text(work.error, frame, state, scope)
    cause = _text(work.cause, frame, state, scope)
    fail(step, frame, error, cause)


def _text(evaluate: Evaluate | None, frame: Frame, state: State, scope: Scope) -> str | None:
    if evaluate is None:
        return None
    value = evaluate({"input": frame.decoded()} if state.jsonata else frame.decoded(), scope)
    if not isinstance(value, str):
        raise runtime_error(f"The Error and Cause of a Fail state must be strings, but one was: {shown_json(value)}")
    return value
