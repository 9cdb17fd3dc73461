"""`http:invoke`: what is sent, what comes of the answer, and how it fails."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from maprun.aws.web.client import Watch
from schemas.effects import TaskRequested
from tests.unit.aws.service import failed, output, serving
from tests.unit.aws.web_calls import ARN, HTTP, KEY, Kept, invoked, pairs, request_at, runner_for, with_parameters

FORM = {"RequestBodyEncoding": "URL_ENCODED"}


def test_a_request_is_what_aws_sends(tmp_path: Path) -> None:
    """User-Agent, Range and the connection's key beside what the Task says; a body is JSON."""
    kept = Kept({"done": True})
    asked = {
        "Method": "POST",
        "path": "/v1/orders?expand=1",
        "RequestBody": {"n": 1.50},
        "Headers": {"Request-Id": "7"},
    }
    found = output(
        invoked(tmp_path, kept.answer, {**asked, "QueryParameters": {"a b": "c&d", "each": ["1", 2, True]}})[0]
    )
    assert found["ResponseBody"] == {"done": True}
    assert (found["StatusCode"], found["StatusText"]) == (200, "OK")
    assert found["Headers"]["Content-Type"] == ["application/json"]
    assert kept.requests[0].method == "POST"
    assert kept.requests[0].raw_path == "/v1/orders?expand=1&a%20b=c%26d&each=1&each=2&each=true"
    assert kept.bodies == [b'{"n": 1.5}']  # json.dumps wrote it so
    expected = {
        "Request-Id": "7",
        "X-Api-Key": "very-secret",
        "User-Agent": "Amazon|StepFunctions|HttpInvoke|us-east-1",
        "Range": "bytes=0-262144",
        "Content-Type": "application/json; charset=UTF-8",
        "X-Maprun-Idempotency-Key": "key-1",
    }
    assert {name: kept.headers[name] for name in expected} == expected
    assert not {"Accept", "Accept-Encoding", "Cookie"} & set(kept.headers)


def test_the_connections_parameters_win(tmp_path: Path) -> None:
    """In headers whatever their letters, in the query also over the URL's own, and in the body."""
    kept = Kept({})
    connection = with_parameters(
        KEY,
        HeaderParameters=pairs(Header_Param="theirs"),
        QueryStringParameters=pairs(q="theirs"),
        BodyParameters=pairs(BodyParam="theirs"),
    )
    asked = {
        "Method": "POST",
        "path": "/?q=url&kept=1",
        "Headers": {"header-param": "mine", "x-api-key": "mine"},
        "QueryParameters": {"q": "mine"},
        "RequestBody": {"BodyParam": "mine", "Job": "mine"},
    }
    output(invoked(tmp_path, kept.answer, asked, connections=[connection])[0])
    assert kept.headers.getall("Header-Param") == ["theirs"]  # type: ignore[attr-defined]
    assert kept.headers.getall("X-Api-Key") == ["very-secret"]  # type: ignore[attr-defined]
    assert kept.requests[0].raw_path == "/?kept=1&q=theirs"
    assert kept.body == {"BodyParam": "theirs", "Job": "mine"}


@pytest.mark.parametrize("body", ["text", ["array"], 1])
def test_a_body_that_is_no_object_can_not_be_merged(tmp_path: Path, body: Any) -> None:
    """With members of a body in the connection the Task fails with States.Runtime, and nothing is sent."""
    kept = Kept({})
    connection = with_parameters(KEY, BodyParameters=pairs(a="b"))
    found = failed(invoked(tmp_path, kept.answer, {"Method": "POST", "RequestBody": body}, connections=[connection])[0])
    assert found.error == "States.Runtime"
    assert "[The field 'RequestBody' must be an object: the connection has members of a body]" in found.cause
    assert kept.requests == []


def test_basic_credentials_are_a_header(tmp_path: Path) -> None:
    """User and password, in Base64."""
    kept = Kept({})
    connection = {
        "Name": "key",
        "AuthorizationType": "BASIC",
        "AuthParameters": {"BasicAuthParameters": {"Username": "u", "Password": "p:w"}},
    }
    output(invoked(tmp_path, kept.answer, {}, connections=[connection])[0])
    assert kept.headers["Authorization"] == "Basic dTpwOnc="


