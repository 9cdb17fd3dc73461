"""AWS SDK calls as Tasks, through boto3 in a bounded pool of threads.

`arn:aws:states:::aws-sdk:<service>:<action>` for any service that boto3 knows, and the optimised request-response
integrations of DynamoDB, SQS, SNS and EventBridge.
"""

import asyncio
import concurrent.futures
import os
import threading
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec
from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError, UnknownServiceError
from urllib3.exceptions import NameResolutionError

from maprun.aws.clients import AwsSettings, client_config, make_session
from maprun.aws.sdk_shapes import (
    OPTIMISED,
    SERVICE_NAMES,
    Optimised,
    Refused,
    java_name,
    missing_members,
    null_members,
    refused_by_optimised,
    refused_by_sdk,
    snake,
    to_request,
    to_result,
)
from maprun.language.resources import Integration, Pattern
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

THREADS_MAX = 32


class Call(NamedTuple):
    """What a Resource means: a service and an operation of botocore's, and how errors are worded."""

    service: str
    action: str
    optimised: Optimised | None


def call_of(resource: Integration) -> Call | None:
    """The SDK call that an integration is; None for one that is none, or waits for a callback or a job."""
    if resource.pattern is not Pattern.REQUEST_RESPONSE:
        return None
    if resource.is_sdk:
        return Call(SERVICE_NAMES.get(resource.service, resource.service), resource.action, None)
    optimised = OPTIMISED.get(resource.service)
    return Call(optimised.service, resource.action, optimised) if optimised is not None else None


class SdkCaller:
    """Makes SDK calls; clients are made at first use and kept. `close` at the end."""

    def __init__(self, settings: AwsSettings) -> None:
        self._settings = settings
        self._session = make_session(settings)
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()  # making clients from one session isn't safe in threads
        self._pool = concurrent.futures.ThreadPoolExecutor(THREADS_MAX, thread_name_prefix="sdk-task")

    def close(self) -> None:
        """Lets the calls under way end on their own and takes no more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def run(self, call: Call, request: TaskRequested) -> TaskSucceeded | TaskFailed:
        """One attempt of an SDK call."""
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(self._pool, self._call, call, request)
        if isinstance(outcome, Refused):
            return TaskFailed(request.ref, outcome.error, outcome.cause)
        return TaskSucceeded(request.ref, outcome)

    def _call(self, call: Call, request: TaskRequested) -> bytes | Refused:
        parameters = msgspec.json.decode(request.parameters)
        if not isinstance(parameters, dict):
            return _unusable(request, "Parameters must be an object")
        try:
            client = self._client(call.service, _queue_endpoint(call.service, parameters))
        except (UnknownServiceError, ValueError) as error:
            return Refused("States.Runtime", f"The resource {request.resource} can't be called: {error}")
        operation = client.meta.method_to_api_mapping.get(snake(call.action))
        if operation is None:
            return Refused("States.Runtime", f"The resource {request.resource} names no action of {call.service}")
        shape = client.meta.service_model.operation_model(operation).input_shape
        if call.optimised and (missing := list(missing_members(parameters, shape))):
            return null_members(missing, call.optimised, request.ref)
        java = java_name(client.meta.service_model.service_id)
        modelled = frozenset(str(error.error_code) for error in client.meta.service_model.error_shapes)
        try:
            answer = getattr(client, snake(call.action))(**to_request(parameters, shape))
            return self._result(answer, call)
        except ParamValidationError as error:
            return _unusable(request, str(error))
        except ClientError as error:
            if call.optimised:
                return refused_by_optimised(call.optimised, modelled, error)
            return refused_by_sdk(java, modelled, error)
        except (BotoCoreError, OSError) as error:
            prefix = call.optimised.prefix if call.optimised else java
            return Refused(f"{prefix}.SdkClientException", f"Unable to execute HTTP request: {_words(error)}")

    def _result(self, answer: Any, call: Call) -> bytes:
        meta = answer.pop("ResponseMetadata", {})
        result = to_result(answer)
        if call.optimised:
            headers = {str(name): str(value) for name, value in meta.get("HTTPHeaders", {}).items()}
            result["SdkHttpMetadata"] = {
                "AllHttpHeaders": {name: [value] for name, value in headers.items()},
                "HttpHeaders": headers,
                "HttpStatusCode": meta.get("HTTPStatusCode", 200),
            }
            result["SdkResponseMetadata"] = {"RequestId": meta.get("RequestId", "")}
        return msgspec.json.encode(result)

    def _client(self, service: str, endpoint: str) -> Any:
        with self._lock:
            client = self._clients.get((service, endpoint))
            if client is None:
                named = self._settings.s3_endpoint if service == "s3" else ""
                named = self._settings.lambda_endpoint if service == "lambda" else named
                config = client_config(self._settings)
                client = self._session.client(service, endpoint_url=endpoint or named or None, config=config)
                self._clients[service, endpoint] = client
            return client


def _queue_endpoint(service: str, parameters: dict[str, Any]) -> str:
    """AWS's SDK calls SQS at the address in QueueUrl; so it is here, unless the environment names an endpoint."""
    url = parameters.get("QueueUrl")
    if service != "sqs" or not isinstance(url, str) or not url.startswith(("http://", "https://")):
        return ""
    if os.environ.get("AWS_ENDPOINT_URL_SQS") or os.environ.get("AWS_ENDPOINT_URL"):
        return ""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _unusable(request: TaskRequested, reason: str) -> Refused:
    given = request.parameters.decode(errors="replace")
    return Refused("States.Runtime", f"The Parameters '{given}' could not be used to start the Task: [{reason}]")


def _words(error: BotoCoreError | OSError) -> str:
    """The host and what the system says, as Java's SDK has it."""
    inner = getattr(error, "kwargs", {}).get("error")
    for reason in (inner, getattr(inner, "reason", None)):
        if isinstance(reason, NameResolutionError):
            host = urlsplit(str(getattr(error, "kwargs", {}).get("endpoint_url", ""))).hostname
            return f"{host}: Name or service not known"
    return str(error)
