"""The simulated world: virtual time, one seeded source of chance, an in-memory log per topic partition, a trace."""

import hashlib
import heapq
import random
from collections.abc import Callable
from typing import Any

from maprun.bus.port import Record

EPOCH_MS = 1_767_225_600_000
"""Wall clock at virtual time 0: 2026-01-01T00:00:00Z."""


class Log:
    """One partition: records by offset; None where compaction took one away. Below `start` they are deleted.

    Deleted ones stay for the checker, and are handed to nobody.
    """

    def __init__(self, world: "World", topic: str, partition: int) -> None:
        self.world = world
        self.topic = topic
        self.partition = partition
        self.records: list[Record | None] = []
        self.listeners: list[Callable[[], None]] = []
        self.start = 0

    def __len__(self) -> int:
        return len(self.records)

    def append(self, value: bytes | None, key: bytes | None = None, headers: tuple[tuple[str, bytes], ...] = ()) -> int:
        """Appends at the present time and tells who listens; the broker's clock is not quite even."""
        world = self.world
        offset = len(self.records)
        record = Record(self.topic, self.partition, offset, world.broker_ms(), key, value, headers)
        self.records.append(record)
        world.note(f"+ {self.topic}/{self.partition}@{offset}", value or b"", key or b"")
        for seen in world.observers:
            seen(record)
        for listener in self.listeners:
            listener()
        return offset

    def slice(self, first: int, end: int) -> list[Record]:
        """The records that are still there among [first, end)."""
        return [record for record in self.records[max(self.start, first) : end] if record is not None]

    def trim(self, before: int) -> None:
        """Deletes what lies below an offset."""
        if before > self.start:
            self.start = before
            self.world.note(f"trim {self.topic}/{self.partition} to {before}")
            for trimmed in self.world.trim_observers:
                trimmed(self, before)

    def compact(self) -> None:
        """Keeps the newest record of each key, and the last record whatever its key."""
        newest = {record.key: record.offset for record in self.records if record is not None}
        for offset, record in enumerate(self.records[:-1]):
            if record is not None and newest[record.key] != offset:
                self.records[offset] = None


class World:
    """Everything that happens, happens in an event of this heap; chance comes from one seeded generator."""

    def __init__(self, seed: int, *, keep_trace: bool = False) -> None:
        self.seed = seed
        self.random = random.Random(seed)
        self.now = 0.0
        self.events = 0
        self.cluster = "of the disks of now."  # what positions are kept under
        self.calm = False  # no more faults
        self.logs: dict[tuple[str, int], Log] = {}
        self.observers: list[Callable[[Record], None]] = []
        self.trim_observers: list[Callable[[Log, int], None]] = []
        self.violations: list[str] = []
        self.call_seconds = 0.0  # what the blocking call that runs now adds to its duration
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._digest = hashlib.blake2b(digest_size=8)
        self.trace: list[tuple[float, str, tuple[bytes, ...]]] | None = [] if keep_trace else None

    # ------------------------------------------------------------------ time

    def at(self, when: float, act: Callable[..., None], *arguments: Any) -> None:
        """Does something at a virtual time (seconds)."""
        self.events += 1
        heapq.heappush(self._heap, (when, self.events, act, arguments))

    def after(self, seconds: float, act: Callable[..., None], *arguments: Any) -> None:
        """Does something later."""
        self.events += 1
        heapq.heappush(self._heap, (self.now + seconds, self.events, act, arguments))

    def run(self, until: float, done: Callable[[], bool] | None = None) -> bool:
        """Goes on to a virtual time, or until `done` (asked every few events). True if it was done."""
        heap = self._heap
        count = 0
        while heap and heap[0][0] <= until and not self.violations:
            when, _, act, arguments = heapq.heappop(heap)
            self.now = max(self.now, when)
            act(*arguments)
            count += 1
            if done is not None and count & 15 == 0 and done():
                return True
        self.now = max(self.now, until) if not self.violations else self.now
        return done is not None and done()

    def wall_ms(self) -> int:
        """The true wall clock."""
        return EPOCH_MS + int(self.now * 1000)

    def broker_ms(self) -> int:
        """The broker's clock: a few milliseconds off, so sometimes it steps back."""
        return EPOCH_MS + int(self.now * 1000 + self.random.random() * 4)

    def latency(self) -> float:
        """Seconds that one hop takes: mostly a millisecond, now and then much longer."""
        chance = self.random.random()
        if chance < 0.985 or self.calm:
            return 0.0003 + chance * 0.002
        return (chance - 0.985) * 100

    # ------------------------------------------------------------------ what it holds

    def log(self, topic: str, partition: int) -> Log:
        """The log of a partition; made on first use."""
        found = self.logs.get((topic, partition))
        if found is None:
            found = self.logs[topic, partition] = Log(self, topic, partition)
        return found

    def note(self, what: str, *data: bytes) -> None:
        """One line of the trace, which is hashed: the same seed must give the same hash."""
        self._digest.update(f"{self.now:.6f} {what}".encode())
        for part in data:
            self._digest.update(part)
        if self.trace is not None:
            self.trace.append((self.now, what, data))

    @property
    def trace_hash(self) -> str:
        """The hash of everything that happened so far."""
        return self._digest.hexdigest()

    def violated(self, what: str) -> None:
        """An invariant does not hold: the world stops at this event."""
        self.violations.append(f"t={self.now:.3f}: {what}")
        self.note(f"VIOLATION {what}")
