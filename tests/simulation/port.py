"""The port of one owner in the simulated world: every await suspends into the event heap."""

from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, TypeVar

from maprun.bus.port import BusError, Outgoing, Record, TooLargeError
from schemas import topics
from tests.simulation.process import Owner, Task

T = TypeVar("T")
VALUE_BYTES_MAX = 24_000
"""The largest value, with its key, of a record: far below a real broker's, as all sizes are here."""
TURN_SECONDS = 5e-5
"""No wait is shorter: a turn of a real loop costs time too, and a clock that stands still would let an owner spin."""


class Suspended:
    """What a coroutine yields to the trampoline: something to begin, which resumes the task later."""

    __slots__ = ("begin",)

    def __init__(self, begin: Callable[[Task], None]) -> None:
        self.begin = begin

    def __await__(self) -> Generator["Suspended", Any, Any]:
        return (yield self)


class SimMailbox:
    """A queue in front of one coroutine."""

    def __init__(self, port: "SimPort") -> None:
        self._port = port
        self._items: list[Any] = []
        self._waiter: tuple[Task, int] | None = None

    def put(self, item: Any) -> None:
        """Adds an item."""
        self._items.append(item)
        if self._waiter is not None:
            task, token = self._waiter
            self._waiter = None
            self._port.world.after(0.0, self._port.process.do, self._wake, task, token)

    def _wake(self, task: Task, token: int) -> None:
        if token == task.token and not task.done:
            items, self._items = self._items, []
            self._waiter = None
            task.resume(token, items)

    async def get(self, wait_seconds: float | None) -> list[Any]:
        """All items that wait; at once when there are some."""
        if self._items and self._port.world.random.random() < 0.8:
            items, self._items = self._items, []
            return items

        def begin(task: Task) -> None:
            world, token = self._port.world, task.token
            if self._items:
                world.after(0.0002, self._port.process.do, self._wake, task, token)
                return
            self._waiter = (task, token)
            if wait_seconds is not None:
                world.after(max(TURN_SECONDS, wait_seconds), self._port.process.do, self._wake, task, token)

        taken: list[Any] = await Suspended(begin)
        return taken


class SimFeed:
    """Records of one partition on their way into a mailbox."""

    def __init__(self, port: "SimPort", topic: str, partition: int, offset: int, mailbox: Any) -> None:
        self._port = port
        self._log = port.world.log(topic, partition)
        self._next = offset  # what lies below the log's start is left out
        self._mailbox = mailbox
        self._paused = False
        self._closed = False
        self._fetching = False
        self._log.listeners.append(self._kick)
        self._kick()

    def _kick(self) -> None:
        if self._fetching or self._closed or self._paused or self._next >= len(self._log.records):
            return
        self._fetching = True
        world = self._port.world
        world.after(world.latency() + 0.0005, self._fetched)

    def _fetched(self) -> None:
        """At the broker: takes what is there now; a paused process finds it in its socket when it goes on."""
        end = len(self._log.records)
        if end - self._next > 1 and self._port.world.random.random() < 0.3:
            end = self._next + self._port.world.random.randint(1, end - self._next)
        records = self._log.slice(self._next, end)
        self._next = max(self._next, end)
        self._port.process.do(self._deliver, records)

    def _deliver(self, records: list[Record]) -> None:
        self._fetching = False
        if not self._closed:
            for record in records:
                self._mailbox.put(record)
            self._kick()

    def pause(self) -> None:
        """No more records, but for those under way."""
        self._paused = True

    def resume(self) -> None:
        """Goes on."""
        self._paused = False
        self._kick()

    def close(self) -> None:
        """Ends."""
        if not self._closed:
            self._closed = True
            self._log.listeners.remove(self._kick)


