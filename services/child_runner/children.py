"""Children of one lane: started, told what happened, stopped, answered. Pure."""

import heapq
from typing import TYPE_CHECKING, Any

import msgspec

from maprun.language.errors import StatesError
from schemas.effects import (
    EffectCancelled,
    Happening,
    MapRunFailed,
    MapRunRequested,
    StopAsked,
    TaskRequested,
    TimerFired,
    TimerRequested,
)
from schemas.history import EventType, HistoryEvent
from schemas.home import ABORTED, FAILED, REJECTED, RETURNED, SUCCEEDED, TIMED_OUT
from schemas.lanes import ChildAdopted, ChildAdvanced, ChildStopRequested, ItemFrame
from services.child_runner.state import Child, Frame, LaneRun, Step, TaskStart, TaskStop, Waiting

if TYPE_CHECKING:
    from services.child_runner.lane import Lane

_STATUS = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": TIMED_OUT, "ABORTED": ABORTED}
_NEVER_STARTED = msgspec.msgpack.Encoder()
VOID_CAUSE = "The items of this Map Run changed, or went away, before they could be read."
NESTED_CAUSE = "A distributed Map inside a child execution is not supported yet."


def start_some(lane: "Lane", run: LaneRun, budget: int, now: int, at: float) -> bool:
    """Starts waiting children while the lane's quota of the run has room. True if more could start at once."""
    if run.closing:
        _close_queued(lane, run, now, at)
        return False
    queue, running = run.queue, run.running
    while queue and budget > 0 and len(running) < run.quota:
        waiting = queue[0]
        if waiting.position >= waiting.end:
            queue.popleft()
            continue
        position = waiting.position
        waiting.position += 1
        budget -= 1
        _start(lane, run, waiting, position, now, at)
    return bool(queue) and budget <= 0 and len(running) < run.quota


def _start(lane: "Lane", run: LaneRun, waiting: Waiting, position: int, now: int, at: float) -> None:
    try:
        child_input, items = _input(lane, run, waiting, position)
    except StatesError as refused:
        run.outbox.error = (refused.error, refused.cause)
        raw = waiting.items.items[position - waiting.base]
        run.outbox.add(position, REJECTED, _items(waiting, position), _NEVER_STARTED.encode([raw]), at)
        return
    past = run.past.pop(position, None) if run.past else None
    step = run.machine.begin(position, child_input, past[0].at_ms if past else now)
    if step.ended is not None:
        _answer(lane, run, position, items, step.ended.status, step.events, at)
        return
    child = run.running[position] = Child(position, child_input, items, waiting.frame)
    child.told_ms = past[0].at_ms if past else now
    if past:
        _resume(lane, run, child, step, past, at)
        return
    if not run.express:
        _journal(lane, run, child, None, now, at)
    _take(lane, run, child, step, now, at)


def _answer(lane: "Lane", run: LaneRun, position: int, items: int, status: str, events: list[Any], at: float) -> None:
    """The child's end and history, for home. A history that fits no record is cut to how it began and why it failed."""
    entry = run.machine.pack(events)
    bytes_max = lane.limits.history_bytes_max
    if len(entry) > bytes_max:
        cause = f"The execution history has a size of {len(entry)} bytes, exceeding the maximum of {bytes_max} bytes."
        status = "FAILED"
        failed = HistoryEvent(EventType.EXECUTION_FAILED, 0, events[-1].at_ms, ("States.DataLimitExceeded", cause))
        entry = run.machine.pack([events[0], failed])
    run.outbox.add(position, _STATUS[status], items, entry, at)


def _input(lane: "Lane", run: LaneRun, waiting: Waiting, position: int) -> tuple[bytes, int]:
    frame, i = waiting.items, position - waiting.base
    raw = frame.items[i]
    run.bytes_queued -= len(raw)
    if not raw:
        raise StatesError("States.ItemReaderFailed", VOID_CAUSE)
    child_input, items = _built(run, frame, i), _items(waiting, position)
    if len(child_input) > lane.limits.input_bytes_max:
        cause = (
            f"The input of child execution {position} has a size of {len(child_input)} bytes, "
            f"exceeding the maximum of {lane.limits.input_bytes_max} bytes."
        )
        raise StatesError("States.DataLimitExceeded", cause)
    return child_input, items


