"""A Kafka of their own for the bus's tests: one node, started from the jars that the local stack fetched."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from maprun.local import kafka
from maprun.local.layout import Layout
from maprun.runtime.settings import Settings
from tests.integration.jars import share_jars

ROOT = Path(__file__).resolve().parents[3]
_START_SECONDS_MAX = 60


def _free_ports() -> int:
    """A port whose neighbour is free as well: the controller listens there."""
    while True:
        with socket.socket() as one, socket.socket() as next_one:
            one.bind(("127.0.0.1", 0))
            port = int(one.getsockname()[1])
            with contextlib.suppress(OSError, OverflowError):
                next_one.bind(("127.0.0.1", port + 1))
                return port


class Broker:
    """One broker, which may be killed, lose its data and be started again under its address."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self._settings = settings  # of the broker, beside those of the local stack's; the last of a name counts
        self.address = f"127.0.0.1:{_free_ports()}"
        self._layout = Layout(settings=Settings(kafka=self.address), root=ROOT, state=folder, functions_dir=folder)
        self._process: subprocess.Popen[bytes] | None = None
        share_jars(folder)

    @property
    def data(self) -> Path:
        """Where its logs are."""
        return self._layout.kafka_data

    def start(self) -> None:
        """Starts it, on formatted disks, and waits until it listens."""
        kafka.prepare(self._layout, "java")
        with (self._layout.state / "kafka" / "server.properties").open("a", encoding="utf-8") as file:
            file.write(self._settings)
        with (self._layout.state / "kafka.log").open("ab") as log:
            command = kafka.command(self._layout, "java")
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._layout.state)
        _wait(self._layout.kafka_port, self._process)

    def kill(self) -> None:
        """Ends it with SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    close = kill


@contextlib.contextmanager
def running_kafka(folder: Path) -> Iterator[str]:
    """The address of a broker that runs as long as the block does."""
    broker = Broker(folder)
    try:
        broker.start()
        yield broker.address
    finally:
        broker.close()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_SECONDS_MAX
    while time.monotonic() < until:
        assert process.poll() is None, "the broker ended while it started"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("the broker did not start")
