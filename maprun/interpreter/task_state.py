"""Task: asks the host for one attempt, hears how it ended."""

from maprun.integrations.events import with_origin
from maprun.integrations.task_events import ActivityEvents, IntegrationEvents, Scheduled, TaskEvents
from maprun.interpreter.dataflow import arguments_text, complete_text
from maprun.interpreter.execution import Frame, TaskWait
from maprun.interpreter.failure import attempt_failed
from maprun.interpreter.numbers import seconds
from maprun.interpreter.scopes import root_value
from maprun.interpreter.step_builder import StepBuilder
from maprun.language import jsontext
from maprun.language.errors import StatesError, runtime_error
from maprun.language.model import State, TaskWork
from schemas.effects import (
    ActivityTaskStarted,
    SubmissionFailed,
    TaskFailed,
    TaskRequested,
    TaskSubmitted,
    TaskSucceeded,
    TimerFired,
)
from schemas.quotas import CAUSE_LENGTH_MAX

TIMEOUT, HEARTBEAT_TIMEOUT = "States.Timeout", "States.HeartbeatTimeout"


def perform_task(step: StepBuilder, frame: Frame, state: State) -> None:
    """Asks for an attempt. Scheduled and started are one moment here: the host starts what it is asked for.

    But of an activity: it is scheduled once its home says that there is such a one, and a worker starts it.
    """
    work = state.work
    assert isinstance(work, TaskWork)
    if work.refusal:
        raise runtime_error(work.refusal)
    scope = step.scope(frame)
    parameters = arguments_text(frame, state, scope)
    step.check_size(parameters, state.name)
    timeout = heartbeat = None
    role_arn = ""
    if work.timeout_seconds is not None or work.heartbeat_seconds is not None or work.role_arn is not None:
        root = root_value(frame, state, scope)
        timeout = seconds(work.timeout_seconds, root, scope, "TimeoutSeconds")
        heartbeat = seconds(work.heartbeat_seconds, root, scope, "HeartbeatSeconds")
        if work.role_arn is not None:
            role_arn = str(work.role_arn(root, scope).get("RoleArn", ""))
    events, region = work.events, step.execution.head.arn.split(":", 4)[3:4]
    attempt = Scheduled(region[0] if region else "", parameters, timeout, heartbeat, role_arn or None)
    if not work.activity:
        scheduled = step.emit(events.scheduled, frame.last_id, events.scheduling(attempt))
        frame.last_id = step.emit(events.started, scheduled, events.labels)
    ref = frame.effect_ref()
    head = step.execution.head
    asked = TaskRequested(
        ref,
        work.resource,
        with_origin(parameters, (head.machine_arn, head.arn)) if work.names_origin else parameters,
        timeout or 0,
        heartbeat or 0,
        role_arn,
        frame.retry_count,
        state.name,
        work.callback or work.job or work.activity,
        step.execution.token(frame) if work.job and not work.followed else "",
        work.activity,
    )
    wait = frame.wait = TaskWait(ref, timeout_seconds=timeout or 0)
    step.wait_for(frame, ref, asked)
    if heartbeat is not None and (work.callback or work.activity):
        wait.heartbeat_seconds = heartbeat
    if work.activity:
        wait.parameters = parameters
    else:
        _begin_timeouts(step, frame, wait)


def _begin_timeouts(step: StepBuilder, frame: Frame, wait: TaskWait) -> None:
    """TimeoutSeconds and HeartbeatSeconds count from the event that says that the attempt started."""
    if wait.timeout_seconds:
        wait.timer = f"{wait.ref}:timeout"
        step.ask_timer(frame, wait.timer, step.now_ms + wait.timeout_seconds * 1000)
    if wait.heartbeat_seconds:
        _await_heartbeat(step, frame, wait)


def _await_heartbeat(step: StepBuilder, frame: Frame, wait: TaskWait) -> None:
    """Sets the timer of the next heartbeat. Its name is new: the one before may have fired already, unheard."""
    wait.heartbeat = f"{wait.ref}:heartbeat:{step.now_ms}"
    step.ask_timer(frame, wait.heartbeat, step.now_ms + wait.heartbeat_seconds * 1000)


def heartbeat_received(step: StepBuilder, frame: Frame, wait: TaskWait) -> None:
    """Whoever works on the attempt is alive."""
    if wait.heartbeat:
        step.cancel(wait.heartbeat)
        _await_heartbeat(step, frame, wait)


def task_submitted(step: StepBuilder, frame: Frame, state: State, wait: TaskWait, happening: TaskSubmitted) -> None:
    """The call that submits the attempt came back, or its activity's home has taken it; the attempt goes on."""
    events = _work(state).events
    if isinstance(events, ActivityEvents):
        _activity_scheduled(step, frame, events, wait)
        return
    assert isinstance(events, IntegrationEvents), "a function is called, not submitted"
    try:
        output = _result(step, events, happening.output)
    except StatesError as error:
        _heard(step, wait)
        _failed(step, frame, state, events.submit_failed, error.error, error.cause)
        return
    wait.submitted = True
    frame.last_id = step.emit(events.submitted, frame.last_id, (*events.labels, output))


