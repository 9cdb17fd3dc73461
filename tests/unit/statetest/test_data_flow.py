"""What TestState shows of a state's data flow, in both query languages, and where the state leads."""

from typing import Any

import pytest

from tests.unit.statetest.trying import LAMBDA, called, tried

FLOW = {
    "Type": "Task",
    "Resource": LAMBDA,
    "InputPath": "$.order",
    "Parameters": {"FunctionName": "price", "Payload.$": "$.items"},
    "ResultSelector": {"total.$": "$.Payload.sum"},
    "ResultPath": "$.price",
    "OutputPath": "$.price",
    "Assign": {"paid.$": "$.Payload.sum"},
    "Next": "Pay",
}


def test_the_example_of_the_guide() -> None:
    """A Pass with Result shows every step, its unused input too, as the developer guide's example does."""
    state = {
        "Type": "Pass",
        "InputPath": "$.payload",
        "Result": {"data": 1},
        "ResultPath": "$.result",
        "OutputPath": "$.result.data",
        "Next": "Another State",
    }
    assert tried(state, {"payload": {"foo": "bar"}}) == {
        "status": "SUCCEEDED",
        "output": 1,
        "nextState": "Another State",
        "inspectionData": {
            "input": {"payload": {"foo": "bar"}},
            "afterInputPath": {"foo": "bar"},
            "afterParameters": {"foo": "bar"},
            "result": {"data": 1},
            "afterResultSelector": {"data": 1},
            "afterResultPath": {"payload": {"foo": "bar"}, "result": {"data": 1}},
        },
    }


def test_every_step_of_a_task_is_shown() -> None:
    """JSONPath: input, InputPath, Parameters, result, ResultSelector, ResultPath, variables."""
    given = {"order": {"items": [1, 2]}}
    answer = tried(FLOW, given, mock={"Payload": {"sum": 3}}, variables={"who": "me"})
    assert answer == {
        "status": "SUCCEEDED",
        "output": {"total": 3},
        "nextState": "Pay",
        "inspectionData": {
            "input": given,
            "afterInputPath": {"items": [1, 2]},
            "afterParameters": {"FunctionName": "price", "Payload": [1, 2]},
            "result": {"Payload": {"sum": 3}},
            "afterResultSelector": {"total": 3},
            "afterResultPath": {"order": {"items": [1, 2]}, "price": {"total": 3}},
            "variables": {"who": "me", "paid": 3},
        },
    }


def test_jsonata_has_arguments_and_no_paths() -> None:
    """JSONata: input, Arguments, result and variables, and nothing of JSONPath's."""
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": "f", "Payload": "{% $states.input.n + $by %}"},
        "Output": "{% $states.result.Payload * 2 %}",
        "Assign": {"last": "{% $states.result.Payload %}"},
        "End": True,
    }
    assert tried(state, {"n": 1}, mock={"Payload": 5}, variables={"by": 2}) == {
        "status": "SUCCEEDED",
        "output": 10,
        "inspectionData": {
            "input": {"n": 1},
            "afterArguments": {"FunctionName": "f", "Payload": 3},
            "result": {"Payload": 5},
            "variables": {"by": 2, "last": 5},
        },
    }


