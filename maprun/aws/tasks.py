"""One attempt of a Task: from the Resource to the integration that runs it."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from maprun.aws.clients import AwsSettings
from maprun.aws.executions import ExecutionStarter
from maprun.aws.jobs import JobFollower
from maprun.aws.lambda_invoke import Begun, Done, LambdaInvoker
from maprun.aws.models import ModelInvoker
from maprun.aws.named import run_named
from maprun.aws.outcomes import OUTPUT_BYTES_MAX, bounded, failed
from maprun.aws.sdk_errors import Refused
from maprun.aws.sdk_tasks import SdkCaller, call_of
from maprun.aws.sigv4 import Keys
from maprun.aws.web.client import Watch
from maprun.aws.web.tasks import WebTasks
from maprun.integrations.jobs import Followed, JobCalls, KubernetesJob
from maprun.integrations.registry import job_of
from maprun.integrations.resources import LAMBDA_INVOKE, FunctionResource, Integration, parse_resource
from schemas.effects import SubmissionFailed, TaskFailed, TaskOutcome, TaskRequested, TaskSubmitted, TaskSucceeded
from schemas.tokens import TokenSecret


class Attempt(NamedTuple):
    """One attempt of an integration, and the keys of the role that it is made with."""

    resource: Integration
    request: TaskRequested
    key: str  # the idempotency key
    role: Keys | None
    watch: Watch | None


Caller = Callable[[Attempt], Awaitable[TaskSucceeded | TaskFailed]]


class TaskRunner:
    """Runs attempts of Tasks. Make and use it within one event loop; `close` at the end.

    A failure of any kind comes back as TaskFailed with AWS's error name, a bug as States.Runtime: raised, it would end
    the process, which would start the same attempt again when it comes back, for ever.
    """

    def __init__(
        self,
        settings: AwsSettings,
        wall_seconds: Callable[[], float],
        monotonic: Callable[[], float],
        secret: TokenSecret | None = None,
    ) -> None:
        """`secret` is the cluster's, which signs calls of its own API; None: those of a process without a cluster."""
        self._lambda = LambdaInvoker(settings, wall_seconds, monotonic)
        self._sdk = SdkCaller(settings, OUTPUT_BYTES_MAX, wall_seconds, secret)
        self._models = ModelInvoker(self._sdk)
        self._executions = ExecutionStarter(self._sdk, monotonic)
        self._web = WebTasks(settings, OUTPUT_BYTES_MAX, wall_seconds, monotonic)
        self._jobs = JobFollower(self._sdk)
        self._own = self._callers()

    async def run_task(self, request: TaskRequested, idempotency_key: str, watch: Watch | None = None) -> TaskOutcome:
        """What comes of the call of one attempt; that of one which waits for a callback is its submission."""
        known = await self.call(request, idempotency_key, watch)
        if not request.callback:
            return known
        if isinstance(known, TaskSucceeded):
            return TaskSubmitted(request.ref, known.output)
        return SubmissionFailed(request.ref, known.error, known.cause)

    async def call(
        self, request: TaskRequested, idempotency_key: str, watch: Watch | None = None
    ) -> TaskSucceeded | TaskFailed:
        """The call; the callee gets `idempotency_key`, the same for every repeat of this attempt.

        `watch` is shown what goes over the wire for an `http:invoke`.
        """
        try:
            outcome = await self._attempt(request, idempotency_key, watch)
        except Exception as error:  # noqa: BLE001 - the attempt's dead letter: it fails, and says why
            outcome = failed(request, error)
        return bounded(outcome, request.state)

    def begin_task(self, request: TaskRequested, idempotency_key: str, done: Done, of: object) -> Begun | None:
        """Begins the call of an attempt whose answer takes no coroutine to wait for; None for all others.

        `done` is called once, later, with `of` and what `run_task` would give, unless the call is cancelled before.
        """
        if request.role_arn or request.callback:
            return None
        resource = parse_resource(request.resource)
        if resource == LAMBDA_INVOKE:
            return self._lambda.begin_invoke(request, idempotency_key, done, of)
        if isinstance(resource, FunctionResource):
            return self._lambda.begin_function(request, idempotency_key, done, of)
        return None

    async def _attempt(
        self, request: TaskRequested, idempotency_key: str, watch: Watch | None
    ) -> TaskSucceeded | TaskFailed:
        role = await self._sdk.keys_of(request)
        if isinstance(role, Refused):
            return TaskFailed(request.ref, role.error, role.cause)
        resource = parse_resource(request.resource)
        if isinstance(resource, FunctionResource):
            return await self._lambda.run_function(request, idempotency_key, role)
        if isinstance(resource, Integration):
            own = None if resource.is_sdk else self._own.get(f"{resource.service}:{resource.action}")
            if own is not None:
                return await own(Attempt(resource, request, idempotency_key, role, watch))
            call = call_of(resource)
            if call is not None and call.sent is not None and call.sent.by_name is not None:
                return await run_named(self._sdk, call, call.sent.by_name, request, idempotency_key)
            if call is not None:
                return await self._sdk.run(call, request, idempotency_key)
        # The interpreter asks for no such call; an execution of an earlier version may have.
        unsupported = f"This version of maprun doesn't support the resource {request.resource}"
        return TaskFailed(request.ref, "States.Runtime", unsupported)

    def _callers(self) -> dict[str, Caller]:
        """The optimised integrations that are no call of an SDK: service and action, and who makes it."""
        web = self._web
        return {
            "lambda:invoke": lambda a: self._lambda.run_invoke(a.request, a.key, a.role),
            "states:startExecution": lambda a: self._executions.start(a.resource, a.request, a.key),
            "http:invoke": lambda a: web.invoke_http(a.request, a.key, a.watch),
            "apigateway:invoke": lambda a: web.invoke_gateway(a.request, a.key, a.role),
            "eks:call": lambda a: web.call_cluster(a.request, a.role),
            "eks:runJob": lambda a: web.start_job(a.request, a.key, a.role),
            "bedrock:invokeModel": lambda a: self._models.invoke(a.request, a.key),
        }

    @property
    def job_calls(self) -> JobCalls:
        """The calls about jobs that Tasks wait for."""
        return JobCalls(self._look, self._stop)

    async def _look(self, followed: Followed) -> TaskSucceeded | TaskFailed | None:
        request = followed.request
        try:
            outcome = await self._looked(followed)
        except Exception as error:  # noqa: BLE001 - as of a call: the attempt fails, and says why
            outcome = failed(request, error)
        return None if outcome is None else bounded(outcome, request.state)

    async def _looked(self, followed: Followed) -> TaskSucceeded | TaskFailed | None:
        if not isinstance(job_of(followed.request.resource), KubernetesJob):
            return await self._jobs.look(followed)
        role = await self._sdk.keys_of(followed.request)
        if isinstance(role, Refused):
            return TaskFailed(followed.request.ref, role.error, role.cause)
        return await self._web.cluster_jobs.look(followed, role)

    async def _stop(self, followed: Followed) -> None:
        if not isinstance(job_of(followed.request.resource), KubernetesJob):
            return await self._jobs.stop(followed)
        role = await self._sdk.keys_of(followed.request)
        return None if isinstance(role, Refused) else await self._web.cluster_jobs.stop(followed, role)

    async def close(self) -> None:
        """Closes connections and threads."""
        await self._lambda.close()
        await self._sdk.close()
        await self._web.close()
