"""The real side of `maprun.bus.port`: a process that hosts owners of partitions on asyncio and Kafka."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

from maprun.bus.cluster import check_topics
from maprun.bus.feeds import KafkaFeed
from maprun.bus.fetcher import Fetcher
from maprun.bus.group import Group
from maprun.bus.limits import BusLimits, check
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.owners import Owner
from maprun.bus.port import BusError, LostOwnershipError, Mailbox, Outgoing, Port, Record
from maprun.bus.quiet import quieten
from maprun.bus.sender import Sender
from maprun.runtime import clock, logs
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.topics import TOPICS

T = TypeVar("T")
_DRAIN_STEP_SECONDS = 0.02
_DRAIN_QUIET_STEPS = 5


class Owned(msgspec.Struct, frozen=True):
    """A topic whose partitions are shared out among the processes of a group, and who owns one of them here."""

    topic: str  # as the registry has it
    group: str  # without the prefix
    own: Callable[[Port, int], Coroutine[Any, Any, None]]
    drain_seconds: float = 0.0  # before partitions are given up, for what owners have begun beside them


class KafkaHost:
    """A process's one connection to the world: fetcher, producer, groups, threads, and the owners that use them.

    `run` returns when asked to stop and raises BusError when the bus, or any other exception when an owner, is broken
    beyond what starting that owner again would mend: then the process ends, and its launcher starts it again.
    """

    def __init__(
        self, settings: Settings, limits: Limits, owned: Sequence[Owned] = (), own: BusLimits | None = None
    ) -> None:
        self.settings = settings
        self.limits = limits
        self.own = check(own or BusLimits(), limits)
        self.instance = settings.instance
        quieten()
        self._loop = asyncio.get_running_loop()
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self._threads = ThreadPoolExecutor(self.own.threads_max, thread_name_prefix="call")
        self._client = AIOKafkaClient(
            bootstrap_servers=settings.kafka,
            client_id=settings.prefix + self.instance,
            request_timeout_ms=int(self.own.request_seconds_max * 1000),
        )
        self.fetcher = Fetcher(self._client, settings.prefix, limits, self.own)
        self.sender = Sender(settings, limits, self.own, self.broken_by)
        self._shares = [_Share(self, each) for each in owned]
        self._beside: list[Owner] = []
        self._started = False

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Connects, and compares the cluster's topics with the settings. Raises BusError, TopicsDifferError.

        A Kafka that isn't there yet is waited for, as long as a process may take to get ready.
        """
        until = self._loop.time() + self.limits.ready_seconds_max
        while True:
            try:
                await self._client.bootstrap()
                break
            except KafkaError as error:
                if self._loop.time() > until:
                    raise BusError(f"Kafka at {self.settings.kafka}: {error!r}") from error
            await asyncio.sleep(self.own.owner_retry_seconds)
        await check_topics(self._client, self.settings, self.limits)
        await self._client.set_topics([self.settings.prefix + topic.name for topic in TOPICS])
        await self.sender.start()
        self._started = True

    async def run(self, stop: asyncio.Event) -> None:
        """Serves the owned topics until `stop` is set; needs `start` before and `close` after."""
        groups = [self._loop.create_task(share.group.run()) for share in self._shares]
        stopped = self._loop.create_task(stop.wait())
        ends: set[asyncio.Future[Any]] = {stopped, self._broken, *groups}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if self._broken.done():
                self._broken.result()
            for group in groups:
                if group.done():
                    group.result()
        finally:
            stopped.cancel()
            for group in groups:
                group.cancel()
            await asyncio.gather(stopped, *groups, return_exceptions=True)

    async def close(self) -> None:
        """Lets what was begun end, as far as there is time; ends the owners, commits what they noted, disconnects."""
        await asyncio.gather(*(share.group.drain() for share in self._shares))
        owners = [*self._beside, *(owner for share in self._shares for owner in share.owners.values())]
        for owner in owners:
            owner.cancel()
        await ended(owners, self.limits.drain_seconds)
        for share in self._shares:
            await share.group.close()
        await self.fetcher.close()
        try:
            await self.sender.close(self.limits.drain_seconds)
        except BusError as error:
            logs.logger("bus").warning("producer_closed_early", error=str(error))
        await self._client.close()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def beside(self, name: str, work: Callable[[Port], Coroutine[Any, Any, None]]) -> Owner:
        """Runs a coroutine that was given no partition by a group of this host, under the rules of an owner.

        It ends when it is cancelled, or with the host.
        """
        owner = Owner(name, self.port, work, self.own, self.broken_by)
        self._beside = [each for each in self._beside if each.task is None or not each.task.done()] + [owner]
        owner.start()
        return owner

    def port(self) -> "KafkaPort":
        """A port without a partition: its lease never holds, it has no position to commit."""
        return KafkaPort(self, None, 0)

    def broken_by(self, error: BaseException) -> None:
        """Ends `run` with this error; the first one counts."""
        if not self._broken.done():
            self._broken.set_exception(error)

    # ------------------------------------------------------------------ health

    def healthy(self) -> str:
        """Empty, or why this process should be ended."""
        if self.sender.broken is not None:
            return str(self.sender.broken)
        return "broken" if self._broken.done() else ""

    def ready(self) -> str:
        """Empty when every group knows this process and every partition given has its owner, else what is missing."""
        if not self._started:
            return "not connected to Kafka"
        for share in self._shares:
            if not share.group.member:
                return f"not a member of group {share.group.name}"
            if share.owners and not share.group.lease_ok():
                return f"no commit to group {share.group.name} for {-share.group.lease_seconds:.0f} s past its lease"
            for partition, owner in share.owners.items():
                if not owner.running:
                    return f"the owner of {share.group.topic}/{partition} is waiting to start again"
        return self.healthy() or self.fetcher.trouble()

    def leases(self) -> dict[str, float]:
        """How many seconds each group's lease still lasts."""
        return {share.group.name: share.group.lease_seconds for share in self._shares}


