"""The owner of a lane: claims it, reads its journal, and does what the lane says until somebody else claims it."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import msgspec

from maprun.bus.port import Feed, Mailbox, Outgoing, Port, Record, RecordsGoneError, Spawned
from maprun.integrations.jobs import Followed, JobCalls
from maprun.mapruns.slices import Pace
from maprun.runtime.pace import LoopPace
from schemas import topics
from schemas.activities import ActivityTaskAnswered
from schemas.arns import home_of_run
from schemas.effects import TaskOutcome, TaskRequested, TaskSubmitted
from schemas.execution_logs import LogRecord
from schemas.home import ChildrenEnded
from schemas.lanes import ChildAdopted, ItemFrame, LaneAdvanced, LaneSignal
from schemas.wire import Decoder, encode
from services.child_runner.home_reports import HomeFact
from services.child_runner.input_store import InputsRead, InputsRequested
from services.child_runner.journal import RunKey, journal_decoder
from services.child_runner.journal_upkeep import JournalUpkeep, claim, read_inputs
from services.child_runner.lane import Lane
from services.child_runner.limits import LaneLimits
from services.child_runner.logs import log_outgoing
from services.child_runner.machine import Compile
from services.child_runner.memory_budget import MemoryBudget
from services.child_runner.metrics import Metrics
from services.child_runner.task_calls import JobLook, JobRuns, JobStop, TaskNotStarted, TaskOver, TaskStart

UNREADABLE_ITEMS_MAX = 100_000  # that a header may speak of: a reader's frames hold far fewer

T = TypeVar("T")
_signal_decoder: Decoder[LaneSignal] = Decoder(LaneSignal)
_items_decoder = Decoder(ItemFrame)


ASKED_A_LOOK = 8
"""A state is microseconds of work, the largest a millisecond: eight of them are a small part of a slice."""


Begin = Callable[[TaskRequested, str, Callable[[TaskStart, TaskOutcome], None], TaskStart], Spawned | None]
"""Begins a call that takes no coroutine, by its request and key; None for all others, which `run_task` makes.

