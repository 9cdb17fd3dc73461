"""One step at work: the events and effects it gathers, and the loop that takes frames from state to state."""

from collections import deque
from collections.abc import Callable
from typing import Any

from maprun.interpreter.context import make_context
from maprun.interpreter.execution import UNSET, Beginning, ChildrenWait, Execution, Frame, Limits, MapRunWait, TaskWait
from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.model import State
from maprun.language.scope import Scope
from schemas.effects import Effect, EffectCancelled, TimerRequested
from schemas.history import EventType, HistoryEvent
from schemas.wire import Part


class Ended(Part, frozen=True):
    """How an execution ended. `output` is the JSON text when it succeeded, else empty."""

    status: str
    output: bytes = b""
    error: str | None = None
    cause: str | None = None


class HistoryFullError(Exception):
    """The execution reached its number of history events, or their bytes; it fails with `error` and `cause`."""

    def __init__(self, error: str, cause: str) -> None:
        super().__init__(cause)
        self.error = error
        self.cause = cause


Work = Callable[["Run", Frame, State], None]
Spent = Callable[[], bool]
"""Asked after each state: True when the step should pause, so that its host can do something else for a moment."""
EVENT_BYTES, _HEADER_BYTES = 48, 5
"""What an event takes beside its details (type, ids, times, headers), and what a text takes beside its characters."""
WEIGHED_EVENTS = 64
"""An execution's bytes are compared with their limit every so many events: one by one they would cost more."""


def never_spent() -> bool:
    """For a host that has nothing else to do."""
    return False


class Run:
    """The working object of one step. `begins` says that it is an execution's first."""

    __slots__ = ("begins", "effects", "ended", "events", "execution", "limits", "now_ms", "ready", "weighed", "work")

    def __init__(self, execution: Execution, now_ms: int, limits: Limits, work: "dict[str, Work]") -> None:
        """`work` leads from the type of a state to the function that does its work."""
        self.work = work
        self.execution = execution
        self.now_ms = now_ms
        self.limits = limits
        self.events: list[HistoryEvent] = []
        self.effects: list[Effect] = []
        self.ready: deque[Frame] = deque()
        self.ended: Ended | None = None
        self.begins = False
        self.weighed = 0  # events of this step that the execution has weighed, or keeps for it

    def emit(self, kind: int, previous_id: int, details: tuple[Any, ...] = ()) -> int:
        """Adds an event; gives its id."""
        execution = self.execution
        event_id = execution.events + 1
        limit = self.limits.events_max
        if event_id >= limit:
            cause = f"The execution reached the maximum number of history events ({limit})."
            raise HistoryFullError("States.Runtime", cause)
        execution.events = event_id
        self.events.append(HistoryEvent(kind, previous_id, self.now_ms, details))
        if not event_id % WEIGHED_EVENTS:
            self.weigh()
            if execution.bytes > self.limits.history_bytes_max:
                cause = (
                    f"The execution history has a size of {execution.bytes} bytes, exceeding the maximum of "
                    f"{self.limits.history_bytes_max} bytes."
                )
                raise HistoryFullError("States.DataLimitExceeded", cause)
        return event_id

    def weigh(self) -> None:
        """Adds the bytes of the newest events to the execution's."""
        self.keep_unweighed()
        weigh(self.execution)

    def keep_unweighed(self) -> None:
        """Leaves the step's newest events with the execution, to be weighed when so many have gathered."""
        self.execution.unweighed += self.events[self.weighed :]
        self.weighed = len(self.events)

    def wait_for(self, frame: Frame | None, ref: str, effect: Effect) -> None:
        """Asks for an effect and remembers who waits for it."""
        self.execution.waits[ref] = frame
        self.effects.append(effect)

    def ask_timer(self, frame: Frame | None, ref: str, due_ms: int) -> None:
        """Asks for a timer."""
        self.wait_for(frame, ref, TimerRequested(ref, due_ms))

    def cancel(self, ref: str) -> None:
        """Gives up an effect, if it is outstanding."""
        if ref and self.execution.waits.pop(ref, UNSET) is not UNSET:
            self.effects.append(EffectCancelled(ref))

    def end(self, ended: Ended, kind: int, previous_id: int, details: tuple[Any, ...]) -> None:
        """Ends the execution; this event comes even when the history is full."""
        execution = self.execution
        execution.events += 1
        self.events.append(HistoryEvent(kind, previous_id, self.now_ms, details))
        self.ended = ended
        for ref in sorted(execution.waits):  # the same order for one that was restored on the way
            self.cancel(ref)

    def fail(self, error: str | None, cause: str | None, previous_id: int) -> None:
        """Ends the execution as FAILED."""
        details = (error, cause) if error is not None or cause is not None else ()
        self.end(Ended("FAILED", b"", error, cause), EventType.EXECUTION_FAILED, previous_id, details)

    def scope(self, frame: Frame, phase: str = "") -> Scope:
        """What expressions of the frame's present state may see.

        `phase` tells the evaluations of one visit apart, so that the chance drawn in one is not that of another.
        """
        return scope_of(self.execution, frame, phase, self.now_ms)

    def check_size(self, text: bytes, name: str) -> None:
        """Raises StatesError when a payload is larger than AWS lets it be."""
        if len(text) > self.limits.payload_bytes_max:
            raise too_large(f"The state/task '{name}' returned a result")


