"""The tracker as a process of its own, to be asked, killed and started again."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from maprun.runtime.settings import Settings, to_environment

ROOT = Path(__file__).resolve().parents[3]
READY_SECONDS_MAX = 120.0


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class TrackerProcess:
    """`python -m services.maprun_tracker` under these settings."""

    def __init__(self, settings: Settings, log: Path) -> None:
        self.settings = settings
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it; `ready` waits for it."""
        environment = {**os.environ, **to_environment(self.settings)}
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "services.maprun_tracker"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )

    def ready(self) -> float:
        """Waits until it answers; how many seconds that took."""
        began = time.monotonic()
        while time.monotonic() < began + READY_SECONDS_MAX:
            assert self._process is not None
            assert self._process.poll() is None, self.log.read_text()[-3000:]
            with (
                contextlib.suppress(OSError),
                urllib.request.urlopen(self.settings.api + "/readyz", timeout=2) as answer,  # noqa: S310 - fixed scheme
            ):
                if answer.status == 200:
                    return time.monotonic() - began
            time.sleep(0.02)
        raise AssertionError(f"not ready: {self.log.read_text()[-3000:]}")

    def kill(self) -> None:
        """Ends it with SIGKILL."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=30)

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None
        return self._process.pid

    def client(self) -> Any:
        """An unmodified boto3 client of it."""
        return boto3.client(
            "stepfunctions",
            endpoint_url=self.settings.api,
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106 - nobody checks it
            config=Config(retries={"max_attempts": 8, "mode": "standard"}, read_timeout=40),
        )

    def get(self, path: str) -> str:
        """The text at a path."""
        with urllib.request.urlopen(self.settings.api + path, timeout=30) as answer:  # noqa: S310 - a fixed scheme
            text: bytes = answer.read()
        return text.decode()

    def post(self, target: str, body: bytes, headers: Mapping[str, str] | None = None) -> tuple[int, Any, Any]:
        """A bare POST: status, decoded body, headers."""
        asked = urllib.request.Request(  # noqa: S310 - a fixed scheme
            self.settings.api, data=body, headers={"X-Amz-Target": target, **(headers or {})}, method="POST"
        )
        try:
            with urllib.request.urlopen(asked, timeout=30) as answer:  # noqa: S310 - as above
                return answer.status, json.loads(answer.read() or b"null"), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"null"), error.headers
