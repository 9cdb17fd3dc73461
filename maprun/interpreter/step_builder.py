"""One step at work: the events and effects it gathers, and how a frame enters a state and leaves it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from maprun.interpreter.execution import UNSET, ChildrenWait, Execution, Frame, Limits
from maprun.interpreter.scopes import scope_of
from maprun.language import jsontext
from maprun.language.errors import StatesError
from maprun.language.model import State
from maprun.language.scope import Scope
from schemas.effects import Effect, EffectCancelled, TimerRequested
from schemas.history import EventType, HistoryEvent
from schemas.quotas import DATA_LIMIT_EXCEEDED, result_too_large, too_large
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


class FrameDone:
    """A branch or iteration ended well."""

    __slots__ = ("frame", "output")

    def __init__(self, frame: Frame, output: bytes) -> None:
        self.frame = frame
        self.output = output


class FrameFailed:
    """A branch or iteration failed."""

    __slots__ = ("cause", "error", "frame")

    def __init__(self, frame: Frame, error: str | None, cause: str | None) -> None:
        self.frame = frame
        self.error = error
        self.cause = cause


@dataclass(frozen=True, slots=True)
class StateKind:
    """What a type of state does: its work, what it hears of its branches or iterations, the events it ends with.

    `go_on` starts what a redriven Parallel or Map has left to start. An event type of 0 means that there is no event.
    """

    perform: "Callable[[StepBuilder, Frame, State], None]"
    child_done: "Callable[[StepBuilder, Frame, State, ChildrenWait, Frame], None] | None" = None
    go_on: "Callable[[StepBuilder, Frame, State, ChildrenWait], None] | None" = None
    failed_type: int = 0
    aborted_type: int = 0
    child_failed_type: int = 0
    child_aborted_type: int = 0


Spent = Callable[[], bool]
"""Asked between states: True when the step should pause, so that its host can do something else for a moment."""
WEIGHED_EVENTS = 64
"""An execution's bytes are compared with their limit every so many events: one by one they would cost more."""


def never_spent() -> bool:
    """For a host that has nothing else to do."""
    return False


class StepBuilder:
    """The working object of one step. `begins` says that it is an execution's first.

    `frame_end` is how a branch or iteration just ended, until the state that holds it has taken it up.
    """

    __slots__ = (
        "begins",
        "effects",
        "ended",
        "events",
        "execution",
        "frame_end",
        "kinds",
        "limits",
        "now_ms",
        "ready",
        "weighed",
    )

    def __init__(self, execution: Execution, now_ms: int, limits: Limits, kinds: Mapping[str, StateKind]) -> None:
        """`kinds` leads from the type of a state to what it does."""
        self.kinds = kinds
        self.execution = execution
        self.now_ms = now_ms
        self.limits = limits
        self.events: list[HistoryEvent] = []
        self.effects: list[Effect] = []
        self.ready: list[Frame] = []
        self.frame_end: FrameDone | FrameFailed | None = None
        self.ended: Ended | None = None
        self.begins = False
        self.weighed = 0  # events of this step that the execution has weighed, or keeps for it

    def emit(self, kind: int, previous_id: int, details: tuple[Any, ...] = ()) -> int:
        """Adds an event; gives its id."""
        execution = self.execution
        event_id = execution.events_count + 1
        if event_id >= self.limits.events_max:
            cause = f"The execution reached the maximum number of history events ({self.limits.events_max})."
            raise HistoryFullError("States.Runtime", cause)
        execution.events_count = event_id
        self.events.append(HistoryEvent(kind, previous_id, self.now_ms, details))
        if not event_id % WEIGHED_EVENTS:
            self._check_bytes()
        return event_id

    def _check_bytes(self) -> None:
        """Weighs what came since the last time. Raises HistoryFullError when all events together are too large."""
        self.weigh()
        size, limit = self.execution.events_bytes, self.limits.history_bytes_max
        if size > limit:
            cause = f"The execution history has a size of {size} bytes, exceeding the maximum of {limit} bytes."
            raise HistoryFullError(DATA_LIMIT_EXCEEDED, cause)

    def weigh(self) -> None:
        """Adds the bytes of the newest events to the execution's."""
        self.keep_unweighed()
        self.execution.weigh()

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

    def attempt_failed(self, error: str | None, cause: str | None) -> None:
        """Hears of each attempt that failed, before Retry and Catch see it: for a host that looks on."""

    def end(self, ended: Ended, kind: int, previous_id: int, details: tuple[Any, ...]) -> None:
        """Ends the execution; this event comes even when the history is full."""
        execution = self.execution
        execution.events_count += 1
        self.events.append(HistoryEvent(kind, previous_id, self.now_ms, details))
        self.ended = ended
        if execution.waits:
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
            raise size_error(result_too_large(name))


