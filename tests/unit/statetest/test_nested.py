"""Map and Parallel states with mocks, and states within them by their names."""

import json
import time
from typing import Any

import msgspec
import pytest

from maprun.statetest import StateOutcome, try_state
from tests.unit.statetest.trying import LAMBDA, WORLD, asked, refusal, tried

END = {"Type": "Pass", "End": True}
INNER = {"StartAt": "Inner", "States": {"Inner": END}}
DISTRIBUTED = {**INNER, "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}}
MAP: dict[str, Any] = {
    "Type": "Map",
    "ItemsPath": "$.items",
    "ItemSelector": {"v.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index", "who.$": "$.who"},
    "ItemProcessor": INNER,
    "Next": "After",
}
GIVEN = {"items": ["a", "b", "c"], "who": "me"}
INPUTS = [{"v": value, "at": at, "who": "me"} for at, value in enumerate("abc")]
READER = {
    "Resource": "arn:aws:states:::s3:getObject",
    "ReaderConfig": {"InputType": "CSV", "CSVHeaderLocation": "FIRST_ROW"},
    "Parameters": {"Bucket": "b", "Key": "k.csv"},
}
LOST = {"error": "States.ExceedToleratedFailureThreshold"}


@pytest.mark.parametrize("processor", [INNER, DISTRIBUTED])
def test_a_map_shows_the_inputs_of_all_iterations(processor: Any) -> None:
    """However many would run at once; the mock is what all of them give."""
    state = {**MAP, "ItemProcessor": processor, "MaxConcurrency": 1, "ResultPath": "$.results"}
    answer = tried(state, GIVEN, mock=[1, 2, 3])
    assert (answer["status"], answer["nextState"]) == ("SUCCEEDED", "After")
    assert answer["output"] == {**GIVEN, "results": [1, 2, 3]}
    seen = answer["inspectionData"]
    assert seen["afterItemsPath"] == ["a", "b", "c"]
    assert seen["afterItemSelector"] == INPUTS
    assert seen["result"] == [1, 2, 3]
    assert (seen["maxConcurrency"], seen["toleratedFailureCount"], seen["toleratedFailurePercentage"]) == (1, 0, 0.0)
    assert "afterItemBatcher" not in seen


def test_a_map_in_jsonata() -> None:
    """Items and ItemSelector; afterItemsPath is of JSONPath alone."""
    state = {
        "Type": "Map",
        "QueryLanguage": "JSONata",
        "Items": "{% $states.input.items %}",
        "ItemSelector": {"v": "{% $states.context.Map.Item.Value %}"},
        "ItemProcessor": DISTRIBUTED,
        "Output": "{% $states.result[0] %}",
        "End": True,
    }
    answer = tried(state, GIVEN, mock=[7, 8, 9])
    assert answer["output"] == 7
    assert answer["inspectionData"]["afterItemSelector"] == [{"v": "a"}, {"v": "b"}, {"v": "c"}]
    assert "afterItemsPath" not in answer["inspectionData"]


def test_batches() -> None:
    """What ItemBatcher makes of the inputs: as many children as there are batches."""
    batcher = {"MaxItemsPerBatch": 2, "BatchInput": {"day.$": "$.who"}}
    state = {**MAP, "ItemProcessor": DISTRIBUTED, "ItemBatcher": batcher}
    seen = tried(state, GIVEN, mock=[1, 2])["inspectionData"]
    assert seen["afterItemBatcher"] == [
        {"BatchInput": {"day": "me"}, "Items": INPUTS[:2]},
        {"BatchInput": {"day": "me"}, "Items": INPUTS[2:]},
    ]
    expected = "Map iteration failure count must be less than or equal to the number of Map iterations"
    assert refusal(state, GIVEN, mock=[1], map_iteration_failure_count=3) == f"ValidationException: {expected}"


@pytest.mark.parametrize(
    ("reader", "data", "items"),
    [
        (READER, "a,b\n1,2\n3,4\n", [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]),
        ({**READER, "ReaderConfig": {"InputType": "JSONL"}}, '{"a":1}\n2\n', [{"a": 1}, 2]),
        ({**READER, "ReaderConfig": {"InputType": "JSON", "MaxItems": 1}}, "[5,6]", [5]),
        (
            {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "b"}},
            '[{"Key":"k","Size":1}]',
            [{"Key": "k", "Size": 1}],
        ),
    ],
)
def test_what_an_item_reader_would_find(reader: Any, data: str, items: list[Any]) -> None:
    """MapItemReaderData is read as the object itself would be, by the same reader."""
    selector = {"v.$": "$$.Map.Item.Value", "from.$": "$$.Map.Item.Source"}
    state = {**MAP, "ItemProcessor": DISTRIBUTED, "ItemReader": reader, "ItemSelector": selector}
    seen = tried(state, {}, mock=[], map_item_reader_data=data)["inspectionData"]
    source = "s3://b" if "list" in reader["Resource"] else "s3://b/k.csv"
    assert seen["afterItemSelector"] == [{"v": item, "from": source} for item in items]
    assert "afterItemsPath" not in seen


