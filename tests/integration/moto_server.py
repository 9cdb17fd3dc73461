"""A moto server: AWS's services as others imitate them, in a process of its own, for tests of what Tasks call."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from botocore.config import Config

ACCOUNT, REGION = "123456789012", "us-east-1"
UP_SECONDS_MAX = 60


class Moto:
    """One server."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def client(self, service: str) -> Any:
        """An unmodified boto3 client."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=REGION,
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106 - moto looks at no keys
            config=Config(retries={"total_max_attempts": 1}),
        )

    def looks_until_done(self, kind: str, count: int) -> None:
        """Jobs of this kind are over when they were asked after so often."""
        transition = {"progression": "manual", "times": count}
        self._post("/moto-api/state-manager/set-transition", {"model_name": kind, "transition": transition})

    def without_docker(self) -> None:
        """Jobs of Batch succeed without being run."""
        self._post("/moto-api/config", {"batch": {"use_docker": False}})

    def _post(self, path: str, body: Any) -> None:
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(  # noqa: S310 - of a server that this test has started
            f"{self.endpoint}{path}", json.dumps(body).encode(), headers, method="POST"
        )
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - the same
            assert answer.status < 300


@contextmanager
def running_moto() -> Iterator[Moto]:
    """A server on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _await(port, process)
        moto = Moto(f"http://127.0.0.1:{port}")
        moto.without_docker()
        yield moto
    finally:
        process.terminate()
        process.wait(10)


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + UP_SECONDS_MAX
    while time.monotonic() < deadline:
        assert process.poll() is None, "moto ended"
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise AssertionError(f"moto did not come up in {UP_SECONDS_MAX} s")


def batch_of(moto: Moto) -> tuple[str, str]:
    """A queue and a job definition of Batch, by their names."""
    role = moto.client("iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    batch = moto.client("batch")
    environment = batch.create_compute_environment(
        computeEnvironmentName="environment", type="UNMANAGED", serviceRole=role
    )["computeEnvironmentArn"]
    batch.create_job_queue(
        jobQueueName="queue",
        state="ENABLED",
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
    )
    batch.register_job_definition(
        jobDefinitionName="definition",
        type="container",
        containerProperties={"image": "any", "vcpus": 1, "memory": 128, "command": ["any"]},
    )
    return "queue", "definition"
