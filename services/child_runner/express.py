"""Root executions of EXPRESS machines on a lane: begun, taken on as things happen to them, answered. Pure.

They have no journal. The position in `express-requests` passes a record once all its executions have ended, so a new
owner finds those that had not. What nobody waits for it begins again: an execution runs at least once. Of what a caller
waits for nobody can say whether it ran, so the caller is told that: such an execution runs at most once.
"""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Any

from maprun.interpreter.express import ExpressInterpreter
from maprun.interpreter.outcomes import bounded
from maprun.interpreter.step import Step
from maprun.mapruns.slices import Pace
from maprun.mapruns.timers import Timers
from schemas.effects import Effect, EffectCancelled, Happening, TaskRequested, TimerFired, TimerRequested, called_by
from schemas.execution_logs import LogRecord, log_records
from schemas.express import (
    NOBODY_WAITS,
    NOT_RUN,
    ExpressEnd,
    ExpressEnded,
    ExpressHistoryAsked,
    ExpressRequest,
    ExpressRequested,
)
from schemas.history import HistoryEvent
from schemas.spans import execution_span_id
from schemas.traces import traced
from services.child_runner.express_frames import Waiting, answer_frames, carried_frames
from services.child_runner.express_histories import ExpressHistories
from services.child_runner.journal import RunKey
from services.child_runner.lane_run import CHILD_BYTES
from services.child_runner.limits import LaneLimits
from services.child_runner.memory_budget import BudgetShare
from services.child_runner.tally import ExpressTally
from services.child_runner.task_calls import TaskCalls, TaskNotStarted, TaskOver, TaskStart, TaskStop

NO_RUN: RunKey = ("", 0)
"""Of a Task's call: root executions are of no Map Run."""


class Running:
    """One execution that waits for something, or whose step has more to do."""

    __slots__ = ("bytes", "ends_ms", "events", "execution", "inbox", "number", "queued", "step", "waiting", "waits")

    def __init__(self, number: int, waiting: Waiting) -> None:
        self.number = number
        self.waiting = waiting
        self.bytes = 0
        self.events = 0  # so far
        self.execution: Any = None
        self.step: Step | None = None  # that has more to do
        self.ends_ms = 0  # of such a one: when its time is over
        self.queued = False
        self.inbox: deque[Happening] = deque()  # what happened while a step had more to do
        self.waits: dict[str, TaskRequested | int] = {}  # by ref: a Task's call, or when a timer is due


