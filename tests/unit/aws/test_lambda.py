"""lambda:invoke and function ARNs against a server that speaks Lambda's Invoke call."""

import asyncio
import base64
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from aiohttp import web

from maprun.aws.clients import AwsSettings
from maprun.aws.tasks import TaskRunner
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

INVOKE = "arn:aws:states:::lambda:invoke"
FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:f"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def outcome(handler: Handler, request: TaskRequested, key: str = "key-1") -> TaskSucceeded | TaskFailed:
    """Runs one attempt against a server with this handler."""

    async def main() -> TaskSucceeded | TaskFailed:
        """The attempt, and everything it needs around it."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", handler)
        server = web.AppRunner(app, shutdown_timeout=0.1)
        await server.setup()
        site = web.TCPSite(server, "127.0.0.1", 0)
        await site.start()
        port = server.addresses[0][1]
        runner = task_runner(f"http://127.0.0.1:{port}")
        try:
            return await runner.call(request, key)
        finally:
            await runner.close()
            await server.cleanup()

    return asyncio.run(main())


def task_runner(endpoint: str) -> TaskRunner:
    """A runner at a fixed wall time."""
    settings = AwsSettings(
        region="us-east-1",
        access_key_id="AKID",
        secret_access_key="secret",  # noqa: S106 - no secret
        lambda_endpoint=endpoint,
    )
    return TaskRunner(settings, wall_seconds=lambda: 1_700_000_000.0, monotonic=lambda: 0.0)


def invoke(timeout_seconds: int = 0, **parameters: Any) -> TaskRequested:
    """A lambda:invoke Task."""
    return TaskRequested("r", INVOKE, json.dumps(parameters).encode(), timeout_seconds)


def failed(found: TaskSucceeded | TaskFailed) -> TaskFailed:
    """The failure."""
    assert isinstance(found, TaskFailed)
    return found


def succeeded(found: TaskSucceeded | TaskFailed) -> Any:
    """The output."""
    assert isinstance(found, TaskSucceeded)
    return json.loads(found.output)


async def echo(request: web.Request) -> web.StreamResponse:
    """Answers with what it got."""
    got = {"path": request.raw_path, "headers": dict(request.headers), "event": json.loads(await request.read())}
    headers = {"X-Amz-Executed-Version": "7", "x-amzn-RequestId": "req-1"}
    return web.json_response(got, headers=headers)


def test_invoke_gives_aws_result_shape() -> None:
    """The result has ExecutedVersion, parsed Payload, SDK metadata and StatusCode; the callee gets the key twice."""
    result = succeeded(outcome(echo, invoke(FunctionName=FUNCTION, Payload={"a": [1, "é"]}, Qualifier="live")))
    assert sorted(result) == ["ExecutedVersion", "Payload", "SdkHttpMetadata", "SdkResponseMetadata", "StatusCode"]
    assert (result["ExecutedVersion"], result["StatusCode"]) == ("7", 200)
    assert result["SdkResponseMetadata"] == {"RequestId": "req-1"}
    metadata = result["SdkHttpMetadata"]
    assert sorted(metadata) == ["AllHttpHeaders", "HttpHeaders", "HttpStatusCode"]
    assert metadata["AllHttpHeaders"]["x-amzn-RequestId"] == ["req-1"]
    assert metadata["HttpHeaders"]["x-amzn-RequestId"] == "req-1"
    payload = result["Payload"]
    assert payload["event"] == {"a": [1, "é"]}
    escaped = FUNCTION.replace(":", "%3A")
    assert payload["path"] == f"/2015-03-31/functions/{escaped}/invocations?Qualifier=live"
    headers = {name.lower(): value for name, value in payload["headers"].items()}
    assert headers["x-maprun-idempotency-key"] == "key-1"
    assert headers["x-amz-invocation-type"] == "RequestResponse"
    context = json.loads(base64.b64decode(headers["x-amz-client-context"]))
    assert context == {"custom": {"maprunIdempotencyKey": "key-1"}}
    assert headers["authorization"].startswith(
        "AWS4-HMAC-SHA256 Credential=AKID/20231114/us-east-1/lambda/aws4_request"
    )


def test_a_client_context_that_is_given_stays() -> None:
    """The user's ClientContext is not touched."""
    result = succeeded(outcome(echo, invoke(FunctionName="f", ClientContext="e30=")))
    headers = {name.lower(): value for name, value in result["Payload"]["headers"].items()}
    assert headers["x-amz-client-context"] == "e30="
    assert result["Payload"]["event"] == {}


