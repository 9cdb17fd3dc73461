"""Children of one lane: started, told what happened, answered. Pure."""

from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from maprun.interpreter.outcomes import bounded
from maprun.language.errors import StatesError
from schemas.effects import (
    EffectCancelled,
    Happening,
    MapRunRedriven,
    MapRunRedriveRequested,
    MapRunRequested,
    MapRunStarted,
    StopAsked,
    TaskRequested,
    TimerFired,
    TimerRequested,
    redrive_of,
)
from schemas.history import EventType, HistoryEvent, last_ms
from schemas.home import (
    ABORTED,
    FAILED,
    SUCCEEDED,
    TIMED_OUT,
    NestedRunDropped,
    NestedRunRequested,
)
from schemas.lanes import ChildAdvanced
from services.child_runner import inputs
from services.child_runner.machine import Step
from services.child_runner.state import Child, LaneRun, Nested, TaskStart, TaskStop, Waiting

if TYPE_CHECKING:
    from services.child_runner.lane import Lane

_STATUS = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": TIMED_OUT, "ABORTED": ABORTED}
Asked = TaskRequested | TimerRequested | MapRunRequested | MapRunRedriveRequested
TimerKey = tuple[tuple[str, int], int, str]
"""Run, position, ref."""
CHILD_BYTES = 4_000
"""What a running child takes beside its input and what it was told, about (measured: 3 to 5 KB)."""


def start(lane: "Lane", run: LaneRun, waiting: Waiting, position: int, now: int, at: float) -> None:
    """Starts the child that waits at a position, or answers that it can't be started."""
    past = run.past.pop(position, None) if run.past else None
    began = past[0].at_ms if past else now
    frame = waiting.items
    if frame is None:
        adopted = run.memory.adopted[position]
        raw, items, index, redriven = adopted.input, adopted.items, adopted.index, adopted.redriven
        assert raw is not None, "who waits without its input isn't started"
        run.bytes_queued -= adopted.size
        run.bytes_adopted -= adopted.size
        if adopted.offset >= 0:
            lane.memory.leave(adopted)
    else:
        i = position - waiting.base
        raw, items, index = frame.items[i], frame.counts[i] if frame.counts else 1, waiting.indexes[i]
        redriven = frame.redriven and bool(raw)
        run.bytes_queued -= len(raw)
    redrives = 0
    if redriven:
        child_input, told = raw, inputs.read_redriven(raw)
        redrives = told.redrive_count + 1
        if not past and not run.express:
            began = max(began, last_ms(told.history))  # the clock of who wrote it may have been ahead
        step = run.machine.redrive(index, told, began, lane.pace.spent)
    else:
        try:
            child_input = raw if frame is None else inputs.built(run, frame, position - waiting.base)
            inputs.checked(lane, index, child_input)
        except StatesError as refused:
            inputs.refuse(run, waiting, position, refused, at, lane.limits.history_bytes_max)
            return
        step = run.machine.begin(index, child_input, began, lane.pace.spent)
    if step.ended is not None:
        _answer(lane, run, (position, index, items, redrives), step, step.events, at)
        return
    kept = b"" if frame is None else child_input  # what is adopted stands in the journal
    child = run.running[position] = Child(position, index, kept, items, waiting.frame)
    child.redriven, child.redrives, child.told_ms = redriven, redrives, began
    lane.take_room(child, CHILD_BYTES + len(child_input))
    if past:
        child.past = deque(past)
    _stepped(lane, run, child, step, now, at)


def _answer(
    lane: "Lane", run: LaneRun, place: tuple[int, int, int, int], step: Step, events: list[Any], at: float
) -> None:
    """The end and history of the child with this position, index, number of items and redrives, for home.

    A history that fits no record is cut to how it began and why it failed.
    """
    position, index, items, redrives = place
    assert step.ended is not None
    status = _STATUS[step.ended.status]
    entry = run.machine.pack(events)
    bytes_max = lane.limits.history_bytes_max
    remains = b""
    if len(entry) > bytes_max:
        cause = f"The execution history has a size of {len(entry)} bytes, exceeding the maximum of {bytes_max} bytes."
        status = FAILED
        failed = HistoryEvent(EventType.EXECUTION_FAILED, 0, events[-1].at_ms, ("States.DataLimitExceeded", cause))
        entry = run.machine.pack([events[0], failed])
    elif status != SUCCEEDED and not run.express:
        remains = run.machine.remains(step)
        if len(entry) + len(remains) > bytes_max:
            remains = b""  # then it starts from its beginning
    if redrives or remains:
        run.outbox.leave(position, redrives, remains)
    run.outbox.add(position, status, items, entry, at, index)


def _ended(lane: "Lane", run: LaneRun, child: Child, step: Step, at: float) -> None:
    """A child that had waited ends."""
    del run.running[child.position]
    lane.leave_room(child)
    _answer(lane, run, (child.position, child.index, child.items, child.redrives), step, child.events, at)


# ---------------------------------------------------------------------- steps, slice by slice