class SimPort:
    """One owner's world. Once closed (its process is gone, or the partition is) nothing it does has an effect."""

    def __init__(self, owner: Owner, margin_seconds: float) -> None:
        self.owner = owner
        self.process = owner.process
        self.world = owner.process.world
        self.instance = owner.process.instance
        self.cluster = owner.process.world.cluster
        self.closed = False
        self._lease_seconds = owner.group.session_seconds - margin_seconds
        self._feeds: list[SimFeed] = []
        self._noted: dict[int, int] = {}

    def close(self) -> None:
        """The owner is gone."""
        self.closed = True
        for feed in self._feeds:
            feed.close()

    # ------------------------------------------------------------------ what never waits

    def now_ms(self) -> int:
        """The process's clock, a little off."""
        return self.world.wall_ms() + self.process.skew_ms + int(self.process.charged * 1000)

    def monotonic(self) -> float:
        """Seconds since the process's machine began."""
        return self.world.now + self.process.monotonic_base + self.process.charged

    def lease_ok(self) -> bool:
        """True while the last commit's session, less the margin, has not passed."""
        now = self.world.now + self.process.charged
        return not self.closed and now < self.process.lease_at + self._lease_seconds

    def mailbox(self) -> SimMailbox:
        """A new mailbox."""
        return SimMailbox(self)

    def spawn(self, work: Coroutine[Any, Any, None]) -> Task:
        """A coroutine beside the owner."""
        assert not self.closed or work.close() is None
        return self.owner.spawn(work)

    def busy_while(self, holds: Callable[[], bool]) -> None:
        """Nothing is handed over in good order here: processes are killed."""

    def feed(self, topic: str, partition: int, offset: int, mailbox: Any) -> SimFeed:
        """Feeds records of a partition into a mailbox."""
        feed = SimFeed(self, topic, partition, offset, mailbox)
        self._feeds.append(feed)
        return feed

    def commit(self, topic: str, partition: int, position: int) -> None:
        """Notes a position for the next group commit."""
        assert topic == self.owner.group.topic, f"{topic} is not the topic of group {self.owner.group.name}"
        assert partition == self.owner.partition, f"partition {partition} is not this owner's"
        assert position >= self._noted.get(partition, 0), f"commit of {topic}/{partition} goes back to {position}"
        assert position <= len(self.world.log(topic, partition)), "a commit past the end"
        self._noted[partition] = position

    def commit_noted(self) -> None:
        """The group commit, at the broker."""
        for partition, position in self._noted.items():
            self.owner.group.commit(self.process, partition, position)

    # ------------------------------------------------------------------ what waits

    def _later(self, seconds: float, task: Task, token: int, value: Any, error: BaseException | None = None) -> None:
        self.world.after(seconds, self.process.do, task.resume, token, value, error)

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await Suspended(lambda task: self._later(max(TURN_SECONDS, seconds), task, task.token, None))

    async def call(self, work: Callable[[], T]) -> T:
        """Blocking work in a thread: it may have to wait for one, and its answer takes its time."""

        def begin(task: Task) -> None:
            chance = self.world.random.random()
            queued = 0.0 if chance < 0.9 or self.world.calm else (chance - 0.9) * 80
            self.world.after(queued, self.process.do, run, task, task.token)

        def run(task: Task, token: int) -> None:
            if task.done or self.closed:
                return
            self.world.call_seconds = 0.0
            try:
                result, error = work(), None
            except Exception as raised:  # noqa: BLE001 - comes back where it was called
                result, error = None, raised
            self._later(self.world.latency() + self.world.call_seconds, task, token, result, error)

        answer: T = await Suspended(begin)
        return answer

    async def send(self, messages: Sequence[Outgoing]) -> list[int]:
        """Publishes; each partition's messages keep their order; some fail, some acknowledgements get lost.

        Raises TooLargeError when one fits no record, as a real producer does.
        """
        for message in messages:
            size = len(message.value or b"") + len(message.key or b"")
            if size > VALUE_BYTES_MAX:
                self.world.note(f"{self.process.name} can't send {size} bytes to {message.topic}/{message.partition}")
                raise TooLargeError(f"{size} bytes for {message.topic}/{message.partition}: above the record limit")
        said = self.owner.group.name == "child-runner" and any(m.topic == topics.HOME.name for m in messages)
        if said and not self.lease_ok() and not self.closed:
            self.world.violated(f"{self.process.name} says something on home, and its lease doesn't hold")
        offsets: list[int] = await Suspended(lambda task: _Sending(self, task, messages).begin())
        return offsets

    async def end_offset(self, topic: str, partition: int) -> int:
        """The end as it was at some moment of the asking."""

        def begin(task: Task) -> None:
            self.world.after(self.world.latency(), asked, task, task.token)

        def asked(task: Task, token: int) -> None:
            self._later(self.world.latency(), task, token, len(self.world.log(topic, partition)))

        end: int = await Suspended(begin)
        return end

    async def start_offset(self, topic: str, partition: int) -> int:
        """The start as it was at some moment of the asking."""

        def begin(task: Task) -> None:
            self.world.after(self.world.latency(), asked, task, task.token)

        def asked(task: Task, token: int) -> None:
            self._later(self.world.latency(), task, token, self.world.log(topic, partition).start)

        start: int = await Suspended(begin)
        return start

    async def trim(self, topic: str, partition: int, before: int) -> None:
        """Deletes the beginning of a log; the request arrives, if it does, whatever becomes of the process."""

        def begin(task: Task) -> None:
            if not self.process.broken:
                self.world.after(self.world.latency(), self.world.log(topic, partition).trim, before)
            self._later(self.world.latency() * 2, task, task.token, None)

        await Suspended(begin)

    async def read(self, topic: str, partition: int, first: int, end: int) -> list[Record]:
        """Records of a bounded stretch."""

        def begin(task: Task) -> None:
            self._later(self.world.latency(), task, task.token, self.world.log(topic, partition).slice(first, end))

        records: list[Record] = await Suspended(begin)
        return records

    async def committed(self, topic: str, partition: int) -> int:
        """The group's position."""
        assert topic == self.owner.group.topic
        position = self.owner.group.position(partition)
        await Suspended(lambda task: self._later(self.world.latency(), task, task.token, None))
        return position