def test_a_function_arn_gives_the_payload_alone() -> None:
    """With a function's ARN as Resource the input is the payload and the answer is the output."""
    found = succeeded(outcome(echo, TaskRequested("r", FUNCTION, b'{"x":1}')))
    assert found["event"] == {"x": 1}


@pytest.mark.parametrize(
    ("parameters", "event"),
    [
        ({"Payload": "0"}, 0),
        ({"Payload": '{"a":"1"}'}, {"a": "1"}),
        ({"Payload": '"text"'}, "text"),
        ({"Payload": ""}, {}),
        ({"Payload": None}, {}),
        ({}, {}),
        ({"Payload": {"a": "0"}}, {"a": "0"}),
        ({"Payload": [1]}, [1]),
        ({"Payload": 0}, 0),
        ({"Payload": False}, False),
    ],
)
def test_a_payload_that_is_a_text_is_the_events_json(parameters: dict[str, Any], event: Any) -> None:
    """A text is sent as it stands, anything else as its JSON, nothing at all as an empty object."""
    assert succeeded(outcome(echo, invoke(FunctionName="f", **parameters)))["Payload"]["event"] == event


def test_a_function_by_its_arn_gets_the_input_as_json() -> None:
    """There the input itself is the event: a text is a text."""
    assert succeeded(outcome(echo, TaskRequested("r", FUNCTION, b'"0"')))["event"] == "0"


def test_an_answer_beyond_lambdas_bound_is_not_read_to_its_end() -> None:
    """A body without end fails the attempt; an error of any size keeps its status."""

    async def endless(asked: web.Request) -> web.StreamResponse:
        """Writes until the caller hangs up."""
        refuses = b"refuse" in await asked.read()
        response = web.StreamResponse(status=500 if refuses else 200)
        await response.prepare(asked)
        with contextlib.suppress(ConnectionError):
            for _ in range(1000):
                await response.write(b"x" * (1 << 20))
        return response

    assert failed(outcome(endless, invoke(FunctionName="f"))).error == "States.DataLimitExceeded"
    assert failed(outcome(endless, invoke(FunctionName="f", Payload=["refuse"]))).error == "Lambda.ServiceException"


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:us-east-1:123456789012:lambda:invoke",
        "arn:aws-us-gov:states:::lambda:invoke",
        "arn:aws-cn:states:cn-north-1:123456789012:lambda:invoke",
    ],
)
def test_invoke_is_the_same_in_every_partition_region_and_account(resource: str) -> None:
    """Which integration an ARN names does not depend on where it says that it belongs."""
    asked = TaskRequested("r", resource, b'{"FunctionName":"f","Payload":{"a":1}}')
    assert succeeded(outcome(echo, asked))["Payload"]["event"] == {"a": 1}


@pytest.mark.parametrize("partition", ["aws-us-gov", "aws-cn"])
def test_a_function_of_another_partition_is_called_by_its_arn(partition: str) -> None:
    """A function's ARN as Resource is handed to Invoke as it stands."""
    arn = f"arn:{partition}:lambda:us-gov-west-1:123456789012:function:f"
    found = succeeded(outcome(echo, TaskRequested("r", arn, b'{"x":1}')))
    assert (found["event"], found["path"]) == ({"x": 1}, f"/2015-03-31/functions/{quote(arn, safe='')}/invocations")


@pytest.mark.parametrize("request_", [invoke(FunctionName="f"), TaskRequested("r", FUNCTION, b"{}")])
def test_a_function_that_raises_fails_with_its_error_type(request_: TaskRequested) -> None:
    """Error is the function's errorType, Cause the JSON text as it came."""
    body = '{"errorMessage":"bad","errorType":"ValueError","requestId":"q","stackTrace":["x"]}'

    async def raises(_: web.Request) -> web.StreamResponse:
        """A function that raised."""
        return web.Response(text=body, headers={"X-Amz-Function-Error": "Unhandled"})

    assert outcome(raises, request_) == TaskFailed("r", "ValueError", body)


