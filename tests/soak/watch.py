"""A stack looked at from outside every so many seconds: memory, open files and threads of each part, disk by folder."""

import threading
import time
from typing import Self

from tests.bench import processes
from tests.bench.sampling import disk_bytes
from tests.integration.system.stack import Stack
from tests.soak.slopes import Bound

_MIB = 1 << 20
SERVICES = ("scheduler", "item-reader", "child-runner", "maprun-tracker", "functions")
OTHERS = "not ours"
BOUNDS = {
    # A process may grow by what its allocator keeps of a peak; a leak of one small object a child is more in an hour.
    "memory": Bound("flat", 6.0, 0.04),
    "files": Bound("flat", 4.0),
    "threads": Bound("flat", 4.0),
    # RocksDB keeps deleted rows until it compacts: a saw, whose teeth are its write buffers.
    "store": Bound("flat", 24.0, 0.25),
    "disk": Bound("steady", 8.0),
    OTHERS: Bound("steady", 64.0),
}
"""By the first word of a measure. Memory and disk in MiB."""
STORES = ("tracker", "scheduler")


class Watch:
    """Samples in a thread of its own. A measure is (what it is of: its part), its samples (seconds, value)."""

    def __init__(self, stack: Stack, every_seconds: float) -> None:
        self.measures: dict[str, list[tuple[float, float]]] = {}
        self._stack = stack
        self._every = every_seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        """Begins to watch."""
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Ends it."""
        self._over.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._over.wait(self._every):
            at = time.monotonic() - self._began
            for name, value in self._now().items():
                self.measures.setdefault(name, []).append((at, value))

    def _now(self) -> dict[str, float]:
        pids = self._stack.pids()
        found: dict[str, float] = {}
        for part, size in processes.rss_bytes(pids).items():
            found[f"{'memory' if part.startswith(SERVICES) else OTHERS}: {part}"] = size / _MIB
        for part, (files, threads) in processes.files_and_threads(pids).items():
            if part.startswith(SERVICES):
                found[f"files: {part}"] = files
                found[f"threads: {part}"] = threads
        disk = disk_bytes(self._stack.folder, ("tracker", "scheduler", "s3", "log"))
        for part, size in disk.items():
            found[f"{'store' if part in STORES else 'disk'}: {part}"] = size / _MIB
        return found