class _Sending:
    """One call of `send`: its batches leave the process, arrive at their partitions, are acknowledged."""

    def __init__(self, port: SimPort, task: Task, messages: Sequence[Outgoing]) -> None:
        self.port = port
        self.task = task
        self.token = task.token
        self.messages = messages
        self.offsets = [-1] * len(messages)
        self.open = 0
        self.lost = 1.0  # share of each batch that arrives

    def begin(self) -> None:
        world = self.port.world
        chance = world.random.random()
        self._fault(chance)
        linger = 0.0 if chance > 0.2 else chance * 0.01
        world.after(linger, self.port.process.do, self.leave)

    def _fault(self, chance: float) -> None:
        """Rarely a record is lost, or only its acknowledgement; then the process ends, as its producer can't go on."""
        world = self.port.world
        if world.calm or chance < 0.996:
            return
        self.lost = 1.0 if chance < 0.998 else world.random.random()
        world.after(world.random.random() * 2, self.port.process.do, self.fail)

    def fail(self) -> None:
        process = self.port.process
        process.broken = True
        process.world.note(f"producer of {process.name} breaks")
        process.world.after(process.world.random.random() * 0.3, process.kill)
        self.task.resume(self.token, None, BusError("the record was not acknowledged"))

    def leave(self) -> None:
        """Out of the process: from here on nothing calls it back, not even the end of the process."""
        port = self.port
        if port.process.broken:
            return
        batches: dict[tuple[str, int], list[int]] = {}
        for i, message in enumerate(self.messages):
            batches.setdefault((message.topic, message.partition), []).append(i)
        self.open = len(batches)
        world, arrivals = port.world, port.process.arrivals
        for target, indices in batches.items():
            when = max(world.now + world.latency(), arrivals.get(target, 0.0))
            arrivals[target] = when
            world.at(when, self.arrive, target, indices)
        if not batches:
            port._later(0.0, self.task, self.token, [])

    def arrive(self, target: tuple[str, int], indices: list[int]) -> None:
        """At the broker."""
        log = self.port.world.log(*target)
        gaps = self.port.process.gaps
        keep = len(indices) if self.lost == 1.0 else int(len(indices) * self.lost)
        if target in gaps:
            keep = 0  # a broker refuses what follows a gap in an idempotent producer's sequence
        if keep < len(indices):
            gaps.add(target)
            self.lost = 0.0
        for i in indices[:keep]:
            message = self.messages[i]
            self.offsets[i] = log.append(message.value, message.key, message.headers)
        self.open -= 1
        if not self.open and self.lost == 1.0:
            world = self.port.world
            world.after(world.latency(), self.port.process.do, self.task.resume, self.token, self.offsets)
