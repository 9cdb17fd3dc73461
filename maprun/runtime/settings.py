"""Settings of one process, read once from the environment by its main and passed on as a value."""

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import msgspec

from maprun.runtime import kafka_access
from maprun.runtime.kafka_access import KafkaAccess
from maprun.runtime.throttles import Rate, rates_of

DEFAULT_API = "http://127.0.0.1:8083"
DEFAULT_KAFKA = "127.0.0.1:9092"
DEFAULT_PREFIX = "maprun."
DEFAULT_S3 = "http://127.0.0.1:8333"
DEFAULT_FUNCTIONS = "http://127.0.0.1:9001"


class SettingsError(ValueError):
    """A variable of the environment has no meaning; the message names it, its value and what would do."""


CORES_OF_FEW, CORES_OF_SOME = 2, 8


def shapers_fitting(cores: int) -> int:
    """How many processes beside a scheduler make result records: where a core is free for one, and for a second.

    One makes some 170,000 records a second on a slow core, which a machine with more than eight can exceed
    (docs/benchmarks/scale.md).
    """
    return (cores > CORES_OF_FEW) + (cores > CORES_OF_SOME)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the parts of the system are, and how big it is. One name in the environment for each field."""

    kafka: str = DEFAULT_KAFKA  # MAPRUN_KAFKA: host:port[,host:port]
    access: KafkaAccess = KafkaAccess()  # MAPRUN_KAFKA_SECURITY_PROTOCOL and others: see kafka_access.NAMES
    drain_seconds: float = 1.5  # MAPRUN_DRAIN_SECONDS: for calls under way, when a child-runner is told to stop
    request_timeout_seconds: float = 10.0  # MAPRUN_KAFKA_REQUEST_TIMEOUT_SECONDS: then a connection counts as broken
    replicas: int = 0  # MAPRUN_KAFKA_REPLICAS: copies of each topic; 0 = 3, or one a broker; -1 = the cluster's default
    min_insync: int = (
        0  # MAPRUN_KAFKA_MIN_INSYNC: copies that must have a record; 0 = 2 of 3; -1 = the cluster's default
    )
    durability: str = "memory"  # MAPRUN_KAFKA_DURABILITY: where an acknowledged record is: memory or disk
    prefix: str = DEFAULT_PREFIX  # MAPRUN_PREFIX: begins the names of all topics and groups; one a maprun on a Kafka
    api: str = DEFAULT_API  # MAPRUN_API: where the tracker answers the AWS JSON API
    api_hosts: str = ""  # MAPRUN_API_HOSTS: name[,name]: what the API is reached by beside the host of MAPRUN_API
    keys_file: str = (
        ""  # MAPRUN_KEYS_FILE: who may ask the API, see `runtime.keys`; with one all requests must be signed
    )
    signatures: str = "auto"  # MAPRUN_SIGNATURES: auto (needed where the API is reached from elsewhere) or none
    api_connections_max: int = 10_000  # MAPRUN_API_CONNECTIONS: that one tracker takes at once
    api_peer_connections_max: int = 5_000  # MAPRUN_API_CONNECTIONS_PER_ADDRESS: the same, of one address
    s3: str = DEFAULT_S3  # AWS_ENDPOINT_URL_S3; empty = AWS's own
    otlp: str = (
        ""  # OTEL_EXPORTER_OTLP_ENDPOINT: where spans of traced executions go, by OTLP over HTTP; empty = nowhere
    )
    logs: str = ""  # AWS_ENDPOINT_URL_CLOUDWATCH_LOGS: where logs of executions go beside their topic; empty = nowhere
    functions: str = DEFAULT_FUNCTIONS  # AWS_ENDPOINT_URL_LAMBDA; empty = AWS's own
    function_endpoints: str = ""  # MAPRUN_FUNCTION_ENDPOINTS: name=url[,name=url]: of functions that are elsewhere
    connections_file: str = ""  # MAPRUN_CONNECTIONS_FILE: connections of `http:invoke`, as CreateConnection takes them
    apigateway_endpoints: str = ""  # MAPRUN_APIGATEWAY_ENDPOINTS: host=url[,host=url]: of APIs that are elsewhere
    http_task_allow: str = ""  # MAPRUN_HTTP_TASK_ALLOW: origin or network[,…] that Tasks may call though not public
    state_dir: Path = Path(".maprun")  # MAPRUN_STATE_DIR
    region: str = "us-east-1"  # MAPRUN_REGION
    account: str = "123456789012"  # MAPRUN_ACCOUNT
    homes: int = 4  # MAPRUN_HOMES: partitions of home, fixed when the cluster is made
    lanes: int = 8  # MAPRUN_LANES: partitions of items
    record_bytes_max: int = 10 << 20  # MAPRUN_RECORD_BYTES_MAX: of one record of a topic; the same for all services
    session_timeout_seconds: float = 8.0  # MAPRUN_SESSION_TIMEOUT_SECONDS: who is silent so long loses its partitions
    payload_bytes_max: int = 262_144  # MAPRUN_PAYLOAD_BYTES_MAX: AWS's quota; the same for all services, or higher
    history_events_max: int = 25_000  # MAPRUN_HISTORY_EVENTS_MAX: the same
    open_executions_max: int = 0  # MAPRUN_OPEN_EXECUTIONS_MAX: of the whole cluster, 0 = no bound; the same
    open_map_runs_max: int = 1_000  # MAPRUN_OPEN_MAP_RUNS_MAX: AWS's quota; the same
    state_machines_max: int = 0  # MAPRUN_STATE_MACHINES_MAX: 0 = no bound
    activities_max: int = 100_000  # MAPRUN_ACTIVITIES_MAX: AWS's quota; 0 = no bound
    api_throttle: str = ""  # MAPRUN_API_THROTTLE: aws, or operation=bucket/refill[,…]: how often each may be asked for
    retention_days: float = 90.0  # MAPRUN_RETENTION_DAYS: after their end executions are forgotten; may be a fraction
    running_bytes_max: int = 1 << 30  # MAPRUN_RUNNING_BYTES_MAX: of running children in one child-runner
    express_history_bytes_max: int = 64 << 20  # MAPRUN_EXPRESS_HISTORY_BYTES_MAX: kept in one child-runner; 0 = none
    shapers: int = msgspec.field(
        default_factory=lambda: shapers_fitting(len(os.sched_getaffinity(0)))
    )  # MAPRUN_SHAPERS: processes beside each scheduler
    task_connections_max: int = (
        20_000  # MAPRUN_TASK_CONNECTIONS: function calls at once of one child-runner or scheduler
    )
    http_host: str = "127.0.0.1"  # MAPRUN_HTTP_HOST: where /metrics, /healthz and /readyz listen
    http_port: int = 0  # MAPRUN_HTTP_PORT; 0 = any free one
    instance: str = ""  # MAPRUN_INSTANCE: stable name of this process, for Kafka's static membership
    log_format: str = "json"  # MAPRUN_LOG_FORMAT: json or console
    log_level: str = "info"  # MAPRUN_LOG_LEVEL
    profile_dir: str = ""  # MAPRUN_PROFILE: a folder; each process leaves a cProfile there when it ends. Slow

    @property
    def api_port(self) -> int:
        """The port of `api`."""
        return port_of(self.api)

    @property
    def api_host_names(self) -> tuple[str, ...]:
        """The names in `api_hosts`."""
        return tuple(name for part in self.api_hosts.split(",") if (name := part.strip()))


PORT_MAX = 65_535
PREFIX_LENGTH_MAX = 200  # Kafka's names have 249 characters at most; the longest of ours is added to it
HOMES_MAX = 4096  # an id carries its home in 12 bits
LANES_MAX = 4096
REPLICAS_MAX = 32_767  # Kafka counts copies in 16 bits

_NAMES = {
    "kafka": "MAPRUN_KAFKA",
    "request_timeout_seconds": "MAPRUN_KAFKA_REQUEST_TIMEOUT_SECONDS",
    "replicas": "MAPRUN_KAFKA_REPLICAS",
    "min_insync": "MAPRUN_KAFKA_MIN_INSYNC",
    "durability": "MAPRUN_KAFKA_DURABILITY",
    "prefix": "MAPRUN_PREFIX",
    "api": "MAPRUN_API",
    "api_hosts": "MAPRUN_API_HOSTS",
    "keys_file": "MAPRUN_KEYS_FILE",
    "signatures": "MAPRUN_SIGNATURES",
    "api_connections_max": "MAPRUN_API_CONNECTIONS",
    "api_peer_connections_max": "MAPRUN_API_CONNECTIONS_PER_ADDRESS",
    "s3": "AWS_ENDPOINT_URL_S3",
    "otlp": "OTEL_EXPORTER_OTLP_ENDPOINT",
    "logs": "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "functions": "AWS_ENDPOINT_URL_LAMBDA",
    "function_endpoints": "MAPRUN_FUNCTION_ENDPOINTS",
    "connections_file": "MAPRUN_CONNECTIONS_FILE",
    "apigateway_endpoints": "MAPRUN_APIGATEWAY_ENDPOINTS",
    "http_task_allow": "MAPRUN_HTTP_TASK_ALLOW",
    "state_dir": "MAPRUN_STATE_DIR",
    "region": "MAPRUN_REGION",
    "account": "MAPRUN_ACCOUNT",
    "homes": "MAPRUN_HOMES",
    "lanes": "MAPRUN_LANES",
    "record_bytes_max": "MAPRUN_RECORD_BYTES_MAX",
    "session_timeout_seconds": "MAPRUN_SESSION_TIMEOUT_SECONDS",
    "drain_seconds": "MAPRUN_DRAIN_SECONDS",
    "payload_bytes_max": "MAPRUN_PAYLOAD_BYTES_MAX",
    "history_events_max": "MAPRUN_HISTORY_EVENTS_MAX",
    "open_executions_max": "MAPRUN_OPEN_EXECUTIONS_MAX",
    "open_map_runs_max": "MAPRUN_OPEN_MAP_RUNS_MAX",
    "state_machines_max": "MAPRUN_STATE_MACHINES_MAX",
    "activities_max": "MAPRUN_ACTIVITIES_MAX",
    "api_throttle": "MAPRUN_API_THROTTLE",
    "retention_days": "MAPRUN_RETENTION_DAYS",
    "running_bytes_max": "MAPRUN_RUNNING_BYTES_MAX",
    "express_history_bytes_max": "MAPRUN_EXPRESS_HISTORY_BYTES_MAX",
    "shapers": "MAPRUN_SHAPERS",
    "task_connections_max": "MAPRUN_TASK_CONNECTIONS",
    "http_host": "MAPRUN_HTTP_HOST",
    "http_port": "MAPRUN_HTTP_PORT",
    "instance": "MAPRUN_INSTANCE",
    "log_format": "MAPRUN_LOG_FORMAT",
    "log_level": "MAPRUN_LOG_LEVEL",
    "profile_dir": "MAPRUN_PROFILE",
}
_RANGES = {
    "homes": (1, HOMES_MAX),
    "lanes": (1, LANES_MAX),
    "replicas": (-1, REPLICAS_MAX),
    "min_insync": (-1, REPLICAS_MAX),
    "record_bytes_max": (4 << 20, 256 << 20),  # below, a frame and one long item would not fit
    "payload_bytes_max": (262_144, 1 << 20),  # above, one payload could no longer travel in one frame
    "history_events_max": (25_000, 10_000_000),
    "open_executions_max": (0, 1_000_000_000),
    "open_map_runs_max": (1, 1_000_000),
    "state_machines_max": (0, 1_000_000_000),
    "activities_max": (0, 1_000_000_000),
    "running_bytes_max": (1 << 20, 1 << 50),
    "express_history_bytes_max": (0, 1 << 50),
    "shapers": (0, 64),
    "task_connections_max": (1, 1_000_000),
    "api_connections_max": (1, 1_000_000),
    "api_peer_connections_max": (1, 1_000_000),
    "http_port": (0, PORT_MAX),
}
_KINDS: dict[str, Callable[[str], str | Path]] = {
    "state_dir": Path,
    "kafka": lambda text: text.replace(" ", ""),
}
_MEASURES = {
    "retention_days": ("days", 0.0, 3_650.0),
    # Kafka's own bounds: group.min.session.timeout.ms and group.max.session.timeout.ms, as they come.
    "session_timeout_seconds": ("seconds", 6.0, 3_600.0),
    "request_timeout_seconds": ("seconds", 1.0, 600.0),
    "drain_seconds": ("seconds", 0.0, 900.0),
}
"""Settings that may be fractions: their unit, what they must be above or (but for 0) equal to, and their maximum."""
_CHOICES = {
    "signatures": ("auto", "none"),
    "durability": ("memory", "disk"),
    "log_format": ("json", "console"),
    "log_level": ("debug", "info", "warning", "error"),
}


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from an environment. A variable not there keeps its default; raises SettingsError on a bad one."""
    given: dict[str, str | int | float | Path] = {}
    for field, name in _NAMES.items():
        if name not in environ:
            continue
        text = environ[name].strip()
        if field in _RANGES:
            given[field] = _number(name, text, *_RANGES[field])
        elif field in _MEASURES:
            given[field] = _measure(name, text, *_MEASURES[field])
        elif field in _CHOICES and text not in _CHOICES[field]:
            raise SettingsError(f"{name}={text!r}: must be one of {', '.join(_CHOICES[field])}")
        else:
            given[field] = _KINDS.get(field, str)(text)
    try:
        access = kafka_access.read(environ)
    except ValueError as error:
        raise SettingsError(str(error)) from error
    settings = msgspec.structs.replace(Settings(access=access), **given)
    for field in ("api", "s3", "otlp", "logs"):
        url = getattr(settings, field)
        if url:
            port_of(url, _NAMES[field])
    endpoints_of(settings.function_endpoints)
    gateways_of(settings.apigateway_endpoints)
    allowed_of(settings.http_task_allow)
    if settings.keys_file and settings.signatures == "none":
        raise SettingsError("MAPRUN_SIGNATURES=none: no key is asked for; without MAPRUN_KEYS_FILE it makes sense")
    throttles_of(settings)
    _check_kafka(settings.kafka)
    _check_copies(settings)
    _check_prefix(settings.prefix)
    if not (settings.account.isascii() and settings.account.isdigit() and len(settings.account) == 12):  # noqa: PLR2004
        raise SettingsError(f"MAPRUN_ACCOUNT={settings.account!r}: an account is 12 digits")
    return settings


