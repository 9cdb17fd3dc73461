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
    """The execution reached its number of history events."""


Work = Callable[["Run", Frame, State], None]


class Run:
    """The working object of one step."""

    __slots__ = ("effects", "ended", "events", "execution", "limits", "now_ms", "ready", "work")

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

    def emit(self, kind: int, previous_id: int, details: tuple[Any, ...] = ()) -> int:
        """Adds an event; gives its id."""
        execution = self.execution
        event_id = execution.events + 1
        if event_id >= self.limits.events_max:
            raise HistoryFullError
        execution.events = event_id
        self.events.append(HistoryEvent(kind, previous_id, self.now_ms, details))
        return event_id

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
            raise StatesError(
                "States.DataLimitExceeded",
                f"The state/task '{name}' returned a result with a size exceeding the maximum number of bytes service "
                "limit.",
                shown_raw=True,
            )


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
    details: tuple[Any, ...]
    if assigned:
        details = (state.name, output, _shown_variables(run, state, assigned))
        frame.variables = {**frame.variables, **assigned}
    else:
        details = (state.name, output)
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


def _shown_variables(run: Run, state: State, assigned: dict[str, Any]) -> dict[str, str]:
    """Assigned variables as JSON texts. Raises StatesError when together they exceed what one Assign may hold."""
    texts = {name: jsontext.encode(value) for name, value in assigned.items()}
    if sum(map(len, texts.values())) > run.limits.variables_bytes_max:
        raise StatesError(
            "States.DataLimitExceeded",
            f"The state '{state.name}' assigns variables with a size exceeding the maximum number of bytes service "
            "limit.",
            shown_raw=True,
        )
    return {name: text.decode() for name, text in texts.items()}


def run_ready(run: Run) -> None:
    """Takes every ready frame on until it waits or ends."""
    ready = run.ready
    while ready and run.ended is None:
        frame = ready.popleft()
        while not frame.dead and frame.wait is None and run.ended is None:
            enter(run, frame)
            state = frame.machine.states[frame.state]
            perform(run, frame, state)


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