def test_an_error_without_a_type_is_lambda_unknown() -> None:
    """A crashed runtime gives no errorType: AWS's words say so."""

    async def crashed(_: web.Request) -> web.StreamResponse:
        """A runtime that ended."""
        return web.Response(text='{"errorMessage":"exit 1"}', headers={"X-Amz-Function-Error": "Unhandled"})

    found = failed(outcome(crashed, invoke(FunctionName="f")))
    assert found.error == "Lambda.Unknown"
    assert found.cause.endswith('did not return an error type. Returned payload: {"errorMessage":"exit 1"}')


@pytest.mark.parametrize("status", [200, 500])
def test_an_error_that_is_no_utf8_is_still_an_answer(status: int) -> None:
    """Bytes that are no text fail the attempt; they once ended the process, which then made the attempt again."""

    async def mumbles(_: web.Request) -> web.StreamResponse:
        """A function, or its host, that writes another encoding."""
        body = b'{"errorType":"\xff","message":"\xff"}'
        return web.Response(body=body, status=status, headers={"X-Amz-Function-Error": "Unhandled"})

    found = failed(outcome(mumbles, invoke(FunctionName="f")))
    assert found.error == ("Lambda.Unknown" if status == 200 else "Lambda.ServiceException")


def test_an_answer_too_large_for_a_record_fails_the_attempt() -> None:
    """5 MB of output or of cause fit no journal record beside others: the attempt fails, with words of bounded size."""

    async def floods(asked: web.Request) -> web.StreamResponse:
        """A function that answers 5 MB, and raises as much when asked to."""
        raised = {"X-Amz-Function-Error": "Unhandled"} if b"raise" in await asked.read() else {}
        return web.Response(text='"' + "x" * 5_000_000 + '"', headers=raised)

    assert failed(outcome(floods, invoke(FunctionName="f"))).error == "States.DataLimitExceeded"
    found = failed(outcome(floods, invoke(FunctionName="f", Payload={"raise": 1})))
    assert (found.error, len(found.cause)) == ("Lambda.Unknown", 32_768)


def test_a_bug_behind_a_task_fails_the_attempt() -> None:
    """Parameters that are no JSON, which the interpreter never sends, come back as States.Runtime, not as a crash."""
    request = TaskRequested("r", "arn:aws:states:::aws-sdk:s3:getObject", b"{")
    assert failed(asyncio.run(task_runner("").call(request, "key"))).error == "States.Runtime"


@pytest.mark.parametrize(
    ("status", "kind", "error"),
    [
        (404, "ResourceNotFoundException", "Lambda.ResourceNotFoundException"),
        (404, "ResourceNotFoundException:http://internal.amazon.com/", "Lambda.ResourceNotFoundException"),
        (429, "TooManyRequestsException", "Lambda.TooManyRequestsException"),
        (429, "", "Lambda.TooManyRequestsException"),
        (500, "ServiceException", "Lambda.ServiceException"),
        (503, "", "Lambda.ServiceException"),
        (502, "EC2UnexpectedException", "Lambda.EC2UnexpectedException"),
        (400, "", "Lambda.AWSLambdaException"),
        (403, "", "Lambda.AWSLambdaException"),
    ],
)
def test_refusals_have_lambdas_error_names(status: int, kind: str, error: str) -> None:
    """Each HTTP error becomes the error name that retriers wait for, with AWS's wording of the cause."""

    async def refuses(_: web.Request) -> web.StreamResponse:
        """A service that refuses."""
        headers = {"x-amzn-RequestId": "req-9"} | ({"x-amzn-ErrorType": kind} if kind else {})
        return web.json_response({"Message": "no"}, status=status, headers=headers)

    found = failed(outcome(refuses, invoke(FunctionName="f")))
    code = kind.partition(":")[0]
    assert found.error == error
    assert found.cause.startswith(f"no (Service: AWSLambda; Status Code: {status}; Error Code: {code}")
    assert found.cause.endswith("Request ID: req-9; Proxy: null)")


