"""Definitions bent out of shape: refused in words, or run without a crash."""

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from maprun.interpreter import ExecutionHead, Limits, advance, begin
from maprun.language import DefinitionError, Machine, compile_machine
from schemas.effects import EffectCancelled, Happening, MapRunRequested, MapRunSucceeded, TaskRequested, TaskSucceeded
from schemas.effects import TimerFired as Fired
from tests.property.interpreter.documents import VALUES, machines

RICH = {
    "StartAt": "Read",
    "QueryLanguage": "JSONPath",
    "TimeoutSeconds": 60,
    "States": {
        "Read": {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"a.$": "$.a", "b": [{"c.$": "States.Format('{}', $$.Execution.Name)"}]},
            "ResultSelector": {"r.$": "$"},
            "ResultPath": "$.read",
            "TimeoutSeconds": 9,
            "HeartbeatSecondsPath": "$.a",
            "Retry": [{"ErrorEquals": ["X"], "IntervalSeconds": 1, "MaxDelaySeconds": 4, "JitterStrategy": "FULL"}],
            "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Wait", "ResultPath": "$.e", "Assign": {"v": 1}}],
            "Next": "Choose",
        },
        "Choose": {
            "Type": "Choice",
            "Choices": [
                {
                    "And": [{"Variable": "$.a", "NumericLessThan": 3}, {"Not": {"Variable": "$.b", "IsNull": True}}],
                    "Next": "Map",
                },
                {"Variable": "$.a", "StringMatches": "x*", "Next": "Wait", "Assign": {"w.$": "$.a"}},
            ],
            "Default": "Query",
        },
        "Query": {
            "Type": "Pass",
            "QueryLanguage": "JSONata",
            "Output": {"n": "{% $sum($states.input.items) %}", "u": "{% $uuid() %}"},
            "Assign": {"q": "{% $states.context.State.Name %}"},
            "Next": "Wait",
        },
        "Wait": {"Type": "Wait", "Seconds": 2, "Next": "All"},
        "All": {
            "Type": "Parallel",
            "Branches": [{"StartAt": "B1", "States": {"B1": {"Type": "Succeed"}}}],
            "ResultPath": None,
            "Next": "Map",
        },
        "Map": {
            "Type": "Map",
            "ItemsPath": "$.items",
            "ItemReader": {
                "Resource": "arn:aws:states:::s3:getObject",
                "ReaderConfig": {"InputType": "JSON", "MaxItems": 5, "ItemsPointer": "/x"},
                "Parameters": {"Bucket": "b", "Key.$": "$.k"},
            },
            "ItemBatcher": {"MaxItemsPerBatch": 3, "BatchInput": {"z.$": "$.a"}},
            "ItemSelector": {"v.$": "$$.Map.Item.Value"},
            "ItemProcessor": {
                "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                "StartAt": "P1",
                "States": {"P1": {"Type": "Fail", "ErrorPath": "$.e"}},
            },
            "ResultWriter": {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "p"}},
            "ToleratedFailurePercentage": 5,
            "Label": "L",
            "End": True,
        },
    },
}
INPUT = json.dumps({"a": 1, "b": 2, "k": "key", "items": [1, 2], "e": "E"}).encode()


def bend(value: Any, chance: random.Random, replacement: Any) -> Any:
    """A copy in which one thing, somewhere, is gone, renamed or replaced."""
    if isinstance(value, dict) and value and chance.random() < 0.85:
        key = chance.choice(sorted(value))
        rest = {k: v for k, v in value.items() if k != key}
        draw = chance.random()
        if draw < 0.12:
            return rest
        if draw < 0.2:
            return {**rest, chance.choice(["Next", "Type", "Output", "x.$", "QueryLanguage", key + "Path"]): value[key]}
        return {**value, key: bend(value[key], chance, replacement)}
    if isinstance(value, list) and value and chance.random() < 0.8:
        at = chance.randrange(len(value))
        return [*value[:at], bend(value[at], chance, replacement), *value[at + 1 :]]
    return replacement


def compiled(definition: bytes) -> Machine | DefinitionError:
    """The machine, or why there is none."""
    try:
        return compile_machine(definition)
    except DefinitionError as error:
        return error


def run(machine: Machine) -> None:
    """Runs the machine in a friendly world for a while."""
    step = begin(machine, ExecutionHead("arn:e", "e", "arn:m", "m", "arn:role", 0, INPUT), 0, Limits(events_max=300))
    waiting = list(step.effects)
    for _ in range(60):
        if step.ended is not None or not waiting:
            return
        effect = waiting.pop(0)
        happening: Happening
        match effect:
            case EffectCancelled():
                continue
            case TaskRequested():
                happening = TaskSucceeded(effect.ref, b'{"a":2,"items":[1]}')
            case MapRunRequested():
                happening = MapRunSucceeded(effect.ref, b"[]")
            case _:
                happening = Fired(effect.ref)
        assert step.execution is not None
        step = advance(machine, step.execution, happening, 0, Limits(events_max=300))
        waiting += step.effects


REPLACEMENTS = st.one_of(
    VALUES,
    st.sampled_from(
        ["$.a", "$$", "States.UUID()", "{% $states.input %}", "{% ( %}", "JSONata", "DISTRIBUTED", "arn:x", -1]
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.integers(0, 2**32), REPLACEMENTS, st.integers(1, 3))
def test_a_bent_definition_is_refused_in_words_or_runs(seed: int, replacement: Any, times: int) -> None:
    """Whatever is removed, renamed or replaced: DefinitionError with a code and a pointer, or a machine that runs."""
    chance, document = random.Random(seed), RICH
    for _ in range(times):
        document = bend(document, chance, replacement)
    machine = compiled(json.dumps(document).encode())
    if isinstance(machine, DefinitionError):
        assert str(machine).startswith(f"{machine.findings[0].code}: ")
    else:
        run(machine)


@settings(deadline=None, max_examples=50)
@given(machines())
def test_what_aws_takes_is_taken(definition: bytes) -> None:
    """Machines that are valid by construction compile."""
    compile_machine(definition)


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=40))
def test_any_bytes_are_refused_in_words(definition: bytes) -> None:
    """Bytes that are no JSON object are refused as such."""
    assert isinstance(compiled(definition), DefinitionError)
