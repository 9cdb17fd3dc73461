"""What a service's coroutines may wait for: Kafka, time, threads. Real in `maprun.bus.kafka`, simulated in tests.

A service is a set of *owners*: one coroutine for each partition it was given. An owner awaits nothing but methods of
its `Port` and of what the port hands out, so the very same coroutine runs on asyncio and Kafka, and in the simulator
on an in-memory log with virtual time, where every await is a place to be killed, paused or overtaken.
"""

from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeVar

import msgspec

T = TypeVar("T")


class Record(msgspec.Struct, frozen=True, gc=False):
    """One record of a topic. `timestamp_ms` is the broker's where the topic says so, else the producer's."""

    topic: str
    partition: int
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One record to publish."""

    topic: str
    partition: int
    value: bytes | None
    key: bytes | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


class BusError(Exception):
    """Kafka can't be reached or refuses: the owner ends, its process restarts what must go on."""

    retriable = True


class LostOwnershipError(BusError):
    """The group gave this partition to somebody else: nothing more may be done for it."""

    retriable = False


class TooLargeError(BusError):
    """A record above the limit was to be published. Nothing of its list was; others are not concerned.

    Whoever writes records cuts them before, so it is a bug: tried again the same record would be refused again.
    """

    retriable = False


class RecordsGoneError(BusError):
    """Records that an owner goes on from were deleted: a newer owner has no need of them, or somebody meddled."""


class Mailbox(Protocol):
    """A queue in front of one coroutine. Anybody in the process may put; one coroutine gets."""

    def put(self, item: Any) -> None:
        """Adds an item; never blocks."""
        ...

    async def get(self, wait_seconds: float | None) -> list[Any]:
        """All items that wait, in order; waits for the first one at most so long (None: without end)."""
        ...


class Feed(Protocol):
    """Records of one partition on their way into a mailbox, in order, from an offset on."""

    def pause(self) -> None:
        """No more records until `resume`; some that are under way may still come."""
        ...

    def resume(self) -> None:
        """Goes on."""
        ...

    def close(self) -> None:
        """Ends the feed."""
        ...


class Spawned(Protocol):
    """A coroutine that runs beside its owner."""

    def cancel(self) -> None:
        """Ends it at its next await."""
        ...


class Port(Protocol):
    """The world of one owner. Every failure of Kafka is a BusError."""

    instance: str  # stable name of this process

    @property
    def cluster(self) -> str:
        """Stands beside each position that is kept: one with another cluster's leads into logs that are no more."""
        ...

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds, corrected by the broker timestamps seen last."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back."""
        ...

    def lease_ok(self) -> bool:
        """True while no other process can have been given this partition.

        That is: (time of sending the last successful group commit) + session timeout - margin has not passed. Check it
        with no await before an effect starts.
        """
        ...

    def mailbox(self) -> Mailbox:
        """A new mailbox."""
        ...

    def spawn(self, work: Coroutine[Any, Any, None]) -> Spawned:
        """Runs a coroutine beside the owner; it ends with the owner at the latest. Its exceptions end the owner."""
        ...

    def busy_while(self, holds: Callable[[], bool]) -> None:
        """Something that is no coroutine is under way while this holds.

        Before partitions are given up in good order it is waited for a moment, as coroutines are.
        """
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...

    async def call(self, work: Callable[[], T]) -> T:
        """Runs blocking work in a thread; its exceptions come back."""
        ...

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes in order (per partition) and waits until all are acknowledged: their offsets."""
        ...

    async def end_offset(self, topic: str, partition: int) -> int:
        """The offset that the next record of this partition will get."""
        ...

    async def start_offset(self, topic: str, partition: int) -> int:
        """The offset of the oldest record that is kept (the end, if none is)."""
        ...

    async def trim(self, topic: str, partition: int, before: int) -> None:
        """Deletes the records below `before`. It saves disk and no more: a failure is logged, never raised."""
        ...

    def feed(self, topic: str, partition: int, offset: int, mailbox: Mailbox) -> Feed:
        """Feeds the records (as `Record`) of a partition from `offset` on into a mailbox.

        What lies below the log's start is left out: who can't do without it must look at the offsets that come.
        """
        ...

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """The records with offsets in [first, end), as far as they are kept, without a feed; for bounded stretches."""
        ...

    async def committed(self, topic: str, partition: int) -> int:
        """The group's position on the partition the owner was given (0 when there is none)."""
        ...

    def commit(self, topic: str, partition: int, position: int) -> None:
        """Notes how far work is done; positions only grow.

        The bus commits it to the group soon: at least each second, which renews the lease.
        """
        ...