class ExpressExecutions:
    """All of one lane, from a position of its requests on.

    `former_end` is where the requests ended when this owner took the lane: those before it an earlier owner may have
    begun. `carrier` tells this owner's own frames from all others.
    """

    def __init__(
        self,
        interpreter: ExpressInterpreter,
        limits: LaneLimits,
        memory: BudgetShare,
        pace: Pace,
        first: int,
        former_end: int,
        carrier: str,
        histories: ExpressHistories,
    ) -> None:
        self._histories = histories
        self._interpreter = interpreter
        self._limits = limits
        self._memory = memory
        self._pace = pace
        self._next = first
        self._former_end = former_end
        self._carrier = carrier
        self.calls = TaskCalls(limits.lease_retry_seconds)
        self.queued_bytes = 0
        self._queue: deque[Waiting] = deque()
        self._running: dict[int, Running] = {}
        self._numbers: dict[str, int] = {}  # ARN → number, of those that run
        self._count = 0
        self._open: OrderedDict[int, int] = OrderedDict()  # offset → executions of its record that have not ended
        self._unfinished: deque[Running] = deque()
        self._timers: Timers[tuple[int, str]] = Timers()
        self._ended: dict[tuple[int, str], list[ExpressEnd]] = {}
        self._logs: list[tuple[str, LogRecord]] = []
        self._questions: list[ExpressHistoryAsked] = []
        self._to_carry: deque[tuple[float, int]] = deque()  # (when, number), in order
        self._tally: ExpressTally | None = None

    # ------------------------------------------------------------------ what comes in

    def requested(self, offset: int, frame: ExpressRequest | None, now_ms: int, at_seconds: float) -> None:
        """A record of the lane's requests; None when it can't be read."""
        self._next = offset + 1
        if frame is None:
            return
        if isinstance(frame, ExpressHistoryAsked):
            self._questions.append(frame)
        elif frame.carrier == self._carrier:
            self._carried(offset, frame, at_seconds)
        elif not frame.carrier or offset < self._former_end:
            # A frame that an earlier owner carried behind that point tells of records that this one reads itself.
            self._take_in(offset, frame, now_ms)

    def _take_in(self, offset: int, frame: ExpressRequested, now_ms: int) -> None:
        lost = offset < self._former_end
        for start in frame.starts:
            waiting = Waiting(offset, frame.asker, frame.answers, frame.machines[start.machine], start)
            if start.call != NOBODY_WAITS and lost:
                self._answer(waiting, ExpressEnd(start.call, NOT_RUN, now_ms))
                continue
            self._queue.append(waiting)
            self.queued_bytes += len(start.input)
            self._open[offset] = self._open.get(offset, 0) + 1

    def _carried(self, offset: int, frame: ExpressRequested, at_seconds: float) -> None:
        """This owner's own frame is in the log: the executions it tells of need their first records no more."""
        for start in frame.starts:
            running = self._running.get(self._numbers.get(start.arn, 0))
            if running is not None:
                self._close(running.waiting.offset)
                running.waiting.offset = offset
                self._open[offset] = self._open.get(offset, 0) + 1
                self._to_carry.append((at_seconds + self._limits.carry_after_seconds, running.number))

    def call_over(self, over: TaskOver | TaskNotStarted, now_ms: int, at_seconds: float) -> None:
        """A Task's call came back, or was not made because the lease did not hold: then it is made a little later."""
        if isinstance(over, TaskNotStarted):
            self.calls.start(over.start)
            self.calls.put_off(at_seconds)
            return
        running = self._running.get(over.position)
        if running is not None:
            self._happened(running, over.outcome, now_ms)

    # ------------------------------------------------------------------ what it does

    def work(self, now_ms: int, at_seconds: float, *, may_start: bool) -> bool:
        """One turn: due timers, executions that have more to do, then new ones. True if there is more to do at once."""
        for number, ref in self._timers.take_due(now_ms):
            running = self._running.get(number)
            if running is not None:
                self._happened(running, TimerFired(ref), now_ms)
        for _ in range(len(self._unfinished)):
            running = self._unfinished.popleft()
            if self._running.get(running.number) is running:
                self._go_on(running, now_ms)
            if self._pace.spent():
                break
        self.calls.try_again(at_seconds)
        started = 0
        while may_start and self._queue and not self._full and started < self._limits.turn_children_max:
            started += 1
            self._start(self._queue.popleft(), now_ms, at_seconds)
            if self._pace.spent():
                break
        return bool(self._unfinished) or (may_start and bool(self._queue) and not self._full)

    @property
    def _full(self) -> bool:
        """One execution runs however full the process is, so that no lane waits for ever."""
        return self._memory.budget.full and bool(self._running)

    def take_answers(self) -> list[tuple[int, ExpressEnded]]:
        """What callers are to be told: (partition, frame)."""
        ended, self._ended = self._ended, {}
        return list(answer_frames(ended, self._limits.frame_bytes_max))

    def take_tally(self) -> ExpressTally | None:
        """What began and ended since this was asked last; None if nothing did."""
        tally, self._tally = self._tally, None
        return tally

    def _counted(self) -> ExpressTally:
        if self._tally is None:
            self._tally = ExpressTally()
        return self._tally

    def take_logs(self) -> list[tuple[str, LogRecord]]:
        """What executions log: (ARN, record)."""
        logs, self._logs = self._logs, []
        return logs

    def take_questions(self) -> list[ExpressHistoryAsked]:
        """Who asks what happened in executions; answered from the histories of the process."""
        questions, self._questions = self._questions, []
        return questions

    def give_up(self) -> None:
        """The lane is somebody else's, who may begin again what runs."""
        self._histories.given_up(self._numbers)

    def take_carried(self, at_seconds: float) -> list[ExpressRequested]:
        """Frames of executions that have run for long: once in the log they hold the position up no more."""
        due: list[Waiting] = []
        while self._to_carry and self._to_carry[0][0] <= at_seconds:
            running = self._running.get(self._to_carry.popleft()[1])
            if running is not None:
                due.append(running.waiting)
        return list(carried_frames(due, self._carrier, self._limits.frame_bytes_max))

    def take_calls(self) -> tuple[list[TaskStop], list[TaskStart]]:
        """Calls of Tasks to be given up, and to be made for executions that still wait for them."""
        stops, starts = self.calls.take_stops(), self.calls.take_starts(self.limits.starts_max)
        return stops, [start for start in starts if self._waits_for(start)]

    def _waits_for(self, start: TaskStart) -> bool:
        running = self._running.get(start.position)
        return running is not None and start.request.ref in running.waits

    @property
    def limits(self) -> LaneLimits:
        """The bounds it works under."""
        return self._limits

    @property
    def position(self) -> int:
        """Where a successor must read the requests on from."""
        return next(iter(self._open), self._next)

    def wait_seconds(self, now_ms: int, at_seconds: float) -> float | None:
        """How long nothing will have to be done, unless something comes in."""
        due_ms = self._timers.next_ms()
        waits = [
            None if due_ms is None else (due_ms - now_ms) / 1000,
            self._to_carry[0][0] - at_seconds if self._to_carry else None,
            self._limits.lease_retry_seconds if self._queue else None,  # neither memory nor lease says when it is back
            0.0 if self.calls.waiting else self.calls.retry_in_seconds(at_seconds),
        ]
        known = [seconds for seconds in waits if seconds is not None]
        return max(0.0, min(known)) if known else None

    # ------------------------------------------------------------------ one execution

    def _start(self, waiting: Waiting, now_ms: int, at_seconds: float) -> None:
        start, machine = waiting.start, waiting.machine
        self.queued_bytes -= len(start.input)
        if start.arn in self._numbers:  # a client that got no answer asked again
            self._close(waiting.offset)
            return
        step = self._interpreter.begin(machine, start, now_ms, self._pace.spent)
        self._counted().began[machine.arn] += 1
        if step.ended is not None:
            self._log(waiting, 1, step.events)
            self._over(waiting, step, now_ms)
            return
        self._count += 1
        running = self._running[self._count] = Running(self._count, waiting)
        self._numbers[start.arn] = self._count
        self._to_carry.append((at_seconds + self._limits.carry_after_seconds, self._count))
        self._take_memory(running, CHILD_BYTES + len(start.input))
        if step.more:
            running.ends_ms = self._interpreter.ends_ms(machine, now_ms)
        self._stepped(running, step, now_ms)

    def _stepped(self, running: Running, step: Step, now_ms: int) -> None:
        """A step came. What it brought counts once it is through; until then the execution is queued."""
        events = step.take_events() if step.more else step.events
        self._log(running.waiting, running.events + 1, events)
        running.events += len(events)
        if step.more:
            running.step = step
            self._queue_on(running)
            return
        running.execution = step.execution
        for effect in step.effects:
            if isinstance(effect, EffectCancelled):
                self._cancel(running, effect.ref)
            elif step.ended is None:
                self._ask(running, effect)
        if step.ended is not None:
            for ref in list(running.waits):
                self._cancel(running, ref)
            del self._running[running.number], self._numbers[running.waiting.start.arn]
            self._memory.give_back(running.bytes)
            self._over(running.waiting, step, now_ms)

    def _go_on(self, running: Running, now_ms: int) -> None:
        """The step that the execution is in, then what happened meanwhile."""
        running.queued = False
        step, running.step = running.step, None
        if step is not None:
            if now_ms >= running.ends_ms:
                self._stepped(running, self._interpreter.timed_out(now_ms), now_ms)
                return
            self._stepped(running, self._interpreter.go_on(step, self._pace.spent), now_ms)
        while running.inbox and not running.queued and running.number in self._running:
            self._hear(running, running.inbox.popleft(), now_ms)

    def _queue_on(self, running: Running) -> None:
        if not running.queued:
            running.queued = True
            self._unfinished.append(running)

    def _happened(self, running: Running, happening: Any, now_ms: int) -> None:
        """Something that an execution waits for: it hears at once, or once the step it is in is through."""
        waited = running.waits.get(happening.ref)
        if waited is None:
            return
        if isinstance(waited, TaskRequested):
            happening = bounded(happening, waited.state, self._limits.outcome_bytes_max)
        if running.queued or self._pace.spent():
            running.inbox.append(happening)
            self._queue_on(running)
        else:
            self._hear(running, happening, now_ms)

    def _hear(self, running: Running, happening: Any, now_ms: int) -> None:
        if running.waits.pop(happening.ref, None) is None:
            return
        self._take_memory(running, len(getattr(happening, "output", b"")))
        machine = running.waiting.machine
        step = self._interpreter.advance(machine, running.execution, happening, now_ms, self._pace.spent)
        if step.more:
            running.ends_ms = self._interpreter.ends_ms(machine, running.waiting.start.started_ms)
        self._stepped(running, step, now_ms)

    def _ask(self, running: Running, effect: Effect) -> None:
        match effect:
            case TaskRequested():
                running.waits[effect.ref] = effect
                key = self._interpreter.effect_key(running.waiting.start, effect.ref)
                start = running.waiting.start
                request = traced(effect, start.trace_header, key, execution_span_id(start.arn))
                self.calls.start(TaskStart(NO_RUN, running.number, called_by(request, start.arn), key))
            case TimerRequested():
                running.waits[effect.ref] = effect.due_ms
                self._timers.set((running.number, effect.ref), effect.due_ms)
            case _:
                raise AssertionError(f"an EXPRESS machine can't ask for {effect}")

    def _cancel(self, running: Running, ref: str) -> None:
        match running.waits.pop(ref, None):
            case TaskRequested():
                self.calls.stop(TaskStop(NO_RUN, running.number, ref))
            case int():
                self._timers.cancel((running.number, ref))
            case None:
                pass  # it was over

    def _take_memory(self, running: Running, size: int) -> None:
        running.bytes += size
        self._memory.take(size)

    # ------------------------------------------------------------------ the end of one

    def _over(self, waiting: Waiting, step: Step, now_ms: int) -> None:
        ended, call, start = step.ended, waiting.start.call, waiting.start
        assert ended is not None
        times_ms = start.started_ms, now_ms
        self._counted().over(waiting.machine.arn, start.arn, start.trace_header, times_ms, ended.status)
        if call != NOBODY_WAITS:
            self._answer(waiting, ExpressEnd(call, ended.status, now_ms, ended.output, ended.error, ended.cause))
        self._close(waiting.offset)

    def _log(self, waiting: Waiting, first_id: int, events: Sequence[HistoryEvent]) -> None:
        logging, arn = waiting.machine.logging, waiting.start.arn
        self._histories.grew(arn, first_id, events)
        if logging:
            self._logs += ((arn, record) for record in log_records(logging, arn, 0, first_id, events))

    def _answer(self, waiting: Waiting, end: ExpressEnd) -> None:
        self._ended.setdefault((waiting.answers, waiting.asker), []).append(end)

    def _close(self, offset: int) -> None:
        """One execution of this record has ended, or stands in a later one."""
        left = self._open[offset] - 1
        if left:
            self._open[offset] = left
        else:
            del self._open[offset]