def _built(run: LaneRun, frame: ItemFrame, i: int) -> bytes:
    """The input of the child at place `i` of a frame. Raises StatesError."""
    raw = frame.items[i]
    if frame.built or not raw:
        return raw
    try:
        return run.machine.build(frame.item_first + i, frame.keys[i] if frame.keys else None, raw, frame.source_of(i))
    except StatesError:
        raise
    except Exception as bug:  # a bug refuses the item; raised, it would end the lane's owner and every successor's
        raise StatesError("States.Runtime", f"The input cannot be built: {type(bug).__name__}: {bug}") from bug


def _items(waiting: Waiting, position: int) -> int:
    counts = waiting.items.counts
    return counts[position - waiting.base] if counts else 1


def _resume(lane: "Lane", run: LaneRun, child: Child, step: Step, past: list[ChildAdvanced], at: float) -> None:
    """Tells a child its recorded past again: the same decisions, the same history. What it waits for then is started.

    The past may hold its end: an earlier owner knew it, but could not bring it home any more.
    """
    _wait_for(child, step)
    for fact in past:
        if fact.happening is None or child.waits.pop(getattr(fact.happening, "ref", ""), None) is None:
            continue
        child.told_ms = fact.at_ms
        step = run.machine.advance(child.execution, fact.happening, fact.at_ms)
        _wait_for(child, step)
        if step.ended is not None:
            del run.running[child.position]
            _answer(lane, run, child.position, child.items, step.ended.status, child.events, at)
            return
    waits, child.waits = child.waits, {}
    for ref, waited in waits.items():
        _ask(lane, run, child, waited if isinstance(waited, TaskRequested) else TimerRequested(ref, waited))


def _wait_for(child: Child, step: Step) -> None:
    child.execution = step.execution
    child.events += step.events
    for effect in step.effects:
        match effect:
            case TaskRequested():
                child.waits[effect.ref] = effect
            case TimerRequested():
                child.waits[effect.ref] = effect.due_ms
            case EffectCancelled():
                child.waits.pop(effect.ref, None)
            case MapRunRequested():
                pass


def _take(lane: "Lane", run: LaneRun, child: Child, step: Step, now: int, at: float) -> None:
    """Takes over what a step of a live child brought."""
    child.execution = step.execution
    child.events += step.events
    for effect in step.effects:
        if isinstance(effect, EffectCancelled):
            _cancel(lane, run, child, effect.ref)
        elif not isinstance(effect, MapRunRequested):
            _ask(lane, run, child, effect)
    if step.ended is not None:
        for ref in list(child.waits):
            _cancel(lane, run, child, ref)
        del run.running[child.position]
        _answer(lane, run, child.position, child.items, step.ended.status, child.events, at)
        return
    for effect in step.effects:
        if isinstance(effect, MapRunRequested) and child.position in run.running:
            refused = MapRunFailed(effect.ref, "States.Runtime", NESTED_CAUSE)
            _take(lane, run, child, run.machine.advance(child.execution, refused, now), now, at)


def _ask(lane: "Lane", run: LaneRun, child: Child, effect: TaskRequested | TimerRequested) -> None:
    run_id = run.opened.run
    match effect:
        case TaskRequested():
            child.waits[effect.ref] = effect
            key = run.machine.effect_key(child.position, effect.ref)
            lane.starts.append(TaskStart(run_id, child.position, effect, key))
        case TimerRequested():
            child.waits[effect.ref] = effect.due_ms
            heapq.heappush(lane.timers, (effect.due_ms, run_id, child.position, effect.ref))


def _cancel(lane: "Lane", run: LaneRun, child: Child, ref: str) -> None:
    if isinstance(child.waits.pop(ref, None), TaskRequested):
        lane.stops.append(TaskStop(run.opened.run, child.position, ref))


def timer_due(lane: "Lane", timer: tuple[int, str, int, str], now: int, at: float) -> None:
    """A timer's time has passed; it counts if the child still waits for it."""
    due_ms, run_id, position, ref = timer
    run = lane.runs.get(run_id)
    child = run.running.get(position) if run is not None else None
    if run is not None and child is not None and child.waits.get(ref) == due_ms:
        told(lane, run, child, TimerFired(ref), now, at)


