"""The interpreter's contract: begin, advance, effects in, happenings out."""

import json

from maprun.interpreter import ExecutionHead, advance, begin
from maprun.language import compile_machine
from schemas.effects import TaskRequested, TaskSucceeded

HEAD = ExecutionHead("arn:aws:states:us-east-1:1:execution:m:e", "e", "arn:m", "m", "role", 1000, b'{ "a": 1 }')


def test_a_task_is_asked_for_and_its_result_ends_the_execution() -> None:
    """A machine of one Task asks for it, and ends with its result; the first input keeps its white space."""
    state = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    machine = compile_machine(json.dumps({"StartAt": "T", "States": {"T": state}}).encode())
    step = begin(machine, HEAD, 1000)
    (effect,) = step.effects
    assert isinstance(effect, TaskRequested)
    assert effect.parameters == b'{"a":1}'
    assert step.events[0].details[0] == b'{ "a": 1 }'
    assert step.execution is not None
    step = advance(machine, step.execution, TaskSucceeded(effect.ref, b'{ "b": 2 }'), 2000)
    assert step.ended is not None
    assert (step.ended.status, step.ended.output) == ("SUCCEEDED", b'{"b":2}')
