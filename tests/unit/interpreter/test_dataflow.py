"""Data flow: paths and templates of each field, the first input's text, payload limits."""

import json
from typing import Any

import pytest

from maprun.interpreter import ExecutionHead, Limits, begin
from schemas.history import event_to_api
from tests.unit.interpreter.telling import ARN, failure_of, machine_of, output_of, start

RAW = {"a": {"b": 1}, "n": None, "xs": [1, 2]}


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, RAW),
        ({"InputPath": "$.a"}, {"b": 1}),
        ({"InputPath": None}, {}),
        ({"OutputPath": "$.xs[1]"}, 2),
        ({"OutputPath": None}, {}),
        ({"Result": [1]}, [1]),
        ({"Result": None}, None),
        ({"Result": {"x.$": "$.a"}}, {"x.$": "$.a"}),
        ({"Result": 7, "ResultPath": "$.r"}, {**RAW, "r": 7}),
        ({"Result": 7, "ResultPath": "$.a.c.d"}, {**RAW, "a": {"b": 1, "c": {"d": 7}}}),
        ({"Result": 7, "ResultPath": "$.xs[0]"}, {**RAW, "xs": [7, 2]}),
        ({"Result": 7, "ResultPath": "$.n.deep"}, {**RAW, "n": {"deep": 7}}),
        ({"Result": 7, "ResultPath": None}, RAW),
        (
            {"Parameters": {"k.$": "$.a.b", "lit": "$.a", "in": [{"z.$": "$.n"}]}},
            {"k": 1, "lit": "$.a", "in": [{"z": None}]},
        ),
        ({"InputPath": "$.a", "Parameters": {"k.$": "$"}, "ResultPath": "$.r", "OutputPath": "$.r"}, {"k": {"b": 1}}),
        ({"Parameters": {"name.$": "$$.State.Name", "id.$": "$$.Execution.Id"}}, {"name": "P", "id": ARN}),
        ({"Parameters": {"start.$": "$$.Execution.StartTime"}}, {"start": "1970-01-01T00:00:00.000Z"}),
    ],
)
def test_a_pass_shapes_its_data(fields: dict[str, Any], output: Any) -> None:
    """Each field alone and together, as the guide describes them."""
    assert output_of({"P": {"Type": "Pass", "End": True, **fields}}, RAW) == output


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"InputPath": "$.no.such"}, "States.Runtime", "Invalid path '$.no.such' : Missing property in path $['no']"),
        ({"OutputPath": "$.x"}, "States.Runtime", "Invalid path '$.x' : No results for path: $['x']"),
        (
            {"Parameters": {"v.$": "$.x"}},
            "States.Runtime",
            "The JSONPath '$.x' specified for the field 'v.$' could not",
        ),
        ({"Parameters": {"v.$": "$nope"}}, "States.Runtime", "The JSONPath '$nope' specified for the field 'v.$'"),
        (
            {"Parameters": {"v.$": "$$.Map.Item"}},
            "States.Runtime",
            "The JSONPath '$$.Map.Item' specified for the field",
        ),
        ({"Result": 1, "ResultPath": "$.a.b.c"}, "States.ResultPathMatchFailure", "Unable to apply the ResultPath"),
        (
            {"Parameters": {"v.$": "States.ArrayLength($.a)"}},
            "States.IntrinsicFailure",
            "The function 'States.ArrayLength",
        ),
    ],
)
def test_what_leads_nowhere_fails_in_aws_words(fields: dict[str, Any], error: str, words: str) -> None:
    """The preamble names the state and its Entered event; then the words of the case."""
    preamble = "An error occurred while executing the state 'P' (entered at the event id #2). "
    failed, cause = failure_of({"P": {"Type": "Pass", "End": True, **fields}}, RAW)
    assert failed == error
    assert cause is not None
    assert cause.startswith(preamble + words)


def test_the_first_input_keeps_its_white_space_and_later_payloads_do_not() -> None:
    """ExecutionStarted and the first Entered show the caller's text; outputs are compact, numbers as written."""
    machine = machine_of({"P": {"Type": "Pass", "End": True}})
    step = begin(machine, ExecutionHead(ARN, "e", "m", "m", "r", 0, b'{ "a" : 1.50 }'), 0)
    texts = [event.details[1 if at in (1, 2) else 0] for at, event in enumerate(step.events)]
    assert texts == [b'{ "a" : 1.50 }', b'{ "a" : 1.50 }', b'{"a":1.50}', b'{"a":1.50}']


def test_payloads_are_limited_and_the_limit_is_configurable() -> None:
    """An output above the limit is States.DataLimitExceeded; with a higher limit it passes."""
    machine = machine_of({"P": {"Type": "Pass", "Parameters": {"a.$": "$", "b.$": "$"}, "End": True}})
    head = ExecutionHead(ARN, "e", "m", "m", "r", 0, json.dumps("x" * 200_000).encode())
    ended = begin(machine, head, 0).ended
    assert ended is not None
    assert ended.error == "States.DataLimitExceeded"
    assert ended.cause == (
        "The state/task 'P' returned a result with a size exceeding the maximum number of bytes service limit."
    )
    ended = begin(machine, head, 0, Limits(payload_bytes_max=1 << 20)).ended
    assert ended is not None
    assert ended.status == "SUCCEEDED"


