"""Children of one lane: started, told what happened, answered. Pure."""

import heapq
from typing import TYPE_CHECKING, Any

import msgspec

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
    REJECTED,
    SUCCEEDED,
    TIMED_OUT,
    NestedRunDropped,
    NestedRunRequested,
)
from schemas.lanes import ChildAdvanced, ItemFrame, RedrivenChild
from schemas.wire import Decoder
from services.child_runner.machine import Step
from services.child_runner.state import Child, LaneRun, Nested, TaskStart, TaskStop, Waiting

if TYPE_CHECKING:
    from services.child_runner.lane import Lane

_STATUS = {"SUCCEEDED": SUCCEEDED, "FAILED": FAILED, "TIMED_OUT": TIMED_OUT, "ABORTED": ABORTED}
Asked = TaskRequested | TimerRequested | MapRunRequested | MapRunRedriveRequested
_entries = msgspec.msgpack.Encoder()
_redriven: Decoder[RedrivenChild] = Decoder(RedrivenChild)
VOID_CAUSE = "The items of this Map Run changed, or went away, before they could be read."
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
        child_input, told = raw, read_redriven(raw)
        redrives = told.redrive_count + 1
        if not past and not run.express:
            began = max(began, last_ms(told.history))  # the clock of who wrote it may have been ahead
        step = run.machine.redrive(index, told, began)
    else:
        try:
            child_input = _checked(lane, index, raw if frame is None else built(run, frame, position - waiting.base))
        except StatesError as refused:
            refuse(run, waiting, position, refused, at)
            return
        step = run.machine.begin(index, child_input, began)
    if step.ended is not None:
        _answer(lane, run, (position, index, items, redrives), step, step.events, at)
        return
    kept = b"" if frame is None else child_input  # what is adopted stands in the journal
    child = run.running[position] = Child(position, index, kept, items, waiting.frame)
    child.redriven, child.redrives, child.told_ms = redriven, redrives, began
    lane.take_room(child, CHILD_BYTES + len(child_input))
    if past:
        _resume(lane, run, child, step, past, now, at)
        return
    if not run.express:
        _journal(lane, run, child, None, now, at)
    _take(lane, run, child, step, now, at)


def read_redriven(raw: bytes) -> RedrivenChild:
    """The child that an item of a redriven frame is. Raises msgspec.DecodeError: no reader writes another."""
    return _redriven.decode(raw)


def refuse(run: LaneRun, waiting: Waiting, position: int, refused: StatesError, at: float) -> None:
    """The input can't be built: the run fails for it. The item's key and source go along, for a redrive builds anew."""
    frame = waiting.items
    entry: list[bytes | str | None]
    if frame is None:
        adopted = run.memory.adopted[position]
        entry, items, index = [adopted.input], adopted.items, adopted.index
    else:
        i = position - waiting.base
        items, index = frame.counts[i] if frame.counts else 1, waiting.indexes[i]
        key = frame.keys[i] if frame.keys else None
        entry = [frame.items[i]] if frame.built else [frame.items[i], key, frame.source_of(i)]
    run.outbox.error = (refused.error, refused.cause)
    run.outbox.add(position, REJECTED, items, _entries.encode(entry), at, index)


def _checked(lane: "Lane", index: int, child_input: bytes) -> bytes:
    if len(child_input) > lane.limits.input_bytes_max:
        cause = (
            f"The input of child execution {index} has a size of {len(child_input)} bytes, "
            f"exceeding the maximum of {lane.limits.input_bytes_max} bytes."
        )
        raise StatesError("States.DataLimitExceeded", cause)
    return child_input


def built(run: LaneRun, frame: ItemFrame, i: int) -> bytes:
    """The input of the child at place `i` of a frame. Raises StatesError."""
    raw = frame.items[i]
    if not raw:
        raise StatesError("States.ItemReaderFailed", VOID_CAUSE)
    if frame.built:
        return raw
    key = frame.keys[i] if frame.keys else None
    source = frame.sources[i] if frame.sources else frame.source
    try:
        return run.machine.build(frame.item_first + i, key, raw, source)
    except StatesError:
        raise
    except Exception as bug:  # a bug refuses the item; raised, it would end the lane's owner and every successor's
        raise StatesError("States.Runtime", f"The input cannot be built: {type(bug).__name__}: {bug}") from bug


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


def _resume(
    lane: "Lane", run: LaneRun, child: Child, step: Step, past: list[ChildAdvanced], now: int, at: float
) -> None:
    """Tells a child its recorded past again: the same decisions, the same history. What it waits for then is started.

    The past may hold its end: an earlier owner knew it, but could not bring it home any more.
    """
    _wait_for(child, step)
    for fact in past:
        if fact.happening is None or not _waited_for(child, fact.happening):
            continue
        child.told_ms = fact.at_ms
        step = run.machine.advance(child.execution, fact.happening, fact.at_ms)
        _wait_for(child, step)
        lane.take_room(child, len(getattr(fact.happening, "output", b"")))
        if step.ended is not None:
            _ended(lane, run, child, step, at)
            return
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


def _wait_for(child: Child, step: Step) -> None:
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
                child.waits.pop(effect.ref, None)


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
            heapq.heappush(lane.timers, (effect.due_ms, run.key, child.position, effect.ref))
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
    waited = child.waits.pop(ref, None)
    if isinstance(waited, TaskRequested):
        lane.stops.append(TaskStop(run.key, child.position, ref))
    elif isinstance(waited, Nested) and waited.begun:
        lane.asks.append(NestedRunDropped(*run.key, child.position, child.index, ref))


def timer_due(lane: "Lane", timer: tuple[int, tuple[str, int], int, str], now: int, at: float) -> None:
    """A timer's time has passed; it counts if the child still waits for it."""
    due_ms, run_key, position, ref = timer
    run = lane.run_of(*run_key)
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
    """Tells a child what happened, unless it no longer waits for it."""
    if not _waited_for(child, happening):
        return
    child.told.discard(happening.ref)
    now = max(now, child.told_ms)
    lane.take_room(child, len(getattr(happening, "output", b"")))
    nested = child.waits.get(happening.ref)
    if isinstance(nested, Nested):
        _ask_home(lane, run, child, nested)
    _take(lane, run, child, run.machine.advance(child.execution, happening, now), now, at)


def stop_running(lane: "Lane", run: LaneRun, child: Child, stop: StopAsked, now: int, at: float) -> None:
    """Ends a running child as ABORTED."""
    now = max(now, child.told_ms)
    _take(lane, run, child, run.machine.advance(child.execution, stop, now), now, at)