Who is given as third hears of the start that is given as fourth, and its outcome.
"""


class Deps(msgspec.Struct, frozen=True):
    """What an owner needs beside its port."""

    compile_run: Compile
    run_task: Callable[[TaskRequested, str], Awaitable[TaskOutcome]]
    begin_task: Begin
    jobs: JobCalls
    limits: LaneLimits = LaneLimits()
    metrics: Metrics = msgspec.field(default_factory=Metrics)
    budget: MemoryBudget = msgspec.field(default_factory=lambda: MemoryBudget(LaneLimits().running_bytes_max))
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
        self.unwanted: dict[tuple[RunKey, int, str], TaskRequested] = {}  # of these, starts of jobs for nobody
        self.next: dict[str, int] = {}  # topic → offset of the record that must come next
        self.items_feed: Feed | None = None
        self.paused = False

    async def work(self) -> int:
        """Claims, reads, works; returns what it committed when the lane was claimed by somebody else."""
        port, number, deps = self.port, self.number, self.deps
        memory = await claim(port, number, deps.limits, deps.metrics.unreadable)
        lane = Lane(number, memory, deps.compile_run, deps.limits, deps.budget, deps.pace)
        upkeep = JournalUpkeep(port, lane)
        feeds = [
            self._feed(topics.LANE_JOURNAL.name, memory.epoch + 1),
            self._feed(topics.LANE_SIGNALS.name, memory.signals),
        ]
        signals_end = await port.end_offset(topics.LANE_SIGNALS.name, number)
        lane.former_signals = signals_end
        port.busy_while(lambda: bool(self.tasks))
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
                # Again for what came in meanwhile: nobody else wakes this loop for it.
                while lane.held.asks_signals_end:
                    lane.held.signals_end(await port.end_offset(topics.LANE_SIGNALS.name, number))
                    lane.judge_held(port.monotonic())
                wait = await self._turn(lane, upkeep)
                self.deps.watch(lane)
        finally:
            lane.share.give_all_back()
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
        now_ms, at_seconds = self.port.now_ms(), self.port.monotonic()
        match event:
            case Record():
                return self._record(lane, event, now_ms, at_seconds)
            case TaskOver():
                key = (event.run, event.position, getattr(event.outcome, "ref", ""))
                self.tasks.pop(key, None)
                unwanted = self.unwanted.pop(key, None)
                if unwanted is not None and isinstance(event.outcome, TaskSubmitted):
                    self.port.spawn(self.deps.jobs.stop(Followed(unwanted, event.outcome.output)))
                lane.task_over(event, now_ms, at_seconds)
            case JobRuns():
                self.tasks.pop((event.look.run, event.look.position, event.look.ref), None)
                lane.job_runs(event, now_ms)
            case TaskNotStarted():
                key = (event.start.run, event.start.position, event.start.ref)
                self.tasks.pop(key, None)
                self.unwanted.pop(key, None)
                lane.task_over(event, now_ms, at_seconds)
            case InputsRead():
                if not lane.inputs_read(event):
                    raise RecordsGoneError(
                        f"inputs of {event.requested.run} are gone from the journal of {self.number}"
                    )
            case _:
                raise AssertionError(event)
        return 1

    def _record(self, lane: Lane, record: Record, now_ms: int, at_seconds: float) -> int:
        """A record of one of the lane's topics. They have no gaps: what is gone was deleted by a newer owner."""
        if record.offset != self.next[record.topic]:
            gone = f"{record.topic}/{record.partition} from {self.next[record.topic]} to {record.offset}"
            raise RecordsGoneError(f"records of {gone} are gone")
        self.next[record.topic] += 1
        match record.topic:
            case topics.ITEMS.name:
                lane.items(record.offset, self._decoded(record, _items_decoder) or unreadable_frame(record), at_seconds)
            case topics.LANE_SIGNALS.name:
                lane.signal(record.offset, self._decoded(record, _signal_decoder), now_ms, at_seconds)
            case _:
                return lane.journal(record.offset, self._decoded(record, journal_decoder), at_seconds)
        return 1

    def _decoded(self, record: Record, decoder: Decoder[T]) -> T | None:
        try:
            return decoder.decode(record.value or b"")
        except msgspec.DecodeError:
            self.deps.metrics.unreadable(record.topic, record.partition, record.offset)
            return None

    async def _turn(self, lane: Lane, upkeep: JournalUpkeep) -> float | None:
        """One turn of the lane's work; how long nothing will be to do after it."""
        port = self.port
        now_ms, at_seconds = port.now_ms(), port.monotonic()
        self.deps.pace.begin()
        more = lane.work(now_ms, at_seconds)
        self._call_tasks(lane)
        lane.calls_under_way = len(self.tasks)
        lane.store.adopt_old(at_seconds)
        lane.reports.lease_lost = not port.lease_ok()
        facts = lane.take_facts(at_seconds, idle=not more)
        journal = lane.take_journal(at_seconds)
        logs = lane.logs.take()
        if facts or journal or logs:
            await self._say(lane, facts, journal, logs)
        elif more:
            await port.sleep(0)
        more |= await upkeep.step()
        self._mind_memory(lane)
        if more:
            return 0.0
        at_seconds = port.monotonic()
        waits = (lane.wait_seconds(port.now_ms(), at_seconds), upkeep.wait_seconds(at_seconds))
        return min((wait for wait in waits if wait is not None), default=None)

    async def _say(
        self, lane: Lane, facts: list[HomeFact], journal: list[LaneAdvanced], logs: list[tuple[int, str, LogRecord]]
    ) -> None:
        """Publishes what goes to home, into the journal and to the logs, and waits until it is there."""
        values = [encode(record) for record in journal]
        home = [Outgoing(topics.HOME.name, _home_of(fact), encode(fact)) for fact in facts]
        lines = [Outgoing(topics.LANE_JOURNAL.name, self.number, value) for value in values]
        offsets = await self.port.send([*home, *lines, *log_outgoing(logs)])
        self._count(lane, facts)
        lane.acknowledged(facts, offsets[: len(home)], self.port.monotonic())
        for offset, record, value in zip(offsets[len(home) : len(home) + len(lines)], journal, values, strict=True):
            lane.written(offset, record, len(value))
            self._journalled(record)

    def _count(self, lane: Lane, facts: list[HomeFact]) -> None:
        frames = []
        for fact in facts:
            if isinstance(fact, ChildrenEnded):
                run = lane.run_of(fact.run, fact.generation)
                frames.append(("" if run is None else run.tally.machine_arn, fact))
        self.deps.metrics.children_said((run.tally for run in lane.runs.values()), frames)

    def _journalled(self, journal: LaneAdvanced) -> None:
        if journal.items > self.committed:
            self.committed = journal.items
            self.port.commit(topics.ITEMS.name, self.number, self.committed)

    def _call_tasks(self, lane: Lane) -> None:
        if not self.port.lease_ok():
            lane.calls.put_off(self.port.monotonic())
        stops, starts = lane.take_calls()
        for stop in stops:
            key = (stop.run, stop.position, stop.ref)
            if stop.job is not None and key in self.tasks:
                self.unwanted[key] = stop.job
            elif (task := self.tasks.pop(key, None)) is not None:
                task.cancel()
        for start in starts:
            begun = self.deps.begin_task(start.request, start.key, self._over, start)
            self.tasks[start.run, start.position, start.ref] = begun or self.port.spawn(self._run_task(start))
        self.deps.metrics.tasks_started(len(starts))
        for call in lane.take_job_calls():
            if isinstance(call, JobStop):
                self.port.spawn(self.deps.jobs.stop(call.job))
            else:
                self.tasks[call.run, call.position, call.ref] = self.port.spawn(self._look_at_job(call))
        for request in lane.take_input_requests():
            self.port.spawn(self._read_inputs(request))

    async def _run_task(self, start: TaskStart) -> None:
        if not self.port.lease_ok():
            self.mailbox.put(TaskNotStarted(start))
            return
        self._over(start, await self.deps.run_task(start.request, start.key))

    def _over(self, start: TaskStart, outcome: TaskOutcome) -> None:
        self.mailbox.put(TaskOver(start.run, start.position, outcome))

    async def _look_at_job(self, look: JobLook) -> None:
        outcome = await self.deps.jobs.look(look.job)
        self.mailbox.put(JobRuns(look) if outcome is None else TaskOver(look.run, look.position, outcome))

    async def _read_inputs(self, request: InputsRequested) -> None:
        places = [(offset, place) for _, offset, place in request.places]
        read = await read_inputs(self.port, self.number, places)
        found: dict[int, ChildAdopted] = {
            position: child for (position, _, _), child in zip(request.places, read, strict=True) if child is not None
        }
        self.mailbox.put(InputsRead(request, found))

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


def _home_of(fact: HomeFact) -> int:
    if isinstance(fact, ActivityTaskAnswered):
        return fact.home
    home = home_of_run(fact.run)
    assert home is not None, "runs that a scheduler opened have ids that name their home"
    return home
