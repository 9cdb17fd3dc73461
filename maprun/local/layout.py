"""Where everything of the local stack is: folders, addresses, ports, and how the ports follow from three settings."""

from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from maprun.local.environment import LOOPBACK, AwsKeys
from maprun.runtime import settings as runtime_settings
from maprun.runtime.settings import Settings

STATE_FREE_BYTES_MIN = 1 << 30  # below this Kafka and SeaweedFS stop taking writes soon
CHILD_RUNNERS_MAX = 64
FUNCTION_WORKERS_MAX = 64
_WEED_GRPC_OFFSET = 10_000  # SeaweedFS's own convention: a part's gRPC port is its HTTP port plus this
_PORT_MAX = 65_535


class StackError(Exception):
    """The stack can't start or go on; the message says what is wrong, `cure` what to do about it."""

    def __init__(self, message: str, cure: str = "") -> None:
        super().__init__(message)
        self.cure = cure


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """One local stack. `settings` are the addresses; everything else is derived here, in one place."""

    settings: Settings
    root: Path  # the checkout; of an installed maprun the folder that it was started in
    checkout: bool = True
    state: Path  # absolute
    functions_dir: Path  # the user's Python handlers
    child_runners: int = 1
    function_workers: int = 2
    aws_keys: AwsKeys = "local"  # MAPRUN_AWS_KEYS: whose keys the services have
    function_env: tuple[str, ...] = ()  # MAPRUN_FUNCTION_ENV: variables that handlers see beside the harmless ones
    java_options: tuple[str, ...] = ("-Xmx512m", "-Xms128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")

    @property
    def log_dir(self) -> Path:
        """One file a process."""
        return self.state / "log"

    @property
    def kafka_libs(self) -> Path:
        """Kafka's jars, fetched once."""
        return self.state / "kafka" / "libs"

    @property
    def kafka_data(self) -> Path:
        """Kafka's log, which is the system's memory."""
        return self.state / "kafka" / "data"

    @property
    def s3_data(self) -> Path:
        """SeaweedFS's volumes and its filer's store."""
        return self.state / "s3"

    @property
    def kafka_port(self) -> int:
        """Where clients connect."""
        return int(self.settings.kafka.split(",")[0].rpartition(":")[2])

    @property
    def controller_port(self) -> int:
        """KRaft's own."""
        return self.kafka_port + 1

    @property
    def s3_port(self) -> int:
        """Where S3 answers; SeaweedFS's other parts take the next four and their gRPC ports."""
        return runtime_settings.port_of(self.settings.s3)

    @property
    def functions_port(self) -> int:
        """Where the Lambda-compatible Invoke endpoint answers."""
        return runtime_settings.port_of(self.settings.functions)

    def health_port(self, part: str) -> int:
        """Where a service's `/readyz` answers: counted on from the API's port."""
        base = self.settings.api_port
        fixed = {"maprun-tracker": 1, "scheduler": 2, "item-reader": 3}
        if part in fixed:
            return base + fixed[part]
        return base + 10 + int(part.removeprefix("child-runner-"))

    def ports(self, parts: frozenset[str]) -> list[tuple[int, str]]:
        """Every port that these parts will listen on, and who will, in the order of the ports."""
        named: list[tuple[int, str]] = []
        if "kafka" in parts:
            named += [(self.kafka_port, "Kafka"), (self.controller_port, "Kafka's controller")]
        if "seaweedfs" in parts:
            for step, part in enumerate(("S3", "master", "volume server", "filer", "admin server")):
                named.append((self.s3_port + step, f"SeaweedFS {part}"))
                named.append((self.s3_port + step + _WEED_GRPC_OFFSET, f"SeaweedFS {part}, gRPC"))
        if "functions" in parts:
            named.append((self.functions_port, "function host"))
        if "maprun-tracker" in parts:
            named.append((self.settings.api_port, "the AWS JSON API"))
        named += [
            (self.health_port(part), f"health of {part}")
            for part in sorted(parts - {"kafka", "seaweedfs", "functions", "topics"})
        ]
        return sorted(named)


def stack_root() -> tuple[Path, bool]:
    """The folder that the local stack's relative settings are of, and whether it is a checkout."""
    checkout = Path(__file__).resolve().parents[2]
    is_checkout = (checkout / "pyproject.toml").is_file()
    return (checkout if is_checkout else Path.cwd()), is_checkout


def state_folder(settings: Settings) -> Path:
    """Where the local stack keeps its data, from whatever folder it is asked."""
    root, _ = stack_root()
    return (root / settings.state_dir).resolve()


def child_runners_fitting(cores: int, lanes: int) -> int:
    """How many child-runners a machine's cores can use: each takes one, and one without a lane has nothing to do."""
    return max(1, min(cores, lanes, CHILD_RUNNERS_MAX))


SERVICES = ("scheduler", "item-reader", "child-runner", "maprun-tracker")
"""The four services, under their hyphened names."""

CURE_OF_PORT = {
    "Kafka": "MAPRUN_KAFKA=127.0.0.1:<port>",
    "SeaweedFS": "AWS_ENDPOINT_URL_S3=http://127.0.0.1:<port>",
    "function": "AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:<port>",
    "the": "MAPRUN_API=http://127.0.0.1:<port>",
    "health": "MAPRUN_API=http://127.0.0.1:<port>",
}


def check_kafka(layout: Layout) -> None:
    """Raises StackError if the broker that the stack starts can't be had at MAPRUN_KAFKA: one, on this machine."""
    servers = layout.settings.kafka.split(",")
    if len(servers) > 1 or servers[0].rpartition(":")[0] not in LOOPBACK:
        raise StackError(
            f"MAPRUN_KAFKA={layout.settings.kafka}: the stack starts one broker, on this machine",
            "unset MAPRUN_KAFKA, or use those brokers: leave kafka out of --parts",
        )


def check_addresses(layout: Layout) -> None:
    """Raises StackError if an address is not on this machine or the derived ports run past the last one.

    Kafka's may be anywhere when the stack doesn't start it: see `check_kafka`.
    """
    hosts = {
        "AWS_ENDPOINT_URL_S3": urlsplit(layout.settings.s3).hostname or "",
        "AWS_ENDPOINT_URL_LAMBDA": urlsplit(layout.settings.functions).hostname or "",
        "MAPRUN_API": urlsplit(layout.settings.api).hostname or "",
    }
    for name, host in hosts.items():
        if host not in LOOPBACK:
            raise StackError(
                f"{name} names the host {host!r}, but the local stack runs on this machine only",
                f"unset {name}, or give it the host 127.0.0.1",
            )
    highest = max(layout.s3_port + 4 + _WEED_GRPC_OFFSET, layout.kafka_port + 1, layout.settings.api_port + 80)
    if highest > _PORT_MAX:
        raise StackError(f"the ports derived from the settings reach {highest}", "choose a lower S3, Kafka or API port")
