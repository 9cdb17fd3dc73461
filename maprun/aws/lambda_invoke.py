"""Functions invoked for Tasks: over one connection where the host offers it, else by Lambda's Invoke call."""

from collections.abc import Callable
from typing import Any

import aiohttp

from maprun.aws.clients import AwsSettings
from maprun.aws.function_endpoints import FunctionEndpoints
from maprun.aws.invocation_stream import InvocationStream, answer_of
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
from maprun.aws.outcomes import bounded, failed
from maprun.aws.sigv4 import Keys
from schemas.effects import TaskFailed, TaskOutcome, TaskRequested, TaskSucceeded
from schemas.invocations import EXECUTION_HEADER, Answered
from schemas.traces import call_headers

# A synchronous function may run for 15 minutes; nothing answers after that.
ANSWER_SECONDS_MAX = 15 * 60 + 30


Done = Callable[[Any, TaskOutcome], None]
"""Hears the outcome of a call, and of what it is."""


class Begun:
    """The invocation of a Task that no coroutine waits for."""

    __slots__ = ("_done", "_number", "_of", "_output", "_request", "_stream")

    def __init__(
        self,
        stream: InvocationStream,
        request: TaskRequested,
        output: Callable[[Answer], bytes],
        done: Done,
        of: object,
    ) -> None:
        self._stream = stream
        self._number = 0
        self._request = request
        self._output = output
        self._done = done
        self._of = of

    def begin(self, parameters: InvokeParameters, event: bytes, idempotency_key: str) -> None:
        """Sends it."""
        seconds_max = self._request.timeout_seconds or ANSWER_SECONDS_MAX
        trace, execution = self._request.trace, self._request.execution
        self._number = self._stream.begin(parameters, event, seconds_max, idempotency_key, self, trace, execution)

    def cancel(self) -> None:
        """Gives the answer up: nobody hears of it any more."""
        self._stream.give_up(self._number)

    def came(self, answered: Answered | OSError) -> None:
        """The answer, or the error in its place."""
        request = self._request
        outcome: TaskSucceeded | TaskFailed
        try:
            if isinstance(answered, OSError):
                outcome = _outcome(request.ref, _no_answer(answered), self._output)
            else:
                answer = answer_of(answered)
                outcome = _outcome(request.ref, failure_of(answer) or answer, self._output)
        except Exception as error:  # noqa: BLE001 - the attempt's dead letter: it fails, and says why
            outcome = failed(request, error)
        self._done(self._of, bounded(outcome, request.state))


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
        answer = await self._invoke(parameters, event, request, idempotency_key, role)
        return _outcome(request.ref, answer, invoke_result)

    async def run_function(
        self, request: TaskRequested, idempotency_key: str, role: Keys | None = None
    ) -> TaskSucceeded | TaskFailed:
        """One attempt of a Task whose Resource is a function's ARN: its input is the payload, its answer the output."""
        parameters = InvokeParameters(request.resource)
        answer = await self._invoke(parameters, request.parameters, request, idempotency_key, role)
        return _outcome(request.ref, answer, _payload)

    def begin_invoke(self, request: TaskRequested, idempotency_key: str, done: Done, of: object) -> Begun | None:
        """Begins what `run_invoke` does, if that takes no coroutine."""
        parameters = invoke_parameters(request.parameters)
        if isinstance(parameters, Failure):
            return None
        begun = self._begun(parameters, request, invoke_result, done, of)
        if begun is not None:
            begun.begin(parameters, event_of(bytes(parameters.payload)), idempotency_key)
        return begun

    def begin_function(self, request: TaskRequested, idempotency_key: str, done: Done, of: object) -> Begun | None:
        """Begins what `run_function` does, if that takes no coroutine."""
        parameters = InvokeParameters(request.resource)
        begun = self._begun(parameters, request, _payload, done, of)
        if begun is not None:
            begun.begin(parameters, request.parameters, idempotency_key)
        return begun

    def _begun(
        self,
        parameters: InvokeParameters,
        request: TaskRequested,
        output: Callable[[Answer], bytes],
        done: Done,
        of: object,
    ) -> Begun | None:
        """What can be sent at once over a stream; None where there is none."""
        stream = self._endpoints.of(parameters.function_name).streams.stream
        if stream is None or parameters.invocation_type != "RequestResponse":
            return None
        return Begun(stream, request, output, done, of)

    async def _invoke(
        self,
        parameters: InvokeParameters,
        body: bytes,
        request: TaskRequested,
        idempotency_key: str,
        role: Keys | None,
    ) -> Answer | Failure:
        seconds_max = request.timeout_seconds or ANSWER_SECONDS_MAX
        endpoint = self._endpoints.of(parameters.function_name)
        try:
            stream = None if role else endpoint.streams.stream or await endpoint.streams.offered()
            if stream is not None and parameters.invocation_type == "RequestResponse":
                answer = await stream.invoke(
                    parameters, body, seconds_max, idempotency_key, request.trace, request.execution
                )
            else:
                beside = call_headers(request.trace)
                if request.execution:
                    beside[EXECUTION_HEADER] = request.execution
                answer = await endpoint.http.invoke(parameters, body, seconds_max, idempotency_key, role, beside)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return _no_answer(error)
        return failure_of(answer) or answer


def _outcome(ref: str, answer: Answer | Failure, output: Callable[[Answer], bytes]) -> TaskSucceeded | TaskFailed:
    if isinstance(answer, Failure):
        return TaskFailed(ref, answer.error, answer.cause)
    return TaskSucceeded(ref, output(answer))


def _payload(answer: Answer) -> bytes:
    return payload_json(answer.body)


def _no_answer(error: Exception) -> Failure:
    return Failure("Lambda.SdkClientException", f"Unable to execute HTTP request: {_words(error)}")


def _words(error: Exception) -> str:
    """What Java's SDK would say: `connect timed out`, `Read timed out`, or the system's own words."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "connect timed out"
    if isinstance(error, TimeoutError):
        return "Read timed out"
    if isinstance(error, aiohttp.ServerDisconnectedError):
        return "The target server failed to respond"
    return str(error) or type(error).__name__