def told(lane: "Lane", run: LaneRun, child: Child, happening: Any, now: int, at: float) -> None:
    """The world answered a child. A STANDARD child hears it once the journal holds it (write, read back, then act)."""
    if happening.ref not in child.waits or happening.ref in child.told:
        return
    if run.express or not lane.switches.write_ahead:
        advance(lane, run, child, happening, now, at)
        return
    child.told.add(happening.ref)
    _journal(lane, run, child, happening, now, at)


def _journal(lane: "Lane", run: LaneRun, child: Child, happening: Happening | None, now: int, at: float) -> None:
    child.told_ms = max(now, child.told_ms)
    fact = ChildAdvanced(run.opened.run, run.opened.generation, child.position, child.told_ms, happening)
    lane.advance_soon(fact, at, urgent=happening is not None)


def advance(lane: "Lane", run: LaneRun, child: Child, happening: Any, now: int, at: float) -> None:
    """Tells a child what happened, unless it no longer waits for it."""
    if child.waits.pop(happening.ref, None) is None:
        return
    child.told.discard(happening.ref)
    now = max(now, child.told_ms)
    _take(lane, run, child, run.machine.advance(child.execution, happening, now), now, at)


def stop_child(lane: "Lane", run: LaneRun, stop: ChildStopRequested, now: int, at: float) -> None:
    """StopExecution of one running STANDARD child."""
    child = run.running.get(stop.position)
    if child is not None and not run.express:
        _stop(lane, run, child, StopAsked(stop.error, stop.cause_text), now, at)


def _stop(lane: "Lane", run: LaneRun, child: Child, stop: StopAsked, now: int, at: float) -> None:
    now = max(now, child.told_ms)
    _take(lane, run, child, run.machine.advance(child.execution, stop, now), now, at)


def close_run(lane: "Lane", run: LaneRun, now: int, at: float) -> None:
    """The run closes: nothing starts any more, STANDARD children are stopped, EXPRESS children run to their end."""
    if run.closing:
        return
    run.closing = True
    _close_queued(lane, run, now, at)
    if not run.express:
        for child in list(run.running.values()):
            _abort(lane, run, child, now, at)


def _abort(lane: "Lane", run: LaneRun, child: Child, now: int, at: float) -> None:
    cause = f"The map run execution [{run.opened.map_run_arn}] which was managing this resource was aborted"
    _stop(lane, run, child, StopAsked("", cause), now, at)


def _close_queued(lane: "Lane", run: LaneRun, now: int, at: float) -> None:
    """Answers what never started as returned, with its input for the PENDING file.

    A child that an earlier owner had started is told its past and stopped, as it would have been there.
    """
    for waiting in run.queue:
        for position in range(waiting.position, waiting.end):
            if position in run.past:
                _start(lane, run, waiting, position, now, at)
                if position in run.running:
                    _abort(lane, run, run.running[position], now, at)
                continue
            frame, i = waiting.items, position - waiting.base
            try:
                raw = _built(run, frame, i)
            except StatesError:
                raw = frame.items[i]  # it can't be built, and it needn't be: nobody runs it
            run.outbox.add(position, RETURNED, _items(waiting, position), _NEVER_STARTED.encode([raw]), at)
    run.queue.clear()
    run.bytes_queued = 0


def adopt(run: LaneRun, frames: set[Frame]) -> list[ChildAdopted]:
    """The unfinished children of these frames, with the inputs they have or will have."""
    run_id, generation = run.opened.run, run.opened.generation
    out = []
    for child in run.running.values():
        if child.frame in frames:
            child.frame = None
            out.append(ChildAdopted(run_id, generation, child.position, child.input, child.items, child.position))
    for waiting in run.queue:
        if waiting.frame not in frames:
            continue
        waiting.frame = None
        frame = waiting.items
        for position in range(waiting.position, waiting.end):
            try:
                child_input = _built(run, frame, position - waiting.base)
            except StatesError:
                continue  # refused when it is started, from the frame, which therefore isn't passed
            out.append(ChildAdopted(run_id, generation, position, child_input, _items(waiting, position), position))
    return out
