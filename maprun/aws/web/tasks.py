"""The Tasks of this room, over one client: from a request of the interpreter to its outcome."""

from collections.abc import Callable, Coroutine

from maprun.aws.clients import REGION_DEFAULT, AwsSettings, make_session
from maprun.aws.lambda_http import IDEMPOTENCY_HEADER
from maprun.aws.signing import Signers
from maprun.aws.sigv4 import Keys
from maprun.aws.web.addresses import AddressGuard
from maprun.aws.web.client import Watch, WebClient
from maprun.aws.web.cluster_call import call_cluster
from maprun.aws.web.cluster_jobs import ClusterJobs
from maprun.aws.web.clusters import Clusters
from maprun.aws.web.connections import Connections
from maprun.aws.web.failures import TaskError
from maprun.aws.web.gateway_invoke import GatewayInvoker, Gateways
from maprun.aws.web.http_invoke import HttpInvoker
from maprun.aws.web.tokens import Tokens
from maprun.runtime.settings import allowed_of, gateways_of
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from schemas.traces import call_headers


class WebTasks:
    """Calls APIs for Tasks. Use within one event loop; `close` at the end. `answer_bytes_max` bounds what is read."""

    def __init__(
        self,
        settings: AwsSettings,
        answer_bytes_max: int,
        wall_seconds: Callable[[], float],
        monotonic: Callable[[], float],
    ) -> None:
        allowed = allowed_of(settings.http_task_allow)
        self._answer_bytes_max = answer_bytes_max
        self._client = WebClient(AddressGuard(allowed.networks), allowed.origins)
        self._tokens = Tokens(self._client, monotonic)
        connections = Connections(settings.connections_file, monotonic)
        region = settings.region or REGION_DEFAULT
        self._http = HttpInvoker(self._client, connections, self._tokens, region)

        def signers_for(service: str) -> Signers:
            return Signers(lambda: make_session(settings).get_credentials(), service, wall_seconds, monotonic)

        self._gateway = GatewayInvoker(
            self._client, Gateways(gateways_of(settings.apigateway_endpoints), region), signers_for("execute-api")
        )
        self._clusters = Clusters(self._client, allowed.origins, signers_for("sts"), region)
        self.cluster_jobs = ClusterJobs(self._clusters, answer_bytes_max)

    async def close(self) -> None:
        """Closes connections and threads."""
        self._tokens.close()
        await self._client.close()

    async def invoke_http(
        self, request: TaskRequested, idempotency_key: str, watch: Watch | None = None
    ) -> TaskSucceeded | TaskFailed:
        """One attempt of `http:invoke`. Raises AnswerTooLargeError."""
        extra = {IDEMPOTENCY_HEADER: idempotency_key, **call_headers(request.trace)}
        return await _outcome(request, self._http.invoke(request.parameters, extra, self._answer_bytes_max, watch))

    async def invoke_gateway(
        self, request: TaskRequested, idempotency_key: str, role: Keys | None = None
    ) -> TaskSucceeded | TaskFailed:
        """One attempt of `apigateway:invoke`, with the process's keys or a role's. Raises AnswerTooLargeError."""
        extra = {IDEMPOTENCY_HEADER: idempotency_key, **call_headers(request.trace)}
        return await _outcome(request, self._gateway.invoke(request.parameters, extra, self._answer_bytes_max, role))

    async def call_cluster(self, request: TaskRequested, role: Keys | None = None) -> TaskSucceeded | TaskFailed:
        """One attempt of `eks:call`, with the process's keys or a role's. Raises AnswerTooLargeError."""
        return await _outcome(request, call_cluster(self._clusters, request.parameters, role, self._answer_bytes_max))

    async def start_job(
        self, request: TaskRequested, idempotency_key: str, role: Keys | None = None
    ) -> TaskSucceeded | TaskFailed:
        """One attempt of `eks:runJob`. Raises AnswerTooLargeError."""
        return await _outcome(request, self.cluster_jobs.start(request.parameters, role, idempotency_key))


async def _outcome(request: TaskRequested, call: Coroutine[None, None, bytes]) -> TaskSucceeded | TaskFailed:
    try:
        return TaskSucceeded(request.ref, await call)
    except TaskError as error:
        return TaskFailed(request.ref, error.error, error.cause)
