"""Task: asks the host for one attempt, hears how it ended."""

from maprun.integrations.task_events import Scheduled
from maprun.interpreter.dataflow import arguments_text, complete_text
from maprun.interpreter.execution import Frame, TaskWait
from maprun.interpreter.failure import CAUSE_LENGTH_MAX, attempt_failed
from maprun.interpreter.numbers import seconds
from maprun.interpreter.run import Run
from maprun.interpreter.scopes import root_value
from maprun.language import jsontext
from maprun.language.errors import StatesError, runtime_error
from maprun.language.model import State, TaskWork
from schemas.effects import TaskFailed, TaskRequested, TaskSucceeded

TIMEOUT = "States.Timeout"


def perform_task(run: Run, frame: Frame, state: State) -> None:
    """Asks for an attempt. Scheduled and started are one moment here: the host starts what it is asked for."""
    work = state.work
    assert isinstance(work, TaskWork)
    if work.refusal:
        raise runtime_error(work.refusal)
    scope = run.scope(frame)
    parameters = arguments_text(frame, state, scope)
    run.check_size(parameters, state.name)
    timeout = heartbeat = None
    role_arn = ""
    if work.timeout_seconds is not None or work.heartbeat_seconds is not None or work.role_arn is not None:
        root = root_value(frame, state, scope)
        timeout = seconds(work.timeout_seconds, root, scope, "TimeoutSeconds")
        heartbeat = seconds(work.heartbeat_seconds, root, scope, "HeartbeatSeconds")
        if work.role_arn is not None:
            role_arn = str(work.role_arn(root, scope).get("RoleArn", ""))
    told, region = work.events, run.execution.head.arn.split(":", 4)[3:4]
    attempt = Scheduled(region[0] if region else "", parameters, timeout, heartbeat, role_arn or None)
    scheduled = run.emit(told.scheduled, frame.last_id, told.scheduling(attempt))
    frame.last_id = run.emit(told.started, scheduled, told.labels)
    ref = frame.effect_ref()
    asked = TaskRequested(
        ref, work.resource, parameters, timeout or 0, heartbeat or 0, role_arn, frame.retry_count, state.name
    )
    wait = frame.wait = TaskWait(ref, "")
    run.wait_for(frame, ref, asked)
    if timeout is not None:
        wait.timer = f"{ref}:timeout"
        run.ask_timer(frame, wait.timer, run.now_ms + timeout * 1000)


def task_succeeded(run: Run, frame: Frame, state: State, wait: TaskWait, happening: TaskSucceeded) -> None:
    """The attempt ended well: its result flows on."""
    run.execution.waits.pop(wait.ref, None)
    run.cancel(wait.timer)
    work = state.work
    assert isinstance(work, TaskWork)
    output = jsontext.compact(happening.output)
    try:
        run.check_size(output, work.events.named)
        jsontext.decode(output)  # what a host hands in must be JSON before it goes on as text
    except StatesError as error:
        _failed(run, frame, state, work, error.error, error.cause)
        return
    frame.last_id = run.emit(work.events.succeeded, frame.last_id, (*work.events.labels, output))
    complete_text(run, frame, state, output, run.scope(frame, "result"))


def task_failed(run: Run, frame: Frame, state: State, wait: TaskWait, happening: TaskFailed) -> None:
    """The attempt failed."""
    run.execution.waits.pop(wait.ref, None)
    run.cancel(wait.timer)
    work = state.work
    assert isinstance(work, TaskWork)
    _failed(run, frame, state, work, happening.error, happening.cause)


def _failed(run: Run, frame: Frame, state: State, work: TaskWork, error: str, cause: str) -> None:
    cause = cause[:CAUSE_LENGTH_MAX]
    frame.last_id = run.emit(work.events.failed, frame.last_id, (*work.events.labels, error, cause))
    attempt_failed(run, frame, state, error, cause)


def task_timed_out(run: Run, frame: Frame, state: State, wait: TaskWait) -> None:
    """TimeoutSeconds passed before the attempt ended."""
    run.execution.waits.pop(wait.timer, None)
    run.cancel(wait.ref)
    work = state.work
    assert isinstance(work, TaskWork)
    frame.last_id = run.emit(work.events.timed_out, frame.last_id, (*work.events.labels, TIMEOUT))
    attempt_failed(run, frame, state, TIMEOUT, None)
