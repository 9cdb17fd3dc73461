"""A state that is tested does what it does in an execution."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.interpreter import ExecutionHead, advance, begin
from maprun.language import compile_machine
from maprun.statetest import Asked, ErrorOutput, Mock, StateOutcome, World, try_state
from schemas.arns import Names
from schemas.effects import Happening, TaskFailed, TaskRequested, TaskSucceeded, TimerFired
from schemas.history import HistoryEvent
from tests.property.interpreter.documents import VALUES, machines

ARN = "arn:aws:states:us-east-1:123456789012:execution:m:e"


def lived(definition: bytes, text: bytes, outcome: Any) -> tuple[str, Any]:
    """(status, output or error) of the first state of an execution; `outcome` is its Task's: a value, or an error."""
    machine = compile_machine(definition)
    head = ExecutionHead(ARN, "e", "arn:m", "m", "arn:role", 1_000, text)
    step = begin(machine, head, 1_000)
    events = list(step.events)
    state = machine.states[machine.start_at]
    if state.kind in ("Task", "Wait") and step.ended is None and not _exit(events, state.exited_type):
        effect = next(effect for effect in step.effects if "#1" in getattr(effect, "ref", ""))
        happening: Happening
        if not isinstance(effect, TaskRequested):
            happening = TimerFired(effect.ref)
        elif isinstance(outcome, ErrorOutput):
            happening = TaskFailed(effect.ref, outcome.error or "", "")
        else:
            happening = TaskSucceeded(effect.ref, json.dumps(outcome).encode())
        assert step.execution is not None
        step = advance(machine, step.execution, happening, 2_000)
        events += step.events
    exit_ = _exit(events, state.exited_type)
    if exit_ is not None:
        return "SUCCEEDED", json.loads(exit_.details[1])
    if step.ended is not None:
        return "FAILED", step.ended.error
    return "RETRIABLE", None


def _exit(events: list[HistoryEvent], kind: int) -> HistoryEvent | None:
    return next((event for event in events if event.type == kind), None)


@given(machines(), VALUES, st.one_of(VALUES, st.sampled_from([ErrorOutput(error="Boom"), ErrorOutput(error="Other")])))
@settings(max_examples=300, deadline=None)
def test_a_tried_state_does_what_it_does_in_an_execution(definition: bytes, value: Any, outcome: Any) -> None:
    """Status, and output or error, of the first state of any machine under any input and result."""
    document = json.loads(definition)
    document.pop("TimeoutSeconds", None)
    state = document["States"][document["StartAt"]]
    if state["Type"] in ("Map", "Parallel"):
        return
    text = json.dumps(value).encode()
    mock = None
    if state["Type"] == "Task":
        failed = isinstance(outcome, ErrorOutput)
        mock = Mock(
            result=None if failed else json.dumps(outcome),
            error_output=outcome if failed else None,
            field_validation_mode="NONE",
        )
    world = World(Names(), 1_000, lambda *_: "", lambda *_: ([], None, ""))
    for level in ("INFO", "TRACE"):
        asked = Asked(
            definition=json.dumps(document),
            state_name=document["StartAt"],
            input=text.decode(),
            mock=mock,
            inspection_level=level,
        )
        tried = try_state(asked, world)
        assert isinstance(tried, StateOutcome)
        shown = json.loads(tried.output) if tried.output is not None else tried.error
        assert (tried.status, None if tried.status == "RETRIABLE" else shown) == lived(
            json.dumps(document).encode(), text, outcome
        )
