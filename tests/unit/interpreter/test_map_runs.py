"""Distributed Maps: the plan, the events around the run, the inputs of its children."""

import json
from typing import Any

import pytest

from maprun.interpreter import advance, begin, input_builder
from maprun.language import Machine, StatesError
from schemas.effects import (
    EffectCancelled,
    MapRunFailed,
    MapRunRequested,
    MapRunStarted,
    MapRunSucceeded,
    TaskFailed,
    TaskRequested,
    TimerFired,
    TimerRequested,
)
from schemas.plan import ItemBatcherPlan, ItemReaderPlan, MapRunPlan, ResultWriterPlan
from tests.unit.interpreter.telling import failure_of, head_of, machine_of, short

PROCESSOR = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
    "StartAt": "P",
    "States": {"P": {"Type": "Pass", "End": True}},
}


def requested(value: Any, **fields: Any) -> tuple[Machine, MapRunRequested]:
    """A machine of one distributed Map, and the run it asks for."""
    machine = machine_of({"M": {"Type": "Map", "ItemProcessor": PROCESSOR, "End": True, **fields}})
    (effect,) = begin(machine, head_of(value), 0).effects
    assert isinstance(effect, MapRunRequested)
    return machine, effect


def test_a_plan_holds_everything_resolved() -> None:
    """Paths, templates and defaults are evaluated in the parent, when it reaches the state."""
    _, effect = requested(
        {"bucket": "b", "many": "7", "n": 3},
        Label="lab",
        MaxConcurrencyPath="$.n",
        ToleratedFailurePercentage=2.5,
        ToleratedFailureCountPath="$.many",
        ItemReader={
            "Resource": "arn:aws:states:::s3:getObject",
            "ReaderConfig": {
                "InputType": "CSV",
                "CSVHeaderLocation": "GIVEN",
                "CSVHeaders": ["x"],
                "MaxItemsPath": "$.n",
            },
            "Parameters": {"Bucket.$": "$.bucket", "Key": "k.csv"},
        },
        ItemBatcher={"MaxItemsPerBatch": 10, "BatchInput": {"from.$": "$.bucket"}},
        ResultWriter={
            "Resource": "arn:aws:states:::s3:putObject",
            "Parameters": {"Bucket.$": "$.bucket", "Prefix": "out"},
            "WriterConfig": {"Transformation": "FLATTEN", "OutputType": "JSONL"},
        },
    )
    assert effect.plan == MapRunPlan(
        state="M",
        label="lab",
        child_type="EXPRESS",
        max_concurrency=3,
        tolerated_failure_count=7,
        tolerated_failure_percentage=2.5,
        reader=ItemReaderPlan(
            "arn:aws:states:::s3:getObject",
            "b",
            "k.csv",
            input_type="CSV",
            csv_header_location="GIVEN",
            csv_headers=("x",),
            max_items=3,
        ),
        batcher=ItemBatcherPlan(10, 0, b'{"from":"b"}'),
        writer=ResultWriterPlan("b", "out", "FLATTEN", "JSONL"),
    )


def test_a_run_that_ends_well() -> None:
    """The exit points at MapRunStarted, as AWS's does since November 2024; repeats change nothing."""
    machine, effect = requested([1, 2])
    assert effect.plan.items == b"[1,2]"
    step = begin(machine, head_of([1, 2]), 0)
    assert step.execution is not None
    step = advance(machine, step.execution, MapRunStarted(effect.ref, "arn:run"), 1)
    events = list(step.events)
    assert step.execution is not None
    assert advance(machine, step.execution, MapRunStarted(effect.ref, "arn:run"), 2).events == []
    step = advance(machine, step.execution, MapRunSucceeded(effect.ref, b"[ 10, 20 ]"), 3)
    assert short([*events, *step.events], 4) == [
        "4 MapRunStarted <- 3",
        "5 MapRunSucceeded <- 4",
        "6 MapStateSucceeded <- 5",
        "7 MapStateExited <- 4",
        "8 ExecutionSucceeded <- 7",
    ]
    assert step.ended is not None
    assert step.ended.output == b"[10,20]"


