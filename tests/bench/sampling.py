"""A run watched while it goes on: memory of every process, disk of every part, children done, DescribeMapRun's time."""

import stat
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import msgspec

from tests.bench import processes
from tests.integration.system.stack import Stack

_DESCRIBE_PAUSE_SECONDS = 0.05
_DONE = ("succeeded", "failed", "timedOut", "aborted")
Json = dict[str, Any]


class Sample(msgspec.Struct, frozen=True):
    """One moment. Memory and disk in bytes."""

    seconds: float
    done: int
    rss: dict[str, int]
    disk: dict[str, int]


class Watch:
    """Samples every so many seconds, and calls DescribeMapRun again and again, each in a thread of its own."""

    def __init__(self, stack: Stack, map_run_arn: str, every_seconds: float) -> None:
        self.samples: list[Sample] = []
        self.describe_ms: list[float] = []
        self.described: Json = {}
        self._stack = stack
        self._arn = map_run_arn
        self._every = every_seconds
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(2)
        self._watching: list[Future[None]] = []
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Begins to watch."""
        self._watching = [self._pool.submit(self._describe), self._pool.submit(self._sample)]
        return self

    def __exit__(self, *_error: object) -> None:
        """A last sample, and no more. Raises what went wrong while it watched: an API that didn't answer, say."""
        self._over.set()
        self._pool.shutdown()
        for watching in self._watching:
            watching.result()

    def _describe(self) -> None:
        sfn = self._stack.client("stepfunctions")
        while not self._over.wait(_DESCRIBE_PAUSE_SECONDS):
            began = time.perf_counter()
            self.described = sfn.describe_map_run(mapRunArn=self._arn)
            self.describe_ms.append((time.perf_counter() - began) * 1000)

    def _sample(self) -> None:
        while True:
            over = self._over.wait(self._every)
            self.samples.append(self._now())
            if over:
                return

    def _now(self) -> Sample:
        counts = self.described.get("itemCounts", {})
        done = sum(counts.get(name, 0) for name in _DONE)
        rss = processes.rss_bytes(self._stack.pids())
        return Sample(time.monotonic() - self._began, done, rss, disk_bytes(self._stack.folder))


def disk_bytes(state: Path, parts: Sequence[str] = ("tracker", "s3")) -> dict[str, int]:
    """What a stack has on disk: Kafka by topic, and these parts."""
    found: dict[str, int] = {}
    kafka = state / "kafka" / "data"
    for folder in kafka.iterdir() if kafka.exists() else ():
        if folder.is_dir():
            topic = folder.name.rpartition("-")[0]
            found[f"kafka: {topic}"] = found.get(f"kafka: {topic}", 0) + _size(folder)
    for part in parts:
        found[part] = _size(state / part)
    return found


def _size(folder: Path) -> int:
    """Lengths, because blocks are allocated late; of Kafka's indexes, which are made long and sparse, the blocks."""
    total = 0
    for path in folder.rglob("*"):
        try:
            found = path.lstat()
            if stat.S_ISREG(found.st_mode):
                total += found.st_blocks * 512 if path.suffix in {".index", ".timeindex"} else found.st_size
        except OSError:  # deleted meanwhile: logs are cut, tables compacted
            continue
    return total
