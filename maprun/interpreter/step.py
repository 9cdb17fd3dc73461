"""begin and advance: one happening in, one step out."""

import hashlib

from maprun.interpreter import map_run, task_state, wait_state
from maprun.interpreter.drive import perform, run_ready, settle
from maprun.interpreter.execution import (
    NO_SECRET,
    UNSET,
    DelayWait,
    Execution,
    ExecutionHead,
    Frame,
    Limits,
    MapRunWait,
    RetryWait,
    TaskWait,
    ref_prefix,
    timeout_ref,
)
from maprun.interpreter.failure import state_failed
from maprun.interpreter.kinds import KINDS
from maprun.interpreter.step_builder import Ended, HistoryFullError, Spent, StepBuilder, never_spent
from maprun.interpreter.store import bind
from maprun.language.errors import StatesError
from maprun.language.model import Machine
from schemas.effects import (
    ActivityTaskStarted,
    Effect,
    Happening,
    HeartbeatReceived,
    MapRunFailed,
    MapRunRedriven,
    MapRunStarted,
    MapRunSucceeded,
    StopAsked,
    SubmissionFailed,
    TaskFailed,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
)
from schemas.history import EventType, HistoryEvent
from schemas.tokens import TokenSecret

DEFAULT_LIMITS = Limits()


class Step:
    """What one step brought. `execution` is None once it ended; `events` are the new ones only.

    A step that its host cut short has `more` to do: `go_on` takes it further. What it brought stands fast only then,
    and wherever it was cut it is the same to the byte. The execution takes no other happening meanwhile.

    `remains` is what a redrive goes on from: None unless the execution ended and can be redriven, which a STANDARD one
    can that did not succeed and has room for more events (facts, section 2.8).
    """

    __slots__ = ("effects", "ended", "events", "execution", "remains", "unfinished")

    def __init__(
        self,
        execution: Execution | None,
        effects: list[Effect],
        events: list[HistoryEvent],
        ended: Ended | None,
        unfinished: StepBuilder | None = None,
    ) -> None:
        self.execution = execution
        self.effects = effects
        self.events = events
        self.ended = ended
        self.remains: Execution | None = None
        self.unfinished = unfinished

    @property
    def more(self) -> bool:
        """True while the step isn't through."""
        return self.unfinished is not None

    def take_events(self) -> list[HistoryEvent]:
        """The events so far of a step that has more to do: its host keeps them, and the step goes on without."""
        if self.unfinished is not None:
            self.unfinished.keep_unweighed()
            self.unfinished.weighed = 0
        events = self.events[:]
        self.events.clear()
        return events

    def before(self, past: list[HistoryEvent]) -> None:
        """Puts events that came earlier in front of the step's own."""
        self.events[:0] = past
        if self.unfinished is not None:
            self.unfinished.weighed += len(past)


def begin(
    machine: Machine,
    head: ExecutionHead,
    now_ms: int,
    limits: Limits = DEFAULT_LIMITS,
    spent: Spent = never_spent,
    secret: TokenSecret = NO_SECRET,
) -> Step:
    """Starts an execution and takes it as far as it goes without the world, or until `spent`.

    With a `redrive_count` it is one that starts anew in a redrive.
    """
    frame = Frame(machine, None, 0, ref_prefix(head.redrive_count))
    frame.input = head.input
    execution = Execution(head, frame, secret)
    builder = StepBuilder(execution, now_ms, limits, KINDS)
    qualifiers = (head.alias_arn or None, head.version_arn) if head.version_arn else ()
    builder.emit(EventType.EXECUTION_STARTED, 0, (head.input, head.role_arn, *qualifiers))
    given = machine.timeout_seconds
    if given is not None:
        seconds = min(given, limits.express_seconds_max) if head.express else given
        builder.ask_timer(None, timeout_ref(head), now_ms + seconds * 1000)
    builder.ready.append(frame)
    builder.begins = True
    return finish(builder, spent)


def advance(
    machine: Machine,
    execution: Execution,
    happening: Happening,
    now_ms: int,
    limits: Limits = DEFAULT_LIMITS,
    spent: Spent = never_spent,
) -> Step:
    """Takes up a happening. What the execution does not wait for (late, repeated) changes nothing.

    `execution` is used up: go on with the step's.
    """
    if execution.unbound is not None:
        bind(execution, machine)
    builder = StepBuilder(execution, now_ms, limits, KINDS)
    if isinstance(happening, StopAsked):
        error, cause = happening.error or None, happening.cause or None
        details = (error, cause) if error or cause else ()
        builder.end(Ended("ABORTED", b"", error, cause), EventType.EXECUTION_ABORTED, 0, details)
        return finish(builder, spent)
    frame = execution.waits.get(happening.ref, UNSET)
    if frame is UNSET:
        return Step(execution, [], [], None)
    if frame is None:
        if isinstance(happening, TimerFired):
            execution.waits.pop(happening.ref)
            _timed_out(builder)
        return finish(builder, spent)
    try:
        take_happening(builder, frame, happening)
        settle(builder)
    except HistoryFullError as full:
        history_full(builder, full)
    if frame.wait is None and not frame.dead:
        builder.ready.append(frame)
    return finish(builder, spent)