def test_a_pointer() -> None:
    """AfterItemsPointer holds what the pointer leads to."""
    reader = {**READER, "ReaderConfig": {"InputType": "JSON", "ItemsPointer": "/deep/items"}}
    state = {"Type": "Map", "ItemReader": reader, "ItemProcessor": DISTRIBUTED, "End": True}
    data = json.dumps({"deep": {"items": [1, 2]}, "more": 3})
    seen = tried(state, {}, mock=[], map_item_reader_data=data)["inspectionData"]
    assert (seen["afterItemsPointer"], seen["afterItemSelector"]) == ([1, 2], [1, 2])


def test_data_that_cannot_be_read_fails_the_map() -> None:
    """With the reader's own error, which Retry and Catch see."""
    state = {**MAP, "ItemProcessor": DISTRIBUTED, "ItemReader": READER}
    answer = tried(state, GIVEN, mock=[], map_item_reader_data="a,a\n1,2\n")
    assert (answer["status"], answer["error"]) == ("FAILED", "States.ItemReaderFailed")
    caught = {**state, "Catch": [{"ErrorEquals": ["States.ItemReaderFailed"], "Next": "Cure"}]}
    assert tried(caught, GIVEN, mock=[], map_item_reader_data="a,a\n1,2\n")["nextState"] == "Cure"


def test_a_reader_without_data_shows_no_items() -> None:
    """Nobody knows them: the rest of the Map is shown."""
    answer = tried({**MAP, "ItemProcessor": DISTRIBUTED, "ItemReader": READER}, GIVEN, mock=[1])
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", [1])
    assert "afterItemSelector" not in answer["inspectionData"]


@pytest.mark.parametrize(
    ("tolerance", "failed", "answer"),
    [
        ({}, 0, {}),
        ({}, 1, LOST),
        ({"ToleratedFailureCount": 1}, 1, {}),
        ({"ToleratedFailureCount": 1}, 2, LOST),
        ({"ToleratedFailurePercentage": 67}, 2, {}),
        ({"ToleratedFailurePercentage": 66}, 2, LOST),
    ],
)
def test_more_failed_iterations_than_tolerated_fail_the_map(tolerance: Any, failed: int, answer: Any) -> None:
    """By the rule that decides of a Map Run."""
    state = {**MAP, "ItemProcessor": DISTRIBUTED, **tolerance}
    got = tried(state, GIVEN, mock=[1, 2, 3], map_iteration_failure_count=failed)
    assert got["status"] == ("FAILED" if answer else "SUCCEEDED")
    assert got.get("error") == answer.get("error")


def test_a_result_writer_s_result_is_an_object() -> None:
    """What names the files."""
    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "b", "Prefix": "p"}}
    state = {**MAP, "ItemProcessor": DISTRIBUTED, "ResultWriter": writer}
    details = {"MapRunArn": "arn:x", "ResultWriterDetails": {"Bucket": "b", "Key": "p/manifest.json"}}
    assert tried(state, GIVEN, mock=details)["output"] == details
    assert refusal(state, GIVEN, mock=[1]) == "ValidationException: Mocked result must be a JSON object."


