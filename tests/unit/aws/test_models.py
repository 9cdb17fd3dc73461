"""`bedrock:invokeModel`: what a model is asked, where its input comes from, and where its answer goes."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web

from maprun.aws import models
from maprun.aws.outcomes import OUTPUT_BYTES_MAX
from schemas.effects import TaskRequested
from tests.unit.aws.service import Outcome, failed, outcomes, output, task

INVOKE = "arn:aws:states:::bedrock:invokeModel"
PROMPT = {"inputText": "hello", "n": 1.50}


class Services:
    """Bedrock's runtime, which says one thing, and the objects of S3."""

    def __init__(self, said: bytes = b'{"results": [{"text": "hi"}]}', status: int = 200, kind: str = "") -> None:
        self.said, self.status, self.kind = said, status, kind
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.asked: list[tuple[str, bytes, Any]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """An answer."""
        body = await request.read()
        if request.path.startswith("/model/"):
            self.asked.append((request.path, body, request.headers.copy()))
            headers = {"Content-Type": "application/json", "x-amzn-RequestId": "q"}
            if self.kind:
                headers["x-amzn-ErrorType" if self.status >= 400 else "Content-Type"] = self.kind
            return web.Response(body=self.said, status=self.status, headers=headers)
        if request.method == "PUT":
            self.objects[request.path] = body, request.headers["Content-Type"]
            return web.Response()
        if request.path not in self.objects:
            error = "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>"
            return web.Response(text=error, status=404, content_type="application/xml")
        found, kind = self.objects[request.path]
        return web.Response(body=found, headers={"Content-Type": kind})


def asked(**parameters: Any) -> TaskRequested:
    """A Task."""
    return task(INVOKE, {"ModelId": "amazon.titan-text-express-v1", **parameters})


def invoked(services: Services, **parameters: Any) -> Outcome:
    """How one attempt ends."""
    return outcomes(services.handle, asked(**parameters))[0]


def test_a_body_is_sent_and_the_answer_is_json() -> None:
    """As it is written; the SDK's other members stand beside it."""
    services = Services()
    found = output(invoked(services, Body=PROMPT, Accept="*/*", GuardrailIdentifier="g", GuardrailVersion="1"))
    assert found == {"Body": {"results": [{"text": "hi"}]}, "ContentType": "application/json"}
    ((path, body, headers),) = services.asked
    assert (path, body) == ("/model/amazon.titan-text-express-v1/invoke", b'{"inputText": "hello", "n": 1.5}')
    assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "*/*")
    assert headers["X-Amzn-Bedrock-GuardrailIdentifier"] == "g"


def test_an_answer_that_is_no_json_is_a_text() -> None:
    """By its content type."""
    services = Services(b"hi", kind="text/plain")
    assert output(invoked(services, Body=PROMPT))["Body"] == "hi"


@pytest.mark.parametrize(("given", "sent"), [({}, "application/x-own"), ({"ContentType": "text/x"}, "text/x")])
def test_an_input_comes_from_s3(given: dict[str, str], sent: str) -> None:
    """It may be larger than a payload; its content type is the object's unless the Task gives one."""
    services = Services()
    large = json.dumps({"inputText": "x" * OUTPUT_BYTES_MAX}).encode()
    services.objects["/bucket/in/a b.json"] = large, "application/x-own"
    output(invoked(services, Input={"S3Uri": "s3://bucket/in/a b.json"}, **given))
    ((_, body, headers),) = services.asked
    assert (body, headers["Content-Type"]) == (large, sent)


def test_an_answer_goes_into_s3() -> None:
    """It may be larger than a result, which says where it is."""
    services = Services(json.dumps("x" * OUTPUT_BYTES_MAX).encode())
    found = output(invoked(services, Body=PROMPT, Output={"S3Uri": "s3://bucket/out.json"}))
    assert found == {"Body": {"S3Uri": "s3://bucket/out.json"}, "ContentType": "application/json"}
    assert services.objects == {"/bucket/out.json": (services.said, "application/json")}


def test_an_answer_above_the_bound_is_not_read_to_its_end() -> None:
    """Of a result, and of Bedrock's own."""
    small = Services(b"x" * (OUTPUT_BYTES_MAX + 1))
    assert failed(invoked(small, Body=PROMPT)).error == "States.DataLimitExceeded"
    large = Services(b"x" * (models.BODY_BYTES_MAX + 1))
    found = failed(invoked(large, Body=PROMPT, Output={"S3Uri": "s3://bucket/out"}))
    assert found.error == "States.DataLimitExceeded"
    assert large.objects == {}


def refusing(error: str, status: int) -> Callable[[], Services]:
    """A runtime that refuses."""
    return lambda: Services(b'{"message": "no"}', status, error)


@pytest.mark.parametrize(
    ("services", "parameters", "error", "words"),
    [
        (refusing("ThrottlingException", 429), {"Body": 1}, "Bedrock.ThrottlingException", "Status Code: 429"),
        (refusing("ValidationException", 400), {"Body": 1}, "Bedrock.ValidationException", "(Service: BedrockRuntime,"),
        (Services, {"Input": {"S3Uri": "s3://bucket/gone"}}, "S3.NoSuchKeyException", "does not exist"),
        (Services, {"Input": {"S3Uri": "bucket/key"}}, "States.Runtime", "must be like s3://bucket/key"),
        (Services, {}, "States.Runtime", "Either 'Body' or 'Input'"),
        (Services, {"Body": 1, "Input": {"S3Uri": "s3://b/k"}}, "States.Runtime", "Either 'Body' or 'Input'"),
        (Services, {"Body": 1, "Temperature": 1}, "States.Runtime", "Temperature"),
    ],
)
def test_failures(services: Callable[[], Services], parameters: dict[str, Any], error: str, words: str) -> None:
    """Of the model's runtime, of S3, and of what can't be sent."""
    found = failed(invoked(services(), **parameters))
    assert found.error == error
    assert words in found.cause