@pytest.mark.parametrize(
    ("array_format", "sent"),
    [
        ("INDICES", "array%5B0%5D=a&array%5B1%5D=b%20c"),
        ("REPEAT", "array=a&array=b%20c"),
        ("COMMAS", "array=a,b%20c"),
        ("BRACKETS", "array%5B%5D=a&array%5B%5D=b%20c"),
        (None, "array%5B0%5D=a&array%5B1%5D=b%20c"),
    ],
)
def test_a_form_has_its_arrays_in_their_format(tmp_path: Path, array_format: str | None, sent: str) -> None:
    """The four formats, INDICES if none is named; members of objects in brackets."""
    kept = Kept({})
    options = {"RequestEncodingOptions": {"ArrayFormat": array_format}} if array_format else {}
    asked = {
        "Method": "POST",
        "Headers": {"Content-Type": "application/x-www-form-urlencoded"},
        "RequestBody": {"array": ["a", "b c"], "metadata": {"order_details": "monthly report data"}, "n": 1, "t": True},
        "Transform": {**FORM, **options},
    }
    output(invoked(tmp_path, kept.answer, asked)[0])
    assert kept.bodies[0].decode() == f"{sent}&metadata%5Border_details%5D=monthly%20report%20data&n=1&t=true"
    assert kept.headers["Content-Type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("content_type", "sent"), [(None, b'"<a/>"'), ("application/json", b'"<a/>"'), ("text/xml", b"<a/>")]
)
def test_a_string_is_json_unless_the_task_says_otherwise(tmp_path: Path, content_type: str | None, sent: bytes) -> None:
    """As the serialized JSON that it is; under another content type as it stands."""
    kept = Kept({})
    headers = {"Content-Type": content_type} if content_type else {}
    output(invoked(tmp_path, kept.answer, {"Method": "POST", "RequestBody": "<a/>", "Headers": headers})[0])
    assert kept.bodies == [sent]


def test_numbers_travel_as_they_are_written(tmp_path: Path) -> None:
    """No float of Python's stands between the Task, the API and the result."""
    kept = Kept(body=b'{"n": 12345678901234567890.10}', content_type="application/json")
    written = b'{"ApiEndpoint":"%s/","Method":"PUT","InvocationConfig":{"ConnectionArn":"%s"},"RequestBody":{"n":1.10}}'

    async def use(endpoint: str) -> Any:
        """The attempt."""
        runner = runner_for(tmp_path, [KEY], allow=endpoint)
        parameters = written % (endpoint.encode(), (ARN % "key").encode())
        try:
            return await runner.call(TaskRequested("r", HTTP, parameters), "key")
        finally:
            await runner.close()

    found = asyncio.run(serving(kept.answer, use))
    assert kept.bodies == [b'{"n":1.10}']
    assert b'"ResponseBody":{"n":12345678901234567890.10}' in found.output


@pytest.mark.parametrize(
    ("response", "body"),
    [
        ({"text": "hello"}, "hello"),
        ({"text": "{}", "content_type": "application/problem+json"}, {}),
        ({"text": "{no", "content_type": "application/json"}, "{no"),
        ({"body": "ä".encode("latin-1"), "headers": {"Content-Type": "text/plain; charset=ISO-8859-1"}}, "ä"),
        ({"text": "<a/>", "content_type": "application/xml", "status": 206}, "<a/>"),
        ({"status": 204}, ""),
    ],
)
def test_a_body_is_json_or_text_by_its_content_type(tmp_path: Path, response: dict[str, Any], body: Any) -> None:
    """JSON as JSON, everything else as a string, in its character set; 2xx is success."""

    async def answer(_: web.Request) -> web.StreamResponse:
        """The response."""
        return web.Response(**response)

    found = output(invoked(tmp_path, answer, {})[0])
    assert (found["ResponseBody"], found["StatusCode"]) == (body, response.get("status", 200))


@pytest.mark.parametrize(
    "response",
    [
        {"body": b"a", "content_type": "application/octet-stream"},
        {"body": b"a", "content_type": "image/png"},
        {"body": b"\xff\xfe", "content_type": "text/plain"},
        {"body": b"a", "headers": {"Content-Type": "text/plain; charset=klingon"}},
    ],
)
def test_a_body_that_is_no_text_is_a_runtime_error(tmp_path: Path, response: dict[str, Any]) -> None:
    """Pictures, bytes, and what can't be read in the character set that it names."""

    async def answer(_: web.Request) -> web.StreamResponse:
        """The response."""
        return web.Response(**response)

    assert failed(invoked(tmp_path, answer, {})[0]).error == "States.Runtime"


