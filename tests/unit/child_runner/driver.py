"""A lane with its journal beside it: what it writes is read back at once, in one process and no time."""

from collections.abc import Sequence
from typing import Any

import msgspec

from maprun.integrations.jobs import Followed
from maprun.interpreter.lane_children import Children
from maprun.mapruns.slices import NoPace, Pace
from schemas.arns import Names
from schemas.effects import TaskFailed, TaskOutcome, TaskSucceeded
from schemas.history import HistoryEvent, decode_events
from schemas.history_pages import HistoryPage
from schemas.home import PAGE_SLOTS, Afterlife, CallbackAnswered, ChildrenEnded, NestedRunDropped, NestedRunRequested
from schemas.lanes import Cause, ChildAdopted, Claimed, ItemFrame, JournalRecord, LaneAdvanced, LaneSignal, RunOpened
from schemas.pages import Pages
from schemas.plan import MapRunPlan
from schemas.ranges import pairs
from schemas.tokens import TokenSecret
from schemas.wire import encode
from services.child_runner.home_reports import HomeFact
from services.child_runner.input_store import InputsRead
from services.child_runner.journal import LaneMemory, decode_journal
from services.child_runner.lane import Lane
from services.child_runner.limits import LaneLimits
from services.child_runner.memory_budget import MemoryBudget
from services.child_runner.task_calls import JobLook, JobStop, TaskOver, TaskStart, TaskStop

RUN = "1f2e3d4c-0000-4000-a000-000000000001"
NAMES = Names("us-east-1", "123456789012")
SECRET = TokenSecret(b"secret")
TASK: dict[str, Any] = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "End": True}
AT_ONCE = LaneLimits(journal_linger_seconds=0.0, linger_seconds=0.0, progress_seconds=1e9)


def opened(
    states: dict[str, Any],
    *,
    start: str = "A",
    generation: int = 0,
    quota: int = 100,
    kind: str = "STANDARD",
    n: int = 0,
) -> RunOpened:
    """A run whose children run these states."""
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": kind}, "StartAt": start, "States": states}
    machine = {"StartAt": "M", "States": {"M": {"Type": "Map", "End": True, "ItemProcessor": processor}}}
    plan = MapRunPlan("M", "M", kind)  # type: ignore[arg-type]
    arn = NAMES.map_run("m", "M", RUN)
    definition = msgspec.json.encode(machine)
    return RunOpened(Cause(0, n, 0), RUN, generation, quota, plan, definition, "M", "root", arn, "machine", "m", "role")


class Answer(msgspec.Struct, frozen=True):
    """How a position was answered."""

    index: int
    status: int
    history: list[HistoryEvent]
    raw: bytes
    afterlife: Afterlife | None
    pages: tuple[int, ...] = ()


