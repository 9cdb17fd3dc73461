"""What a Lambda Invoke call's answer means for a Task, pure. Names and texts as recorded on AWS (facts 3.10)."""

import base64
import json
from collections.abc import Mapping

import msgspec

from maprun.aws.parameters import UnusableError, parameters_as

HTTP_OK_BELOW = 300
HTTP_TOO_MANY_REQUESTS = 429
HTTP_SERVER_ERROR_FIRST = 500
FUNCTION_ERROR = "X-Amz-Function-Error"
EVENT_DEFAULT = b"{}"


class Answer(msgspec.Struct, frozen=True, gc=False):
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]  # case-insensitive
    body: bytes


class Failure(msgspec.Struct, frozen=True, gc=False):
    """Error name and cause of a Task that failed."""

    error: str
    cause: str


class InvokeParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal", gc=False):
    """The parameters of `arn:aws:states:::lambda:invoke` (connect-lambda)."""

    function_name: str
    payload: msgspec.Raw = msgspec.Raw(b"")
    invocation_type: str = "RequestResponse"
    qualifier: str = ""
    client_context: str = ""
    log_type: str = ""


def invoke_parameters(parameters: bytes) -> InvokeParameters | Failure:
    """The parameters, or why AWS could not start the Task with them."""
    try:
        return parameters_as(parameters, InvokeParameters)
    except UnusableError as error:
        return Failure("States.Runtime", str(error))


def event_of(payload: bytes) -> bytes:
    """The event that a Payload is: a text is the JSON of the event as it stands, no or a null Payload is `{}`."""
    payload = payload.strip()
    if payload[:1] == b'"':
        return msgspec.json.decode(payload, type=str).encode() or EVENT_DEFAULT
    return EVENT_DEFAULT if payload in (b"", b"null") else payload


def client_context(idempotency_key: str) -> str:
    """A ClientContext that carries the key to functions on real AWS, where headers don't reach them."""
    text = json.dumps({"custom": {"maprunIdempotencyKey": idempotency_key}}, separators=(",", ":"))
    return base64.b64encode(text.encode()).decode()


def failure_of(answer: Answer) -> Failure | None:
    """Why the call failed: the service refused it, or the function raised. None when all is well."""
    if answer.status >= HTTP_OK_BELOW:
        return _refused(answer)
    if FUNCTION_ERROR in answer.headers:
        return _raised(answer.body)
    return None


def _refused(answer: Answer) -> Failure:
    name = answer.headers.get("x-amzn-ErrorType", "").partition(":")[0]
    message = ""
    try:
        body = msgspec.json.decode(answer.body, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = answer.body[:1000].decode(errors="replace")
    else:
        message = str(body.get("message") or body.get("Message") or "")
        name = name or str(body.get("__type") or "").rpartition("#")[2]
    if not name and answer.status == HTTP_TOO_MANY_REQUESTS:
        name = "TooManyRequestsException"
    elif not name and answer.status >= HTTP_SERVER_ERROR_FIRST:
        name = "ServiceException"
    error = name if name.endswith("Exception") else "AWSLambdaException"
    request_id = answer.headers.get("x-amzn-RequestId", "null")
    details = (
        f"Service: AWSLambda; Status Code: {answer.status}; Error Code: {name or 'null'}; Request ID: {request_id}"
    )
    return Failure(f"Lambda.{error}", f"{message} ({details}; Proxy: null)")


def _raised(body: bytes) -> Failure:
    cause = body.decode(errors="replace")
    try:
        error_type = msgspec.json.decode(body, type=dict[str, object]).get("errorType")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error_type = None
    if isinstance(error_type, str) and error_type:
        return Failure(error_type, cause)
    unknown = "The cause could not be determined because Lambda did not return an error type. Returned payload: "
    return Failure("Lambda.Unknown", unknown + cause)


def payload_json(body: bytes) -> bytes:
    """A function's answer as JSON: as it is, or as a string if it is none."""
    try:
        return msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(body.decode(errors="replace"))


def invoke_result(answer: Answer) -> bytes:
    """The result of `lambda:invoke`: the members that the optimised integration gives, Payload parsed."""
    headers = dict(answer.headers.items())
    result: dict[str, object] = {"ExecutedVersion": answer.headers.get("X-Amz-Executed-Version", "$LATEST")}
    log = answer.headers.get("X-Amz-Log-Result")
    if log:
        result["LogResult"] = log
    result["Payload"] = msgspec.Raw(payload_json(answer.body))
    result["SdkHttpMetadata"] = {
        "AllHttpHeaders": {name: [value] for name, value in headers.items()},
        "HttpHeaders": headers,
        "HttpStatusCode": answer.status,
    }
    result["SdkResponseMetadata"] = {"RequestId": answer.headers.get("x-amzn-RequestId", "")}
    result["StatusCode"] = answer.status
    return msgspec.json.encode(result)
