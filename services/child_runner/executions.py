"""The child executions of a lane: started, taken on as things happen to them, answered. Pure."""

from collections import deque
from typing import Any

from maprun.integrations.registry import lost_answer
from maprun.interpreter.outcomes import bounded
from maprun.language.errors import StatesError
from maprun.mapruns.slices import Pace
from schemas.effects import EffectCancelled, Happening, StopAsked, SubmissionBegan, TaskSubmitted, TimerFired
from schemas.history import last_ms
from schemas.lanes import ChildAdvanced, ChildCallbackReceived, Place
from schemas.tokens import TIMED_OUT as TOKEN_TIMED_OUT
from services.child_runner import inputs
from services.child_runner.callbacks import Callbacks
from services.child_runner.histories import PAGED_EVENTS_MIN, Histories, earlier_history
from services.child_runner.input_store import InputStore
from services.child_runner.journal_draft import JournalDraft
from services.child_runner.lane_run import CHILD_BYTES, Child, LaneRun, Nested, Submission, Waiting
from services.child_runner.limits import LaneLimits
from services.child_runner.machine import Step
from services.child_runner.memory_budget import BudgetShare
from services.child_runner.waits import WAITS_ON, Waits, answered, asked_again, state_of, was_waited_for

ANSWER_WANTED_MS = 60_000
"""So long after a callback its sender may wait for a word: the API gives up before."""