def scope_of(execution: Execution, frame: Frame, phase: str, now_ms: int, beginning: Beginning | None = None) -> Scope:
    """The scope of the frame's present state in one phase of its work; as it was at `beginning` if given."""

    def seed() -> str:
        head = execution.head
        if beginning is None:
            redrive_count, ref = head.redrive_count, frame.effect_ref()
        else:
            redrive_count, ref = beginning.redrive_count, beginning.ref
        return f"{head.arn}\n{redrive_count}\n{ref}\n{phase}"

    return Scope(lambda: make_context(execution, frame, beginning), frame.variables, seed, now_ms)


def enter(run: Run, frame: Frame) -> None:
    """Begins the frame's present state: its Entered event, and fresh counts."""
    state = frame.machine.states[frame.state]
    frame.entered_ms = run.now_ms
    frame.visit = 0
    frame.retry_count = 0
    frame.attempts = None
    frame.before_id = frame.last_id
    frame.entered_id = frame.last_id = run.emit(state.entered_type, frame.last_id, (state.name, frame.input))


def leave(
    run: Run,
    frame: Frame,
    state: State,
    output: bytes,
    value: Any,
    assigned: dict[str, Any] | None = None,
    next_state: str | None = None,
) -> None:
    """Ends the present state with an output and goes to the next one, or ends the frame.

    `value` is the output decoded, or UNSET. The caller's loop goes on while `frame.wait` is None and the frame is not
    dead.
    """
    if len(output) > run.limits.payload_bytes_max:
        run.check_size(output, state.name)
    details: tuple[Any, ...] = (state.name, output)
    if assigned:
        details = (*details, _assign(run, frame, state, assigned))
    frame.last_id = run.emit(state.exited_type, frame.last_id, details)
    frame.wait = None
    following = next_state or state.next
    if following is not None:
        frame.state = following
        frame.input = output
        frame.value = value
        return
    frame.dead = True
    if frame.parent is None:
        run.end(Ended("SUCCEEDED", output), EventType.EXECUTION_SUCCEEDED, frame.last_id, (output,))
    else:
        from maprun.interpreter.children import child_done

        child_done(run, frame, output)


def weigh(execution: Execution) -> None:
    """Adds the bytes of an execution's newest events to those it counts."""
    execution.bytes += sum(event_bytes(event.details) for event in execution.unweighed)
    execution.unweighed = []