def test_a_run_that_fails_can_be_retried_as_a_new_run() -> None:
    """Retry on the state asks for another run under another ref; then the failure ends the execution."""
    retry = [{"ErrorEquals": ["States.ExceedToleratedFailureThreshold"], "MaxAttempts": 1}]
    machine, effect = requested([1], Retry=retry)
    step = begin(machine, head_of([1]), 0)
    failed = ("States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded")
    assert step.execution is not None
    step = advance(machine, step.execution, MapRunStarted(effect.ref, "arn:run"), 1)
    assert step.execution is not None
    step = advance(machine, step.execution, MapRunFailed(effect.ref, *failed), 2)
    (timer,) = step.effects
    assert isinstance(timer, TimerRequested)
    assert step.execution is not None
    step = advance(machine, step.execution, TimerFired(timer.ref), timer.due_ms)
    (again,) = step.effects
    assert isinstance(again, MapRunRequested)
    assert again.ref != effect.ref
    assert step.execution is not None
    step = advance(machine, step.execution, MapRunFailed(again.ref, *failed), 9_000)
    assert step.ended is not None
    assert (step.ended.error, step.ended.cause) == failed
    assert [line.split()[1] for line in short(step.events)] == ["MapRunFailed", "MapStateFailed", "ExecutionFailed"]


def test_a_failing_sibling_aborts_a_run() -> None:
    """A branch fails while another waits for its Map Run: the run is given up and told of as aborted."""
    run = {"Type": "Map", "ItemProcessor": PROCESSOR, "End": True}
    task = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
    branches = [{"StartAt": "M", "States": {"M": run}}, {"StartAt": "T", "States": {"T": task}}]
    machine = machine_of({"X": {"Type": "Parallel", "Branches": branches, "End": True}})
    step = begin(machine, head_of([1]), 0)
    asked = {type(effect): effect.ref for effect in step.effects}
    assert step.execution is not None
    step = advance(machine, step.execution, MapRunStarted(asked[MapRunRequested], "arn:run"), 1)
    assert step.execution is not None
    step = advance(machine, step.execution, TaskFailed(asked[TaskRequested], "Boom", "c"), 2)
    assert step.effects == [EffectCancelled(asked[MapRunRequested])]
    assert [line.split(maxsplit=1)[1] for line in short(step.events, 10)] == [
        "TaskFailed <- 8",
        "MapRunAborted <- 9",
        "MapStateAborted <- 10",
        "ParallelStateFailed <- 10",
        "ExecutionFailed <- 13",
    ]


def build(value: Any, selector: Any, *items: tuple[int, str | None, bytes]) -> list[Any]:
    """The inputs of these items of a run with this ItemSelector."""
    machine, effect = requested(value, ItemSelector=selector, ItemsPath="$.items")
    make = input_builder(machine, effect.plan)
    return [json.loads(make(index, key, item, "s3://b/k")) for index, key, item in items]


def test_items_are_the_inputs_without_a_selector() -> None:
    """The very bytes of the item."""
    machine, effect = requested([1])
    item = b'{ "a":1 }'
    assert input_builder(machine, effect.plan)(0, None, item, "STATE_DATA") is item


def test_a_member_of_an_object_is_a_pair_for_its_child() -> None:
    """Without a selector the child gets `{"Key", "Value"}`: its name is not lost, and its bytes stay."""
    machine, effect = requested({"a": 1})
    build = input_builder(machine, effect.plan)
    assert build(0, "a", b'{"x":1.50}', "STATE_DATA") == b'{"Key":"a","Value":{"x":1.50}}'
    assert json.loads(build(1, 'q"\\é', b"null", "s3://b/k")) == {"Key": 'q"\\é', "Value": None}
    assert build(2, "", b"1", "s3://b/k") == b'{"Key":"","Value":1}'


def test_a_selector_sees_item_input_context_and_literals() -> None:
    """Index, value, key, source, parts of the value, the Map state's input, the parent's context, calls."""
    selector = {
        "i.$": "$$.Map.Item.Index",
        "v.$": "$$.Map.Item.Value",
        "k.$": "$$.Map.Item.Key",
        "s.$": "$$.Map.Item.Source",
        "part.$": "$$.Map.Item.Value.a",
        "whole.$": "$$.Map.Item",
        "input.$": "$.n",
        "name.$": "$$.Execution.Name",
        "call.$": "States.Format('{}-{}', $$.Map.Item.Index, $.n)",
        "lit": {"deep": [1, {"x.$": "$$.Map.Item.Index"}]},
    }
    (one,) = build({"items": {"key": 1}, "n": 5}, selector, (3, "key", b'{"a":"x"}'))
    value = {"a": "x"}
    assert one == {
        "i": 3,
        "v": value,
        "k": "key",
        "s": "s3://b/k",
        "part": "x",
        "whole": {"Index": 3, "Value": value, "Key": "key", "Source": "s3://b/k"},
        "input": 5,
        "name": "e",
        "call": "3-5",
        "lit": {"deep": [1, {"x": 3}]},
    }


