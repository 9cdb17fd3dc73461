"""AWS SDK calls as Tasks, against a server that speaks for the service."""

import asyncio
import json
from typing import Any

import pytest
from aiohttp import web

from maprun.aws.outcomes import OUTPUT_BYTES_MAX
from tests.unit.aws.service import SDK, failed, outcomes, output, runner_at, serving, task

ITEM = {"id": {"S": "1"}, "data": {"M": {"firstName": {"S": "a"}}}}


def answers(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Any:
    """A handler that always gives one answer in JSON, with a request id."""

    async def handle(request: web.Request) -> web.StreamResponse:
        """The answer."""
        await request.read()
        return web.json_response(body, status=status, headers={"x-amzn-RequestId": "q", **(headers or {})})

    return handle


@pytest.mark.parametrize("resource", [f"{SDK}dynamodb:getItem", "arn:aws-cn:states:::dynamodb:getItem"])
def test_an_item_comes_back_with_the_names_of_its_attributes(resource: str) -> None:
    """A DynamoDB item is the user's own map: no key of it changes, in either kind of integration."""
    (found,) = outcomes(answers({"Item": ITEM}), task(resource, {"TableName": "t", "Key": {"id": {"S": "1"}}}))
    assert output(found)["Item"] == ITEM


def test_an_item_is_sent_as_it_is_written() -> None:
    """What the definition writes as an item reaches the service."""
    got: list[Any] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        """Keeps what it got."""
        got.append(json.loads(await request.read()))
        return web.json_response({})

    outcomes(keep, task(f"{SDK}dynamodb:putItem", {"TableName": "t", "Item": ITEM}))
    assert got == [{"TableName": "t", "Item": ITEM}]


def test_headers_are_spelt_as_the_service_spells_them() -> None:
    """In the results of optimised integrations, each also as an array."""
    request = task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": "q", "MessageBody": "m"})
    found = output(outcomes(answers({"MessageId": "1"}), request)[0])
    shown = found["SdkHttpMetadata"]
    assert shown["HttpHeaders"]["Content-Type"] == "application/json; charset=utf-8"
    assert shown["AllHttpHeaders"]["x-amzn-RequestId"] == ["q"]
    assert (shown["HttpStatusCode"], found["SdkResponseMetadata"]) == (200, {"RequestId": "q"})


def test_put_events_answers_with_its_entries_alone() -> None:
    """No header stands beside them."""
    answer = {"Entries": [{"EventId": "1"}], "FailedEntryCount": 0}
    (found,) = outcomes(answers(answer), task("arn:aws:states:::events:putEvents", {"Entries": [{"Detail": {"a": 1}}]}))
    assert output(found) == answer


def test_an_entry_that_is_refused_fails_put_events() -> None:
    """With the whole answer as the cause; the SDK's own action only tells of it."""
    answer = {
        "Entries": [{"EventId": "1"}, {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}],
        "FailedEntryCount": 1,
    }
    entries = {"Entries": [{"Detail": "{}"}, {"Detail": "text"}]}
    resources = ("arn:aws:states:::events:putEvents", f"{SDK}eventbridge:putEvents")
    optimised, plain = outcomes(answers(answer), *(task(resource, entries) for resource in resources))
    assert failed(optimised).error == "EventBridge.FailedEntry"
    assert json.loads(failed(optimised).cause) == answer
    assert output(plain)["FailedEntryCount"] == 1


@pytest.mark.parametrize(
    ("action", "parameters", "error", "words"),
    [
        ("headObject", {"Bucket": "b", "Key": "k"}, "S3.NoSuchKeyException", "The specified key does not exist."),
        ("headBucket", {"Bucket": "b"}, "S3.NoSuchBucketException", "The specified bucket does not exist."),
    ],
)
def test_a_404_to_a_head_request_is_the_error_its_model_knows(
    action: str, parameters: dict[str, str], error: str, words: str
) -> None:
    """The answer has no body, so the SDK says which error it is."""

    async def missing(_: web.Request) -> web.StreamResponse:
        """Not there."""
        return web.Response(status=404, headers={"x-amz-request-id": "q"})

    found = failed(outcomes(missing, task(f"{SDK}s3:{action}", parameters))[0])
    assert found.error == error
    assert found.cause == f"{words} (Service: S3, Status Code: 404, Request ID: q, Extended Request ID: null)"


def test_another_refusal_of_a_head_request_is_the_services() -> None:
    """Only a 404 says what is missing."""

    async def forbidden(_: web.Request) -> web.StreamResponse:
        """Not allowed."""
        return web.Response(status=403)

    found = failed(outcomes(forbidden, task(f"{SDK}s3:headObject", {"Bucket": "b", "Key": "k"}))[0])
    assert found.error == "S3.S3Exception"
    assert found.cause == "Forbidden (Service: S3, Status Code: 403, Request ID: null, Extended Request ID: null)"


@pytest.mark.parametrize(
    ("resource", "error"),
    [
        (f"{SDK}sqs:sendMessage", "Sqs.QueueDoesNotExistException"),
        ("arn:aws:states:::sqs:sendMessage", "SQS.QueueDoesNotExistException"),
    ],
)
@pytest.mark.parametrize(
    ("code", "headers"),
    [
        (
            "com.amazonaws.sqs#QueueDoesNotExist",
            {"x-amzn-query-error": "AWS.SimpleQueueService.NonExistentQueue;Sender"},
        ),
        ("com.amazonaws.sqs#QueueDoesNotExist", {}),
        ("AWS.SimpleQueueService.NonExistentQueue", {}),
    ],
)
def test_errors_have_the_names_of_the_model(resource: str, error: str, code: str, headers: dict[str, str]) -> None:
    """The code of SQS's former protocol, and the name of today's, are one error."""
    handler = answers({"__type": code, "message": "No such queue."}, 400, headers)
    request = task(resource, {"QueueUrl": "http://elsewhere:1/q", "MessageBody": "m"})
    found = failed(outcomes(handler, request)[0])
    assert found.error == error
    assert found.cause.startswith("No such queue. (Service: ")


@pytest.mark.parametrize(
    ("code", "error"),
    [("DBInstanceNotFound", "Rds.DbInstanceNotFoundException"), ("NoSuchThing", "Rds.RdsException")],
)
def test_a_fault_is_found_by_its_code(code: str, error: str) -> None:
    """A code on the wire may differ from the model's name of its error; what is not modelled is the service's own."""

    async def refuses(_: web.Request) -> web.StreamResponse:
        """RDS's words."""
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>m</Message></Error></ErrorResponse>"
        return web.Response(text=text, status=404)

    assert failed(outcomes(refuses, task(f"{SDK}rds:describeDBInstances", {}))[0]).error == error


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_is_read_up_to_the_bound_and_no_further(declared: bool) -> None:
    """A huge object fails its Task with States.DataLimitExceeded; what comes after the bound is never taken."""
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        """An object of 10 GB, or one that says no size."""
        nonlocal sent
        response = web.StreamResponse()
        response.content_length = 10 << 30 if declared else None
        await response.prepare(request)
        while sent < 1 << 30:
            await response.write(b"x" * (1 << 20))
            sent += 1 << 20
        return response

    found = failed(outcomes(endless, task(f"{SDK}s3:getObject", {"Bucket": "b", "Key": "k"}))[0])
    assert found.error == "States.DataLimitExceeded"
    assert "'State' returned a result with a size exceeding" in found.cause
    assert OUTPUT_BYTES_MAX <= sent < OUTPUT_BYTES_MAX + (32 << 20)  # what sockets hold between the two


@pytest.mark.parametrize("status", [200, 400])
def test_an_answer_without_a_stream_is_bounded_too(status: int) -> None:
    """JSON, or an error, that is larger than a result may be is not read to its end."""
    handler = answers({"Item": {"id": {"S": "x" * (OUTPUT_BYTES_MAX + 1)}}}, status)
    found = outcomes(handler, task(f"{SDK}dynamodb:getItem", {"TableName": "t", "Key": {"id": {"S": "1"}}}))[0]
    assert failed(found).error == "States.DataLimitExceeded"


def test_a_body_that_breaks_off_is_no_answer() -> None:
    """A connection that ends in the middle of a body is SdkClientException, in both kinds of answers."""

    async def breaks_off(request: web.Request) -> web.StreamResponse:
        """Half of what it says."""
        response = web.StreamResponse()
        response.content_length = 1000
        await response.prepare(request)
        await response.write(b"{")
        assert request.transport is not None
        request.transport.close()
        return response

    stream, whole = outcomes(
        breaks_off,
        task(f"{SDK}s3:getObject", {"Bucket": "b", "Key": "k"}),
        task(f"{SDK}dynamodb:listTables", {}),
    )
    assert failed(stream).error == "S3.SdkClientException"
    assert failed(whole).error == "DynamoDb.SdkClientException"


def test_tokens_come_from_the_attempts_key() -> None:
    """A repeat of an attempt carries the same token, so the service does it once; a token that is given stays."""
    tokens: list[str] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        """Keeps the token."""
        tokens.append(json.loads(await request.read())["ClientRequestToken"])
        return web.json_response({})

    resource, given = f"{SDK}secretsmanager:createSecret", {"Name": "n", "ClientRequestToken": "t" * 32}
    outcomes(keep, task(resource, {"Name": "n"}), task(resource, given), keys=("one", "one", "two"))
    assert tokens[0] == tokens[1] != tokens[2]
    assert tokens[3:] == ["t" * 32] * 3


def test_a_queue_url_leads_nobody_astray() -> None:
    """The call, and the keys that sign it, go to the endpoint that is configured, whatever host the QueueUrl names."""
    hosts: list[str] = []

    async def keep(request: web.Request) -> web.StreamResponse:
        """Keeps who was called."""
        hosts.append(request.host)
        return web.json_response({"MessageId": "m", "MD5OfMessageBody": "5"})

    async def use(endpoint: str) -> Any:
        """One attempt with a URL of a host that is not the endpoint."""
        runner = runner_at(endpoint)
        request = task("arn:aws:states:::sqs:sendMessage", {"QueueUrl": "http://evil.test/q", "MessageBody": "m"})
        try:
            return endpoint, await runner.call(request, "key")
        finally:
            await runner.close()

    endpoint, found = asyncio.run(serving(keep, use))
    assert output(found)["MD5OfMessageBody"] == "5"
    assert hosts == [endpoint.removeprefix("http://")]


@pytest.mark.parametrize(
    "url",
    ["http://evil.test/1/q", "https://sqs.eu-west-1.amazonaws.com/1/q", "http://169.254.169.254/q", "https://x@evil/q"],
)
def test_without_an_endpoint_a_queue_of_another_host_is_refused(url: str) -> None:
    """Nothing is sent to a host that is not SQS's own in this Region."""
    found = failed(
        asyncio.run(runner_at("").call(task(f"{SDK}sqs:sendMessage", {"QueueUrl": url, "MessageBody": "m"}), "key"))
    )
    assert found.error == "Sqs.SdkClientException"
    assert "is not the endpoint of SQS in us-east-1" in found.cause


def test_a_stream_of_events_is_refused_in_words() -> None:
    """No Task can have such an answer."""
    resource = f"{SDK}bedrockruntime:invokeModelWithResponseStream"
    found = failed(asyncio.run(runner_at("http://127.0.0.1:9").call(task(resource, {}), "key")))
    assert (found.error, "a stream of events" in found.cause) == ("States.Runtime", True)