@pytest.mark.parametrize(
    ("response", "cause"),
    [
        ({"status": 404, "text": '{"message": "gone"}', "content_type": "application/json"}, '{"message": "gone"}'),
        ({"status": 503}, "Service Unavailable"),
        ({"status": 302, "headers": {"Location": "http://169.254.169.254/"}}, "Found"),
        ({"status": 500, "text": "x" * 300_000}, "x" * 32_768),
    ],
)
def test_another_status_is_the_errors_name(tmp_path: Path, response: dict[str, Any], cause: str) -> None:
    """The body is the cause, the status's words if it has none. No redirect is followed."""

    async def answer(_: web.Request) -> web.StreamResponse:
        """The response."""
        return web.Response(**response)

    found = failed(invoked(tmp_path, answer, {})[0])
    assert (found.error, found.cause) == (f"States.Http.StatusCode.{response['status']}", cause)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"Headers": {"authorization": "mine"}}, "The 'Headers' field contains unsupported values: authorization"),
        ({"Headers": {"X-Amz-Date": "mine"}}, "The 'Headers' field contains unsupported values: X-Amz-Date"),
        ({"Headers": {"X-Forwarded-For": "a"}}, "The 'Headers' field contains unsupported values: X-Forwarded-For"),
        (
            {"Headers": {"a": "b\r\nHost: c"}},
            "The 'Headers' field can't be sent: the value of the header 'a' has a line's end",
        ),
        ({"Headers": {"a b": "c"}}, "The 'Headers' field can't be sent: 'a b' is no name of a header"),
        ({"Headers": {"a": {"b": "c"}}}, "The value for the field 'Headers.a' must be a text"),
        ({"Method": "TRACE"}, "Invalid enum value 'TRACE'"),
        ({"ApiEndpoint": "https://user:pw@example.com/"}, "The value for the field 'ApiEndpoint' must be the URL"),
        ({"ApiEndpoint": "ftp://example.com/"}, "The value for the field 'ApiEndpoint' must be the URL"),
        ({"ApiEndpoint": "https://"}, "The value for the field 'ApiEndpoint' must be the URL"),
        ({"Authentication": None}, "The field 'InvocationConfig' is required but was missing"),
        ({"Body": 1}, "The field 'Body' is not supported by Step Functions"),
        ({"RequestBody": [1], "Transform": FORM}, "The field 'RequestBody' must be an object to be sent URL_ENCODED"),
    ],
)
def test_parameters_that_can_not_be_are_told(tmp_path: Path, asked: dict[str, Any], reason: str) -> None:
    """States.Runtime, in AWS's words for a Task that can't be started; nothing is sent."""
    kept = Kept({})
    found = failed(invoked(tmp_path, kept.answer, asked)[0])
    assert found.error == "States.Runtime"
    assert found.cause.startswith("The Parameters '{")
    assert f"could not be used to start the Task: [{reason}" in found.cause
    assert kept.requests == []


def test_no_answer_is_a_socket_error_that_tells_no_secret(tmp_path: Path) -> None:
    """Not even one that a connection puts into the query."""
    connection = with_parameters(KEY, QueryStringParameters=pairs(key="also-secret"))

    async def hang_up(request: web.Request) -> web.StreamResponse:
        """Closes the connection."""
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async def nobody() -> Any:
        """A port where nobody listens."""
        runner = runner_for(tmp_path, [connection], allow="http://127.0.0.1:9")
        try:
            return await runner.call(request_at("http://127.0.0.1:9", {}, "key"), "key")
        finally:
            await runner.close()

    outcomes = [*invoked(tmp_path, hang_up, {"Method": "POST"}, connections=[connection]), asyncio.run(nobody())]
    causes = [(failed(each).error, failed(each).cause) for each in outcomes]
    assert causes == [
        ("States.Http.Socket", "127.0.0.1: the connection was closed before the answer came"),
        ("States.Http.Socket", "127.0.0.1: Connection refused"),
    ]


def test_an_answer_above_what_is_read_is_data_limit_exceeded(tmp_path: Path) -> None:
    """It is not read to its end; below that the interpreter holds the result to the quota of a payload."""

    async def endless(request: web.Request) -> web.StreamResponse:
        """Ten megabytes."""
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        for _ in range(160):
            await response.write(b"x" * 65536)
        return response

    assert failed(invoked(tmp_path, endless, {})[0]).error == "States.DataLimitExceeded"


def test_calls_of_one_origin_wait_for_no_other(tmp_path: Path) -> None:
    """Hundreds of calls that hang hold no thread and no call of another origin."""
    hanging = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        """Never answers one path."""
        if request.path == "/hang":
            await hanging.wait()
        return web.json_response({})

    async def use(endpoint: str) -> Any:
        """Three hundred calls under way, then one more."""
        runner = runner_for(tmp_path, [KEY], allow=endpoint)
        stuck = [
            asyncio.create_task(runner.call(request_at(endpoint, {"path": "/hang"}, "key"), str(n))) for n in range(300)
        ]
        try:
            found = await asyncio.wait_for(runner.call(request_at(endpoint, {}, "key"), "k"), 20)
            assert threading.active_count() < 20
            hanging.set()
            await asyncio.gather(*stuck)
            return found
        finally:
            await runner.close()

    assert output(asyncio.run(serving(hang, use)))["StatusCode"] == 200


def test_who_looks_on_sees_no_secret(tmp_path: Path) -> None:
    """What was sent and what came, without what the connection adds to header, query and body."""
    kept = Kept({"done": True})
    connection = with_parameters(KEY, QueryStringParameters=pairs(q="theirs"), BodyParameters=pairs(b="theirs"))
    watch = Watch()

    async def use(endpoint: str) -> None:
        """The attempt."""
        runner = runner_for(tmp_path, [connection], allow=endpoint)
        asked = {"Method": "POST", "QueryParameters": {"mine": "1"}, "RequestBody": {"n": 1}}
        output(await runner.call(request_at(endpoint, asked, "key"), "key-1", watch))
        await runner.close()

    asyncio.run(serving(kept.answer, use))
    assert watch.request is not None
    assert watch.answer is not None
    assert watch.answer.body == b'{"done": true}'
    assert watch.request.url.raw_query_string == "mine=1"
    assert watch.request.body == b'{"n": 1}'
    assert "X-Api-Key" not in watch.request.headers
    assert watch.request.headers["Range"] == "bytes=0-262144"
    assert kept.requests[0].raw_path == "/?mine=1&q=theirs"