class _Share:
    """This process's share of one owned topic."""

    def __init__(self, host: KafkaHost, owned: Owned) -> None:
        assert owned.drain_seconds <= host.limits.drain_seconds, "a drain is part of handing over"
        self._host = host
        self._owned = owned
        self.owners: dict[int, Owner] = {}
        self.group = Group(
            host.settings,
            owned.topic,
            owned.group,
            host.limits,
            host.own,
            self._lost,
            self._given,
            self._drain,
        )
        self._ending: list[Owner] = []
        self._ports: dict[int, KafkaPort] = {}

    async def _drain(self) -> None:
        """Until owners had nothing beside them for a moment, in which they say what came of it."""
        quiet = 0
        for _ in range(int(self._owned.drain_seconds / _DRAIN_STEP_SECONDS)):
            busy = any(port.busy for partition, port in self._ports.items() if partition in self.owners)
            quiet = 0 if busy else quiet + 1
            if quiet > _DRAIN_QUIET_STEPS:
                return
            await asyncio.sleep(_DRAIN_STEP_SECONDS)

    def _lost(self, kept: frozenset[int]) -> None:
        for partition in [p for p in self.owners if p not in kept]:
            owner = self.owners.pop(partition)
            owner.cancel()
            self._ending.append(owner)

    async def _given(self, given: frozenset[int]) -> None:
        # Two owners of one partition in one process would share a claim's instance name.
        await ended(self._ending, self._host.limits.drain_seconds)
        self._ending = []
        for partition in sorted(given - self.owners.keys()):
            owner = self.owners[partition] = self._owner(partition)
            owner.start()

    def _owner(self, partition: int) -> Owner:
        host, own = self._host, self._owned.own

        def new_port() -> KafkaPort:
            port = self._ports[partition] = KafkaPort(host, self.group, partition)
            return port

        return Owner(
            f"{self._owned.topic}/{partition}",
            new_port,
            lambda port: own(port, partition),
            host.own,
            host.broken_by,
        )


async def ended(owners: Sequence[Owner], seconds: float) -> None:
    """Waits for cancelled owners, but not for ever: one that doesn't end is left behind with a closed port."""
    tasks = {task for owner in owners if (task := owner.task) is not None}
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=seconds)
        for task in late:
            logs.logger("bus").error("owner_not_ended", owner=task.get_name())


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

    def __init__(self, host: KafkaHost, group: Group | None, partition: int) -> None:
        self.instance = host.instance
        self._host = host
        self._group = group
        self._partition = partition
        self._loop = asyncio.get_running_loop()
        self._feeds: list[KafkaFeed] = []
        self._tasks: set[asyncio.Task[None]] = set()
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
    def busy(self) -> bool:
        """True while coroutines run beside the owner."""
        return bool(self._tasks)

    def now_ms(self) -> int:
        """Wall clock, epoch milliseconds, moved as the broker's timestamps ask for."""
        return self._host.sender.clock.now_ms()

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

    def feed(self, topic: str, partition: int, offset: int, mailbox: Mailbox) -> KafkaFeed:
        """Feeds the records of a partition from `offset` on into a mailbox."""
        self._still_open()
        assert isinstance(mailbox, KafkaMailbox)
        feed = self._host.fetcher.feed(topic, partition, offset, mailbox)
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
        return await self._loop.run_in_executor(self._host._threads, work)  # noqa: SLF001 - one room, one module

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes in order (per partition) and waits until all are acknowledged: their offsets."""
        self._still_open()
        return await self._host.sender.send(messages)

    async def end_offset(self, topic: str, partition: int) -> int:
        """The offset that the next record of this partition will get."""
        return await self._host.fetcher.end_offset(topic, partition)

    async def start_offset(self, topic: str, partition: int) -> int:
        """The offset of the oldest record that is kept (the end, if none is)."""
        return await self._host.fetcher.start_offset(topic, partition)

    async def trim(self, topic: str, partition: int, before: int) -> None:
        """Deletes the records below `before`; a failure is logged."""
        self._still_open()
        await self._host.fetcher.trim(topic, partition, before)

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """The records with offsets in [first, end), without a feed; for bounded stretches."""
        return await self._host.fetcher.read(topic, partition, first, end)

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
