"""AWS SDK calls as Tasks, by boto3's clients over connections that hold no threads.

`arn:aws:states:::aws-sdk:<service>:<action>` for any service that boto3 knows, and the optimised request-response
and job-starting integrations.
"""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import msgspec
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ParamValidationError,
    UnknownServiceError,
)
from botocore.response import StreamingBody
from yarl import URL

from maprun.aws.clients import REGION_DEFAULT, AwsSettings
from maprun.aws.java_names import service_name
from maprun.aws.own_calls import OWN_HEADERS, OwnSigner
from maprun.aws.parameters import unusable
from maprun.aws.roles import Roles
from maprun.aws.sdk_clients import STATES, SdkClients, foreign_queue
from maprun.aws.sdk_errors import (
    Refused,
    no_answer,
    null_members,
    refused_by_optimised,
    refused_by_sdk,
)
from maprun.aws.sdk_http import Answer, Answers, SdkHttp, UnansweredError, text
from maprun.aws.sdk_shapes import (
    OPTIMISED_SPELLING,
    SDK_SPELLING,
    Idempotency,
    UnusableMemberError,
    missing_members,
    to_request,
    to_result,
)
from maprun.aws.sigv4 import Keys
from maprun.integrations.jobs import Job
from maprun.integrations.members import at, filled, renamed
from maprun.integrations.registry import SERVICES, exists
from maprun.integrations.resources import Integration, Pattern
from maprun.integrations.service import AT_ONCE_MAX, Sent, Words
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from schemas.tokens import TokenSecret
from schemas.traces import call_headers

_SIGNED = ("content-type", "x-amz-", "amz-sdk-", "authorization", OWN_HEADERS)
"""Begin the headers of a call of this installation's API that are signed, or signed anew."""
THREADS = 4  # in which botocore computes, half a millisecond a time
REQUESTS_MAX = 8  # of one call: redirects


class Call(NamedTuple):
    """A service and an action as Resources write them, how errors are worded, and what is sent instead, if anything.

    `job` is the one that the call starts; `waits` if its Task waits for that.
    """

    service: str
    action: str
    optimised: Words | None
    sent: Sent | None = None
    job: Job | None = None
    waits: bool = False
    answer_bytes_max: int = 0  # 0 = as of every call

    def arguments(self, asked: dict[str, Any], idempotency: Idempotency) -> dict[str, Any]:
        """The parameters of the SDK's action."""
        parameters = filled(self.sent.parameters, asked=asked) if self.sent and self.sent.parameters else asked
        if self.job is None:
            return parameters
        if self.waits and self.job.marked is not None:
            parameters = self.job.marked(parameters)
        if self.job.token and at(parameters, (self.job.token,)) is None:
            parameters = {**parameters, self.job.token: idempotency.token(self.job.token)}
        return parameters


def call_of(resource: Integration) -> Call | None:
    """The SDK call that an integration is; None for one that is none."""
    if resource.is_sdk:
        return Call(resource.service, resource.action, None)
    service, action = SERVICES.get(resource.service), resource.action
    if service is None or not exists(resource) or service.words is None or action in service.own:
        return None
    waits, job = resource.pattern is Pattern.RUN_A_JOB, service.jobs.get(action)
    assert job is None or isinstance(job, Job), "a Job of Kubernetes is made by no SDK"
    return Call(service.sdk or service.name, action, service.words, service.sent.get(action), job, waits)


ASSUME_ROLE = Call("sts", "assumeRole", None)