class Driver:
    """One owner after the other of a lane."""

    def __init__(
        self, limits: LaneLimits = AT_ONCE, budget: MemoryBudget | None = None, pace: Pace | None = None
    ) -> None:
        self.limits = limits
        self.pace = pace or NoPace()
        self.budget = budget or MemoryBudget(1 << 40)
        self.log: list[JournalRecord] = []
        self.signals: list[LaneSignal] = []
        self.frames: list[ItemFrame] = []
        self.home: list[HomeFact] = []  # what was said there
        self.answers: dict[tuple[int, int], Answer] = {}  # (generation, position)
        self.asks: list[NestedRunRequested | NestedRunDropped] = []
        self.answered: list[CallbackAnswered] = []
        self.starts: list[TaskStart] = []
        self.stops: list[TaskStop] = []
        self.looks: list[JobLook] = []
        self.stopped_jobs: list[Followed] = []
        self.children = Children(NAMES, None, SECRET)
        self.pages = Pages()
        self.now = 1_000_000
        self.lane = self._claim()

    def _claim(self) -> Lane:
        memory = LaneMemory(inputs_bytes_max=self.limits.spill_bytes_max)
        self.log.append(Claimed("me"))
        for offset, record in enumerate(self.log):
            memory.apply(offset, decode_journal(encode(record)), 1)
        return Lane(0, memory, self.children.compile_run, self.limits, self.budget, self.pace)

    def take_over(self) -> None:
        """The owner is gone; another one takes the lane."""
        self.lane.share.give_all_back()
        self.starts, self.asks, self.looks = [], [], []
        self.lane = self._claim()
        self.lane.former_signals = len(self.signals)
        for offset in range(self.lane.signals_next, len(self.signals)):
            self.lane.signal(offset, self.signals[offset], self.now, self.now / 1000)
        self.lane.restore()
        for offset in range(self.lane.items_next, len(self.frames)):
            self.lane.items(offset, self.frames[offset], self.now / 1000)
        self.turn()

    def signal(self, message: LaneSignal) -> None:
        """A signal comes in."""
        self.signals.append(message)
        self.lane.signal(len(self.signals) - 1, message, self.now, self.now / 1000)
        self.turn()

    def items(self, first: int, items: Sequence[bytes], **others: Any) -> None:
        """An item frame comes in."""
        frame = ItemFrame(RUN, others.pop("generation", 0), first, tuple(items), "source", **others)
        self.frames.append(frame)
        self.lane.items(len(self.frames) - 1, frame, self.now / 1000)
        self.turn()

    def outcome(self, start: TaskStart, outcome: TaskOutcome) -> None:
        """A Task's call comes back."""
        self.starts.remove(start)
        self.lane.task_over(TaskOver(start.run, start.position, outcome), self.now, self.now / 1000)
        self.turn()

    def answer_tasks(self, *, fail: bool = False) -> None:
        """All Tasks under way come back."""
        for start in list(self.starts):
            ref = start.request.ref
            done = TaskFailed(ref, "Bad", "it is") if fail else TaskSucceeded(ref, b'{"Payload":"done"}')
            self.outcome(start, done)

    def turn(self, seconds: float = 0.0) -> None:
        """Time passes; the lane does what it has to, until it has nothing left to do."""
        self.now += int(seconds * 1000)
        for _ in range(10_000):
            if not self._step():
                return
        raise AssertionError("the lane never rests")

    def _step(self) -> bool:
        lane, at = self.lane, self.now / 1000
        self.pace.begin()
        more = lane.work(self.now, at)
        stops, starts = lane.take_calls()
        self.stops += stops
        self.starts += starts
        about_jobs = lane.take_job_calls()
        self.looks += [call for call in about_jobs if isinstance(call, JobLook)]
        self.stopped_jobs += [call.job for call in about_jobs if isinstance(call, JobStop)]
        requests = lane.take_input_requests()
        for request in requests:
            lane.inputs_read(InputsRead(request, self._found(request.places)))
        lane.store.adopt_old(at)
        facts = lane.take_facts(at, idle=not more)
        journal = lane.take_journal(at)
        self.asks += [fact for fact in facts if isinstance(fact, NestedRunRequested | NestedRunDropped)]
        self.answered += [fact for fact in facts if isinstance(fact, CallbackAnswered)]
        self.home += facts
        lane.acknowledged(facts, list(range(len(self.home) - len(facts), len(self.home))), at)
        for fact in facts:
            if isinstance(fact, ChildrenEnded):
                self._answered(fact)
        for record in journal:
            self.log.append(record)
            lane.written(len(self.log) - 1, record, len(encode(record)))
        for record in journal:
            lane.journal(len(self.log), decode_journal(encode(record)), at)
        return bool(more or facts or journal or starts or requests)

    def _found(self, places: tuple[tuple[int, int, int], ...]) -> dict[int, ChildAdopted]:
        found = {}
        for position, offset, place in places:
            record = self.log[offset]
            assert isinstance(record, LaneAdvanced)
            found[position] = record.adopted[place]
        return found

    def _answered(self, frame: ChildrenEnded) -> None:
        slots = [p for f, c in zip(frame.ranges[::2], frame.ranges[1::2], strict=True) for p in range(f, f + c)]
        indexes = [p for f, c in zip(frame.indexes[::2], frame.indexes[1::2], strict=True) for p in range(f, f + c)]
        afterlives = self.pages.unpack_afterlives(frame.afterlives)
        paged = {history.slot: history.pages for history in frame.paged}
        for slot, position in enumerate(slots):
            raw = bytes(self.pages.unpack(frame.pages[slot // PAGE_SLOTS])[slot % PAGE_SLOTS])
            status = frame.statuses[slot]
            history = self._history(raw, paged.get(slot)) if status <= 4 else []
            index = indexes[slot] if indexes else position
            self.answers[frame.generation, position] = Answer(
                index, status, history, raw, afterlives.get(slot), paged.get(slot, ())
            )

    def _history(self, entry: bytes, pages: tuple[int, ...] | None) -> list[HistoryEvent]:
        """All events: those of the entry, or of the pages that stand in for it."""
        if pages is None:
            return decode_events(entry)
        events: list[HistoryEvent] = []
        for offset, count in pairs(pages):
            page = self.home[offset]
            assert isinstance(page, HistoryPage)
            assert (page.first_id, page.count) == (len(events) + 1, count)
            events += self.pages.unpack_history(page)
        assert [event in events for event in decode_events(entry)] == [True] * len(decode_events(entry))
        return events