def go_on(lane: "Lane", run: LaneRun, child: Child, now: int, at: float) -> None:
    """Takes a queued child further: the step it is in, then what it was told meanwhile."""
    child.queued = False
    step, child.step = child.step, None
    if step is not None:
        _stepped(lane, run, child, run.machine.go_on(step, lane.pace.spent) if step.more else step, now, at)
    while child.inbox and not child.queued and run.running.get(child.position) is child:
        _hear(lane, run, child, *child.inbox.popleft(), at)
        if child.inbox and lane.pace.spent():
            _queue(lane, run, child)


def _queue(lane: "Lane", run: LaneRun, child: Child) -> None:
    if not child.queued:
        child.queued = True
        lane.at_work.append((run, child))


def _stepped(lane: "Lane", run: LaneRun, child: Child, step: Step, now: int, at: float) -> None:
    """A step came. What it brought counts once it is through; until then the child is queued."""
    if child.past is not None:
        _resume(lane, run, child, child.past, step, now, at)
    elif step.more:
        child.step = step
        _queue(lane, run, child)
    else:
        if child.execution is None and step.ended is None and not run.express:
            _journal(lane, run, child, None, child.told_ms, at)
        _take(lane, run, child, step, now, at)


def _resume(
    lane: "Lane", run: LaneRun, child: Child, past: deque[ChildAdvanced], step: Step, now: int, at: float
) -> None:
    """Tells a child its recorded past again: the same decisions, the same history. What it waits for then is started.

    The past may hold its end: an earlier owner knew it, but could not bring it home any more.
    """
    while not step.more:
        _wait_for(lane, run, child, step)
        if step.ended is not None:
            for ref in list(child.waits):
                _forgo(lane, run, child, ref)
            _ended(lane, run, child, step, at)
            return
        fact = next((f for f in _taken(past) if f.happening is not None and _waited_for(child, f.happening)), None)
        if fact is None:
            child.past = None
            _ask_again(lane, run, child, now, at)
            return
        assert fact.happening is not None
        child.told_ms = fact.at_ms
        lane.take_room(child, len(getattr(fact.happening, "output", b"")))
        step = run.machine.advance(child.execution, fact.happening, fact.at_ms, lane.pace.spent)
        if lane.pace.spent():
            break
    child.step = step
    _queue(lane, run, child)


def _taken(past: deque[ChildAdvanced]) -> Iterator[ChildAdvanced]:
    while past:
        yield past.popleft()


def _ask_again(lane: "Lane", run: LaneRun, child: Child, now: int, at: float) -> None:
    """A child that was brought back asks for what it still waits for."""
    waits, child.waits = child.waits, {}
    for ref, waited in waits.items():
        if isinstance(waited, Nested) and waited.begun:
            child.waits[ref] = waited
            _ask_home(lane, run, child, waited)  # again: an earlier owner's answer may have been read by nobody
        elif child.position in run.running:
            _ask(lane, run, child, _effect(ref, waited), now, at)
    stop = run.stops.pop(child.index, None)
    if stop is not None and child.position in run.running:
        stop_running(lane, run, child, StopAsked(stop.error, stop.cause_text), now, at)


def _effect(ref: str, waited: TaskRequested | int | Nested) -> Asked:
    match waited:
        case Nested():
            return waited.effect
        case TaskRequested():
            return waited
        case int():
            return TimerRequested(ref, waited)


def _wait_for(lane: "Lane", run: LaneRun, child: Child, step: Step) -> None:
    child.execution = step.execution
    child.events += step.events
    for effect in step.effects:
        match effect:
            case TaskRequested():
                child.waits[effect.ref] = effect
            case TimerRequested():
                child.waits[effect.ref] = effect.due_ms
            case MapRunRequested() | MapRunRedriveRequested():
                child.waits[effect.ref] = Nested(effect)
            case EffectCancelled():
                _forgo(lane, run, child, effect.ref)


def _forgo(lane: "Lane", run: LaneRun, child: Child, ref: str) -> None:
    """A child that is brought back no longer waits for this: nothing was started for it here.

    But its history tells of a Map Run that began: home must hear of it, or the child could not be redriven, and that it
    is dropped, or the Map Run would go on. The earlier owner may have said neither.
    """
    waited = child.waits.pop(ref, None)
    if isinstance(waited, Nested) and waited.begun:
        _ask_home(lane, run, child, waited)
        lane.asks.append(NestedRunDropped(*run.key, child.position, child.index, ref))


def _take(lane: "Lane", run: LaneRun, child: Child, step: Step, now: int, at: float) -> None:
    """Takes over what a step of a live child brought."""
    child.execution = step.execution
    child.events += step.events
    for effect in step.effects:
        if isinstance(effect, EffectCancelled):
            _cancel(lane, run, child, effect.ref)
        elif child.position in run.running:
            _ask(lane, run, child, effect, now, at)
    if step.ended is not None:
        for ref in list(child.waits):
            _cancel(lane, run, child, ref)
        _ended(lane, run, child, step, at)


