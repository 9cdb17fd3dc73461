"""A stack whose child-runners the bench starts itself: each may call functions at an address of its own."""

import os
import resource
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from maprun.local import statefile
from tests.integration.jars import share_jars
from tests.integration.system.stack import REGION, ROOT, Stack

_PARTS = "kafka,seaweedfs,topics,scheduler,item-reader,maprun-tracker"
_READY_SECONDS_MAX = 60.0
_STOP_SECONDS_MAX = 30.0
_FILES_KEPT_FREE = 500  # of a process's open files, for Kafka, logs and the like


class RunnerStack(Stack):
    """`up` starts all but child-runners and functions; `start_runners` the former, once functions are somewhere."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._runners: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def functions_port(self) -> int:
        """A port that nobody uses in this stack."""
        return int(self.environ["AWS_ENDPOINT_URL_LAMBDA"].rpartition(":")[2])

    def up(self, parts: str = _PARTS) -> float:
        """Starts it without child-runners; answers the seconds it took."""
        share_jars(self.folder)
        began = time.monotonic()
        done = self.launcher("up", "--detach", "--parts", parts)
        assert done.returncode == 0, f"the stack did not come up:\n{done.stdout}{done.stderr}"
        return time.monotonic() - began

    def start_runners(self, endpoints: Sequence[str], connections: int) -> None:
        """One child-runner for each endpoint, which may hold so many calls at once; returns when all are ready."""
        base = int(self.api.rpartition(":")[2]) + 10
        urls = []
        for n, endpoint in enumerate(endpoints):
            name, port = f"child-runner-{n}", base + n
            environment = {
                **self.environ,
                "AWS_ACCESS_KEY_ID": "maprun",
                "AWS_SECRET_ACCESS_KEY": "maprun-local",
                "AWS_REGION": REGION,
                "AWS_ENDPOINT_URL_LAMBDA": endpoint,
                "MAPRUN_TASK_CONNECTIONS": str(connections),
                "MAPRUN_INSTANCE": name,
                "MAPRUN_HTTP_PORT": str(port),
                "PYTHONPATH": str(ROOT),
                statefile.MARK: str(self.folder),  # so that `down` finds it, should the bench be killed
            }
            with (self.folder / "log" / f"{name}.log").open("ab") as log:
                self._runners[name] = subprocess.Popen(
                    [sys.executable, "-m", "services.child_runner"], cwd=ROOT, env=environment, stdout=log, stderr=log
                )
            urls.append(f"http://127.0.0.1:{port}/readyz")
        deadline = time.monotonic() + _READY_SECONDS_MAX
        for url in urls:
            while not _answers(url):
                assert time.monotonic() < deadline, f"{url} is not ready: {self.log_tail('child-runner-0')}"
                time.sleep(0.1)

    def stop_runners(self) -> None:
        """Ends them in good order."""
        for process in self._runners.values():
            process.terminate()
        for process in self._runners.values():
            process.wait(timeout=_STOP_SECONDS_MAX)
        self._runners.clear()

    def down(self) -> None:
        """Stops everything."""
        self.stop_runners()
        super().down()

    def pids(self) -> dict[str, int]:
        """The process of each part that has one, the child-runners included."""
        return super().pids() | {name: process.pid for name, process in self._runners.items()}


def connections_max() -> int:
    """How many calls one process may hold at once: one open file each, up to the hard limit."""
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 28_000) - _FILES_KEPT_FREE


def raise_file_limit() -> None:
    """Lets this process and those it starts open as many files as the hard limit allows."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def free_bytes(folder: Path) -> int:
    """Free disk under a folder."""
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - an address made above
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
