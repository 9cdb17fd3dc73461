"""One lane under one claim: what comes in, what runs, what goes out. Pure: its owner does what it says."""

import heapq
from collections import deque
from collections.abc import Callable, Iterator

from maprun.mapruns.intervals import Intervals
from schemas.home import ChildrenEnded, LaneProgress
from schemas.lanes import (
    Cause,
    ChildAdopted,
    ChildAdvanced,
    ChildStopRequested,
    Claimed,
    ItemFrame,
    JournalRecord,
    LaneAdvanced,
    LaneSignal,
    Positions,
    QuotaChanged,
    RunClosed,
    RunClosing,
    RunOpened,
)
from schemas.pages import Pages
from services.child_runner import children
from services.child_runner.journal import LaneMemory, cut
from services.child_runner.limits import LaneLimits, Switches
from services.child_runner.outbox import ranges_of
from services.child_runner.state import (
    ChildMachine,
    Frame,
    LaneRun,
    TaskNotStarted,
    TaskOver,
    TaskStart,
    TaskStop,
    Waiting,
)

Compile = Callable[[RunOpened], ChildMachine]


class Lane:
    """The lane's state and its handlers. Times are epoch milliseconds (`now`) or monotonic seconds (`at`)."""

    def __init__(
        self, number: int, memory: LaneMemory, compile_run: Compile, limits: LaneLimits, switches: Switches
    ) -> None:
        self.number = number
        self.epoch = memory.epoch
        self.memory = memory
        self.compile_run = compile_run
        self.limits = limits
        self.switches = switches
        self.pages = Pages()
        self.runs: dict[str, LaneRun] = {}
        self.lost = False  # somebody else claimed the lane
        self.signals_next = memory.signals
        self.items_next = memory.items
        self.journalled = (memory.items, memory.signals)  # the positions that the journal said last
        self.frames: deque[Frame] = deque()
        self.held: deque[tuple[int, ItemFrame | None]] = deque()  # frames in front of the first unknown run
        self.held_until = -1  # signals to be read before the first held frame may be judged; -1 = to be asked
        self.held_sure = 0  # held frames that were there when it was asked
        self.timers: list[tuple[int, str, int, str]] = []  # heap of (due ms, run, position, ref)
        self.starts: list[TaskStart] = []
        self.stops: list[TaskStop] = []
        self.advanced: list[ChildAdvanced] = []  # for the journal
        self.urgent = False  # a child waits for the journal
        self.adopted: list[ChildAdopted] = []
        self.finished: dict[tuple[str, int], list[int]] = {}  # acknowledged on home, not in the journal yet
        self.forgotten: list[str] = []
        self.journal_since = 0.0
        self.progress_at = 0.0
        self.turn = 0

    # ------------------------------------------------------------------ what comes in

    def signal(self, offset: int, message: LaneSignal | None, now: int, at: float) -> None:
        """A signal of the scheduler; None when it can't be read. Of two values the higher cause stands."""
        self.signals_next = offset + 1
        match message:
            case RunOpened():
                if message.run not in self.runs and message.run not in self.memory.forgotten:
                    self._opened(offset, message)
            case QuotaChanged():
                run = self._run(message.run, message.generation)
                if run is not None and _newer(message.cause, run.cause):
                    run.quota, run.cause = message.quota, message.cause
            case RunClosing():
                run = self._run(message.run, message.generation)
                if run is not None:
                    children.close_run(self, run, now, at)
            case RunClosed():
                run = self._run(message.run, message.generation)
                if run is not None:
                    self._closed(run, at)
            case ChildStopRequested():
                run = self._run(message.run, message.generation)
                if run is not None:
                    children.stop_child(self, run, message, now, at)
            case None:
                pass

    def _run(self, run_id: str, generation: int) -> LaneRun | None:
        run = self.runs.get(run_id)
        return run if run is not None and run.opened.generation == generation else None

    def _opened(self, offset: int, message: RunOpened) -> None:
        run = self.runs[message.run] = LaneRun(message, offset, self.compile_run(message))
        key = (message.run, message.generation)
        if self.switches.done_set and key in self.memory.finished:
            run.finished = self.memory.finished[key]
            run.known = Intervals(run.finished.flat())
        for (run_id, generation, position), past in self.memory.past.items():
            if (run_id, generation) == key:
                run.past[position] = past

    def _closed(self, run: LaneRun, at: float) -> None:
        run_id = run.opened.run
        for child in run.running.values():
            self.stops += [TaskStop(run_id, child.position, ref) for ref in child.waits]
        del self.runs[run_id]
        self.memory.forget(run_id)
        self.finished.pop((run_id, run.opened.generation), None)
        self.adopted = [child for child in self.adopted if child.run != run_id]
        self.advanced = [fact for fact in self.advanced if fact.run != run_id]
        self._journal_soon(at)
        self.forgotten.append(run_id)

    def restore(self) -> None:
        """Takes over the children that an earlier owner had adopted, once the signals are read."""
        for key in sorted(self.memory.adopted):
            child = self.memory.adopted[key]
            run = self._run(child.run, child.generation)
            if run is not None and child.position not in run.known:
                frame = ItemFrame(
                    child.run, child.generation, child.position, (child.input,), "", counts=(child.items,), built=True
                )
                run.adopted.add(child.position, 1)
                self._enqueue(run, frame, None, child.position, 1)

    def items(self, offset: int, frame: ItemFrame | None, at: float) -> None:
        """An item frame; None when it can't be read. Frames behind one whose run is unknown wait in order."""
        self.held.append((offset, frame))
        self.judge_held(at)

    def signals_end(self, end: int) -> None:
        """Where the signals end now: what the frames held so far may have to wait for."""
        self.held_until, self.held_sure = end, len(self.held)

    def judge_held(self, at: float) -> None:
        """Takes the frames in whose runs are known; drops those of runs that the signals prove closed."""
        while self.held:
            offset, frame = self.held[0]
            if frame is not None and frame.run not in self.runs and self.signals_next < self.held_until:
                return
            if frame is not None and frame.run not in self.runs and self.held_until < 0:
                return
            self.held.popleft()
            self.held_sure -= 1
            if self.held_sure <= 0:
                self.held_until = -1
            self._frame(offset, frame, at)

    @property
    def asks_signals_end(self) -> bool:
        """True when the end of the signals must be known to judge the first held frame."""
        return bool(self.held) and self.held_until < 0

    def _frame(self, offset: int, items: ItemFrame | None, at: float) -> None:
        self.items_next = max(self.items_next, offset + 1)
        run = self._run(items.run, items.generation) if items is not None else None
        if items is None or run is None:
            return
        new = run.known.missing(items.first, len(items.items))
        if not new:
            return
        frame = Frame(offset, run, new, at)
        self.frames.append(frame)
        for first, count in new:
            self._enqueue(run, items, frame, first, count)

    def _enqueue(self, run: LaneRun, items: ItemFrame, frame: Frame | None, first: int, count: int) -> None:
        run.known.add(first, count)
        start = first - items.first
        run.bytes_queued += sum(map(len, items.items[start : start + count]))
        waiting = Waiting(frame, items, first, first + count)
        if run.past and any(p in run.past for p in range(first, first + count)):
            run.queue.appendleft(waiting)  # an earlier owner ran these: they come before what never started
        else:
            run.queue.append(waiting)

    def task_over(self, over: TaskOver | TaskNotStarted, now: int, at: float) -> None:
        """A Task's call came back, or was not made because the lease did not hold."""
        if isinstance(over, TaskNotStarted):
            self.starts.append(over.start)
            return
        run = self.runs.get(over.run)
        child = run.running.get(over.position) if run is not None else None
        if run is not None and child is not None:
            children.told(self, run, child, over.outcome, now, at)

    def journal(self, record: JournalRecord, at: float) -> None:
        """The lane's journal, read back: a foreign claim ends this ownership; what is one's own may be acted on."""
        match record:
            case Claimed():
                self.lost = True
            case LaneAdvanced() if record.epoch == self.epoch and not self.lost and self.switches.read_back:
                self.act_on(record, at)
            case _:
                pass

    def act_on(self, record: LaneAdvanced, at: float) -> None:
        """Tells the children what the journal now holds for good."""
        for fact in record.advanced:
            run = self._run(fact.run, fact.generation)
            child = run.running.get(fact.position) if run is not None else None
            if run is not None and child is not None and fact.happening is not None:
                children.advance(self, run, child, fact.happening, fact.at_ms, at)

    # ------------------------------------------------------------------ what it does

    def work(self, now: int, at: float) -> bool:
        """One turn: due timers, then new children of each run under its quota. True if more could start at once."""
        while self.timers and self.timers[0][0] <= now:
            children.timer_due(self, heapq.heappop(self.timers), now, at)
        order = list(self.runs.values())
        self.turn += 1
        budget = self.limits.turn_children_max // max(1, len(order))
        more = False
        for i in range(len(order)):
            more |= children.start_some(self, order[(self.turn + i) % len(order)], max(1, budget), now, at)
        return more

    def settle_frames(self) -> None:
        """Forgets the frames at the head whose children are all finished or adopted."""
        while self.frames and (self.runs.get(self.frames[0].run.opened.run) is None or self.frames[0].passed):
            self.frames.popleft()

    @property
    def position(self) -> int:
        """Where a successor must read the items on from."""
        first = self.held[0][0] if self.held else self.items_next
        return min(self.frames[0].offset, first) if self.frames else first

    @property
    def signals_position(self) -> int:
        """Where a successor must read the signals on from: the oldest run that is open."""
        return min((run.opened_offset for run in self.runs.values()), default=self.signals_next)

    @property
    def bytes_queued(self) -> int:
        """Items in memory that have not started."""
        held = sum(sum(map(len, frame.items)) for _, frame in self.held if frame is not None)
        return held + sum(run.bytes_queued for run in self.runs.values())

    # ------------------------------------------------------------------ what goes out

    def take_frames(self, at: float, *, idle: bool) -> list[ChildrenEnded]:
        """Outcome frames that are full, old enough, or with nothing left to wait for."""
        frames: list[ChildrenEnded] = []
        limits = self.limits
        for run in self.runs.values():
            box = run.outbox
            count = len(box.outcomes)
            if not count:
                continue
            alone = idle and not run.running and not run.queue
            if alone or count >= limits.frame_children_max or at - box.first_at >= limits.linger_seconds:
                frames += box.frames(
                    self.number, self.epoch, limits.frame_children_max, limits.frame_bytes_max, self.pages
                )
        return frames

    def acknowledged(self, frames: list[ChildrenEnded], at: float) -> None:
        """These frames are on home: their children are finished."""
        for frame in frames:
            run = self._run(frame.run, frame.generation)
            if run is None:
                continue
            for first, count in zip(frame.ranges[::2], frame.ranges[1::2], strict=True):
                run.finished.add(first, count)
            self._journal_soon(at)
            self.finished.setdefault((frame.run, frame.generation), []).extend(frame.ranges)

    def _journal_soon(self, at: float) -> None:
        if not (self.finished or self.advanced or self.adopted or self.forgotten):
            self.journal_since = at

    def advance_soon(self, fact: ChildAdvanced, at: float, *, urgent: bool) -> None:
        """A fact of a child's past for the journal; `urgent` when the child waits for it."""
        self._journal_soon(at)
        self.advanced.append(fact)
        self.urgent |= urgent

    def adopt(self, at: float) -> None:
        """Moves the unfinished children of old frames into the journal, so that the position can pass the frames."""
        self.settle_frames()
        old = [f for f in self.frames if not f.adopted and at - f.at >= self.limits.adopt_after_seconds]
        if old:
            self._journal_soon(at)
            for run in {f.run.opened.run: f.run for f in old}.values():
                if self.runs.get(run.opened.run) is run:  # frames of a closed run may still wait behind others
                    self.adopted += children.adopt(run, set(old))
            for frame in old:
                frame.adopted = True

    def take_journal(self, at: float) -> list[LaneAdvanced]:
        """The next journal records, if they are due: one, unless what is to be kept fits none."""
        if not (self.finished or self.advanced or self.adopted or self.forgotten):
            return []
        if not self.urgent and at - self.journal_since < self.limits.journal_linger_seconds:
            return []
        for child in self.adopted:
            self.runs[child.run].adopted.add(child.position, 1)
        self.settle_frames()
        record = LaneAdvanced(
            self.epoch,
            self.position,
            self.signals_position,
            tuple(
                Positions(run, generation, Intervals(flat).flat()) for (run, generation), flat in self.finished.items()
            ),
            tuple(self.advanced),
            tuple(self.adopted),
            tuple(self.forgotten),
        )
        self.finished, self.advanced, self.adopted, self.forgotten, self.urgent = {}, [], [], [], False
        before, self.journalled = self.journalled, (record.items, record.signals)
        return cut(record, before, self.limits.journal_bytes_max)

    def take_progress(self, at: float) -> list[LaneProgress]:
        """Which children run, where that changed; at most twice a second."""
        if at - self.progress_at < self.limits.progress_seconds:
            return []
        self.progress_at = at
        out = []
        for run in self.runs.values():
            running = ranges_of(sorted(run.running))
            if running != run.progress:
                run.progress = running
                out.append(LaneProgress(run.opened.run, run.opened.generation, self.number, running))
        return out

    def wait_seconds(self, now: int, at: float) -> float | None:
        """How long nothing will have to be done, unless something comes in."""
        waits = list(self._waits(now, at))
        return max(0.0, min(waits)) if waits else None

    def _waits(self, now: int, at: float) -> Iterator[float]:
        if self.timers:
            yield (self.timers[0][0] - now) / 1000
        if self.finished or self.advanced or self.adopted or self.forgotten:
            yield self.journal_since + self.limits.journal_linger_seconds - at
        for run in self.runs.values():
            if run.outbox.outcomes:
                yield run.outbox.first_at + self.limits.linger_seconds - at
        if self.frames and not self.frames[-1].adopted:
            yield next(f for f in self.frames if not f.adopted).at + self.limits.adopt_after_seconds - at
        if any(run.running or run.progress for run in self.runs.values()):
            yield self.progress_at + self.limits.progress_seconds - at


def _newer(a: Cause, b: Cause) -> bool:
    return (a.offset, a.n) > (b.offset, b.n)