def test_an_assign_is_limited_like_a_payload() -> None:
    """All variables of one Assign together may hold 262,144 bytes of JSON."""
    state = {"Type": "Pass", "Assign": {"a.$": "$", "b.$": "$"}, "End": True}
    assert failure_of({"P": state}, "x" * 140_000)[0] == "States.DataLimitExceeded"
    assert output_of({"P": state}, "x" * 100_000) == "x" * 100_000


def test_payloads_can_be_left_out_of_a_history() -> None:
    """IncludeExecutionData false: no input, no output, names stay."""
    _, step = start({"P": {"Type": "Pass", "End": True}}, {"a": 1})
    shown = [event_to_api(event, at, include_data=False) for at, event in enumerate(step.events, 1)]
    assert shown[0]["executionStartedEventDetails"] == {"roleArn": "arn:role"}
    assert shown[1]["stateEnteredEventDetails"] == {"name": "P"}
    assert shown[3]["executionSucceededEventDetails"] == {}


def test_a_path_means_the_same_wherever_it_stands() -> None:
    """A dot before a bracket and a blank at the end are nothing in any field, and an element past the end is null."""
    value = {"a": {"b c": {"s": 0, "items": [1, 2]}}, "empty": []}
    rule = {"Variable": "$.['a'].['b c'].s ", "NumericEqualsPath": "$v.['s'] ", "Next": "W"}
    branch = {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
    states = {
        "S": {"Type": "Pass", "Assign": {"v.$": "$.a.['b c'] "}, "Next": "C"},
        "C": {"Type": "Choice", "Choices": [rule], "Default": "No"},
        "No": {"Type": "Fail"},
        "W": {"Type": "Wait", "SecondsPath": "$.a.['b c'].s ", "Next": "M"},
        "M": {
            "Type": "Map",
            "InputPath": "$.['a'] ",
            "ItemsPath": "$.['b c'].items ",
            "ItemSelector": {"v.$": "$$.Map.['Item'].Value ", "t.$": "States.Format('{}', $.['b c'].s )"},
            "ItemProcessor": branch,
            "ResultSelector": {"r.$": "$[*].v ", "state.$": "$$.State.Name "},
            "ResultPath": "$.['m'] ",
            "Next": "P",
        },
        "P": {
            "Type": "Pass",
            "Parameters": {"m.$": "$.m", "none.$": "$.empty[0]"},
            "OutputPath": "$.['m','none'] ",
            "End": True,
        },
    }
    assert output_of(states, value) == {"m": {"r": [1, 2], "state": "M"}, "none": None}


NO_MATCH = {"Type": "Choice", "Choices": [{"Variable": "$.no", "IsPresent": True, "Next": "S"}]}
NOBODY = {"Type": "Choice", "QueryLanguage": "JSONata", "Choices": [{"Condition": False, "Next": "S"}]}


@pytest.mark.parametrize("choice", [NO_MATCH, NOBODY])
def test_no_choice_is_a_runtime_error(choice: dict[str, Any]) -> None:
    """No rule matches and there is no Default: States.Runtime in AWS's words (measured)."""
    error, cause = failure_of({"C": choice, "S": {"Type": "Succeed"}}, RAW)
    assert error == "States.Runtime"
    assert cause == (
        "An error occurred while executing the state 'C' (entered at the event id #2). "
        "Failed to transition out of the state. The state does not point to a next state."
    )


@pytest.mark.parametrize("kind", ["Parallel", "Map"])
def test_nobody_around_it_stops_a_choice_without_match(kind: str) -> None:
    """States.ALL of the Parallel or Map around it neither retries nor catches it."""
    inner = {"StartAt": "C", "States": {"C": NO_MATCH, "S": {"Type": "Succeed"}}}
    work = {"Branches": [inner]} if kind == "Parallel" else {"ItemProcessor": inner, "ItemsPath": "$.items"}
    state = {
        "Type": kind,
        **work,
        "Retry": [{"ErrorEquals": ["States.ALL"]}],
        "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "H"}],
        "End": True,
    }
    error, cause = failure_of({"P": state, "H": {"Type": "Pass", "End": True}}, {"items": [1]})
    assert error == "States.Runtime"
    assert (cause or "").endswith("The state does not point to a next state.")


def test_a_rule_cannot_be_tried_on_no_input() -> None:
    """A path of a null input fails, `$` too (measured), whatever would be tested."""
    rule = {"Variable": "$", "IsNull": True, "Next": "S"}
    nothing = {"Type": "Pass", "Result": None, "Next": "C"}
    error, cause = failure_of({"N": nothing, "C": {"Type": "Choice", "Choices": [rule]}, "S": {"Type": "Succeed"}})
    assert error == "States.Runtime"
    assert (cause or "").endswith("Unable to apply Path transformation to null or empty input.")


def test_a_fail_says_what_it_is_given() -> None:
    """Error and Cause may come from paths and calls; both may be absent."""
    assert failure_of({"F": {"Type": "Fail"}}) == (None, None)
    fields = {"ErrorPath": "$.e", "CausePath": "States.Format('because {}', $.e)"}
    assert failure_of({"F": {"Type": "Fail", **fields}}, {"e": "Boom"}) == ("Boom", "because Boom")