def _ask(lane: "Lane", run: LaneRun, child: Child, effect: Asked, now: int, at: float) -> None:
    match effect:
        case TaskRequested():
            child.waits[effect.ref] = effect
            key = run.machine.effect_key(child.index, child.redrives, effect.ref)
            lane.starts.append(TaskStart(run.key, child.position, effect, key))
        case TimerRequested():
            child.waits[effect.ref] = effect.due_ms
            lane.timers.set((run.key, child.position, effect.ref), effect.due_ms)
        case MapRunRequested():
            child.waits[effect.ref] = Nested(effect)
            arn = run.machine.map_run_arn(child.index, effect.ref)[1]
            told(lane, run, child, MapRunStarted(effect.ref, arn), now, at)
        case MapRunRedriveRequested():
            child.waits[effect.ref] = Nested(effect)
            arn = run.machine.map_run_arn(child.index, effect.ref)[1]
            count = child.redrives - redrive_of(effect.ref)
            told(lane, run, child, MapRunRedriven(effect.ref, arn, count), now, at)


def _ask_home(lane: "Lane", run: LaneRun, child: Child, nested: Nested) -> None:
    """Asks for the Map Run that the child was told of."""
    effect = nested.effect
    plan = effect.plan if isinstance(effect, MapRunRequested) else None
    place = (*run.key, child.position, child.index)
    redrive = child.redrives - redrive_of(effect.ref) if plan is None else 0
    lane.asks.append(NestedRunRequested(*place, lane.number, effect.ref, plan, redrive))


def _cancel(lane: "Lane", run: LaneRun, child: Child, ref: str) -> None:
    match child.waits.pop(ref, None):
        case TaskRequested():
            lane.stops.append(TaskStop(run.key, child.position, ref))
        case int():
            lane.timers.cancel((run.key, child.position, ref))
        case Nested() as waited if waited.begun:
            lane.asks.append(NestedRunDropped(*run.key, child.position, child.index, ref))
        case _:
            pass  # nothing was begun for it


def timer_due(lane: "Lane", timer: TimerKey, now: int, at: float) -> None:
    """A timer's time has passed; it counts if the child still waits for it."""
    run_key, position, ref = timer
    run = lane.run_of(*run_key)
    child = run.running.get(position) if run is not None else None
    if run is not None and child is not None and isinstance(child.waits.get(ref), int):
        told(lane, run, child, TimerFired(ref), now, at)


def told(lane: "Lane", run: LaneRun, child: Child, happening: Any, now: int, at: float) -> None:
    """The world answered a child. A STANDARD child hears it once the journal holds it (write, read back, then act)."""
    if happening.ref not in child.waits or happening.ref in child.told:
        return
    if len(getattr(happening, "output", b"")) > lane.limits.outcome_bytes_max or hasattr(happening, "cause"):
        happening = bounded(happening, _state_of(child.waits[happening.ref]), lane.limits.outcome_bytes_max)
    if run.express:
        advance(lane, run, child, happening, now, at)
        return
    child.told.add(happening.ref)
    _journal(lane, run, child, happening, now, at)


def _state_of(waited: TaskRequested | int | Nested) -> str:
    return waited.state if isinstance(waited, TaskRequested) else ""


def _journal(lane: "Lane", run: LaneRun, child: Child, happening: Happening | None, now: int, at: float) -> None:
    child.told_ms = max(now, child.told_ms)
    fact = ChildAdvanced(run.opened.run, run.opened.generation, child.position, child.told_ms, happening)
    lane.advance_soon(fact, at, urgent=happening is not None)


def _waited_for(child: Child, happening: Any) -> bool:
    """True if the child waits for this; only that a Map Run of its own began or goes on doesn't end its wait."""
    waited = child.waits.get(happening.ref)
    if isinstance(happening, MapRunStarted | MapRunRedriven):
        if not isinstance(waited, Nested) or waited.begun:
            return False
        waited.begun = True
        return True
    return child.waits.pop(happening.ref, None) is not None


def advance(lane: "Lane", run: LaneRun, child: Child, happening: Any, now: int, at: float) -> None:
    """Tells a child what happened: at once, or once its turn comes."""
    if not child.queued and not lane.pace.spent():
        _hear(lane, run, child, happening, now, at)
        return
    child.inbox.append((happening, now))
    _queue(lane, run, child)


def _hear(lane: "Lane", run: LaneRun, child: Child, happening: Any, now: int, at: float) -> None:
    """A child hears what happened, unless it no longer waits for it."""
    if not isinstance(happening, StopAsked):
        if not _waited_for(child, happening):
            return
        child.told.discard(happening.ref)
        lane.take_room(child, len(getattr(happening, "output", b"")))
        nested = child.waits.get(happening.ref)
        if isinstance(nested, Nested):
            _ask_home(lane, run, child, nested)
    now = max(now, child.told_ms)
    step = run.machine.advance(child.execution, happening, now, lane.pace.spent)
    _stepped(lane, run, child, step, now, at)


def stop_running(lane: "Lane", run: LaneRun, child: Child, stop: StopAsked, now: int, at: float) -> None:
    """Ends a running child as ABORTED: at once, or right behind the step it is in.

    However little time is left: what the child asked for in this turn must not be started any more.
    """
    child.inbox.appendleft((stop, now))
    if not child.queued:
        go_on(lane, run, child, now, at)