class Executions:
    """Runs children. A STANDARD child hears of what happened once the journal holds it: write, read back, then act."""

    def __init__(
        self,
        limits: LaneLimits,
        pace: Pace,
        store: InputStore,
        draft: JournalDraft,
        histories: Histories,
        waits: Waits,
        callbacks: Callbacks,
        memory: BudgetShare,
        lane: int,
    ) -> None:
        self._limits = limits
        self._pace = pace
        self._store = store
        self._draft = draft
        self._histories = histories
        self._waits = waits
        self._callbacks = callbacks
        self._lane = lane
        self._memory = memory
        self._unfinished: deque[tuple[LaneRun, Child]] = deque()  # children with more to do, each queued once

    @property
    def unfinished(self) -> bool:
        """True while a child has more to do."""
        return bool(self._unfinished)

    # ------------------------------------------------------------------ begin and end

    def start(self, run: LaneRun, waiting: Waiting, now_ms: int, at_seconds: float) -> None:
        """Starts the first child that waits here, or answers that it can't be started."""
        position, raw, items, index, redriven = self._store.dequeue(run, waiting)
        past = run.past.pop(position, None) if run.past else None
        began, place = past[0].at_ms if past else now_ms, Place(index, self._lane)
        if run.callbacks and not run.past:
            self._callbacks.none_left(run, index)
        redrives, history = 0, None
        if redriven:
            child_input, earlier = raw, inputs.read_redriven(raw)
            redrives = earlier.redrive_count + 1
            if not past and not run.express:
                began = max(began, last_ms(earlier.history))  # the clock of who wrote it may have been ahead
            step = run.machine.redrive(place, earlier, began, self._pace.spent)
            history = earlier_history(earlier, step)
            run.tally.redriven += 0 if past else 1  # else its first owner counted it
        else:
            try:
                child_input = raw if waiting.items is None else inputs.built(run, waiting, position, self._limits)
            except StatesError as refused:
                inputs.refuse(run, waiting, position, refused, at_seconds, self._limits.entry_bytes_max)
                return
            step = run.machine.begin(place, child_input, began, self._pace.spent)
            run.tally.began += 0 if past else 1
        if step.ended is not None:
            if run.logging:
                before = 0 if history is None else history.events
                self._histories.logs.log(run, index, redrives, before, step.events)
            self._histories.answer(run, (position, index, items, redrives), step, step.events, history, at_seconds)
            run.tally.at_once += 1
            run.tally.ended(index, redrives, (began, _last_ms(step, began)), step.ended.status)
            return
        kept = b"" if waiting.items is None else child_input  # what is adopted stands in the journal
        child = run.running[position] = Child(position, index, kept, items, waiting.frame)
        child.redriven, child.redrives, child.last_event_ms, child.history = redriven, redrives, began, history
        child.began_ms = began
        child.events_logged = 0 if history is None else history.events
        self._take_memory(child, CHILD_BYTES + len(child_input))
        if past:
            child.past = deque(past)
        self._stepped(run, child, step, now_ms, at_seconds)

    def _ended(self, run: LaneRun, child: Child, step: Step, at_seconds: float) -> None:
        """A child that had waited ends."""
        del run.running[child.position]
        if run.callbacks:
            self._callbacks.ended(run, child.index)
        self._memory.give_back(child.bytes)
        assert step.ended is not None
        ended_ms = _last_ms(step, child.last_event_ms)
        run.tally.lasted_ms.append(ended_ms - child.began_ms)
        run.tally.ended(child.index, child.redrives, (child.began_ms, ended_ms), step.ended.status)
        place = (child.position, child.index, child.items, child.redrives)
        self._histories.answer(run, place, step, child.events, child.history, at_seconds)

    def stop(self, run: LaneRun, child: Child, stop: StopAsked, now_ms: int, at_seconds: float) -> None:
        """Ends a running child as ABORTED: at once, or right behind the step it is in.

        However little time is left: what the child asked for in this turn must not be started any more.
        """
        child.inbox.appendleft((stop, now_ms))
        if not child.queued:
            self._go_on(run, child, now_ms, at_seconds)

    def abandon(self, run: LaneRun) -> None:
        """The run is closed: whatever of it still runs here was answered elsewhere."""
        for child in run.running.values():
            self._waits.abandon(run, child)
            self._memory.give_back(child.bytes)
        self._callbacks.forget(run)

    def _take_memory(self, child: Child, size: int) -> None:
        child.bytes += size
        self._memory.take(size)

    # ------------------------------------------------------------------ steps, slice by slice

    def go_on(self, now_ms: int, at_seconds: float) -> None:
        """Takes each child that has more to do a little further, until the turn's time is used up."""
        for _ in range(len(self._unfinished)):
            run, child = self._unfinished.popleft()
            if not run.over and run.running.get(child.position) is child:
                self._go_on(run, child, now_ms, at_seconds)
            if self._pace.spent():
                break

    def _go_on(self, run: LaneRun, child: Child, now_ms: int, at_seconds: float) -> None:
        """The step that the child is in, then what happened meanwhile."""
        child.queued = False
        step, child.step = child.step, None
        if step is not None:
            further = run.machine.go_on(step, self._pace.spent) if step.more else step
            self._stepped(run, child, further, now_ms, at_seconds)
        while child.inbox and not child.queued and run.running.get(child.position) is child:
            self._hear(run, child, *child.inbox.popleft(), at_seconds)
            if child.inbox and self._pace.spent():
                self._queue(run, child)

    def _queue(self, run: LaneRun, child: Child) -> None:
        if not child.queued:
            child.queued = True
            self._unfinished.append((run, child))

    def _stepped(self, run: LaneRun, child: Child, step: Step, now_ms: int, at_seconds: float) -> None:
        """A step came. What it brought counts once it is through; until then the child is queued."""
        if child.past is not None:
            self._repeat(run, child, child.past, step, now_ms, at_seconds)
        elif step.more:
            if len(step.events) >= PAGED_EVENTS_MIN:
                self._histories.keep(run, child, step.execution, step.take_events())
            child.step = step
            self._queue(run, child)
        else:
            if child.execution is None and step.ended is None and not run.express:
                self._journal(run, child, None, child.last_event_ms, at_seconds)
            self._take_over(run, child, step, now_ms, at_seconds)

    def _take_over(self, run: LaneRun, child: Child, step: Step, now_ms: int, at_seconds: float) -> None:
        """Takes over what a step of a live child brought."""
        child.execution = step.execution
        self._histories.keep(run, child, step.execution, step.events)
        for effect in step.effects:
            if isinstance(effect, EffectCancelled):
                self._waits.cancel(run, child, effect.ref)
            elif child.position in run.running:
                self._ask(run, child, effect, now_ms, at_seconds)
        if step.ended is not None:
            self._waits.cancel_all(run, child)
            self._ended(run, child, step, at_seconds)

    def _ask(self, run: LaneRun, child: Child, effect: Any, now_ms: int, at_seconds: float) -> None:
        happening = self._waits.ask(run, child, effect)
        if happening is not None:
            self.record_outcome(run, child, happening, now_ms, at_seconds)

    # ------------------------------------------------------------------ after a takeover

    def _repeat(
        self, run: LaneRun, child: Child, past: deque[ChildAdvanced], step: Step, now_ms: int, at_seconds: float
    ) -> None:
        """Lets a child's recorded past happen again: the same decisions, the same history.

        What it waits for then is started. The past may hold its end: an earlier owner knew it, but could not bring it
        home any more.
        """
        while not step.more:
            child.execution = step.execution
            self._histories.keep(run, child, step.execution, step.events)
            self._waits.note(run, child, step)
            if step.ended is not None:
                for ref in list(child.waits):
                    self._waits.forgo(run, child, ref)
                self._ended(run, child, step, at_seconds)
                return
            fact = _next_waited_for(child, past)
            if fact is None or fact.happening is None:
                child.past = None
                self._ask_again(run, child, now_ms, at_seconds)
                return
            if run.callbacks and now_ms - fact.at_ms <= ANSWER_WANTED_MS:
                self._callbacks.happened_before(run, child, fact.happening)
            child.last_event_ms = fact.at_ms
            self._take_memory(child, len(getattr(fact.happening, "output", b"")))
            step = run.machine.advance(child.execution, fact.happening, fact.at_ms, self._pace.spent)
            if self._pace.spent():
                break
        child.step = step
        self._queue(run, child)

    def _ask_again(self, run: LaneRun, child: Child, now_ms: int, at_seconds: float) -> None:
        """A child that was brought back asks for what it still waits for."""
        waits, child.waits = child.waits, {}
        for ref, waited in waits.items():
            if isinstance(waited, Nested) and waited.begun:
                child.waits[ref] = waited
                self._waits.ask_home(run, child, waited)  # again: an earlier owner's answer may have reached nobody
            elif isinstance(waited, Submission) and waited.begun:
                child.waits[ref] = waited  # an earlier owner submitted it, or fell before it could: never twice
                self._submission_again(run, child, waited, now_ms, at_seconds)
            elif child.position in run.running:
                self._ask(run, child, asked_again(ref, waited), now_ms, at_seconds)
        for callback, former in run.callbacks.pop(child.index, ()):
            self._call_back(run, child, callback, now_ms, at_seconds, former=former)
        stop = run.stops.pop(child.index, None)
        if stop is not None and child.position in run.running:
            self.stop(run, child, StopAsked(stop.error, stop.cause_text), now_ms, at_seconds)

    def _submission_again(self, run: LaneRun, child: Child, waited: Submission, now_ms: int, at_seconds: float) -> None:
        """A submission that an earlier owner began."""
        if waited.submitted:
            self._waits.follow(run, child, waited, now_ms)
        elif waited.repeatable:
            self._waits.call(run, child, waited.effect)
        elif waited.job is not None:
            self.record_outcome(run, child, lost_answer(waited.effect), now_ms, at_seconds)

    # ------------------------------------------------------------------ what happens to a child

    def timers_due(self, runs: dict[str, LaneRun], now_ms: int, at_seconds: float) -> None:
        """Fires the timers whose time has passed; each counts if its child still waits for it."""
        for (name, generation), position, ref in self._waits.timers.take_due(now_ms):
            run = runs.get(name)
            child = run.running.get(position) if run is not None and run.key[1] == generation else None
            waited = child.waits.get(ref) if child is not None else None
            if run is None or child is None:
                continue
            if isinstance(waited, int):
                self.record_outcome(run, child, TimerFired(ref), now_ms, at_seconds)
            elif isinstance(waited, Submission):
                self._waits.look(run, child, waited)

    def job_runs(self, run: LaneRun, child: Child, ref: str, now_ms: int) -> None:
        """A job that was asked after goes on."""
        waited = child.waits.get(ref)
        if isinstance(waited, Submission):
            self._waits.follow(run, child, waited, now_ms)

    def record_outcome(self, run: LaneRun, child: Child, happening: Any, now_ms: int, at_seconds: float) -> None:
        """What a child asked for has an outcome. A STANDARD child hears of it when the journal holds it."""
        waits_on = isinstance(happening, WAITS_ON)
        if happening.ref not in child.waits or (happening.ref in child.awaiting_journal and not waits_on):
            return
        bytes_max = self._limits.outcome_bytes_max
        if len(getattr(happening, "output", b"")) > bytes_max or hasattr(happening, "cause"):
            happening = bounded(happening, state_of(child.waits[happening.ref]), bytes_max)
        if run.express:
            self.happened(run, child, happening, now_ms, at_seconds)
            return
        if not waits_on:
            child.awaiting_journal.add(happening.ref)
        elif isinstance(happening, TaskSubmitted):
            answered(child.waits[happening.ref], happening)
        self._journal(run, child, happening, now_ms, at_seconds)

    def _journal(self, run: LaneRun, child: Child, happening: Happening | None, now_ms: int, at_seconds: float) -> None:
        child.last_event_ms = max(now_ms, child.last_event_ms)
        fact = ChildAdvanced(*run.key, child.position, child.last_event_ms, happening)
        self._draft.advance(fact, at_seconds, urgent=happening is not None)

    def journalled(self, run: LaneRun, fact: ChildAdvanced, at_seconds: float) -> None:
        """The journal holds for good what happened to a child: it hears, if it still runs."""
        child = run.running.get(fact.position)
        if fact.happening is None:
            return
        if child is not None:
            self.happened(run, child, fact.happening, fact.at_ms, at_seconds)
        else:
            self._callbacks.heard(run, fact.position, fact.happening, TOKEN_TIMED_OUT)

    def happened(self, run: LaneRun, child: Child, happening: Any, now_ms: int, at_seconds: float) -> None:
        """A child hears what happened: at once, or once its turn comes."""
        if not child.queued and not self._pace.spent():
            self._hear(run, child, happening, now_ms, at_seconds)
            return
        child.inbox.append((happening, now_ms))
        self._queue(run, child)

    def _hear(self, run: LaneRun, child: Child, happening: Any, now_ms: int, at_seconds: float) -> None:
        """A child hears what happened, unless it no longer waits for it."""
        if not isinstance(happening, StopAsked):
            if not was_waited_for(child, happening):
                self._callbacks.heard(run, child.position, happening, TOKEN_TIMED_OUT)
                return
            if not isinstance(happening, WAITS_ON):
                child.awaiting_journal.discard(happening.ref)
            self._callbacks.heard(run, child.position, happening)
            self._take_memory(child, len(getattr(happening, "output", b"")))
            waited = child.waits.get(happening.ref)
            if isinstance(waited, Nested):
                self._waits.ask_home(run, child, waited)
            elif isinstance(waited, Submission) and isinstance(happening, SubmissionBegan):
                self._waits.call(run, child, waited.effect)
            elif isinstance(waited, Submission) and isinstance(happening, TaskSubmitted):
                self._waits.follow(run, child, waited, now_ms)
        step = run.machine.advance(child.execution, happening, max(now_ms, child.last_event_ms), self._pace.spent)
        self._stepped(run, child, step, now_ms, at_seconds)

    # ------------------------------------------------------------------ callbacks

    def call_back(
        self, run: LaneRun, callback: ChildCallbackReceived, now_ms: int, at_seconds: float, *, former: bool
    ) -> None:
        """A callback came in. A `former` one was there when this owner took the lane: an earlier one may have heard it.

        Of those only what ends an attempt that is still waited for counts.
        """
        child = run.child(callback.index)
        if child is not None and child.past is None:
            self._call_back(run, child, callback, now_ms, at_seconds, former=former)
        elif child is not None or run.past:
            self._callbacks.keep(run, callback, former=former)
        else:
            self._callbacks.refuse(run, callback, former=former)

    def _call_back(
        self,
        run: LaneRun,
        child: Child,
        callback: ChildCallbackReceived,
        now_ms: int,
        at_seconds: float,
        *,
        former: bool,
    ) -> None:
        happening = self._callbacks.happening_of(run, child, callback, former=former)
        if happening is not None:
            self.record_outcome(run, child, happening, now_ms, at_seconds)


def _next_waited_for(child: Child, past: deque[ChildAdvanced]) -> ChildAdvanced | None:
    """The next of these facts that the child waits for; those before it are taken away as well."""
    while past:
        fact = past.popleft()
        if fact.happening is not None and was_waited_for(child, fact.happening):
            return fact
    return None


def _last_ms(step: Step, otherwise_ms: int) -> int:
    return step.events[-1].at_ms if step.events else otherwise_ms
