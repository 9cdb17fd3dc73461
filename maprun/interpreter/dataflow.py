"""How data flows through a state: from the raw input to what the state works on, from its result to the output."""

from typing import Any

from maprun.interpreter.execution import UNSET, Frame
from maprun.interpreter.scopes import effective_input, root_value
from maprun.interpreter.step_builder import StepBuilder, leave
from maprun.language import jsontext
from maprun.language.model import Assign, State
from maprun.language.scope import Scope


def arguments(frame: Frame, state: State, scope: Scope) -> Any:
    """What the state works on: the effective input, shaped by Parameters or Arguments when given."""
    if state.parameters is None:
        return effective_input(frame, state, scope)
    return state.parameters(root_value(frame, state, scope), scope)


def arguments_text(frame: Frame, state: State, scope: Scope) -> bytes:
    """`arguments` as JSON text; the input's own bytes when nothing shapes it."""
    if state.input is None and state.parameters is None:
        return frame.compact_input()
    return jsontext.encode(arguments(frame, state, scope))


def complete_text(step: StepBuilder, frame: Frame, state: State, text: bytes, scope: Scope) -> None:
    """`complete` for a result that is compact JSON text; it is decoded only when something shapes it."""
    shaped = state.selector is not None or state.put is not None or state.output is not None or state.assign
    if shaped:
        complete(step, frame, state, jsontext.decode(text), scope)
    else:
        leave(step, frame, state, text, UNSET)


def complete(step: StepBuilder, frame: Frame, state: State, result: Any, scope: Scope) -> None:
    """ResultSelector, ResultPath, Assign and OutputPath (or JSONata's Assign and Output), then the next state."""
    if state.jsonata:
        root = {"input": frame.decoded(), "result": result}
        assigned = assign(state.assign, root, scope)
        value = result if state.output is None else state.output(root, scope)
    else:
        raw = frame.decoded()
        assigned = assign(state.assign, result, scope)
        value = result if state.selector is None else state.selector(result, scope)
        if state.put is not None:
            value = state.put(raw, value)
        if state.output is not None:
            value = state.output(value, scope)
    leave(step, frame, state, jsontext.encode(value), value, assigned)


def assign(assignments: Assign, root: Any, scope: Scope) -> dict[str, Any] | None:
    """The variables a state sets; all see the values from before it."""
    return {name: evaluate(root, scope) for name, evaluate in assignments} if assignments else None


def pass_through(step: StepBuilder, frame: Frame, state: State, scope: Scope, next_state: str | None = None) -> None:
    """The output of Choice, Wait and Succeed: the effective input after OutputPath (or JSONata's Output)."""
    if state.jsonata:
        root: Any = {"input": frame.decoded()}
        assigned = assign(state.assign, root, scope)
        if state.output is None:
            leave(step, frame, state, frame.compact_input(), frame.value, assigned, next_state)
            return
        value = state.output(root, scope)
    else:
        if state.input is None and state.output is None and not state.assign:
            leave(step, frame, state, frame.compact_input(), frame.value, None, next_state)
            return
        value = effective_input(frame, state, scope)
        assigned = assign(state.assign, value, scope)
        if state.output is not None:
            value = state.output(value, scope)
    leave(step, frame, state, jsontext.encode(value), value, assigned, next_state)