def take_happening(builder: StepBuilder, frame: Frame, happening: Happening) -> None:
    """What happened, to the state that waits for it; what it raises goes to Retry and Catch."""
    state = frame.machine.states[frame.state]
    try:
        match happening, frame.wait:
            case TaskSucceeded(), TaskWait() as wait if happening.ref == wait.ref:
                task_state.task_succeeded(builder, frame, state, wait, happening)
            case TaskFailed(), TaskWait() as wait if happening.ref == wait.ref:
                task_state.task_failed(builder, frame, state, wait, happening)
            case TimerFired(), TaskWait() as wait if happening.ref in (wait.timer, wait.heartbeat):
                task_state.task_timed_out(builder, frame, state, wait, happening)
            case TaskSubmitted(), TaskWait() as wait if happening.ref == wait.ref:
                task_state.task_submitted(builder, frame, state, wait, happening)
            case SubmissionFailed(), TaskWait() as wait if happening.ref == wait.ref:
                task_state.submission_failed(builder, frame, state, wait, happening)
            case HeartbeatReceived(), TaskWait() as wait if happening.ref == wait.ref:
                task_state.heartbeat_received(builder, frame, wait)
            case ActivityTaskStarted(), TaskWait() as wait if happening.ref == wait.ref:
                task_state.activity_started(builder, frame, state, wait, happening)
            case TimerFired(), DelayWait() as wait:
                builder.execution.waits.pop(wait.ref)
                wait_state.wait_over(builder, frame, state)
            case TimerFired(), RetryWait() as wait:
                builder.execution.waits.pop(wait.ref)
                frame.wait = None
                perform(builder, frame, state)
            case MapRunStarted(), MapRunWait() as wait:
                map_run.started(builder, frame, wait, happening)
            case MapRunRedriven(), MapRunWait() as wait:
                map_run.redriven(builder, frame, wait, happening)
            case MapRunSucceeded(), MapRunWait() as wait:
                map_run.succeeded(builder, frame, state, wait, happening)
            case MapRunFailed(), MapRunWait() as wait:
                map_run.failed(builder, frame, state, wait, happening)
            case _:
                pass  # a kind of news that this wait can't have: as good as a stranger's
    except StatesError as error:
        state_failed(builder, frame, state, error)


def finish(builder: StepBuilder, spent: Spent) -> Step:
    """The step of a builder that has taken its happening up."""
    step = Step(builder.execution, builder.effects, builder.events, None, builder)
    go_on(step, spent)
    return step


def go_on(step: Step, spent: Spent = never_spent) -> None:
    """Takes every ready frame of a step as far as it goes, or until `spent`."""
    builder = step.unfinished
    assert builder is not None
    execution = builder.execution
    if builder.ended is None:
        try:
            run_ready(builder, spent)
        except HistoryFullError as full:
            history_full(builder, full)
    ended = builder.ended
    if ended is None and builder.ready:
        return
    step.unfinished = None
    if ended is None:
        builder.keep_unweighed()
        if builder.begins and execution.head.express and timeout_ref(execution.head) not in execution.waits:
            # most children end at once and need no timer
            builder.ask_timer(
                None, timeout_ref(execution.head), builder.now_ms + builder.limits.express_seconds_max * 1000
            )
        return
    step.execution, step.ended = None, ended
    if ended.status != "SUCCEEDED" and not execution.head.express and _has_room(builder):
        step.remains = execution


def _has_room(builder: StepBuilder) -> bool:
    """True if the history can hold what a redrive adds."""
    execution, limits = builder.execution, builder.limits
    builder.weigh()
    return execution.events_count < limits.events_max - 1 and execution.events_bytes <= limits.history_bytes_max


def history_full(builder: StepBuilder, full: HistoryFullError) -> None:
    """Ends an execution whose history has no room."""
    builder.fail(full.error, full.cause, _root_last_id(builder))


def _timed_out(builder: StepBuilder) -> None:
    """The machine's TimeoutSeconds passed. DescribeExecution shows neither error nor cause; the event does."""
    builder.end(Ended("TIMED_OUT"), EventType.EXECUTION_TIMED_OUT, _root_last_id(builder), ("States.Timeout", None))


def _root_last_id(builder: StepBuilder) -> int:
    root = builder.execution.root
    assert root is not None
    return root.last_id


def effect_key(arn: str, redrive_count: int, ref: str) -> str:
    """The idempotency key of an effect, the same whenever it is asked for again: 32 hexadecimal digits."""
    return hashlib.blake2b(f"{arn}\n{redrive_count}\n{ref}".encode(), digest_size=16).hexdigest()
