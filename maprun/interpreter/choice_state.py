"""Choice: the first rule that matches decides where to go."""

from maprun.interpreter.dataflow import assign, pass_through
from maprun.interpreter.execution import Frame
from maprun.interpreter.scopes import effective_input, root_value
from maprun.interpreter.step_builder import StepBuilder, leave
from maprun.language import jsontext
from maprun.language.errors import runtime_error
from maprun.language.model import ChoiceWork, Rule, State
from maprun.language.scope import Scope


def perform_choice(step: StepBuilder, frame: Frame, state: State) -> None:
    """Tries the rules in order."""
    work = state.work
    assert isinstance(work, ChoiceWork)
    scope = step.scope(frame)
    root = root_value(frame, state, scope)
    for rule in work.rules:
        if rule.test(root, scope):
            if rule.assign or rule.output is not None:
                _chosen(step, frame, state, rule, scope)
            else:
                _unassigned(step, frame, state, scope, rule.next)
            return
    if work.default is None:
        # AWS fails so, measured: not with States.NoChoiceMatched, which States.ALL would catch around it.
        raise runtime_error("Failed to transition out of the state. The state does not point to a next state.")
    pass_through(step, frame, state, scope, work.default)


def _unassigned(step: StepBuilder, frame: Frame, state: State, scope: Scope, next_state: str) -> None:
    """A matching rule without Assign: the state's own Assign is for the default only."""
    if not state.assign:
        pass_through(step, frame, state, scope, next_state)
        return
    if state.jsonata:
        value = frame.decoded() if state.output is None else state.output({"input": frame.decoded()}, scope)
    else:
        value = effective_input(frame, state, scope)
        if state.output is not None:
            value = state.output(value, scope)
    leave(step, frame, state, jsontext.encode(value), value, None, next_state)


def _chosen(step: StepBuilder, frame: Frame, state: State, rule: Rule, scope: Scope) -> None:
    if state.jsonata:
        root = {"input": frame.decoded()}
        assigned = assign(rule.assign, root, scope)
        output = rule.output or state.output
        value = frame.decoded() if output is None else output(root, scope)
    else:
        value = effective_input(frame, state, scope)
        assigned = assign(rule.assign, value, scope)
        if state.output is not None:
            value = state.output(value, scope)
    leave(step, frame, state, jsontext.encode(value), value, assigned, rule.next)
