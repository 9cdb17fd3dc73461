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


@contextlib.contextmanager
def running_kafka(folder: Path) -> Iterator[str]:
    """The address of a broker that runs as long as the block does."""
    address = f"127.0.0.1:{_free_ports()}"
    layout = Layout(settings=Settings(kafka=address), root=ROOT, state=folder, functions_dir=folder)
    (folder / "kafka").mkdir(parents=True)
    fetched = ROOT / ".maprun" / "kafka" / "libs"
    if (fetched / ".complete").exists():
        layout.kafka_libs.symlink_to(fetched)
    else:
        layout.kafka_libs.mkdir()
    kafka.prepare(layout, "java")
    with (folder / "kafka.log").open("wb") as log:
        process = subprocess.Popen(kafka.command(layout, "java"), stdout=log, stderr=log, cwd=folder)
        try:
            _wait(layout.kafka_port, process)
            yield address
        finally:
            process.kill()
            process.wait()


def _wait(port: int, process: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + _START_SECONDS_MAX
    while time.monotonic() < until:
        assert process.poll() is None, "the broker ended while it started"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("the broker did not start")