def enter(step: StepBuilder, frame: Frame, state: State) -> None:
    """Begins the frame's present state: its Entered event, and fresh counts."""
    frame.entered_ms = step.now_ms
    frame.visit = 0
    frame.retry_count = 0
    frame.attempts = None
    frame.before_id = frame.last_id
    frame.entered_id = frame.last_id = step.emit(state.entered_type, frame.last_id, (state.name, frame.input))


def leave(
    step: StepBuilder,
    frame: Frame,
    state: State,
    output: bytes,
    value: Any,
    assigned: dict[str, Any] | None = None,
    next_state: str | None = None,
) -> None:
    """Ends the present state with an output and goes to the next one, or ends the frame.

    `value` is the output decoded, or UNSET. Nothing may happen in the step between this and the driver's next look at
    `frame_end`: the events of whatever encloses the frame come right after.
    """
    if len(output) > step.limits.payload_bytes_max:
        step.check_size(output, state.name)
    details: tuple[Any, ...] = (state.name, output)
    if assigned:
        details = (*details, _assign(step, frame, state, assigned))
    frame.last_id = step.emit(state.exited_type, frame.last_id, details)
    frame.wait = None
    following = next_state or state.next
    if following is not None:
        frame.state = following
        frame.input = output
        frame.value = value
        return
    frame.dead = True
    if frame.parent is None:
        step.end(Ended("SUCCEEDED", output), EventType.EXECUTION_SUCCEEDED, frame.last_id, (output,))
    else:
        step.frame_end = FrameDone(frame, output)


def fail(step: StepBuilder, frame: Frame, error: str | None, cause: str | None) -> None:
    """Ends the frame: nobody in it stops the error, so its enclosing state fails with it, or the execution.

    The frame stays where it is among its siblings, dead, for a redrive.
    """
    frame.dead = True
    if frame.parent is None:
        step.fail(error, cause, frame.last_id)
    else:
        step.frame_end = FrameFailed(frame, error, cause)


def _assign(step: StepBuilder, frame: Frame, state: State, assigned: dict[str, Any]) -> dict[str, str]:
    """Sets variables; they as JSON texts. Raises StatesError past what an Assign, or an execution, may hold."""
    texts = {name: jsontext.encode(value) for name, value in assigned.items()}
    if sum(map(len, texts.values())) > step.limits.variables_bytes_max:
        raise size_error(too_large(f"The state '{state.name}' assigns variables"))
    before = frame.sizes
    frame.sizes = {**(before or {}), **{name: len(text) for name, text in texts.items()}}
    if step.execution.variables_bytes() > step.limits.execution_variables_bytes_max:
        frame.sizes = before
        raise size_error(too_large(f"With what the state '{state.name}' assigns the execution has variables"))
    frame.variables = {**frame.variables, **assigned}
    return {name: text.decode() for name, text in texts.items()}


def size_error(cause: str) -> StatesError:
    """The error of what exceeds one of AWS's quotas of bytes."""
    return StatesError(DATA_LIMIT_EXCEEDED, cause, shown_raw=True)
