"""Mocked results against the services' models: members' types, bounds and words, in each kind of spelling."""

from typing import Any

import pytest

from maprun.aws.mock_results import fault_of

SFN = "arn:aws:states:::aws-sdk:sfn:describeExecution"
EXECUTION = {"ExecutionArn": "arn:x", "StateMachineArn": "arn:m", "StartDate": "2026-01-31T12:00:00Z"}
CASES: list[tuple[str, Any, str]] = [
    ("arn:aws:states:::dynamodb:putItem", {"Attributes": {"id": {"S": "x"}}}, ""),
    ("arn:aws:states:::dynamodb:putItem", {"Attributes": {"id": {"S": 1}}}, "Field 'S' must be a string"),
    ("arn:aws:states:::dynamodb:putItem", {"Attributes": {"id": {"BOOL": "x"}}}, "Field 'BOOL' must be a boolean"),
    ("arn:aws:states:::dynamodb:putItem", {"Attributes": []}, "Field 'Attributes' must be an object"),
    ("arn:aws:states:::dynamodb:query", {"Items": {}}, "Field 'Items' must be an array"),
    (
        "arn:aws:states:::aws-sdk:dynamodb:putItem",
        {"Attributes": {"id": {"Bool": 1}}},
        "Field 'Bool' must be a boolean",
    ),
    (
        "arn:aws:states:::aws-sdk:rds:describeDBInstances",
        {"DbInstances": [{"Engine": 1}]},
        "Field 'Engine' must be a string",
    ),
    ("arn:aws:states:::lambda:invoke", {"StatusCode": True}, "Field 'StatusCode' must be a number"),
    ("arn:aws:states:::lambda:invoke", {"Payload": [1, {"a": None}], "StatusCode": 200}, ""),
    ("arn:aws:states:::lambda:invoke", None, "Field 'result' must be an object"),
    (SFN, {**EXECUTION, "Status": "SUCCEEDED"}, ""),
    (SFN, {**EXECUTION, "Status": "DONE"}, "Field 'Status' is not an expected value"),
    (
        SFN,
        {**EXECUTION, "Status": "SUCCEEDED", "ExecutionArn": ""},
        "Field 'ExecutionArn' is smaller than the minimum length",
    ),
    (SFN, {**EXECUTION, "Status": "SUCCEEDED", "Error": "x" * 257}, "Field 'Error' exceeds the maximum length"),
    (SFN, {**EXECUTION}, "Required field 'Status' is missing"),
    (SFN, {**EXECUTION, "Status": None}, "Required field 'Status' is missing"),
    ("arn:aws:states:::states:startExecution.sync", {**EXECUTION, "Status": 1}, "Field 'Status' must be a string"),
    (
        "arn:aws:states:::states:startExecution.sync",
        {**EXECUTION, "Status": "FAILED", "Output": {}},
        "Field 'Output' must be a string",
    ),
    ("arn:aws:states:::states:startExecution.sync:2", {**EXECUTION, "Status": "FAILED", "Output": {}}, ""),
    ("arn:aws:states:::batch:submitJob.sync", {"Jobs": 1}, "Field 'Jobs' must be an array"),
    ("arn:aws:states:::glue:startJobRun.sync", {"JobRun": {"Attempt": "x"}}, "Field 'Attempt' must be a number"),
    ("arn:aws:states:::elasticmapreduce:addStep.sync", {"Step": []}, "Field 'Step' must be an object"),
    ("arn:aws:states:::codebuild:startBuild", {"Build": {"Id": 1}}, "Field 'Id' must be a string"),
    ("arn:aws:states:::http:invoke", 5, ""),
    ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", [], ""),
    ("arn:aws:lambda:us-east-1:123456789012:function:f", [], ""),
    ("arn:aws:states:us-east-1:123456789012:activity:a", [], ""),
]


@pytest.mark.parametrize(("resource", "result", "wrong"), CASES)
def test_what_is_wrong_with_a_result(resource: str, result: Any, wrong: str) -> None:
    """The first thing that is wrong, in AWS's words; members that nobody knows are passed over."""
    assert fault_of(resource, result, True) == wrong


def test_present_asks_for_no_member() -> None:
    """Without `strict` only what is there is looked at, at every depth."""
    assert fault_of(SFN, {}, False) == ""
    assert fault_of(SFN, {"Status": 1}, False) == "Field 'Status' must be a string"
