"""The owner of a lane: claims it, reads its journal, and does what the lane says until somebody else claims it."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from maprun.bus.port import Feed, Mailbox, Outgoing, Port, Record, Spawned
from schemas import topics
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from schemas.home import ChildrenEnded, LaneProgress
from schemas.lanes import Claimed, ItemFrame, LaneAdvanced, LaneSignal
from schemas.wire import Decoder, encode
from services.child_runner.journal import LaneMemory, decode_journal
from services.child_runner.lane import Compile, Lane
from services.child_runner.limits import LaneLimits, Switches
from services.child_runner.state import TaskNotStarted, TaskOver, TaskStart

JOURNAL_RECORDS_PER_READ = 5_000
LEASE_RETRY_SECONDS = 0.2
UNREADABLE_ITEMS_MAX = 100_000  # that a header may speak of: a reader's frames hold far fewer

T = TypeVar("T")
_signal_decoder: Decoder[LaneSignal] = Decoder(LaneSignal)
_items_decoder = Decoder(ItemFrame)


class Metrics:
    """What the owner counts; the composition root gives one that Prometheus reads."""

    def children_ended(self, count: int) -> None:
        """So many children were answered on home."""

    def tasks_started(self, count: int) -> None:
        """So many Task attempts were started."""

    def unreadable(self, topic: str, partition: int, offset: int) -> None:
        """A record that can't be read was passed over."""


class Deps(msgspec.Struct, frozen=True):
    """What an owner needs beside its port."""

    compile_run: Compile
    run_task: Callable[[TaskRequested, str], Awaitable[TaskSucceeded | TaskFailed]]
    limits: LaneLimits = LaneLimits()
    switches: Switches = Switches()
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    watch: Callable[[Lane], None] = lambda _lane: None  # a simulation looks at the lane after each turn


async def own_lane(port: Port, number: int, deps: Deps) -> None:
    """Owns a lane for as long as the group gives it to this process; ends only by being cancelled."""
    committed = 0
    while True:
        committed = await _Ownership(port, number, deps, committed).work()