def _activity_scheduled(step: StepBuilder, frame: Frame, events: ActivityEvents, wait: TaskWait) -> None:
    if wait.submitted:
        return
    attempt = Scheduled("", wait.parameters, wait.timeout_seconds or None, wait.heartbeat_seconds or None, None)
    frame.last_id = step.emit(events.scheduled, frame.last_id, events.scheduling(attempt))
    wait.submitted, wait.parameters = True, b""


def activity_started(
    step: StepBuilder, frame: Frame, state: State, wait: TaskWait, happening: ActivityTaskStarted
) -> None:
    """A worker has the attempt: from now on it may time out."""
    frame.last_id = step.emit(_work(state).events.started, frame.last_id, (happening.worker or None,))
    _begin_timeouts(step, frame, wait)


def _submitted_unheard(step: StepBuilder, frame: Frame, work: TaskWork, wait: TaskWait, told: bytes) -> None:
    """A job ended before the answer to its start was heard: histories tell of that first, as far as the end says it."""
    events = work.events
    if wait.submitted or not isinstance(events, IntegrationEvents):
        return
    try:
        described = jsontext.decode(told)
    except StatesError:  # a cause that was cut, or tells of no execution
        described = {}
    answer = {name: described[name] for name in ("ExecutionArn", "StartDate") if name in described}
    frame.last_id = step.emit(events.submitted, frame.last_id, (*events.labels, jsontext.encode(answer)))


def submission_failed(
    step: StepBuilder, frame: Frame, state: State, wait: TaskWait, happening: SubmissionFailed
) -> None:
    """The call that submits the attempt failed, or there is no such activity, and the attempt with it."""
    _heard(step, wait)
    events = _work(state).events
    if isinstance(events, ActivityEvents):
        raise runtime_error(happening.cause)
    assert isinstance(events, IntegrationEvents), "a function is called, not submitted"
    _failed(step, frame, state, events.submit_failed, happening.error, happening.cause)


def task_succeeded(step: StepBuilder, frame: Frame, state: State, wait: TaskWait, happening: TaskSucceeded) -> None:
    """The attempt ended well: its result flows on."""
    _heard(step, wait)
    work = _work(state)
    events = work.events
    if work.job:
        _submitted_unheard(step, frame, work, wait, happening.output)
    try:
        output = _result(step, events, happening.output)
    except StatesError as error:
        _failed(step, frame, state, events.failed, error.error, error.cause)
        return
    frame.last_id = step.emit(events.succeeded, frame.last_id, (*events.labels, output))
    complete_text(step, frame, state, output, step.scope(frame, "result"))


def _result(step: StepBuilder, events: TaskEvents, given: bytes) -> bytes:
    """What a host hands in as a result; it must be JSON before it goes on as text. Raises StatesError."""
    output = jsontext.compact(given)
    step.check_size(output, events.named)
    jsontext.decode(output)
    return output


def task_failed(step: StepBuilder, frame: Frame, state: State, wait: TaskWait, happening: TaskFailed) -> None:
    """The attempt failed."""
    _heard(step, wait)
    work = _work(state)
    if work.job:
        _submitted_unheard(step, frame, work, wait, happening.cause.encode())
    _failed(step, frame, state, work.events.failed, happening.error, happening.cause)


def _failed(step: StepBuilder, frame: Frame, state: State, kind: int, error: str, cause: str) -> None:
    cause = cause[:CAUSE_LENGTH_MAX]
    frame.last_id = step.emit(kind, frame.last_id, (*_work(state).events.labels, error, cause))
    attempt_failed(step, frame, state, error, cause)


def task_timed_out(step: StepBuilder, frame: Frame, state: State, wait: TaskWait, happening: TimerFired) -> None:
    """TimeoutSeconds passed before the attempt ended, or HeartbeatSeconds without a heartbeat.

    Histories call both States.Timeout; Retry and Catch tell them apart.
    """
    matched = HEARTBEAT_TIMEOUT if happening.ref == wait.heartbeat else TIMEOUT
    step.execution.waits.pop(happening.ref, None)
    step.cancel(wait.ref)
    step.cancel(wait.timer)
    step.cancel(wait.heartbeat)
    events = _work(state).events
    frame.last_id = step.emit(events.timed_out, frame.last_id, (*events.labels, TIMEOUT))
    attempt_failed(step, frame, state, TIMEOUT, None, matched=matched)


def _heard(step: StepBuilder, wait: TaskWait) -> None:
    """The attempt's call was answered: nothing of it is waited for any more."""
    step.execution.waits.pop(wait.ref, None)
    step.cancel(wait.timer)
    step.cancel(wait.heartbeat)


def _work(state: State) -> TaskWork:
    assert isinstance(state.work, TaskWork)
    return state.work
