"""The real side of `maprun.bus.port`: a process that hosts owners of partitions on asyncio and Kafka."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

from maprun.bus.calls import Calls
from maprun.bus.cluster import check_topics
from maprun.bus.fetcher import Fetcher
from maprun.bus.group import Group
from maprun.bus.kafka_port import Connection, KafkaPort
from maprun.bus.limits import BusLimits, bus_limits_of, check
from maprun.bus.mailbox import KafkaMailbox
from maprun.bus.names import Name
from maprun.bus.owners import Owner
from maprun.bus.port import BusError, Port
from maprun.bus.quiet import never_make_topics, quieten
from maprun.bus.reporting import Doing, Reporting
from maprun.bus.security import client_options, require_welcome
from maprun.bus.sender import Sender
from maprun.bus.watch import TopicsWatch
from maprun.runtime import logs
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings
from schemas.tokens import TokenSecret

T = TypeVar("T")
_DRAIN_STEP_SECONDS = 0.02
_DRAIN_QUIET_STEPS = 5
LAST_REPORT_SECONDS_MAX = 1.0


class Owned(msgspec.Struct, frozen=True):
    """A topic whose partitions are shared out among the processes of a group, and who owns one of them here."""

    topic: str  # as the registry has it
    group: str  # without the prefix
    own: Callable[[Port, int], Coroutine[Any, Any, None]]
    drain_seconds: float = 0.0  # before partitions are given up, for what owners have begun beside them


class KafkaHost:
    """A process on Kafka: its one connection to the world, its groups, and the owners that use both.

    `run` returns when asked to stop and raises BusError when the bus, or any other exception when an owner, is broken
    beyond what starting that owner again would mend: then the process ends, and its launcher starts it again.
    """

    def __init__(
        self,
        settings: Settings,
        limits: Limits,
        owned: Sequence[Owned] = (),
        own: BusLimits | None = None,
        service: str = "",
        secret: TokenSecret | None = None,
    ) -> None:
        self.secret = secret or TokenSecret()  # of the cluster's task tokens; known once started
        self.service = service  # whose rights are looked at, and under which the instance's name is taken; none: a tool
        self.settings = settings
        self.limits = limits
        self.own = check(own or bus_limits_of(limits), limits)
        self.instance = settings.instance
        self._said = quieten()
        never_make_topics()
        self._loop = asyncio.get_running_loop()
        self._broken: asyncio.Future[None] = self._loop.create_future()
        self.calls = Calls(self.own.calls_at_once_max, self.own.threads_max, self.own.call_patience_seconds)
        self._client = AIOKafkaClient(
            bootstrap_servers=settings.kafka,
            **client_options(settings),
            client_id=settings.prefix + self.instance,
            request_timeout_ms=int(self.own.request_seconds_max * 1000),
        )
        self.fetcher = Fetcher(self._client, settings.prefix, limits, self.own)
        self.sender = Sender(settings, limits, self.own, self.broken_by)
        self.connection = Connection(self.instance, self.fetcher, self.sender, self.calls)
        self._shares = [_Share(self, each) for each in owned]
        self._beside: list[Owner] = []
        self._watches: list[asyncio.Task[None]] = []
        self._topics: TopicsWatch | None = None
        self._trouble = ""
        self._also: Callable[[], Doing] = Doing
        self._reporting = Reporting(settings, service, self.doing)

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Connects, compares the topics with the mark and the settings, takes its name. Raises BusError, SetupError.

        A Kafka that isn't there yet is waited for, as long as a process may take to get ready.
        """
        until = self._loop.time() + self.limits.ready_seconds_max
        while True:
            try:
                await self._client.bootstrap()
                break
            except KafkaError as error:
                self._trouble = f": {self._said.trouble or repr(error)}"
                await require_welcome(self.settings)
                if self._loop.time() > until:
                    raise BusError(f"Kafka at {self.settings.kafka}{self._trouble}") from error
            await asyncio.sleep(self.own.owner_retry_seconds)
        known = await check_topics(self._client, self.fetcher, self.settings, self.service)
        self.connection.cluster = known.cluster
        self.secret.learn(known.mark.token_secret)
        for share in self._shares:
            share.group.cluster = known.cluster
        await self.sender.start()
        self._topics = TopicsWatch(self._client, self.settings, known, self.service)
        self._watch(self._topics.run())
        if self.service:
            name = Name(self.settings, self.service)
            self._watch(name.keep(self.fetcher, await name.take(self.sender), KafkaMailbox(self._loop)))
            self._watch(self._reporting.run())

    def _watch(self, work: Coroutine[Any, Any, None]) -> None:
        """Has `run` end with what this coroutine raises."""

        def ended(task: "asyncio.Task[None]") -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                self.broken_by(error)

        task = self._loop.create_task(work)
        task.add_done_callback(ended)
        self._watches.append(task)

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
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*(share.stop() for share in self._shares))
        owners = [*self._beside, *(owner for share in self._shares for owner in share.owners.values())]
        for owner in owners:
            owner.cancel()
        await ended(owners, self.limits.drain_seconds)
        for share in self._shares:
            await in_time(share.group.close(), self.limits.session_timeout_seconds, f"group {share.group.name}")
        await self.fetcher.close()
        await in_time(self._reporting.close(), LAST_REPORT_SECONDS_MAX, "reports")
        try:
            await self.sender.close(self.limits.drain_seconds)
        except BusError as error:
            logs.logger("bus").warning("producer_closed_early", error=str(error))
        await in_time(self._client.close(), self.limits.session_timeout_seconds, "connections")
        self.calls.close()

    def beside(self, name: str, work: Callable[[Port], Coroutine[Any, Any, None]]) -> Owner:
        """Runs a coroutine that was given no partition by a group of this host, under the rules of an owner.

        It ends when it is cancelled, or with the host.
        """
        owner = Owner(name, self.port, work, self.own, self.broken_by)
        self._beside = [each for each in self._beside if each.task is None or not each.task.done()] + [owner]
        owner.start()
        return owner

    def port(self) -> KafkaPort:
        """A port without a partition: its lease never holds, it has no position to commit."""
        return KafkaPort(self.connection, None, 0)

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
        if self._topics is None:
            return f"not connected to Kafka at {self.settings.kafka}{self._trouble}"
        if self._topics.trouble:
            return self._topics.trouble
        for share in self._shares:
            if not share.group.member:
                return f"not a member of group {share.group.name}"
            if share.owners and not share.group.lease_ok():
                return share.group.no_lease()
            for partition, owner in share.owners.items():
                if not owner.running:
                    return f"the owner of {share.group.topic}/{partition} is waiting to start again"
        return self.healthy() or self.fetcher.trouble()

    def reports_also(self, also: Callable[[], Doing]) -> None:
        """What a service adds to the reports of its process: partitions it was given by others than this host."""
        self._also = also

    def doing(self) -> Doing:
        """How this process is doing."""
        also, behind = self._also(), Counter[str]()
        for (topic, _), records in self.lag().items():
            behind[topic] += records
        owns = {share.group.topic: tuple(sorted(share.owners)) for share in self._shares}
        return Doing(self.ready() or also.trouble, {**owns, **also.owns}, +behind, also.figures)

    def lag(self) -> Mapping[tuple[str, int], int]:
        """How many records of each partition that is read here are not fetched yet, by its slowest reader."""
        behind: dict[tuple[str, int], int] = {}
        for feed in self.fetcher.feeds:
            if not feed.closed:
                key = (feed.topic, feed.partition)
                behind[key] = max(behind.get(key, 0), feed.behind)
        return behind

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

    async def stop(self) -> None:
        """Gives all partitions up. The group waits for nothing meanwhile, so what was begun may have longer to end."""
        self.group.stopping = True
        seconds = self._owned.drain_seconds
        await self._quiet(max(seconds, self._host.limits.calls_seconds) if seconds else 0.0)

    async def _drain(self) -> None:
        """Before a rebalance, for which all members wait: a stop under way holds it up no longer than any other."""
        await self._quiet(self._owned.drain_seconds)

    async def _quiet(self, seconds_max: float) -> None:
        """Until owners had nothing beside them for a moment, in which they say what came of it."""
        quiet = 0
        for _ in range(int(seconds_max / _DRAIN_STEP_SECONDS)):
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
        if self.group.stopping:
            return
        for partition in sorted(given - self.owners.keys()):
            owner = self.owners[partition] = self._owner(partition)
            owner.start()

    def _owner(self, partition: int) -> Owner:
        host, own = self._host, self._owned.own

        def new_port() -> KafkaPort:
            port = self._ports[partition] = KafkaPort(host.connection, self.group, partition)
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


async def in_time(closing: Coroutine[Any, Any, None], seconds: float, what: str) -> None:
    """Waits for something to close, but not for ever: a process that has to end, ends."""
    task = asyncio.ensure_future(closing)
    _, late = await asyncio.wait({task}, timeout=seconds)
    if late:
        task.cancel()
        logs.logger("bus").warning("not_closed", what=what, after_seconds=seconds)
    else:
        task.result()