def test_inputs_that_take_too_much_are_not_shown() -> None:
    """An ItemSelector may make gigabytes of a small input, or compute for hours: the Map goes on without them."""
    many = {"items": list(range(6_000)), "who": "x" * 40_000}
    for processor in (INNER, DISTRIBUTED):
        began = time.process_time()
        answer = tried({**MAP, "ItemProcessor": processor}, many, mock=[])
        assert time.process_time() - began < 5
        assert (answer["status"], answer["nextState"]) == ("SUCCEEDED", "After")
        assert "afterItemSelector" not in answer["inspectionData"]
    late = msgspec.structs.replace(WORLD, spent=lambda: True)
    outcome = try_state(asked({**MAP, "ItemProcessor": DISTRIBUTED}, GIVEN, mock=[1]), late)
    assert isinstance(outcome, StateOutcome)
    assert outcome.inspection_data is not None
    assert (outcome.status, outcome.inspection_data.after_item_selector) == ("SUCCEEDED", None)


def test_a_mocked_error_of_a_map_or_parallel() -> None:
    """It is retried and caught as one of a branch or iteration is."""
    caught = {"Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Cure"}], "Retry": [{"ErrorEquals": ["Busy"]}]}
    parallel = {"Type": "Parallel", "Branches": [INNER], "End": True}
    for state in (MAP, {**MAP, "ItemProcessor": DISTRIBUTED}, parallel):
        whole = {**state, **caught}
        assert tried(whole, GIVEN, error=("Busy", ""))["status"] == "RETRIABLE"
        answer = tried(whole, GIVEN, error=("Broken", "why"), error_caused_by_state="Inner")
        assert (answer["status"], answer["nextState"]) == ("CAUGHT_ERROR", "Cure")
        assert answer["output"] == {"Error": "Broken", "Cause": "why"}


def test_a_parallel() -> None:
    """The mock holds a result for each branch."""
    branches = [INNER, {"StartAt": "Other", "States": {"Other": END}}]
    state = {"Type": "Parallel", "Branches": branches, "ResultSelector": {"first.$": "$[0]"}, "Next": "On"}
    answer = tried(state, {"a": 1}, mock=[{"x": 1}, 2])
    assert (answer["output"], answer["nextState"]) == ({"first": {"x": 1}}, "On")
    assert answer["inspectionData"]["afterParameters"] == {"a": 1}
    words = "Mocked result must contain the same number of items as number of Parallel branches."
    assert refusal(state, {}, mock=[1]) == f"ValidationException: {words}"


MACHINE = {
    "StartAt": "M",
    "States": {
        "M": {
            "Type": "Map",
            "ItemProcessor": {
                "StartAt": "Call",
                "States": {
                    "Call": {
                        "Type": "Task",
                        "Resource": LAMBDA,
                        "Parameters": {"FunctionName": "f", "Payload.$": "$$.Map.Item"},
                        "Next": "P",
                    },
                    "P": {
                        "Type": "Parallel",
                        "Branches": [{"StartAt": "Deep", "States": {"Deep": END}}],
                        "End": True,
                    },
                },
            },
            "Next": "Last",
        },
        "Last": {"Type": "Succeed"},
    },
}


def test_a_state_within_a_map() -> None:
    """It is found by its name, and its context shows its input as the first item unless another is given."""
    answer = tried(MACHINE, {"a": 1}, state_name="Call", mock={})
    assert answer["nextState"] == "P"
    assert answer["inspectionData"]["afterParameters"]["Payload"] == {"Index": 0, "Value": {"a": 1}}
    context = {"Map": {"Item": {"Index": 3, "Value": "x"}}}
    answer = tried(MACHINE, {"a": 1}, state_name="Call", mock={}, context=context)
    assert answer["inspectionData"]["afterParameters"]["Payload"] == {"Index": 3, "Value": "x"}


def test_states_of_a_machine_at_any_depth() -> None:
    """A state at the top, and one in a branch within a Map."""
    assert tried(MACHINE, [1], state_name="Last")["output"] == [1]
    assert tried(MACHINE, {}, state_name="Deep")["status"] == "SUCCEEDED"
    assert tried(MACHINE, [], state_name="M", mock=[])["nextState"] == "Last"