def test_no_answer_is_an_sdk_client_exception() -> None:
    """A hang-up, a refused connection and an answer that comes too late are Lambda.SdkClientException."""

    async def hangs_up(request: web.Request) -> web.StreamResponse:
        """Closes the connection instead of answering."""
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def sleeps(_: web.Request) -> web.StreamResponse:
        """Answers too late."""
        await asyncio.sleep(5)
        return web.Response()

    assert failed(outcome(hangs_up, invoke(FunctionName="f"))).error == "Lambda.SdkClientException"
    late = failed(outcome(sleeps, invoke(1, FunctionName="f")))
    assert (late.error, late.cause) == ("Lambda.SdkClientException", "Unable to execute HTTP request: Read timed out")

    async def nobody_there() -> TaskSucceeded | TaskFailed:
        """An attempt where no server listens."""
        runner = task_runner("http://127.0.0.1:9")
        try:
            return await runner.call(invoke(FunctionName="f"), "k")
        finally:
            await runner.close()

    found = failed(asyncio.run(nobody_there()))
    assert found.error == "Lambda.SdkClientException"
    assert found.cause.startswith("Unable to execute HTTP request: Cannot connect to host 127.0.0.1:9")


def test_a_connection_that_is_never_taken_timed_out_connecting() -> None:
    """A server whose queue of connections is full: the cause names the connecting, no answer was being read."""

    async def attempt(endpoint: str) -> TaskSucceeded | TaskFailed:
        """One attempt that may connect for a fifth of a second."""
        settings = AwsSettings(region="us-east-1", lambda_endpoint=endpoint, task_connect_timeout_seconds=0.2)
        runner = TaskRunner(settings, wall_seconds=lambda: 0.0, monotonic=lambda: 0.0)
        try:
            return await runner.call(invoke(FunctionName="f"), "k")
        finally:
            await runner.close()

    with contextlib.ExitStack() as stack:
        server = stack.enter_context(socket.socket())
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):  # more than the queue holds
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(server.getsockname())
        found = failed(asyncio.run(attempt(f"http://127.0.0.1:{server.getsockname()[1]}")))
    assert (found.error, found.cause) == (
        "Lambda.SdkClientException",
        "Unable to execute HTTP request: connect timed out",
    )


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        (b'{"Payload":1}', "[The field 'FunctionName' is required but was missing]"),
        (b'{"FunctionName":"f","Foo":1}', "[The field 'Foo' is not supported by Step Functions]"),
        (b'{"FunctionName":1}', "could not be used to start the Task"),
        (b"[]", "could not be used to start the Task"),
    ],
)
def test_wrong_parameters_fail_before_any_call(parameters: bytes, reason: str) -> None:
    """Parameters that AWS refuses are States.Runtime and say which member is wrong."""
    found = failed(outcome(echo, TaskRequested("r", INVOKE, parameters)))
    assert found.error == "States.Runtime"
    assert reason in found.cause


def test_an_answer_that_is_no_json_is_a_string() -> None:
    """A payload that can't be parsed becomes a JSON string, an empty one the empty string."""

    async def text(_: web.Request) -> web.StreamResponse:
        """Answers with text."""
        return web.Response(text="plain")

    async def nothing(_: web.Request) -> web.StreamResponse:
        """Answers with nothing."""
        return web.Response(status=202)

    assert succeeded(outcome(text, invoke(FunctionName="f")))["Payload"] == "plain"
    result = succeeded(outcome(nothing, invoke(FunctionName="f", InvocationType="Event")))
    assert (result["Payload"], result["StatusCode"]) == ("", 202)


@pytest.mark.parametrize(
    "resource",
    [
        "arn:aws:states:::nosuch:act",
        "arn:aws:states:us-east-1:1:activity:a",
        "arn:aws:states:::aws-sdk:nosuchservice:act",
        "arn:aws:states:::aws-sdk:s3:noSuchAction",
        "nonsense",
    ],
)
def test_what_is_not_supported_says_so(resource: str) -> None:
    """A Resource that this version can't run is States.Runtime and names the resource."""
    found = failed(outcome(echo, TaskRequested("r", resource, b"{}")))
    assert found.error == "States.Runtime"
    assert resource in found.cause


def test_a_call_says_which_trace_it_belongs_to() -> None:
    """X-Ray's header and W3C's, beside what is signed; without a trace there is neither."""
    trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    for request in (invoke(FunctionName="f"), msgspec.structs.replace(invoke(FunctionName="f"), trace=trace)):
        found = succeeded(outcome(echo, request))["Payload"]["headers"]
        headers = {name.lower(): value for name, value in found.items()}
        assert headers.get("x-amzn-trace-id", "") == request.trace
        assert ("traceparent" in headers) == bool(request.trace)
        assert "trace" not in headers["authorization"]
