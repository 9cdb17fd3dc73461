"""`apigateway:invoke`: what is sent, where to, with which signature, and what comes of the answer."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from maprun.aws.web.gateway_invoke import Gateways, without_nulls
from maprun.aws.web.members import MemberError
from schemas.effects import SubmissionFailed, TaskRequested, TaskSubmitted
from tests.unit.aws.service import Handler, Outcome, failed, output, serving, task
from tests.unit.aws.web_calls import Kept, runner_for

INVOKE = "arn:aws:states:::apigateway:invoke"
HOST = "abc123.execute-api.eu-west-1.amazonaws.com"


def asked(**parameters: Any) -> TaskRequested:
    """A Task that calls the API."""
    return task(INVOKE, {"ApiEndpoint": HOST, "Method": "POST", **parameters})


def invoked(folder: Path, handler: Handler, *requests: TaskRequested, root: str = "") -> list[Outcome]:
    """How calls end, one after the other; the API is where the handler answers, below `root`."""

    async def use(endpoint: str) -> list[Outcome]:
        """The attempts."""
        runner = runner_for(folder, [], gateways=f"other.*=http://127.0.0.1:9,*.execute-api.*={endpoint}{root}")
        try:
            return [await runner.call(request, "key-1") for request in requests]
        finally:
            await runner.close()

    found: list[Outcome] = asyncio.run(serving(handler, use))
    return found


def test_a_request_is_built_of_stage_path_and_query(tmp_path: Path) -> None:
    """Each part percent-encoded; an array is one value after the other; the body is JSON."""
    kept = Kept({"myBills": []})
    request = asked(
        Stage="prod",
        Path="/bills/a b",
        QueryParameters={"billId": ["1", "2"], "q": "x&y"},
        Headers={"key": ["value1", "value2"]},
        RequestBody={"n": [1]},
    )
    found = output(invoked(tmp_path, kept.answer, request)[0])
    assert (found["ResponseBody"], found["StatusCode"], found["StatusText"]) == ({"myBills": []}, 200, "OK")
    assert found["Headers"]["Content-Type"] == ["application/json"]
    sent = kept.requests[0]
    assert (sent.method, sent.raw_path) == ("POST", "/prod/bills/a%20b?billId=1&billId=2&q=x%26y")
    assert sent.headers.getall("key") == ["value1", "value2"]
    assert (sent.headers["Content-Type"], kept.bodies[0]) == ("application/json", b'{"n":[1]}')
    assert sent.headers["X-Maprun-Idempotency-Key"] == "key-1"
    assert "Authorization" not in sent.headers


@pytest.mark.parametrize(
    ("parameters", "path"),
    [
        ({}, "/"),
        ({"Path": "bills"}, "/bills"),
        ({"Stage": "prod"}, "/prod/"),
        ({"Stage": "$default", "Path": "a/b/"}, "/%24default/a/b/"),
    ],
)
def test_stage_and_path_may_be_left_out(tmp_path: Path, parameters: dict[str, str], path: str) -> None:
    """An HTTP API with the stage `$default` has none in its URL."""
    kept = Kept({})
    output(invoked(tmp_path, kept.answer, asked(**parameters))[0])
    assert kept.requests[0].raw_path == path


@pytest.mark.parametrize(
    ("body", "method", "sent"),
    [
        ("HelloWorld", "POST", b'"HelloWorld"'),
        ("", "POST", b'""'),
        (None, "POST", b""),
        ({"a": None, "b": [None, {"c": None, "d": 1}]}, "PUT", b'{"b":[null,{"d":1}]}'),
        ({"a": 1}, "GET", b""),
    ],
)
def test_a_body_is_json_without_nulls(tmp_path: Path, body: Any, method: str, sent: bytes) -> None:
    """A string as well; members that are null are left out; GET has no body."""
    kept = Kept({})
    output(invoked(tmp_path, kept.answer, asked(RequestBody=body, Method=method))[0])
    assert kept.bodies == [sent]


def test_allow_null_values_sends_them(tmp_path: Path) -> None:
    """As the Task has them."""
    kept = Kept({})
    output(invoked(tmp_path, kept.answer, asked(RequestBody={"a": None}, AllowNullValues=True))[0])
    assert kept.bodies == [b'{"a": null}']


def test_numbers_beside_nulls_stay_as_they_are_written() -> None:
    """Only nulls are taken out."""
    assert without_nulls(b'{"n": 12345678901234567890.10, "m": null}') == b'{"n":12345678901234567890.10}'


@pytest.mark.parametrize("kind", ["IAM_ROLE", "RESOURCE_POLICY"])
def test_a_request_is_signed_as_botocore_signs_it(tmp_path: Path, kind: str) -> None:
    """For execute-api in the Region of the ApiEndpoint, with the keys of the process."""
    kept = Kept({})
    parameters = {"Stage": "prod", "Path": "a b/c~d", "QueryParameters": {"z": "1", "a": ["2", "1"]}, "AuthType": kind}
    output(invoked(tmp_path, kept.answer, asked(**parameters, RequestBody={"n": 1}))[0])
    sent = kept.requests[0]
    url = f"http://{sent.headers['Host']}{sent.raw_path}"
    theirs = AWSRequest(sent.method, url, {}, kept.bodies[0])
    theirs.context["timestamp"] = sent.headers["x-amz-date"]
    signer: Any = SigV4Auth(Credentials("AKID", "secret"), "execute-api", "eu-west-1")
    theirs.headers["X-Amz-Date"] = sent.headers["x-amz-date"]
    signature = signer.signature(signer.string_to_sign(theirs, signer.canonical_request(theirs)), theirs)
    assert sent.headers["x-amz-date"] == "20231114T221320Z"
    assert sent.headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKID/20231114/eu-west-1/execute-api/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={signature}"
    )


@pytest.mark.parametrize(
    ("response", "error", "cause"),
    [
        (
            {"status": 403, "text": '{"message":"Missing Authentication Token"}'},
            "ApiGateway.403",
            '{"message":"Missing Authentication Token"}',
        ),
        ({"status": 500}, "ApiGateway.500", "Internal Server Error"),
        ({"status": 301, "headers": {"Location": "http://127.0.0.1/"}}, "ApiGateway.301", "Moved Permanently"),
        (
            {"body": b"\xff", "content_type": "application/octet-stream"},
            "States.Runtime",
            "The response has the content type 'application/octet-stream', which is not supported",
        ),
    ],
)
def test_another_status_is_the_errors_name(tmp_path: Path, response: dict[str, Any], error: str, cause: str) -> None:
    """The body is the cause. No redirect is followed."""

    async def answer(_: web.Request) -> web.StreamResponse:
        """The response."""
        return web.Response(**response)

    found = failed(invoked(tmp_path, answer, asked())[0])
    assert (found.error, found.cause) == (error, cause)


def test_no_answer_is_an_sdk_client_exception(tmp_path: Path) -> None:
    """Nobody listens there."""
    request = asked(ApiEndpoint="other.execute-api.eu-west-1.amazonaws.com")
    found = failed(invoked(tmp_path, Kept({}).answer, request)[0])
    assert found.error == "ApiGateway.SdkClientException"
    assert found.cause == "Unable to execute HTTP request: 127.0.0.1: Connection refused"


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"Headers": {"Authorization": ["mine"]}}, "The 'Headers' field contains unsupported values: Authorization"),
        ({"Headers": {"X-Amzn-Trace-Id": "a"}}, "The 'Headers' field contains unsupported values: X-Amzn-Trace-Id"),
        ({"Path": "a/../../b"}, "The value for the field 'Path' must lead nowhere but down"),
        ({"Stage": "..", "Path": "b"}, "The value for the field 'Path' must lead nowhere but down"),
        ({"ApiEndpoint": "example.com"}, "The value for the field 'ApiEndpoint' must be like"),
        ({"ApiEndpoint": "a@b.execute-api.c"}, "The value for the field 'ApiEndpoint' must be like"),
        ({"AuthType": "IAM_AUTH"}, "Invalid enum value 'IAM_AUTH'"),
        ({"Body": 1}, "The field 'Body' is not supported by Step Functions"),
    ],
)
def test_parameters_that_can_not_be_are_told(tmp_path: Path, parameters: dict[str, Any], reason: str) -> None:
    """States.Runtime; nothing is sent."""
    kept = Kept({})
    found = failed(invoked(tmp_path, kept.answer, asked(**parameters))[0])
    assert found.error == "States.Runtime"
    assert f"could not be used to start the Task: [{reason}" in found.cause
    assert kept.requests == []


def test_an_api_is_where_the_setting_says_or_at_api_gateway() -> None:
    """The first host that fits counts, `{api}` in its URL is the API's id; no other host is called."""
    places = Gateways(
        [("local*", "http://127.0.0.1:4566/apis/{api}/"), ("*.test", "https://gateway.test")], "us-east-1"
    )
    assert tuple(places.of("local1.execute-api.eu-west-1.amazonaws.com")) == (
        "http://127.0.0.1:4566/apis/local1",
        "eu-west-1",
        True,
    )
    assert tuple(places.of("bills.test")) == ("https://gateway.test", "us-east-1", True)
    own = "abc.execute-api.cn-north-1.amazonaws.com.cn"
    assert tuple(places.of(own)) == (f"https://{own}", "cn-north-1", False)
    with pytest.raises(MemberError):
        places.of("abc.execute-api.eu-west-1.amazonaws.com.evil.example")


