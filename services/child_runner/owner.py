"""The owner of a lane: claims it, reads its journal, and does what the lane says until somebody else claims it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec

from maprun.bus.port import Feed, Mailbox, Outgoing, Port, Record, RecordsGoneError, Spawned
from maprun.mapruns.slices import Pace
from maprun.runtime.pace import LoopPace
from schemas import topics
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded
from schemas.home import ChildrenEnded, LaneProgress, NestedRunDropped, NestedRunRequested
from schemas.lanes import ChildAdopted, ItemFrame, LaneAdvanced, LaneSignal
from schemas.wire import Decoder, encode
from services.child_runner import adoption, reports
from services.child_runner.journal import RunKey, journal_decoder
from services.child_runner.keeping import Keeper, claim, read_inputs
from services.child_runner.lane import Lane
from services.child_runner.limits import LaneLimits
from services.child_runner.machine import Compile
from services.child_runner.metrics import Metrics
from services.child_runner.state import InputsRead, InputsWanted, Room, TaskNotStarted, TaskOver, TaskStart

UNREADABLE_ITEMS_MAX = 100_000  # that a header may speak of: a reader's frames hold far fewer

T = TypeVar("T")
HomeFact = ChildrenEnded | LaneProgress | NestedRunRequested | NestedRunDropped
_signal_decoder: Decoder[LaneSignal] = Decoder(LaneSignal)
_items_decoder = Decoder(ItemFrame)


ASKED_A_LOOK = 8
"""A state is microseconds of work, the largest a millisecond: eight of them are a small part of a slice."""


class Deps(msgspec.Struct, frozen=True):
    """What an owner needs beside its port."""

    compile_run: Compile
    run_task: Callable[[TaskRequested, str], Awaitable[TaskSucceeded | TaskFailed]]
    limits: LaneLimits = LaneLimits()
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    room: Room = msgspec.field(default_factory=lambda: Room(LaneLimits().running_bytes_max))  # of the whole process
    pace: Pace = msgspec.field(default_factory=partial(LoopPace, asked_a_look=ASKED_A_LOOK))  # of the process's loop
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
        self.tasks: dict[tuple[RunKey, int, str], Spawned] = {}
        self.next: dict[str, int] = {}  # topic → offset of the record that must come next
        self.items_feed: Feed | None = None
        self.paused = False

    async def work(self) -> int:
        """Claims, reads, works; returns what it committed when the lane was claimed by somebody else."""
        port, number, deps = self.port, self.number, self.deps
        memory = await claim(port, number, deps.limits, deps.metrics.unreadable)
        lane = Lane(number, memory, deps.compile_run, deps.limits, deps.room, deps.pace)
        keeper = Keeper(port, lane)
        feeds = [
            self._feed(topics.LANE_JOURNAL.name, memory.epoch + 1),
            self._feed(topics.LANE_SIGNALS.name, memory.signals),
        ]
        signals_end = await port.end_offset(topics.LANE_SIGNALS.name, number)
        wait: float | None = 0.0 if lane.signals_next >= signals_end else None
        try:
            while True:
                await self._hear_all(lane, await self.mailbox.get(wait))
                if lane.lost:
                    break
                if self.items_feed is None and lane.signals_next >= signals_end:
                    lane.restore()
                    self.items_feed = self._feed(topics.ITEMS.name, lane.items_next)
                lane.judge_held(port.monotonic())
                while lane.asks_signals_end:  # again for what came in meanwhile: nobody else will wake this loop for it
                    lane.signals_end(await port.end_offset(topics.LANE_SIGNALS.name, number))
                    lane.judge_held(port.monotonic())
                wait = await self._turn(lane, keeper)
                self.deps.watch(lane)
        finally:
            deps.room.used -= lane.room_taken
            for feed in [*feeds, *([self.items_feed] if self.items_feed else [])]:
                feed.close()
            for task in self.tasks.values():
                task.cancel()
        return self.committed

    def _feed(self, topic: str, first: int) -> Feed:
        self.next[topic] = first
        return self.port.feed(topic, self.number, first, self.mailbox)

    async def _hear_all(self, lane: Lane, events: list[object]) -> None:
        heard, pace = 0, self.deps.pace
        pace.begin()
        for event in events:
            heard += self._hear(lane, event)
            if heard >= self.deps.limits.heard_max or pace.spent():
                heard = 0
                await self.port.sleep(0)
                pace.begin()

    def _hear(self, lane: Lane, event: object) -> int:
        """Something came in; how many things that was."""
        now, at = self.port.now_ms(), self.port.monotonic()
        match event:
            case Record():
                return self._record(lane, event, now, at)
            case TaskOver():
                self.tasks.pop((event.run, event.position, getattr(event.outcome, "ref", "")), None)
                lane.task_over(event, now, at)
            case TaskNotStarted():
                self.tasks.pop((event.start.run, event.start.position, event.start.request.ref), None)
                lane.task_over(event, now, at)
            case InputsRead():
                if not adoption.inputs_read(lane, event):
                    raise RecordsGoneError(f"inputs of {event.wanted.run} are gone from the journal of {self.number}")
            case _:
                raise AssertionError(event)
        return 1

    def _record(self, lane: Lane, record: Record, now: int, at: float) -> int:
        """A record of one of the lane's topics. They have no gaps: what is gone was deleted by a newer owner."""
        if record.offset != self.next[record.topic]:
            gone = f"{record.topic}/{record.partition} from {self.next[record.topic]} to {record.offset}"
            raise RecordsGoneError(f"records of {gone} are gone")
        self.next[record.topic] += 1
        match record.topic:
            case topics.ITEMS.name:
                lane.items(record.offset, self._decoded(record, _items_decoder) or unreadable_frame(record), at)
            case topics.LANE_SIGNALS.name:
                lane.signal(record.offset, self._decoded(record, _signal_decoder), now, at)
            case _:
                return lane.journal(record.offset, self._decoded(record, journal_decoder), at)
        return 1

    def _decoded(self, record: Record, decoder: Decoder[T]) -> T | None:
        try:
            return decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            self.deps.metrics.unreadable(record.topic, record.partition, record.offset)
            return None

    async def _turn(self, lane: Lane, keeper: Keeper) -> float | None:
        """One turn of the lane's work; how long nothing will be to do after it."""
        port = self.port
        now, at = port.now_ms(), port.monotonic()
        self.deps.pace.begin()
        more = lane.work(now, at)
        self._start_tasks(lane)
        lane.adopt(at)
        lane.mute = not port.lease_ok()
        frames = reports.take_frames(lane, at, idle=not more)
        journal = lane.take_journal(at)
        # A child's requests come before its end: home must know each Map Run that its history tells of.
        facts: list[HomeFact] = [*reports.take_asks(lane), *frames, *reports.take_progress(lane, at)]
        if facts or journal:
            topic = topics.LANE_JOURNAL.name
            values = [encode(record) for record in journal]
            home = [Outgoing(topics.HOME.name, _home_of(fact.run), encode(fact)) for fact in facts]
            offsets = await port.send([*home, *(Outgoing(topic, self.number, value) for value in values)])
            at = port.monotonic()
            lane.acknowledged(frames, at)
            self.deps.metrics.children_ended(sum(len(f.statuses) for f in frames))
            for offset, record, value in zip(offsets[len(home) :], journal, values, strict=True):
                lane.written(offset, record, len(value))
                self._journalled(record)
        elif more:
            await port.sleep(0)
        more |= await keeper.step()
        self._mind_memory(lane)
        if more or lane.starts or lane.wanted:
            return 0.0
        at = port.monotonic()
        waits = (reports.wait_seconds(lane, port.now_ms(), at), keeper.wait_seconds(at))
        return min((wait for wait in waits if wait is not None), default=None)

    def _journalled(self, journal: LaneAdvanced) -> None:
        if journal.items > self.committed:
            self.committed = journal.items
            self.port.commit(topics.ITEMS.name, self.number, self.committed)

    def _start_tasks(self, lane: Lane) -> None:
        for stop in lane.stops:
            task = self.tasks.pop((stop.run, stop.position, stop.ref), None)
            if task is not None:
                task.cancel()
        if lane.starts and not self.port.lease_ok():
            lane.put_off(self.port.monotonic())
        starts, wanted = lane.starts[: self.deps.limits.starts_max], lane.wanted
        lane.stops, lane.wanted = [], []
        del lane.starts[: len(starts)]
        for start in starts:
            run = lane.run_of(*start.run)
            child = run.running.get(start.position) if run is not None else None
            if child is not None and start.request.ref in child.waits:
                key = (start.run, start.position, start.request.ref)
                self.tasks[key] = self.port.spawn(self._run_task(start))
        self.deps.metrics.tasks_started(len(starts))
        for each in wanted:
            self.port.spawn(self._read_inputs(each))

    async def _run_task(self, start: TaskStart) -> None:
        if not self.port.lease_ok():
            self.mailbox.put(TaskNotStarted(start))
            return
        outcome = await self.deps.run_task(start.request, start.key)
        self.mailbox.put(TaskOver(start.run, start.position, outcome))

    async def _read_inputs(self, wanted: InputsWanted) -> None:
        places = [(offset, place) for _, offset, place in wanted.places]
        read = await read_inputs(self.port, self.number, places)
        found: dict[int, ChildAdopted] = {
            position: child for (position, _, _), child in zip(wanted.places, read, strict=True) if child is not None
        }
        self.mailbox.put(InputsRead(wanted, found))

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
