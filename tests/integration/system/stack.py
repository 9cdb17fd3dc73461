"""A whole local stack of its own for tests, benches and chaos: own state folder, free odd ports, real processes."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from tests.integration.jars import share_jars

ROOT = Path(__file__).resolve().parents[3]
REGION = "us-east-1"
ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/test"
_UP_SECONDS_MAX = 240
_PORTS = (10_000, 22_600)  # SeaweedFS's gRPC ports, 10,000 higher, must stay below the ephemeral ones (from 32,768 on)
PARTS_TO_KILL = ("item-reader", "child-runner-0", "scheduler", "maprun-tracker", "kafka")


def settings_of(given: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE as a stack takes them."""
    return {name: value for name, _, value in (one.partition("=") for one in given)}


class Stack:
    """One stack. `up` and `down` run the launcher as a user does; the rest looks from outside."""

    def __init__(self, folder: Path, seed: int | None = None, **environment: str) -> None:
        self.folder = folder
        self.keys: dict[str, tuple[str, str]] = {}  # of clients, where the local stack's fixed key will not do
        api, kafka, s3, functions = _free_ports(random.Random(seed if seed is not None else os.getpid()))
        self.api = f"http://127.0.0.1:{api}"
        self.kafka = f"127.0.0.1:{kafka}"
        self.s3_endpoint = f"http://127.0.0.1:{s3}"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("MAPRUN_", "AWS_"))},
            "MAPRUN_STATE_DIR": str(folder),
            "MAPRUN_API": self.api,
            "MAPRUN_KAFKA": self.kafka,
            "AWS_ENDPOINT_URL_S3": self.s3_endpoint,
            "AWS_ENDPOINT_URL_LAMBDA": f"http://127.0.0.1:{functions}",
            **environment,
        }

    def up(self, parts: str = "") -> float:
        """Starts it, or some parts; answers the seconds it took. Raises AssertionError with the launcher's words."""
        share_jars(self.folder)
        began = time.monotonic()
        done = self.launcher("up", "--detach", "--parts", parts)
        assert done.returncode == 0, f"the stack did not come up:\n{done.stdout}{done.stderr}"
        return time.monotonic() - began

    def down(self) -> None:
        """Stops it."""
        done = self.launcher("down")
        assert done.returncode == 0, f"the stack did not go down:\n{done.stdout}{done.stderr}"

    def launcher(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Runs the launcher as a user does."""
        return subprocess.run(
            [sys.executable, "-m", "maprun.local", *arguments],
            cwd=ROOT,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=_UP_SECONDS_MAX,
            check=False,
        )

    def status(self) -> dict[str, Any]:
        """What the supervisor last wrote down."""
        described: dict[str, Any] = json.loads((self.folder / "stack.json").read_text())
        return described

    def pids(self) -> dict[str, int]:
        """The process of each part that has one."""
        return {part["name"]: part["pid"] for part in self.status()["parts"] if part["pid"]}

    def kill(self, part: str) -> int:
        """`kill -9` of a part's process; answers its pid. The launcher starts it again."""
        pid = self.pids()[part]
        os.kill(pid, signal.SIGKILL)
        return pid

    def log_tail(self, part: str, lines: int = 30) -> str:
        """The end of a part's log, for a failure's message."""
        path = self.folder / "log" / f"{part}.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    def client(self, service: str, **config: Any) -> Any:
        """An unmodified boto3 client of this stack: `stepfunctions` or `s3`."""
        key_id, secret = self.keys.get(service, ("maprun", "maprun-local"))
        return boto3.client(
            service,
            endpoint_url=self.api if service == "stepfunctions" else self.s3_endpoint,
            region_name=REGION,
            aws_access_key_id=key_id,
            aws_secret_access_key=secret,
            config=Config(**{"read_timeout": 30, "connect_timeout": 5, "retries": {"total_max_attempts": 1}, **config}),
        )


def _free_ports(chance: random.Random) -> tuple[int, int, int, int]:
    """Ports for API (and 80 above it), Kafka (and one above), S3 (five, and five 10,000 above), functions."""
    for _ in range(200):
        base = chance.randrange(*_PORTS, 200) + 1
        wanted = [base, *range(base + 1, base + 20), *range(base + 100, base + 108)]
        wanted += [base + 120 + step + gap for step in range(5) for gap in (0, 10_000)]
        if all(_is_free(port) for port in wanted):
            return base, base + 100, base + 120, base + 104
    raise AssertionError("no free ports between 10000 and 22600")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
