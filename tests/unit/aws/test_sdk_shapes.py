"""Names, parameters and errors of AWS SDK calls in Step Functions' spelling."""

import datetime as dt
import io

import pytest
from botocore.exceptions import ClientError

from maprun.aws.sdk_shapes import OPTIMISED, java_name, refused_by_optimised, refused_by_sdk, to_result
from maprun.aws.sdk_tasks import Call, call_of
from maprun.language.resources import Integration, parse_resource


@pytest.mark.parametrize(
    ("service_id", "name"),
    [
        ("S3", "S3"),
        ("SFN", "Sfn"),
        ("SQS", "Sqs"),
        ("DynamoDB", "DynamoDb"),
        ("Secrets Manager", "SecretsManager"),
        ("CloudWatch Logs", "CloudWatchLogs"),
        ("EventBridge", "EventBridge"),
        ("Lambda", "Lambda"),
    ],
)
def test_services_are_named_as_javas_sdk_names_them(service_id: str, name: str) -> None:
    """Error names and causes carry the service as version 2 of the Java SDK writes it."""
    assert java_name(service_id) == name


@pytest.mark.parametrize(
    ("resource", "call"),
    [
        ("arn:aws:states:::aws-sdk:s3:listObjectsV2", Call("s3", "listObjectsV2", None)),
        ("arn:aws:states:::aws-sdk:sfn:startExecution", Call("stepfunctions", "startExecution", None)),
        ("arn:aws:states:::dynamodb:putItem", Call("dynamodb", "putItem", OPTIMISED["dynamodb"])),
        ("arn:aws:states:::sqs:sendMessage.waitForTaskToken", None),
        ("arn:aws-us-gov:states:::sqs:sendMessage", Call("sqs", "sendMessage", OPTIMISED["sqs"])),
        ("arn:aws:states:eu-west-1:123456789012:aws-sdk:s3:getObject", Call("s3", "getObject", None)),
        ("arn:aws:states:::http:invoke", None),
    ],
)
def test_resources_name_calls(resource: str, call: Call | None) -> None:
    """A Resource leads to a service and an action, or to nothing this room runs."""
    named = parse_resource(resource)
    assert isinstance(named, Integration)
    assert call_of(named) == call


def refusal(code: str, status: int) -> ClientError:
    """An answer of a service that refuses."""
    meta = {"RequestId": "q", "HostId": "h", "HTTPStatusCode": status}
    return ClientError({"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": meta}, "op")


def test_refusals_are_worded_as_recorded() -> None:
    """A modelled error keeps its name, any other takes the service's, each in its SDK's wording."""
    known = frozenset({"NoSuchBucket"})
    assert refused_by_sdk("S3", known, refusal("NoSuchBucket", 404)) == (
        "S3.NoSuchBucketException",
        "No. (Service: S3, Status Code: 404, Request ID: q, Extended Request ID: h)",
    )
    other = refused_by_sdk("SecretsManager", known, refusal("ValidationException", 400))
    assert other.error == "SecretsManager.SecretsManagerException"
    assert refused_by_optimised(OPTIMISED["dynamodb"], known, refusal("ValidationException", 400)) == (
        "DynamoDB.AmazonDynamoDBException",
        (
            "No. (Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; "
            "Request ID: q; Proxy: null)"
        ),
    )


def test_answers_become_json() -> None:
    """Members are PascalCase, dates ISO text, bodies text, other bytes base64."""
    moment = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC)
    answer = {"eTag": '"x"', "LastModified": moment, "Body": io.BytesIO(b"text"), "list": [{"raw": b"\xff"}]}
    assert to_result(answer) == {
        "ETag": '"x"',
        "LastModified": "2026-01-02T03:04:05Z",
        "Body": "text",
        "List": [{"Raw": "/w=="}],
    }
