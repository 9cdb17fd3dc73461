"""A state fails: Retry, then Catch, then its frame."""

from typing import Any

from maprun.interpreter.children import abort_children
from maprun.interpreter.dataflow import assign
from maprun.interpreter.execution import ChildrenWait, Frame, MapRunWait, RetryWait, Wait
from maprun.interpreter.step_builder import StepBuilder, fail, leave
from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.model import Catcher, State
from maprun.language.retry import TERMINAL, error_matches
from schemas.history import EventType
from schemas.quotas import CAUSE_LENGTH_MAX, DATA_LIMIT_EXCEEDED

_ENGINE_TROUBLE = "Error contacting AWS Service."
"""How the cause begins when not the definition is at fault but the Map Run's engine (recorded: facts, section 1.8)."""


def state_failed(step: StepBuilder, frame: Frame, state: State, error: StatesError) -> None:
    """An evaluation in the state failed; its cause gets AWS's preamble."""
    cause = _with_preamble(frame, state, error)
    if isinstance(frame.wait, ChildrenWait):
        abort_children(step, state, frame.wait, frame.last_id)
    if error.location or error.error == "States.QueryEvaluationError":
        # Recorded: it points past the Entered event of its own state, at the event before it.
        previous_id = frame.before_id if frame.last_id == frame.entered_id else frame.last_id
        details = (error.error, cause, error.location or None, state.name)
        frame.last_id = step.emit(EventType.EVALUATION_FAILED, previous_id, details)
    attempt_failed(step, frame, state, error.error, cause, evaluated=True)


def _with_preamble(frame: Frame, state: State, error: StatesError) -> str:
    """The cause with AWS's preamble."""
    if error.shown_raw:
        return error.cause
    cause = (
        f"An error occurred while executing the state '{state.name}' "
        f"(entered at the event id #{frame.entered_id}). {error.cause}"
    )
    return cause[:CAUSE_LENGTH_MAX]


def attempt_failed(
    step: StepBuilder,
    frame: Frame,
    state: State,
    error: str | None,
    cause: str | None,
    *,
    evaluated: bool = False,
    matched: str | None = None,
) -> None:
    """One attempt of the state's work failed: it is tried again, caught, or the frame fails.

    `evaluated` says that an expression of the state itself failed, not its work. `matched` is what Retry and Catch know
    the error by, where that is not its name.
    """
    step.attempt_failed(error, cause)
    begun, frame.wait = frame.wait, None
    failed_type = step.kinds[state.kind].failed_type
    known_as = matched or error
    if error != TERMINAL:
        if _retried(step, frame, state, known_as):
            return
        if failed_type:
            frame.last_id = step.emit(failed_type, frame.last_id)
        for catcher in state.catch:
            if error_matches(catcher.errors, known_as):
                _caught(step, frame, state, catcher, error, cause, begun)
                return
    elif failed_type and not evaluated:
        frame.last_id = step.emit(failed_type, frame.last_id)
    frame.wait = _redrivable(begun, error, cause)
    fail(step, frame, error, cause)


def _redrivable(begun: Wait | None, error: str | None, cause: str | None) -> Wait | None:
    """What a redrive goes on with of what the state had begun; None when it does the state again from its start.

    Source: page redrive-executions of the AWS guide (facts, section 2.8).
    """
    if error == DATA_LIMIT_EXCEEDED:
        return None
    if isinstance(begun, ChildrenWait):
        return begun
    if isinstance(begun, MapRunWait):
        interpolated = error == TERMINAL and not (cause or "").startswith(_ENGINE_TROUBLE)
        return None if interpolated else begun
    return None


def _retried(step: StepBuilder, frame: Frame, state: State, error: str | None) -> bool:
    for place, retrier in enumerate(state.retry):
        if not error_matches(retrier.errors, error):
            continue
        if frame.attempts is None:
            frame.attempts = [0] * len(state.retry)
        if frame.attempts[place] >= retrier.attempts_max:
            return False
        frame.attempts[place] += 1
        ref = f"{frame.effect_ref()}:retry"
        seed = f"{step.execution.head.arn}\n{ref}"
        due_ms = step.now_ms + retrier.delay_ms(frame.attempts[place], seed)
        frame.retry_count += 1
        frame.wait = RetryWait(ref)
        step.ask_timer(frame, ref, due_ms)
        return True
    return False


def _caught(
    step: StepBuilder,
    frame: Frame,
    state: State,
    catcher: Catcher,
    error: str | None,
    cause: str | None,
    begun: Wait | None,
) -> None:
    caught: dict[str, Any] = {"Error": error or "", "Cause": cause or ""}
    scope = step.scope(frame, "catch")
    try:
        if state.jsonata:
            root = {"input": frame.decoded(), "errorOutput": caught}
            assigned = assign(catcher.assign, root, scope)
            value = caught if catcher.output is None else catcher.output(root, scope)
        else:
            assigned = assign(catcher.assign, caught, scope)
            value = caught if catcher.put is None else catcher.put(frame.decoded(), caught)
        leave(step, frame, state, jsontext.encode(value), value, assigned, catcher.next)
    except StatesError as failed:
        frame.wait = _redrivable(begun, error, cause)
        fail(step, frame, failed.error, _with_preamble(frame, state, failed))
