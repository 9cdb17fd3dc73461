"""One lane under one claim: what comes in, what runs, what goes out. Pure: its owner does what it says.

The lane puts its parts together and hands each of them what comes in: the store of inputs, the executions with what
they wait for, the draft of the journal, the reports to home.
"""

from collections.abc import Iterator

from maprun.mapruns.slices import NoPace, Pace
from schemas.history_pages import HistoryPage
from schemas.home import ChildrenEnded
from schemas.lanes import (
    Cause,
    ChildCallbackReceived,
    ChildHistoryAsked,
    ChildStopRequested,
    Claimed,
    ItemFrame,
    JournalRecord,
    LaneAdvanced,
    LaneSignal,
    LaneSnapshot,
    NestedRunEnded,
    QuotaChanged,
    RunClosed,
    RunClosing,
    RunOpened,
)
from schemas.ranges import pairs
from services.child_runner import closing
from services.child_runner.callbacks import Callbacks
from services.child_runner.child_logs import ChildLogs
from services.child_runner.executions import Executions
from services.child_runner.held_frames import HeldFrames
from services.child_runner.histories import Histories
from services.child_runner.history_pages import HistoryPages
from services.child_runner.home_reports import HomeFact, HomeReports
from services.child_runner.input_store import (
    InputsRead,
    InputsRequested,
    InputStore,
    first_waiting,
    input_in_memory,
    may_run,
)
from services.child_runner.journal import LaneMemory
from services.child_runner.journal_draft import JournalDraft
from services.child_runner.lane_run import LaneRun
from services.child_runner.limits import LaneLimits
from services.child_runner.machine import Compile
from services.child_runner.memory_budget import BudgetShare, MemoryBudget
from services.child_runner.shown_histories import ShownHistories
from services.child_runner.task_calls import (
    JobCall,
    JobLook,
    JobRuns,
    JobStop,
    TaskCalls,
    TaskNotStarted,
    TaskOver,
    TaskStart,
    TaskStop,
)
from services.child_runner.waits import Waits


