"""Error names and causes of AWS SDK calls, in the words of the Java SDKs behind Step Functions' integrations."""

import hashlib
from functools import lru_cache
from typing import Any, NamedTuple

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from maprun.aws.errors import code_of, sdk_cause, status_of
from maprun.aws.java_names import EXCEPTION, exception_name, service_name
from maprun.integrations.service import Words

HTTP_NOT_FOUND = 404
_HEAD_ERRORS = {
    ("s3", "HeadObject"): ("NoSuchKey", "The specified key does not exist."),
    ("s3", "HeadBucket"): ("NoSuchBucket", "The specified bucket does not exist."),
}
"""What the SDK makes of a 404 to a HEAD request, whose answer has no body (S3's ExceptionTranslationInterceptor)."""


_QUERY_CODES = {"NonExistentQueue": "QueueDoesNotExist", "QueueAlreadyExists": "QueueNameExists"}
"""Codes of SQS's former Query protocol that are not the model's names; some servers give them alone."""


class Refused(NamedTuple):
    """Error name and cause of a call that can't be made or was refused."""

    error: str
    cause: str


@lru_cache(maxsize=128)
def modelled_errors(service_model: Any) -> dict[str, str]:
    """Each error that a service's model knows, by its name and by the code that is on the wire."""
    shapes = service_model.error_shapes
    return {shape.name: shape.name for shape in shapes} | {str(shape.error_code): shape.name for shape in shapes}


def refused_by_sdk(service_model: Any, operation: str, error: ClientError) -> Refused:
    """The error of an `aws-sdk` integration: `S3.NoSuchBucketException`, or `<Svc>.<Svc>Exception` if not modelled."""
    service = service_name(service_model.service_id)
    head = _HEAD_ERRORS.get((service_model.service_name, operation)) if status_of(error) == HTTP_NOT_FOUND else None
    if head is not None:
        code, message = head
        response = {**error.response, "Error": {"Code": code, "Message": message}}
        error = ClientError(response, operation)
    shape = _shape(modelled_errors(service_model), error)
    name = exception_name(shape) if shape else f"{service}{EXCEPTION}"
    return Refused(f"{service}.{name}", sdk_cause(service, error))


def refused_by_optimised(optimised: Words, service_model: Any, error: ClientError) -> Refused:
    """The error of an optimised integration, in the words of version 1 of the Java SDK."""
    code, shape = code_of(error), _shape(modelled_errors(service_model), error)
    name = f"{shape.removesuffix(EXCEPTION)}{EXCEPTION}" if shape else optimised.base_error
    meta = error.response.get("ResponseMetadata", {})
    message = error.response.get("Error", {}).get("Message", "") or code
    details = f"Service: {optimised.signature}; Status Code: {status_of(error)}; Error Code: {code}"
    cause = f"{message} ({details}; Request ID: {meta.get('RequestId') or 'null'}; Proxy: null)"
    return Refused(f"{optimised.prefix}.{name}", cause)


def _shape(modelled: dict[str, str], error: ClientError) -> str:
    """The modelled error of an answer. A service that once spoke Query names it beside the old code (SQS does)."""
    said: dict[str, Any] = dict(error.response.get("Error", {}))
    last = code_of(error).rpartition(".")[2]
    codes = (said.get("QueryErrorCode"), said.get("Code"), last, _QUERY_CODES.get(last))
    return next((modelled[code] for code in codes if code in modelled), "")


def no_answer(prefix: str, error: BotoCoreError | OSError) -> Refused:
    """A call that never got an answer."""
    return Refused(f"{prefix}.SdkClientException", f"Unable to execute HTTP request: {_words(error)}")


def _words(error: BotoCoreError | OSError) -> str:
    """The host and what the system says, as Java's SDK has it."""
    inner = getattr(error, "kwargs", {}).get("error")
    if isinstance(inner, aiohttp.ClientConnectorDNSError):
        return f"{inner.host}: Name or service not known"
    return str(error)


def null_members(names: list[str], optimised: Words, ref: str) -> Refused:
    """What a service says to members that must not be null."""
    count = len(names)
    each = "; ".join(
        f"Value null at '{name[:1].lower() + name[1:]}' failed to satisfy constraint: Member must not be null"
        for name in names
    )
    message = f"{count} validation error{'' if count == 1 else 's'} detected: {each}"
    details = f"Service: {optimised.signature}; Status Code: 400; Error Code: ValidationException"
    cause = f"{message} ({details}; Request ID: {request_id_for(ref)}; Proxy: null)"
    return Refused(f"{optimised.prefix}.{optimised.base_error}", cause)


def request_id_for(ref: str) -> str:
    """A request id for a refusal that no service ever saw, derived from the effect's own name."""
    digest = hashlib.sha256(ref.encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