def test_a_selector_draws_its_own_chance_for_each_item_and_place() -> None:
    """Two UUIDs in one input differ, those of two items differ, and the same item gives the same again."""
    selector = {"a.$": "States.UUID()", "b.$": "States.UUID()"}
    first, second, again = build({"items": [1]}, selector, (0, None, b"1"), (1, None, b"1"), (0, None, b"1"))
    assert first == again
    assert len({first["a"], first["b"], second["a"], second["b"]}) == 4


def test_a_selector_that_leads_nowhere_is_states_runtime() -> None:
    """The first item tells; the plan itself was fine."""
    with pytest.raises(StatesError) as caught:
        build({"items": [1]}, {"x.$": "$$.Map.Item.Value.no"}, (0, None, b'{"a":1}'))
    assert caught.value.error == "States.Runtime"
    with pytest.raises(StatesError):
        build({"items": [1]}, {"x.$": "$.no"}, (0, None, b"1"))


def test_a_jsonata_selector() -> None:
    """$states.context.Map.Item and $states.input, as in any other field."""
    processor = {**PROCESSOR}
    selector = {"i": "{% $states.context.Map.Item.Index + 1 %}", "n": "{% $states.input.n %}", "lit": "x"}
    state = {"Type": "Map", "ItemProcessor": processor, "Items": "{% $states.input.items %}", "ItemSelector": selector}
    machine = machine_of({"M": {**state, "End": True}}, QueryLanguage="JSONata")
    (effect,) = begin(machine, head_of({"items": [9], "n": 5}), 0).effects
    assert isinstance(effect, MapRunRequested)
    assert effect.plan.items == b"[9]"
    assert json.loads(input_builder(machine, effect.plan)(4, None, b"9", "STATE_DATA")) == {"i": 5, "n": 5, "lit": "x"}


def test_what_travels_with_the_plan_is_only_what_the_selector_reads() -> None:
    """Every lane gets the plan: input, context and variables stay behind when no expression reads them."""
    _, effect = requested(
        {"big": "x" * 1000, "items": [1]}, ItemsPath="$.items", ItemSelector={"v.$": "$$.Map.Item.Value"}
    )
    assert (effect.plan.selector_input, effect.plan.context, effect.plan.variables) == (b"{}", b"{}", b"{}")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ToleratedFailureCountPath": "$.neg"}, "ToleratedFailureCount cannot be negative."),
        ({"ToleratedFailurePercentagePath": "$.big"}, "ToleratedFailurePercentage must be between 0 and 100."),
        (
            {"MaxConcurrencyPath": "$.text"},
            'The MaxConcurrencyPath field refers to value "NaN" which is not a valid integer',
        ),
        ({"ItemsPath": "$.neg"}, 'Reference path "$.neg" must point to array.'),
    ],
)
def test_numbers_that_make_no_sense(fields: dict[str, Any], words: str) -> None:
    """They fail the execution with States.Runtime before any run starts."""
    state = {"Type": "Map", "ItemProcessor": PROCESSOR, "ItemsPath": "$.items", "End": True}
    given = {"items": [1], "neg": -1, "big": 101, "text": "NaN"}
    error, cause = failure_of({"M": {**state, **fields}}, given)
    assert error == "States.Runtime"
    assert cause is not None
    assert words in cause


FIELDS = ("MaxConcurrencyPath", "ToleratedFailureCountPath", "ToleratedFailurePercentagePath")


@pytest.mark.parametrize("field", FIELDS)
@pytest.mark.parametrize(
    "value", [2**63, -(2**63) - 1, "9223372036854775808", 1.5, 2.0, "1.5", "", " 1", "1_0", "NaN", None, True, [1], {}]
)
def test_what_is_no_whole_number_is_refused_alike(field: str, value: Any) -> None:
    """One conversion for every number that a path gives: a 64-bit integer, as a number or as a text."""
    if field.endswith("PercentagePath") and value in (2**63, -(2**63) - 1, "9223372036854775808", 1.5, 2.0, "1.5"):
        return  # those are numbers, if not whole ones
    state = {"Type": "Map", "ItemProcessor": PROCESSOR, "ItemsPath": "$.items", "End": True, field: "$.n"}
    error, cause = failure_of({"M": state}, {"items": [1], "n": value})
    shown = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    kind = "float" if field.endswith("PercentagePath") else "integer"
    assert error == "States.Runtime"
    assert (cause or "").endswith(f'The {field} field refers to value "{shown}" which is not a valid {kind}: $.n')


@pytest.mark.parametrize("value", [2**63 - 1, "9223372036854775807", "+7", "007", 7])
def test_the_largest_whole_numbers_are_taken(value: Any) -> None:
    """2^63 - 1 is a number of items, as text too."""
    _, effect = requested({"items": [1], "n": value}, ItemsPath="$.items", MaxConcurrencyPath="$.n")
    assert effect.plan.max_concurrency in (7, 10**15)