def event_bytes(details: tuple[Any, ...]) -> int:
    """Bytes of an event with these details, about: never less than it takes once it is encoded."""
    size = EVENT_BYTES
    for part in details:
        if isinstance(part, bytes):
            size += len(part)
        elif isinstance(part, str):
            size += _text_bytes(part)
        elif isinstance(part, dict):
            size += sum(_text_bytes(name) + _text_bytes(text) for name, text in part.items())
    return size


def _text_bytes(text: str) -> int:
    return _HEADER_BYTES + (len(text) if text.isascii() else len(text.encode()))


def _assign(run: Run, frame: Frame, state: State, assigned: dict[str, Any]) -> dict[str, str]:
    """Sets variables; they as JSON texts. Raises StatesError past what an Assign, or an execution, may hold."""
    texts = {name: jsontext.encode(value) for name, value in assigned.items()}
    if sum(map(len, texts.values())) > run.limits.variables_bytes_max:
        raise too_large(f"The state '{state.name}' assigns variables")
    before = frame.sizes
    frame.sizes = {**(before or {}), **{name: len(text) for name, text in texts.items()}}
    if run.execution.variables_bytes() > run.limits.execution_variables_bytes_max:
        frame.sizes = before
        raise too_large(f"With what the state '{state.name}' assigns the execution has variables")
    frame.variables = {**frame.variables, **assigned}
    return {name: text.decode() for name, text in texts.items()}


def too_large(what: str) -> StatesError:
    """The error of what exceeds one of AWS's limits of bytes."""
    cause = f"{what} with a size exceeding the maximum number of bytes service limit."
    return StatesError("States.DataLimitExceeded", cause, shown_raw=True)


def run_ready(run: Run, spent: Spent) -> None:
    """Takes every ready frame on until it waits or ends; stops between two states once `spent`. Where changes nothing.

    Frames that are still `ready` then are taken on by the next call.
    """
    ready = run.ready
    while ready and run.ended is None:
        frame = ready[0]
        states = frame.machine.states
        while frame.wait is None and not frame.dead and run.ended is None:
            enter(run, frame)
            perform(run, frame, states[frame.state])
            if spent():
                return
        ready.popleft()


def perform(run: Run, frame: Frame, state: State) -> None:
    """Does (or does again) the present state's work; what it raises goes to Retry and Catch."""
    try:
        run.work[state.kind](run, frame, state)
    except StatesError as error:
        from maprun.interpreter.failure import state_failed

        state_failed(run, frame, state, error)


def abort(run: Run, frame: Frame, previous_id: int) -> None:
    """Ends a frame because a sibling failed: cancels what it waits for and tells so, innermost first."""
    frame.dead = True
    wait = frame.wait
    if wait is None:
        frame.entered_id = 0  # it was about to enter its state: so will a redrive
        return
    state = frame.machine.states[frame.state]
    if isinstance(wait, ChildrenWait):
        abort_children(run, state, wait, previous_id)
    else:
        run.cancel(wait.ref)
        if isinstance(wait, TaskWait):
            run.cancel(wait.timer)
        elif isinstance(wait, MapRunWait) and wait.started_id:
            run.emit(EventType.MAP_RUN_ABORTED, wait.started_id)
    kind = _ABORTED.get(state.kind)
    if kind is not None:
        run.emit(kind, previous_id)


def abort_children(run: Run, state: State, wait: ChildrenWait, previous_id: int) -> None:
    """Ends all branches or iterations that still run: not the one that failed, which is dead already."""
    for index, child in sorted(wait.live.items()):
        if child.dead:
            continue
        abort(run, child, previous_id)
        if state.kind == "Map":
            run.emit(EventType.MAP_ITERATION_ABORTED, previous_id, (state.name, index))


_ABORTED = {
    "Task": EventType.TASK_STATE_ABORTED,
    "Wait": EventType.WAIT_STATE_ABORTED,
    "Parallel": EventType.PARALLEL_STATE_ABORTED,
    "Map": EventType.MAP_STATE_ABORTED,
}