class Lane:
    """The lane's state and its handlers. Times are epoch milliseconds or monotonic seconds, as their names say."""

    def __init__(
        self,
        number: int,
        memory: LaneMemory,
        compile_run: Compile,
        limits: LaneLimits,
        budget: MemoryBudget | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.number = number
        self.epoch = memory.epoch
        self.memory = memory  # goes on as the fold of the journal, with the records that this owner writes
        self.began = (memory.items, memory.signals)
        self.limits = limits
        self.runs: dict[str, LaneRun] = {}
        self.lost = False  # somebody else claimed the lane
        self.signals_next, self.items_next = memory.signals, memory.items
        self.confirmed = self.began  # the positions that the journal said last, read back: what is below is needless
        self.snapshot_read = -1  # offset behind the last snapshot that was read back
        self.former_signals = 0  # those below were there when this owner took the lane
        self.memory_full = False  # a child could start if the process had memory for it
        self._compile_run = compile_run
        self._pace = pace or NoPace()
        self._turn = 0
        self.calls_under_way = 0  # of Tasks, by its owner
        self.calls = TaskCalls(limits.lease_retry_seconds)
        self.draft = JournalDraft(self.epoch, self.began, limits)
        self.waits = Waits(number, self.calls)
        self.callbacks = Callbacks()
        self.pages = HistoryPages(self.epoch, limits)
        self.share = BudgetShare(budget or MemoryBudget(limits.running_bytes_max))
        self.store = InputStore(memory, self.draft, limits, self._pace)
        self.logs = ChildLogs()
        histories = Histories(limits, self.pages, self.logs)
        self.shown = ShownHistories(histories)
        parts = (self.store, self.draft, histories, self.waits, self.callbacks, self.share)
        self.executions = Executions(limits, self._pace, *parts, number)
        self.reports = HomeReports(number, self.epoch, limits, self.waits, self.callbacks, self.pages, self.shown)
        self.held = HeldFrames()
        self._closing = closing.QueueOfClosing(limits, self._pace, self.store, self.executions)

    def run_of(self, run_id: str, generation: int) -> LaneRun | None:
        """The run, if this generation of it is open here."""
        run = self.runs.get(run_id)
        return run if run is not None and run.key[1] == generation else None

    # ------------------------------------------------------------------ signals

    def signal(self, offset: int, message: LaneSignal | None, now_ms: int, at_seconds: float) -> None:
        """A signal of the scheduler; None when it can't be read. Of two values the higher cause stands."""
        self.signals_next = offset + 1
        if isinstance(message, RunOpened):
            self._opened(offset, message, at_seconds)
            return
        run = self.run_of(message.run, message.generation) if message is not None else None
        if run is None:
            return
        match message:
            case QuotaChanged():
                if _newer(message.cause, run.cause):
                    run.quota, run.cause = message.quota, message.cause
            case RunClosing():
                if not run.closing:
                    run.closing = True
                    closing.abort_running(self.executions, run, now_ms, at_seconds)
                    self._closing.answer(run, now_ms, at_seconds)
            case RunClosed():
                self._closed(run, at_seconds)
            case ChildStopRequested():
                closing.stop_child(self.executions, run, message, now_ms, at_seconds)
            case ChildHistoryAsked():
                if offset >= self.former_signals:  # of earlier ones nobody waits for the answer any more
                    self.shown.ask(message)
            case ChildCallbackReceived():
                self.executions.call_back(run, message, now_ms, at_seconds, former=offset < self.former_signals)
            case NestedRunEnded():
                child = run.running.get(message.position)
                if child is not None:  # else the child asks again once it runs, and is answered again
                    self.executions.record_outcome(run, child, message.outcome, now_ms, at_seconds)

    def _opened(self, offset: int, message: RunOpened, at_seconds: float) -> None:
        key = (message.run, message.generation)
        known = self.runs.get(message.run)
        if key in self.memory.over or (known is not None and known.key[1] >= message.generation):
            return
        if known is not None:  # its end can't be read: a later generation is proof enough
            self._closed(known, at_seconds)
        self.runs[message.run] = LaneRun(message, offset, self._compile_run(message), self.memory.run(key))

    def _closed(self, run: LaneRun, at_seconds: float) -> None:
        self.executions.abandon(run)
        run.over = True
        del self.runs[run.opened.run]
        self.memory.forget(run.key)
        self.draft.run_over(run.key, at_seconds)

    def restore(self) -> None:
        """Takes over the children that an earlier owner had adopted, once the signals are read."""
        for run in self.runs.values():
            self.store.restore(run)

    # ------------------------------------------------------------------ items

    def items(self, offset: int, frame: ItemFrame | None, at_seconds: float) -> None:
        """An item frame; None when it can't be read. Frames behind one whose run is unknown wait in order."""
        self.held.add(offset, frame)
        self.judge_held(at_seconds)

    def judge_held(self, at_seconds: float) -> None:
        """Takes the frames in whose runs are known; drops those of runs that the signals prove closed."""
        for offset, frame in self.held.judged(self._is_open, self.signals_next):
            self.items_next = max(self.items_next, offset + 1)
            run = self.run_of(frame.run, frame.generation) if frame is not None else None
            if frame is not None and run is not None:
                self.store.take_in(run, offset, frame, at_seconds)

    def _is_open(self, frame: ItemFrame) -> bool:
        return self.run_of(frame.run, frame.generation) is not None

    # ------------------------------------------------------------------ what was asked for comes back

    def task_over(self, over: TaskOver | TaskNotStarted, now_ms: int, at_seconds: float) -> None:
        """A Task's call came back, or was not made because the lease did not hold: then it is made a little later."""
        if isinstance(over, TaskNotStarted):
            self.calls.start(over.start)
            self.calls.put_off(at_seconds)
            return
        run = self.run_of(*over.run)
        child = run.running.get(over.position) if run is not None else None
        if run is not None and child is not None:
            self.executions.record_outcome(run, child, over.outcome, now_ms, at_seconds)

    def job_runs(self, runs: JobRuns, now_ms: int) -> None:
        """A job that a child's Task waits for was asked after, and goes on."""
        run = self.run_of(*runs.look.run)
        child = run.running.get(runs.look.position) if run is not None else None
        if run is not None and child is not None:
            self.executions.job_runs(run, child, runs.look.ref, now_ms)

    def inputs_read(self, read: InputsRead) -> bool:
        """Inputs came back from the journal. False if one is nowhere: who deleted it is the lane's owner now."""
        run = self.run_of(*read.requested.run)
        return run is None or self.store.received(run, read)

    def journal(self, offset: int, record: JournalRecord | None, at_seconds: float) -> int:
        """The lane's journal, read back: a foreign claim ends this ownership; what is one's own may be acted on.

        Answers how many things a record held that were acted on; None is a record that can't be read.
        """
        match record:
            case Claimed() if record.cluster == self.memory.cluster:
                self.lost = True
            case LaneAdvanced() if record.epoch == self.epoch and not self.lost:
                self.confirmed = (record.items, record.signals)
                self._act_on(record, at_seconds)
                return 1 + len(record.advanced)
            case LaneSnapshot() if record.epoch == self.epoch and not self.lost:
                if record.piece + 1 == record.pieces:
                    self.snapshot_read = offset + 1
            case _:
                pass
        return 1

    def _act_on(self, record: LaneAdvanced, at_seconds: float) -> None:
        """Children hear what the journal now holds for good."""
        for fact in record.advanced:
            run = self.run_of(fact.run, fact.generation)
            if run is not None:
                self.executions.journalled(run, fact, at_seconds)

    # ------------------------------------------------------------------ what it does

    def work(self, now_ms: int, at_seconds: float) -> bool:
        """One turn: due timers, children that have more to do, then new ones of each run under its quota.

        True if there is more to do at once. However long it takes: each of these is taken a little further.
        """
        self.executions.timers_due(self.runs, now_ms, at_seconds)
        self.executions.go_on(now_ms, at_seconds)
        self.calls.try_again(at_seconds)
        order = [run for run in self.runs.values() if run.queue]
        self._turn += 1
        self.memory_full = False
        count_max = max(1, self.limits.turn_children_max // max(1, len(order)))
        more = False
        for i in range(len(order)):
            more |= self._start_some(order[(self._turn + i) % len(order)], count_max, now_ms, at_seconds)
        self.store.spill(self.runs.values(), can_start=not self.share.budget.full)
        return more or self.executions.unfinished

    def _start_some(self, run: LaneRun, count_max: int, now_ms: int, at_seconds: float) -> bool:
        """Starts waiting children while the lane's quota of the run, and the process, have room for them.

        Who ran under an earlier owner goes on whatever the quota, as it would have there: it may only have to end.
        One child of each run runs however full the process is. True if more could start at once.
        """
        if run.closing:
            return self._closing.answer(run, now_ms, at_seconds)
        waiting, running = first_waiting(run), run.running
        while waiting is not None and count_max > 0 and may_run(run, waiting):
            if running and self.share.budget.full:
                self.memory_full = True
                return False
            if waiting.items is None and not input_in_memory(run, waiting):
                self.store.request(run)
                return False
            count_max -= 1
            self.executions.start(run, waiting, now_ms, at_seconds)
            if self._pace.spent():
                count_max = 0
            waiting = first_waiting(run)
        return waiting is not None and count_max <= 0 and may_run(run, waiting)

    def take_calls(self) -> tuple[list[TaskStop], list[TaskStart]]:
        """Calls of Tasks to be given up, and to be made for children that still wait for them."""
        stops, starts = self.calls.take_stops(), self.calls.take_starts(self.limits.starts_max)
        return stops, [start for start in starts if self._waits_for(start)]

    def take_job_calls(self) -> list[JobCall]:
        """Calls about jobs: to stop them, and to ask after those that children still wait for."""
        return [call for call in self.calls.take_about_jobs() if isinstance(call, JobStop) or self._waits_for(call)]

    def _waits_for(self, start: TaskStart | JobLook) -> bool:
        run = self.run_of(*start.run)
        child = run.running.get(start.position) if run is not None else None
        ref = start.ref
        return child is not None and ref in child.waits and ref not in child.awaiting_journal

    def take_input_requests(self) -> list[InputsRequested]:
        """Inputs to be read from the journal."""
        return self.store.take_requests()

    def take_facts(self, at_seconds: float, *, idle: bool) -> list[HomeFact]:
        """What is to be said on home, in this order: home must know each Map Run that a child's history tells of."""
        runs = self.runs.values()
        return [
            *self.reports.take_requests(),
            *self.reports.take_shown(self.runs),
            *self.reports.take_pages(),
            *self.reports.take_frames(runs, at_seconds, idle=idle),
            *self.reports.take_progress(runs, at_seconds),
        ]

    def acknowledged(self, facts: list[HomeFact], offsets: list[int], at_seconds: float) -> None:
        """These are on home, at these offsets: children that frames tell of are finished, pages can be named."""
        for fact, offset in zip(facts, offsets, strict=True):
            match fact:
                case ChildrenEnded():
                    self._finished(fact, at_seconds)
                case HistoryPage():
                    self.pages.acknowledged(fact, offset, at_seconds)
                case _:
                    pass

    def _finished(self, frame: ChildrenEnded, at_seconds: float) -> None:
        run = self.run_of(frame.run, frame.generation)
        if run is not None:
            for first, count in pairs(frame.ranges):
                run.finished.add(first, count)
            self.draft.finish(run.key, frame.ranges, at_seconds)

    # ------------------------------------------------------------------ the journal

    def take_journal(self, at_seconds: float) -> list[LaneAdvanced]:
        """The next journal records, if they are due: one, unless what is to be kept fits none."""
        due_in_seconds = self.draft.due_in_seconds(at_seconds, self.calls_under_way)
        if due_in_seconds is None or due_in_seconds > 0:
            return []
        self.store.settle_frames(self.runs)
        return self.draft.take(self.position, self.signals_position)

    def written(self, offset: int, record: LaneAdvanced, size: int) -> None:
        """A record of this owner is in the journal, at this offset."""
        self.store.written(offset, record, size, self.runs)

    @property
    def position(self) -> int:
        """Where a successor must read the items on from."""
        return self.store.position(self.held.first_offset(self.items_next))

    @property
    def signals_position(self) -> int:
        """Where a successor must read the signals on from: the oldest run that is open."""
        return min((run.opened_offset for run in self.runs.values()), default=self.signals_next)

    @property
    def bytes_queued(self) -> int:
        """Items in memory that have not started."""
        return self.held.bytes + sum(run.bytes_queued for run in self.runs.values())

    # ------------------------------------------------------------------ time

    def wait_seconds(self, now_ms: int, at_seconds: float) -> float | None:
        """How long nothing will have to be done, unless something comes in."""
        waits = [seconds for seconds in self._waits_seconds(now_ms, at_seconds) if seconds is not None]
        return max(0.0, min(waits)) if waits else None

    def _waits_seconds(self, now_ms: int, at_seconds: float) -> Iterator[float | None]:
        due_ms = self.waits.timers.next_ms()
        if due_ms is not None:
            yield (due_ms - now_ms) / 1000
        if self.memory_full:
            yield self.limits.memory_retry_seconds
        if self.calls.waiting or self.store.requests:
            yield 0.0
        yield self.calls.retry_in_seconds(at_seconds)
        yield self.draft.due_in_seconds(at_seconds, self.calls_under_way)
        yield self.store.adopts_in_seconds(at_seconds)
        yield from self.reports.due_in_seconds(self.runs.values(), at_seconds)


def _newer(a: Cause, b: Cause) -> bool:
    return (a.offset, a.n) > (b.offset, b.n)
