"""AWS SDK calls as Tasks against a real S3, and refusals that need no service."""

import asyncio
import json
from typing import Any

import pytest

from maprun.aws.clients import S3, AwsSettings
from maprun.aws.tasks import TaskRunner
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

pytestmark = pytest.mark.integration


def outcome(s3: S3, resource: str, parameters: dict[str, Any]) -> TaskSucceeded | TaskFailed:
    """One attempt."""

    async def main() -> TaskSucceeded | TaskFailed:
        """The attempt, and everything it needs around it."""
        endpoint = s3.client.meta.endpoint_url
        settings = AwsSettings(
            region="us-east-1",
            access_key_id="test",
            secret_access_key="test",  # noqa: S106 - SeaweedFS here asks for no identity
            s3_endpoint=endpoint,
        )
        runner = TaskRunner(settings, wall_seconds=lambda: 0.0, monotonic=lambda: 0.0)
        try:
            return await runner.call(TaskRequested("r", resource, json.dumps(parameters).encode()), "key")
        finally:
            await runner.close()

    return asyncio.run(main())


def test_put_and_get_an_object(s3: S3, bucket: str) -> None:
    """aws-sdk:s3 takes Body as text or JSON and gives it back as text, with ETag and ISO dates."""
    put = outcome(s3, "arn:aws:states:::aws-sdk:s3:putObject", {"Bucket": bucket, "Key": "sdk", "Body": {"a": 1}})
    assert isinstance(put, TaskSucceeded)
    got = outcome(s3, "arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "sdk"})
    assert isinstance(got, TaskSucceeded)
    result = json.loads(got.output)
    assert (result["Body"], result["ContentLength"], result["ETag"]) == ('{"a":1}', 7, json.loads(put.output)["ETag"])
    assert result["LastModified"].endswith("Z")
    assert "ResponseMetadata" not in result


def test_a_missing_bucket_is_the_recorded_error(s3: S3) -> None:
    """Recorded on AWS: S3.NoSuchBucketException and its cause, request ids apart."""
    found = outcome(s3, "arn:aws:states:::aws-sdk:s3:listObjects", {"Bucket": "someNonexistentBucketNamec83a2b77"})
    assert isinstance(found, TaskFailed)
    assert found.error == "S3.NoSuchBucketException"
    expected = "The specified bucket does not exist (Service: S3, Status Code: 404, Request ID: "
    assert found.cause.startswith(expected)
    assert ", Extended Request ID: " in found.cause


def test_what_is_not_there_is_named_where_the_answer_has_no_body(s3: S3, bucket: str) -> None:
    """A HEAD request for a missing key or bucket fails as Java's SDK has it, so that "is it there" can be caught."""
    key = outcome(s3, "arn:aws:states:::aws-sdk:s3:headObject", {"Bucket": bucket, "Key": "nowhere"})
    other = outcome(s3, "arn:aws-us-gov:states:::aws-sdk:s3:headBucket", {"Bucket": "nowhere-at-all"})
    assert isinstance(key, TaskFailed)
    assert isinstance(other, TaskFailed)
    assert (key.error, other.error) == ("S3.NoSuchKeyException", "S3.NoSuchBucketException")
    assert key.cause.startswith("The specified key does not exist. (Service: S3, Status Code: 404, Request ID: ")


def test_a_large_object_fails_its_task_and_is_not_read(s3: S3, bucket: str) -> None:
    """An object beyond what a result may be is States.DataLimitExceeded."""
    s3.client.put_object(Bucket=bucket, Key="large", Body=b"x" * (9 << 20))
    found = outcome(s3, "arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "large"})
    assert isinstance(found, TaskFailed)
    assert found.error == "States.DataLimitExceeded"


def test_metadata_keeps_its_keys(s3: S3, bucket: str) -> None:
    """The user's own metadata of an object is a map, and its keys are not members."""
    given = {"Bucket": bucket, "Key": "meta", "Body": "b", "Metadata": {"mykey": "v"}}
    assert isinstance(outcome(s3, "arn:aws:states:::aws-sdk:s3:putObject", given), TaskSucceeded)
    got = outcome(s3, "arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Key": "meta"})
    assert isinstance(got, TaskSucceeded)
    assert json.loads(got.output)["Metadata"] == {"mykey": "v"}


def test_a_null_member_is_refused_as_recorded(s3: S3) -> None:
    """Recorded on AWS: DynamoDB's words for an Item that is null; no service is asked."""
    found = outcome(s3, "arn:aws:states:::dynamodb:putItem", {"TableName": "t", "Item": None})
    assert isinstance(found, TaskFailed)
    assert found.error == "DynamoDB.AmazonDynamoDBException"
    assert found.cause.startswith(
        "1 validation error detected: Value null at 'item' failed to satisfy constraint: Member must not be null "
        "(Service: AmazonDynamoDBv2; Status Code: 400; Error Code: ValidationException; Request ID: ",
    )
    assert found.cause.endswith("; Proxy: null)")


def test_parameters_that_do_not_fit_are_refused(s3: S3, bucket: str) -> None:
    """An unknown member is States.Runtime and named."""
    found = outcome(s3, "arn:aws:states:::aws-sdk:s3:getObject", {"Bucket": bucket, "Kay": "x"})
    assert isinstance(found, TaskFailed)
    assert found.error == "States.Runtime"
    assert "Kay" in found.cause