def endpoints_of(text: str) -> list[tuple[str, str]]:
    """(name, URL) of each function endpoint; `*` in a name is any letters. Raises SettingsError."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, url = (piece.strip() for piece in part.partition("="))
        is_url = urlsplit(url).scheme in {"http", "https"} and urlsplit(url).hostname
        if not name or not (url == "aws" or is_url):
            raise SettingsError(
                f"MAPRUN_FUNCTION_ENDPOINTS: {part!r} must be like name=http://127.0.0.1:9000 or name=aws"
            )
        found.append((name, url))
    return found


def gateways_of(text: str) -> list[tuple[str, str]]:
    """(host, URL) of each API that is elsewhere; `*` in a host is any letters. Raises SettingsError."""
    found = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        host, _, url = (piece.strip() for piece in part.partition("="))
        if not host or urlsplit(url).scheme not in {"http", "https"} or not urlsplit(url).hostname:
            raise SettingsError(
                f"MAPRUN_APIGATEWAY_ENDPOINTS: {part!r} must be like *.execute-api.*=http://127.0.0.1:4566/apis/{{api}}"
            )
        found.append((host, url))
    return found


def throttles_of(settings: Settings) -> dict[str, Rate]:
    """How often each operation may be asked for. Raises SettingsError."""
    try:
        return rates_of(settings.api_throttle, settings.region)
    except ValueError as error:
        raise SettingsError(f"MAPRUN_API_THROTTLE: {error}") from error


class Allowed(NamedTuple):
    """What Tasks may call though it is not public: origins (scheme, host, port), and networks of addresses."""

    origins: frozenset[tuple[str, str, int]]
    networks: tuple[str, ...]


def allowed_of(text: str) -> Allowed:
    """The entries of MAPRUN_HTTP_TASK_ALLOW. Raises SettingsError."""
    origins, networks = [], []
    for part in filter(None, (part.strip() for part in text.split(","))):
        try:
            if "://" in part:
                origins.append(_origin_of(part))
            else:
                networks.append(str(ipaddress.ip_network(part)))
        except ValueError as error:
            raise SettingsError(
                f"MAPRUN_HTTP_TASK_ALLOW: {part!r} must be like http://127.0.0.1:8080 or 10.1.0.0/16"
            ) from error
    return Allowed(frozenset(origins), tuple(networks))


def _origin_of(text: str) -> tuple[str, str, int]:
    place = urlsplit(text)
    if place.scheme not in {"http", "https"} or not place.hostname or place.path.strip("/") or place.query:
        raise ValueError(text)
    return place.scheme, place.hostname, port_of(text)


def _check_kafka(servers: str) -> None:
    """Raises SettingsError when this is no list of brokers."""
    for server in servers.split(","):
        host, colon, port = server.rpartition(":")
        if "/" in server or not (host and colon and port.isascii() and port.isdigit() and int(port) <= PORT_MAX):
            raise SettingsError(
                f"MAPRUN_KAFKA={servers!r}: must be host:port[,host:port], without a protocol, a user or a password"
            )


def _check_copies(settings: Settings) -> None:
    """Raises SettingsError when more copies must have a record than there are to be."""
    if 0 < settings.replicas < settings.min_insync:
        raise SettingsError(
            f"MAPRUN_KAFKA_MIN_INSYNC={settings.min_insync}: more than there are copies"
            f" (MAPRUN_KAFKA_REPLICAS={settings.replicas}): nothing could be written"
        )


def _check_prefix(prefix: str) -> None:
    """Raises SettingsError when no topic may be called so: Kafka knows ASCII letters, digits, `.`, `_` and `-`."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", prefix) or len(prefix) > PREFIX_LENGTH_MAX:
        raise SettingsError(
            f"MAPRUN_PREFIX={prefix!r}: must be 1 to {PREFIX_LENGTH_MAX} of the characters that Kafka's topic names may"
            " have: ASCII letters, digits, '.', '_' and '-'"
        )