def test_an_api_below_a_path_is_called_there(tmp_path: Path) -> None:
    """As emulators of API Gateway have them."""
    kept = Kept({})
    output(invoked(tmp_path, kept.answer, asked(Stage="prod", Path="bills"), root="/apis/{api}")[0])
    assert kept.requests[0].raw_path == "/apis/abc123/prod/bills"


def test_a_call_may_submit_what_a_callback_ends(tmp_path: Path) -> None:
    """With `.waitForTaskToken` the answer is TaskSubmitted's, and an error that of the submission."""
    kept = Kept({"taken": True})
    parameters = {"ApiEndpoint": HOST, "Method": "POST", "Headers": {"TaskToken": ["token"]}}
    text = json.dumps(parameters).encode()

    async def use(endpoint: str) -> tuple[Any, Any]:
        """One that is taken, one that nobody hears."""
        found = []
        for gateway in (endpoint, "http://127.0.0.1:9"):
            runner = runner_for(tmp_path, [], gateways=f"*={gateway}")
            request = TaskRequested("r", f"{INVOKE}.waitForTaskToken", text, callback=True)
            found.append(await runner.run_task(request, "k"))
            await runner.close()
        return found[0], found[1]

    taken, unheard = asyncio.run(serving(kept.answer, use))
    assert isinstance(taken, TaskSubmitted)
    assert json.loads(taken.output)["ResponseBody"] == {"taken": True}
    assert kept.headers["TaskToken"] == "token"
    assert isinstance(unheard, SubmissionFailed)
    assert unheard.error == "ApiGateway.SdkClientException"
