"""Pass: hands its input on, shaped."""

from maprun.interpreter.dataflow import arguments, assign, complete
from maprun.interpreter.execution import UNSET, Frame
from maprun.interpreter.step_builder import StepBuilder, leave
from maprun.language import jsontext
from maprun.language.model import PassWork, State


def perform_pass(step: StepBuilder, frame: Frame, state: State) -> None:
    """Ends at once."""
    if state.plain:
        leave(step, frame, state, frame.compact_input(), frame.value)
        return
    work = state.work
    assert isinstance(work, PassWork)
    scope = step.scope(frame)
    if state.jsonata:
        root = {"input": frame.decoded()}
        assigned = assign(state.assign, root, scope)
        if state.output is None:
            leave(step, frame, state, frame.compact_input(), frame.value, assigned)
        else:
            value = state.output(root, scope)
            leave(step, frame, state, jsontext.encode(value), value, assigned)
        return
    if work.result is not None:
        if state.put is None and state.output is None and not state.assign:
            leave(step, frame, state, work.result, work.result_value if work.result_value is not None else UNSET)
        else:
            complete(step, frame, state, work.result_value, scope)
        return
    complete(step, frame, state, arguments(frame, state, scope), scope)
