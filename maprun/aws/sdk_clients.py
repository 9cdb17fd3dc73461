"""boto3 clients for SDK Tasks: made at first use, a bounded number kept; what they send is sent for them."""

import threading
from collections import OrderedDict
from typing import Any
from urllib.parse import urlsplit

from botocore.exceptions import UnknownServiceError
from botocore.handlers import generate_idempotent_uuid

from maprun.aws.clients import AwsSettings, client_config, make_session
from maprun.aws.java_names import botocore_name
from maprun.aws.sdk_http import Answers
from maprun.aws.sigv4 import Keys

CLIENTS_MAX = 128
STATES = "states"
"""The optimised integration of Step Functions with itself; `sfn` and `stepfunctions` are the SDK's."""


class SdkClients:
    """Clients by service. Safe in threads.

    Where a service is comes from the settings, the environment and botocore alone, never from a Task's parameters: a
    definition must not lead a call, and the keys that sign it, to a host of its choice.
    """

    def __init__(self, settings: AwsSettings, answers: Answers, clients_max: int = CLIENTS_MAX) -> None:
        self._settings = settings
        self._answers = answers
        self._clients_max = clients_max
        self._session = make_session(settings)
        self._services = frozenset(self._session.get_available_services())
        self._clients: OrderedDict[tuple[str, Keys | None], Any] = OrderedDict()
        self._lock = threading.Lock()  # making clients from one session isn't safe in threads

    def client(self, package: str, keys: Keys | None = None) -> Any:
        """A client for a service as Resources write it, with a role's keys or the process's own.

        New keys of a role make a new client; the old one goes with those that are unused. Raises UnknownServiceError.
        """
        service = botocore_name(package, self._services)
        if service not in self._services and service != STATES:
            raise UnknownServiceError(service_name=package, known_service_names="see the AWS SDK for Python")
        with self._lock:
            client = self._clients.get((service, keys))
            if client is None:
                client = self._clients[service, keys] = self._made(service, keys)
            self._clients.move_to_end((service, keys))
            if len(self._clients) > self._clients_max:
                self._clients.popitem(last=False)
            return client

    def _made(self, service: str, keys: Keys | None) -> Any:
        settings = self._settings
        named = {"s3": settings.s3_endpoint, "lambda": settings.lambda_endpoint, STATES: settings.states_endpoint}
        endpoint = named.get(service, settings.sdk_endpoint)
        service = "stepfunctions" if service == STATES else service
        with_keys = {}
        if keys is not None:
            with_keys = {
                "aws_access_key_id": keys.access_key_id,
                "aws_secret_access_key": keys.secret_access_key,
                "aws_session_token": keys.token,
            }
        client = self._session.client(
            service, endpoint_url=endpoint or None, config=client_config(settings), **with_keys
        )
        self._answers.bind(client)
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