class _Ownership:
    """One claim of a lane, until a foreign claim is read behind it."""

    def __init__(self, port: Port, number: int, deps: Deps, committed: int) -> None:
        self.committed = committed  # the group's positions only grow; what a late claim made void may lie below
        self.port = port
        self.number = number
        self.deps = deps
        self.mailbox: Mailbox = port.mailbox()
        self.tasks: dict[tuple[str, int, str], Spawned] = {}
        self.items_feed: Feed | None = None
        self.paused = False

    async def work(self) -> int:
        """Claims, reads, works; returns what it committed when the lane was claimed by somebody else."""
        port, number = self.port, self.number
        memory = await self._claim()
        lane = Lane(number, memory, self.deps.compile_run, self.deps.limits, self.deps.switches)
        feeds = [
            port.feed(topics.LANE_JOURNAL.name, number, memory.epoch + 1, self.mailbox),
            port.feed(topics.LANE_SIGNALS.name, number, memory.signals, self.mailbox),
        ]
        signals_end = await port.end_offset(topics.LANE_SIGNALS.name, number)
        wait: float | None = 0.0 if lane.signals_next >= signals_end else None
        try:
            while True:
                for event in await self.mailbox.get(wait):
                    await self._hear(lane, event)
                if lane.lost:
                    break
                if self.items_feed is None and lane.signals_next >= signals_end:
                    lane.restore()
                    first = await self._first_items_position(memory)
                    lane.items_next = first
                    self.items_feed = port.feed(topics.ITEMS.name, number, first, self.mailbox)
                lane.judge_held(port.monotonic())
                while lane.asks_signals_end:  # again for what came in meanwhile: nobody else will wake this loop for it
                    lane.signals_end(await port.end_offset(topics.LANE_SIGNALS.name, number))
                    lane.judge_held(port.monotonic())
                wait = await self._turn(lane)
                self.deps.watch(lane)
        finally:
            for feed in [*feeds, *([self.items_feed] if self.items_feed else [])]:
                feed.close()
            for task in self.tasks.values():
                task.cancel()
        return self.committed

    async def _claim(self) -> LaneMemory:
        """Writes the claim and reads the journal up to it."""
        journal = topics.LANE_JOURNAL.name
        [epoch] = await self.port.send([Outgoing(journal, self.number, encode(Claimed(self.port.instance)))])
        memory = LaneMemory(fence=self.deps.switches.fence)
        for first in range(0, epoch + 1, JOURNAL_RECORDS_PER_READ):
            end = min(first + JOURNAL_RECORDS_PER_READ, epoch + 1)
            for record in await self.port.read(journal, self.number, first, end):
                try:
                    memory.apply(record.offset, decode_journal(record.value or b""))
                except msgspec.DecodeError:
                    self.deps.metrics.unreadable(journal, self.number, record.offset)
        return memory

    async def _first_items_position(self, memory: LaneMemory) -> int:
        if self.deps.switches.position_in_journal:
            return memory.items
        return await self.port.committed(topics.ITEMS.name, self.number)

    async def _hear(self, lane: Lane, event: object) -> None:
        now, at = self.port.now_ms(), self.port.monotonic()
        match event:
            case Record(topic=topics.ITEMS.name):
                lane.items(event.offset, self._decoded(event, _items_decoder) or unreadable_frame(event), at)
            case Record(topic=topics.LANE_SIGNALS.name):
                lane.signal(event.offset, self._decoded(event, _signal_decoder), now, at)
            case Record(topic=topics.LANE_JOURNAL.name):
                try:
                    lane.journal(decode_journal(event.value or b""), at)
                except msgspec.DecodeError:
                    self.deps.metrics.unreadable(event.topic, event.partition, event.offset)
            case TaskOver():
                self.tasks.pop((event.run, event.position, getattr(event.outcome, "ref", "")), None)
                lane.task_over(event, now, at)
            case TaskNotStarted():
                self.tasks.pop((event.start.run, event.start.position, event.start.request.ref), None)
                await self.port.sleep(LEASE_RETRY_SECONDS)
                lane.task_over(event, now, at)
            case _:
                raise AssertionError(event)

    def _decoded(self, record: Record, decoder: Decoder[T]) -> T | None:
        try:
            return decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            self.deps.metrics.unreadable(record.topic, record.partition, record.offset)
            return None

    async def _turn(self, lane: Lane) -> float | None:
        """One turn of the lane's work; how long nothing will be to do after it."""
        port = self.port
        now, at = port.now_ms(), port.monotonic()
        more = lane.work(now, at)
        self._start_tasks(lane)
        lane.adopt(at)
        frames = lane.take_frames(at, idle=not more)
        journal = lane.take_journal(at)
        progress = lane.take_progress(at)
        facts: list[ChildrenEnded | LaneProgress] = [*frames, *progress]
        home = [Outgoing(topics.HOME.name, _home_of(fact.run), encode(fact)) for fact in facts]
        if home or journal:
            topic = topics.LANE_JOURNAL.name
            await port.send([*home, *(Outgoing(topic, self.number, encode(record)) for record in journal)])
            at = port.monotonic()
            lane.acknowledged(frames, at)
            self.deps.metrics.children_ended(sum(len(f.statuses) for f in frames))
            for record in journal:
                self._journalled(lane, record, at)
        elif more:
            await port.sleep(0)
        self._mind_memory(lane)
        return 0.0 if more or lane.starts else lane.wait_seconds(port.now_ms(), port.monotonic())

    def _journalled(self, lane: Lane, journal: LaneAdvanced, at: float) -> None:
        if journal.items > self.committed:
            self.committed = journal.items
            self.port.commit(topics.ITEMS.name, self.number, self.committed)
        if not self.deps.switches.read_back:
            lane.act_on(journal, at)

    def _start_tasks(self, lane: Lane) -> None:
        for stop in lane.stops:
            task = self.tasks.pop((stop.run, stop.position, stop.ref), None)
            if task is not None:
                task.cancel()
        starts = lane.starts
        lane.starts, lane.stops = [], []
        for start in starts:
            run = lane.runs.get(start.run)
            child = run.running.get(start.position) if run is not None else None
            if child is not None and start.request.ref in child.waits:
                key = (start.run, start.position, start.request.ref)
                self.tasks[key] = self.port.spawn(self._run_task(start))
        self.deps.metrics.tasks_started(len(starts))

    async def _run_task(self, start: TaskStart) -> None:
        if self.deps.switches.lease and not self.port.lease_ok():
            self.mailbox.put(TaskNotStarted(start))
            return
        outcome = await self.deps.run_task(start.request, start.key)
        self.mailbox.put(TaskOver(start.run, start.position, outcome))

    def _mind_memory(self, lane: Lane) -> None:
        """Above the limit the items feed rests; signals never do."""
        feed = self.items_feed
        if feed is None:
            return
        queued = lane.bytes_queued
        if not self.paused and queued > self.deps.limits.queued_bytes_max:
            self.paused = True
            feed.pause()
        elif self.paused and queued < self.deps.limits.queued_bytes_max // 2:
            self.paused = False
            feed.resume()


def unreadable_frame(record: Record) -> ItemFrame | None:
    """The frame that a record's header speaks of, its items void: they are owed an answer, or their run never ends."""
    try:
        text = dict(record.headers)["positions"].decode()
        run, generation, first, count = text.rsplit("/", 3)
        if 0 < int(count) <= UNREADABLE_ITEMS_MAX:
            return ItemFrame(run, int(generation), int(first), (b"",) * int(count), "")
    except (KeyError, ValueError, AttributeError):
        pass  # nothing can be said of a record whose header lacks, or holds something else
    return None


def _home_of(run: str) -> int:
    return int(run[15:18], 16)
