"""boto3 clients from boto3's own settings, made on request and never at import."""

import threading
from collections.abc import Callable
from typing import Any

import boto3.session
import msgspec
from botocore.config import Config

from maprun.aws.answers import refuse_pages
from maprun.aws.light_gets import SMALL_BYTES_MAX, LightGets
from maprun.aws.retry import FailedAttempt, Retry
from maprun.runtime.settings import Settings

REGION_DEFAULT = "us-east-1"


class AwsSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What this room must know beside boto3's own environment (AWS_ENDPOINT_URL[_S3|_LAMBDA|…], AWS_REGION, keys).

    An empty text leaves the value to boto3. Endpoints given here win over the environment: tests and the local stack
    name them without touching the process's environment.
    """

    region: str = ""
    access_key_id: str = ""
    secret_access_key: str = ""
    s3_endpoint: str = ""
    lambda_endpoint: str = ""
    function_endpoints: str = ""  # of functions that are elsewhere, see `function_endpoints`
    states_endpoint: str = ""  # of `states:startExecution`: this installation's own API
    sdk_endpoint: str = ""  # of every other service that Tasks call
    connections_file: str = ""  # see `web.connections`
    apigateway_endpoints: str = ""  # see `runtime.settings.gateways_of`
    http_task_allow: str = ""  # see `runtime.settings.allowed_of`
    connections_max: int = 32
    lambda_connections_max: int = 1000  # calls beyond wait in the pool; each takes a file descriptor
    # boto3's own. It goes on while a loop that begins thousands of calls doesn't look at its sockets: 5 s failed calls
    # to a callee that was there.
    task_connect_timeout_seconds: float = 60.0
    connect_timeout_seconds: float = 5.0
    read_timeout_seconds: float = 60.0


def settings_of_tasks(settings: Settings) -> AwsSettings:
    """Where the Tasks of a process call, by the process's settings."""
    return AwsSettings(
        region=settings.region,
        s3_endpoint=settings.s3,
        lambda_endpoint=settings.functions,
        function_endpoints=settings.function_endpoints,
        states_endpoint=settings.api,
        connections_file=settings.connections_file,
        apigateway_endpoints=settings.apigateway_endpoints,
        http_task_allow=settings.http_task_allow,
        lambda_connections_max=settings.task_connections_max,
    )


class S3(msgspec.Struct, frozen=True):
    """A boto3 S3 client together with the policy by which its calls are made again."""

    client: Any
    retry: Retry
    light: LightGets | None = None  # of a process that reads many small objects
    own: Any = msgspec.field(default_factory=threading.local)  # marks a thread's calls that hooks of this room change

    @property
    def endpoint(self) -> str:
        """Where it is, for people."""
        return str(self.client.meta.endpoint_url)

    def get_object(self, arguments: dict[str, Any], bytes_max: int) -> Any:
        """Botocore's answer to GetObject of a range of so many bytes, or the light path's."""
        if self.light is not None and bytes_max <= SMALL_BYTES_MAX:
            answer = self.light.get(arguments)
            if answer is not None:
                return answer
        return self.client.get_object(**arguments)


def make_session(settings: AwsSettings) -> boto3.session.Session:
    """A session with the settings' keys and region, the rest from boto3's own sources."""
    session = boto3.session.Session(
        aws_access_key_id=settings.access_key_id or None,
        aws_secret_access_key=settings.secret_access_key or None,
        region_name=settings.region or None,
    )
    if session.region_name:
        return session
    return boto3.session.Session(
        aws_access_key_id=settings.access_key_id or None,
        aws_secret_access_key=settings.secret_access_key or None,
        region_name=REGION_DEFAULT,
    )


def client_config(settings: AwsSettings) -> Config:
    """One attempt a call (`Retry` makes the others, so that pauses are injected and counted once), path style."""
    return Config(
        s3={"addressing_style": "path"},
        retries={"mode": "standard", "total_max_attempts": 1},
        max_pool_connections=settings.connections_max,
        connect_timeout=settings.connect_timeout_seconds,
        read_timeout=settings.read_timeout_seconds,
        # The default sends aws-chunked bodies with trailing checksums, which costs a pass over every part and which
        # not every S3 understands; parts are checked by their MD5 ETags here.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        inject_host_prefix=False,
    )


def make_s3(
    settings: AwsSettings,
    sleep: Callable[[float], object],
    chance: Callable[[], float],
    warn: Callable[[FailedAttempt], None] = lambda _failed: None,
    wall_seconds: Callable[[], float] | None = None,
) -> S3:
    """An S3 client; `sleep` takes seconds, `chance` gives a number in [0, 1), `warn` hears of calls made again.

    With a clock, small objects are read by the light path.
    """
    session = make_session(settings)
    client = session.client(
        "s3",
        endpoint_url=settings.s3_endpoint or None,
        config=client_config(settings),
    )
    # The more an event's name leaves open, the earlier botocore calls: this is before its own hook for `s3.*`.
    client.meta.events.register_first("before-parse.*.*", refuse_pages)
    light = None
    if wall_seconds is not None:
        seconds = settings.connect_timeout_seconds, settings.read_timeout_seconds
        light = LightGets(client, session.get_credentials(), wall_seconds, *seconds)
    return S3(client, Retry(sleep=sleep, chance=chance, warn=warn), light)
