"""Functions invoked for Tasks: over one connection where the host offers it, else by Lambda's Invoke call."""

from collections.abc import Callable

import aiohttp

from maprun.aws.clients import AwsSettings
from maprun.aws.function_endpoints import FunctionEndpoints
from maprun.aws.lambda_answers import (
    Answer,
    Failure,
    InvokeParameters,
    event_of,
    failure_of,
    invoke_parameters,
    invoke_result,
    payload_json,
)
from maprun.aws.sigv4 import Keys
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

# A synchronous function may run for 15 minutes; nothing answers after that.
ANSWER_SECONDS_MAX = 15 * 60 + 30


class LambdaInvoker:
    """Invokes functions for Tasks. Use within one event loop; `close` at the end.

    `wall_seconds` gives epoch seconds for signatures, `monotonic` seconds that never go back.
    """

    def __init__(
        self,
        settings: AwsSettings,
        wall_seconds: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        self._endpoints = FunctionEndpoints(settings, wall_seconds, monotonic)

    async def close(self) -> None:
        """Closes connections."""
        await self._endpoints.close()

    async def run_invoke(
        self, request: TaskRequested, idempotency_key: str, role: Keys | None = None
    ) -> TaskSucceeded | TaskFailed:
        """One attempt of `arn:aws:states:::lambda:invoke`, with the process's keys or a role's."""
        parameters = invoke_parameters(request.parameters)
        if isinstance(parameters, Failure):
            return TaskFailed(request.ref, parameters.error, parameters.cause)
        event = event_of(bytes(parameters.payload))
        answer = await self._invoke(parameters, event, request.timeout_seconds, idempotency_key, role)
        if isinstance(answer, Failure):
            return TaskFailed(request.ref, answer.error, answer.cause)
        return TaskSucceeded(request.ref, invoke_result(answer))

    async def run_function(
        self, request: TaskRequested, idempotency_key: str, role: Keys | None = None
    ) -> TaskSucceeded | TaskFailed:
        """One attempt of a Task whose Resource is a function's ARN: its input is the payload, its answer the output."""
        parameters = InvokeParameters(request.resource)
        answer = await self._invoke(parameters, request.parameters, request.timeout_seconds, idempotency_key, role)
        if isinstance(answer, Failure):
            return TaskFailed(request.ref, answer.error, answer.cause)
        return TaskSucceeded(request.ref, payload_json(answer.body))

    async def _invoke(
        self,
        parameters: InvokeParameters,
        body: bytes,
        timeout_seconds: int,
        idempotency_key: str,
        role: Keys | None,
    ) -> Answer | Failure:
        seconds_max = timeout_seconds or ANSWER_SECONDS_MAX
        endpoint = self._endpoints.of(parameters.function_name)
        try:
            stream = None if role else endpoint.streams.stream or await endpoint.streams.offered()
            if stream is not None and parameters.invocation_type == "RequestResponse":
                answer = await stream.invoke(parameters, body, seconds_max, idempotency_key)
            else:
                answer = await endpoint.http.invoke(parameters, body, seconds_max, idempotency_key, role)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return Failure("Lambda.SdkClientException", f"Unable to execute HTTP request: {_words(error)}")
        return failure_of(answer) or answer


def _words(error: Exception) -> str:
    """What Java's SDK would say: `connect timed out`, `Read timed out`, or the system's own words."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connect timed out"
    if isinstance(error, TimeoutError):
        return "Read timed out"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "The target server failed to respond"
    return str(error) or type(error).__name__