class SdkCaller:
    """Makes SDK calls. Use within one event loop; `close` at the end. `answer_bytes_max` bounds what is read of one.

    botocore computes in a few threads; what waits for an answer holds a connection alone. So many calls of one service
    are under way, and more wait, whatever other services do.
    """

    def __init__(
        self,
        settings: AwsSettings,
        answer_bytes_max: int,
        wall_seconds: Callable[[], float],
        secret: TokenSecret | None = None,
    ) -> None:
        """With the cluster's `secret` calls of this installation's own API are signed as those of its services."""
        self._read_seconds_max = settings.read_timeout_seconds
        self._answers = Answers()
        self._clients = SdkClients(settings, self._answers)
        self._own = OwnSigner(secret, settings.region or REGION_DEFAULT, wall_seconds) if secret is not None else None
        self._http = SdkHttp(settings.task_connect_timeout_seconds, answer_bytes_max)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="botocore")
        self._rooms: dict[str, asyncio.Semaphore] = {}  # of services
        self._roles = Roles(self._assume_role, wall_seconds)

    async def close(self) -> None:
        """Closes connections and threads."""
        self._roles.close()
        await self._http.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def run(
        self, call: Call, request: TaskRequested, idempotency_key: str, headers: Mapping[str, str] | None = None
    ) -> TaskSucceeded | TaskFailed:
        """One attempt of an SDK call, with these headers beside its own. Raises AnswerTooLargeError.

        `idempotency_key` makes the tokens that the call takes and the user did not give.
        """
        keys = await self.keys_of(request)
        if isinstance(keys, Refused):
            return TaskFailed(request.ref, keys.error, keys.cause)
        outcome = await self._in_turn(
            call, request, idempotency_key, {**call_headers(request.trace), **(headers or {})}, keys
        )
        if isinstance(outcome, Refused):
            return TaskFailed(request.ref, outcome.error, outcome.cause)
        return TaskSucceeded(request.ref, outcome)

    async def keys_of(self, request: TaskRequested) -> Keys | Refused | None:
        """The keys of the role that a Task's Credentials name; None = the process's own."""
        return await self._roles.keys_of(request.role_arn) if request.role_arn else None

    async def _assume_role(self, parameters: bytes) -> bytes | Refused:
        request = TaskRequested("", f"sts:{ASSUME_ROLE.action}", parameters)
        return await self._in_turn(ASSUME_ROLE, request, "", {}, None)

    async def _in_turn(
        self,
        call: Call,
        request: TaskRequested,
        idempotency_key: str,
        headers: Mapping[str, str],
        keys: Keys | None,
    ) -> bytes | Refused:
        """Makes a call once it is its service's turn."""
        room = self._rooms.setdefault(call.service, asyncio.Semaphore(AT_ONCE_MAX))
        async with room:
            return await self._exchanged(call, request, idempotency_key, headers, keys)

    async def _exchanged(
        self,
        call: Call,
        request: TaskRequested,
        idempotency_key: str,
        headers: Mapping[str, str],
        keys: Keys | None,
    ) -> bytes | Refused:
        """Has botocore go on with the call whenever there is one answer more."""
        read_seconds = min(self._read_seconds_max, request.timeout_seconds or self._read_seconds_max)
        answers: list[Answer | BotoCoreError] = []

        def work() -> bytes | Refused | AWSPreparedRequest:
            try:
                return self._answers.during(answers, lambda: self._call(call, request, idempotency_key, keys))
            except UnansweredError as unanswered:
                return unanswered.request

        loop = asyncio.get_running_loop()
        while len(answers) < REQUESTS_MAX:
            outcome = await loop.run_in_executor(self._threads, work)
            if not isinstance(outcome, AWSPreparedRequest):
                return outcome
            outcome.headers.update(headers)
            if call.service == STATES and self._own is not None:
                self._sign(outcome, self._own)
            answer = await self._http.send(outcome, read_seconds, call.answer_bytes_max)
            if answer is not None:
                answers.append(answer)
        return Refused("States.Runtime", f"The resource {request.resource} is redirected without end")

    @staticmethod
    def _sign(request: AWSPreparedRequest, own: OwnSigner) -> None:
        """Signs a request of the services in place of botocore, which has not seen all of its headers."""
        headers = {str(name): text(value) for name, value in request.headers.items()}
        decisive = {name: value for name, value in headers.items() if name.lower().startswith(_SIGNED)}
        for name in decisive:
            del request.headers[name]
        request.headers.update(own.sign(request.method, URL(request.url, encoded=True), decisive, request.body or b""))

    def _call(self, call: Call, request: TaskRequested, idempotency_key: str, keys: Keys | None) -> bytes | Refused:
        asked = msgspec.json.decode(request.parameters)
        if not isinstance(asked, dict):
            return _unusable(request, "Parameters must be an object")
        idempotency = Idempotency(idempotency_key)
        parameters = call.arguments(asked, idempotency)
        try:
            client = self._clients.client(call.service, keys)
        except (UnknownServiceError, ValueError) as error:
            return Refused("States.Runtime", f"The resource {request.resource} can't be called: {error}")
        action = call.sent.action if call.sent else call.action
        operation = client.meta.method_to_api_mapping.get(xform_name(action))
        if operation is None:
            return Refused("States.Runtime", f"The resource {request.resource} names no action of {call.service}")
        model = client.meta.service_model.operation_model(operation)
        if model.has_event_stream_output or model.has_event_stream_input:
            return Refused(
                "States.Runtime", f"The resource {request.resource} is a stream of events, which no Task has"
            )
        shape = model.input_shape
        if call.optimised and (missing := list(missing_members(parameters, shape))):
            return null_members(missing, call.optimised, request.ref)
        try:
            arguments = to_request(parameters, shape, idempotency) if shape is not None else parameters
            outcome = self._answer(call, client, model, arguments)
        except (ParamValidationError, UnusableMemberError) as error:
            return _unusable(request, str(error))
        if isinstance(outcome, Refused):
            return outcome
        if call.sent is not None and call.sent.answer is not None:
            outcome = renamed(outcome, call.sent.answer, asked)
        return msgspec.json.encode(outcome)

    def _answer(self, call: Call, client: Any, model: Any, arguments: dict[str, Any]) -> dict[str, Any] | Refused:
        service = client.meta.service_model
        prefix = call.optimised.prefix if call.optimised else service_name(service.service_id)
        if host := foreign_queue(client, str(arguments.get("QueueUrl", ""))):
            words = f"Unable to execute HTTP request: {host} is not the endpoint of SQS in {client.meta.region_name}"
            return Refused(f"{prefix}.SdkClientException", words)
        try:
            answer = getattr(client, xform_name(model.name))(**arguments)
            return self._result(answer, model.output_shape, call)
        except ParamValidationError:
            raise
        except ClientError as error:
            if call.optimised:
                return refused_by_optimised(call.optimised, service, error)
            return refused_by_sdk(service, model.name, error)
        except (BotoCoreError, OSError) as error:
            return no_answer(prefix, error)

    def _result(self, answer: Any, shape: Any, call: Call) -> dict[str, Any] | Refused:
        meta = answer.pop("ResponseMetadata", {})
        spelling = OPTIMISED_SPELLING if call.optimised else SDK_SPELLING
        result: dict[str, Any] = to_result(answer, shape, spelling, StreamingBody.read) if shape is not None else {}
        if call.optimised and call.optimised.fault_of is not None and (fault := call.optimised.fault_of(result)):
            return Refused(fault, msgspec.json.encode(result).decode())
        if call.optimised and call.optimised.shows_http:
            headers = dict(self._answers.headers)
            result["SdkHttpMetadata"] = {
                "AllHttpHeaders": {name: [value] for name, value in headers.items()},
                "HttpHeaders": headers,
                "HttpStatusCode": meta.get("HTTPStatusCode", 200),
            }
            result["SdkResponseMetadata"] = {"RequestId": meta.get("RequestId", "")}
        return result


def _unusable(request: TaskRequested, reason: str) -> Refused:
    return Refused("States.Runtime", unusable(request.parameters, reason))
