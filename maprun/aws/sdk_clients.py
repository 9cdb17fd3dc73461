"""boto3 clients for SDK Tasks: made at first use, a bounded number kept, each with its answers bounded."""

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from botocore.config import Config
from botocore.exceptions import UnknownServiceError
from botocore.handlers import generate_idempotent_uuid

from maprun.aws.bounded_http import AnswerLimits
from maprun.aws.clients import AwsSettings, client_config, make_session
from maprun.aws.java_names import botocore_name

CLIENTS_MAX = 128
STATES = "states"
"""The optimised integration of Step Functions with itself; `sfn` and `stepfunctions` are the SDK's."""
READ_SECONDS = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""A call that may take so long, or less, gives up reading then; one without a time-out as the settings say."""


class Headers:
    """Headers that the present call of each thread has beside its own."""

    def __init__(self) -> None:
        self._own = threading.local()

    def set(self, headers: Mapping[str, str]) -> None:
        """Those of this thread's next call."""
        self._own.headers = headers

    def bind(self, client: Any) -> None:
        """Has the client's calls carry them: where a call of botocore has one already, that one is replaced."""
        client.meta.events.register_last("before-send.*.*", self._add)

    def _add(self, request: Any, **_more: Any) -> None:
        for name, value in getattr(self._own, "headers", {}).items():
            request.headers[name] = value


class SdkClients:
    """Clients by service and time-out. Safe in threads.

    Where a service is comes from the settings, the environment and botocore alone, never from a Task's parameters: a
    definition must not lead a call, and the keys that sign it, to a host of its choice.
    """

    def __init__(
        self, settings: AwsSettings, limits: AnswerLimits, connections_max: int, clients_max: int = CLIENTS_MAX
    ) -> None:
        self._settings = settings
        self._limits = limits
        self._connections_max = connections_max
        self._clients_max = clients_max
        self._session = make_session(settings)
        self._services = frozenset(self._session.get_available_services())
        self.headers = Headers()
        self._clients: OrderedDict[tuple[str, float], Any] = OrderedDict()
        self._lock = threading.Lock()  # making clients from one session isn't safe in threads

    def client(self, package: str, timeout_seconds: int) -> Any:
        """A client for a service as Resources write it. Raises UnknownServiceError."""
        service = botocore_name(package, self._services)
        if service not in self._services and service != STATES:
            raise UnknownServiceError(service_name=package, known_service_names="see the AWS SDK for Python")
        key = service, self._read_seconds(timeout_seconds)
        with self._lock:
            client = self._clients.get(key)
            if client is None:
                client = self._clients[key] = self._made(*key)
            self._clients.move_to_end(key)
            if len(self._clients) > self._clients_max:
                self._clients.popitem(last=False)
            return client

    def _read_seconds(self, timeout_seconds: int) -> float:
        most = self._settings.read_timeout_seconds
        if not timeout_seconds:
            return most
        return min(most, next((bound for bound in READ_SECONDS if bound >= timeout_seconds), most))

    def _made(self, service: str, read_seconds: float) -> Any:
        settings = self._settings
        named = {"s3": settings.s3_endpoint, "lambda": settings.lambda_endpoint, STATES: settings.states_endpoint}
        endpoint = named.get(service, settings.sdk_endpoint)
        service = "stepfunctions" if service == STATES else service
        config = client_config(settings).merge(
            Config(
                read_timeout=read_seconds,
                connect_timeout=min(settings.connect_timeout_seconds, read_seconds),
                max_pool_connections=self._connections_max,
            ),
        )
        client = self._session.client(service, endpoint_url=endpoint or None, config=config)
        self._limits.bound(client)
        self.headers.bind(client)
        # A token drawn at random would be another one when a call is made again, and the service would do it twice.
        client.meta.events.unregister("before-parameter-build", generate_idempotent_uuid)
        return client


def foreign_queue(client: Any, queue_url: str) -> str:
    """The host of a QueueUrl that the client would not call, where that matters; else nothing.

    AWS's SDK calls SQS at the host in QueueUrl. Here the call goes to the endpoint that is configured, whatever the URL
    says; without one it goes to AWS, and then a URL of another host or Region names a queue that is not there.
    """
    host = urlsplit(queue_url).hostname
    endpoint = urlsplit(str(client.meta.endpoint_url)).hostname or ""
    region = client.meta.region_name
    suffixes = ("amazonaws.com", "amazonaws.com.cn", "api.aws", "amazonaws.eu")
    if host is None or host == endpoint or not endpoint.endswith(suffixes):
        return ""
    own = {
        f"{name}.{suffix}" for name in (f"sqs.{region}", f"sqs-fips.{region}", f"{region}.queue") for suffix in suffixes
    }
    if region == "us-east-1":
        own.add("queue.amazonaws.com")
    return "" if host in own else host
