"""One lane under one claim: what comes in, what runs, what goes out. Pure: its owner does what it says."""

from collections import deque

from maprun.mapruns.intervals import Intervals
from maprun.mapruns.slices import NoPace, Pace
from maprun.mapruns.timers import Timers
from schemas.home import ChildrenEnded, NestedRunDropped, NestedRunRequested
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
    LaneSnapshot,
    NestedRunEnded,
    Positions,
    QuotaChanged,
    RunClosed,
    RunClosing,
    RunOpened,
    RunOver,
)
from schemas.pages import Pages
from services.child_runner import adoption, children, closing
from services.child_runner.journal import LaneMemory, RunKey, cut, pairs
from services.child_runner.limits import LaneLimits
from services.child_runner.machine import Compile
from services.child_runner.state import (
    Child,
    Frame,
    InputsWanted,
    LaneRun,
    Room,
    TaskNotStarted,
    TaskOver,
    TaskStart,
    TaskStop,
)


class Lane:
    """The lane's state and its handlers. Times are epoch milliseconds (`now`) or monotonic seconds (`at`)."""

    def __init__(
        self,
        number: int,
        memory: LaneMemory,
        compile_run: Compile,
        limits: LaneLimits,
        room: Room | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.number = number
        self.epoch = memory.epoch
        self.memory = memory  # goes on as the fold of the journal, with the records that this owner writes
        self.began = (memory.items, memory.signals)
        self.compile_run = compile_run
        self.limits = limits
        self.room = room or Room(limits.running_bytes_max)
        self.room_taken = 0
        self.pace = pace or NoPace()
        self.at_work: deque[tuple[LaneRun, Child]] = deque()  # children with more to do, each queued once
        self.cramped = False  # a child could start if the process had room for it
        self.pages = Pages()
        self.runs: dict[str, LaneRun] = {}
        self.lost = False  # somebody else claimed the lane
        self.signals_next, self.items_next = memory.signals, memory.items
        self.journalled = self.began  # the positions that the journal said last
        self.confirmed = self.began  # the same, read back: nobody will need what is below
        self.snapshot_read = -1  # offset behind the last snapshot that was read back
        self.frames: deque[Frame] = deque()
        self.held: deque[tuple[int, ItemFrame | None]] = deque()  # frames in front of the first unknown run
        self.held_until = -1  # signals to be read before the first held frame may be judged; -1 = to be asked
        self.held_sure = 0  # held frames that were there when it was asked
        self.timers: Timers[children.TimerKey] = Timers()
        self.starts: list[TaskStart] = []
        self.refused: list[TaskStart] = []  # the lease didn't hold: to be tried again
        self.refused_at = 0.0
        self.mute = False  # the lease doesn't hold: nothing is said on home
        self.stops: list[TaskStop] = []
        self.wanted: list[InputsWanted] = []
        self.asks: list[NestedRunRequested | NestedRunDropped] = []  # for home
        self.advanced: list[ChildAdvanced] = []  # for the journal
        self.urgent = False  # a child waits for the journal
        self.adopted: list[ChildAdopted] = []
        self.finished: dict[RunKey, list[int]] = {}  # acknowledged on home, not in the journal yet
        self.over: list[RunOver] = []
        self.journal_since = 0.0
        self.progress_at = 0.0
        self.turn = 0

    # ------------------------------------------------------------------ what comes in

    def signal(self, offset: int, message: LaneSignal | None, now: int, at: float) -> None:
        """A signal of the scheduler; None when it can't be read. Of two values the higher cause stands."""
        self.signals_next = offset + 1
        if isinstance(message, RunOpened):
            self._opened(offset, message, at)
            return
        run = self.run_of(message.run, message.generation) if message is not None else None
        if run is None:
            return
        match message:
            case QuotaChanged():
                if _newer(message.cause, run.cause):
                    run.quota, run.cause = message.quota, message.cause
            case RunClosing():
                closing.close_run(self, run, now, at)
            case RunClosed():
                self._closed(run, at)
            case ChildStopRequested():
                closing.stop_child(self, run, message, now, at)
            case NestedRunEnded():
                child = run.running.get(message.position)
                if child is not None:  # else the child asks again once it runs, and is told again
                    children.told(self, run, child, message.outcome, now, at)

    def run_of(self, run_id: str, generation: int) -> LaneRun | None:
        """The run, if this generation of it is open here."""
        run = self.runs.get(run_id)
        return run if run is not None and run.key[1] == generation else None

    def _opened(self, offset: int, message: RunOpened, at: float) -> None:
        key = (message.run, message.generation)
        known = self.runs.get(message.run)
        if key in self.memory.over or (known is not None and known.key[1] >= message.generation):
            return
        if known is not None:  # its end can't be read: a later generation is proof enough
            self._closed(known, at)
        memory = self.memory.run(key)
        run = self.runs[message.run] = LaneRun(message, offset, self.compile_run(message), memory)
        run.finished = memory.finished
        run.known = Intervals(run.finished.flat())
        run.past = dict(memory.past)

    def _closed(self, run: LaneRun, at: float) -> None:
        for child in run.running.values():
            self.stops += [TaskStop(run.key, child.position, ref) for ref in child.waits]
            for ref in child.waits:
                self.timers.cancel((run.key, child.position, ref))
            self.leave_room(child)
        del self.runs[run.opened.run]
        self.memory.forget(run.key)
        self.finished.pop(run.key, None)
        self.adopted = [child for child in self.adopted if (child.run, child.generation) != run.key]
        self.advanced = [fact for fact in self.advanced if (fact.run, fact.generation) != run.key]
        self._journal_soon(at)
        self.over.append(RunOver(*run.key))

    def restore(self) -> None:
        """Takes over the children that an earlier owner had adopted, once the signals are read."""
        for run in self.runs.values():
            adoption.restore(run)

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
            unknown = frame is not None and self.run_of(frame.run, frame.generation) is None
            if unknown and (self.held_until < 0 or self.signals_next < self.held_until):
                return
            self.held.popleft()
            self.held_sure -= 1
            if self.held_sure <= 0:
                self.held_until = -1
            adoption.take_in(self, offset, frame, at)

    @property
    def asks_signals_end(self) -> bool:
        """True when the end of the signals must be known to judge the first held frame."""
        return bool(self.held) and self.held_until < 0

    def task_over(self, over: TaskOver | TaskNotStarted, now: int, at: float) -> None:
        """A Task's call came back, or was not made because the lease did not hold: then it is made a little later."""
        if isinstance(over, TaskNotStarted):
            self.starts.append(over.start)
            self.put_off(at)
            return
        run = self.run_of(*over.run)
        child = run.running.get(over.position) if run is not None else None
        if run is not None and child is not None:
            children.told(self, run, child, over.outcome, now, at)

    def put_off(self, at: float) -> None:
        """The lease does not hold: what was to be started is tried again a little later."""
        if not self.refused:
            self.refused_at = at
        self.refused += self.starts
        self.starts = []

    def journal(self, offset: int, record: JournalRecord | None, at: float) -> int:
        """The lane's journal, read back: a foreign claim ends this ownership; what is one's own may be acted on.

        Says how many things a record held that were acted on; None is a record that can't be read.
        """
        match record:
            case Claimed() if record.cluster == self.memory.cluster:
                self.lost = True
            case LaneAdvanced() if record.epoch == self.epoch and not self.lost:
                self.confirmed = (record.items, record.signals)
                self._act_on(record, at)
                return 1 + len(record.advanced)
            case LaneSnapshot() if record.epoch == self.epoch and not self.lost:
                if record.piece + 1 == record.pieces:
                    self.snapshot_read = offset + 1
            case _:
                pass
        return 1

    def _act_on(self, record: LaneAdvanced, at: float) -> None:
        """Tells the children what the journal now holds for good."""
        for fact in record.advanced:
            run = self.run_of(fact.run, fact.generation)
            child = run.running.get(fact.position) if run is not None else None
            if run is not None and child is not None and fact.happening is not None:
                children.advance(self, run, child, fact.happening, fact.at_ms, at)

    # ------------------------------------------------------------------ what it does

    def work(self, now: int, at: float) -> bool:
        """One turn: due timers, children at work, then new ones of each run under its quota.

        True if there is more to do at once. However long it takes: each of these is taken a little further.
        """
        for timer in self.timers.take_due(now):
            children.timer_due(self, timer, now, at)
        for _ in range(len(self.at_work)):
            run, child = self.at_work.popleft()
            if self.run_of(*run.key) is run and run.running.get(child.position) is child:
                children.go_on(self, run, child, now, at)
            if self.pace.spent():
                break
        if self.refused and at - self.refused_at >= self.limits.lease_retry_seconds:
            self.starts += self.refused
            self.refused = []
        order = [run for run in self.runs.values() if run.queue]
        self.turn += 1
        self.cramped = False
        budget = self.limits.turn_children_max // max(1, len(order))
        more = False
        for i in range(len(order)):
            more |= self._start_some(order[(self.turn + i) % len(order)], max(1, budget), now, at)
        adoption.spill(self)
        return more or bool(self.at_work)

    def _start_some(self, run: LaneRun, budget: int, now: int, at: float) -> bool:
        """Starts waiting children while the lane's quota of the run, and the process, have room for them.

        One child of each run runs however full the process is. True if more could start at once.
        """
        if run.closing:
            return closing.close_queued(self, run, now, at)
        queue, running = run.queue, run.running
        while queue and budget > 0 and len(running) < run.quota:
            waiting = queue[0]
            if waiting.position >= waiting.end:
                queue.popleft()
                continue
            if running and self.room.full:
                self.cramped = True
                return False
            if waiting.items is None and not adoption.at_hand(run, waiting):
                adoption.want(self, run)
                return False
            position = waiting.position
            waiting.position += 1
            budget -= 1
            children.start(self, run, waiting, position, now, at)
            if self.pace.spent():
                budget = 0
        return bool(queue) and budget <= 0 and len(running) < run.quota

    def take_room(self, child: Child, size: int) -> None:
        """A running child takes so many bytes more."""
        child.size += size
        self.room_taken += size
        self.room.used += size

    def leave_room(self, child: Child) -> None:
        """A child runs no more."""
        self.room_taken -= child.size
        self.room.used -= child.size

    def settle_frames(self) -> None:
        """Forgets the frames at the head whose children are all finished or adopted."""
        while self.frames and (self.run_of(*self.frames[0].run.key) is None or self.frames[0].passed):
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

    # ------------------------------------------------------------------ for the journal

    def acknowledged(self, frames: list[ChildrenEnded], at: float) -> None:
        """These frames are on home: their children are finished."""
        for frame in frames:
            run = self.run_of(frame.run, frame.generation)
            if run is None:
                continue
            for first, count in pairs(frame.ranges):
                run.finished.add(first, count)
            self._journal_soon(at)
            self.finished.setdefault(run.key, []).extend(frame.ranges)

    @property
    def journal_due(self) -> bool:
        """True when something is to be written into the journal."""
        return bool(self.finished or self.advanced or self.adopted or self.over)

    def _journal_soon(self, at: float) -> None:
        if not self.journal_due:
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
            left: set[Frame] = set()
            for run in {f.run.key: f.run for f in old}.values():
                if self.run_of(*run.key) is run:  # frames of a closed run may still wait behind others
                    left |= adoption.adopt(self, run, set(old))
            for frame in old:
                if frame in left:
                    break
                frame.adopted = True

    def take_journal(self, at: float) -> list[LaneAdvanced]:
        """The next journal records, if they are due: one, unless what is to be kept fits none."""
        if not self.journal_due:
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
            tuple(Positions(*key, Intervals(flat).flat()) for key, flat in self.finished.items()),
            tuple(self.advanced),
            tuple(self.adopted),
            (),
            tuple(self.over),
        )
        self.finished, self.advanced, self.adopted, self.over, self.urgent = {}, [], [], [], False
        before, self.journalled = self.journalled, (record.items, record.signals)
        return cut(record, before, self.limits.journal_bytes_max, self.limits.journal_facts_max)

    def written(self, offset: int, record: LaneAdvanced, size: int) -> None:
        """A record of this owner is in the journal, at this offset: the memory goes along."""
        self.memory.apply(offset, record, size)
        adoption.journalled(self, record)


def _newer(a: Cause, b: Cause) -> bool:
    return (a.offset, a.n) > (b.offset, b.n)
