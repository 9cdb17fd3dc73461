"""Mocked results and errors: what is retried, caught or fails, and what a mock must look like."""

from typing import Any

import pytest

from tests.unit.statetest.trying import LAMBDA, refusal, tried

ROLE = "arn:aws:iam::123456789012:role/r"
TASK = {"Type": "Task", "Resource": LAMBDA, "Parameters": {"FunctionName": "f"}, "End": True}
RETRYING = {
    **TASK,
    "Retry": [
        {"ErrorEquals": ["Other"]},
        {"ErrorEquals": ["Busy"], "IntervalSeconds": 2, "MaxAttempts": 3, "BackoffRate": 2},
    ],
    "Catch": [
        {"ErrorEquals": ["Other"], "Next": "Never"},
        {"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Cure"},
    ],
}
BUSY = ("Busy", "too many")


@pytest.mark.parametrize(("retried", "seconds"), [(0, 2), (1, 4), (2, 8)])
def test_an_error_is_retriable_until_its_retrier_has_had_enough(retried: int, seconds: int) -> None:
    """Status RETRIABLE, with the retrier's place and how long it would wait after so many retries."""
    answer = tried(RETRYING, {"a": 1}, error=BUSY, retrier_retry_count=retried)
    details = answer.pop("inspectionData")["errorDetails"]
    assert answer == {"status": "RETRIABLE", "error": "Busy", "cause": "too many"}
    assert details == {"retryIndex": 1, "retryBackoffIntervalSeconds": seconds}


def test_then_it_is_caught() -> None:
    """Status CAUGHT_ERROR, with the error, the catcher's place, its output and where it leads."""
    answer = tried(RETRYING, {"a": 1}, error=BUSY, retrier_retry_count=3)
    details = answer.pop("inspectionData")["errorDetails"]
    assert details == {"catchIndex": 1}
    assert answer == {
        "status": "CAUGHT_ERROR",
        "error": "Busy",
        "cause": "too many",
        "nextState": "Cure",
        "output": {"a": 1, "error": {"Error": "Busy", "Cause": "too many"}},
    }


def test_an_error_that_nobody_takes_fails_the_state() -> None:
    """Status FAILED; what can't be caught isn't."""
    answer = tried(TASK, {}, error=BUSY)
    assert "errorDetails" not in answer.pop("inspectionData")
    assert answer == {"status": "FAILED", "error": "Busy", "cause": "too many"}
    assert tried(RETRYING, {}, error=("States.Runtime", "why"))["status"] == "FAILED"


def test_a_catcher_in_jsonata() -> None:
    """Its Output and Assign see $states.errorOutput."""
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": "f"},
        "Catch": [
            {
                "ErrorEquals": ["States.ALL"],
                "Output": {"failed": "{% $states.errorOutput.Error %}"},
                "Assign": {"why": "{% $states.errorOutput.Cause %}"},
                "Next": "Cure",
            }
        ],
        "End": True,
    }
    answer = tried(state, {}, error=BUSY)
    assert (answer["status"], answer["output"]) == ("CAUGHT_ERROR", {"failed": "Busy"})
    assert answer["inspectionData"]["variables"] == {"why": "too many"}


def test_what_the_state_itself_does_wrong_is_caught_too() -> None:
    """A JSONata error comes to Retry and Catch as in an execution, with its cause."""
    state = {
        "Type": "Task",
        "QueryLanguage": "JSONata",
        "Resource": LAMBDA,
        "Arguments": {"FunctionName": "{% $states.input.gone %}"},
        "Retry": [{"ErrorEquals": ["States.QueryEvaluationError"]}],
        "End": True,
    }
    answer = tried(state, {}, mock={})
    assert (answer["status"], answer["error"]) == ("RETRIABLE", "States.QueryEvaluationError")
    assert "returned nothing (undefined)" in answer["cause"]


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:us-east-1:123456789012:activity:review",
        "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "arn:aws:states:::glue:startJobRun.sync",
        "arn:aws:states:::http:invoke",
        "arn:aws:lambda:us-east-1:123456789012:function:f",
    ],
)
def test_every_resource_can_be_mocked(resource: str) -> None:
    """Also those that wait for somebody, and those that can't run here."""
    assert tried({**TASK, "Resource": resource}, {}, mock={"done": True})["output"] == {"done": True}


@pytest.mark.parametrize("pattern", [".sync", ".sync:2"])
def test_a_job_is_mocked_by_what_it_ends_with(pattern: str) -> None:
    """Of `.sync` the Output is text, of `.sync:2` JSON."""
    state = {**TASK, "Resource": f"arn:aws:states:::states:startExecution{pattern}"}
    output: Any = '{"a":1}' if pattern == ".sync" else {"a": 1}
    ended = {
        "ExecutionArn": "arn:x",
        "StateMachineArn": "arn:m",
        "StartDate": "2026-01-31T12:00:00Z",
        "Status": "SUCCEEDED",
        "Output": output,
    }
    assert tried(state, {}, mock=ended)["output"] == ended


def test_a_token_is_shown_if_it_is_given() -> None:
    """A Task that waits for its token sees that of the context."""
    state = {
        **TASK,
        "Resource": "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "Parameters": {"FunctionName": "f", "Payload": {"token.$": "$$.Task.Token"}},
    }
    answer = tried(state, {}, mock={"ok": 1}, context={"Task": {"Token": "t-1"}})
    assert answer["inspectionData"]["afterParameters"]["Payload"] == {"token": "t-1"}


@pytest.mark.parametrize(
    ("result", "mode", "wrong"),
    [
        ({"StatusCode": "200"}, None, "Field 'StatusCode' must be a number"),
        ({"StatusCode": "200"}, "PRESENT", "Field 'StatusCode' must be a number"),
        ({"StatusCode": "200"}, "NONE", ""),
        ({"Payload": {"any": ["thing"]}, "unknown": 1}, "STRICT", ""),
        ([1], None, "Field 'result' must be an object"),
    ],
)
def test_a_result_is_held_against_the_model(result: Any, mode: str | None, wrong: str) -> None:
    """STRICT, the default, and PRESENT look at what is there; NONE at nothing."""
    if not wrong:
        assert tried(TASK, {}, mock=result, field_validation_mode=mode)["status"] == "SUCCEEDED"
        return
    expected = f"ValidationException: Mock result schema validation error: {wrong}"
    assert refusal(TASK, {}, mock=result, field_validation_mode=mode) == expected


def test_what_is_required_is_required_by_strict_alone() -> None:
    """PRESENT takes a result that lacks it."""
    state = {**TASK, "Resource": "arn:aws:states:::states:startExecution"}
    lacking = {"ExecutionArn": "arn:x"}
    assert refusal(state, {}, mock=lacking).endswith("error: Required field 'StartDate' is missing")
    assert tried(state, {}, mock=lacking, field_validation_mode="PRESENT")["output"] == lacking


def test_the_context_may_be_given_in_part() -> None:
    """What is given stands beside what is made up; the user's own input stands whole."""
    state = {**TASK, "Parameters": {"FunctionName": "f", "Payload.$": "$$"}}
    context = {"Execution": {"Input": {"mine": 1}, "Name": "e-1"}, "State": {"RetryCount": 4}}
    shown = tried(state, {"a": 1}, mock={}, context=context)["inspectionData"]["afterParameters"]["Payload"]
    assert shown["Execution"]["Input"] == {"mine": 1}
    assert shown["Execution"]["Name"] == "e-1"
    assert shown["Execution"]["RoleArn"].startswith("arn:aws:iam::")
    assert shown["State"]["RetryCount"] == 4
