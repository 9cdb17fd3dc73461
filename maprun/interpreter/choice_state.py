"""Choice: the first rule that matches decides where to go."""

from maprun.interpreter.dataflow import assign, pass_through
from maprun.interpreter.execution import Frame
from maprun.interpreter.run import Run, leave
from maprun.interpreter.scopes import effective_input, root_value
from maprun.language import jsontext
from maprun.language.errors import runtime_error
from maprun.language.model import ChoiceWork, Rule, State
from maprun.language.scope import Scope


def perform_choice(run: Run, frame: Frame, state: State) -> None:
    """Tries the rules in order."""
    work = state.work
    assert isinstance(work, ChoiceWork)
    scope = run.scope(frame)
    root = root_value(frame, state, scope)
    for rule in work.rules:
        if rule.test(root, scope):
            if rule.assign or rule.output is not None:
                _chosen(run, frame, state, rule, scope)
            else:
                _unassigned(run, frame, state, scope, rule.next)
            return
    if work.default is None:
        # AWS fails so, measured: not with States.NoChoiceMatched, which States.ALL would catch around it.
        raise runtime_error("Failed to transition out of the state. The state does not point to a next state.")
    pass_through(run, frame, state, scope, work.default)


def _unassigned(run: Run, frame: Frame, state: State, scope: Scope, next_state: str) -> None:
    """A matching rule without Assign: the state's own Assign is for the default only."""
    if not state.assign:
        pass_through(run, frame, state, scope, next_state)
        return
    if state.jsonata:
        value = frame.decoded() if state.output is None else state.output({"input": frame.decoded()}, scope)
    else:
        value = effective_input(frame, state, scope)
        if state.output is not None:
            value = state.output(value, scope)
    leave(run, frame, state, jsontext.encode(value), value, None, next_state)


def _chosen(run: Run, frame: Frame, state: State, rule: Rule, scope: Scope) -> None:
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
    leave(run, frame, state, jsontext.encode(value), value, assigned, rule.next)
