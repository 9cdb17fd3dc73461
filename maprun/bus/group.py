"""Membership of a consumer group: which partitions are this process's, for how long for sure, and its commits."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from maprun.bus.limits import BusLimits
from maprun.bus.port import BusError, LostOwnershipError
from maprun.bus.rights import refusal
from maprun.bus.security import client_options
from maprun.runtime import clock, logs
from maprun.runtime.limits import Limits
from maprun.runtime.settings import Settings

_NEVER = 0x7FFF_FFFF  # ms; longer than any process lives

OnLost = Callable[[frozenset[int]], None]
"""Called first after a rebalance, with the partitions that nobody else can have had since: all others are lost."""
Drain = Callable[[], Awaitable[None]]
"""Called before partitions are given up, while the group waits: what was begun may end, nothing begins."""
OnGiven = Callable[[frozenset[int]], Awaitable[None]]
"""Called then, with all partitions that are this process's from now on, once the lease on them has begun."""


class Group(ConsumerRebalanceListener):  # type: ignore[misc]
    """One static member of one group over one topic, both under the prefix.

    Records are fetched elsewhere; here all partitions are paused.

    A rebalance takes everything away and gives most of it back. What is given back at once to a member that took part
    in it without a break was nobody else's, so its owners need not end; they only may start no effect meanwhile.
    """

    def __init__(
        self,
        settings: Settings,
        topic: str,
        name: str,
        limits: Limits,
        own: BusLimits,
        on_lost: OnLost,
        on_given: OnGiven,
        drain: Drain,
    ) -> None:
        self.topic = topic
        self.name = settings.prefix + name
        self._named = settings.prefix + topic
        self._settings = settings
        self._limits = limits
        self._on_lost = on_lost
        self._on_given = on_given
        self._drain = drain
        self._draining = False
        self.stopping = False  # told to stop: no effect starts any more, and nothing that is given is taken up
        self.cluster = ""  # of the logs that positions are of; set before `run`
        self._lease_seconds = limits.session_timeout_seconds - limits.lease_margin_seconds
        self._lease_until = 0.0  # monotonic
        self._positions: dict[int, int] = {}
        self._held: frozenset[int] = frozenset()
        self._round = (-1, "", 0)  # generation, member id, count of revocations
        self._revocations = 0
        self._member = False
        self._taking: asyncio.Task[None] | None = None
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=settings.kafka,
            **client_options(settings),
            client_id=settings.prefix + settings.instance,
            group_id=self.name,
            group_instance_id=settings.instance,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            partition_assignment_strategy=(RangePartitionAssignor,),
            session_timeout_ms=int(limits.session_timeout_seconds * 1000),
            heartbeat_interval_ms=int(limits.heartbeat_interval_seconds * 1000),
            rebalance_timeout_ms=int(own.rebalance_seconds_max * 1000),
            # Nothing is read through this consumer, so it must not be judged by what it reads.
            max_poll_interval_ms=_NEVER,
            request_timeout_ms=int((own.rebalance_seconds_max + own.request_seconds_max) * 1000),
            max_partition_fetch_bytes=1,
            fetch_max_bytes=1,
        )

    # ------------------------------------------------------------------ what owners ask

    def lease_ok(self) -> bool:
        """True while no other process can have been given this member's partitions, and they aren't given up."""
        return not self._draining and not self.stopping and clock.monotonic_seconds() < self._lease_until

    def committed(self, partition: int) -> int:
        """The group's position, as of the assignment or this process's last commit."""
        if partition not in self._positions:
            raise LostOwnershipError(f"{self.topic}/{partition} is not this process's")
        return self._positions[partition]

    def commit(self, partition: int, position: int) -> None:
        """Notes a position; the next commit, at most a second away, carries it.

        One below the group's changes nothing: an owner that went on from an older snapshot comes by there again.
        """
        if position > self.committed(partition):
            self._positions[partition] = position

    # ------------------------------------------------------------------ what the host asks

    @property
    def member(self) -> bool:
        """Whether the group knows this process, with whatever it was given, even nothing."""
        return self._member

    @property
    def lease_seconds(self) -> float:
        """How long the lease still lasts; negative once it has passed, 0 when there is none."""
        return self._lease_until - clock.monotonic_seconds() if self._lease_until else 0.0

    def no_lease(self) -> str:
        """Why the lease does not hold, in words."""
        if not self._lease_until:
            return f"no commit to group {self.name} was taken since its partitions were given"
        return f"no commit to group {self.name} for {-self.lease_seconds:.0f} s past its lease"

    async def run(self) -> None:
        """Joins and commits each second until cancelled. Raises BusError when the group can't be had at all."""
        self._consumer.subscribe([self._named], listener=self)
        try:
            await self._consumer.start()
            while True:
                await asyncio.sleep(self._limits.commit_interval_seconds)
                # Errors of the group's own routine wait here for somebody to look.
                self._consumer._coordinator.check_errors()  # noqa: SLF001 - public only through reading records
                if self._taking is not None and self._taking.done() and not self._taking.cancelled():
                    self._taking.result()
                await self._commit()
        except (KafkaError, OSError) as error:
            refused = refusal(error, self._settings, self.name, self._named)
            raise refused or BusError(f"group {self.name}: {error!r}") from error

    async def close(self) -> None:
        """A last commit, and the connection's end. A static member stays in its group until its session has passed."""
        await self._commit()
        self._lease_until = 0.0
        if self._taking is not None:
            self._taking.cancel()
        await self._consumer.stop()

    # ------------------------------------------------------------------ commits

    async def _commit(self) -> None:
        """Commits every position held, changed or not: that is the sign of life which the lease is counted from."""
        if not self._held or not self._member:
            return
        positions = {TopicPartition(self._named, p): (self._positions[p], self.cluster) for p in self._held}
        before, sent = self._standing(), clock.monotonic_seconds()
        if before[0] < 0:
            # Without a generation the broker takes a commit from anybody once the group is empty: it proves nothing.
            return
        try:
            await asyncio.wait_for(self._consumer.commit(positions), self._lease_seconds)
        except (CommitFailedError, IllegalStateError):
            # Not ours any more; the group's own routine finds out as well and says so by a rebalance.
            self._lease_until = 0.0
            return
        except (KafkaError, TimeoutError) as error:
            logs.logger("bus").warning("commit_failed", group=self.name, error=repr(error))
            return
        if self._standing() == before:
            self._lease_until = max(self._lease_until, sent + self._lease_seconds)

    def _standing(self) -> tuple[int, str, int]:
        coordinator = self._consumer._coordinator  # noqa: SLF001 - generation and member id are told nowhere else
        if coordinator is None:  # the first rebalance comes before `start` returns
            return (-1, "", self._revocations)
        return (coordinator.generation, coordinator.member_id, self._revocations)

    async def _kept(self, partition: int) -> int:
        """The position that the group kept; the beginning if it kept none, or one in a log that is no more."""
        at = TopicPartition(self._named, partition)
        coordinator = self._consumer._coordinator  # noqa: SLF001 - the public way leaves out what stands beside it
        kept = (await coordinator.fetch_committed_offsets([at])).get(at)
        if kept is None or kept.offset < 0:
            return 0
        if kept.metadata != self.cluster:
            logs.logger("bus").warning("position_of_another_log", topic=self._named, partition=partition)
            return 0
        return int(kept.offset)

    # ------------------------------------------------------------------ rebalances, called by aiokafka

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        """The group gathers its members anew: no effect starts from now on, and progress so far is committed."""
        if revoked:
            self._draining = True
            await self._drain()
            await self._commit()
        self._lease_until = 0.0
        self._draining = False
        self._member = False
        self._revocations += 1
        if self._taking is not None:
            self._taking.cancel()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        """The group has decided. What this process was given is taken in a task: heartbeats must begin meanwhile."""
        if assigned:
            self._consumer.pause(*assigned)
        self._taking = asyncio.get_running_loop().create_task(self._take(frozenset(tp.partition for tp in assigned)))

    async def _take(self, given: frozenset[int]) -> None:
        generation, member, revocations = self._standing()
        unbroken = (generation - 1, member, revocations - 1) == self._round
        kept = given & self._held if unbroken else frozenset[int]()
        self._on_lost(kept)
        self._held = frozenset()
        positions = {p: self._positions[p] for p in kept}
        for partition in given - kept:
            positions[partition] = await self._kept(partition)
        self._positions = positions
        self._round = (generation, member, revocations)
        self._held, self._member = given, True
        # The lease begins here, so that the first effect of an owner need not wait for the next second.
        await self._commit()
        logs.logger("bus").info("partitions_given", group=self.name, partitions=sorted(given), kept=sorted(kept))
        await self._on_given(given)
