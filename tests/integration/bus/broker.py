"""A Kafka of their own for the bus's tests: one node, started from the jars that the local stack fetched."""

import contextlib
import random
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from maprun.local import kafka
from maprun.local.layout import Layout
from maprun.runtime.settings import Settings
from tests.integration.jars import share_jars

ROOT = Path(__file__).resolve().parents[3]
_START_SECONDS_MAX = 120
_PORTS = (10_000, 20_000)


def _free_ports() -> int:
    """A port whose two neighbours are free as well: a controller and a second listener may take them.

    Below those that the kernel gives to connections, one of which may come between this look and the broker's start.
    """
    while True:
        port = random.randrange(*_PORTS, 3)
        with contextlib.suppress(OSError), contextlib.ExitStack() as held:
            for number in range(port, port + 3):
                held.enter_context(socket.socket()).bind(("127.0.0.1", number))
            return port


class Broker:
    """One broker, which may be killed, lose its data and be started again under its address."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        self.settings = settings  # of the broker, beside those of the local stack's; the last of a name counts
        self.formatted_with: Sequence[str] = ()  # beside what the local stack formats with
        self.address = f"127.0.0.1:{_free_ports()}"
        self._layout = Layout(settings=Settings(kafka=self.address), root=ROOT, state=folder, functions_dir=folder)
        self._process: subprocess.Popen[bytes] | None = None
        share_jars(folder)

    @property
    def data(self) -> Path:
        """Where its logs are."""
        return self._layout.kafka_data

    @property
    def port(self) -> int:
        """Where clients connect; the next one is its controller's."""
        return self._layout.kafka_port

    def start(self) -> None:
        """Starts it, on formatted disks, and waits until it listens."""
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Starts it, on formatted disks."""
        kafka.fetch(self._layout)
        kafka.write(self._layout, kafka.configuration(self._layout) + self.settings)
        kafka.format_data(self._layout, "java", *self.formatted_with)
        with (self._layout.state / "kafka.log").open("ab") as log:
            command = kafka.command(self._layout, "java")
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self._layout.state)

    def wait(self) -> None:
        """Until it listens."""
        assert self._process is not None, "it was launched"
        _wait(self.port, self._process)

    def runs(self) -> bool:
        """Whether its process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None, "it was launched"
        return self._process.pid

    def java(self) -> tuple[str, ...]:
        """A Java machine with this Kafka on its class path, for Kafka's own commands."""
        return kafka.java_with_kafka(self._layout, "java")

    def end(self, seconds_max: float) -> None:
        """Asks it to end in good order, and waits."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(seconds_max)

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