@pytest.mark.parametrize(
    ("state", "given", "answer"),
    [
        ({"Type": "Succeed", "OutputPath": "$.a"}, {"a": 1}, {"status": "SUCCEEDED", "output": 1}),
        ({"Type": "Pass", "End": True}, {"a": 1.0}, {"status": "SUCCEEDED", "output": {"a": 1.0}}),
        (
            {"Type": "Fail", "Error": "Mine", "CausePath": "$.why"},
            {"why": "because"},
            {"status": "FAILED", "error": "Mine", "cause": "because"},
        ),
        (
            {
                "Type": "Choice",
                "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "One", "Assign": {"x.$": "$.a"}}],
                "Default": "Other",
            },
            {"a": 1},
            {"status": "SUCCEEDED", "output": {"a": 1}, "nextState": "One"},
        ),
        (
            {
                "Type": "Choice",
                "QueryLanguage": "JSONata",
                "Choices": [{"Condition": "{% $states.input.a = 2 %}", "Next": "Two"}],
                "Default": "Other",
            },
            {"a": 1},
            {"status": "SUCCEEDED", "output": {"a": 1}, "nextState": "Other"},
        ),
        ({"Type": "Wait", "Seconds": 300, "Next": "On"}, {}, {"status": "SUCCEEDED", "output": {}, "nextState": "On"}),
        ({"Type": "Wait", "Seconds": 301, "Next": "On"}, {}, {"status": "FAILED", "error": "States.Timeout"}),
        ({"Type": "Wait", "Timestamp": "2000-01-01T00:00:00Z", "End": True}, 5, {"status": "SUCCEEDED", "output": 5}),
    ],
)
def test_every_type_that_needs_no_mock(state: Any, given: Any, answer: dict[str, Any]) -> None:
    """INFO, the default, gives status, output, error, cause and next state. A Wait is not waited for."""
    assert tried(state, given, inspection_level="INFO") == answer
    assert {name: value for name, value in tried(state, given).items() if name != "inspectionData"} == answer


@pytest.mark.parametrize("level", [None, "INFO"])
def test_info_inspects_nothing(level: str | None) -> None:
    """InspectionData is of DEBUG and TRACE."""
    assert "inspectionData" not in tried({"Type": "Pass", "End": True}, {}, inspection_level=level)


def test_a_choice_without_a_match_fails() -> None:
    """As its execution would."""
    state = {"Type": "Choice", "Choices": [{"Variable": "$.a", "NumericEquals": 1, "Next": "One"}]}
    answer = tried(state, {"a": 2})
    assert (answer["status"], answer["error"]) == ("FAILED", "States.Runtime")
    assert answer["inspectionData"] == {"input": {"a": 2}, "afterInputPath": {"a": 2}}


def test_what_fails_on_the_way_shows_how_far_it_came() -> None:
    """A path that leads nowhere ends the test, with AWS's cause and what was done before it."""
    answer = tried(
        {**FLOW, "ResultSelector": {"a.$": "$.gone"}, "Assign": {}}, {"order": {"items": 1}}, mock={"Payload": {}}
    )
    assert (answer["status"], answer["error"]) == ("FAILED", "States.Runtime")
    assert answer["cause"].startswith(
        "An error occurred while executing the state 'State' (entered at the event id #2). "
        "The JSONPath '$.gone' specified for the field 'a.$' could not be found in the input"
    )
    assert answer["inspectionData"]["result"] == {"Payload": {}}
    assert "afterResultPath" not in answer["inspectionData"]


def test_a_task_without_a_mock_makes_its_call() -> None:
    """The call goes out once, and what comes of it flows on as in an execution."""
    parameters, answer = called(FLOW, {"order": {"items": [7]}}, {"Payload": {"sum": 7}})
    assert parameters == {"FunctionName": "price", "Payload": [7]}
    assert (answer["status"], answer["output"]) == ("SUCCEEDED", {"total": 7})
    _, answer = called(FLOW, {"order": {"items": [7]}}, ("Lambda.Unknown", "why"))
    assert (answer["status"], answer["error"], answer["cause"]) == ("FAILED", "Lambda.Unknown", "why")


def test_the_input_is_an_empty_object_by_default() -> None:
    """As of an execution."""
    assert tried({"Type": "Pass", "End": True})["output"] == {}


def test_the_context_is_that_of_a_synchronous_express_execution() -> None:
    """It has an EXPRESS ARN and no RedriveCount; only states that retry have a RetryCount."""
    state = {"Type": "Pass", "Parameters": {"c.$": "$$"}, "End": True}
    context = tried(state, {"a": 1})["output"]["c"]
    assert context["Execution"]["Id"].startswith("arn:aws:states:us-east-1:123456789012:express:")
    assert context["Execution"]["Input"] == {"a": 1}
    assert "RedriveCount" not in context["Execution"]
    assert context["State"].keys() == {"Name", "EnteredTime"}
    assert context["State"]["EnteredTime"] == "2023-11-14T22:13:20.000Z"
