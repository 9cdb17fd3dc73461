"""The world of one owner, on Kafka: what `maprun.bus.port` promises, over a host's fetcher, producer and group."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from maprun.bus.calls import Calls
from maprun.bus.feeds import KafkaFeed
from maprun.bus.fetcher import Fetcher
from maprun.bus.group import Group
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.port import LostOwnershipError, Mailbox, Outgoing, Record
from maprun.bus.sender import Sender
from maprun.runtime import clock

T = TypeVar("T")


class Connection:
    """A process's one connection to the world, which the ports of all its owners share.

    `cluster` is what positions are kept under; empty until the process has connected.
    """

    __slots__ = ("calls", "cluster", "fetcher", "instance", "sender")

    def __init__(self, instance: str, fetcher: Fetcher, sender: Sender, calls: Calls) -> None:
        self.instance = instance
        self.fetcher = fetcher
        self.sender = sender
        self.calls = calls
        self.cluster = ""


class Beside:
    """A coroutine that runs beside its owner."""

    __slots__ = ("_task",)

    def __init__(self, task: "asyncio.Task[None]") -> None:
        self._task = task

    def cancel(self) -> None:
        """Ends it at its next await."""
        self._task.cancel()


class KafkaPort:
    """The world of one owner, real."""

    def __init__(self, connection: Connection, group: Group | None, partition: int) -> None:
        self.instance = connection.instance
        self._connection = connection
        self._group = group
        self._partition = partition
        self._loop = asyncio.get_running_loop()
        self._feeds: list[KafkaFeed] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._busy_while: Callable[[], bool] = lambda: False
        self._fail: Callable[[BaseException], None] | None = None
        self._noted = 0  # the last position committed through this port
        self._closed = False

    # ------------------------------------------------------------------ for its owner's keeper

    def on_failure(self, fail: Callable[[BaseException], None]) -> None:
        """Whom to tell when a spawned coroutine or a feed fails."""
        self._fail = fail

    def close(self) -> None:
        """The owner has ended: its feeds and coroutines end too, and nothing more may be done through this port."""
        self._closed = True
        for feed in self._feeds:
            feed.close()
        for task in self._tasks:
            task.cancel()

    # ------------------------------------------------------------------ what never waits

    @property
    def cluster(self) -> str:
        """What stands beside each position that is kept; known once the host has started."""
        assert self._connection.cluster, "the process has not connected"
        return self._connection.cluster

    @property
    def busy(self) -> bool:
        """True while coroutines run beside the owner, or what it names itself is under way."""
        return bool(self._tasks) or self._busy_while()

    def now_ms(self) -> int:
        """Epoch milliseconds by a clock that takes no step, moved as the broker's timestamps ask for."""
        return self._connection.sender.clock.now_ms()

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return clock.monotonic_seconds()

    def lease_ok(self) -> bool:
        """True while no other process can have been given this partition."""
        return not self._closed and self._group is not None and self._group.lease_ok()

    def mailbox(self) -> KafkaMailbox:
        """A new mailbox."""
        return KafkaMailbox(self._loop)

    def spawn(self, work: Coroutine[Any, Any, None]) -> Beside:
        """Runs a coroutine beside the owner; it ends with the owner at the latest. Its exceptions end the owner."""
        if self._closed:
            work.close()
            raise LostOwnershipError("the owner has ended")
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_ended)
        return Beside(task)

    def busy_while(self, holds: Callable[[], bool]) -> None:
        """What is no coroutine is waited for before partitions are given up, while this holds."""
        self._busy_while = holds

    def feed(self, topic: str, partition: int, offset: int, mailbox: Mailbox) -> KafkaFeed:
        """Feeds the records of a partition from `offset` on into a mailbox."""
        self._still_open()
        assert isinstance(mailbox, KafkaMailbox)
        feed = self._connection.fetcher.feed(topic, partition, offset, mailbox)
        feed.on_error = self._failed
        self._feeds = [each for each in self._feeds if not each.closed]
        self._feeds.append(feed)
        return feed

    def commit(self, topic: str, partition: int, position: int) -> None:
        """Notes how far work is done; the group learns it within a second."""
        self._still_open()
        assert position >= self._noted, f"commit of {topic}/{partition} goes back from {self._noted} to {position}"
        self._noted = position
        self._owned(topic, partition).commit(partition, position)

    # ------------------------------------------------------------------ what waits

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await asyncio.sleep(seconds)

    async def call(self, work: Callable[[], T]) -> T:
        """Runs blocking work in a thread; its exceptions come back."""
        return await self._connection.calls.run(work)

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes in order (per partition) and waits until all are acknowledged: their offsets."""
        self._still_open()
        return await self._connection.sender.send(messages)

    async def end_offset(self, topic: str, partition: int) -> int:
        """The offset that the next record of this partition will get."""
        return await self._connection.fetcher.end_offset(topic, partition)

    async def start_offset(self, topic: str, partition: int) -> int:
        """The offset of the oldest record that is kept (the end, if none is)."""
        return await self._connection.fetcher.start_offset(topic, partition)

    async def trim(self, topic: str, partition: int, before: int) -> None:
        """Deletes the records below `before`; a failure is logged."""
        self._still_open()
        await self._connection.fetcher.trim(topic, partition, before)

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """The records with offsets in [first, end), without a feed; for bounded stretches."""
        return await self._connection.fetcher.read(topic, partition, first, end)

    async def committed(self, topic: str, partition: int) -> int:
        """The group's position on the partition the owner was given (0 when there is none)."""
        self._still_open()
        return self._owned(topic, partition).committed(partition)

    # ------------------------------------------------------------------ inside

    def _still_open(self) -> None:
        if self._closed:
            raise LostOwnershipError("the owner has ended")

    def _owned(self, topic: str, partition: int) -> Group:
        assert self._group is not None, "a port without a partition has no position"
        assert (topic, partition) == (self._group.topic, self._partition), f"{topic}/{partition} is not this owner's"
        return self._group

    def _failed(self, error: BaseException) -> None:
        if self._fail is not None and not self._closed:
            self._fail(error)

    def _spawned_ended(self, task: "asyncio.Task[None]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._failed(error)
