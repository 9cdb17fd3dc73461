"""Which resources of Tasks exist."""

import json
from typing import Any

import pytest

from maprun.language import examine
from ops import sdk_actions as maker


def told(resource: str, machine_type: str = "STANDARD") -> list[str]:
    """Errors and warnings about a Task of this resource."""
    document: Any = {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True}}}
    examined = examine(json.dumps(document).encode(), machine_type)
    assert {found.location for found in examined.errors + examined.warnings} <= {"/States/T/Resource"}
    return [found.message for found in examined.errors + examined.warnings]


def test_sdk_actions_are_those_of_the_pinned_botocore() -> None:
    """The file says what the models hold; after a new botocore it is written again."""
    assert maker.FILE.read_text(encoding="utf-8") == maker.text()


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:lambda:eu-central-1:123456789012:function:f:live",
        "arn:aws-cn:lambda:cn-north-1:123456789012:function:f",
        "arn:aws:states:::lambda:invoke",
        "arn:aws:states:us-east-1:123456789012:lambda:invoke",
        "arn:aws-us-gov:states:::lambda:invoke",
        "arn:aws:states:::dynamodb:updateItem",
        "arn:aws:states:::glue:startJobRun.sync",
        "arn:aws:states:::ecs:runTask.waitForTaskToken",
        "arn:aws:states:::athena:getQueryResults",
        "arn:aws:states:::aws-sdk:s3:listObjectsV2",
        "arn:aws:states:::aws-sdk:sfn:startExecution",
        "arn:aws:states:::aws-sdk:sns:publish.waitForTaskToken",
        "arn:aws:states:::lambda:invoke.waitForTaskToken",
        "arn:aws:states:::sqs:sendMessage.waitForTaskToken",
        "arn:aws:states:::http:invoke",
        "arn:aws:states:::eks:runJob.sync",
        "arn:aws:states:::eks:call.waitForTaskToken",
        "arn:aws:states:::bedrock:invokeModel",
        "arn:aws:states:::apigateway:invoke.waitForTaskToken",
        "arn:aws:states:::aws-sdk:cloudwatchlogs:putLogEvents",
        "arn:aws:states:::aws-sdk:elasticloadbalancingv2:describeTargetGroups",
        "arn:aws:states:::aws-sdk:organizations:listRoots",
        "arn:aws:states:::aws-sdk:autoscaling:detachInstances",
        "arn:aws:states:::aws-sdk:cognitoidentityprovider:adminCreateUser",
        "arn:aws:states:::aws-sdk:costexplorer:getCostAndUsage",
        "arn:aws:states:::aws-sdk:databasemigration:startReplicationTask",
        "arn:aws:states:::aws-sdk:config:describeConfigRules",
        "arn:aws:states:::aws-sdk:bedrockruntime:invokeModel",
    ],
)
def test_what_exists_is_taken_silently(resource: str) -> None:
    """Functions, optimised integrations and SDK actions, in any Region, account and partition."""
    assert told(resource) == []


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:::lambda:invokeAsync",
        "arn:aws:states:::lambda:invoke.sync",
        "arn:aws:states:::nosuch:invoke",
        "arn:aws:states:::s3:getObject",
        "arn:aws:states:::dynamodb:query",
        "arn:aws:states:::dynamodb:getItem.waitForTaskToken",
        "arn:aws:states:::glue:startJobRun.sync:2",
        "arn:aws:states:::aws-sdk:s3:noSuchAction",
        "arn:aws:states:::aws-sdk:s3:ListObjectsV2",
        "arn:aws:states:::aws-sdk:s3:list_objects_v2",
        "arn:aws:states:::aws-sdk:nosuch:act",
        "arn:aws:states:::aws-sdk:logs:putLogEvents",
        "arn:aws:states:::aws-sdk:glue:startJobRun.sync",
        "arn:aws:states:::aws-sdk:s3",
        "arn:aws:s3:::bucket",
        "${Function}",
        "",
    ],
)
def test_what_does_not_exist_is_refused_in_aws_s_words(resource: str) -> None:
    """An unknown service, an action in other letters, a pattern that the integration lacks."""
    assert told(resource) == [
        (
            f"The resource provided {resource} is not recognized. The value is not a valid resource ARN, or the "
            "resource is not available in this region."
        )
    ]


@pytest.mark.parametrize(
    "resource", ["arn:aws:states:::ecs:runTask.sync", "arn:aws:states:::sqs:sendMessage.waitForTaskToken"]
)
def test_what_an_express_machine_may_not_have_is_told_once(resource: str) -> None:
    """In AWS's words."""
    (message,) = told(resource, "EXPRESS")
    assert message.startswith("Express state machine does not support")
