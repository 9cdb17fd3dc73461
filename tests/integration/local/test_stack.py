"""The launcher with a real SeaweedFS: up, down, kill, and what it says when it can't start."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest

from maprun.local.statefile import StackStatus

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]


def environment(folder: Path, s3_port: int) -> dict[str, str]:
    """A stack of its own on odd ports."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("MAPRUN_", "AWS_"))}
    return kept | {
        "MAPRUN_STATE_DIR": str(folder),
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{s3_port}",
        "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{s3_port + 20}",
        "MAPRUN_API": f"http://127.0.0.1:{s3_port + 40}",
        "MAPRUN_KAFKA": f"127.0.0.1:{s3_port + 140}",
    }


def launch(settings: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the launcher to its end."""
    command = [sys.executable, "-m", "maprun.local", *arguments]
    return subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=90, check=False)


def status(settings: dict[str, str]) -> StackStatus | None:
    """What `status --json` says."""
    return msgspec.json.decode(launch(settings, "status", "--json").stdout, type=StackStatus | None)


def listens(port: int) -> bool:
    """Whether somebody takes connections."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    """The first port of a stretch in which nobody listens, nor 10,000 above it, where SeaweedFS puts its gRPC."""
    stretch = range(160)
    for _ in range(100):
        port = random.SystemRandom().randrange(20_000, 26_000, 200)
        if not any(listens(port + step) or listens(port + step + 10_000) for step in stretch):
            return port
    raise AssertionError("no free stretch of ports between 20000 and 26000")


def test_a_stack_goes_up_and_down_and_keeps_nobody(tmp_path: Path) -> None:
    """`up` returns when S3 answers, a second one is refused by name, `down` leaves no listener, and twice is fine."""
    port = free_port()
    settings = environment(tmp_path, port)
    up = launch(settings, "up", "--detach", "--parts", "seaweedfs,functions")
    assert up.returncode == 0, up.stderr
    found = status(settings)
    assert found is not None
    assert (found.phase, [part.state for part in found.parts]) == ("ready", ["ready", "ready"])
    again = launch(settings, "up", "--parts", "seaweedfs")
    assert again.returncode == 1
    assert f"a stack already runs on {tmp_path} (process {found.pid}, ready)" in again.stderr
    assert launch(settings, "down").stdout == "the stack is down\n"
    assert not listens(port)
    assert launch(settings, "down").stdout == "no stack is running\n"


def test_a_part_that_dies_is_started_again(tmp_path: Path) -> None:
    """After kill -9 of a part, another process serves in its place, and the restart is counted."""
    settings = environment(tmp_path, free_port())
    assert launch(settings, "up", "--detach", "--parts", "functions").returncode == 0
    try:
        before = status(settings)
        assert before is not None
        os.kill(before.parts[0].pid, signal.SIGKILL)
        deadline = time.monotonic() + 20
        after = status(settings)
        while after is None or after.parts[0].restarts != 1 or after.parts[0].state != "ready":
            assert time.monotonic() < deadline, after
            after = status(settings)
        assert after.parts[0].pid != before.parts[0].pid
    finally:
        launch(settings, "down")


def test_a_killed_supervisor_takes_its_parts_along(tmp_path: Path) -> None:
    """After kill -9 of the supervisor no part listens, `status` says what happened, and `up` works again."""
    port = free_port()
    settings = environment(tmp_path, port)
    assert launch(settings, "up", "--detach", "--parts", "functions").returncode == 0
    before = status(settings)
    assert before is not None
    os.kill(before.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while listens(port + 20):
        assert time.monotonic() < deadline
    after = status(settings)
    assert after is not None
    assert (after.phase, after.message) == ("failed", f"supervisor {before.pid} died without stopping the stack")
    assert launch(settings, "up", "--detach", "--parts", "functions").returncode == 0
    assert launch(settings, "down").stdout == "the stack is down\n"


def test_a_port_in_use_is_named_with_its_holder_and_its_cure(tmp_path: Path) -> None:
    """The message says which port, for whom, who holds it and which setting moves it; nothing is left running."""
    port = free_port()
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", port))
        holder.listen()
        refused = launch(environment(tmp_path, port), "up", "--detach", "--parts", "seaweedfs")
    assert refused.returncode == 1
    assert f"port {port} (SeaweedFS S3) is in use by process {os.getpid()}" in refused.stderr
    assert "AWS_ENDPOINT_URL_S3=http://127.0.0.1:<port>" in refused.stderr


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("MAPRUN_HOMES", "0", "MAPRUN_HOMES='0': must be a whole number from 1 to 4096"),
        ("MAPRUN_KAFKA", "kafka.example:9092", "the stack starts one broker, on this machine"),
        ("MAPRUN_KAFKA", "127.0.0.1:9092,127.0.0.1:9094", "leave kafka out of --parts"),
        ("MAPRUN_KAFKA", "ssl://127.0.0.1:9092", "must be host:port[,host:port]"),
        ("AWS_ENDPOINT_URL_S3", "127.0.0.1:8333", "must look like http://127.0.0.1:8083"),
        ("MAPRUN_CHILD_RUNNERS", "many", "MAPRUN_CHILD_RUNNERS='many'"),
        ("MAPRUN_STATE_DIR", "/proc/nowhere", "can't write to /proc/nowhere"),
        ("PATH", "/nowhere", "java is not installed"),
    ],
)
def test_a_setting_without_sense_is_named(tmp_path: Path, name: str, value: str, said: str) -> None:
    """`up` ends at once with exit code 1 and says which setting is wrong, and nothing else goes on."""
    refused = launch(environment(tmp_path, free_port()) | {name: value}, "up", "--parts", "kafka")
    assert refused.returncode == 1
    assert said in refused.stderr
