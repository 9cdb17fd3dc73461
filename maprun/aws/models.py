"""`bedrock:invokeModel`: a model's input may come from an object in S3, and its answer go into one.

Errors are those of the SDK's call, named after `bedrock`; what fails in S3 is an error of S3.
"""

import re

import msgspec

from maprun.aws.lambda_answers import payload_json
from maprun.aws.parameters import UnusableError, parameters_as, unusable
from maprun.aws.sdk_tasks import Call, SdkCaller
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

BODY_BYTES_MAX = 25_000_000
"""Of a model's input and answer, as Bedrock has it."""
JSON = "application/json"
_INVOKE = Call("bedrockruntime", "invokeModel", None)
_READ = Call("s3", "getObject", None, answer_bytes_max=BODY_BYTES_MAX)
_WRITE = Call("s3", "putObject", None)
_PLACE = re.compile(r"s3://(?P<bucket>[^/]+)/(?P<key>.+)", re.DOTALL)


class _Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    uri: str = msgspec.field(name="S3Uri")


class _Asked(msgspec.Struct, frozen=True, rename="pascal"):
    """What of the parameters is not the SDK's own, or not as the SDK has it."""

    body: msgspec.Raw = msgspec.Raw(b"")
    content_type: str | None = None
    input: _Place | None = None
    output: _Place | None = None


class _Object(msgspec.Struct, frozen=True, rename="pascal"):
    """A body and its type: an object in S3, or a model's answer."""

    body: str
    content_type: str = JSON


_OWN = frozenset({"Body", "ContentType", "Input", "Output"})
_object = msgspec.json.Decoder(_Object)


class ModelInvoker:
    """Invokes models for Tasks."""

    def __init__(self, sdk: SdkCaller) -> None:
        self._sdk = sdk

    async def invoke(self, request: TaskRequested, idempotency_key: str) -> TaskSucceeded | TaskFailed:
        """One attempt. Raises AnswerTooLargeError."""
        try:
            asked = parameters_as(request.parameters, _Asked)
            source, target = _places(asked)
        except UnusableError as error:
            return TaskFailed(request.ref, "States.Runtime", str(error))
        except ValueError as error:
            return TaskFailed(request.ref, "States.Runtime", unusable(request.parameters, str(error)))
        body, content_type = _text_of(bytes(asked.body)), asked.content_type or JSON
        if source is not None:
            read = await self._sdk.run(_READ, _asking(request, source), idempotency_key)
            if isinstance(read, TaskFailed):
                return read
            found = _object.decode(read.output)
            body, content_type = found.body, asked.content_type or found.content_type
        answer = await self._answered(request, idempotency_key, body, content_type, kept=target is not None)
        if isinstance(answer, TaskFailed):
            return answer
        if target is None:
            return TaskSucceeded(request.ref, _result(answer))
        assert asked.output is not None
        put = {**target, "Body": answer.body, "ContentType": answer.content_type}
        written = await self._sdk.run(_WRITE, _asking(request, put), idempotency_key)
        if isinstance(written, TaskFailed):
            return written
        shown = {"Body": {"S3Uri": asked.output.uri}, "ContentType": answer.content_type}
        return TaskSucceeded(request.ref, msgspec.json.encode(shown))

    async def _answered(
        self, request: TaskRequested, idempotency_key: str, body: str, content_type: str, *, kept: bool
    ) -> _Object | TaskFailed:
        """The model's answer; one that is kept in S3 may be larger than a Task's result."""
        given = msgspec.json.decode(request.parameters, type=dict[str, msgspec.Raw])
        own = {name: value for name, value in given.items() if name not in _OWN}
        call = _INVOKE._replace(answer_bytes_max=BODY_BYTES_MAX) if kept else _INVOKE
        sent = _asking(request, {**own, "Body": body, "ContentType": content_type})
        answer = await self._sdk.run(call, sent, idempotency_key)
        if isinstance(answer, TaskFailed):
            return msgspec.structs.replace(answer, error=answer.error.replace("BedrockRuntime.", "Bedrock.", 1))
        return _object.decode(answer.output)


def _asking(request: TaskRequested, parameters: dict[str, object]) -> TaskRequested:
    return msgspec.structs.replace(request, parameters=msgspec.json.encode(parameters))


def _places(asked: _Asked) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """Where the input is and where the answer goes, in S3. Raises ValueError."""
    if bool(asked.body) == (asked.input is not None):
        raise ValueError("Either 'Body' or 'Input' must be specified, not both")
    return _s3_place(asked.input), _s3_place(asked.output)


def _s3_place(place: _Place | None) -> dict[str, object] | None:
    """Bucket and Key. Raises ValueError."""
    if place is None:
        return None
    found = _PLACE.fullmatch(place.uri)
    if found is None:
        raise ValueError("The value for the field 'S3Uri' must be like s3://bucket/key")
    return {"Bucket": found["bucket"], "Key": found["key"]}


def _text_of(body: bytes) -> str:
    """A body as it is sent: JSON as it is written, a string as it stands."""
    return msgspec.json.decode(body, type=str) if body[:1] == b'"' else body.decode()


def _result(answer: _Object) -> bytes:
    """The Task's result: JSON stands in it as JSON, whatever else as a string."""
    is_json = "json" in answer.content_type.lower() and answer.body.strip()
    body = msgspec.Raw(payload_json(answer.body.encode())) if is_json else answer.body
    return msgspec.json.encode({"Body": body, "ContentType": answer.content_type})