def to_environment(settings: Settings) -> dict[str, str]:
    """The environment from which `load` makes these settings again: what a parent hands to its children."""
    own = {name: str(getattr(settings, field)) for field, name in _NAMES.items()}
    return own | kafka_access.to_environment(settings.access)


def port_of(url: str, name: str = "address") -> int:
    """The port in a URL, 80 or 443 if it names none. Raises SettingsError when it is no http URL."""
    try:
        parts = urlsplit(url)
        if parts.scheme in {"http", "https"} and parts.hostname:
            return parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise SettingsError(f"{name}={url!r}: {error}") from error
    raise SettingsError(f"{name}={url!r}: must look like http://127.0.0.1:8083")


def _number(name: str, text: str, least: int, most: int) -> int:
    """A whole number within bounds, or SettingsError naming the variable."""
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise SettingsError(f"{name}={text!r}: must be a whole number from {least} to {most}")
    return value


def _measure(name: str, text: str, unit: str, least: float, most: float) -> float:
    """A number within bounds, above 0, or SettingsError naming the variable."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (0 < value <= most and value >= least):
        bounds = f"from {least:,.0f}" if least else "above 0"
        raise SettingsError(f"{name}={text!r}: must be a number of {unit} {bounds}, {most:,.0f} at most")
    return value
